// SPDX-License-Identifier: GPL-3.0-or-later
// send and receive: a file through a station without TUN. The daemon carries IPv6 packets for whoever is attached to
// its control socket; the transfer itself (apps/transfer/transfer.hpp) runs here.
#include <arpa/inet.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "apps/cli/command.hpp"
#include "apps/control/control_client.hpp"
#include "apps/transfer/transfer.hpp"
#include "core/bytes.hpp"
#include "core/time.hpp"
#include "station/key_file.hpp"

namespace meshnet::apps {

namespace {

using Json = nlohmann::ordered_json;

struct TransferOptions {
    ControlTarget target;
    std::string file;        ///< send: what; receive: where
    std::string to;          ///< send: the other station's IPv6 address; empty: whoever asks
    std::string from;        ///< receive: request it from this station; empty: wait for one that sends
    double timeout_s = 120;  ///< without progress
    bool json = false;
};

Instant wall_now() {
    return instant_from_ns(
        std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
            .count());
}

std::optional<net::Address> parse_address(const std::string& text) {
    net::Address out{};
    if (::inet_pton(AF_INET6, text.c_str(), out.data()) != 1) {
        return std::nullopt;
    }
    return out;
}

/// A host attached to a daemon: UDP datagrams out and in.
class AttachedHost {
public:
    static Result<AttachedHost> attach(const ControlTarget& target) {
        auto client = ControlClient::connect(target);
        if (!client) {
            return client.error();
        }
        const auto answer = client->ask(R"({"cmd":"attach"})");
        if (!answer) {
            return answer.error();
        }
        const auto address = parse_address(answer->value("address", std::string()));
        if (!address) {
            return Error{ErrorCode::kInvalidData, "the daemon's answer to attach cannot be read"};
        }
        return AttachedHost(std::move(client).value(), *address);
    }

    Status send(const net::Address& to, const TransferMessage& message) {
        const UdpDatagram datagram{address_, to, kTransferPort, kTransferPort, encode_transfer(message)};
        return client_.send("{\"cmd\":\"packet\",\"data\":\"" + to_hex(encode_udp(datagram)) + "\"}");
    }

    struct Arrived {
        net::Address from{};
        TransferMessage message;
    };
    /// The next message, waiting at most `wait`. Packets that are none are passed over.
    Result<std::optional<Arrived>> next(std::chrono::milliseconds wait) {
        const auto line = client_.next_line(wait);
        if (!line) {
            return line.error();
        }
        if (!*line) {
            return std::optional<Arrived>{};
        }
        const auto json = Json::parse(**line, nullptr, false);
        if (!json.is_object() || !json.contains("packet") || !json["packet"].is_string()) {
            const auto answer = ControlClient::read_answer(**line);
            return answer ? Result<std::optional<Arrived>>(std::optional<Arrived>{}) : answer.error();
        }
        const auto packet = from_hex(json["packet"].get<std::string>());
        const auto datagram = packet ? decode_udp(*packet) : std::nullopt;
        if (!datagram || datagram->destination_port != kTransferPort) {
            return std::optional<Arrived>{};
        }
        auto message = decode_transfer(datagram->payload);
        if (!message) {
            return std::optional<Arrived>{};
        }
        return std::optional<Arrived>{Arrived{datagram->source, std::move(*message)}};
    }

private:
    AttachedHost(ControlClient client, const net::Address& address) : client_(std::move(client)), address_(address) {}
    ControlClient client_;
    net::Address address_;
};

std::chrono::milliseconds until(std::optional<Instant> due, Instant now) {
    const Duration most = 200ms;
    const Duration left = due ? std::clamp(*due - now, Duration{}, most) : most;
    return std::chrono::ceil<std::chrono::milliseconds>(left);
}

void report(const TransferOptions& o, const char* verb, const std::string& name, std::uint64_t bytes, double seconds,
            const Sha256& digest, Json more) {
    const double kbps = seconds > 0 ? 8e-3 * static_cast<double>(bytes) / seconds : 0.0;
    if (o.json) {
        Json j{
            {"file", name}, {"bytes", bytes}, {"seconds", seconds}, {"goodput_kbps", kbps}, {"sha256", to_hex(digest)}};
        j.update(more);
        std::puts(j.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
    } else {
        std::printf("%s %s: %llu bytes in %.1f s, %.1f kbit/s, sha256 %s\n", verb, name.c_str(),
                    static_cast<unsigned long long>(bytes), seconds, kbps, to_hex(digest).c_str());
    }
}

int send_file(const TransferOptions& o) {
    std::optional<net::Address> to = parse_address(o.to);
    if (!to && !o.to.empty()) {
        return complain(
            "\"" + o.to + "\" is not an IPv6 address; meshnet-cli routes lists the stations that can be reached", 2);
    }
    if (auto ready = station::init_random(); !ready) {
        return complain(ready.error().message, 1);
    }
    std::ifstream in(o.file, std::ios::binary);
    if (!in || std::filesystem::is_directory(o.file)) {
        return complain(o.file + " cannot be read", 1);
    }
    Bytes bytes{std::istreambuf_iterator<char>(in), {}};
    if (bytes.size() > kMaxTransferBytes) {
        return complain(o.file + " is larger than 64 MiB", 1);
    }
    const auto digest = sha256(bytes);
    const std::size_t size = bytes.size();
    auto host = AttachedHost::attach(o.target);
    if (!host) {
        return complain(host.error().message, 1);
    }
    station::SystemRandom random;
    TransferSender sender(random.next_u64(), std::filesystem::path(o.file).filename().string(), std::move(bytes));
    while (!to) {
        auto arrived = host->next(1s);
        if (!arrived) {
            return complain(arrived.error().message, 1);
        }
        if (*arrived && std::holds_alternative<TransferPull>((*arrived)->message.body)) {
            to = (*arrived)->from;
        }
    }
    const Instant begin = wall_now();
    Instant progress = begin;
    std::uint64_t acknowledged = 0;
    while (sender.state() == TransferSender::State::kRunning) {
        Instant now = wall_now();
        while (auto message = sender.poll_transmit(now)) {
            if (auto sent = host->send(*to, *message); !sent) {
                return complain(sent.error().message, 1);
            }
        }
        auto arrived = host->next(until(sender.next_timeout(), now));
        if (!arrived) {
            return complain(arrived.error().message, 1);
        }
        now = wall_now();
        if (*arrived && (*arrived)->from == *to) {
            sender.on_message(now, (*arrived)->message);
        }
        if (sender.bytes_acknowledged() != acknowledged) {
            acknowledged = sender.bytes_acknowledged();
            progress = now;
        }
        if (to_seconds(now - progress) > o.timeout_s) {
            return complain("no progress for " + std::to_string(o.timeout_s) + " s; " + std::to_string(acknowledged) +
                                " of " + std::to_string(size) + " bytes were acknowledged",
                            1);
        }
    }
    if (sender.state() != TransferSender::State::kDone) {
        return complain(sender.state() == TransferSender::State::kRefused ? "the receiver refused the file"
                                                                          : "the file arrived altered",
                        1);
    }
    report(
        o, "sent", o.file, size, to_seconds(wall_now() - begin), digest,
        Json{{"retransmissions", sender.retransmissions()}, {"round_trip_ms", 1e3 * to_seconds(sender.round_trip())}});
    return 0;
}

// Writes the complete file and reports it. An altered one is complained of and not written. 1: it could not be written.
int keep_file(const TransferOptions& o, TransferReceiver& receiver, double seconds) {
    if (!receiver.intact()) {
        complain("the file arrived altered", 1);
        return 0;
    }
    std::ofstream out(o.file, std::ios::binary | std::ios::trunc);
    const Bytes& file = receiver.file();
    std::copy(file.begin(), file.end(), std::ostreambuf_iterator<char>(out));
    out.close();
    if (!out) {
        return complain(o.file + " cannot be written", 1);
    }
    report(o, "received", o.file, file.size(), seconds, receiver.open().digest, Json::object());
    std::fflush(stdout);
    return 0;
}

int receive_file(const TransferOptions& o) {
    if (auto ready = station::init_random(); !ready) {
        return complain(ready.error().message, 1);
    }
    auto host = AttachedHost::attach(o.target);
    if (!host) {
        return complain(host.error().message, 1);
    }
    const std::optional<net::Address> wanted = parse_address(o.from);
    if (!wanted && !o.from.empty()) {
        return complain(
            "\"" + o.from + "\" is not an IPv6 address; meshnet-cli routes lists the stations that can be reached", 2);
    }
    std::optional<TransferReceiver> receiver;
    constexpr Duration kPullInterval = 2s;
    Instant next_pull{};
    Instant next_word{};
    net::Address from{};
    Instant begin{};
    Instant progress = wall_now();
    constexpr Duration kLinger = 5s;  // the last acknowledgement may be lost: stay and repeat it
    std::optional<Instant> leave;
    while (!leave || wall_now() < *leave) {
        Instant now = wall_now();
        if (wanted && !receiver && now >= next_pull) {
            next_pull = now + kPullInterval;
            if (auto sent = host->send(*wanted, TransferMessage{0, TransferPull{}}); !sent) {
                return complain(sent.error().message, 1);
            }
        }
        while (receiver) {
            const auto message = receiver->poll_transmit(now);
            if (!message) {
                break;
            }
            if (auto sent = host->send(from, *message); !sent) {
                return complain(sent.error().message, 1);
            }
        }
        auto arrived = host->next(until(receiver ? receiver->next_timeout() : std::nullopt, now));
        if (!arrived) {
            return complain(arrived.error().message, 1);
        }
        now = wall_now();
        if (*arrived) {
            const auto& message = (*arrived)->message;
            if (const auto* open = std::get_if<TransferOpen>(&message.body);
                open != nullptr && !receiver && (!wanted || (*arrived)->from == *wanted)) {
                receiver.emplace(message.transfer, *open);
                from = (*arrived)->from;
                begin = now;
                progress = now;
            }
            if (receiver && (*arrived)->from == from && message.transfer == receiver->transfer()) {
                const auto before = receiver->bytes_received();
                receiver->on_message(now, message);
                progress = receiver->bytes_received() != before ? now : progress;
                if (o.json && now >= next_word && !receiver->complete()) {
                    next_word = now + 500ms;
                    std::printf("{\"bytes\":%llu}\n", static_cast<unsigned long long>(receiver->bytes_received()));
                    std::fflush(stdout);
                }
            } else if (std::holds_alternative<TransferOpen>(message.body)) {
                const TransferMessage no{message.transfer, TransferAck{TransferAck::kRefused, 0, 0, {}}};
                (void)host->send((*arrived)->from, no);
            }
        }
        if (receiver && receiver->complete() && !leave) {
            if (const int code = keep_file(o, *receiver, to_seconds(now - begin)); code != 0) {
                return code;
            }
            leave = now + kLinger;
        }
        if (!leave && to_seconds(now - progress) > o.timeout_s) {
            return complain("no file came, or no more of it, for " + std::to_string(o.timeout_s) + " s", 1);
        }
    }
    return receiver && receiver->intact() ? 0 : 1;
}

}  // namespace

void add_transfer(CLI::App& app, int& exit_code) {
    CLI::App* send = nullptr;
    auto& s = add_command<TransferOptions>(app, exit_code, "send", "Send a file through a station without TUN", send,
                                           send_file);
    send->add_option("file", s.file, "The file, at most 64 MiB")->required();
    send->add_option("--to", s.to, "IPv6 address of the station that receives (default: the first that asks)");
    CLI::App* receive = nullptr;
    auto& r = add_command<TransferOptions>(app, exit_code, "receive", "Receive one file through a station without TUN",
                                           receive, receive_file);
    receive->add_option("file", r.file, "Where to write it")->required();
    receive->add_option("--from", r.from, "IPv6 address of a station that sends on request (default: take what comes)");
    const auto add_common = [](CLI::App& command, TransferOptions& o) {
        add_target(command, o.target);
        command.add_flag("--json", o.json, "JSON lines: progress of receive, and an object at the end");
        command.add_option("--timeout", o.timeout_s, "Give up after so many seconds without progress")
            ->check(CLI::Range(1.0, 1e6))
            ->capture_default_str();
    };
    add_common(*send, s);
    add_common(*receive, r);
}

}  // namespace meshnet::apps

// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/daemon.hpp"

#include <poll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <map>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include <spdlog/spdlog.h>

#include "node/node.hpp"
#include "node/phy_model.hpp"
#include "phy/modes.hpp"
#include "phy/profile.hpp"
#include "station/control/control_server.hpp"
#include "station/control/ledger_views.hpp"
#include "station/control/views.hpp"
#include "station/key_file.hpp"
#include "station/ledger/ledger_sqlite.hpp"
#include "station/radio/radio.hpp"
#include "station/radio/radio_link.hpp"
#include "station/tun.hpp"

namespace meshnet::station {

namespace {

using WallClock = std::chrono::steady_clock;

constexpr auto kTick = std::chrono::milliseconds(100);   // watchdog, watchers, log of changes
constexpr auto kRadioSilence = std::chrono::seconds(2);  // without samples: the radio is gone
constexpr auto kReopenInterval = std::chrono::seconds(1);
constexpr int kPacketsPerTurn = 64;                   // read from the TUN before samples get their turn
constexpr std::size_t kAttachedBacklog = 256 * 1024;  // bytes; more is dropped as any network would

std::string reason(int error) {
    return std::error_code(error, std::generic_category()).message();
}

void warn_line(const std::string& line) {
    spdlog::warn("{}", line);
}

Result<host::UniqueFd> make_signal_fd() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
    host::UniqueFd fd{::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC)};
    if (!fd) {
        return Error{"no signalfd: " + reason(errno)};
    }
    return fd;
}

Result<host::UniqueFd> make_timer() {
    host::UniqueFd fd{::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)};
    itimerspec spec{};
    spec.it_interval.tv_nsec = std::chrono::nanoseconds(kTick).count();
    spec.it_value = spec.it_interval;
    if (!fd || ::timerfd_settime(fd.get(), 0, &spec, nullptr) != 0) {
        return Error{"no timerfd: " + reason(errno)};
    }
    return fd;
}

node::Node::Config node_config(const Config& config, net::Identity identity) {
    node::Node::Config out;
    out.mac = config.mac;
    if (const auto fixed = phy::find_mode(config.fixed_mode)) {
        out.mac.fixed_mode = static_cast<mac::ModeIndex>(*fixed - node::first_mode(config.longest_preamble));
    }
    out.router.identity = std::move(identity);
    out.router.price_msat_per_mib = config.price_msat_per_mib;
    out.router.max_price_msat_per_mib = config.max_price_msat_per_mib;
    out.router.unit_bytes = config.unit_bytes;
    out.router.initial_window_bytes = config.initial_window_bytes;
    out.router.max_window_bytes = config.max_window_bytes;
    out.router.closed_fleet = config.neighbours;
    out.router.pay = config.pay;
    out.router.mtu = config.tun_mtu;
    return out;
}

}  // namespace

struct Daemon::Impl final : RadioEvents {
    Impl(const Config& c, ControlServer control_server, std::unique_ptr<SqliteLedger> sqlite,
         std::unique_ptr<Radio> radio, net::Identity identity, host::UniqueFd signal, host::UniqueFd ticks)
        : config(c),
          profile(*phy::find_profile(c.profile)),
          control(std::move(control_server)),
          ledger(std::move(sqlite)),
          link({&profile, c.longest_preamble}, std::move(radio)),
          model(profile, link.clock().rate(), node::first_mode(c.longest_preamble)),
          node(node_config(c, std::move(identity)), model, random, ledger->state()),
          signals(std::move(signal)),
          ticker(std::move(ticks)),
          price(c.price_msat_per_mib) {}

    // From the radio.
    void on_frame(Instant now, const mac::RxFrame& frame) override {
        if (spdlog::should_log(spdlog::level::debug)) {
            std::size_t good = 0;
            for (const auto& s : frame.segments) {
                good += s.ok ? 1 : 0;
            }
            spdlog::debug("frame {} bytes {} blocks {}/{} snr {:.1f} dB cfo {:.0f} Hz", frame.payload.size(),
                          link.mode_name(frame.mode), good, frame.segments.size(), frame.snr_db, frame.cfo_hz);
        }
        node.on_frame(now, frame);
    }
    void on_carrier(Instant now, bool busy) override { node.on_carrier(now, busy); }
    void on_transmitted(Instant now, std::uint64_t id, mac::TxOutcome outcome) override {
        if (outcome == mac::TxOutcome::kLate) {
            spdlog::debug("burst {} was late", id);
        }
        node.on_transmitted(now, id, outcome);
    }
    void on_time(Instant now) override {
        if (const auto due = node.next_timeout(); due && *due <= now) {
            node.on_timeout(now);
        }
        pump();
    }

    /// Carries out what the node wants done.
    void pump() {
        const Instant now = link.now();
        while (auto request = node.poll_transmit(now)) {
            if (auto sent = link.transmit(*request); !sent && !radio_error) {
                radio_error = sent.error().message;
            }
        }
        while (auto packet = node.poll_packet()) {
            deliver(*packet);
        }
        while (auto batch = node.poll_persist(now)) {
            ledger->submit(std::move(*batch));
        }
    }

    void deliver(const Bytes& packet) {
        if (tun) {
            tun->write(packet);
        } else if (host != 0 && control.backlog(host) < kAttachedBacklog) {
            control.send(host, control_packet(packet));
        }
    }

    void read_tun() {
        for (int i = 0; i < kPacketsPerTurn; ++i) {
            const auto packet = tun->read();
            if (!packet) {
                break;
            }
            node.on_packet(link.now(), *packet);
        }
        pump();
    }

    void read_ledger() {
        if (const auto persisted = ledger->take_persisted(); persisted != 0) {
            node.on_persisted(link.now(), persisted);
            pump();
        }
    }

    void radio_lost(const std::string& why) {
        if (radio_up) {
            spdlog::error("radio lost: {}; trying to open it again", why);
            radio_up = false;
            lost_at = WallClock::now();
            next_reopen = lost_at + kReopenInterval;
        }
        radio_error.reset();
    }

    void read_radio() {
        const auto before = link.counters();
        auto got = link.receive(*this);
        last_samples = WallClock::now();
        if (const auto& after = link.counters(); after.gaps != before.gaps) {
            spdlog::debug("gap of {} samples", after.samples_lost - before.samples_lost);
        }
        if (!got) {
            radio_lost(got.error().message);
        } else if (radio_error) {
            radio_lost(*radio_error);
        }
        if (link.ended()) {
            spdlog::info("the recording is over");
            running = false;
        }
    }

    void reopen_radio(WallClock::time_point wall) {
        next_reopen = wall + kReopenInterval;
        auto radio = open_radio(config.device, profile);
        if (!radio) {
            spdlog::debug("radio still not there: {}", radio.error().message);
            return;
        }
        link.replace(std::move(radio).value(), wall - lost_at, *this);
        radio_up = true;
        last_samples = wall;
        spdlog::info("radio is back: {}", config.device);
    }

    void on_tick() {
        std::uint64_t ticks = 0;
        (void)!::read(ticker.get(), &ticks, sizeof ticks);
        const auto wall = WallClock::now();
        if (radio_up && wall - last_samples > kRadioSilence) {
            radio_lost("no samples for 2 s");
        }
        if (!radio_up && wall >= next_reopen) {
            reopen_radio(wall);
        }
        for (auto it = watchers.begin(); it != watchers.end();) {
            if (!control.connected(it->first)) {
                it = watchers.erase(it);
                continue;
            }
            if (wall >= it->second.next) {
                it->second.next = wall + it->second.interval;
                control.send(it->first, control_result(status_view(node, context())));
            }
            ++it;
        }
        if (host != 0 && !control.connected(host)) {
            spdlog::info("host detached");
            host = 0;
        }
        log_changes();
    }

    /// One line for each neighbour that came or went since the last call.
    void log_changes() {
        std::map<std::uint32_t, bool> seen;
        for (const auto& n : node.mac().neighbors(link.now())) {
            if (!n.up) {
                continue;
            }
            seen[n.quality.peer] = false;
            if (!known.contains(n.quality.peer)) {
                spdlog::info("neighbour {} heard: snr {:.1f} dB, mode {}", link_name(n.quality.peer), n.quality.snr_db,
                             link.mode_name(n.quality.mode));
            }
        }
        for (const auto& n : node.router().neighbors()) {
            if (auto it = seen.find(n.link); it != seen.end()) {
                it->second = n.session_up;
                if (n.session_up && !(known.contains(n.link) && known[n.link])) {
                    spdlog::info("neighbour {} session up: {}", link_name(n.link), net::to_string(n.address));
                }
            }
        }
        for (const auto& [peer, session] : known) {
            if (!seen.contains(peer)) {
                spdlog::info("neighbour {} gone", link_name(peer));
            }
        }
        known = std::move(seen);
    }

    [[nodiscard]] ViewContext context() const {
        return ViewContext{
            config,          link,     std::chrono::duration_cast<Duration>(WallClock::now() - started), price,
            tun.has_value(), host != 0};
    }

    // From the control socket.
    void answer(const ControlServer::Incoming& incoming) {
        const auto client = incoming.client;
        if (!incoming.request) {
            control.send(client, control_error(incoming.request.error().message));
            return;
        }
        const ControlRequest& request = *incoming.request;
        switch (request.command) {
            case ControlRequest::Command::kStatus:
                control.send(client, control_result(status_view(node, context())));
                break;
            case ControlRequest::Command::kNeighbours:
                control.send(client, control_result(neighbours_view(node, link)));
                break;
            case ControlRequest::Command::kRoutes:
                control.send(client, control_result(routes_view(node)));
                break;
            case ControlRequest::Command::kFlows:
                control.send(client, control_result(flows_view(node)));
                break;
            case ControlRequest::Command::kLedger:
                answer_ledger(client, request.limit);
                break;
            case ControlRequest::Command::kPrice:
                if (request.price_msat_per_mib) {
                    price = *request.price_msat_per_mib;
                    node.router().set_price(link.now(), price);
                    spdlog::info("price is now {} msat per MiB", price);
                    pump();
                }
                control.send(client, control_result("{\"price_msat_per_mib\":" + std::to_string(price) + "}"));
                break;
            case ControlRequest::Command::kWatch:
                watchers[client] = {std::chrono::milliseconds(request.interval_ms), WallClock::time_point{}};
                break;
            case ControlRequest::Command::kAttach:
                attach(client);
                break;
            case ControlRequest::Command::kPacket:
                if (client == host) {
                    node.on_packet(link.now(), request.packet);
                    pump();
                } else {
                    control.send(client, control_error("attach first"));
                }
                break;
            case ControlRequest::Command::kStop:
                spdlog::info("asked to stop over the control socket");
                control.send(client, control_result("{}"));
                running = false;
                break;
        }
    }

    void attach(ControlServer::ClientId client) {
        if (tun) {
            control.send(client,
                         control_error("this station has TUN " + config.tun_name + "; set enabled = false in [tun]"));
        } else if (host != 0 && control.connected(host)) {
            control.send(client, control_error("another program is attached"));
        } else {
            host = client;
            spdlog::info("host attached over the control socket");
            control.send(client, control_result("{\"address\":\"" + net::to_string(node.router().address()) +
                                                "\",\"mtu\":" + std::to_string(config.tun_mtu) + "}"));
        }
    }

    void answer_ledger(ControlServer::ClientId client, std::uint32_t limit) {
        const auto view = ledger_view(config.ledger_file, limit);
        control.send(client, view ? control_result(*view) : control_error(view.error().message));
    }

    Status loop() {
        std::vector<pollfd> fds;
        while (running) {
            fds.clear();
            fds.push_back({signals.get(), POLLIN, 0});
            fds.push_back({ticker.get(), POLLIN, 0});
            fds.push_back({ledger->fd(), POLLIN, 0});
            fds.push_back({radio_up ? link.fd() : -1, POLLIN, 0});
            fds.push_back({tun ? tun->fd() : -1, POLLIN, 0});
            control.add_poll(fds);
            if (::poll(fds.data(), fds.size(), -1) < 0 && errno != EINTR) {
                return Error{"poll: " + reason(errno)};
            }
            if (fds[0].revents != 0) {
                spdlog::info("stopping");
                break;
            }
            if (fds[3].revents != 0) {
                read_radio();
            }
            if (fds[2].revents != 0) {
                read_ledger();
            }
            if (fds[4].revents != 0) {
                read_tun();
            }
            for (const auto& incoming : control.handle(fds)) {
                answer(incoming);
            }
            if (fds[1].revents != 0) {
                on_tick();
            }
            if (const auto failed = ledger->failure()) {
                return Error{"the ledger cannot be written: " + *failed +
                             "; stopped before anything more is carried on credit"};
            }
        }
        return Ok{};
    }

    struct Watcher {
        std::chrono::milliseconds interval{};
        WallClock::time_point next;
    };

    Config config;
    const phy::Profile& profile;
    SystemRandom random;
    ControlServer control;
    std::unique_ptr<SqliteLedger> ledger;
    RadioLink link;
    node::PhyModel model;
    node::Node node;
    std::optional<Tun> tun;
    host::UniqueFd signals, ticker;
    std::uint64_t price;
    ControlServer::ClientId host = 0;  // the attached host, 0: none
    std::map<ControlServer::ClientId, Watcher> watchers;
    std::map<std::uint32_t, bool> known;  // neighbours up when last logged; true: with a session
    WallClock::time_point started = WallClock::now(), last_samples = WallClock::now(), lost_at, next_reopen;
    std::optional<std::string> radio_error;
    bool radio_up = true, running = true;
};

Daemon::Daemon(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Daemon::~Daemon() = default;

Result<std::unique_ptr<Daemon>> Daemon::start(const Config& config, const std::string& record) {
    if (auto ready = init_random(); !ready) {
        return ready.error();
    }
    auto signals = make_signal_fd();
    if (!signals) {
        return signals.error();
    }
    auto ticker = make_timer();
    if (!ticker) {
        return ticker.error();
    }
    auto control = ControlServer::listen(config.control_socket);
    if (!control) {
        return control.error();
    }
    SystemRandom random;
    auto key = load_or_create_key(config.key_file, random);
    if (!key) {
        return key.error();
    }
    if (key->created) {
        spdlog::info("made new keys in {}", config.key_file);
    }
    auto ledger = SqliteLedger::open(config.ledger_file);
    if (!ledger) {
        return ledger.error();
    }
    auto radio = open_radio(config.device, *phy::find_profile(config.profile));
    if (!radio) {
        return radio.error();
    }
    if (!record.empty()) {
        radio = record_radio(std::move(radio).value(), record, warn_line);
        if (!radio) {
            return radio.error();
        }
    }
    const net::Address address = key->identity.address();
    std::unique_ptr<Impl> impl;
    try {
        impl = std::make_unique<Impl>(config, std::move(control).value(), std::move(ledger).value(),
                                      std::move(radio).value(), std::move(key->identity), std::move(signals).value(),
                                      std::move(ticker).value());
    } catch (const std::invalid_argument& e) {
        return Error{std::string("configuration: ") + e.what()};
    }
    if (config.tun_enabled) {
        auto tun = Tun::open(config.tun_name, address, config.tun_mtu);
        if (!tun) {
            return tun.error();
        }
        impl->tun = std::move(tun).value();
    }
    spdlog::info("station {} is {} on {}, profile {}, {}", config.name, net::to_string(address), config.device,
                 config.profile, config.tun_enabled ? "interface " + config.tun_name : std::string("no TUN"));
    return std::unique_ptr<Daemon>(new Daemon(std::move(impl)));
}

Status Daemon::run() {
    auto result = impl_->loop();
    // What the node has decided and not yet had written is written now; nothing of it has been revealed.
    while (auto batch = impl_->node.poll_persist(impl_->link.now())) {
        impl_->ledger->submit(std::move(*batch));
    }
    impl_->ledger->close();
    return result;
}

}  // namespace meshnet::station

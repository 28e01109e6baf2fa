// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/control/control_service.hpp"

#include <utility>

#include <spdlog/spdlog.h>

#include "net/node_id.hpp"

namespace meshnet::station {

namespace {

constexpr std::size_t kAttachedBacklog = 256 * 1024;  // bytes; more is dropped as any network would

}  // namespace

ControlService::ControlService(ControlServer server, Station station)
    : server_(std::move(server)), station_(std::move(station)) {}

void ControlService::handle(const std::vector<pollfd>& fds) {
    for (const auto& incoming : server_.handle(fds)) {
        if (incoming.request) {
            answer(incoming.client, *incoming.request);
        } else {
            server_.send(incoming.client, control_error(incoming.request.error()));
        }
    }
}

void ControlService::answer(ControlServer::ClientId client, const ControlRequest& request) {
    switch (request.command) {
        case ControlRequest::Command::kView:
            answer_view(client, *request.view, request.limit);
            break;
        case ControlRequest::Command::kPrice:
            answer_price(client, request);
            break;
        case ControlRequest::Command::kWatch:
            watchers_[client] = {std::chrono::milliseconds(request.interval_ms), WallClock::time_point{}};
            break;
        case ControlRequest::Command::kAttach:
            attach(client);
            break;
        case ControlRequest::Command::kPacket:
            if (client == host_) {
                station_.send_packet(request.packet);
            } else {
                server_.send(client, control_error({ErrorCode::kPermission, "attach first"}));
            }
            break;
        case ControlRequest::Command::kInhibit:
            if (station_.set_inhibited) {
                spdlog::info("sending is {} over the control socket", request.inhibit ? "inhibited" : "allowed");
                station_.set_inhibited(request.inhibit);
                server_.send(client,
                             control_result(request.inhibit ? R"({"inhibited":true})" : R"({"inhibited":false})"));
            } else {
                server_.send(client, control_error({ErrorCode::kUnsupported,
                                                    "this station has no radio that reaches an antenna"}));
            }
            break;
        case ControlRequest::Command::kPublish: {
            const net::Certificate& c = *request.certificate;
            const bool news = station_.publish(c);
            spdlog::info("{} with serial {} for {} over the control socket{}",
                         c.revokes() ? "revocation" : "certificate", c.serial, net::to_string(net::address_of(c.id())),
                         news ? "" : ": nothing new");
            server_.send(client, control_result(news ? R"({"news":true})" : R"({"news":false})"));
            break;
        }
        case ControlRequest::Command::kPayment:
            pay(client, *request.payment);
            break;
        case ControlRequest::Command::kStop:
            spdlog::info("stop requested over the control socket");
            server_.send(client, control_result("{}"));
            station_.stop();
            break;
    }
}

void ControlService::answer_view(ControlServer::ClientId client, const View& view, std::uint32_t limit) {
    ViewContext context = station_.context();
    context.host_attached = host_attached();
    context.limit = limit;
    const auto text = view.render(context);
    server_.send(client, text ? control_result(*text) : control_error(text.error()));
}

void ControlService::answer_price(ControlServer::ClientId client, const ControlRequest& request) {
    if (request.price_msat_per_mib) {
        spdlog::info("price is now {} msat per MiB", *request.price_msat_per_mib);
        station_.set_price(*request.price_msat_per_mib);
    }
    server_.send(client, control_result(
                             "{\"price_msat_per_mib\":" + std::to_string(station_.context().price_msat_per_mib) + "}"));
}

void ControlService::attach(ControlServer::ClientId client) {
    if (const std::string why = station_.why_not_attach(); !why.empty()) {
        server_.send(client, control_error({ErrorCode::kInUse, why}));
    } else if (host_ != 0 && server_.connected(host_)) {
        server_.send(client, control_error({ErrorCode::kInUse, "another program is attached"}));
    } else {
        host_ = client;
        spdlog::info("host attached over the control socket");
        server_.send(client, control_result(station_.attach_answer()));
    }
}

void ControlService::pay(ControlServer::ClientId client, const PaymentOrder& order) {
    if (!station_.payment) {
        server_.send(client, control_error({ErrorCode::kUnsupported, "this station keeps no ledger"}));
        return;
    }
    station_.payment(order, [this, client](const Result<std::string>& answer) {
        server_.send(client, answer ? control_result(*answer) : control_error(answer.error()));
    });
}

void ControlService::on_tick(WallClock::time_point wall) {
    for (auto it = watchers_.begin(); it != watchers_.end();) {
        auto& [client, watcher] = *it;
        if (!server_.connected(client)) {
            it = watchers_.erase(it);
            continue;
        }
        if (wall >= watcher.next) {
            watcher.next = wall + watcher.interval;
            answer_view(client, *find_view("status"), 0);
        }
        ++it;
    }
    if (host_ != 0 && !server_.connected(host_)) {
        spdlog::info("host detached");
        host_ = 0;
    }
}

void ControlService::deliver(const Bytes& packet) {
    if (host_ != 0 && server_.backlog(host_) < kAttachedBacklog) {
        server_.send(host_, control_packet(packet));
    }
}

}  // namespace meshnet::station

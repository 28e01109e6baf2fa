// SPDX-License-Identifier: GPL-3.0-or-later
#include "link_messages.h"

#include <algorithm>
#include <string>
#include <utility>
#include <variant>

namespace gr::meshnet {

namespace {

namespace mac = ::meshnet::mac;

pmt::pmt_t named(const char* event, mac::StationId peer) {
    return add(add(pmt::make_dict(), "event", pmt::mp(event)), "peer", pmt::from_uint64(peer));
}

pmt::pmt_t with_quality(pmt::pmt_t meta, const mac::LinkQuality& q) {
    meta = add(meta, "snr_db", pmt::from_double(static_cast<double>(q.snr_db)));
    meta = add(meta, "peer_snr_db", pmt::from_double(static_cast<double>(q.peer_snr_db)));
    meta = add(meta, "rate_bps", pmt::from_double(q.rate_bps));
    meta = add(meta, "loss", pmt::from_double(q.loss));
    meta = add(meta, "airtime_us_per_kib", pmt::from_double(q.airtime_us_per_kib));
    return add(meta, "propagation_s", pmt::from_double(::meshnet::to_seconds(q.propagation)));
}

double within(std::optional<double> value, double lowest, double highest) {
    return std::clamp(value.value_or(lowest), lowest, highest);
}

mac::LinkQuality read_quality(const pmt::pmt_t& meta, mac::StationId peer) {
    mac::LinkQuality q;
    q.peer = peer;
    q.snr_db = static_cast<float>(within(read_real(meta, "snr_db"), -200.0, 200.0));
    q.peer_snr_db = static_cast<float>(within(read_real(meta, "peer_snr_db"), -200.0, 200.0));
    q.rate_bps = within(read_real(meta, "rate_bps"), 0.0, 1e12);
    q.loss = within(read_real(meta, "loss"), 0.0, 1.0);
    q.airtime_us_per_kib = within(read_real(meta, "airtime_us_per_kib"), 0.0, 1e12);
    q.propagation = ::meshnet::from_seconds(within(read_real(meta, "propagation_s"), 0.0, 10.0));
    return q;
}

struct Writer {
    pmt::pmt_t operator()(const mac::LinkUp& e) const {
        return make_pdu(with_quality(named("up", e.quality.peer), e.quality), {});
    }
    pmt::pmt_t operator()(const mac::LinkChanged& e) const {
        return make_pdu(with_quality(named("changed", e.quality.peer), e.quality), {});
    }
    pmt::pmt_t operator()(const mac::LinkDown& e) const { return make_pdu(named("down", e.peer), {}); }
    pmt::pmt_t operator()(const mac::LinkUnproven& e) const { return make_pdu(named("unproven", e.peer), {}); }
    pmt::pmt_t operator()(const mac::Received& e) const {
        const auto priority = pmt::from_uint64(static_cast<std::uint64_t>(e.sdu.priority));
        return make_pdu(add(named("received", e.sdu.peer), "priority", priority), e.sdu.bytes);
    }
    pmt::pmt_t operator()(const mac::SduDone& e) const {
        const auto meta = add(named("done", e.peer), "tag", pmt::from_uint64(e.tag));
        return make_pdu(add(meta, "delivered", pmt::from_bool(e.delivered)), {});
    }
};

}  // namespace

pmt::pmt_t link_event(const mac::Event& event) {
    return std::visit(Writer{}, event);
}

pmt::pmt_t link_clock(::meshnet::Instant now, const std::vector<std::uint32_t>& room) {
    pmt::pmt_t meta = add(pmt::make_dict(), "event", pmt::mp("clock"));
    meta = add(meta, "clock", from_instant(now));
    return make_pdu(add(meta, "room", pmt::init_u32vector(room.size(), room)), {});
}

std::optional<mac::Event> read_link_event(const pdu& in) {
    const auto name = read_text(in.meta, "event");
    const auto peer = read_count(in.meta, "peer");
    if (!name || !peer || *peer == 0 || *peer > ::meshnet::kBroadcast) {
        return std::nullopt;
    }
    const auto station = static_cast<mac::StationId>(*peer);
    if (*name == "received" && !in.bytes.empty() && in.bytes.size() <= mac::kMaxSduBytes) {
        mac::Sdu sdu;
        sdu.peer = station;
        sdu.bytes = in.bytes;
        return mac::Received{std::move(sdu)};
    }
    if (station == ::meshnet::kBroadcast) {
        return std::nullopt;
    }
    if (*name == "up") {
        return mac::LinkUp{read_quality(in.meta, station)};
    }
    if (*name == "changed") {
        return mac::LinkChanged{read_quality(in.meta, station)};
    }
    if (*name == "down") {
        return mac::LinkDown{station};
    }
    return std::nullopt;
}

}  // namespace gr::meshnet

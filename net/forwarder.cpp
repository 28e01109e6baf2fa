// SPDX-License-Identifier: MIT
#include "net/forwarder.hpp"

#include <algorithm>

#include "net/ip_header.hpp"
#include "net/payment/amount.hpp"

namespace meshnet::net {

namespace {

constexpr std::size_t kHostPackets = 4'096;

}  // namespace

void Forwarder::on_data(Instant now, NeighborId from, const DataMessage& data) {
    Flow* f = flows_.by_label_in(from, data.label);
    if (f == nullptr || f->broken || (f->installing && f->role == FlowRole::kRelay)) {
        if (links_.within_limit(now, from, LinkTable::Effort::kAnswer)) {
            ++counters_.flow_errors;
            links_.send_control(from, FlowError{data.label}.encode());
        }
        return;
    }
    if (f->role == FlowRole::kDestination) {
        return deliver(now, *f, data);
    }
    if (data.hops_left == 0) {
        ++counters_.dropped_hop_limit;
        return;
    }
    if (links_.lost(now, f->next)) {
        return break_flow(*f);
    }
    ++counters_.packets_forwarded;
    FlowQueue::Packet packet;
    packet.label = f->label_out;
    packet.sequence = data.sequence;
    packet.hops_left = static_cast<std::uint8_t>(data.hops_left - 1);
    packet.sealed.assign(data.sealed.begin(), data.sealed.end());
    packet.queued = now;
    queue(now, *f, std::move(packet));
}

void Forwarder::deliver(Instant now, Flow& f, const DataMessage& data) {
    if (!f.replay.fresh(data.sequence)) {
        ++counters_.dropped_replay;
        return;
    }
    const auto plain = aead_open(*f.key, data.sequence, {}, data.sealed);
    if (!plain) {
        ++counters_.dropped_auth;
        return;
    }
    if (!settlement_.pays_for(now, f, f.delivered_bytes + plain->size() - std::min(f.best.bytes, f.delivered_bytes))) {
        ++counters_.dropped_budget;  // more than we pay for came back: the sender learns it, and nobody carries more
        return break_flow(f);
    }
    f.replay.mark(data.sequence);
    f.last_used = now;
    f.highest_sequence = std::max(f.highest_sequence, data.sequence);
    f.delivered_bytes += plain->size();
    if (!f.payer_is_destination) {
        offers_.renew(now, f.source);
    }
    if (auto packet = restore_ip(*plain, address_of(f.source), own_address_)) {
        if (const auto ip = parse_ip(*packet)) {
            returns_.heard(now, f.source, *ip);
        }
        if (to_host_.size() < kHostPackets) {
            ++counters_.packets_to_host;
            to_host_.push_back(std::move(*packet));
        } else {
            ++counters_.dropped_queue_full;
        }
    } else {
        ++counters_.dropped_malformed;
    }
    settlement_.on_delivered(now, f);
}

void Forwarder::send(Instant now, Flow& f, ByteView plain) {
    if (f.next_sequence > kLastSequence) {
        ++counters_.dropped_queue_full;
        return;
    }
    if (f.pay_price > 0) {
        spend_.spend(now, f.destination,
                     price_nsat(f.pay_price, f.sealed_bytes + plain.size()) - price_nsat(f.pay_price, f.sealed_bytes));
    }
    if (!f.answer) {
        returns_.sent(f.destination, plain.size());
    }
    f.sealed_bytes += plain.size();
    FlowQueue::Packet packet;
    packet.label = f.label_out;
    packet.sequence = f.next_sequence;
    packet.hops_left = kMaxHops;
    packet.queued = now;
    aead_seal(*f.key, f.next_sequence, {}, plain, packet.sealed);
    ++f.next_sequence;
    queue(now, f, std::move(packet));
}

void Forwarder::queue(Instant now, Flow& f, FlowQueue::Packet packet) {
    f.last_used = now;
    if (!links_.push(f.next, f.flow_class, std::move(packet))) {
        ++counters_.dropped_queue_full;
        return;
    }
    if (!credit_.may_send(f.next, f.label_out)) {
        ++counters_.dropped_window;  // it waits, and is dropped if the window stays shut
        credit_.on_held_back(now, f);
    }
}

void Forwarder::break_flow(Flow& f) {
    if (f.broken) {
        return;
    }
    f.broken = true;
    if (f.role != FlowRole::kDestination) {
        links_.drop_flow(f.next, f.label_out);
    }
    if (f.role != FlowRole::kSource) {
        ++counters_.flow_errors;
        links_.send_control(f.prev, FlowError{f.label_in}.encode());
    }
}

std::optional<Bytes> Forwarder::poll_packet() {
    if (to_host_.empty()) {
        return std::nullopt;
    }
    Bytes packet = std::move(to_host_.front());
    to_host_.pop_front();
    return packet;
}

}  // namespace meshnet::net

// SPDX-License-Identifier: MIT
// What a LinkTable sends: handshakes, the certificate that opens a session, control, packets by class.
#include <algorithm>
#include <cassert>

#include "net/link_table.hpp"
#include "net/packet_format.hpp"

namespace meshnet::net {

namespace {

/// Fills a frame up to its size class or to `limit`, with a keepalive of zeros as the last message. Returns the bytes
/// this added.
std::size_t pad(MessageBundle& bundle, std::size_t limit) {
    constexpr std::size_t kLength = 2;  // the message before it gets a length
    const std::size_t size = bundle.bytes().size() + LinkSession::kOverheadBytes;
    const std::size_t wanted =
        padded_frame_bytes(size) == size ? 0 : std::min(padded_frame_bytes(size + kLength + 1), limit);
    if (wanted <= size + kLength) {
        return 0;
    }
    Bytes zeros(wanted - size - kLength, 0);
    zeros[0] = static_cast<std::uint8_t>(MessageType::kKeepalive);
    return bundle.add_control(zeros) ? wanted - size : 0;
}

}  // namespace

std::size_t padded_frame_bytes(std::size_t bytes) noexcept {
    std::size_t padded = kLeastPaddedFrame;
    for (std::size_t power = kLeastPaddedFrame; padded < bytes; power *= 2) {
        padded = power + power / 2 >= bytes ? power + power / 2 : 2 * power;
    }
    return std::max(bytes, std::min(padded, kMaxFrameBytes));
}

std::optional<OutFrame> LinkTable::poll_transmit(Instant now, NeighborId to, std::size_t max_bytes, DataGate& gate) {
    if (to == kBroadcast) {
        auto frame = broadcast_.poll(max_bytes);
        if (!frame) {
            return std::nullopt;
        }
        counters_.control_bytes_sent += frame->size();
        return OutFrame{to, Priority::kControl, std::move(*frame), true, false};
    }
    Neighbor* n = entry(to);
    if (n == nullptr) {
        return std::nullopt;
    }
    if (auto handshake = n->peer->poll_handshake()) {
        return OutFrame{to, Priority::kControl, std::move(handshake->frame), true, handshake->answer};
    }
    const std::size_t limit = std::min(max_bytes, kMaxFrameBytes);
    if (!n->link_up || !n->session_up || limit <= LinkSession::kOverheadBytes) {
        return std::nullopt;
    }
    if (n->greet) {
        if (limit < LinkSession::kOverheadBytes + 1 + Certificate::kBytes) {
            return std::nullopt;
        }
        n->greet = false;
        if (auto frame = n->peer->greeting()) {
            counters_.control_bytes_sent += frame->size();
            return OutFrame{to, Priority::kControl, std::move(*frame), false, false};
        }
    }
    if (!n->peer->readable()) {
        return std::nullopt;  // it may not have our certificate yet, and would drop the rest
    }
    MessageBundle bundle(limit - LinkSession::kOverheadBytes);
    Priority priority = Priority::kControl;
    while (const Bytes* message = n->queue.front_control()) {
        if (!bundle.add_control(*message)) {
            break;
        }
        n->queue.pop_control();
    }
    // A frame holds one class, so that the link layer can send the urgent first without tearing a flow's order apart.
    for (const FlowClass flow_class : {FlowClass::kInteractive, FlowClass::kBulk}) {
        if (!bundle.empty()) {
            break;
        }
        priority = flow_class == FlowClass::kInteractive ? Priority::kInteractive : Priority::kBulk;
        const std::uint64_t old_before = n->queue.dropped_old();
        while (auto packet = n->queue.pop(
                   now, flow_class, [&](std::uint32_t label) { return gate.may_send(to, label); },
                   [&](std::size_t size) { return bundle.fits_data(size); })) {
            const bool added =
                bundle.add(DataMessage{packet->label, packet->sequence, packet->hops_left, packet->sealed});
            assert(added);
            (void)added;
            gate.on_sent(now, to, *packet);
        }
        counters_.dropped_old += n->queue.dropped_old() - old_before;
    }
    if (bundle.empty()) {
        return std::nullopt;
    }
    if (config_.pad_frames) {
        counters_.padding_bytes_sent += pad(bundle, limit);
    }
    return seal(now, to, *n, priority, bundle.bytes());
}

std::optional<OutFrame> LinkTable::seal(Instant now, NeighborId to, Neighbor& n, Priority priority, ByteView plain) {
    auto frame = n.peer->seal(plain);
    if (!frame || n.peer->frames_sent() >= config_.rekey_after_frames) {
        n.peer->start(now);
    }
    if (!frame) {
        return std::nullopt;
    }
    (priority == Priority::kControl ? counters_.control_bytes_sent : counters_.data_bytes_sent) += frame->size();
    return OutFrame{to, priority, std::move(*frame), false, false};
}

std::vector<NeighborId> LinkTable::pending(const DataGate& gate) const {
    std::vector<std::pair<int, NeighborId>> found;
    bool anybody = false;
    for (const auto& [link, n] : neighbors_) {
        anybody = anybody || (n.link_up && n.session_up);
        const auto open = [&, to = link](std::uint32_t label) { return gate.may_send(to, label); };
        if (n.peer->handshake_pending()) {
            found.emplace_back(0, link);
        } else if (!n.link_up || !n.session_up) {
            continue;
        } else if (n.greet) {
            found.emplace_back(0, link);
        } else if (!n.peer->readable()) {
            continue;
        } else if (n.queue.front_control() != nullptr) {
            found.emplace_back(0, link);
        } else if (n.session_up && n.queue.ready(FlowClass::kInteractive, open)) {
            found.emplace_back(1, link);
        } else if (n.session_up && n.queue.ready(FlowClass::kBulk, open)) {
            found.emplace_back(2, link);
        }
    }
    if (anybody && broadcast_.pending()) {
        found.emplace_back(0, kBroadcast);
    }
    std::sort(found.begin(), found.end());
    std::vector<NeighborId> out;
    out.reserve(found.size());
    for (const auto& [priority, link] : found) {
        out.push_back(link);
    }
    return out;
}

}  // namespace meshnet::net

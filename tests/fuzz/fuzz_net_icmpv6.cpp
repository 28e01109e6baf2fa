// SPDX-License-Identifier: MIT
// Any bytes as a packet of our host that is answered with an ICMPv6 error. The answer is a right packet, fits the
// smallest MTU, quotes the packet, and is itself never answered.
#include <algorithm>
#include <cstdlib>

#include "net/icmpv6.hpp"
#include "net/ip_header.hpp"

using namespace meshnet;
using namespace meshnet::net;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView in(data, size);
    for (int reason = 0; reason <= static_cast<int>(Undeliverable::kSource); ++reason) {
        const IcmpError error = icmp_error_for(static_cast<Undeliverable>(reason), 1'400);
        const auto out = icmp_error_packet(error, in);
        if (!out) continue;
        const auto ip = parse_ip(*out);
        if (!ip || out->size() > kMaxIcmpErrorBytes || ip->next_header != 58) std::abort();
        if (upper_layer_checksum(ip->source, ip->destination, 58, ip->payload) != 0) std::abort();
        const ByteView quoted = ip->payload.subspan(8);
        if (quoted.size() > size || !std::equal(quoted.begin(), quoted.end(), in.begin())) std::abort();
        if (!std::equal(ip->destination.begin(), ip->destination.end(), in.begin() + 8)) std::abort();
        if (icmp_error_packet(error, *out)) std::abort();
        const std::size_t short_size = out->size() / 2;
        (void)icmp_error_packet(error, ByteView(*out).first(short_size));
    }
    UndeliverableQueue queue(Address{});
    queue.add(Undeliverable::kNoRoute, in);
    queue.add_compressed(Undeliverable::kRouteLost, in, NodeId{});
    while (const auto packet = queue.poll()) {
        if (packet->packet.size() > kUndeliverableBytes) std::abort();
    }
    return 0;
}

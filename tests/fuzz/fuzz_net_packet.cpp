// SPDX-License-Identifier: MIT
// Any bytes as an IP packet from the host, as a compressed packet, as the messages of a frame and as ledger rows.
#include <cstdlib>

#include "net/contact_plan.hpp"
#include "net/flow.hpp"
#include "net/ip_header.hpp"
#include "net/packet_format.hpp"
#include "net/payment/book.hpp"
#include "net/route_reservations.hpp"
#include "tests/net/net_world.hpp"

using namespace meshnet;
using namespace meshnet::net;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView in(data, size);
    if (const auto ip = parse_ip(in)) {
        const auto back = restore_ip(compress_ip(*ip), ip->source, ip->destination);
        if (!back || !std::equal(back->begin(), back->end(), in.begin(), in.end())) std::abort();
    }
    if (const auto packet = restore_ip(in, {}, {}); packet && !parse_ip(*packet)) std::abort();
    MessageReader reader(in);
    std::size_t total = 0;
    while (const auto message = reader.next()) {
        if (const auto* d = std::get_if<DataMessage>(&*message)) total += d->sealed.size();
        if (++total > size * 2 + 16) std::abort();  // it must advance
    }
    if (const auto open = FlowOpen::decode(in)) {
        const Bytes again = open->encode();
        if (!std::equal(again.begin() + 1, again.end(), in.begin(), in.end())) std::abort();
    }
    const auto same = [&](const Bytes& again) {
        if (!std::equal(again.begin() + 1, again.end(), in.begin(), in.end())) std::abort();
    };
    if (const auto m = RouteUpdates::decode(in)) same(m->encode());
    if (const auto m = RouteUpdate::decode(in)) same(m->encode());
    if (const auto m = RouteRequest::decode(in)) same(m->encode());
    if (const auto m = SeqnoRequest::decode(in)) same(m->encode());
    if (const auto m = RouteState::decode(in)) same(m->encode());
    if (const auto m = RouteSync::decode(in)) same(m->encode());
    if (const auto m = RouteContacts::decode(in)) same(m->encode());
    LedgerRow row;
    row.key.assign(16, 1);
    row.value.assign(in.begin(), in.end());
    if (const auto flow = flow_from_row(row); flow && flow_row(*flow).value.size() != size) std::abort();
    row.key.assign(32, 1);
    Book book(1);
    (void)book.restore(row);
    LedgerState state;
    for (const auto table : {LedgerRow::Table::kNonce, LedgerRow::Table::kCertificate}) {
        row.table = table;
        row.key.assign(33, 'c');
        state.rows.push_back(row);
        row.key.assign({'r', 'o', 'u', 't', 'e', '-', 's', 'e', 'q', 'n', 'o'});
        state.rows.push_back(row);
    }
    (void)RouteReservations::restored_ceilings(state);
    (void)RouteReservations::restored_certificates(state);
    (void)(RouteReservations::restored_seqno(state) + RouteReservations::restored_epoch(state));

    static test::World* const world = [] {
        auto* w = new test::World;  // one for all inputs: what a host sends must never hurt
        w->add();
        w->add();
        w->join(0, 1);
        w->run(2s);
        return w;
    }();
    Bytes packet(in.begin(), in.end());
    world->router(0).on_packet(world->now(), packet);
    if (packet.size() >= 40) {  // a little help past the first checks
        std::copy(world->node(0).address.begin(), world->node(0).address.end(), packet.begin() + 8);
        std::copy(world->node(1).address.begin(), world->node(1).address.end(), packet.begin() + 24);
        packet[0] = static_cast<std::uint8_t>(0x60 | (packet[0] & 15));
        packet[4] = static_cast<std::uint8_t>((packet.size() - 40) >> 8);
        packet[5] = static_cast<std::uint8_t>(packet.size() - 40);
        world->router(0).on_packet(world->now(), packet);
    }
    world->pump(0);
    world->run(50ms);
    world->node(1).received.clear();
    return 0;
}

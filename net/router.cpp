// SPDX-License-Identifier: MIT
#include "net/router.hpp"

#include <algorithm>
#include <stdexcept>

#include "net/router_impl.hpp"

namespace meshnet::net {

namespace {

constexpr std::string_view kSeqnoKey = "route-seqno";
constexpr std::size_t kCeilingKeyBytes = 33;  // 'c' and a node id

void check(bool ok, const char* field, const char* range) {
    if (!ok) {
        throw std::invalid_argument(std::string("router.") + field + " must be " + range);
    }
}

Router::Config checked(Router::Config c) {
    crypto_init();
    check(c.price_msat_per_mib <= 0xFFFF'FFFE, "price_msat_per_mib", "below 2^32 - 1");
    check(c.max_price_msat_per_mib <= 0xFFFF'FFFE, "max_price_msat_per_mib", "below 2^32 - 1");
    check(c.unit_bytes >= 1'024 && c.unit_bytes <= 65'536, "unit_bytes", "1024..65536");
    check(c.initial_window_bytes >= 16'384, "initial_window_bytes", "at least 16384");
    check(c.max_window_bytes >= c.initial_window_bytes, "max_window_bytes", "at least initial_window_bytes");
    check(c.mtu >= 1'280 && c.mtu <= 1'500, "mtu", "1280..1500");
    check(c.rekey_after_frames >= 16 && c.rekey_after_frames <= 0x8000'0000, "rekey_after_frames", "16..2^31");
    check(c.update_interval >= 100ms && c.update_interval <= 60s, "update_interval", "100 ms..60 s");
    return c;
}

/// The route sequence number from which on none was ever used.
std::uint16_t reserved_seqno(const LedgerState& restored) {
    for (const LedgerRow& row : restored.rows) {
        if (row.table == LedgerRow::Table::kNonce && ByteView(row.key).size() == kSeqnoKey.size() &&
            std::equal(row.key.begin(), row.key.end(), as_bytes(kSeqnoKey).begin())) {
            return ByteReader(row.value).u16();
        }
    }
    return 0;
}

RouteTable::Ceilings ceilings_of(const LedgerState& restored) {
    RouteTable::Ceilings out;
    for (const LedgerRow& row : restored.rows) {
        if (row.table == LedgerRow::Table::kNonce && row.key.size() == kCeilingKeyBytes && row.key[0] == 'c') {
            out[ByteReader(ByteView(row.key).subspan(1)).array<32>()] = ByteReader(row.value).u16();
        }
    }
    return out;
}

RouteTable::Config route_config(const Router::Config& c) {
    RouteTable::Config r;
    r.update_interval = c.update_interval;
    return r;
}

}  // namespace

Router::Impl::Impl(Config c, RandomSource& r, const LedgerState& restored)
    : config(checked(std::move(c))),
      random(r),
      self(config.identity.secrets()),
      self_link(config.identity.station_id()),
      own_address(config.identity.address()),
      routes(route_config(config), self.certificate, self.device, reserved_seqno(restored), ceilings_of(restored)) {
    seqno_reserved = static_cast<std::uint16_t>(routes.own_seqno() + kSeqnoReserve);
    reserve_dirty = true;
    routes.set_price(Instant{}, static_cast<std::uint32_t>(config.price_msat_per_mib));
    for (const LedgerRow& row : restored.rows) {
        if (row.table == LedgerRow::Table::kBalance && !book_.restore(row)) {
            throw std::invalid_argument("the ledger holds a balance row that cannot be read");
        }
        if (row.table != LedgerRow::Table::kFlow) {
            continue;
        }
        auto f = flow_from_row(row);
        if (!f) {
            throw std::invalid_argument("the ledger holds a flow row that cannot be read");
        }
        // The ends lost their keys; a relay needs none and goes on where it was.
        f->broken = f->role != FlowRole::kRelay;
        f->delivered_bytes = f->best.bytes;
        f->passed_bytes = f->limit_bytes;
        f->resolved_bytes = f->passed_bytes;
        const FlowId id = f->id;
        if (f->role != FlowRole::kSource) by_in[{f->prev, f->label_in}] = id;
        if (f->role != FlowRole::kDestination) by_out[{f->next, f->label_out}] = id;
        flows.emplace(id, std::move(*f));
    }
}

void Router::Impl::on_frame(Instant now, NeighborId from, ByteView frame) {
    Neighbor* n = neighbor(from);
    if (n == nullptr || !n->link_up || !n->peer) {
        ++counters.dropped_auth;
        return;
    }
    const LinkPeer::Outcome outcome = n->peer->on_frame(now, frame);
    switch (outcome.event) {
        case LinkPeer::Event::kNone:
            break;
        case LinkPeer::Event::kUp:
            session_up(now, from, *n);
            break;
        case LinkPeer::Event::kUpAndData:
            session_up(now, from, *n);
            n->last_heard = now;
            on_plain(now, from, outcome.plain);
            break;
        case LinkPeer::Event::kData:
            n->last_heard = now;
            on_plain(now, from, outcome.plain);
            break;
        case LinkPeer::Event::kConfirm:
            send_control(from, {static_cast<std::uint8_t>(MessageType::kKeepalive)});
            break;
        case LinkPeer::Event::kForged:
            ++counters.dropped_auth;
            break;
        case LinkPeer::Event::kReplayed:
            ++counters.dropped_replay;
            break;
        case LinkPeer::Event::kRefused:
            ++counters.handshakes_refused;
            break;
        case LinkPeer::Event::kMalformed:
            ++counters.dropped_malformed;
            break;
        case LinkPeer::Event::kLimited:
            ++counters.handshakes_limited;
            break;
    }
}

void Router::Impl::on_plain(Instant now, NeighborId from, ByteView plain) {
    MessageReader reader(plain);
    while (const auto message = reader.next()) {
        if (const auto* data = std::get_if<DataMessage>(&*message)) {
            on_data(now, from, *data);
        } else if (Neighbor* n = neighbor(from)) {
            const auto& control = std::get<ControlMessage>(*message);
            on_control(now, from, *n, control.type, control.body);
        }
    }
    if (reader.malformed()) {
        ++counters.dropped_malformed;
    }
    settle_routes(now);
}

void Router::Impl::on_control(Instant now, NeighborId from, Neighbor& n, MessageType type, ByteView body) {
    switch (type) {
        case MessageType::kKeepalive:
            return;
        case MessageType::kUpdate:
            if (const auto m = RouteUpdate::decode(body)) {
                return routes.on_update(now, from, *m);
            }
            break;
        case MessageType::kRouteRequest:
            if (const auto m = RouteRequest::decode(body)) {
                return routes.on_route_request(now, from, *m);
            }
            break;
        case MessageType::kSeqnoRequest:
            if (const auto m = SeqnoRequest::decode(body)) {
                return routes.on_seqno_request(now, from, *m);
            }
            break;
        case MessageType::kFlowOpen:
            return on_open(now, from, n, body);
        case MessageType::kFlowAccept:
            return on_accept(now, from, body);
        case MessageType::kFlowReject:
            return on_reject(now, from, body);
        case MessageType::kFlowError:
            return on_flow_error(now, from, body);
        case MessageType::kWord:
            return on_word(now, from, body);
        case MessageType::kStatement:
            return on_statement(now, from, body);
        case MessageType::kReceiptAck:
            return on_receipt_ack(now, from, body);
        case MessageType::kProbe:
            return on_probe(now, from, body);
        case MessageType::kBalance:
            return on_balance(now, from, n, body);
    }
    ++counters.dropped_malformed;  // also a type of a later version
}

void Router::Impl::on_packet(Instant now, ByteView packet) {
    ++counters.packets_from_host;
    const auto ip = parse_ip(packet);
    if (!ip || packet.size() > config.mtu || ip->source != own_address) {
        ++counters.dropped_malformed;
        return;
    }
    const auto destination = routes.id_of(ip->destination);
    if (!destination || *destination == self.id) {
        ++counters.dropped_no_route;
        return;
    }
    const ConversationKey key{*destination, class_of(*ip)};
    auto it = conversations.find(key);
    if (it == conversations.end()) {
        if (conversations.size() >= kMaxConversations) {
            ++counters.dropped_queue_full;
            return;
        }
        it = conversations.emplace(key, Conversation{}).first;
    }
    it->second.last_used = now;
    send_packet(now, it->second, key, compress_ip(*ip));
}

void Router::Impl::settle_routes(Instant now) {
    routes.on_timeout(now);
    while (auto out = routes.poll_message()) {
        send_control(out->to, std::move(out->message));
    }
    if (static_cast<std::uint16_t>(seqno_reserved - routes.own_seqno()) < kSeqnoReserve / 4 ||
        static_cast<std::uint16_t>(seqno_reserved - routes.own_seqno()) > kSeqnoReserve) {
        seqno_reserved = static_cast<std::uint16_t>(routes.own_seqno() + kSeqnoReserve);
        reserve_dirty = true;
    }
}

void Router::Impl::on_timeout(Instant now) {
    neighbor_timeouts(now);
    settle_routes(now);
    while (!flow_timers.empty() && flow_timers.begin()->first <= now) {
        const FlowId id = flow_timers.begin()->second;
        flow_timers.erase(flow_timers.begin());
        Flow& f = flows.at(id);
        f.timer.reset();
        flow_timeout(now, f);
    }
    conversation_timeouts(now);
    if (!sweep_at || now >= *sweep_at) {
        sweep(now);
        sweep_at = now + 1s;
    }
}

std::optional<Instant> Router::Impl::next_timeout() const {
    std::optional<Instant> next;
    const auto consider = [&](const std::optional<Instant>& at) {
        if (at) {
            next = next ? std::min(*next, *at) : *at;
        }
    };
    for (const auto& [link, n] : neighbors) {
        consider(n.start_at);
        consider(n.balance_at);
        if (n.peer) consider(n.peer->next_timeout());
        if (n.link_up && n.session_up) consider(n.last_heard + kSilence);
    }
    consider(routes.next_timeout());
    if (!flow_timers.empty()) consider(flow_timers.begin()->first);
    for (const auto& [id, o] : openings) consider(o.own ? o.again_at : o.since + kOpeningKept);
    for (const auto& key : waiting) consider(conversations.at(key).next_try);
    if (!neighbors.empty() || !flows.empty() || !conversations.empty()) consider(sweep_at ? *sweep_at : Instant{});
    return next;
}

std::optional<LedgerBatch> Router::Impl::poll_persist() {
    LedgerBatch batch;
    if (reserve_dirty) {
        LedgerRow row;
        row.table = LedgerRow::Table::kNonce;
        row.key.assign(kSeqnoKey.begin(), kSeqnoKey.end());
        ByteWriter(row.value).u16(seqno_reserved);
        batch.rows.push_back(std::move(row));
        reserve_dirty = false;
    }
    while (const auto r = routes.poll_reservation()) {
        LedgerRow row;
        row.table = LedgerRow::Table::kNonce;
        row.key.resize(kCeilingKeyBytes);
        row.key[0] = 'c';
        std::copy(r->destination.begin(), r->destination.end(), row.key.begin() + 1);
        if (r->ceiling) {
            ByteWriter(row.value).u16(*r->ceiling);
            InFlight item;
            item.kind = InFlight::Kind::kCeiling;
            item.peer = r->destination;
            item.ceiling = *r->ceiling;
            to_store.push_back(item);
        }
        batch.rows.push_back(std::move(row));
    }
    for (const FlowId& id : dirty_flows) {
        if (const auto it = flows.find(id); it != flows.end()) {
            batch.rows.push_back(flow_row(it->second));
        }
    }
    dirty_flows.clear();
    for (const FlowId& id : removed_flows) {
        LedgerRow row;
        row.table = LedgerRow::Table::kFlow;
        row.key.assign(id.begin(), id.end());
        batch.rows.push_back(std::move(row));
    }
    removed_flows.clear();
    book_.take(batch.rows);
    if (batch.rows.empty()) {
        return std::nullopt;
    }
    batch.number = ++last_batch;
    for (InFlight& item : to_store) {
        item.batch = batch.number;
        in_flight.push_back(std::move(item));
    }
    to_store.clear();
    return batch;
}

void Router::Impl::on_persisted(Instant now, std::uint64_t batch) {
    while (!in_flight.empty() && in_flight.front().batch <= batch) {
        const InFlight item = std::move(in_flight.front());
        in_flight.pop_front();
        if (item.kind == InFlight::Kind::kCeiling) {
            routes.reserved(now, item.peer, item.ceiling);
            continue;
        }
        if (item.kind == InFlight::Kind::kBalance) {
            send_control(link_of(item.peer), item.balance.encode());
            continue;
        }
        Flow* f = flow(item.flow);
        if (f == nullptr) {
            continue;
        }
        if (item.kind == InFlight::Kind::kInstall) {
            installed(now, *f);
        } else {
            durable(now, *f, item.evidence);
        }
    }
}

std::vector<NeighborView> Router::Impl::neighbor_views() const {
    std::vector<NeighborView> out;
    for (const auto& [link, n] : neighbors) {
        NeighborView v;
        v.link = link;
        v.id = n.id;
        v.address = n.id == NodeId{} ? Address{} : address_of(n.id);
        v.session_up = n.session_up;
        v.quality = n.quality;
        if (const auto* b = book_.find(n.id)) {
            v.balance_msat = to_msat(b->net_nsat());
        }
        v.unresolved_bytes = n.unresolved;
        v.window_bytes = n.window;
        v.state = state_of(n);
        out.push_back(std::move(v));
    }
    for (const auto& [id, b] : book_.balances()) {  // neighbours of earlier days still owe, or are owed
        const Neighbor* n = neighbor(link_of(id));
        if (n == nullptr || n->id != id) {
            NeighborView v;
            v.link = link_of(id);
            v.id = id;
            v.address = address_of(id);
            v.balance_msat = to_msat(b.net_nsat());
            v.state = "closed";
            out.push_back(std::move(v));
        }
    }
    return out;
}

std::vector<RouteView> Router::Impl::route_views() const {
    std::vector<RouteView> out;
    for (const auto& r : routes.routes()) {
        RouteView v;
        v.destination = r.destination;
        v.address = address_of(r.destination);
        v.next_hop = r.next_hop;
        v.airtime_us_per_kib = r.airtime_us_per_kib;
        v.price_msat_per_mib = r.price_msat_per_mib;
        v.delay_ms = r.delay_ms;
        v.hops = r.hops;
        v.seqno = r.seqno;
        v.selected = r.selected;
        v.feasible = r.feasible;
        out.push_back(v);
    }
    return out;
}

std::vector<FlowView> Router::Impl::flow_views() const {
    std::vector<FlowView> out;
    for (const auto& [id, f] : flows) {
        FlowView v;
        v.id = ByteReader(id).u64();
        v.source = f.source;
        v.destination = f.destination;
        v.role = f.role == FlowRole::kSource ? "source" : f.role == FlowRole::kRelay ? "relay" : "destination";
        v.bytes_forwarded = f.role == FlowRole::kDestination ? f.delivered_bytes : f.passed_bytes;
        v.units_paid = f.best.bytes / f.unit_bytes;
        v.unit_bytes = f.unit_bytes;
        v.price_in_msat_per_mib = f.claim_price;
        v.price_out_msat_per_mib = f.pay_price;
        v.state = f.broken ? "settling" : f.installing ? "opening" : "open";
        out.push_back(std::move(v));
    }
    return out;
}

Router::Router(Config config, RandomSource& random, const LedgerState& restored)
    : impl_(std::make_unique<Impl>(std::move(config), random, restored)) {}
Router::~Router() = default;

void Router::on_link_up(Instant now, NeighborId neighbor, const LinkQuality& quality) {
    impl_->link_up(now, neighbor, quality);
}
void Router::on_link_changed(Instant now, NeighborId neighbor, const LinkQuality& quality) {
    impl_->link_changed(now, neighbor, quality);
}
void Router::on_link_down(Instant now, NeighborId neighbor) {
    impl_->link_down(now, neighbor);
}
void Router::on_frame(Instant now, NeighborId from, ByteView frame) {
    impl_->on_frame(now, from, frame);
}
void Router::on_packet(Instant now, ByteView ip_packet) {
    impl_->on_packet(now, ip_packet);
}
void Router::on_persisted(Instant now, std::uint64_t batch) {
    impl_->on_persisted(now, batch);
}
void Router::on_timeout(Instant now) {
    impl_->on_timeout(now);
}

std::optional<OutFrame> Router::poll_transmit(Instant now, NeighborId to, std::size_t max_bytes) {
    return impl_->poll_transmit(now, to, max_bytes);
}
std::vector<NeighborId> Router::pending() const {
    return impl_->pending();
}
std::optional<Bytes> Router::poll_packet() {
    if (impl_->to_host.empty()) {
        return std::nullopt;
    }
    Bytes packet = std::move(impl_->to_host.front());
    impl_->to_host.pop_front();
    return packet;
}
std::optional<LedgerBatch> Router::poll_persist(Instant) {
    return impl_->poll_persist();
}
std::optional<Instant> Router::next_timeout() const {
    return impl_->next_timeout();
}

void Router::set_price(Instant now, std::uint64_t msat_per_mib) {
    impl_->config.price_msat_per_mib = std::min<std::uint64_t>(msat_per_mib, 0xFFFF'FFFE);
    impl_->routes.set_price(now, static_cast<std::uint32_t>(impl_->config.price_msat_per_mib));
}
std::vector<NeighborView> Router::neighbors() const {
    return impl_->neighbor_views();
}
std::vector<RouteView> Router::routes() const {
    return impl_->route_views();
}
std::vector<FlowView> Router::flows() const {
    return impl_->flow_views();
}
const RouterCounters& Router::counters() const {
    return impl_->counters;
}
const NodeId& Router::id() const {
    return impl_->self.id;
}
const Address& Router::address() const {
    return impl_->own_address;
}

}  // namespace meshnet::net

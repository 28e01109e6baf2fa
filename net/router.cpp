// SPDX-License-Identifier: MIT
#include "net/router.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "net/deadline.hpp"
#include "net/ip_header.hpp"
#include "net/payment/amount.hpp"
#include "net/router_parts.hpp"

namespace meshnet::net {

namespace {

constexpr std::uint64_t kMaxPrice = 0xFFFF'FFFE;  // msat per MiB
constexpr Duration kSweepInterval = 1s;
constexpr std::string_view kSpentKey = "spent";
constexpr std::int64_t kNotableSpending = 100 * kNsatPerMsat;  // worth a row

void check(bool ok, const char* field, const char* range) {
    if (!ok) {
        throw std::invalid_argument(std::string("router.") + field + " must be " + range);
    }
}

Router::Config checked(Router::Config c) {
    crypto_init();
    check(c.price_msat_per_mib <= kMaxPrice, "price_msat_per_mib", "below 2^32 - 1");
    check(c.max_price_msat_per_mib <= kMaxPrice, "max_price_msat_per_mib", "below 2^32 - 1");
    check(c.unit_bytes >= 1'024 && c.unit_bytes <= 65'536, "unit_bytes", "1024..65536");
    check(c.initial_window_bytes >= 16'384, "initial_window_bytes", "at least 16384");
    check(c.max_window_bytes >= c.initial_window_bytes, "max_window_bytes", "at least initial_window_bytes");
    check(c.mtu >= 1'280 && c.mtu <= 1'500, "mtu", "1280..1500");
    check(c.rekey_after_frames >= 16 && c.rekey_after_frames <= 0x8000'0000, "rekey_after_frames", "16..2^31");
    check(c.update_interval >= 100ms && c.update_interval <= 60s, "update_interval", "100 ms..60 s");
    return c;
}

RouteTable::Config route_config(const Router::Config& c, RandomSource& random, const LedgerState& restored) {
    RouteTable::Config r;
    // A relay that pays nothing itself must not think everything too expensive.
    r.affordable_msat_per_mib = std::max(c.max_price_msat_per_mib, Router::Config{}.max_price_msat_per_mib);
    const std::uint32_t epoch = RouteReservations::restored_epoch(restored);
    r.epoch = epoch == 0xFFFF'FFFF ? epoch : epoch + 1;
    r.update_interval = c.update_interval;
    while (r.boot == 0) {
        r.boot = random.next_u64();
    }
    r.broadcast = true;
    return r;
}

const char* state_of(const LinkTable::Neighbor& n, const CreditWindow* window, CreditControl::Hold hold) {
    if (!n.link_up || !n.session_up) {
        return "closed";
    }
    return hold != CreditControl::Hold::kNone ? "paused" : window != nullptr && window->half_used() ? "soft" : "open";
}

const char* name_of(CreditControl::Hold hold) {
    switch (hold) {
        case CreditControl::Hold::kWindow:
            return "window";
        case CreditControl::Hold::kCredit:
            return "credit";
        case CreditControl::Hold::kUnsigned:
            return "unsigned";
        case CreditControl::Hold::kStrangers:
            return "strangers";
        case CreditControl::Hold::kNone:
            break;
    }
    return "";
}

bool is_spent_row(const LedgerRow& row) {
    return row.table == LedgerRow::Table::kCredit && row.key.size() == kSpentKey.size() &&
           std::equal(row.key.begin(), row.key.end(), as_bytes(kSpentKey).begin());
}

const char* name_of(FlowRole role) {
    return role == FlowRole::kSource ? "source" : role == FlowRole::kRelay ? "relay" : "destination";
}

}  // namespace

Router::Parts::Parts(Config c, RandomSource& random, const LedgerState& restored)
    : config(checked(std::move(c))),
      self(config.identity.secrets()),
      own_address(config.identity.address()),
      routes(route_config(config, random, restored), self.certificate, self.device,
             RouteReservations::restored_seqno(restored), RouteReservations::restored_ceilings(restored)),
      undeliverable(own_address),
      reservations(routes, outbox),
      links({config.closed_fleet, config.credit.refused, config.rekey_after_frames, config.pad_frames}, self,
            config.link != 0 ? config.link : config.identity.station_id(), random, counters),
      flows(random,
            [this](const Flow& f) {
                credit.release(f);
                if (f.role != FlowRole::kDestination) {
                    links.drop_flow(f.next, f.label_out);
                }
            }),
      book(random.next_u64()),
      spend(config.spend),
      credit({config.initial_window_bytes, config.max_window_bytes, config.credit}, links, flows, book, routes.alarms(),
             counters),
      settlement({self, links, flows, book, credit, spend, returns, outbox, counters}),
      payments({self, links, book, outbox, counters,
                [this](Instant now, const NodeId& peer) { settlement.balance_changed(now, peer); }}),
      forwarder({own_address, links, flows, credit, settlement, spend, returns, offers, counters}),
      opener({config.price_msat_per_mib, config.max_price_msat_per_mib, config.unit_bytes, config.pay,
              config.credit.highest_price_msat_per_mib},
             {self, random, routes, contacts, links, flows, credit, forwarder, spend, returns, offers, outbox,
              undeliverable, counters}) {
    outbox.add_source([this](Outbox::Rows& rows) { reservations.take_rows(rows); });
    outbox.add_source([this](Outbox::Rows& rows) { flows.take_rows(rows); });
    outbox.add_source([this](Outbox::Rows& rows) { book.take(rows); });
    outbox.add_source([this](Outbox::Rows& rows) { payments.take_rows(rows); });
    outbox.add_source([this](Outbox::Rows& rows) { credit.take_rows(rows); });
    outbox.add_source([this](Outbox::Rows& rows) { take_spent(rows); });
    for (const Certificate& certificate : RouteReservations::restored_certificates(restored)) {
        routes.restore(certificate);
    }
    routes.set_price(Instant{}, static_cast<std::uint32_t>(config.price_msat_per_mib));
    for (const LedgerRow& row : restored.rows) {
        restore(row);
    }
    for (const auto& [peer, balance] : book.balances()) {
        credit.balance_changed(peer);  // what was owed before the restart counts against the limits from the start
    }
}

void Router::Parts::restore(const LedgerRow& row) {
    const auto require = [](bool read, const char* what) {
        if (!read) {
            throw std::invalid_argument(std::string("the ledger holds a ") + what + " row that cannot be read");
        }
    };
    if (row.table == LedgerRow::Table::kBalance) {
        require(book.restore(row), "balance");
    } else if (row.table == LedgerRow::Table::kFlow) {
        require(flows.restore(row), "flow");
    } else if (is_spent_row(row)) {
        require(row.value.size() == sizeof(std::int64_t), "spending");
        stored_spent_nsat = ByteReader(row.value).i64();
        spend.restore(stored_spent_nsat);
    } else if (row.table == LedgerRow::Table::kCredit) {
        require(credit.restore(row), "credit");
    } else if (row.table == LedgerRow::Table::kPayment || row.table == LedgerRow::Table::kSigner) {
        require(payments.restore(row), "payment");
    }
}

void Router::Parts::take_spent(std::vector<LedgerRow>& rows) {
    const std::int64_t spent = spend.spent_nsat(seen);
    const std::int64_t change = spent > stored_spent_nsat ? spent - stored_spent_nsat : stored_spent_nsat - spent;
    if (change < kNotableSpending) {
        return;
    }
    stored_spent_nsat = spent;
    LedgerRow row;
    row.table = LedgerRow::Table::kCredit;
    row.key.assign(kSpentKey.begin(), kSpentKey.end());
    ByteWriter(row.value).i64(spent);
    rows.push_back(std::move(row));
}

Router::Router(Config config, RandomSource& random, const LedgerState& restored)
    : parts_(std::make_unique<Parts>(std::move(config), random, restored)) {}
Router::~Router() = default;

// ---- links ----

void Router::on_link_up(Instant now, NeighborId neighbor, const LinkQuality& quality) {
    switch (parts_->links.up(now, neighbor, quality)) {
        case LinkTable::Up::kIgnored:
            break;
        case LinkTable::Up::kWasUp:
            on_link_changed(now, neighbor, quality);
            break;
        case LinkTable::Up::kStarting:
            link_timeouts(now);
            break;
        case LinkTable::Up::kSession:
            on_session_up(now, neighbor);
            break;
    }
}

void Router::on_link_changed(Instant now, NeighborId neighbor, const LinkQuality& quality) {
    if (parts_->links.change(neighbor, quality)) {
        parts_->routes.neighbor_changed(now, neighbor, quality);
        settle_routes(now);
    }
}

void Router::on_link_down(Instant now, NeighborId neighbor) {
    if (parts_->links.down(now, neighbor)) {
        hop_lost(now, neighbor);
    }
}

// Routes and flows go on without it at once.
void Router::hop_lost(Instant now, NeighborId neighbor) {
    prepare_return(now, neighbor);
    parts_->contacts.forget(neighbor);
    parts_->routes.neighbor_down(now, neighbor);
    parts_->opener.on_hop_lost(now, neighbor);
    settle_routes(now);
}

void Router::on_session_up(Instant now, NeighborId link) {
    const LinkTable::Neighbor& n = *parts_->links.find(link);
    if (parts_->routes.revoked(n.peer->certificate())) {
        return;  // no device that acts for this node any more
    }
    parts_->flows.rebind(n.id, link);
    parts_->routes.learn(n.peer->certificate());
    parts_->routes.neighbor_up(now, link, n.id, n.quality);
    parts_->settlement.on_session_up(now, link);
    parts_->payments.on_session_up(now, link);
    parts_->payments.on_timeout(now);
    parts_->opener.on_session_up();
    settle_routes(now);
}

// ---- messages and packets ----

void Router::on_frame(Instant now, NeighborId from, ByteView frame) {
    const LinkTable::Heard heard = parts_->links.on_frame(now, from, frame);
    if (heard.session_up) {
        on_session_up(now, from);
    }
    if (heard.broadcast && !disputed(now, from)) {
        parts_->links.alive(now, from);
    }
    if (heard.plain) {
        on_plain(now, from, *heard.plain, heard.replaced, heard.broadcast);
    }
}

// Two stations have its key, or ours: each shall get its session, and what the other has signed, again and again.
bool Router::disputed(Instant now, NeighborId link) const {
    const LinkTable::Neighbor* n = parts_->links.find(link);
    return n != nullptr && parts_->routes.disputed(now, n->id);
}

void Router::on_link_unproven(Instant now, NeighborId neighbor) {
    parts_->links.unproven(now, neighbor);
}

void Router::on_frame_done(Instant now, NeighborId neighbor, bool delivered) {
    if (parts_->links.on_frame_done(now, neighbor, delivered)) {
        hop_lost(now, neighbor);
    }
}

std::optional<LinkKeyChange> Router::poll_link_key() {
    return parts_->links.poll_link_key();
}

void Router::on_plain(Instant now, NeighborId from, ByteView plain, bool replaced, bool broadcast) {
    MessageReader reader(plain);
    while (const auto message = reader.next()) {
        if (const auto* data = std::get_if<DataMessage>(&*message)) {
            if (broadcast) {
                ++parts_->counters.dropped_malformed;  // packets are for one
                continue;
            }
            parts_->forwarder.on_data(now, from, *data);
        } else if (parts_->links.find(from) != nullptr) {
            const auto& control = std::get<ControlMessage>(*message);
            on_control(now, from, control.type, control.body, replaced);
        }
    }
    if (reader.malformed()) {
        ++parts_->counters.dropped_malformed;
    }
    settle_routes(now);
}

void Router::on_control(Instant now, NeighborId from, MessageType type, ByteView body, bool replaced) {
    Parts& p = *parts_;
    switch (type) {
        case MessageType::kKeepalive:
            return;
        case MessageType::kUpdate:
        case MessageType::kRouteRequest:
        case MessageType::kSeqnoRequest:
        case MessageType::kRouteState:
        case MessageType::kRouteSync:
            if (p.routes.on_message(now, from, type, body,
                                    replaced ? RouteTable::Session::kReplaced : RouteTable::Session::kNewest)) {
                return;
            }
            break;
        case MessageType::kRouteContacts:
            if (const auto contacts = RouteContacts::decode(body); contacts && p.links.reachable(from)) {
                return on_contacts(now, from, *contacts);
            }
            break;
        case MessageType::kFlowOpen:
            return p.opener.on_open(now, from, body);
        case MessageType::kFlowAccept:
            return p.opener.on_accept(now, from, body);
        case MessageType::kFlowReject:
            return p.opener.on_reject(now, from, body);
        case MessageType::kFlowError:
            return p.opener.on_flow_error(now, from, body);
        case MessageType::kPayword:
            return p.settlement.on_payword(now, from, body);
        case MessageType::kStatement:
            return p.settlement.on_statement(now, from, body);
        case MessageType::kReceiptAck:
            return p.settlement.on_receipt_ack(now, from, body);
        case MessageType::kProbe:
            return p.settlement.on_probe(now, from, body);
        case MessageType::kBalance:
            if (p.settlement.on_balance(now, from, body)) {
                p.payments.witness(from);
            }
            return;
        case MessageType::kBalanceEcho:
            return p.settlement.on_balance_echo(now, from, body);
        case MessageType::kPayment:
            return p.payments.on_claim(now, from, body);
        case MessageType::kPaymentReceipt:
            return p.payments.on_receipt(now, from, body);
        case MessageType::kBroadcastKey:
            if (p.links.on_broadcast_key(from, body)) {
                return;
            }
            break;
        case MessageType::kCertificate:
            return;  // repeated; the session has it
    }
    ++p.counters.dropped_malformed;  // also a type of a later version
}

void Router::on_packet(Instant now, ByteView packet) {
    Parts& p = *parts_;
    ++p.counters.packets_from_host;
    const auto ip = parse_ip(packet);
    if (!ip) {
        ++p.counters.dropped_malformed;
        return;
    }
    const auto give_up = [&](Undeliverable reason, std::uint64_t& counter) {
        ++counter;
        p.undeliverable.add(reason, packet);
    };
    if (ip->destination[0] == 0xff) {
        ++p.counters.dropped_multicast;
        return;
    }
    if (ip->source != p.own_address) {
        return give_up(Undeliverable::kSource, p.counters.dropped_source);
    }
    if (packet.size() > p.config.mtu) {
        return give_up(Undeliverable::kTooBig, p.counters.dropped_too_big);
    }
    if (ip->hop_limit == 0) {
        return give_up(Undeliverable::kHopLimit, p.counters.dropped_hop_limit);
    }
    const auto destination = p.routes.id_of(ip->destination);
    if (!destination || *destination == p.self.id) {
        return give_up(Undeliverable::kNoRoute, p.counters.dropped_no_route);
    }
    p.opener.send(now, *destination, *ip);
}

std::optional<OutFrame> Router::poll_transmit(Instant now, NeighborId to, std::size_t max_bytes) {
    return parts_->links.poll_transmit(now, to, max_bytes, parts_->credit);
}
std::vector<NeighborId> Router::pending() const {
    return parts_->links.pending(parts_->credit);
}
std::optional<Bytes> Router::poll_packet() {
    return parts_->forwarder.poll_packet();
}
std::optional<UndeliverablePacket> Router::poll_undeliverable() {
    return parts_->undeliverable.poll();
}
std::optional<LedgerBatch> Router::poll_persist(Instant now) {
    parts_->seen = now;
    return parts_->outbox.poll();
}
void Router::on_persisted(Instant now, std::uint64_t batch) {
    parts_->outbox.persisted(now, batch);
}

// ---- passes ----

void Router::set_contacts(Instant now, ContactPlan contacts) {
    parts_->contacts.set_plan(now, std::move(contacts));
    contact_timeouts(now);
}

std::optional<ContactBook::Expected> Router::next_contact(Instant now, const NodeId& destination) const {
    return parts_->contacts.next(now, destination);
}

// A neighbour that comes back by plan: what is reached over it stays known, and what waits for it is kept.
void Router::prepare_return(Instant now, NeighborId neighbor) {
    Parts& p = *parts_;
    const LinkTable::Neighbor* n = p.links.find(neighbor);
    const auto contact = n == nullptr ? std::nullopt : p.contacts.next_contact(now + ContactBook::kLeaveBefore, n->id);
    if (!contact) {
        return;
    }
    const std::vector<NodeId> behind = p.routes.chosen_over(neighbor);
    p.contacts.left(now, n->id, behind);
    p.links.expect(neighbor, contact->until);
    p.routes.keep(n->id, contact->until);
    for (const NodeId& id : behind) {
        p.routes.keep(id, contact->until);
    }
}

void Router::on_contacts(Instant now, NeighborId from, const RouteContacts& message) {
    parts_->contacts.on_message(now, from, message);
    for (const RouteContacts::Entry& e : message.entries) {
        const Instant until = now + std::chrono::seconds(e.begins_s) + std::chrono::seconds(e.lasts_s);
        parts_->routes.keep(e.destination, std::min(until, now + ContactBook::kHorizon));
    }
}

// Routes leave a link before its pass ends, so that packets do not find out; what is told of passes goes to neighbours.
void Router::contact_timeouts(Instant now) {
    Parts& p = *parts_;
    for (const ContactBook::Edge& edge : p.contacts.take_edges(now)) {
        const auto link = p.links.link_of(edge.neighbor);
        if (!link || !p.links.reachable(*link)) {
            continue;
        }
        if (edge.leave) {
            prepare_return(now, *link);
            p.routes.neighbor_down(now, *link);
            p.opener.on_hop_lost(now, *link);
        } else {
            p.routes.neighbor_up(now, *link, edge.neighbor, p.links.find(*link)->quality);
        }
    }
    if (p.contacts.message_due(now)) {
        for (const auto& [link, n] : p.links.neighbors()) {
            if (p.links.reachable(link)) {
                p.routes.tell(now, link, p.contacts.message_for(now, link).encode());
            }
        }
    }
}

// ---- time ----

void Router::link_timeouts(Instant now) {
    parts_->links.on_timeout(now);
    parts_->settlement.on_timeout(now);
    parts_->payments.on_timeout(now);
}

void Router::settle_routes(Instant now) {
    parts_->routes.on_timeout(now);
    while (auto out = parts_->routes.poll_message()) {
        if (out->to == kBroadcast) {
            parts_->links.broadcast_control(std::move(out->message));
        } else {
            parts_->links.send_control(out->to, std::move(out->message));
        }
    }
    parts_->reservations.advance();
}

void Router::on_timeout(Instant now) {
    link_timeouts(now);
    contact_timeouts(now);
    settle_routes(now);
    while (Flow* f = parts_->flows.pop_due(now)) {
        parts_->settlement.on_flow_timeout(now, *f);
    }
    parts_->opener.on_timeout(now);
    if (!parts_->sweep_at || now >= *parts_->sweep_at) {
        sweep(now);
        parts_->sweep_at = now + kSweepInterval;
    }
}

void Router::sweep(Instant now) {
    parts_->routes.sweep_alarms(now);
    parts_->credit.write_off_lost(now);
    parts_->flows.remove_idle(now);
    parts_->offers.sweep(now);
    parts_->returns.sweep(now);
    parts_->opener.sweep(now);
    parts_->credit.sweep(now);
}

std::optional<Instant> Router::next_timeout() const {
    const Parts& p = *parts_;
    std::optional<Instant> next = earliest(p.links.next_timeout(), p.settlement.next_timeout());
    next = earliest(next, p.payments.next_timeout());
    next = earliest(next, p.routes.next_timeout());
    next = earliest(next, p.flows.next_deadline());
    next = earliest(next, p.opener.next_timeout());
    next = earliest(next, p.contacts.next_timeout());
    if (!p.links.neighbors().empty() || !p.flows.empty() || !p.opener.idle() || !p.routes.alarms().alarms().empty()) {
        next = earliest(next, p.sweep_at ? *p.sweep_at : Instant{});
    }
    return next;
}

// ---- displays and control ----

void Router::set_price(Instant now, std::uint64_t msat_per_mib) {
    const std::uint64_t price = std::min(msat_per_mib, kMaxPrice);
    parts_->opener.set_price(price);
    parts_->routes.set_price(now, static_cast<std::uint32_t>(price));
}

bool Router::publish(Instant now, const Certificate& certificate) {
    return parts_->routes.revoke(now, certificate);
}

bool Router::superseded() const {
    return parts_->routes.superseded();
}

MoneyView Router::money(Instant now) const {
    const Parts& p = *parts_;
    MoneyView v;
    v.strangers_msat = to_msat(p.credit.strangers_nsat());
    v.strangers_limit_msat = static_cast<std::int64_t>(p.config.credit.strangers_msat);
    v.spent_msat = to_msat(p.spend.spent_nsat(now));
    v.spend_limit_msat = static_cast<std::int64_t>(p.config.spend.day_msat);
    return v;
}

std::vector<NeighborView> Router::neighbors() const {
    const Parts& p = *parts_;
    const auto add_money = [&p](NeighborView& v, const NodeId& id) {
        const CreditControl::Exposure e = p.credit.exposure(id);
        const Book::Balance* b = p.book.find(id);
        const CreditWindow* window = p.credit.window(id);
        v.balance_msat = b == nullptr ? 0 : to_msat(b->net_nsat());
        v.exposure_msat = to_msat(e.nsat);
        v.credit_msat = to_msat(e.limit_nsat);
        v.unproven_bytes = window == nullptr ? 0 : window->unproven();
        v.allowance_bytes = window == nullptr ? p.config.initial_window_bytes : window->allowance();
        v.hold = name_of(e.hold);
        const auto& trusted = p.config.credit.trusted;
        v.trusted = std::any_of(trusted.begin(), trusted.end(), [&](const TrustedNode& t) { return t.id == id; });
    };
    std::vector<NeighborView> out;
    for (const auto& [link, n] : p.links.neighbors()) {
        NeighborView v;
        v.link = link;
        v.id = n.id;
        v.address = n.id == NodeId{} ? Address{} : address_of(n.id);
        v.session_up = n.session_up;
        v.quality = n.quality;
        const CreditControl::Exposure exposure = p.credit.exposure(n.id);
        add_money(v, n.id);
        const CreditWindow* window = p.credit.window(n.id);
        v.unresolved_bytes = window == nullptr ? 0 : window->unresolved();
        v.window_bytes = window == nullptr ? p.config.initial_window_bytes : window->bytes();
        v.state = state_of(n, window, exposure.hold);
        v.alarm = p.routes.alarms().standing(n.id);
        out.push_back(std::move(v));
    }
    for (const auto& [id, b] : p.book.balances()) {  // neighbours of earlier days still owe, or are owed
        const bool shown = std::any_of(out.begin(), out.end(), [id = id](const auto& v) { return v.id == id; });
        if (!shown) {
            NeighborView v;
            v.id = id;
            v.address = address_of(id);
            add_money(v, id);
            v.state = "closed";
            v.alarm = p.routes.alarms().standing(id);
            out.push_back(std::move(v));
        }
    }
    return out;
}

std::vector<RouteView> Router::routes() const {
    std::vector<RouteView> out;
    for (const auto& r : parts_->routes.routes()) {
        RouteView v;
        v.destination = r.destination;
        v.address = address_of(r.destination);
        v.next_hop = r.next_hop;
        v.metric = r.metric;
        v.seqno = r.seqno;
        v.selected = r.selected;
        v.feasible = r.feasible;
        out.push_back(v);
    }
    return out;
}

std::vector<FlowView> Router::flows() const {
    std::vector<FlowView> out;
    const FlowTable& flows = parts_->flows;
    for (const auto& [id, f] : flows) {
        FlowView v;
        v.id = ByteReader(id).u64();
        v.source = f.source;
        v.destination = f.destination;
        v.role = name_of(f.role);
        v.bytes_forwarded = f.role == FlowRole::kDestination ? f.delivered_bytes : f.forwarded_bytes;
        v.units_paid = f.best.bytes / f.unit_bytes;
        v.unit_bytes = f.unit_bytes;
        v.price_in_msat_per_mib = f.claim_price;
        v.price_out_msat_per_mib = f.pay_price;
        v.state = f.broken ? "settling" : f.installing ? "opening" : "open";
        out.push_back(std::move(v));
    }
    return out;
}

std::vector<AlarmView> Router::alarms() const {
    std::vector<AlarmView> out;
    for (const auto& [id, a] : parts_->routes.alarms().alarms()) {
        out.push_back({id, address_of(id), id == parts_->self.id, a.since, a.newest, a.evidence});
    }
    return out;
}

std::vector<Address> Router::stations() const {
    return parts_->routes.addresses();
}
std::uint64_t Router::station_changes() const {
    return parts_->routes.address_changes();
}
const RouterCounters& Router::counters() const {
    return parts_->counters;
}
const RouteCounters& Router::route_counters() const {
    return parts_->routes.counters();
}
const NodeId& Router::id() const {
    return parts_->self.id;
}
const Address& Router::address() const {
    return parts_->own_address;
}
Payments& Router::payments() {
    return parts_->payments;
}

}  // namespace meshnet::net

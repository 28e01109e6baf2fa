// SPDX-License-Identifier: MIT
#include "sim/world.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <deque>
#include <map>
#include <queue>
#include <stdexcept>
#include <string>
#include <utility>

#include "core/random.hpp"
#include "node/node_driver.hpp"
#include "sim/node_time.hpp"
#include "sim/run_hash.hpp"

namespace meshnet::sim {
namespace {

void check(bool ok, const char* what) {
    if (!ok) {
        throw std::invalid_argument(std::string("World: ") + what);
    }
}

constexpr std::uint64_t kLateBit = std::uint64_t{1} << 63U;  // in Event::number of kSent

enum class Kind : std::uint8_t { kWake, kSense, kArrived, kHeard, kSent, kPersisted };

struct Event {
    Instant at{};
    std::uint64_t sequence = 0;  // first in, first out among equals
    Kind kind{};
    std::size_t node = 0;
    std::uint64_t boot = 0;    // of the node when the event was made: events of an earlier boot epoch are dropped
    std::uint64_t number = 0;  // kSent: id and kLateBit; kPersisted: batch
    int change = 0;            // kSense: +1 or -1
    std::shared_ptr<TableMedium::Arrival> arrival;
    std::shared_ptr<const TableMedium::Reception> frame;
    std::shared_ptr<const net::LedgerBatch> batch;
};
struct Later {
    bool operator()(const Event& a, const Event& b) const {
        return std::pair{a.at, a.sequence} > std::pair{b.at, b.sequence};
    }
};

}  // namespace

struct World::Impl {
    struct Slot {
        Slot(NodeTime t, std::uint64_t seed) : time(t), random(seed) {}
        std::function<node::Node::Config()> make;
        std::string identity;
        net::NodeId id{};
        net::Address address{};
        NodeTime time;
        Rng random;
        MemoryLedger ledger;
        std::unique_ptr<node::Node> node;
        std::uint64_t boot = 0;
        std::optional<Instant> wake;  // world time of the earliest wake event
        int sensed = 0;               // arrivals that make the channel busy
    };

    explicit Impl(const Config& c)
        : config(c), random(c.seed), medium(*c.profile, c.decade_db, c.shortest_lead, c.frame_loss, random) {}

    void schedule(Event event) {
        event.sequence = sequence++;
        event.boot = slots[event.node].boot;
        queue.push(std::move(event));
    }
    struct Sinks;
    std::size_t add(std::function<node::Node::Config()> make, const net::Identity& identity);
    void start_node(std::size_t n);
    void pump(std::size_t n);
    void transmit(std::size_t n, mac::TxRequest&& request);
    void handle(const Event& event);
    void forward(std::size_t n, TableMedium::Reception&& received);

    Config config;
    Rng random;
    TableMedium medium;
    Instant now{};
    std::uint64_t sequence = 0;
    std::priority_queue<Event, std::vector<Event>, Later> queue;
    std::deque<Slot> slots;
    std::deque<Delivery> deliveries;
    std::uint64_t events = 0;
    RunHash hash;
};

void World::Impl::start_node(std::size_t n) {
    Slot& slot = slots[n];
    ++slot.boot;  // events of an earlier boot epoch, or from between two, are not for this one
    auto identity = net::Identity::from_text(slot.identity);
    assert(identity.ok());
    node::Node::Config c = slot.make();
    c.router.identity = std::move(*identity);
    slot.node = std::make_unique<node::Node>(std::move(c), medium.phy(), slot.random, slot.ledger.state());
    pump(n);
}

/// Where a node's requests go: the medium, the list of deliveries, the ledger that is on disk a little later.
struct World::Impl::Sinks {
    Impl& world;
    std::size_t node;

    void transmit(mac::TxRequest&& request) { world.transmit(node, std::move(request)); }
    void deliver(Bytes&& packet) {
        world.hash.add(static_cast<std::uint64_t>(to_ns(world.now)));
        world.hash.add(packet);
        world.deliveries.push_back({world.now, node, std::move(packet)});
    }
    void persist(net::LedgerBatch&& batch) {
        Event event;
        event.at = world.now + world.config.persist_delay;
        event.kind = Kind::kPersisted;
        event.node = node;
        event.number = batch.number;
        event.batch = std::make_shared<const net::LedgerBatch>(std::move(batch));
        world.schedule(std::move(event));
    }
};

/// Does what the node wants done, until it wants nothing more now, and sees to it that it is woken.
void World::Impl::pump(std::size_t n) {
    Slot& slot = slots[n];
    Sinks sinks{*this, n};
    node::drive(*slot.node, slot.time.local(now), sinks);
    if (const auto next = slot.node->next_timeout()) {
        const Instant at = std::max(now, slot.time.world(*next) + 1ns);
        if (!slot.wake || at < *slot.wake) {
            slot.wake = at;
            Event event;
            event.at = at;
            event.kind = Kind::kWake;
            event.node = n;
            schedule(std::move(event));
        }
    }
}

void World::Impl::transmit(std::size_t n, mac::TxRequest&& request) {
    Event sent;
    sent.kind = Kind::kSent;
    sent.node = n;
    sent.number = request.id & ~kLateBit;
    const Instant start = slots[n].time.world(request.at);
    auto transmission = medium.transmit(now, n, start, {std::move(request.payload), request.mode});
    if (!transmission) {
        sent.at = now;
        sent.number |= kLateBit;
        return schedule(std::move(sent));
    }
    hash.add(static_cast<std::uint64_t>(to_ns(start)));
    hash.add(transmission->burst->frame.payload);
    sent.at = transmission->end;
    schedule(std::move(sent));
    for (auto& arrival : transmission->arrivals) {
        Event event;
        event.node = arrival->radio;
        if (arrival->sensed) {
            event.kind = Kind::kSense;
            event.change = 1;
            event.at = arrival->start + config.latency;
            schedule(event);
            event.change = -1;
            event.at = arrival->end + config.latency;
            schedule(event);
        }
        event.kind = Kind::kArrived;
        event.at = arrival->end;
        event.arrival = std::move(arrival);
        schedule(std::move(event));
    }
}

/// Delivers a received frame to its node after the radio's latency, on the node's own time line.
void World::Impl::forward(std::size_t n, TableMedium::Reception&& received) {
    Event event;
    event.at = received.end + config.latency;
    event.kind = Kind::kHeard;
    event.node = n;
    event.frame = std::make_shared<const TableMedium::Reception>(std::move(received));
    schedule(std::move(event));
}

void World::Impl::handle(const Event& event) {
    ++events;
    Slot& slot = slots[event.node];
    const bool same_boot = event.boot == slot.boot && slot.node != nullptr;
    const Instant local = slot.time.local(now);
    switch (event.kind) {
        case Kind::kArrived:  // the medium goes on whether or not the node runs
            if (auto frame = medium.receive(now, *event.arrival, same_boot)) {
                forward(event.node, std::move(*frame));
            }
            return;
        case Kind::kSense: {
            if (!same_boot) {
                return;
            }
            const bool before = slot.sensed > 0;
            slot.sensed += event.change;
            assert(slot.sensed >= 0);
            if (before == (slot.sensed > 0)) {
                return;
            }
            slot.node->on_carrier(local, slot.sensed > 0);
            break;
        }
        case Kind::kWake:
            if (!same_boot || !slot.wake || *slot.wake != event.at) {
                return;
            }
            slot.wake.reset();
            slot.node->on_timeout(local);
            break;
        case Kind::kHeard:
            if (!same_boot) {
                return;
            }
            slot.node->on_frame(
                local, event.frame->frame(slot.time.local(event.frame->start), slot.time.local(event.frame->end)));
            break;
        case Kind::kSent: {
            if (!same_boot) {
                return;
            }
            slot.node->on_transmitted(local, event.number & ~kLateBit,
                                      (event.number & kLateBit) != 0 ? mac::TxOutcome::kLate : mac::TxOutcome::kSent);
            break;
        }
        case Kind::kPersisted:
            if (!same_boot) {
                return;
            }
            for (const net::LedgerRow& row : event.batch->rows) {
                hash.add(row.key);
                hash.add(row.value);
            }
            slot.ledger.commit(*event.batch);
            slot.node->on_persisted(local, event.number);
            break;
    }
    pump(event.node);
}

World::World(const Config& config) {
    check(config.profile != nullptr, "profile must be set");
    check(config.latency >= 0s && config.latency <= 1s, "latency must be within 0 s..1 s");
    check(config.shortest_lead >= 0s && config.shortest_lead <= 1s, "shortest_lead must be within 0 s..1 s");
    check(config.persist_delay >= 0s && config.persist_delay <= 60s, "persist_delay must be within 0 s..60 s");
    check(config.clock_error_ppm >= 0.0 && config.clock_error_ppm <= 200.0, "clock_error_ppm must be within 0..200");
    check(config.frame_loss >= 0.0 && config.frame_loss <= 1.0, "frame_loss must be within 0..1");
    impl_ = std::make_unique<Impl>(config);
}

World::~World() = default;

std::size_t World::Impl::add(std::function<node::Node::Config()> make, const net::Identity& identity) {
    const auto offset = static_cast<std::int64_t>(random.below(1'000'000'000'000));
    const double ppm = (2.0 * random.uniform() - 1.0) * config.clock_error_ppm;
    slots.emplace_back(NodeTime(offset, static_cast<std::int64_t>(std::llround(ppm * 1e3))), random.next_u64());
    medium.add_radio();
    Slot& slot = slots.back();
    slot.make = std::move(make);
    slot.identity = identity.to_text();
    slot.id = identity.id();
    slot.address = identity.address();
    start_node(slots.size() - 1);
    return slots.size() - 1;
}

std::size_t World::add_node(std::function<node::Node::Config()> make) {
    return impl_->add(std::move(make), net::Identity::generate(impl_->random));
}

std::size_t World::add_copy(std::size_t node) {
    const Impl::Slot& original = impl_->slots.at(node);
    const auto identity = net::Identity::from_text(original.identity);
    assert(identity.ok());
    return impl_->add(original.make, *identity);
}

void World::connect(std::size_t a, std::size_t b, double snr_db, Duration delay) {
    impl_->medium.connect(a, b, snr_db, delay);
}

void World::disconnect(std::size_t a, std::size_t b) {
    impl_->medium.disconnect(a, b);
}

void World::inject(std::size_t node, ByteView packet) {
    assert(node < size());
    Impl::Slot& slot = impl_->slots[node];
    if (slot.node == nullptr) {
        return;
    }
    slot.node->on_packet(slot.time.local(impl_->now), packet);
    impl_->pump(node);
}

void World::kill(std::size_t node) {
    assert(node < size());
    Impl::Slot& slot = impl_->slots[node];
    slot.node.reset();
    slot.wake.reset();
    slot.sensed = 0;
}

void World::restart(std::size_t node) {
    assert(node < size() && impl_->slots[node].node == nullptr);
    impl_->start_node(node);
}

void World::run_for(Duration time) {
    Impl& it = *impl_;
    const Instant until = it.now + time;
    while (!it.queue.empty() && it.queue.top().at <= until) {
        const Event event = it.queue.top();
        it.queue.pop();
        it.now = std::max(it.now, event.at);
        it.handle(event);
    }
    it.now = until;
}

Instant World::now() const noexcept {
    return impl_->now;
}

std::optional<World::Delivery> World::poll_delivery() {
    if (impl_->deliveries.empty()) {
        return std::nullopt;
    }
    Delivery delivery = std::move(impl_->deliveries.front());
    impl_->deliveries.pop_front();
    return delivery;
}

std::size_t World::size() const noexcept {
    return impl_->slots.size();
}
bool World::alive(std::size_t node) const noexcept {
    return impl_->slots[node].node != nullptr;
}
node::Node& World::node(std::size_t node) {
    assert(alive(node));
    return *impl_->slots[node].node;
}
const net::NodeId& World::id(std::size_t node) const noexcept {
    return impl_->slots[node].id;
}
const net::Address& World::address(std::size_t node) const noexcept {
    return impl_->slots[node].address;
}
const MemoryLedger& World::ledger(std::size_t node) const noexcept {
    return impl_->slots[node].ledger;
}
const MediumCounters& World::counters() const noexcept {
    return impl_->medium.counters();
}
std::uint64_t World::events() const noexcept {
    return impl_->events;
}
std::uint64_t World::hash() const noexcept {
    return impl_->hash.value();
}

Bytes make_ipv6_packet(const net::Address& source, const net::Address& destination, ByteView payload) {
    assert(payload.size() <= 0xFFFF);
    Bytes out;
    ByteWriter writer(out);
    writer.u32(0x6000'0000);  // version 6, no traffic class, no flow label
    writer.u16(static_cast<std::uint16_t>(payload.size()));
    writer.u8(59);
    writer.u8(64);
    writer.bytes(source);
    writer.bytes(destination);
    writer.bytes(payload);
    return out;
}

}  // namespace meshnet::sim

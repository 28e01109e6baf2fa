// SPDX-License-Identifier: MIT
// Routers joined by plain links in virtual time: delay, rate, loss, crashes; a ledger in memory that loses what it
// had not committed when its node is killed. One seed, one history.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/random.hpp"
#include "net/crypto.hpp"
#include "net/router.hpp"

namespace meshnet::sim {

struct RouterWorldOptions {
    std::uint64_t seed = 1;
    Duration commit_delay = 60ms;   ///< from a batch to its being on disk
    std::size_t max_frame = 4'000;  ///< what the link layer polls at once
    /// The link layer tells the sender whether a frame for one neighbour arrived, a round trip after it was sent.
    bool report_fate = false;
    /// A node that was killed is missed by its neighbours' link layers after this; zero: never.
    Duration death_after{};
};

struct RouterLink {
    Duration delay = 1ms;
    double rate_bps = 1e6;
    double loss = 0.0;
    double airtime_us_per_kib = 8'192.0;
};

class RouterWorld {
public:
    struct Node {
        std::string key;
        std::unique_ptr<net::Router> router;
        std::function<void(net::Router::Config&)> configure;
        net::NeighborId link = 0;
        net::NodeId id{};
        net::Address address{};
        std::map<std::pair<int, Bytes>, net::LedgerRow> disk;  // committed rows, entries too
        std::uint64_t boot_epoch = 0;                          // counts restarts: events of an earlier one are void
        std::vector<Bytes> received;
        std::function<void(Instant, const Bytes&)> on_packet;
        std::optional<Instant> timer;
        std::uint64_t batches = 0;
        std::vector<std::size_t> links;  // of links_, in both directions
    };

    explicit RouterWorld(RouterWorldOptions options = {});

    /// A node with keys from the seed; `configure` changes what is not default, at every start.
    std::size_t add(std::function<void(net::Router::Config&)> configure = {});
    /// A second node with the key of `node`, and a disk of its own.
    std::size_t add_twin(std::size_t node);
    void join(std::size_t a, std::size_t b, RouterLink options = {});
    void link_up(std::size_t a, std::size_t b);
    void link_down(std::size_t a, std::size_t b);
    void set_loss(std::size_t a, std::size_t b, double loss);
    /// The link has these properties from now on, and both link layers report them if `reported`.
    void set_link(std::size_t a, std::size_t b, RouterLink options, bool reported = true);
    [[nodiscard]] RouterLink link_options(std::size_t a, std::size_t b) const;
    [[nodiscard]] bool is_up(std::size_t a, std::size_t b) const;
    /// Who is joined with `node`, whether the link is up or not.
    [[nodiscard]] std::vector<std::size_t> joined(std::size_t node) const;

    /// kill -9: state gone, batches in flight lost. The neighbours are not notified.
    void kill(std::size_t node);
    /// Starts it again from its disk; its link layer finds the neighbours a little later.
    void restart(std::size_t node);
    /// It starts with new keys and a new link number from now on; what its disk holds is of the old ones. Its
    /// neighbours' link layers hear the new number at once and miss the old one after 4 s.
    void rekey(std::size_t node);

    /// An IPv6 packet from `a`'s host to `b`: payload as given, next header UDP by default.
    void send(std::size_t a, std::size_t b, const Bytes& payload, std::uint8_t next_header = 17);
    [[nodiscard]] Bytes packet(std::size_t a, std::size_t b, const Bytes& payload, std::uint8_t next_header = 17) const;

    void at(Instant when, std::function<void()> what);
    void after(Duration d, std::function<void()> what) { at(now_ + d, std::move(what)); }
    /// Runs for `d`, calling `check` (if set) after every event.
    void run(Duration d);
    std::function<void()> check;
    /// Called for every frame that enters a link: may change or swallow it (clear it).
    std::function<void(std::size_t from, std::size_t to, Bytes& frame)> tamper;

    [[nodiscard]] Instant now() const { return now_; }
    [[nodiscard]] Node& node(std::size_t i) { return nodes_[i]; }
    [[nodiscard]] net::Router& router(std::size_t i) { return *nodes_[i].router; }
    [[nodiscard]] std::size_t size() const { return nodes_.size(); }
    [[nodiscard]] std::uint64_t events() const { return events_; }
    [[nodiscard]] std::uint64_t digest() const { return digest_; }
    [[nodiscard]] Rng& rng() { return rng_; }
    /// Nodes whose routers were called in the event that `check` looks at.
    [[nodiscard]] const std::vector<std::size_t>& touched() const { return touched_; }
    /// Bytes and frames that entered links; what is sent to everybody counts once.
    struct Sent {
        std::uint64_t bytes = 0, frames = 0;
    };
    [[nodiscard]] const Sent& sent_control() const { return control_; }
    [[nodiscard]] const Sent& sent_data() const { return data_; }

    /// Balance of `a` with `b` as a's disk has it, nsat; > 0: b owes a.
    [[nodiscard]] std::int64_t disk_balance(std::size_t a, std::size_t b) const;
    /// Sum of the entries of `a` about `b` on a's disk.
    [[nodiscard]] std::int64_t disk_entries(std::size_t a, std::size_t b) const;
    /// Empty, or how the selected routes loop.
    [[nodiscard]] std::string find_loop() const;
    /// The same for what the routers touched in this event have chosen anew; cheap enough for every event.
    [[nodiscard]] std::string find_new_loop();
    /// Empty, or the pair of neighbours whose books differ.
    [[nodiscard]] std::string find_disagreement() const;
    /// The selected route of a to b, if any.
    [[nodiscard]] std::optional<net::RouteView> route(std::size_t a, std::size_t b) const;

    /// Gives a frame to a node as if it came from `from`.
    void inject(std::size_t node, net::NeighborId from, ByteView frame);
    void pump(std::size_t node);

private:
    struct Link {
        std::size_t a = 0, b = 0;
        RouterLink options;
        bool up = false;
        Instant busy[2]{};
    };
    [[nodiscard]] Link* link(std::size_t a, std::size_t b) const;
    [[nodiscard]] std::optional<std::size_t> by_link(net::NeighborId id) const;
    [[nodiscard]] std::optional<std::size_t> neighbor_by_link(std::size_t node, net::NeighborId id) const;
    [[nodiscard]] bool leads_back(std::size_t node, const net::NodeId& destination) const;
    /// The links from `node` to whoever goes by this number: several if a key is used twice.
    [[nodiscard]] std::vector<std::size_t> links_to(std::size_t node, net::NeighborId id) const;
    void send_frame(std::size_t from, std::size_t link_index, net::OutFrame frame);
    [[nodiscard]] net::LinkQuality quality(const Link& l) const;
    void start(std::size_t node);
    void mix(std::uint64_t v) { digest_ = (digest_ ^ v) * 0x100000001b3ULL; }

    RouterWorldOptions options_;
    net::SignatureMemo signatures_;
    Rng rng_, key_rng_;
    std::vector<Node> nodes_;
    std::vector<std::unique_ptr<Rng>> node_rngs_;
    mutable std::vector<Link> links_;
    std::vector<std::size_t> touched_;
    std::vector<std::uint64_t> choices_seen_;  // of each router, by find_new_loop()
    Sent control_, data_;
    std::map<std::pair<Instant, std::uint64_t>, std::function<void()>> queue_;
    Instant now_ = instant_from_ns(1'000'000'000);
    std::uint64_t sequence_ = 0, events_ = 0, digest_ = 0xcbf29ce484222325ULL;
};

}  // namespace meshnet::sim

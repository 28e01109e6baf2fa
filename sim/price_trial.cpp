// SPDX-License-Identifier: MIT
#include "sim/price_trial.hpp"

#include <algorithm>
#include <optional>

#include "net/payment/amount.hpp"
#include "net/price_policy.hpp"
#include "sim/net_invariants.hpp"
#include "sim/router_access.hpp"

namespace meshnet::sim {
namespace {

using net::PricePolicy;
using net::RouterTestAccess;

constexpr std::size_t kSources = 6;
constexpr int kSteps = 90;
constexpr Duration kStep = 10s;
constexpr Duration kSpacing = 40ms;  // of the packets of a source: 200 kbit/s
constexpr std::size_t kPayload = 1'000;
constexpr double kRate = 2e6;

PricePolicy::Config policy(PricePolicy::Kind kind, std::uint32_t price) {
    PricePolicy::Config c;
    c.kind = kind;
    c.price = price;
    c.floor = 200;
    c.ceiling = 20'000;
    c.target = 0.3;
    return c;
}

std::vector<PricePolicy::Config> policies(const std::string& trial) {
    using Kind = PricePolicy::Kind;
    if (trial == "undercut") return {policy(Kind::kFixed, 2'000), policy(Kind::kUndercut, 2'000)};
    if (trial == "load-price") return {policy(Kind::kLoad, 2'000), policy(Kind::kLoad, 2'500)};
    return {policy(Kind::kFixed, 9'000), policy(Kind::kFixed, 9'000), policy(Kind::kFixed, 1'000)};
}

class Market {
public:
    Market(const std::string& trial, std::uint64_t seed)
        : trial_(trial), world_(options(seed)), invariants_(world_, std::vector<bool>(16, false)) {
        result_.seed = seed;
        target_ = world_.add([](net::Router::Config& c) { c.price_msat_per_mib = 0; });
        for (std::size_t k = 0; k < kSources; ++k) sources_.push_back(world_.add());
        for (const PricePolicy::Config& p : policies(trial)) {
            policies_.emplace_back(p);
            relays_.push_back(world_.add([p](net::Router::Config& c) { c.price_msat_per_mib = p.price; }));
            PriceResult::Relay relay;
            relay.name = p.kind == PricePolicy::Kind::kFixed  ? (trial != "cartel" ? "fixed"
                                                                 : p.price > 5'000 ? "cartel"
                                                                                   : "newcomer")
                         : p.kind == PricePolicy::Kind::kLoad ? "by load"
                                                              : "undercuts";
            result_.relays.push_back(relay);
        }
        world_.node(target_).on_packet = [this](Instant, const Bytes&) { ++arrived_; };
        for (std::size_t r = 0; r < relays_.size(); ++r) {
            if (trial_ != "cartel" || r < 2) join(r);
        }
        world_.check = [this] { invariants_.after_event(); };
    }

    PriceResult run() {
        world_.run(5s);
        for (const std::size_t s : sources_) send(s);
        for (int step = 0; step < kSteps; ++step) {
            if (trial_ == "cartel" && step == kSteps / 2) join(2);
            world_.run(kStep);
            measure();
            adjust();
        }
        over_ = true;
        world_.run(30s);
        invariants_.at_rest();
        result_.violations = invariants_.violations();
        result_.delivered = static_cast<double>(arrived_) / static_cast<double>(sent_);
        for (const std::size_t s : sources_) {
            result_.moves += world_.router(s).counters().flows_opened - 1;
            for (std::size_t r = 0; r < relays_.size(); ++r) {
                result_.relays[r].earned_msat +=
                    static_cast<double>(world_.disk_balance(relays_[r], s)) / static_cast<double>(net::kNsatPerMsat);
            }
        }
        return result_;
    }

private:
    static RouterWorldOptions options(std::uint64_t seed) {
        RouterWorldOptions o;
        o.seed = seed;
        o.report_fate = true;
        return o;
    }
    void join(std::size_t r) {
        RouterLink link;
        link.rate_bps = kRate;
        link.airtime_us_per_kib = 8'192e6 / kRate;
        world_.join(relays_[r], target_, link);
        for (const std::size_t s : sources_) world_.join(s, relays_[r], link);
    }
    void send(std::size_t source) {
        if (over_) return;
        ++sent_;
        world_.send(source, target_, Bytes(kPayload, 3));
        world_.after(kSpacing, [this, source] { send(source); });
    }
    void measure() {
        std::uint64_t all = 0;
        carried_.clear();
        for (std::size_t r = 0; r < relays_.size(); ++r) {
            const std::uint64_t bytes = world_.router(relays_[r]).counters().packets_forwarded * kPayload;
            carried_.push_back(bytes - result_.relays[r].bytes);
            result_.relays[r].bytes = bytes;
            all += carried_.back();
        }
        for (std::size_t r = 0; r < relays_.size(); ++r) {
            result_.relays[r].share.push_back(all == 0 ? 0.0
                                                       : static_cast<double>(carried_[r]) / static_cast<double>(all));
            result_.relays[r].price.push_back(policies_[r].price());
        }
    }
    void adjust() {
        for (std::size_t r = 0; r < relays_.size(); ++r) {
            std::optional<std::uint32_t> rival;
            for (std::size_t k = 0; k < relays_.size(); ++k) {
                if (k != r) rival = std::min(rival.value_or(policies_[k].price()), policies_[k].price());
            }
            const double load = static_cast<double>(carried_[r]) * 8.0 / to_seconds(kStep) / kRate;
            if (const auto price = policies_[r].update(world_.now(), load, rival)) {
                world_.router(relays_[r]).set_price(world_.now(), *price);
                world_.pump(relays_[r]);
            }
        }
    }

    std::string trial_;
    RouterWorld world_;
    NetInvariants invariants_;
    PriceResult result_;
    std::size_t target_ = 0;
    std::vector<std::size_t> sources_, relays_;
    std::vector<PricePolicy> policies_;
    std::vector<std::uint64_t> carried_;
    std::uint64_t sent_ = 0, arrived_ = 0;
    bool over_ = false;
};

}  // namespace

PriceResult run_prices(const std::string& trial, std::uint64_t seed) {
    return Market(trial, seed).run();
}

}  // namespace meshnet::sim

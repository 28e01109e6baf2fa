// SPDX-License-Identifier: MIT
// Traffic for tests on the medium: saturated flows, checked for order, duplicates and content, and their goodput.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "tests/mac/medium.hpp"

namespace meshnet::mac::test {

/// Keeps one queue full from a start time on, and checks what comes out.
class Flow {
public:
    struct Options {
        std::size_t sdu_bytes = 1'500;
        Priority priority = Priority::kBulk;
        std::size_t keep_free = 0;  ///< bytes of the queue left free
        Duration interval{};        ///< 0: saturated; else one SDU so often
        std::uint64_t limit = ~std::uint64_t{0};
    };

    Flow(Medium& medium, std::size_t from, std::size_t to, std::uint64_t base, const Options& options)
        : medium_(medium), from_(from), to_(to), base_(base << 32), options_(options) {
        chain(medium_[from_].on_service, [this](Instant) { fill(); });
        chain_event(medium_[from_].on_event, [this](const Event& e) {
            if (const auto* done = std::get_if<SduDone>(&e);
                done != nullptr && done->peer == medium_.id(to_) && mine(done->tag)) {
                ++(done->delivered ? acknowledged : failed);
            }
        });
        chain_event(medium_[to_].on_event, [this](const Event& e) {
            if (const auto* got = std::get_if<Received>(&e); got != nullptr && got->sdu.peer == medium_.id(from_)) {
                receive(got->sdu.bytes);
            }
        });
    }

    void start() { running_ = true; }
    void stop() { running_ = false; }
    /// Starts measuring.
    void mark() {
        marked_at_ = medium_.now();
        marked_bytes_ = bytes;
    }
    [[nodiscard]] double goodput_bps() const {
        const double seconds = to_seconds(medium_.now() - marked_at_);
        return seconds > 0 ? static_cast<double>(bytes - marked_bytes_) * 8.0 / seconds : 0.0;
    }

    std::uint64_t sent = 0, received = 0, acknowledged = 0, failed = 0;
    std::uint64_t out_of_order = 0, corrupt = 0, bytes = 0;
    std::uint64_t gaps = 0;

private:
    template <class F, class G>
    static void chain(F& slot, G next) {
        slot = [before = slot, next](Instant t) {
            if (before) {
                before(t);
            }
            next(t);
        };
    }
    template <class F, class G>
    static void chain_event(F& slot, G next) {
        slot = [before = slot, next](Instant t, const Event& e) {
            if (before) {
                before(t, e);
            }
            next(e);
        };
    }
    [[nodiscard]] bool mine(std::uint64_t tag) const { return (tag & 0xFFFF'FFFF'0000'0000ULL) == base_; }

    void fill() {
        if (!running_ || sent >= options_.limit) {
            return;
        }
        if (options_.interval > Duration::zero()) {
            if (medium_.now() < next_at_) {
                return;
            }
            next_at_ = medium_.now() + options_.interval;
        }
        do {
            if (medium_.mac(from_).room(medium_.id(to_)) < options_.sdu_bytes + options_.keep_free) {
                break;
            }
            Sdu sdu;
            sdu.peer = medium_.id(to_);
            sdu.priority = options_.priority;
            sdu.tag = base_ + sent;
            sdu.bytes = make_sdu(base_ + sent, options_.sdu_bytes);
            if (!medium_.mac(from_).enqueue(medium_.local(from_), std::move(sdu))) {
                break;
            }
            ++sent;
        } while (options_.interval == Duration::zero() && sent < options_.limit);
    }

    void receive(const Bytes& sdu) {
        const auto number = sdu_number(sdu);
        if (!number) {
            ++corrupt;
            return;
        }
        if (!mine(*number)) {
            return;
        }
        ++received;
        bytes += sdu.size();
        const std::uint64_t position = *number - base_;
        if (position < expected_) {
            ++out_of_order;
        } else {
            gaps += position - expected_;
            expected_ = position + 1;
        }
    }

    Medium& medium_;
    std::size_t from_, to_;
    std::uint64_t base_;
    Options options_;
    bool running_ = false;
    Instant next_at_{};
    Instant marked_at_{};
    std::uint64_t marked_bytes_ = 0;
    std::uint64_t expected_ = 0;
};

/// Runs for `seconds` and returns the mean payload rate of the mode station `i` used towards its first neighbour.
inline double run_and_average_rate(Medium& medium, std::size_t i, int seconds) {
    double sum = 0.0;
    for (int k = 0; k < seconds * 4; ++k) {
        medium.run_until(medium.now() + 250ms);
        sum += medium.mac(i).neighbors(medium.local(i)).at(0).quality.rate_bps;
    }
    return sum / (seconds * 4);
}

/// Virtual seconds on top of the medium's present time.
inline void run_for(Medium& medium, Duration d) {
    medium.run_until(medium.now() + d);
}

}  // namespace meshnet::mac::test

// SPDX-License-Identifier: MIT
// Persist before reveal: what must be on disk before the world may see it.
//
// Sources hold the rows that changed; actions hold what may be revealed. poll() collects the rows of all sources into
// the next numbered batch, and every action entered since the batch before belongs to it. persisted() runs the actions
// of all batches up to a number, in the order in which they were entered. An action therefore never runs before every
// row that its source had when the action was entered is on disk.
// Spec: docs/spec/payment.md, "Ledger".
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <vector>

#include "core/time.hpp"
#include "net/payment/ledger.hpp"

namespace meshnet::net {

class Outbox {
public:
    using Rows = std::vector<LedgerRow>;
    /// Moves its changed rows to the end of `rows`; a row is written as it is when the batch is collected.
    using Source = std::function<void(Rows& rows)>;
    /// What a batch on disk allows. It may enter further actions; those belong to the next batch.
    using Action = std::function<void(Instant now)>;

    /// Sources are collected in the order in which they were added.
    void add_source(Source source) { sources_.push_back(std::move(source)); }

    /// Runs `action` once the next batch that poll() returns is on disk. The caller has marked the rows it depends on.
    void after_persist(Action action) { entered_.push_back(std::move(action)); }

    /// The next batch; nothing if no source has a row. Batches are numbered 1, 2, 3, ...
    [[nodiscard]] std::optional<LedgerBatch> poll();
    /// Every batch up to `batch` is on disk. Harmless if repeated, or for a batch that was never polled.
    void persisted(Instant now, std::uint64_t batch);

    /// Actions that wait for their batch to be polled, and for one that was.
    [[nodiscard]] std::size_t waiting() const noexcept { return entered_.size(); }
    [[nodiscard]] std::size_t in_flight() const noexcept { return in_flight_.size(); }

private:
    struct InFlight {
        std::uint64_t batch = 0;
        Action action;
    };

    std::vector<Source> sources_;
    std::vector<Action> entered_;  // belong to the next batch
    std::deque<InFlight> in_flight_;
    std::uint64_t last_batch_ = 0;
};

}  // namespace meshnet::net

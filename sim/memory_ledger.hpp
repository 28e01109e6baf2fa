// SPDX-License-Identifier: MIT
// A ledger that keeps its rows in memory and forgets nothing it has committed: the disk of simulated nodes.
#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "core/bytes.hpp"
#include "net/payment/ledger.hpp"

namespace meshnet::sim {

class MemoryLedger {
public:
    /// Makes `batch` durable. A newer row of a key replaces the older, an empty value deletes it.
    void commit(const net::LedgerBatch& batch) {
        for (const net::LedgerRow& row : batch.rows) {
            const auto key = std::pair{row.table, row.key};
            if (row.value.empty()) {
                rows_.erase(key);
            } else {
                rows_.insert_or_assign(key, row);
            }
        }
    }
    /// What a Router is restarted with: all current rows but the entries.
    [[nodiscard]] net::LedgerState state() const {
        net::LedgerState out;
        for (const auto& [key, row] : rows_) {
            if (row.table != net::LedgerRow::Table::kEntry) {
                out.rows.push_back(row);
            }
        }
        return out;
    }
    /// Every credit and debit, by unique id.
    [[nodiscard]] std::vector<net::LedgerRow> entries() const {
        std::vector<net::LedgerRow> out;
        for (const auto& [key, row] : rows_) {
            if (row.table == net::LedgerRow::Table::kEntry) {
                out.push_back(row);
            }
        }
        return out;
    }

private:
    std::map<std::pair<net::LedgerRow::Table, Bytes>, net::LedgerRow> rows_;
};

}  // namespace meshnet::sim

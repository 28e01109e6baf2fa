// SPDX-License-Identifier: MIT
// Station number -> T: in order of the number, as std::map, and cheap to walk through: a row of pointers. What it holds
// stays where it is.
#pragma once

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <memory>
#include <utility>
#include <vector>

#include "mac/mac.hpp"

namespace meshnet::mac {

template <class T>
class StationMap {
    using Entry = std::pair<const StationId, T>;
    using Row = std::vector<std::unique_ptr<Entry>>;

    template <class Value, class Base>
    class Iterator {
    public:
        using iterator_category = std::forward_iterator_tag;
        using value_type = Value;
        using difference_type = std::ptrdiff_t;
        using pointer = Value*;
        using reference = Value&;

        Iterator() = default;
        explicit Iterator(Base at) : at_(at) {}
        [[nodiscard]] reference operator*() const { return **at_; }
        [[nodiscard]] pointer operator->() const { return at_->get(); }
        Iterator& operator++() {
            ++at_;
            return *this;
        }
        Iterator operator++(int) {
            Iterator before = *this;
            ++at_;
            return before;
        }
        bool operator==(const Iterator& other) const = default;
        [[nodiscard]] Base base() const { return at_; }

    private:
        Base at_{};
    };

public:
    using iterator = Iterator<Entry, typename Row::iterator>;
    using const_iterator = Iterator<const Entry, typename Row::const_iterator>;

    [[nodiscard]] iterator begin() noexcept { return iterator(row_.begin()); }
    [[nodiscard]] iterator end() noexcept { return iterator(row_.end()); }
    [[nodiscard]] const_iterator begin() const noexcept { return const_iterator(row_.begin()); }
    [[nodiscard]] const_iterator end() const noexcept { return const_iterator(row_.end()); }
    [[nodiscard]] std::size_t size() const noexcept { return row_.size(); }

    [[nodiscard]] iterator find(StationId id) noexcept {
        const auto at = place(row_, id);
        return iterator(at != row_.end() && (*at)->first == id ? at : row_.end());
    }
    [[nodiscard]] const_iterator find(StationId id) const noexcept {
        const auto at = place(row_, id);
        return const_iterator(at != row_.end() && (*at)->first == id ? at : row_.end());
    }
    /// Nothing happens to one that is there: false.
    std::pair<iterator, bool> emplace(StationId id, T&& value) {
        auto at = place(row_, id);
        if (at != row_.end() && (*at)->first == id) {
            return {iterator(at), false};
        }
        at = row_.insert(at, std::make_unique<Entry>(id, std::move(value)));
        return {iterator(at), true};
    }
    void erase(iterator at) { row_.erase(at.base()); }
    void erase(StationId id) {
        if (const auto at = find(id); at != end()) {
            erase(at);
        }
    }

private:
    template <class R>
    [[nodiscard]] static auto place(R& row, StationId id) {
        return std::lower_bound(row.begin(), row.end(), id,
                                [](const auto& entry, StationId wanted) { return entry->first < wanted; });
    }
    Row row_;
};

}  // namespace meshnet::mac

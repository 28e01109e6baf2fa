// SPDX-License-Identifier: MIT
// Counters are written down once: a struct of 64-bit fields and, right beneath it,
//
//     template <class Visit> constexpr void visit_counters(const XCounters& c, Visit&& visit)
//
// which calls visit(name, value) for each field. Status views, metrics and GNU Radio are made of that visitor, so a new
// counter is one field and one line. The name is the field's; the value is std::uint64_t, or Duration for a sum of
// times.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace meshnet {

/// True if visit_counters() names every field of `Counters`: to be asserted beneath each visitor.
template <class Counters>
[[nodiscard]] constexpr bool visits_every_counter() noexcept {
    std::size_t visited = 0;
    visit_counters(Counters{}, [&visited](const char*, const auto&) { ++visited; });
    return visited * sizeof(std::uint64_t) == sizeof(Counters);
}

/// Adds each counter of `more` to that of `sum`. The visitor must take `sum` by reference to change it.
template <class Counters>
void add_to(Counters& sum, const Counters& more) {
    std::array<std::uint64_t, sizeof(Counters) / sizeof(std::uint64_t)> values{};
    std::size_t at = 0;
    visit_counters(more, [&](const char*, const std::uint64_t& value) { values[at++] = value; });
    at = 0;
    visit_counters(sum, [&](const char*, std::uint64_t& value) { value += values[at++]; });
}

}  // namespace meshnet

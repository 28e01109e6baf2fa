// SPDX-License-Identifier: MIT
#include "phy/modes.hpp"

#include <array>
#include <cassert>
#include <vector>

#include "core/names.hpp"

namespace meshnet::phy {
namespace {

constexpr auto kS = PreambleClass::kShort;
constexpr auto kM = PreambleClass::kMedium;
constexpr auto kL = PreambleClass::kLong;

constexpr std::array<std::string_view, 3> kPreambleClasses{"short", "medium", "long"};

constexpr std::array<std::uint16_t, 8> kEven{1, 3, 5, 7, 9, 11, 13, 15};
constexpr std::span<const std::uint16_t> kQpsk{kEven.data(), 1};
constexpr std::span<const std::uint16_t> k16{kEven.data(), 2};
// What `meshnet-lab constellation` designs for each rate. For 16qam-1/2 it gains nothing.
constexpr std::array<std::uint16_t, 2> k16At23{283, 1000};
constexpr std::array<std::uint16_t, 2> k16At34{299, 1000};
constexpr std::array<std::uint16_t, 4> k64At23{117, 341, 619, 1000};
constexpr std::array<std::uint16_t, 4> k64At34{116, 355, 635, 1000};
constexpr std::array<std::uint16_t, 4> k64At56{122, 375, 658, 1000};
constexpr std::array<std::uint16_t, 8> k256At34{54, 145, 257, 361, 484, 620, 788, 1000};
constexpr std::array<std::uint16_t, 8> k256At56{53, 159, 269, 385, 511, 650, 810, 1000};

// The last column is measured (docs/results/phy.md); the order is the index that travels in the header.
constexpr std::array<Mode, 17> kModes{{
    {"qpsk-1/5x16", 2, 1, 5, 16, kL, kQpsk, -15.8F},
    {"qpsk-1/5x8", 2, 1, 5, 8, kL, kQpsk, -12.9F},
    {"qpsk-1/5x4", 2, 1, 5, 4, kM, kQpsk, -9.9F},
    {"qpsk-1/5x2", 2, 1, 5, 2, kM, kQpsk, -6.9F},
    {"qpsk-1/5", 2, 1, 5, 1, kM, kQpsk, -3.9F},
    {"qpsk-1/3", 2, 1, 3, 1, kS, kQpsk, -1.3F},
    {"qpsk-1/2", 2, 1, 2, 1, kS, kQpsk, 1.1F},
    {"qpsk-2/3", 2, 2, 3, 1, kS, kQpsk, 3.2F},
    {"qpsk-3/4", 2, 3, 4, 1, kS, kQpsk, 4.2F},
    {"16qam-1/2", 4, 1, 2, 1, kS, k16, 6.1F},
    {"16qam-2/3", 4, 2, 3, 1, kS, k16At23, 8.6F},
    {"16qam-3/4", 4, 3, 4, 1, kS, k16At34, 10.1F},
    {"64qam-2/3", 6, 2, 3, 1, kS, k64At23, 13.5F},
    {"64qam-3/4", 6, 3, 4, 1, kS, k64At34, 14.8F},
    {"64qam-5/6", 6, 5, 6, 1, kS, k64At56, 16.7F},
    {"256qam-3/4", 8, 3, 4, 1, kS, k256At34, 20.1F},
    {"256qam-5/6", 8, 5, 6, 1, kS, k256At56, 21.5F},
}};

}  // namespace

std::span<const std::uint16_t> even_amplitudes(unsigned bits_per_symbol) noexcept {
    assert(bits_per_symbol == 2 || bits_per_symbol == 4 || bits_per_symbol == 6 || bits_per_symbol == 8);
    return std::span(kEven).first(std::size_t{1} << (bits_per_symbol / 2 - 1));
}

std::span<const Mode> modes() noexcept {
    return kModes;
}

std::optional<ModeIndex> find_mode(std::string_view name) noexcept {
    for (std::size_t i = 0; i < kModes.size(); ++i) {
        if (kModes[i].name == name) {
            return static_cast<ModeIndex>(i);
        }
    }
    return std::nullopt;
}

Result<ModeIndex> parse_mode(std::string_view name) {
    if (const auto mode = find_mode(name)) {
        return *mode;
    }
    std::vector<std::string_view> names;
    for (const Mode& mode : kModes) {
        names.push_back(mode.name);
    }
    return unknown_name("mode", name, names);
}

std::span<const std::string_view> preamble_class_names() noexcept {
    return kPreambleClasses;
}

std::string_view to_string(PreambleClass preamble) noexcept {
    return kPreambleClasses[static_cast<std::size_t>(preamble)];
}

Result<PreambleClass> parse_preamble_class(std::string_view name) {
    for (std::size_t i = 0; i < kPreambleClasses.size(); ++i) {
        if (kPreambleClasses[i] == name) {
            return static_cast<PreambleClass>(i);
        }
    }
    return unknown_name("preamble class", name, kPreambleClasses);
}

}  // namespace meshnet::phy

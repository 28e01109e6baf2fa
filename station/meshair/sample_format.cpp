// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/meshair/sample_format.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

namespace meshnet::meshair {

namespace {

constexpr std::array<std::pair<std::string_view, SampleFormat>, 3> kFormats{
    {{"CF32", SampleFormat::kCf32}, {"CS16", SampleFormat::kCs16}, {"CS8", SampleFormat::kCs8}}};

template <class Integer>
constexpr float kFullScale = static_cast<float>(std::numeric_limits<Integer>::max()) + 1.0F;

template <class Integer>
Integer to_integer(float value) noexcept {
    const float scaled = std::nearbyint(value * kFullScale<Integer>);
    return static_cast<Integer>(std::clamp(scaled, -kFullScale<Integer>, kFullScale<Integer> - 1.0F));
}

template <class Integer>
void write_integers(std::span<const phy::Sample> samples, void* to) noexcept {
    auto* out = static_cast<Integer*>(to);
    for (const phy::Sample& s : samples) {
        *out++ = to_integer<Integer>(s.real());
        *out++ = to_integer<Integer>(s.imag());
    }
}

template <class Integer>
void read_integers(const void* from, std::span<phy::Sample> samples) noexcept {
    const auto* in = static_cast<const Integer*>(from);
    for (phy::Sample& s : samples) {
        s = {static_cast<float>(in[0]) / kFullScale<Integer>, static_cast<float>(in[1]) / kFullScale<Integer>};
        in += 2;
    }
}

}  // namespace

std::optional<SampleFormat> sample_format(std::string_view name) noexcept {
    const auto found = std::find_if(kFormats.begin(), kFormats.end(), [&](const auto& f) { return f.first == name; });
    return found == kFormats.end() ? std::nullopt : std::optional(found->second);
}

std::vector<std::string> sample_format_names() {
    std::vector<std::string> out;
    for (const auto& [name, format] : kFormats) {
        out.emplace_back(name);
    }
    return out;
}

void write_samples(std::span<const phy::Sample> samples, SampleFormat format, void* to) noexcept {
    switch (format) {
        case SampleFormat::kCf32:
            std::memcpy(to, samples.data(), samples.size_bytes());
            return;
        case SampleFormat::kCs16:
            write_integers<std::int16_t>(samples, to);
            return;
        case SampleFormat::kCs8:
            write_integers<std::int8_t>(samples, to);
            return;
    }
}

void read_samples(const void* from, SampleFormat format, std::span<phy::Sample> samples) noexcept {
    switch (format) {
        case SampleFormat::kCf32:
            std::memcpy(static_cast<void*>(samples.data()), from, samples.size_bytes());
            return;
        case SampleFormat::kCs16:
            read_integers<std::int16_t>(from, samples);
            return;
        case SampleFormat::kCs8:
            read_integers<std::int8_t>(from, samples);
            return;
    }
}

}  // namespace meshnet::meshair

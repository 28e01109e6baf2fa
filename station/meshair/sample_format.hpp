// SPDX-License-Identifier: GPL-3.0-or-later
// The sample formats of SoapySDR's streams that the device speaks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "phy/sample.hpp"

namespace meshnet::meshair {

enum class SampleFormat : std::uint8_t { kCf32, kCs16, kCs8 };

[[nodiscard]] std::optional<SampleFormat> sample_format(std::string_view name) noexcept;
[[nodiscard]] std::vector<std::string> sample_format_names();

/// `to` has room for all samples. Full scale 1.0 is 32768 (CS16) or 128 (CS8); beyond it: limited.
void write_samples(std::span<const phy::Sample> samples, SampleFormat format, void* to) noexcept;
void read_samples(const void* from, SampleFormat format, std::span<phy::Sample> samples) noexcept;

}  // namespace meshnet::meshair

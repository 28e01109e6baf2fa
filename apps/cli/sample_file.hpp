// SPDX-License-Identifier: GPL-3.0-or-later
// What modulate and demodulate share: the profile, format and rate of a file of samples.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

#include "core/result.hpp"
#include "phy/profile.hpp"
#include "station/radio/iq_format.hpp"

namespace meshnet::apps {

struct SampleFileOptions {
    std::string profile = "1M";
    std::string format;    ///< empty: not said
    double rate_hz = 0.0;  ///< 0: not said
};
/// --profile, --rate and --format. `where_else`: what tells rate and format when the options do not.
void add_sample_file(CLI::App& command, SampleFileOptions& options, const std::string& where_else);

/// The options, each understood.
struct SampleFile {
    const phy::Profile* profile = nullptr;
    std::optional<station::IqFormat> format;
    std::optional<double> rate_hz;
};
/// Error: kInvalidArgument.
[[nodiscard]] Result<SampleFile> parse_sample_file(const SampleFileOptions& options);

/// The rate to count with: `rate_hz`, the profile's where that is near or nothing is known. Error: it cannot hold the
/// profile's band.
[[nodiscard]] Result<double> sample_rate(const phy::Profile& profile, std::optional<double> rate_hz);

}  // namespace meshnet::apps

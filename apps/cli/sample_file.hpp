// SPDX-License-Identifier: GPL-3.0-or-later
// What modulate and demodulate share: the profile, format and rate of a file of samples.
#pragma once

#include <CLI/CLI.hpp>
#include <cstddef>
#include <cstdint>
#include <string>

#include "core/result.hpp"
#include "phy/profile.hpp"
#include "station/radio/iq_file.hpp"

namespace meshnet::apps {

struct SampleFileOptions {
    std::string profile = "1M";
    std::string format;    ///< cf32, cs8, cs16; empty: by metadata, else by the file's ending
    double rate_hz = 0.0;  ///< 0: by metadata, else the profile's
};
/// --profile, --rate and --format.
void add_sample_file(CLI::App& command, SampleFileOptions& options);

struct SampleFile {
    const phy::Profile* profile = nullptr;
    station::IqFormat format = station::IqFormat::kCf32;
    double rate_hz = 0.0;  ///< a whole number that can hold the profile's band
};
/// `described`: what metadata beside the file says. Error: kInvalidArgument.
[[nodiscard]] Result<SampleFile> sample_file(const SampleFileOptions& options, const std::string& path,
                                             const station::SigmfDescription& described = {});

}  // namespace meshnet::apps

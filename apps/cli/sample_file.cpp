// SPDX-License-Identifier: GPL-3.0-or-later
#include "apps/cli/sample_file.hpp"

#include <cmath>
#include <cstdio>

namespace meshnet::apps {

void add_sample_file(CLI::App& command, SampleFileOptions& o) {
    command.add_option("--profile", o.profile, "Profile; meshnet-cli profiles lists them")->capture_default_str();
    command.add_option("--rate", o.rate_hz,
                       "Sample rate of the file in Hz (default: its SigMF metadata's when read, else the profile's)");
    command.add_option("--format", o.format,
                       "cf32, cs8 or cs16 (default: by SigMF metadata when read, else by the file's ending)");
}

Result<SampleFile> sample_file(const SampleFileOptions& o, const std::string& path,
                               const station::SigmfDescription& described) {
    SampleFile s;
    const auto profile = phy::parse_profile(o.profile);
    if (!profile) {
        return profile.error();
    }
    s.profile = *profile;
    s.format = described.format.value_or(station::iq_format_of_path(path));
    if (!o.format.empty()) {
        const auto format = station::parse_iq_format(o.format);
        if (!format) {
            return format.error();
        }
        s.format = *format;
    }
    s.rate_hz = o.rate_hz == 0.0 ? described.rate_hz.value_or(s.profile->sample_rate_hz) : o.rate_hz;
    char rate[64];
    std::snprintf(rate, sizeof rate, "a sample rate of %.10g Hz ", s.rate_hz);
    if (!(s.rate_hz > 0.0 && s.rate_hz <= 1e9) || s.rate_hz != std::floor(s.rate_hz)) {
        return Error{ErrorCode::kInvalidArgument,
                     std::string(rate) + "is not possible; it is a whole number up to 1000000000"};
    }
    if (s.rate_hz < s.profile->occupied_bandwidth_hz()) {
        return Error{ErrorCode::kInvalidArgument,
                     std::string(rate) + "cannot hold profile " + std::string(s.profile->name) + ", which occupies " +
                         std::to_string(std::llround(s.profile->occupied_bandwidth_hz())) + " Hz"};
    }
    return s;
}

}  // namespace meshnet::apps

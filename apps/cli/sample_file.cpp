// SPDX-License-Identifier: GPL-3.0-or-later
#include "apps/cli/sample_file.hpp"

#include <cmath>

#include "station/radio/recording.hpp"

namespace meshnet::apps {

void add_sample_file(CLI::App& command, SampleFileOptions& o, const std::string& where_else) {
    command.add_option("--profile", o.profile, "Profile; meshnet-cli profiles lists them")->capture_default_str();
    command.add_option("--rate", o.rate_hz,
                       "Sample rate of the file in Hz (default: " + where_else +
                           "the profile's); within 100 ppm of the profile's it is taken as that");
    command.add_option("--format", o.format,
                       "Format of the samples, one of " + station::iq_format_names() + " (default: " + where_else +
                           "by the file's ending: " + station::iq_endings() + ")");
}

Result<SampleFile> parse_sample_file(const SampleFileOptions& o) {
    SampleFile s;
    const auto profile = phy::parse_profile(o.profile);
    if (!profile) {
        return profile.error();
    }
    s.profile = *profile;
    if (!o.format.empty()) {
        const auto format = station::parse_iq_format(o.format);
        if (!format) {
            return format.error();
        }
        s.format = *format;
    }
    if (o.rate_hz != 0.0) {
        s.rate_hz = o.rate_hz;
        if (auto rate = sample_rate(*s.profile, s.rate_hz); !rate) {
            return rate.error();
        }
    }
    return s;
}

Result<double> sample_rate(const phy::Profile& profile, std::optional<double> rate_hz) {
    const double rate = station::rate_or_near(rate_hz.value_or(profile.sample_rate_hz), profile.sample_rate_hz);
    const std::string line = "a sample rate of " + station::rate_text(rate) + " Hz ";
    if (!(rate > 0.0 && rate <= station::kMaxRateHz)) {
        return Error{ErrorCode::kInvalidArgument, line + "is not possible; it is a number up to 1000000000"};
    }
    if (rate < profile.occupied_bandwidth_hz()) {
        return Error{ErrorCode::kInvalidArgument,
                     line + "cannot hold profile " + std::string(profile.name) + ", which occupies " +
                         std::to_string(std::llround(profile.occupied_bandwidth_hz())) + " Hz"};
    }
    return rate;
}

}  // namespace meshnet::apps

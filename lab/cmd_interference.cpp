// SPDX-License-Identifier: MIT
// What interferers cost, beside what they have to.
//
// Theory: an interferer takes the information of the cells of time and frequency in which it stands. Its power is
// measured in cells of a symbol by a carrier (Hann window) and in short cells over the band, the sum of information
// over all cells gives the SNR at which AWGN would carry as much, and the kinder of the two ways of looking counts:
// whoever could take the interferer apart in time or in frequency loses no more. Then frames are sent 1 dB above that.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <numbers>
#include <optional>
#include <sstream>
#include <vector>

#include "lab/ideal_csi.hpp"
#include "lab/threshold_io.hpp"
#include "phy/dsp/fft.hpp"
#include "phy/waveform/grid.hpp"

namespace meshnet::lab {
namespace {

constexpr double kMarginDb = 1.0;
constexpr double kNeverDb = 40.0;  // SNR beyond which the interferer leaves too little

/// Interference over signal power in each cell of `length` samples by a bin of the occupied band.
std::vector<float> interference_cells(const Scenario& s, std::size_t length) {
    const auto& p = *s.profile;
    phy::Fft forward(length, phy::Fft::Direction::kForward);
    std::vector<float> window(length);
    for (std::size_t n = 0; n < length; ++n) {
        const double x = (static_cast<double>(n) + 0.5) / static_cast<double>(length);
        window[n] = static_cast<float>(std::sqrt(8.0 / 3.0) * 0.5 * (1.0 - std::cos(2.0 * std::numbers::pi * x)));
    }
    const double share = static_cast<double>(p.carriers) / static_cast<double>(p.fft_size);
    const auto half = static_cast<std::size_t>(std::lround(share * static_cast<double>(length) / 2.0));
    std::vector<float> out;
    constexpr std::uint64_t kTimes = 8;  // independent stretches of it
    for (std::uint64_t f = 0; f < kTimes; ++f) {
        auto config = channel_of_frame(s, f);
        config.snr_db = std::numeric_limits<double>::infinity();
        sim::Channel channel(config);
        std::vector<phy::Sample> samples;
        channel.process(std::vector<phy::Sample>(64 * p.fft_size), samples);
        const double signal =
            std::pow(config.signal_rms * static_cast<double>(length), 2.0) / (share * static_cast<double>(length));
        for (std::size_t at = 0; at + length <= samples.size(); at += length) {
            for (std::size_t n = 0; n < length; ++n) {
                forward.in()[n] = window[n] * samples[at + n];
            }
            forward.run();
            for (std::size_t k = 1; k <= half; ++k) {
                for (const std::size_t bin : {k, length - k}) {
                    out.push_back(static_cast<float>(static_cast<double>(std::norm(forward.out()[bin])) / signal));
                }
            }
        }
    }
    return out;
}

/// SNR at which those cells carry what AWGN of `awgn_db` does; nothing if they never do.
std::optional<double> needed_db(const std::vector<float>& cells, const InformationCurve& curve, double awgn_db) {
    const double needed = curve.information(awgn_db);
    const auto carried = [&](double snr_db) {
        const double noise = std::pow(10.0, -0.1 * snr_db);
        double sum = 0.0;
        for (const float i : cells) {
            sum += curve.information(-10.0 * std::log10(noise + static_cast<double>(i)));
        }
        return sum / static_cast<double>(cells.size());
    };
    if (carried(kNeverDb) < needed) {
        return std::nullopt;
    }
    double low = awgn_db;
    double high = kNeverDb;
    for (int i = 0; i < 14; ++i) {
        const double middle = 0.5 * (low + high);
        (carried(middle) < needed ? low : high) = middle;
    }
    return high;
}

std::optional<double> theory_db(const Scenario& s, const InformationCurve& curve, double awgn_db) {
    const auto by_carriers = needed_db(interference_cells(s, s.profile->fft_size), curve, awgn_db);
    const auto by_time = needed_db(interference_cells(s, s.profile->fft_size / 16), curve, awgn_db);
    return by_carriers && by_time ? std::min(*by_carriers, *by_time) : by_carriers ? by_carriers : by_time;
}

Json measure_row(const InterferenceOptions& o, const Scenario& scenario, const std::string& channel,
                 const InformationCurve& curve, double awgn_db) {
    Scenario s = scenario;
    s.channel = channel;
    Json row = {{"mode", o.scenario.mode}, {"channel", channel}, {"awgn_db", rounded(awgn_db)}};
    const auto theory = theory_db(s, curve, awgn_db);
    row["theory_db"] = theory ? rounded(*theory) : Json(nullptr);
    row["snr_db"] = Json(nullptr);
    row["per"] = Json(nullptr);
    Effort effort;
    effort.frames = o.scenario.frames;
    effort.threads = threads_of(o.scenario);
    if (theory) {
        s.snr_db = *theory + kMarginDb;
        const Tally t = run_point(s, effort);
        const Interval range = wilson(t.errors, t.frames);
        row["snr_db"] = rounded(s.snr_db);
        row["frames"] = t.frames;
        row["per"] = t.per();
        row["per_low"] = range.low;
        row["per_high"] = range.high;
        row["detect_miss"] = t.detect_miss;
        row["header_miss"] = t.header_miss;
    }
    s.snr_db = awgn_db + o.above_db;
    row["high_snr_db"] = rounded(s.snr_db);
    row["high_snr_per"] = run_point(s, effort).per();
    return row;
}

}  // namespace

int run_interference(const InterferenceOptions& o) {
    const auto scenario = scenario_of(o.scenario);
    if (!scenario) {
        return complain("interference", scenario.error().message);
    }
    const phy::Mode& mode = phy::modes()[scenario->mode];
    const InformationCurve curve(mode.amplitudes);
    const double awgn_db = o.has_awgn ? o.awgn_db : static_cast<double>(mode.required_snr_db);
    std::vector<std::string> channels;
    std::istringstream list(o.channels);
    for (std::string channel; std::getline(list, channel, ',');) {
        Scenario s = *scenario;
        s.channel = channel;
        if (const auto status = check(s); !status) {
            return complain("interference", status.error().message);
        }
        channels.push_back(channel);
    }
    Progress progress("interference", static_cast<double>(channels.size()), o.scenario.quiet);
    if (!o.scenario.json) {
        std::printf("%s, profile %s, %zu bytes; SNR at PER 1e-2 without interference %.2f dB\n",
                    o.scenario.mode.c_str(), o.scenario.profile.c_str(), o.scenario.payload, awgn_db);
        std::printf("%-26s %9s %9s   %s\n", "channel", "theory dB", "PER there", "PER at high SNR");
        std::printf("%-26s %9s %9s   %s\n", "", "", "+ 1 dB", "");
    }
    for (std::size_t i = 0; i < channels.size(); ++i) {
        progress.at(static_cast<double>(i), channels[i]);
        const Json row = measure_row(o, *scenario, channels[i], curve, awgn_db);
        if (o.scenario.json) {
            std::puts(row.dump().c_str());
        } else if (row["per"].is_null()) {
            std::printf("%-26s %9s %9s   %.4f\n", channels[i].c_str(), "never", "", row["high_snr_per"].get<double>());
        } else {
            std::printf("%-26s %9.2f %9.4f   %.4f\n", channels[i].c_str(), row["theory_db"].get<double>(),
                        row["per"].get<double>(), row["high_snr_per"].get<double>());
        }
        std::fflush(stdout);
    }
    return 0;
}

}  // namespace meshnet::lab

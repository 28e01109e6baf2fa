// SPDX-License-Identifier: MIT
// A virtual radio as a program sees it, with the calls that tests repeat.
#pragma once

#include <SoapySDR/Constants.h>
#include <SoapySDR/Errors.h>
#include <SoapySDR/Formats.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/random.hpp"
#include "station/meshair/meshair_device.hpp"
#include "tests/meshair/stepped_air.hpp"

namespace meshnet::test {

using phy::Sample;

class TestRadio {
public:
    TestRadio(SteppedAir& air, std::size_t index, const std::string& station, const std::string& model,
              const std::map<std::string, std::string>& more = {})
        : air_(air), index_(index) {
        std::map<std::string, std::string> all{{"air", air.path()}, {"station", station}, {"model", model}};
        all.insert(more.begin(), more.end());
        const auto arguments = meshair::DeviceArguments::parse(all);
        EXPECT_TRUE(arguments.ok());
        auto radio = meshair::VirtualRadio::open(*arguments);
        EXPECT_TRUE(radio.ok()) << (radio.ok() ? "" : radio.error().message);
        radio_ = radio->get();
        device = std::make_unique<meshair::MeshairDevice>(std::move(*radio));
        rx = device->setupStream(SOAPY_SDR_RX, SOAPY_SDR_CF32, {0}, {});
        tx = device->setupStream(SOAPY_SDR_TX, SOAPY_SDR_CF32, {0}, {});
    }

    /// Waits until the device has seen all of the air's time.
    void settle() {
        wait_until([this] { return radio_->newest_index() >= air_.index(index_); });
    }

    struct Read {
        int status = 0;
        int flags = 0;
        long long time_ns = 0;
        std::vector<Sample> samples;
    };
    Read read(std::size_t count, long timeout_us = 0) {
        Read out;
        out.samples.resize(count);
        void* const buffers[] = {out.samples.data()};
        out.status = device->readStream(rx, buffers, count, out.flags, out.time_ns, timeout_us);
        out.samples.resize(static_cast<std::size_t>(std::max(out.status, 0)));
        return out;
    }
    /// All that waits, as one run of samples; ends before an error, which `last` keeps.
    Read read_all() {
        Read out;
        out.time_ns = -1;
        for (;;) {
            last = read(1'000'000);
            if (last.status <= 0) {
                return out;
            }
            if (out.time_ns < 0) {
                out.time_ns = last.time_ns;
            }
            out.flags |= last.flags;
            out.samples.insert(out.samples.end(), last.samples.begin(), last.samples.end());
        }
    }
    /// Writes all of `samples` as one burst, in writes of `piece`; -1 if the device does not take them.
    int send(const std::vector<Sample>& samples, std::optional<long long> at_ns, std::size_t piece = 1'000'000,
             bool end = true) {
        for (std::size_t done = 0; done < samples.size();) {
            const std::size_t count = std::min({samples.size() - done, piece, device->getStreamMTU(tx)});
            int flags = done == 0 && at_ns ? SOAPY_SDR_HAS_TIME : 0;
            flags |= end && done + count == samples.size() ? SOAPY_SDR_END_BURST : 0;
            const void* const buffers[] = {samples.data() + done};
            const int taken = device->writeStream(tx, buffers, count, flags, at_ns.value_or(0), 0);
            if (taken < 0) {
                return -1;
            }
            done += static_cast<std::size_t>(taken);
        }
        return 0;
    }
    struct Status {
        int code = 0, flags = 0;
        long long time_ns = 0;
    };
    Status status() {
        Status out;
        std::size_t channels = 0;
        out.code = device->readStreamStatus(tx, channels, out.flags, out.time_ns, 0);
        return out;
    }

    std::unique_ptr<SoapySDR::Device> device;
    SoapySDR::Stream* rx = nullptr;
    SoapySDR::Stream* tx = nullptr;
    Read last;

private:
    SteppedAir& air_;
    std::size_t index_;
    meshair::VirtualRadio* radio_ = nullptr;
};

inline std::vector<Sample> random_samples(std::size_t count, std::uint64_t seed, float rms = 0.25F) {
    Rng rng(seed);
    std::vector<Sample> out(count);
    for (Sample& s : out) {
        s = std::polar(rms, static_cast<float>(2.0 * 3.14159265358979 * rng.uniform()));
    }
    return out;
}

inline double power_db(const std::vector<Sample>& samples) {
    double sum = 0.0;
    for (const Sample& s : samples) {
        sum += std::norm(s);
    }
    return 10.0 * std::log10(sum / static_cast<double>(samples.size()) + 1e-30);
}

/// Where in `heard`, within `reach` of `about`, the signal `sent` begins: the greatest correlation, and its size
/// relative to a perfect copy.
inline std::pair<std::size_t, double> find(const std::vector<Sample>& sent, const std::vector<Sample>& heard,
                                           std::size_t about, std::size_t reach = 100) {
    std::pair<std::size_t, double> best{0, 0.0};
    double own = 0.0;
    for (const Sample& s : sent) {
        own += std::norm(s);
    }
    for (std::size_t at = about - std::min(about, reach); at <= about + reach && at + sent.size() <= heard.size();
         ++at) {
        std::complex<double> sum{};
        double energy = 1e-30;
        for (std::size_t i = 0; i < sent.size(); ++i) {
            sum += std::complex<double>(heard[at + i]) * std::conj(std::complex<double>(sent[i]));
            energy += std::norm(heard[at + i]);
        }
        const double likeness = std::abs(sum) / std::sqrt(energy * own);
        if (likeness > best.second) {
            best = {at, likeness};
        }
    }
    return best;
}

/// A tone of 1/64 of the sample rate.
inline std::vector<Sample> tone(std::size_t count, float amplitude = 0.25F) {
    std::vector<Sample> out(count);
    for (std::size_t i = 0; i < count; ++i) {
        out[i] = std::polar(amplitude, static_cast<float>(i % 64) * 0.098174770F);
    }
    return out;
}

/// Samples of `heard` from `from_ns` to `until_ns`.
inline std::vector<Sample> between(const TestRadio::Read& heard, double rate_hz, double from_ns, double until_ns) {
    const auto place = [&](double ns) {
        const double at = (ns - static_cast<double>(heard.time_ns)) * rate_hz * 1e-9;
        return static_cast<std::ptrdiff_t>(std::clamp(at, 0.0, static_cast<double>(heard.samples.size())));
    };
    return {heard.samples.begin() + place(from_ns), heard.samples.begin() + place(until_ns)};
}

}  // namespace meshnet::test

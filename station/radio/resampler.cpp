// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/radio/resampler.hpp"

#include <cmath>
#include <complex>
#include <cstdint>
#include <string>
#include <utility>

#include <liquid/liquid.h>

namespace meshnet::station {

namespace {

constexpr unsigned kSemiLength = 24;  // taps on either side, in samples of the input
constexpr float kStopBandDb = 60.0F;
constexpr double kMaxTerm = 20'000;

/// The first convergent of the continued fraction within 0.01 ppm, or the last with terms up to kMaxTerm: within 50 ppm
/// of any ratio, less than clocks differ.
std::pair<std::uint64_t, std::uint64_t> ratio_of(double ratio) {
    constexpr double kExact = 1e-8;
    std::uint64_t p = 1, p_before = 0, q = 0, q_before = 1;
    double rest = ratio;
    for (int i = 0; i < 40; ++i) {
        const double whole = std::floor(rest + kExact);
        const double next_p = whole * static_cast<double>(p) + static_cast<double>(p_before);
        const double next_q = whole * static_cast<double>(q) + static_cast<double>(q_before);
        if (next_p > kMaxTerm || next_q > kMaxTerm) {
            break;
        }
        p_before = std::exchange(p, static_cast<std::uint64_t>(next_p));
        q_before = std::exchange(q, static_cast<std::uint64_t>(next_q));
        if (p > 0 && std::abs(next_p / next_q - ratio) <= kExact * ratio) {
            break;
        }
        rest = 1.0 / (rest - whole);
    }
    return {p, q};
}

struct Destroy {
    void operator()(rresamp_crcf q) const { rresamp_crcf_destroy(q); }
};

}  // namespace

struct Resampler::Impl {
    std::unique_ptr<rresamp_crcf_s, Destroy> filter;  // none: nothing to do
    std::size_t block_in = 1, block_out = 1;
    std::vector<phy::Sample> pending;
    std::vector<phy::Sample> block;
};

Resampler::Resampler(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Resampler::~Resampler() = default;
Resampler::Resampler(Resampler&&) noexcept = default;
Resampler& Resampler::operator=(Resampler&&) noexcept = default;

Result<Resampler> Resampler::create(double in_hz, double out_hz) {
    auto impl = std::make_unique<Impl>();
    if (in_hz == out_hz) {
        return Resampler(std::move(impl));
    }
    const auto [p, q] = ratio_of(out_hz / in_hz);
    if (p == 0 || q == 0) {
        return Error{ErrorCode::kInvalidArgument,
                     "no resampler from " + std::to_string(in_hz) + " Hz to " + std::to_string(out_hz) + " Hz"};
    }
    // liquid counts the band in cycles per sample of the filter's input: half of the narrower rate.
    const float band = p > q ? 0.5F : 0.5F * static_cast<float>(p) / static_cast<float>(q);
    // When the rate falls the filter must span as much time as its narrower band asks for.
    const auto semi =
        static_cast<unsigned>(kSemiLength * std::ceil(p > q ? 1.0 : static_cast<double>(q) / static_cast<double>(p)));
    impl->filter.reset(
        rresamp_crcf_create_kaiser(static_cast<unsigned>(p), static_cast<unsigned>(q), semi, band, kStopBandDb));
    if (!impl->filter) {
        return Error{ErrorCode::kInvalidArgument,
                     "no resampler for the ratio " + std::to_string(p) + "/" + std::to_string(q)};
    }
    rresamp_crcf_set_scale(impl->filter.get(), 2.0F * band);  // a tone keeps its amplitude
    impl->block_in = static_cast<std::size_t>(q);
    impl->block_out = static_cast<std::size_t>(p);
    impl->block.resize(impl->block_out);
    return Resampler(std::move(impl));
}

void Resampler::process(std::span<const phy::Sample> in, std::vector<phy::Sample>& out) {
    if (!impl_->filter) {
        out.insert(out.end(), in.begin(), in.end());
        return;
    }
    auto& pending = impl_->pending;
    pending.insert(pending.end(), in.begin(), in.end());
    std::size_t used = 0;
    for (; pending.size() - used >= impl_->block_in; used += impl_->block_in) {
        rresamp_crcf_execute(impl_->filter.get(), pending.data() + used, impl_->block.data());
        out.insert(out.end(), impl_->block.begin(), impl_->block.end());
    }
    pending.erase(pending.begin(), pending.begin() + static_cast<std::ptrdiff_t>(used));
}

void Resampler::flush(std::vector<phy::Sample>& out) {
    if (impl_->filter) {
        const std::vector<phy::Sample> zeros(2 * rresamp_crcf_get_delay(impl_->filter.get()) + 2 * impl_->block_in);
        process(zeros, out);
    }
}

void Resampler::reset() {
    if (impl_->filter) {
        rresamp_crcf_reset(impl_->filter.get());
        impl_->pending.clear();
    }
}

double Resampler::delay_samples() const noexcept {
    return impl_->filter ? static_cast<double>(rresamp_crcf_get_delay(impl_->filter.get())) : 0.0;
}

}  // namespace meshnet::station

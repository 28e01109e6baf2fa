// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/radio/resampler.hpp"

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstdint>
#include <string>
#include <utility>

#include <liquid/liquid.h>

namespace meshnet::station {

namespace {

constexpr unsigned kSemiLength = 24;  // taps on either side, in samples of the narrower rate
// Of the filters that change the rate by a whole number: they leave the band's edge alone, from a quarter of their own
// narrower rate to three quarters it may fall.
constexpr unsigned kWholeSemiLength = 5;
// From this ratio on it is done in two steps: the sharp filter runs at no more than twice to four times the narrow
// rate.
constexpr double kTwoSteps = 4.0;
constexpr float kStopBandDb = 60.0F;
constexpr double kMaxTerm = 20'000;
constexpr double kMostRatio = 20'000.0;

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

/// One filter that changes the rate, in blocks.
class Stage {
public:
    Stage() = default;
    Stage(const Stage&) = delete;
    Stage& operator=(const Stage&) = delete;
    virtual ~Stage() = default;

    void process(std::span<const phy::Sample> in, std::vector<phy::Sample>& out) {
        pending_.insert(pending_.end(), in.begin(), in.end());
        std::size_t used = 0;
        for (; pending_.size() - used >= block_in_; used += block_in_) {
            execute(pending_.data() + used, block_.data());
            out.insert(out.end(), block_.begin(), block_.end());
        }
        pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(used));
    }
    void reset() {
        pending_.clear();
        clear();
    }
    /// In input samples.
    [[nodiscard]] virtual double delay() const = 0;
    [[nodiscard]] std::size_t block_in() const { return block_in_; }
    /// Output samples per input sample.
    [[nodiscard]] double ratio() const { return static_cast<double>(block_.size()) / static_cast<double>(block_in_); }

protected:
    void set_blocks(std::size_t in, std::size_t out) {
        block_in_ = in;
        block_.resize(out);
    }
    virtual void execute(phy::Sample* in, phy::Sample* out) = 0;
    virtual void clear() = 0;

private:
    std::size_t block_in_ = 1;
    std::vector<phy::Sample> pending_, block_;
};

/// By p/q, sharp at the edge of the narrower rate.
class RationalStage final : public Stage {
public:
    RationalStage(unsigned p, unsigned q, double edge) {
        // liquid counts the band in cycles per sample of the filter's input: half of the narrower rate.
        const auto band = static_cast<float>(p > q ? edge : edge * static_cast<double>(p) / static_cast<double>(q));
        // When the rate falls the filter must span as much time as its narrower band asks for.
        const auto semi = static_cast<unsigned>(
            kSemiLength * std::ceil(p > q ? 1.0 : static_cast<double>(q) / static_cast<double>(p)));
        filter_.reset(rresamp_crcf_create_kaiser(p, q, semi, band, kStopBandDb));
        if (filter_) {
            rresamp_crcf_set_scale(filter_.get(), 2.0F * band);  // a tone keeps its amplitude
        }
        set_blocks(q, p);
    }
    [[nodiscard]] bool ok() const { return filter_ != nullptr; }
    [[nodiscard]] double delay() const override { return static_cast<double>(rresamp_crcf_get_delay(filter_.get())); }

private:
    struct Destroy {
        void operator()(rresamp_crcf q) const { rresamp_crcf_destroy(q); }
    };
    void execute(phy::Sample* in, phy::Sample* out) override { rresamp_crcf_execute(filter_.get(), in, out); }
    void clear() override { rresamp_crcf_reset(filter_.get()); }
    std::unique_ptr<rresamp_crcf_s, Destroy> filter_;
};

/// Low pass with its edge at half of the narrower rate of a change by `m`, taps that add up to `sum`.
std::vector<float> whole_taps(unsigned m, float sum) {
    std::vector<float> taps(2 * std::size_t{kWholeSemiLength} * m + 1);
    liquid_firdes_kaiser(static_cast<unsigned>(taps.size()), 0.5F / static_cast<float>(m), kStopBandDb, 0.0F,
                         taps.data());
    float total = 0.0F;
    for (const float tap : taps) {
        total += tap;
    }
    for (float& tap : taps) {
        tap *= sum / total;
    }
    return taps;
}

class DecimationStage final : public Stage {
public:
    explicit DecimationStage(unsigned m) : m_(m) {
        auto taps = whole_taps(m, 1.0F);
        filter_.reset(firdecim_crcf_create(m, taps.data(), static_cast<unsigned>(taps.size())));
        set_blocks(m, 1);
    }
    [[nodiscard]] double delay() const override { return static_cast<double>(kWholeSemiLength * m_); }

private:
    struct Destroy {
        void operator()(firdecim_crcf q) const { firdecim_crcf_destroy(q); }
    };
    void execute(phy::Sample* in, phy::Sample* out) override { firdecim_crcf_execute(filter_.get(), in, out); }
    void clear() override { firdecim_crcf_reset(filter_.get()); }
    unsigned m_;
    std::unique_ptr<firdecim_crcf_s, Destroy> filter_;
};

class InterpolationStage final : public Stage {
public:
    explicit InterpolationStage(unsigned m) {
        auto taps = whole_taps(m, static_cast<float>(m));
        filter_.reset(firinterp_crcf_create(m, taps.data(), static_cast<unsigned>(taps.size())));
        set_blocks(1, m);
    }
    [[nodiscard]] double delay() const override { return static_cast<double>(kWholeSemiLength); }

private:
    struct Destroy {
        void operator()(firinterp_crcf q) const { firinterp_crcf_destroy(q); }
    };
    void execute(phy::Sample* in, phy::Sample* out) override { firinterp_crcf_execute(filter_.get(), *in, out); }
    void clear() override { firinterp_crcf_reset(filter_.get()); }
    std::unique_ptr<firinterp_crcf_s, Destroy> filter_;
};

}  // namespace

struct Resampler::Impl {
    std::vector<std::unique_ptr<Stage>> stages;  // none: nothing to do
    std::vector<phy::Sample> between;
};

Resampler::Resampler(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Resampler::~Resampler() = default;
Resampler::Resampler(Resampler&&) noexcept = default;
Resampler& Resampler::operator=(Resampler&&) noexcept = default;

Result<Resampler> Resampler::create(double in_hz, double out_hz, double edge) {
    auto impl = std::make_unique<Impl>();
    if (in_hz == out_hz) {
        return Resampler(std::move(impl));
    }
    const double ratio = out_hz / in_hz;
    const double wider = std::max(ratio, 1.0 / ratio);
    const auto whole = static_cast<unsigned>(wider >= kTwoSteps ? std::floor(0.5 * wider) : 1.0);
    const double rest = ratio > 1.0 ? ratio / whole : ratio * whole;
    const auto [p, q] = ratio_of(rest);
    std::unique_ptr<RationalStage> sharp;
    if (p != 0 && q != 0 && wider < kMostRatio) {
        sharp = std::make_unique<RationalStage>(static_cast<unsigned>(p), static_cast<unsigned>(q), edge);
    }
    if (!sharp || !sharp->ok()) {
        return Error{ErrorCode::kInvalidArgument,
                     "no resampler from " + std::to_string(in_hz) + " Hz to " + std::to_string(out_hz) + " Hz"};
    }
    if (whole > 1 && ratio < 1.0) {
        impl->stages.push_back(std::make_unique<DecimationStage>(whole));
    }
    impl->stages.push_back(std::move(sharp));
    if (whole > 1 && ratio > 1.0) {
        impl->stages.push_back(std::make_unique<InterpolationStage>(whole));
    }
    return Resampler(std::move(impl));
}

void Resampler::process(std::span<const phy::Sample> in, std::vector<phy::Sample>& out) {
    auto& stages = impl_->stages;
    if (stages.empty()) {
        out.insert(out.end(), in.begin(), in.end());
    } else if (stages.size() == 1) {
        stages.front()->process(in, out);
    } else {
        impl_->between.clear();
        stages.front()->process(in, impl_->between);
        stages.back()->process(impl_->between, out);
    }
}

void Resampler::flush(std::vector<phy::Sample>& out) {
    if (impl_->stages.empty()) {
        return;
    }
    double blocks = 0.0, rate = 1.0;
    for (const auto& stage : impl_->stages) {
        blocks += 2.0 * static_cast<double>(stage->block_in()) / rate;
        rate *= stage->ratio();
    }
    const std::vector<phy::Sample> zeros(static_cast<std::size_t>(std::ceil(2.0 * delay_samples() + blocks)));
    process(zeros, out);
}

void Resampler::reset() {
    for (const auto& stage : impl_->stages) {
        stage->reset();
    }
}

double Resampler::delay_samples() const noexcept {
    double delay = 0.0, rate = 1.0;
    for (const auto& stage : impl_->stages) {
        delay += stage->delay() / rate;
        rate *= stage->ratio();
    }
    return delay;
}

}  // namespace meshnet::station

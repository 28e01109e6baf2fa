// SPDX-License-Identifier: MIT
#include "phy/demodulation/frame_demodulator.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <numbers>

#include "phy/dsp/carrier_rotation.hpp"

namespace meshnet::phy {
namespace {

constexpr double kTwoPi = 2.0 * std::numbers::pi;
constexpr std::size_t kMaxTraining = 64;

// Process noise per symbol, from what real oscillators do. Phase: a Wiener walk of 0.2 Hz linewidth. Frequency: a walk
// that follows a LEO pass, 500 Hz/s. Time: clocks that wander by 0.02 ppm per symbol.
DriftFilter::Noise phase_noise(const Profile& p) {
    const double t = static_cast<double>(p.symbol_samples()) / p.sample_rate_hz;
    const double drift = kTwoPi * 500.0 * t * t;
    return {kTwoPi * 0.2 * t, drift * drift};
}
DriftFilter::Noise time_noise(const Profile& p) {
    const double walk = 0.02e-6 * static_cast<double>(p.symbol_samples());
    return {1e-9, walk * walk};
}

const float* parts(const Sample* values) noexcept {
    return reinterpret_cast<const float*>(values);
}
float* parts(Sample* values) noexcept {
    return reinterpret_cast<float*>(values);
}

// What was sent on `count` carriers, and the power the channel gave each. Real and imaginary parts apart or in turn, as
// compilers need it to work on several carriers at once.
void equalise(std::size_t count, const float* heard, const float* channel, const float* back_re, const float* back_im,
              float* __restrict points, float* __restrict power) noexcept {
    for (std::size_t c = 0; c < count; ++c) {
        const std::size_t re = 2 * c;
        const std::size_t im = 2 * c + 1;
        const float gain = channel[re] * channel[re] + channel[im] * channel[im] + 1e-30F;
        const float scale = 1.0F / gain;
        const float x = (heard[re] * channel[re] + heard[im] * channel[im]) * scale;
        const float y = (heard[im] * channel[re] - heard[re] * channel[im]) * scale;
        points[re] = x * back_re[c] - y * back_im[c];
        points[im] = x * back_im[c] + y * back_re[c];
        power[c] = gain;
    }
}

// Adds the LLRs of `count` points, no more than the block still takes; true if it is complete.
template <unsigned kBits>
bool add_points(BlockAssembly& assembly, const float* llr, std::size_t count) noexcept {
    bool complete = false;
    for (std::size_t i = 0; i < count; ++i) {
        if (assembly.bits_per_symbol != kBits) {
            __builtin_unreachable();  // lets the compiler write out the bits of a point one by one
        }
        complete = assembly.add(llr + i * kBits);
    }
    return complete;
}
bool add_points(BlockAssembly& assembly, const float* llr, std::size_t count) noexcept {
    switch (assembly.bits_per_symbol) {
        case 2:
            return add_points<2>(assembly, llr, count);
        case 4:
            return add_points<4>(assembly, llr, count);
        case 6:
            return add_points<6>(assembly, llr, count);
        default:
            return add_points<8>(assembly, llr, count);
    }
}

std::size_t prefix_backoff(const Profile& p) {
    return p.cyclic_prefix / 4;
}

}  // namespace

DemodulatorShared::DemodulatorShared(const Profile& profile, std::unique_ptr<EstimationStrategy> estimation)
    : grid(profile),
      training(grid),
      tracker(grid),
      time_varying(grid),
      transform(grid),
      strategy(std::move(estimation)) {
    training_rows.resize(kMaxTraining * profile.carriers);
    channel.resize(profile.carriers);
    rotation_re.resize(profile.carriers);
    rotation_im.resize(profile.carriers);
    points.resize(profile.carriers);
    power.resize(profile.carriers);
    llr.resize(profile.carriers * 8);
    for (const unsigned bits : {2U, 4U, 6U, 8U}) {
        constellations.emplace_back(bits);
    }
}

FrameDemodulator::FrameDemodulator(DemodulatorShared& shared) : shared_(shared), record_(shared.grid) {
    const std::size_t k = shared.grid.carriers();
    training_response_.resize(k);
    reference_.h.resize(k);
    reference_power_.resize(k);
    window_state_.h.resize(k);
    next_window_state_.h.resize(k);
    const std::size_t groups = (kWindow + kLookahead) / ChannelTracker::kGroup + 2;
    groups_.resize(groups);
    group_end_.resize(groups);
    group_noise_.resize(groups);
    for (auto* g : {&newest_group_, &previous_group_}) {
        g->measured.resize(k);
        g->filtered.resize(k);
    }
    for (auto& g : groups_) {
        g.measured.resize(k);
        g.filtered.resize(k);
    }
    rows_.resize((kWindow + kLookahead) * k);
    tracks_.resize(kWindow + kLookahead);
    smooth_phase_.resize(kWindow + kLookahead);
    smooth_time_.resize(kWindow + kLookahead);
    header_llr_.resize(kHeaderCodedBits);
}

void FrameDemodulator::start(const FrameStart& start) {
    start_ = start;
    state_ = State::kTraining;
    cfo_ = start.cfo_cycles_per_sample;
    origin_ = start.sample_index;
    timing_shift_ = 0;
    retimed_ = false;
    dense_ = class_params(shared_.grid.profile(), start.preamble).dense_pilots;
    symbols_received_ = 0;
    header_symbols_ = header_symbols(shared_.grid, start.preamble);
    header_.reset();
    layout_.reset();
    window_shift_ = 0;
    pilot_error_ = 0.0;
    pilot_count_ = 0;
    residual_interference_ = 0.0F;
    motion_.reset();
    record_.clear();
    time_varying_ = false;
    known_header_.reset();
    previous_group_.whole = false;
    row_count_ = 0;
    first_row_symbol_ = 0;
    std::fill(header_llr_.begin(), header_llr_.end(), 0.0F);
    frame_ = {};
}

Frame FrameDemodulator::take() {
    state_ = State::kIdle;
    return std::move(frame_);
}

std::uint64_t FrameDemodulator::window_start(std::size_t symbol) const noexcept {
    const auto& p = shared_.grid.profile();
    const auto params = class_params(shared_.grid.profile(), start_.preamble);
    const std::int64_t at = static_cast<std::int64_t>(origin_) + 2 * static_cast<std::int64_t>(params.chirp_samples) +
                            static_cast<std::int64_t>((params.training_symbols + symbol) * p.symbol_samples()) +
                            static_cast<std::int64_t>(p.cyclic_prefix - prefix_backoff(p)) + window_shift_;
    return static_cast<std::uint64_t>(std::max<std::int64_t>(at, 0));
}

std::uint64_t FrameDemodulator::wanted() const noexcept {
    const std::uint64_t margin = shared_.grid.profile().fft_size;
    if (state_ == State::kTraining) {
        return origin_ > margin ? origin_ - margin : 0;
    }
    const std::uint64_t at = window_start(symbols_received_);
    return at > margin ? at - margin : 0;
}

std::optional<std::uint64_t> FrameDemodulator::end_index() const noexcept {
    if (!header_ || !layout_) {
        return std::nullopt;
    }
    const auto& p = shared_.grid.profile();
    const auto params = class_params(shared_.grid.profile(), start_.preamble);
    return start_.sample_index + 2 * params.chirp_samples +
           (params.training_symbols + header_symbols_ + layout_->symbols()) * p.symbol_samples();
}

void FrameDemodulator::advance(const SampleRing& ring, unsigned max_iterations) {
    while (state_ == State::kTraining || state_ == State::kHeader || state_ == State::kData) {
        if (state_ == State::kTraining) {
            if (!receive_training(ring)) {
                return;
            }
            continue;
        }
        if (!receive_symbol(ring)) {
            return;
        }
        if (state_ == State::kHeader) {
            if (symbols_received_ == header_symbols_) {
                decode_header(row_count_);
            } else if (row_count_ == kWindow + kLookahead) {
                decode_header(kWindow);
            }
        } else if (symbols_received_ == header_symbols_ + layout_->symbols()) {
            emit_rows(row_count_, max_iterations);
            finish();
        } else if (row_count_ == kWindow + kLookahead) {
            emit_rows(kWindow - (first_row_symbol_ + kWindow) % ChannelTracker::kGroup, max_iterations);
        }
    }
}

TransformWindow FrameDemodulator::window(std::uint64_t first) const noexcept {
    return {first, start_.sample_index, cfo_};
}

void FrameDemodulator::transform(const SampleRing& ring, std::uint64_t first, std::span<Sample> carriers) {
    shared_.transform.run(ring, window(first), carriers);
}

bool FrameDemodulator::receive_training(const SampleRing& ring) {
    const auto& grid = shared_.grid;
    const auto& p = grid.profile();
    const auto params = class_params(shared_.grid.profile(), start_.preamble);
    const std::size_t k = grid.carriers();
    const std::size_t m = params.training_symbols;
    const std::uint64_t reach = p.fft_size / 4 + p.symbol_samples();
    const std::uint64_t end = origin_ + 2 * params.chirp_samples + m * p.symbol_samples() + reach;
    if (ring.end() < end) {
        return false;
    }
    const std::span<Sample> rows(shared_.training_rows.data(), m * k);
    // Variance of the preamble's offset: a phase difference between two chirps of energy E each, L apart.
    const double l = static_cast<double>(params.chirp_samples);
    const double metric = std::clamp(static_cast<double>(start_.metric), 1e-6, 0.999);
    const double energy_to_noise = l * metric / (1.0 - metric);
    const double per_symbol = static_cast<double>(p.symbol_samples()) / l;
    const double prior = (1.0 / energy_to_noise + 1e-4) * per_symbol * per_symbol;
    for (int pass = 0; pass < 2; ++pass) {
        const std::int64_t first = static_cast<std::int64_t>(origin_) +
                                   2 * static_cast<std::int64_t>(params.chirp_samples) +
                                   static_cast<std::int64_t>(p.cyclic_prefix - prefix_backoff(p));
        if (first < static_cast<std::int64_t>(ring.begin())) {
            state_ = State::kLost;
            return false;
        }
        for (std::size_t s = 0; s < m; ++s) {
            transform(ring, static_cast<std::uint64_t>(first) + s * p.symbol_samples(), rows.subspan(s * k, k));
        }
        estimate_ = shared_.training.run(rows, prior, reference_.h);
        if (estimate_.timing_shift == 0 || pass == 1) {
            break;
        }
        // The paths do not fit the window: move it, keeping the main path's earlier half of the prefix free.
        const std::int64_t moved = static_cast<std::int64_t>(origin_) + estimate_.timing_shift;
        if (moved < static_cast<std::int64_t>(ring.begin())) {
            break;
        }
        origin_ = static_cast<std::uint64_t>(moved);
        timing_shift_ = estimate_.timing_shift;
    }

    // From here on the tracker knows the rest of the offset as a drift; the reference phase is that of the training's
    // middle.
    const double symbol = static_cast<double>(p.symbol_samples());
    cfo_ += estimate_.drift / (kTwoPi * symbol);
    // Removing the drift in the oscillator rotates the reference by what the oscillator now adds up to the training's
    // middle.
    const double middle_window = static_cast<double>(static_cast<std::int64_t>(window_start(0)) -
                                                     static_cast<std::int64_t>(start_.sample_index)) -
                                 symbol * (static_cast<double>(m) + 1.0) / 2.0;
    const double radians = -estimate_.drift / symbol * middle_window;
    const Sample rotation(static_cast<float>(std::cos(radians)), static_cast<float>(std::sin(radians)));
    for (std::size_t c = 0; c < k; ++c) {
        reference_.h[c] *= rotation;
        reference_power_[c] = std::norm(reference_.h[c]);
    }
    std::copy(reference_.h.begin(), reference_.h.end(), training_response_.begin());
    reference_.error = static_cast<double>(estimate_.channel_error);
    reference_.symbol = -(static_cast<double>(m) + 1.0) / 2.0;
    window_state_ = reference_;
    const double distance =
        (static_cast<double>(m) + 1.0) / 2.0 - 1.0;  // symbols from the middle to just before symbol 0
    phase_ = DriftFilter(phase_noise(p), true);
    DriftFilter::State state;
    state.dd = estimate_.drift_variance + 1e-8;
    state.vv = estimate_.phase_variance + distance * distance * state.dd;
    state.vd = distance * state.dd;
    phase_.start(state);
    time_ = DriftFilter(time_noise(p));
    const double clock = 60e-6 * symbol;
    state = {};
    state.dd = clock * clock;
    state.vv = 1e-4 + distance * distance * state.dd;
    state.vd = distance * state.dd;
    time_.start(state);
    state_ = State::kHeader;
    return true;
}

bool FrameDemodulator::receive_symbol(const SampleRing& ring) {
    const std::size_t k = shared_.grid.carriers();
    const std::uint64_t first = window_start(symbols_received_);
    const std::size_t n = shared_.grid.profile().fft_size;
    if (ring.end() < first + n) {
        return false;
    }
    if (first < ring.begin()) {
        state_ = State::kLost;
        return false;
    }
    transform(ring, first, std::span<Sample>(rows_).subspan(row_count_ * k, k));
    track(row_count_, symbols_received_);
    if (symbols_received_ % ChannelTracker::kGroup == ChannelTracker::kGroup - 1) {
        follow_channel(row_count_, symbols_received_);
    }
    ++row_count_;
    ++symbols_received_;
    return true;
}

void FrameDemodulator::drop_rows(std::size_t rows) {
    const std::size_t k = shared_.grid.carriers();
    std::copy(rows_.begin() + static_cast<std::ptrdiff_t>(rows * k),
              rows_.begin() + static_cast<std::ptrdiff_t>(row_count_ * k), rows_.begin());
    std::copy(tracks_.begin() + static_cast<std::ptrdiff_t>(rows),
              tracks_.begin() + static_cast<std::ptrdiff_t>(row_count_), tracks_.begin());
    row_count_ -= rows;
    first_row_symbol_ += rows;
    std::swap(window_state_, next_window_state_);
}

// LLRs of the data points of one row, in carrier order.
void FrameDemodulator::equalise_row(std::size_t row, std::size_t symbol, const Constellation& constellation, float* llr,
                                    bool show) {
    const auto& grid = shared_.grid;
    const std::size_t k = grid.carriers();
    const Sample* y = &rows_[row * k];
    const double per_carrier = kTwoPi / static_cast<double>(grid.profile().fft_size);
    const double phase = smooth_phase_[row].value;
    const double time = smooth_time_[row].value - tracks_[row].shift;
    std::size_t group = 0;
    while (group_end_[group] <= row) {
        ++group;
    }
    const std::span<Sample> channel(shared_.channel);
    if (time_varying_) {
        shared_.time_varying.response(static_cast<double>(symbol), channel);
    } else {
        interpolate_channel(row, channel);
    }
    const auto first = static_cast<std::int64_t>(window_start(symbol)) + tracks_[row].shift - window_shift_;
    SymbolEstimate estimate{
        symbol, window(static_cast<std::uint64_t>(first)), phase, time, channel, 1.0F / group_noise_[group]};
    shared_.strategy->refine(estimate);
    const std::size_t half = k / 2;
    const std::span<float> back_re(shared_.rotation_re);
    const std::span<float> back_im(shared_.rotation_im);
    CarrierRotation back(-phase, per_carrier * time);
    back.fill(grid.subcarrier(0), back_re.first(half), back_im.first(half));
    back.fill(grid.subcarrier(half), back_re.subspan(half), back_im.subspan(half));
    // Every carrier, pilots too: a plain loop over all of them is quicker than one that picks.
    equalise(k, parts(y), parts(channel.data()), back_re.data(), back_im.data(), parts(shared_.points.data()),
             shared_.power.data());
    const auto data = grid.data(symbol, dense_);
    shared_.strategy->demap(constellation, data, shared_.points, shared_.power, estimate.inverse_noise, llr);
    if (show && shared_.constellation_out != nullptr) {
        auto& shown = *shared_.constellation_out;
        for (std::size_t i = 0; i < data.size() && shown.size() < 4096; ++i) {
            shown.push_back(shared_.points[data[i]]);
        }
    }
}

// Inter-carrier interference (ICI) exceeds what the mode bears: 10 dB below what it needs. Source: P. Moose, "A
// technique for orthogonal frequency division multiplexing frequency offset correction", IEEE Trans. Commun. 42 (1994).
bool FrameDemodulator::offset_matters() const noexcept {
    const auto& p = shared_.grid.profile();
    const double subcarriers =
        residual_cfo_ / kTwoPi * static_cast<double>(p.fft_size) / static_cast<double>(p.symbol_samples());
    const double ici = std::pow(std::numbers::pi * subcarriers, 2.0) / 3.0;
    const double bearable = std::pow(10.0, -0.1 * (static_cast<double>(modes()[header_->mode].required_snr_db) + 10.0));
    return ici > bearable && std::abs(residual_cfo_) > 6.0 * cfo_deviation_;
}

// Adds the LLRs of the first `rows` rows to those of the header's coded bits.
void FrameDemodulator::collect_header(std::size_t rows) {
    const std::size_t per_symbol = shared_.grid.data_per_symbol(dense_);
    for (std::size_t r = 0; r < rows; ++r) {
        const std::size_t symbol = first_row_symbol_ + r;
        equalise_row(r, symbol, shared_.constellations[0], shared_.llr.data(), false);
        for (std::size_t i = 0; i < 2 * per_symbol; ++i) {
            header_llr_[HeaderCodec::coded_bit(symbol * 2 * per_symbol + i)] += shared_.llr[i];
        }
    }
}

void FrameDemodulator::decode_header(std::size_t rows) {
    prepare_rows(rows);
    collect_header(rows);
    const std::size_t per_symbol = shared_.grid.data_per_symbol(dense_);
    if (first_row_symbol_ + rows == header_symbols_) {
        header_ = shared_.header_codec.decode(header_llr_, start_.preamble);
        if (!header_ && !time_varying_ && first_row_symbol_ == 0) {
            time_varying_ = follow_motion(true);
            std::fill(header_llr_.begin(), header_llr_.end(), 0.0F);
            collect_header(rows);
            header_ = shared_.header_codec.decode(header_llr_, start_.preamble);
        }
        if (!header_) {
            header_ = shared_.strategy->header_without_decoding();
        }
        if (!header_) {
            header_ = known_header_;
        }
    }
    record_rows();
    if (header_ && time_varying_ && !known_header_ && first_row_symbol_ == 0 && offset_matters()) {
        // The training lay in a fade and took the offset wrong. Now that it is known better, once more.
        const auto header = header_;
        FrameStart again = start_;
        again.cfo_cycles_per_sample =
            cfo_ + residual_cfo_ / (kTwoPi * static_cast<double>(shared_.grid.profile().symbol_samples()));
        again.metric = 1.0F;
        start(again);
        known_header_ = header;
        return;
    }
    drop_rows(rows);
    if (first_row_symbol_ < header_symbols_) {
        return;
    }
    if (!header_) {
        state_ = State::kLost;
        return;
    }
    const Mode& mode = modes()[header_->mode];
    layout_.emplace(mode, header_->payload_bytes, per_symbol);
    frame_.mode = header_->mode;
    frame_.redundancy_version = header_->redundancy_version;
    frame_.payload.assign(header_->payload_bytes, 0);
    frame_.blocks.reserve(layout_->blocks());
    assembly_.block = 0;
    assembly_.begin_block(layout_->block_points(0), mode.bits_per_symbol);
    if (shared_.constellation_out != nullptr) {
        shared_.constellation_out->clear();
    }
    state_ = State::kData;
}

void FrameDemodulator::emit_rows(std::size_t rows, unsigned max_iterations) {
    prepare_rows(rows);
    const std::size_t per_symbol = shared_.grid.data_per_symbol(dense_);
    const Mode& mode = modes()[header_->mode];
    const auto& constellation = shared_.constellations[mode.bits_per_symbol / 2 - 1];
    for (std::size_t r = 0; r < rows; ++r) {
        equalise_row(r, first_row_symbol_ + r, constellation, shared_.llr.data(), true);
        for (std::size_t i = 0; i < per_symbol && assembly_.block < layout_->blocks();) {
            const std::size_t count = std::min(per_symbol - i, assembly_.total - assembly_.points);
            const bool complete = add_points(assembly_, &shared_.llr[i * mode.bits_per_symbol], count);
            i += count;
            if (!complete) {
                continue;
            }
            const std::size_t b = assembly_.block;
            const std::size_t offset = layout_->block_offset(b);
            auto block = shared_.decoder.decode(
                std::span<const float>(assembly_.llr).first(assembly_.total * mode.bits_per_symbol),
                header_->redundancy_version, max_iterations,
                std::span<std::uint8_t>(frame_.payload).subspan(offset, layout_->block_bytes(b)));
            block.offset = offset;
            frame_.blocks.push_back(block);
            if (++assembly_.block < layout_->blocks()) {
                assembly_.begin_block(layout_->block_points(assembly_.block), mode.bits_per_symbol);
            }
        }
    }
    drop_rows(rows);
}

void FrameDemodulator::finish() {
    const auto& p = shared_.grid.profile();
    const double symbol = static_cast<double>(p.symbol_samples());
    const double start = static_cast<double>(start_.fraction) < 0 ? start_.fraction + 1.0 : start_.fraction;
    frame_.sample_index =
        start_.fraction < 0 && start_.sample_index > 0 ? start_.sample_index - 1 : start_.sample_index;
    frame_.sample_fraction = static_cast<float>(start);
    frame_.length_samples = *end_index() - start_.sample_index;
    frame_.snr_db = 10.0F * std::log10(std::max(estimate_.signal / estimate_.noise, 1e-6F));
    frame_.cfo_hz = static_cast<float>((cfo_ + phase_.state().drift / (kTwoPi * symbol)) * p.sample_rate_hz);
    frame_.sfo_ppm = static_cast<float>(-time_.state().drift / symbol * 1e6);
    const double n = static_cast<double>(p.fft_size);
    const double power = static_cast<double>(estimate_.signal) * static_cast<double>(p.carriers) / (n * n);
    frame_.power_dbfs = static_cast<float>(10.0 * std::log10(std::max(power, 1e-20)));
    state_ = State::kDone;
}

}  // namespace meshnet::phy

// SPDX-License-Identifier: MIT
#include "phy/demodulation/frame_demodulator.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

namespace meshnet::phy {
namespace {

constexpr double kTwoPi = 2.0 * std::numbers::pi;
// Deviation of the rate at which a carrier offset may grow, Hz/s: a LEO at 550 km has 800 at 2.4 GHz, 1900 at 5.8 GHz.
constexpr double kDopplerRate = 1000.0;

std::size_t prefix_backoff(const Profile& p) {
    return p.cyclic_prefix / 4;
}

}  // namespace

FrameDemodulator::FrameDemodulator(DemodulatorShared& shared)
    : shared_(shared),
      rows_(shared.grid.carriers(), kBlock + kLookahead),
      tracker_(shared.grid, kBlock + kLookahead),
      channel_(shared, kBlock + kLookahead),
      payload_(shared) {}

void FrameDemodulator::start(const FrameStart& start) {
    start_ = start;
    state_ = State::kTraining;
    params_ = class_params(shared_.grid.profile(), start.preamble);
    cfo_ = start.cfo_cycles_per_sample;
    origin_ = start.sample_index;
    timing_shift_ = 0;
    header_symbols_ = header_symbols(shared_.grid.profile(), start.preamble);
    header_.reset();
    known_header_.reset();
    rows_.clear();
    tracker_.reset();
    channel_.reset();
    payload_.reset(params_.dense_pilots);
}

Frame FrameDemodulator::take() {
    state_ = State::kIdle;
    return std::move(payload_.frame());
}

// First sample of the window of the first training symbol; negative if the frame began before the stream.
std::int64_t FrameDemodulator::first_window() const noexcept {
    const auto& p = shared_.grid.profile();
    return static_cast<std::int64_t>(origin_) + 2 * static_cast<std::int64_t>(params_.chirp_samples) +
           static_cast<std::int64_t>(p.cyclic_prefix - prefix_backoff(p));
}

// The same of `symbol` (0: first one of the header), moved by `shift`, at least 0.
std::int64_t FrameDemodulator::window_start(std::size_t symbol, int shift) const noexcept {
    const std::size_t symbols = params_.training_symbols + symbol;
    const std::int64_t at =
        first_window() + static_cast<std::int64_t>(symbols * shared_.grid.profile().symbol_samples()) + shift;
    return std::max<std::int64_t>(at, 0);
}

TransformWindow FrameDemodulator::window(std::int64_t first, double drift) const noexcept {
    return {static_cast<std::uint64_t>(first), start_.sample_index, cfo_, drift, start_.inverted};
}

std::uint64_t FrameDemodulator::oldest_needed() const noexcept {
    const std::uint64_t margin = shared_.grid.profile().fft_size;
    const std::uint64_t at = state_ == State::kTraining
                                 ? origin_
                                 : static_cast<std::uint64_t>(window_start(symbols_received(), tracker_.next_shift()));
    return at > margin ? at - margin : 0;
}

std::optional<std::uint64_t> FrameDemodulator::end_index() const noexcept {
    if (!header_ || !payload_.begun()) {
        return std::nullopt;
    }
    return start_.sample_index + 2 * params_.chirp_samples +
           (params_.training_symbols + header_symbols_ + payload_.payload_symbols()) *
               shared_.grid.profile().symbol_samples();
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
            if (symbols_received() == header_symbols_) {
                decode_header(rows_.size());
            } else if (rows_.full()) {
                decode_header(kBlock);
            }
        } else if (symbols_received() == header_symbols_ + payload_.payload_symbols()) {
            decode_payload(rows_.size(), max_iterations);
            finish();
        } else if (rows_.full()) {
            decode_payload(kBlock - (rows_.first_symbol() + kBlock) % ChannelFollower::kGroup, max_iterations);
        }
    }
}

// Transforms the training symbols and estimates from them, once more if the window has to move. The response is left
// in shared_.channel. False if samples are gone.
bool FrameDemodulator::estimate_training(const SampleRing& ring) {
    const auto& p = shared_.grid.profile();
    const std::size_t k = shared_.grid.carriers();
    const std::size_t m = params_.training_symbols;
    const std::span<Sample> rows(shared_.training_rows.data(), m * k);
    // Variance of the preamble's offset: a phase difference between two chirps of energy E each, L apart.
    const double l = static_cast<double>(params_.chirp_samples);
    const double metric = std::clamp(static_cast<double>(start_.metric), 1e-6, 0.999);
    const double energy_to_noise = l * metric / (1.0 - metric);
    const double per_symbol = static_cast<double>(p.symbol_samples()) / l;
    const double symbol_seconds = static_cast<double>(p.symbol_samples()) / p.sample_rate_hz;
    const double rate = kTwoPi * kDopplerRate * symbol_seconds * symbol_seconds;
    TrainingEstimator::Prior prior;
    prior.drift_variance = (1.0 / energy_to_noise + 1e-4) * per_symbol * per_symbol;
    prior.rate_variance = rate * rate;
    // An offset found in the frame itself holds for its header.
    prior.distance = known_header_ ? 0.0 : l / static_cast<double>(p.symbol_samples()) + 0.5 * static_cast<double>(m);
    for (int pass = 0; pass < 2; ++pass) {
        const std::int64_t first = first_window();
        if (first < static_cast<std::int64_t>(ring.begin())) {
            return false;
        }
        for (std::size_t s = 0; s < m; ++s) {
            shared_.transform.run(ring, window(first + static_cast<std::int64_t>(s * p.symbol_samples())),
                                  rows.subspan(s * k, k));
        }
        training_ = shared_.training.run(rows, prior, shared_.channel);
        if (training_.timing_shift == 0 || pass == 1) {
            break;
        }
        // The paths do not fit the window: move it, keeping the main path's earlier half of the prefix free.
        const std::int64_t moved = static_cast<std::int64_t>(origin_) + training_.timing_shift;
        if (moved < static_cast<std::int64_t>(ring.begin())) {
            break;
        }
        origin_ = static_cast<std::uint64_t>(moved);
        timing_shift_ = training_.timing_shift;
    }
    return true;
}

bool FrameDemodulator::receive_training(const SampleRing& ring) {
    const auto& p = shared_.grid.profile();
    const std::size_t m = params_.training_symbols;
    const std::uint64_t reach = p.fft_size / 4 + p.symbol_samples();
    const std::uint64_t end = origin_ + 2 * params_.chirp_samples + m * p.symbol_samples() + reach;
    if (ring.end() < end) {
        return false;
    }
    if (!estimate_training(ring)) {
        state_ = State::kLost;
        return false;
    }
    // From here on the oscillator removes the residual offset too; the reference phase is that of the training's
    // middle. That rotates the reference by what the oscillator now adds up to there.
    const double symbol = static_cast<double>(p.symbol_samples());
    cfo_ += training_.drift / (kTwoPi * symbol);
    const double middle_window =
        static_cast<double>(window_start(0, 0) - static_cast<std::int64_t>(start_.sample_index)) -
        symbol * (static_cast<double>(m) + 1.0) / 2.0;
    const double angle = -training_.drift / symbol * middle_window;
    const Sample rotation(static_cast<float>(std::cos(angle)), static_cast<float>(std::sin(angle)));
    for (Sample& h : shared_.channel) {
        h *= rotation;
    }
    channel_.start(training_, shared_.channel, m, params_.dense_pilots);
    tracker_.start(training_, m, params_.dense_pilots);
    bursts_.start(training_.signal + training_.noise, symbol / p.sample_rate_hz);
    state_ = State::kHeader;
    return true;
}

bool FrameDemodulator::receive_symbol(const SampleRing& ring) {
    const std::size_t symbol = symbols_received();
    const std::int64_t first = window_start(symbol, tracker_.next_shift());
    const auto begin = static_cast<std::uint64_t>(first);
    if (ring.end() < begin + shared_.grid.profile().fft_size) {
        return false;
    }
    if (begin < ring.begin()) {
        state_ = State::kLost;
        return false;
    }
    const std::span<Sample> carriers = rows_.push();
    shared_.transform.run(ring, window(first, tracker_.next_oscillator()), carriers);
    float power = 0.0F;
    for (const Sample& c : carriers) {
        power += std::norm(c);
    }
    auto innovation = tracker_.predict(carriers, symbol, channel_.reference(), channel_.reference_power());
    const float excess =
        bursts_.excess(power / static_cast<float>(carriers.size()), channel_.is_hit(innovation.mean_error));
    if (excess > 0.0F) {
        tracker_.skip(excess);
        channel_.predict_pilots(rows_, tracker_);
        innovation.error = 0.0;
    } else {
        tracker_.take(innovation);
    }
    channel_.add(rows_, tracker_, innovation.error);
    return true;
}

void FrameDemodulator::drop_rows(std::size_t rows) {
    rows_.drop(rows);
    tracker_.drop(rows);
    channel_.drop();
}

SymbolEstimate FrameDemodulator::estimate_of(std::size_t row) {
    const std::size_t symbol = rows_.first_symbol() + row;
    const std::span<Sample> channel(shared_.channel);
    channel_.response(row, channel);
    return {symbol,
            window(window_start(symbol, tracker_.shift(row)), tracker_.oscillator(row)),
            tracker_.phase(row),
            tracker_.time(row),
            channel,
            1.0F / channel_.noise(row)};
}

void FrameDemodulator::collect_header(std::size_t rows) {
    for (std::size_t r = 0; r < rows; ++r) {
        SymbolEstimate estimate = estimate_of(r);
        payload_.add_header_symbol(rows_.carriers(r), estimate);
    }
}

// The header, all of whose symbols were collected; the first `rows` rows are the last of them.
std::optional<Header> FrameDemodulator::find_header(std::size_t rows) {
    auto header = payload_.decode_header(start_.preamble);
    if (!header && !channel_.time_varying() && rows_.first_symbol() == 0) {
        // The channel may vary faster than the pilots of so few symbols show: once more with the other estimator.
        channel_.force_time_varying(rows_, tracker_);
        payload_.clear_header();
        collect_header(rows);
        header = payload_.decode_header(start_.preamble);
    }
    if (!header) {
        header = shared_.strategy->header_without_decoding();
    }
    return header ? header : known_header_;
}

// The residual offset causes more inter-carrier interference (ICI) than the mode bears: 10 dB below what it needs.
// Source: P. Moose, "A technique for orthogonal frequency division multiplexing frequency offset correction", IEEE
// Trans. Commun. 42 (1994).
bool FrameDemodulator::offset_matters() const noexcept {
    const auto& p = shared_.grid.profile();
    const double subcarriers =
        channel_.residual_cfo() / kTwoPi * static_cast<double>(p.fft_size) / static_cast<double>(p.symbol_samples());
    const double interference = std::pow(std::numbers::pi * subcarriers, 2.0) / 3.0;
    const double bearable = std::pow(10.0, -0.1 * (static_cast<double>(modes()[header_->mode].required_snr_db) + 10.0));
    return interference > bearable && std::abs(channel_.residual_cfo()) > 6.0 * channel_.residual_cfo_deviation();
}

// Begins the frame once more with the offset that the time-varying fit found, its header known.
void FrameDemodulator::restart(const Header& header) {
    FrameStart again = start_;
    again.cfo_cycles_per_sample =
        cfo_ + channel_.residual_cfo() / (kTwoPi * static_cast<double>(shared_.grid.profile().symbol_samples()));
    again.metric = 1.0F;
    start(again);
    known_header_ = header;
}

void FrameDemodulator::decode_header(std::size_t rows) {
    channel_.estimate(rows_, tracker_, rows);
    collect_header(rows);
    if (rows_.first_symbol() + rows == header_symbols_) {
        header_ = find_header(rows);
    }
    channel_.record(rows_, tracker_);
    if (header_ && channel_.time_varying() && !known_header_ && rows_.first_symbol() == 0 && offset_matters()) {
        // The training lay in a fade and its estimate of the offset was wrong.
        restart(Header(*header_));
        return;
    }
    drop_rows(rows);
    if (rows_.first_symbol() < header_symbols_) {
        return;
    }
    if (!header_) {
        state_ = State::kLost;
        return;
    }
    payload_.begin_payload(*header_);
    channel_.set_required_snr_db(static_cast<double>(modes()[header_->mode].required_snr_db));
    state_ = State::kData;
}

void FrameDemodulator::decode_payload(std::size_t rows, unsigned max_iterations) {
    channel_.estimate(rows_, tracker_, rows);
    for (std::size_t r = 0; r < rows; ++r) {
        SymbolEstimate estimate = estimate_of(r);
        payload_.add_payload_symbol(rows_.carriers(r), estimate, max_iterations);
    }
    drop_rows(rows);
}

void FrameDemodulator::finish() {
    const auto& p = shared_.grid.profile();
    const double symbol = static_cast<double>(p.symbol_samples());
    const double start = static_cast<double>(start_.fraction) < 0 ? start_.fraction + 1.0 : start_.fraction;
    Frame& frame = payload_.frame();
    frame.sample_index = start_.fraction < 0 && start_.sample_index > 0 ? start_.sample_index - 1 : start_.sample_index;
    frame.sample_fraction = static_cast<float>(start);
    frame.length_samples = *end_index() - start_.sample_index;
    frame.inverted = start_.inverted;
    frame.snr_db = 10.0F * std::log10(std::max(training_.signal / training_.noise, 1e-6F));
    frame.cfo_hz = static_cast<float>((cfo_ + tracker_.cfo() / (kTwoPi * symbol)) * p.sample_rate_hz);
    frame.sfo_ppm = static_cast<float>(-tracker_.time_drift() / symbol * 1e6);
    const double n = static_cast<double>(p.fft_size);
    const double power = static_cast<double>(training_.signal) * static_cast<double>(p.carriers) / (n * n);
    frame.power_dbfs = static_cast<float>(10.0 * std::log10(std::max(power, 1e-20)));
    state_ = State::kDone;
}

}  // namespace meshnet::phy

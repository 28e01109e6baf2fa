// SPDX-License-Identifier: MIT
#include "phy/demodulation/frame_demodulator.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <utility>

#include "core/target_clones.hpp"

namespace meshnet::phy {
namespace {

constexpr double kTwoPi = 2.0 * std::numbers::pi;
// Deviation of the rate at which a carrier offset may grow, Hz/s: a LEO at 550 km has 800 at 2.4 GHz, 1900 at 5.8 GHz.
constexpr double kDopplerRate = 1000.0;

// Inter-carrier interference (ICI) over the signal, of an offset that turns the phase by so much per symbol.
// Source: P. Moose, "A technique for orthogonal frequency division multiplexing frequency offset correction", IEEE
// Trans. Commun. 42 (1994).
double carrier_interference(const Profile& p, double radians_per_symbol) noexcept {
    const double subcarriers =
        radians_per_symbol / kTwoPi * static_cast<double>(p.fft_size) / static_cast<double>(p.symbol_samples());
    return std::pow(std::numbers::pi * subcarriers, 2.0) / 3.0;
}

std::size_t prefix_backoff(const Profile& p) {
    return p.cyclic_prefix / 4;
}

using RowPower = FrameDemodulator::RowPower;

// `scale_of(c)`: 1 / power expected of carrier c.
template <class Scale>
inline RowPower measure_scaled(std::span<const Sample> carriers, Scale scale_of) noexcept {
    constexpr std::size_t kLanes = 8;  // sums side by side, none of which waits for another
    float sum[kLanes]{};
    float greatest[kLanes]{};
    const auto add = [&](std::size_t c, std::size_t l) {
        const float power = std::norm(carriers[c]);
        const float ratio = power * scale_of(c);
        sum[l] += power;
        greatest[l] = greatest[l] < ratio ? ratio : greatest[l];
    };
    const std::size_t whole = carriers.size() / kLanes * kLanes;
    for (std::size_t c = 0; c < whole; c += kLanes) {
        for (std::size_t l = 0; l < kLanes; ++l) {
            add(c + l, l);
        }
    }
    for (std::size_t c = whole; c < carriers.size(); ++c) {
        add(c, 0);
    }
    RowPower out;
    for (std::size_t l = 0; l < kLanes; ++l) {
        out.mean += sum[l];
        out.greatest = std::max(out.greatest, greatest[l]);
    }
    out.mean /= static_cast<float>(carriers.size());
    return out;
}
MESHNET_TARGET_CLONES RowPower measure(std::span<const Sample> carriers) noexcept {
    return measure_scaled(carriers, [](std::size_t) { return 1.0F; });
}
MESHNET_TARGET_CLONES RowPower measure(std::span<const Sample> carriers,
                                       std::span<const float> inverse_expected) noexcept {
    return measure_scaled(carriers, [inverse_expected](std::size_t c) { return inverse_expected[c]; });
}

}  // namespace

FrameDemodulator::FrameDemodulator(DemodulatorShared& shared)
    : shared_(shared),
      rows_(shared.grid.carriers(), kBlock + kLookahead),
      tracker_(shared.grid, kBlock + kLookahead),
      channel_(shared, kBlock + kLookahead),
      payload_(shared) {
    interference_.resize(shared.grid.carriers());
    inverse_expected_.resize(shared.grid.carriers());
}

void FrameDemodulator::start(const FrameStart& start) {
    start_ = start;
    state_ = State::kTraining;
    params_ = class_params(shared_.grid.profile(), start.preamble);
    cfo_ = start.cfo_cycles_per_sample;
    origin_ = start.sample_index;
    timing_shift_ = 0;
    header_symbols_ = header_symbols(shared_.grid.profile(), start.preamble);
    header_.reset();
    end_.reset();
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
    return end_;
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

// Transforms the training symbols, and takes out of them what is not ours: pulses, and lines that stand far above the
// median, as the channel is not known yet. True if there were any; shared_.lost has what was lost with them then.
bool FrameDemodulator::transform_training(const SampleRing& ring, std::span<Sample> rows) {
    constexpr float kSpoilt = 2.0F;  // over the weakest symbol: of no use
    const std::size_t k = shared_.grid.carriers();
    const std::size_t m = params_.training_symbols;
    const auto row = [&](std::size_t s) { return rows.subspan(s * k, k); };
    const auto run = [&](std::size_t s) {
        const auto symbol = static_cast<std::int64_t>(shared_.grid.profile().symbol_samples());
        shared_.transform.run(ring, window(first_window() + static_cast<std::int64_t>(s) * symbol), row(s));
    };
    auto& greatest = shared_.greatest;
    float level = std::numeric_limits<float>::max();
    bool lost = false;
    for (std::size_t s = 0; s < m; ++s) {
        run(s);
        const auto parts = shared_.transform.part_power();
        level = std::min(level, parts.median);
        greatest[s] = parts.greatest;
        lost |= clean_training_row(s, row(s), 0.0F, lost);
    }
    bool pulses = false;
    for (std::size_t s = 0; s < m; ++s) {
        if (greatest[s] > PulseBlanking::kPartRatio * level) {
            run(s);
            lost |= clean_training_row(s, row(s), level, lost);
            pulses = true;
        }
    }
    float weakest = std::numeric_limits<float>::max();
    pulsed_ = pulses;
    for (std::size_t s = 0; s < m && pulses; ++s) {
        greatest[s] = median_power(row(s));
        weakest = std::min(weakest, greatest[s]);
    }
    for (std::size_t s = 0; s < m && pulses; ++s) {
        if (greatest[s] > kSpoilt * weakest) {
            note_lost(s, {}, 1.0F, lost);
            lost = true;
        }
    }
    return lost;
}

// Of the carriers of one symbol.
float FrameDemodulator::median_power(std::span<const Sample> row) noexcept {
    auto& sorted = shared_.expected;
    std::transform(row.begin(), row.end(), sorted.begin(), [](const Sample& x) { return std::norm(x); });
    const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
    std::nth_element(sorted.begin(), middle, sorted.end());
    return *middle;
}

// Writes down what was lost of a training symbol, by lines [K] or empty, and in any case `share`. `begun`: shared_.lost
// is in use.
void FrameDemodulator::note_lost(std::size_t symbol, std::span<const float> by_lines, float share, bool begun) {
    if (!begun) {
        std::fill(shared_.lost.begin(), shared_.lost.end(), 0.0F);
    }
    const std::size_t k = shared_.grid.carriers();
    for (std::size_t c = 0; c < k; ++c) {
        shared_.lost[symbol * k + c] = by_lines.empty() ? share : std::max(share, by_lines[c]);
    }
}

// One symbol of it, the last that was transformed. `level`: usual power of its samples, 0: look for lines alone.
// `lost`: shared_.lost is in use. True if it was cleaned.
bool FrameDemodulator::clean_training_row(std::size_t symbol, std::span<Sample> row, float level, bool lost) {
    constexpr float kSuspicious = 10.0F;  // over the mean: look closer
    constexpr float kLine = 25.0F;        // over the median: more than maxima of multipath reach
    const float share = level > 0.0F ? shared_.transform.blank_pulses(level, row, PulseBlanking::kOftenRatio) : 0.0F;
    const RowPower power = measure(row);
    bool lines = false;
    if (power.greatest > kSuspicious * power.mean) {
        const float median = std::max(median_power(row), 1e-20F);
        std::fill(shared_.expected.begin(), shared_.expected.end(), median);
        lines = shared_.transform.cancel_lines(shared_.expected, median, kLine, row);
    }
    if (!lines && share == 0.0F) {
        return false;
    }
    note_lost(symbol, lines ? shared_.transform.lost() : std::span<const float>{}, share, lost);
    return true;
}

// Mean power of the samples of a window whose carriers have the power `carrier` each, and its other bins `beside`.
float FrameDemodulator::sample_power(float carrier, float beside) const noexcept {
    const auto& p = shared_.grid.profile();
    const auto n = static_cast<float>(p.fft_size);
    const auto k = static_cast<float>(p.carriers);
    return (k * carrier + (n - k) * beside) / (n * n);
}

// The carrier offset that the preamble left disturbs the training's estimates: the ICI of symbols that are all alike is
// the same in each, so their mean keeps it.
bool FrameDemodulator::drift_disturbs_training() const noexcept {
    constexpr double kHarmless = 0.03;  // of the noise
    const double interference = carrier_interference(shared_.grid.profile(), training_.drift);
    return interference * static_cast<double>(training_.signal) > kHarmless * static_cast<double>(training_.noise);
}

// Transforms the training symbols and estimates from them, once more if the window has to move or the oscillator to be
// corrected. The response is left in shared_.channel. False if samples are gone.
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
        const bool lines = transform_training(ring, rows);
        training_ = shared_.training.run(
            rows, prior, shared_.channel,
            lines ? std::span<const float>(shared_.lost).first(rows.size()) : std::span<const float>{});
        const bool drifts = drift_disturbs_training();
        if ((training_.timing_shift == 0 && !drifts) || pass == 1) {
            break;
        }
        // The paths do not fit the window: move it, keeping the main path's earlier half of the prefix free.
        const std::int64_t moved = static_cast<std::int64_t>(origin_) + training_.timing_shift;
        if (moved < static_cast<std::int64_t>(ring.begin())) {
            break;
        }
        origin_ = static_cast<std::uint64_t>(moved);
        timing_shift_ = training_.timing_shift;
        if (drifts) {
            cfo_ += training_.drift / (kTwoPi * static_cast<double>(p.symbol_samples()));
            // What is left of the offset, and has not grown since.
            prior.drift_variance = 4.0 * training_.drift_variance;
            prior.distance = 0.0;
        }
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
    // middle, and of the middle of its window. That rotates the reference by what the oscillator now adds up to there.
    const double symbol = static_cast<double>(p.symbol_samples());
    cfo_ += training_.drift / (kTwoPi * symbol);
    const double middle_window =
        static_cast<double>(window_start(0, 0) - static_cast<std::int64_t>(start_.sample_index)) -
        symbol * (static_cast<double>(m) + 1.0) / 2.0;
    const double half_window = (static_cast<double>(p.fft_size) - 1.0) / 2.0;
    const double angle = -training_.drift / symbol * (middle_window + half_window);
    const Sample rotation(static_cast<float>(std::cos(angle)), static_cast<float>(std::sin(angle)));
    for (Sample& h : shared_.channel) {
        h *= rotation;
    }
    const auto interference = shared_.training.interference();
    interfered_ = !interference.empty();
    std::copy(interference.begin(), interference.end(), interference_.begin());
    channel_.start(training_, shared_.channel, m, params_.dense_pilots);
    expect_power();
    tracker_.start(training_, m, params_.dense_pilots);
    bursts_.start(training_.signal + training_.noise, symbol / p.sample_rate_hz);
    state_ = State::kHeader;
    return true;
}

// What the carriers of the rows that follow should have, or a little of what they had in the mean, where the channel
// has a null or fades.
void FrameDemodulator::expect_power() {
    constexpr float kLittle = 0.1F;
    const auto power = channel_.reference_power();
    const float least = training_.noise + kLittle * training_.signal + 1e-30F;
    float sum = 0.0F;
    for (std::size_t c = 0; c < power.size(); ++c) {
        sum += power[c];
        inverse_expected_[c] = 1.0F / (power[c] + least);
    }
    expected_mean_ = std::max(sum / static_cast<float>(power.size()) + training_.noise, least);
}

// Takes pulses and lines out of the row just transformed, if it has more power than it should have, or any of its
// carriers far more; returns its mean power.
float FrameDemodulator::clean_row(std::span<Sample> carriers) {
    constexpr float kStronger = 1.2F;
    constexpr float kSuspicious = 8.0F;  // noise gets there, 256QAM alone does not
    RowPower power = measure(carriers, inverse_expected_);
    float share = 0.0F;
    if (pulsed_ || power.mean > kStronger * expected_mean_) {
        const float level = sample_power(expected_mean_, training_.noise);
        const auto parts = shared_.transform.part_power();
        if (pulsed_ || parts.greatest > PulseBlanking::kPartRatio * level) {
            share = shared_.transform.blank_pulses(std::max(level, parts.median), carriers, PulseBlanking::kOftenRatio);
            pulsed_ |= share > 0.0F;
        }
    }
    const bool lines = power.greatest > kSuspicious && cancel_lines(carriers, kSuspicious);
    if (share > 0.0F || lines) {
        weigh_row(carriers, lines, share);
        power = measure(carriers, inverse_expected_);
    }
    return power.mean;
}

// True if the row had lines and has none now.
bool FrameDemodulator::cancel_lines(std::span<Sample> carriers, float suspicious) {
    constexpr float kLine = 12.0F;   // white noise gets there in one bin of 160 000
    constexpr float kBeside = 0.1F;  // power beside the carriers over that of the signal: of paths beyond the prefix
    // A fade that ends, or a burst over the whole band, raises all carriers: no line.
    auto& scratch = shared_.expected;
    float greatest = 0.0F;
    for (std::size_t c = 0; c < carriers.size(); ++c) {
        scratch[c] = std::norm(carriers[c]) * inverse_expected_[c];
        greatest = std::max(greatest, scratch[c]);
    }
    const auto middle = scratch.begin() + static_cast<std::ptrdiff_t>(scratch.size() / 2);
    std::nth_element(scratch.begin(), middle, scratch.end());
    const float level = std::max(1.0F, *middle);
    if (!(greatest > suspicious * level)) {
        return false;
    }
    for (std::size_t c = 0; c < carriers.size(); ++c) {
        scratch[c] = level / inverse_expected_[c];
    }
    return shared_.transform.cancel_lines(scratch, training_.noise + kBeside * training_.signal, kLine, carriers);
}

// Weighs the carriers of the newest row: by the interference known, and where lines were taken out, by what was lost
// with them and by what of them is left; by the share of the window that was blanked.
void FrameDemodulator::weigh_row(std::span<const Sample> carriers, bool lines, float blanked) {
    constexpr std::size_t kReach = 2;  // carriers to either side whose power is averaged
    constexpr float kClearlyMore = 3.0F;
    const std::size_t k = carriers.size();
    const float noise = training_.noise + 1e-30F;
    const auto weights = rows_.weigh_newest();
    const auto lost = shared_.transform.lost();
    for (std::size_t c = 0; c < k; ++c) {
        float excess = interfered_ ? interference_[c] : 0.0F;
        excess += blanked / (1.0F - blanked) / inverse_expected_[c];
        if (lines) {
            const float share = std::min(lost[c], 0.99F);
            excess = std::max(excess, share / (1.0F - share) / inverse_expected_[c]);
            const std::size_t first = c < kReach ? 0 : c - kReach;
            const std::size_t last = std::min(c + kReach + 1, k);
            float ratio = 0.0F;
            for (std::size_t i = first; i < last; ++i) {
                ratio += std::norm(carriers[i]) * inverse_expected_[i];
            }
            ratio /= static_cast<float>(last - first);
            if (ratio > kClearlyMore) {
                excess = std::max(excess, ratio / inverse_expected_[c]);
            }
        }
        weights[c] = static_cast<std::uint8_t>(255.0F * noise / (noise + excess) + 0.5F);
    }
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
    const float power = clean_row(carriers);
    if (interfered_ && rows_.weights(rows_.size() - 1).empty()) {
        weigh_row(carriers, false, 0.0F);
    }
    const auto weights = rows_.weights(rows_.size() - 1);
    auto innovation = tracker_.predict(carriers, symbol, channel_.reference(), channel_.reference_power(), weights);
    const float excess = bursts_.excess(power, channel_.is_hit(innovation.mean_error));
    if (excess > 0.0F) {
        tracker_.skip(excess);
        channel_.predict_pilots(rows_, tracker_, {});
        innovation.error = 0.0;
    } else {
        tracker_.take(innovation);
        if (!weights.empty()) {
            channel_.predict_pilots(rows_, tracker_, weights);
        }
    }
    channel_.add(rows_, tracker_, innovation.error);
    if (symbol % ChannelFollower::kGroup == ChannelFollower::kGroup - 1) {
        expect_power();
    }
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
    const auto weights = rows_.weights(row);
    for (std::size_t c = 0; c < weights.size(); ++c) {
        shared_.weights[c] = static_cast<float>(weights[c]) / 255.0F;
    }
    return {symbol,
            window(window_start(symbol, tracker_.shift(row)), tracker_.oscillator(row)),
            tracker_.phase(row),
            tracker_.time(row),
            channel,
            1.0F / channel_.noise(row),
            std::span<const float>(shared_.weights).first(weights.size())};
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

// The residual offset causes more ICI than the mode bears: 10 dB below what it needs.
bool FrameDemodulator::offset_matters() const noexcept {
    const double interference = carrier_interference(shared_.grid.profile(), channel_.residual_cfo());
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
    end_ = start_.sample_index + 2 * params_.chirp_samples +
           (params_.training_symbols + header_symbols_ + payload_.payload_symbols()) *
               shared_.grid.profile().symbol_samples();
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
    payload_.finish();
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
    frame.cfo_deviation_hz =
        static_cast<float>(std::sqrt(std::max(tracker_.cfo_variance(), 0.0)) / (kTwoPi * symbol) * p.sample_rate_hz);
    frame.sfo_ppm = static_cast<float>(-tracker_.time_drift() / symbol * 1e6);
    const double n = static_cast<double>(p.fft_size);
    const double power = static_cast<double>(training_.signal) * static_cast<double>(p.carriers) / (n * n);
    frame.power_dbfs = static_cast<float>(10.0 * std::log10(std::max(power, 1e-20)));
    state_ = State::kDone;
}

}  // namespace meshnet::phy

// SPDX-License-Identifier: MIT
#include "phy/demodulation/payload_receiver.hpp"

#include <algorithm>
#include <numbers>
#include <utility>

#include "core/target_clones.hpp"
#include "phy/dsp/carrier_rotation.hpp"
#include "phy/waveform/whitening.hpp"

namespace meshnet::phy {
namespace {

const float* parts(const Sample* values) noexcept {
    return reinterpret_cast<const float*>(values);
}
float* parts(Sample* values) noexcept {
    return reinterpret_cast<float*>(values);
}

// Zero-forcing equalisation of `count` carriers: what was sent, and the power the channel gave each. Real and imaginary
// parts apart or alternating, as compilers need it to work on several carriers at once.
MESHNET_TARGET_CLONES void equalise(std::size_t count, const float* received, const float* channel,
                                    const float* back_re, const float* back_im, float* __restrict points,
                                    float* __restrict power) noexcept {
    for (std::size_t c = 0; c < count; ++c) {
        const std::size_t re = 2 * c;
        const std::size_t im = 2 * c + 1;
        const float gain = channel[re] * channel[re] + channel[im] * channel[im] + 1e-30F;
        const float scale = 1.0F / gain;
        const float x = (received[re] * channel[re] + received[im] * channel[im]) * scale;
        const float y = (received[im] * channel[re] - received[re] * channel[im]) * scale;
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

}  // namespace

PayloadReceiver::PayloadReceiver(DemodulatorShared& shared)
    : shared_(shared),
      header_llr_(kHeaderCodedBits),
      unwhitened_header_llr_(kHeaderCodedBits),
      pending_(std::make_unique<DecodeWorkers::Pending>()) {
    block_.record.reserve(shared.grid.carriers());
}

PayloadReceiver::~PayloadReceiver() {
    if (pending_ != nullptr) {
        finish();
    }
}

void PayloadReceiver::finish() {
    if (shared_.workers != nullptr) {
        shared_.workers->wait(*pending_);
    }
}

void PayloadReceiver::reset(bool dense_pilots) {
    finish();
    dense_ = dense_pilots;
    layout_.reset();
    clear_header();
    frame_ = {};
}

void PayloadReceiver::clear_header() noexcept {
    std::fill(header_llr_.begin(), header_llr_.end(), 0.0F);
    std::fill(unwhitened_header_llr_.begin(), unwhitened_header_llr_.end(), 0.0F);
}

// LLRs of the data points of one symbol, in carrier order, into shared_.llr.
void PayloadReceiver::make_llrs(std::span<const Sample> carriers, SymbolEstimate& estimate,
                                const Constellation& constellation) {
    const auto& grid = shared_.grid;
    const std::size_t k = grid.carriers();
    const double per_carrier = 2.0 * std::numbers::pi / static_cast<double>(grid.profile().fft_size);
    shared_.strategy->refine(estimate);
    const std::size_t half = k / 2;
    const std::span<float> back_re(shared_.rotation_re);
    const std::span<float> back_im(shared_.rotation_im);
    CarrierRotation back(-estimate.phase, per_carrier * estimate.time);
    back.fill(grid.subcarrier(0), back_re.first(half), back_im.first(half));
    back.fill(grid.subcarrier(half), back_re.subspan(half), back_im.subspan(half));
    // Every carrier, pilots too: a plain loop over all of them is quicker than one that picks.
    equalise(k, parts(carriers.data()), parts(estimate.channel.data()), back_re.data(), back_im.data(),
             parts(shared_.points.data()), shared_.power.data());
    for (std::size_t c = 0; c < estimate.weights.size(); ++c) {
        shared_.power[c] *= estimate.weights[c];
    }
    shared_.strategy->demap(constellation, grid.data(estimate.symbol, dense_), shared_.points, shared_.power,
                            estimate.inverse_noise, shared_.llr.data());
}

void PayloadReceiver::add_header_symbol(std::span<const Sample> carriers, SymbolEstimate& estimate) {
    const std::size_t bits = 2 * shared_.grid.data_per_symbol(dense_);
    make_llrs(carriers, estimate, header_constellation());
    const auto add_to = [&](std::vector<float>& header) {
        for (std::size_t i = 0; i < bits; ++i) {
            header[HeaderCodec::coded_bit(estimate.symbol * bits + i)] += shared_.llr[i];
        }
    };
    add_to(unwhitened_header_llr_);
    Whitening::undo(std::span(shared_.llr).first(bits), estimate.symbol * bits);
    add_to(header_llr_);
}

std::optional<Header> PayloadReceiver::decode_header(PreambleClass preamble) {
    auto header = shared_.header_codec.decode(header_llr_, preamble, kWaveformVersion);
    return header ? header : shared_.header_codec.decode(unwhitened_header_llr_, preamble, kUnwhitenedVersion);
}

void PayloadReceiver::begin_payload(const Header& header) {
    const Mode& mode = modes()[header.mode];
    layout_.emplace(mode, header.payload_bytes, shared_.grid.data_per_symbol(dense_));
    block_.format = {&payload_constellation(header.mode, header.version), dense_, header.version != kUnwhitenedVersion};
    block_.redundancy_version = header.redundancy_version;
    frame_.version = header.version;
    frame_.mode = header.mode;
    frame_.redundancy_version = header.redundancy_version;
    frame_.payload.assign(header.payload_bytes, 0);
    frame_.blocks.resize(layout_->blocks());
    payload_bits_ = 0;
    block_.assembly.block = 0;
    block_.assembly.begin_block(layout_->block_points(0), mode.bits_per_symbol);
    if (shared_.constellation_out != nullptr) {
        shared_.constellation_out->clear();
    }
}

void PayloadReceiver::add_payload_symbol(std::span<const Sample> carriers, SymbolEstimate& estimate,
                                         unsigned max_iterations) {
    const std::size_t per_symbol = shared_.grid.data_per_symbol(dense_);
    const Constellation& constellation = *block_.format.constellation;
    const unsigned bits = constellation.bits_per_symbol();
    make_llrs(carriers, estimate, constellation);
    if (block_.format.whitened) {
        Whitening::undo(std::span(shared_.llr).first(per_symbol * bits), payload_bits_);
    }
    if (shared_.constellation_out != nullptr) {
        show_points(estimate.symbol);
    }
    if (shared_.keep_channel && payload_bits_ == 0) {
        frame_.channel.assign(estimate.channel.begin(), estimate.channel.end());
    }
    if (shared_.keep_soft_bits) {
        const auto values = std::span(shared_.llr).first(per_symbol * bits);
        frame_.soft_bits.insert(frame_.soft_bits.end(), values.begin(), values.end());
    }
    BlockAssembly& assembly = block_.assembly;
    block_.max_iterations = max_iterations;
    for (std::size_t i = 0; i < per_symbol && assembly.block < layout_->blocks();) {
        if (assembly.points == 0) {
            block_.record.begin(estimate.symbol, payload_bits_, i);
        }
        if (i == 0 || assembly.points == 0) {
            block_.record.add(shared_.points, shared_.power, estimate.inverse_noise);
        }
        const std::size_t count = std::min(per_symbol - i, assembly.total - assembly.points);
        const bool complete = add_points(assembly, &shared_.llr[i * bits], count);
        i += count;
        if (complete) {
            decode_block();
        }
    }
    payload_bits_ += per_symbol * bits;
}

void PayloadReceiver::decode_block() {
    const std::size_t b = block_.assembly.block;
    const unsigned bits = block_.assembly.bits_per_symbol;
    FrameBlock& block = frame_.blocks[b];
    block.offset = layout_->block_offset(b);
    const auto out = std::span<std::uint8_t>(frame_.payload).subspan(block.offset, layout_->block_bytes(b));
    if (shared_.workers != nullptr) {
        ReceivedBlock next = shared_.workers->take_buffer();
        next.format = block_.format;
        next.redundancy_version = block_.redundancy_version;
        next.max_iterations = block_.max_iterations;
        shared_.workers->submit({std::exchange(block_, std::move(next)), out, &block, pending_.get()});
    } else {
        const std::size_t offset = block.offset;
        block = shared_.decoder.decode(block_, out);
        block.offset = offset;
    }
    block_.assembly.block = b + 1;
    if (b + 1 < layout_->blocks()) {
        block_.assembly.begin_block(layout_->block_points(b + 1), bits);
    }
}

void PayloadReceiver::show_points(std::size_t symbol) {
    auto& shown = *shared_.constellation_out;
    for (const std::uint16_t c : shared_.grid.data(symbol, dense_)) {
        if (shown.size() == kMaxShownPoints) {
            return;
        }
        shown.push_back(shared_.points[c]);
    }
}

}  // namespace meshnet::phy

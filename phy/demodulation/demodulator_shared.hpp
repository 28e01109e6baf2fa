// SPDX-License-Identifier: MIT
// What the demodulators of one receiver share.
#pragma once

#include <memory>
#include <vector>

#include "phy/demodulation/decode_workers.hpp"
#include "phy/demodulation/estimation_strategy.hpp"
#include "phy/demodulation/refining_decoder.hpp"
#include "phy/demodulation/symbol_transform.hpp"
#include "phy/estimation/channel_tracker.hpp"
#include "phy/estimation/time_varying_channel.hpp"
#include "phy/estimation/training_estimator.hpp"
#include "phy/waveform/constellation.hpp"
#include "phy/waveform/grid.hpp"
#include "phy/waveform/header_codec.hpp"

namespace meshnet::phy {

/// Points of DemodulatorShared::constellation_out.
inline constexpr std::size_t kMaxShownPoints = 4096;

/// Immutable tables, and estimators with scratch memory that is used within one call. One thread.
struct DemodulatorShared {
    /// `estimation`: what an instrument puts in the place of the receiver's own estimates; never nullptr.
    explicit DemodulatorShared(const Profile& profile,
                               std::unique_ptr<EstimationStrategy> estimation = std::make_unique<EstimationStrategy>());

    Grid grid;
    TrainingEstimator training;
    ChannelTracker tracker;
    TimeVaryingChannel time_varying;
    SymbolTransform transform;
    std::unique_ptr<EstimationStrategy> strategy;
    std::vector<Sample> training_rows;  // [training symbols][K]
    std::vector<Sample> channel;        // [K]: of one row
    std::vector<float> rotation_re;     // [K]: that takes phase and time out of one row
    std::vector<float> rotation_im;     // [K]
    std::vector<Sample> points;         // [K]: of one row, equalised
    std::vector<float> power;           // [K]: of `channel`
    std::vector<float> lost;            // [training symbols][K]: with lines taken out of the training
    std::vector<float> greatest;        // [training symbols]: of their powers
    std::vector<float> expected;        // [K]: power of the carriers of one row
    std::vector<float> weights;         // [K]: of one row, as SymbolEstimate has them
    std::vector<float> llr;             // [K * 8]
    HeaderCodec header_codec;
    RefiningDecoder decoder;
    std::unique_ptr<DecodeWorkers> workers;            // nullptr: blocks are decoded by `decoder`, at once
    std::vector<Sample>* constellation_out = nullptr;  // points for displays, if wanted
    bool keep_channel = false;                         // fill Frame::channel
    bool keep_soft_bits = false;                       // fill Frame::soft_bits
};

}  // namespace meshnet::phy

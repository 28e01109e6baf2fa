// SPDX-License-Identifier: MIT
#include "phy/demodulation/payload_receiver.hpp"

#include <gtest/gtest.h>

#include <complex>
#include <vector>

#include "phy/waveform/frame_mapper.hpp"

namespace meshnet::phy {
namespace {

// Replaces the noise estimate and counts its calls, as an instrument would.
class CountingStrategy final : public EstimationStrategy {
public:
    explicit CountingStrategy(int& refined) : refined_(refined) {}
    void refine(SymbolEstimate& estimate) override {
        ++refined_;
        estimate.inverse_noise *= 0.5F;
    }

private:
    int& refined_;
};

struct Received {
    std::optional<Header> header;
    Frame frame;
    std::size_t symbols = 0;
};

// Sends `payload` over a flat channel of gain `gain` that the receiver knows; every symbol has the same gain and phase.
Received send(DemodulatorShared& shared, ModeIndex mode, const Bytes& payload, Sample gain) {
    FrameMapper mapper(shared.grid);
    mapper.begin(mode, payload, 0, false);
    PayloadReceiver receiver(shared);
    const PreambleClass preamble = modes()[mode].preamble;
    receiver.reset(class_params(shared.grid.profile(), preamble).dense_pilots);
    std::vector<Sample> channel(shared.grid.carriers());
    std::vector<Sample> carriers(shared.grid.carriers());
    Received out;
    constexpr double kPhase = 0.3;
    for (std::size_t i = 0; i < mapper.symbols(); ++i) {
        const auto sent = mapper.next();
        if (i < mapper.training_symbols()) {
            continue;
        }
        for (std::size_t c = 0; c < carriers.size(); ++c) {
            carriers[c] = sent[c] * gain * Sample(std::polar(1.0, kPhase));
        }
        std::fill(channel.begin(), channel.end(), gain);
        SymbolEstimate estimate;
        estimate.symbol = i - mapper.training_symbols();
        estimate.phase = kPhase;
        estimate.channel = channel;
        estimate.inverse_noise = 1000.0F / std::norm(gain);
        ++out.symbols;
        if (estimate.symbol < mapper.header_symbols()) {
            receiver.add_header_symbol(carriers, estimate);
            if (estimate.symbol + 1 == mapper.header_symbols()) {
                out.header = receiver.decode_header(preamble);
                if (!out.header) {
                    return out;
                }
                receiver.begin_payload(*out.header);
            }
        } else {
            receiver.add_payload_symbol(carriers, estimate, 25);
        }
    }
    out.frame = std::move(receiver.frame());
    return out;
}

TEST(PayloadReceiver, KeepsChannelAndSoftBitsOnRequest) {
    DemodulatorShared shared(*find_profile("250k"));
    const Bytes payload(90, 0x5A);
    const ModeIndex mode = *find_mode("16qam-1/2");
    const Sample gain(0.5F, -0.25F);
    const Received plain = send(shared, mode, payload, gain);
    EXPECT_TRUE(plain.frame.channel.empty());
    EXPECT_TRUE(plain.frame.soft_bits.empty());
    shared.keep_channel = true;
    shared.keep_soft_bits = true;
    const Received kept = send(shared, mode, payload, gain);
    ASSERT_TRUE(kept.header);
    ASSERT_EQ(kept.frame.channel.size(), shared.grid.carriers());
    for (const Sample h : kept.frame.channel) {
        EXPECT_EQ(h, gain);
    }
    const PayloadLayout layout(modes()[mode], payload.size(), shared.grid.data_per_symbol(false));
    ASSERT_EQ(layout.blocks(), 1U);
    ASSERT_EQ(kept.frame.soft_bits.size(), layout.block_points(0) * 4);
    BlockAssembly assembly;
    assembly.begin_block(layout.block_points(0), 4);
    for (std::size_t i = 0; i < kept.frame.soft_bits.size(); i += 4) {
        assembly.add(&kept.frame.soft_bits[i]);
    }
    Bytes decoded(payload.size());
    EXPECT_TRUE(BlockDecoder().decode(assembly.llr, 0, 25, decoded).crc_ok);
    EXPECT_EQ(decoded, payload);
}

TEST(PayloadReceiver, DecodesHeaderAndBlocksOfEveryMode) {
    DemodulatorShared shared(*find_profile("250k"));
    Bytes payload(1500);
    for (std::size_t i = 0; i < payload.size(); ++i) {
        payload[i] = static_cast<std::uint8_t>(37 * i);
    }
    for (std::size_t m = 0; m < modes().size(); ++m) {
        const auto mode = static_cast<ModeIndex>(m);
        const Received got = send(shared, mode, payload, Sample(0.3F, -1.4F));
        ASSERT_TRUE(got.header) << modes()[m].name;
        EXPECT_EQ(got.header->payload_bytes, payload.size());
        EXPECT_EQ(got.frame.mode, mode);
        EXPECT_EQ(got.frame.blocks.size(), 2U);
        EXPECT_TRUE(got.frame.ok()) << modes()[m].name;
        EXPECT_EQ(got.frame.payload, payload) << modes()[m].name;
    }
}

TEST(PayloadReceiver, TheStrategySeesEverySymbolOnce) {
    int refined = 0;
    DemodulatorShared shared(*find_profile("250k"), std::make_unique<CountingStrategy>(refined));
    const Received got = send(shared, *find_mode("16qam-1/2"), Bytes(100, 7), Sample(1.0F, 0.0F));
    EXPECT_TRUE(got.frame.ok());
    EXPECT_EQ(static_cast<std::size_t>(refined), got.symbols);
}

TEST(PayloadReceiver, AHeaderOfNothingIsNone) {
    DemodulatorShared shared(*find_profile("250k"));
    PayloadReceiver receiver(shared);
    receiver.reset(false);
    EXPECT_FALSE(receiver.begun());
    EXPECT_FALSE(receiver.decode_header(PreambleClass::kShort));
    EXPECT_FALSE(EstimationStrategy().header_without_decoding());
}

}  // namespace
}  // namespace meshnet::phy

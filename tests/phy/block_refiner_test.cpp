// SPDX-License-Identifier: MIT
// Noise and channel of a block, measured on its own data.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "core/random.hpp"
#include "phy/demodulation/block_refiner.hpp"

namespace meshnet::phy {
namespace {

class BlockRefinerTest : public testing::Test {
protected:
    static constexpr std::size_t kRows = 40;

    Sample gaussian(float power) {
        return std::sqrt(0.5F * power) * Sample(static_cast<float>(rng_.normal()), static_cast<float>(rng_.normal()));
    }
    /// Random points at `snr`, noise of cell (row, c) times noise(row, c), channel times gain(c).
    template <class Noise, class Gain>
    void fill(const Constellation& constellation, float snr, Noise noise, Gain gain) {
        const std::size_t k = grid_.carriers();
        record_.begin(0, 0, 0);
        for (std::size_t row = 0; row < kRows; ++row) {
            std::vector<Sample> points(k);
            for (std::size_t c = 0; c < k; ++c) {
                std::uint8_t bits[8];
                for (auto& b : bits) {
                    b = static_cast<std::uint8_t>(rng_.below(2));
                }
                points[c] = constellation.map(bits) * gain(c) + gaussian(noise(row, c) / snr);
            }
            record_.add(points, std::vector<float>(k, 2.0F), snr / 2.0F);
        }
        format_ = {&constellation, false, false};
        refiner_.measure(record_, format_);
    }
    /// Mean LLR magnitude of data cells of which is(row, c), of QPSK.
    template <class Is>
    float mean_llr(Is is) {
        double sum = 0.0;
        double count = 0.0;
        for (std::size_t row = 0; row < kRows; ++row) {
            const auto llr = refiner_.demap(record_, row, format_);
            const auto data = grid_.data(row, false);
            for (std::size_t i = 0; i < data.size(); ++i) {
                if (is(row, data[i])) {
                    sum += static_cast<double>(std::abs(llr[2 * i]) + std::abs(llr[2 * i + 1]));
                    count += 2.0;
                }
            }
        }
        return static_cast<float>(sum / count);
    }

    Grid grid_{*find_profile("1M")};
    Rng rng_{9};
    BlockRecord record_;
    BlockFormat format_;
    BlockRefiner refiner_{grid_};
};

TEST_F(BlockRefinerTest, WeighsDownTheCellsThatASweepHits) {
    const Constellation qpsk(even_amplitudes(2));
    const auto hit = [](std::size_t row, std::size_t c) {
        const std::size_t at = 20 + 2 * row % 16;
        return c >= at && c < at + 3;
    };
    fill(
        qpsk, 1.6F, [&](std::size_t row, std::size_t c) { return hit(row, c) ? 50.0F : 1.0F; },
        [](std::size_t) { return Sample(1.0F, 0.0F); });
    const float far = mean_llr([](std::size_t, std::size_t c) { return c > 50; });
    EXPECT_NEAR(far, 3.4F, 0.3F) << "as without a second look";
    // Without one: the noise alone makes LLRs of more than ten.
    EXPECT_LT(mean_llr(hit), 0.5F * far);
}

TEST_F(BlockRefinerTest, CorrectsAChannelThatWasWrong) {
    const Constellation qam(even_amplitudes(4));
    const Sample wrong = std::polar(0.9F, 0.2F);
    fill(
        qam, 10.0F, [](std::size_t, std::size_t) { return 1.0F; },
        [&](std::size_t c) { return c < 30 ? wrong : Sample(1.0F, 0.0F); });
    // The LLRs tell bits right that the turned points alone would leave in doubt: compare with the right channel.
    double square = 0.0;
    double count = 0.0;
    for (std::size_t row = 0; row < kRows; ++row) {
        const auto llr = refiner_.demap(record_, row, format_);
        const auto data = grid_.data(row, false);
        for (std::size_t i = 0; i < data.size() && data[i] < 25; ++i) {
            float ideal[8];
            qam.demap(record_.points[row * grid_.carriers() + data[i]] / wrong, 10.0F * std::norm(wrong), ideal);
            for (std::size_t b = 0; b < 4; ++b) {
                square += static_cast<double>((ideal[b] - llr[4 * i + b]) * (ideal[b] - llr[4 * i + b]));
                count += 1.0;
            }
        }
    }
    EXPECT_LT(std::sqrt(square / count), 2.0);
}

TEST_F(BlockRefinerTest, LeavesOutBlocksThatAreTooLarge) {
    const std::size_t k = grid_.carriers();
    record_.begin(0, 0, 0);
    for (std::size_t row = 0; row <= BlockRecord::kMostCells / k; ++row) {
        record_.add(std::vector<Sample>(k), std::vector<float>(k), 1.0F);
    }
    EXPECT_FALSE(record_.complete);
    record_.begin(7, 0, 0);
    EXPECT_TRUE(record_.complete);
    EXPECT_EQ(record_.rows(), 0U);
}

}  // namespace
}  // namespace meshnet::phy

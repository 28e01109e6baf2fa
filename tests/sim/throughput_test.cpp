// SPDX-License-Identifier: MIT
// Throughput of whole nodes by frame loss and distance, in virtual time, against a committed table: a change of MAC,
// router or payment that costs throughput anywhere in it is seen. MESHNET_WRITE_GOLDEN=FILE writes the table anew.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include "phy/profile.hpp"
#include "sim/world.hpp"

namespace meshnet::sim {
namespace {

const std::string kGolden = MESHNET_SOURCE_DIR "/tests/golden/throughput.txt";
constexpr double kTolerance = 0.05;  // of each entry: rounding may differ between machines, and chaos enlarges it
constexpr Duration kSettle = 10s;
constexpr Duration kMeasured = 20s;

struct Row {
    int hops = 1;
    double loss = 0.0;
    double km = 1.0;
};

/// kbit/s of IP packets of 1040 bytes that reach the far end while the near end offers more than the link carries.
double throughput_kbps(const Row& row, std::uint64_t seed) {
    World::Config config;
    config.profile = phy::find_profile("1M");
    config.seed = seed;
    config.frame_loss = row.loss;
    World world(config);
    const Duration delay = from_seconds(row.km * 1e3 / 299'792'458.0);
    for (int i = 0; i <= row.hops; ++i) {
        world.add_node([delay] {
            node::Node::Config node;
            node.mac.max_burst = 400ms;  // the smallest burst in the most robust mode of the 1M profile
            node.mac.max_propagation = std::max(delay, Duration{1ms});
            return node;
        });
    }
    for (std::size_t i = 0; i < static_cast<std::size_t>(row.hops); ++i) {
        world.connect(i, i + 1, 16.0, delay);
    }
    world.run_for(kSettle);
    const auto far_end = static_cast<std::size_t>(row.hops);
    const Bytes packet = make_ipv6_packet(world.address(0), world.address(far_end), Bytes(1'000, 0x2a));
    std::uint64_t bytes = 0;
    const Instant from = world.now() + 5s;
    const Instant until = from + kMeasured;
    while (world.now() < until) {
        world.inject(0, packet);
        world.run_for(3ms);
        while (const auto delivery = world.poll_delivery()) {
            bytes += delivery->at >= from && delivery->node == far_end ? delivery->packet.size() : 0;
        }
    }
    return static_cast<double>(bytes) * 8e-3 / to_seconds(kMeasured);
}

/// With much loss, one run says little: the mean of five.
double throughput_kbps(const Row& row) {
    const int runs = row.loss > 0.2 ? 5 : 1;
    double sum = 0.0;
    for (int seed = 1; seed <= runs; ++seed) {
        sum += throughput_kbps(row, static_cast<std::uint64_t>(seed));
    }
    return sum / runs;
}

TEST(Throughput, ByLossAndDistanceIsThatOfTheTable) {
    std::ifstream file(kGolden);
    std::ostringstream table;
    table << "# Throughput of whole nodes in virtual time, profile 1M, 16 dB, one flow that offers 2.8 Mbit/s, kbit/s "
             "of IP\n"
             "# packets delivered. Written by sim_throughput_test with MESHNET_WRITE_GOLDEN set.\n"
             "# hops frame_loss km kbit/s\n";
    std::map<std::string, double> golden;
    for (std::string line; std::getline(file, line);) {
        if (!line.starts_with('#')) {
            const auto last = line.rfind(' ');
            golden[line.substr(0, last)] = std::atof(line.c_str() + last);
        }
    }
    std::size_t rows = 0;
    for (const int hops : {1, 2}) {
        for (const double loss : {0.0, 0.03, 0.1, 0.3}) {
            for (const double km : {1.0, 100.0, 300.0}) {
                const double measured = throughput_kbps({hops, loss, km});
                char key[64];
                std::snprintf(key, sizeof key, "%d %.2f %.0f", hops, loss, km);
                table << key << ' ' << std::lround(measured) << '\n';
                ++rows;
                if (std::getenv("MESHNET_WRITE_GOLDEN") != nullptr) {
                    continue;
                }
                ASSERT_TRUE(golden.contains(key)) << "no row '" << key << "' in " << kGolden;
                EXPECT_NEAR(measured, golden[key], 1.0 + kTolerance * golden[key]) << "row '" << key << "'";
            }
        }
    }
    if (const char* path = std::getenv("MESHNET_WRITE_GOLDEN")) {
        std::ofstream(path) << table.str();
    } else {
        EXPECT_EQ(golden.size(), rows) << "rows in " << kGolden << " that nothing measures";
    }
}

}  // namespace
}  // namespace meshnet::sim

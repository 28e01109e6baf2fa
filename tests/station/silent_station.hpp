// SPDX-License-Identifier: MIT
// A node on a radio that receives nothing: what views and control requests are tested with.
#pragma once

#include <memory>

#include "core/random.hpp"
#include "node/node.hpp"
#include "node/phy_model.hpp"
#include "phy/profile.hpp"
#include "station/config.hpp"
#include "station/radio/radio_link.hpp"

namespace meshnet::test {

class SilentRadio final : public station::Radio {
public:
    node::SampleRate sample_rate() const override { return {1'000'000, 1}; }
    int fd() const override { return -1; }
    Result<Reception> receive() override { return Reception{}; }
    Status transmit(std::uint64_t /*id*/, std::uint64_t /*at*/, std::span<const phy::Sample> /*burst*/) override {
        return Ok{};
    }
};

struct SilentStation {
    station::Config config;
    Rng random{5};
    station::RadioLink link{{phy::find_profile(config.profile), config.longest_preamble},
                            std::make_unique<SilentRadio>()};
    node::PhyModel model{*phy::find_profile(config.profile), link.clock().rate(),
                         node::first_mode(config.longest_preamble)};
    node::Node node{node_config(), model, random, {}};

private:
    node::Node::Config node_config() {
        node::Node::Config out;
        out.mac = config.mac;
        out.router.identity = net::Identity::generate(random);
        return out;
    }
};

}  // namespace meshnet::test

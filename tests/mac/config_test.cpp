// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

#include "core/random.hpp"
#include "mac/mac.hpp"
#include "tests/support/table_phy.hpp"

namespace meshnet::mac::test {
namespace {

TEST(MacConfig, WhatIsOutOfRangeIsNamed) {
    const meshnet::test::TablePhy phy;
    Rng rng(1);
    const auto message = [&](auto change) -> std::string {
        Mac::Config c;
        c.self = 5;
        change(c);
        try {
            const Mac mac(c, phy, rng);
        } catch (const std::invalid_argument& e) {
            return e.what();
        }
        return "accepted";
    };
    EXPECT_EQ(message([](Mac::Config&) {}), "accepted");
    EXPECT_NE(message([](Mac::Config& c) { c.self = 0; }).find("self"), std::string::npos);
    EXPECT_NE(message([](Mac::Config& c) { c.turnaround = -1ms; }).find("turnaround"), std::string::npos);
    EXPECT_NE(message([](Mac::Config& c) { c.transmit_lead = 2s; }).find("transmit_lead"), std::string::npos);
    EXPECT_NE(message([](Mac::Config& c) { c.max_propagation = 1s; }).find("max_propagation"), std::string::npos);
    EXPECT_NE(message([](Mac::Config& c) { c.hello_interval = 1ms; }).find("hello_interval"), std::string::npos);
    EXPECT_NE(message([](Mac::Config& c) { c.max_burst = 5ms; }).find("max_burst"), std::string::npos);
    EXPECT_NE(message([](Mac::Config& c) { c.queue_bytes = 100; }).find("queue_bytes"), std::string::npos);
    EXPECT_NE(message([](Mac::Config& c) { c.snr_margin_db = 99.0; }).find("snr_margin_db"), std::string::npos);
    EXPECT_NE(message([](Mac::Config& c) { c.duty_cycle = 0.0; }).find("duty_cycle"), std::string::npos);
    EXPECT_NE(message([](Mac::Config& c) { c.duty_cycle = 1e-5; }).find("duty_cycle"), std::string::npos);
    EXPECT_NE(message([](Mac::Config& c) { c.fixed_mode = ModeIndex{10}; }).find("fixed_mode"), std::string::npos);
}

}  // namespace
}  // namespace meshnet::mac::test

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <gnuradio/meshnet/channel.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "phy/profile.hpp"
#include "sim/channel/channel.hpp"

namespace gr::meshnet {

class channel_impl final : public channel {
public:
    /// What the user set; sim::Channel::Config is made from it.
    struct Settings {
        std::string model;
        double snr_db, cfo_hz, sfo_ppm, delay_s;
        std::uint64_t seed;
    };

    channel_impl(const std::string& profile, Settings settings);

    void forecast(int noutput_items, gr_vector_int& ninput_items_required) override;
    int general_work(int noutput_items, gr_vector_int& ninput_items, gr_vector_const_void_star& input_items,
                     gr_vector_void_star& output_items) override;

    void set_model(const std::string& model) override;
    void set_snr_db(double snr_db) override;
    void set_cfo_hz(double cfo_hz) override;
    void set_sfo_ppm(double sfo_ppm) override;
    void set_delay_s(double delay_s) override;
    void set_seed(std::uint64_t seed) override;
    double snr_db() const override;
    double cfo_hz() const override;

private:
    std::unique_ptr<::meshnet::sim::Channel> build(const Settings& settings) const;
    template <class T>
    void change(T Settings::*field, const T& value);

    const ::meshnet::phy::Profile& profile_;
    mutable std::mutex mutex_;  // guards settings_ and next_
    Settings settings_;
    std::unique_ptr<::meshnet::sim::Channel> next_;  // takes over at the next chunk

    std::unique_ptr<::meshnet::sim::Channel> channel_;
    std::vector<gr_complex> pending_;  // computed, and no room for it yet
    std::size_t pending_from_ = 0;
};

}  // namespace gr::meshnet

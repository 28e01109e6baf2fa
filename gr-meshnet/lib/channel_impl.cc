// SPDX-License-Identifier: GPL-3.0-or-later
#include "channel_impl.h"

#include <gnuradio/io_signature.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <stdexcept>
#include <utility>

#include "parameters.h"

namespace gr::meshnet {

namespace {
constexpr const char* kName = "Channel";
}

channel::sptr channel::make(const std::string& profile, const std::string& model, double snr_db, double cfo_hz,
                            double sfo_ppm, double delay_s, std::uint64_t seed) {
    return gnuradio::make_block_sptr<channel_impl>(
        profile, channel_impl::Settings{model, snr_db, cfo_hz, sfo_ppm, delay_s, seed});
}

std::string channel::models() {
    std::string out;
    for (const auto& name : ::meshnet::sim::Channel::names()) {
        out += std::string(name.name) + '\t' + std::string(name.what) + '\n';
    }
    return out;
}

channel_impl::channel_impl(const std::string& profile, Settings settings)
    : gr::block("meshnet_channel", gr::io_signature::make(1, 1, sizeof(gr_complex)),
                gr::io_signature::make(1, 1, sizeof(gr_complex))),
      profile_(profile_named(kName, profile)),
      settings_(std::move(settings)),
      channel_(build(settings_)) {
    set_tag_propagation_policy(TPP_DONT);
}

std::unique_ptr<::meshnet::sim::Channel> channel_impl::build(const Settings& settings) const {
    const auto require = [](bool ok, const std::string& what) {
        if (!ok) {
            throw std::invalid_argument(std::string(kName) + ": " + what);
        }
    };
    require(!std::isnan(settings.snr_db), "snr_db is not a number");
    require(std::abs(settings.cfo_hz) <= profile_.sample_rate_hz / 2, "cfo_hz is " + std::to_string(settings.cfo_hz) +
                                                                          "; it can be up to half the sample rate, +-" +
                                                                          std::to_string(profile_.sample_rate_hz / 2));
    require(std::abs(settings.sfo_ppm) <= 1000.0,
            "sfo_ppm is " + std::to_string(settings.sfo_ppm) + "; it can be -1000 to 1000");
    require(settings.delay_s >= 0.0 && settings.delay_s <= 1.0 && settings.delay_s * profile_.sample_rate_hz <= 1e7,
            "delay_s is " + std::to_string(settings.delay_s) + "; it can be 0 to 1 s and 10 million samples");
    ::meshnet::sim::Channel::Config base;
    base.sample_rate_hz = profile_.sample_rate_hz;
    base.occupied_fraction = profile_.occupied_bandwidth_hz() / profile_.sample_rate_hz;
    base.snr_db = settings.snr_db;
    base.seed = settings.seed;
    auto config = ::meshnet::sim::Channel::configure(settings.model, base);
    require(config.ok(), config.ok() ? "" : config.error().message);
    config->cfo_hz += settings.cfo_hz;
    config->sfo_ppm += settings.sfo_ppm;
    config->delay_samples += settings.delay_s * profile_.sample_rate_hz;
    return std::make_unique<::meshnet::sim::Channel>(*config);
}

template <class T>
void channel_impl::change(T Settings::*field, const T& value) {
    const std::lock_guard<std::mutex> lock(mutex_);
    Settings changed = settings_;
    changed.*field = value;
    next_ = build(changed);  // throws before anything is changed
    settings_ = std::move(changed);
}

void channel_impl::set_model(const std::string& model) {
    change(&Settings::model, model);
}
void channel_impl::set_snr_db(double snr_db) {
    change(&Settings::snr_db, snr_db);
}
void channel_impl::set_cfo_hz(double cfo_hz) {
    change(&Settings::cfo_hz, cfo_hz);
}
void channel_impl::set_sfo_ppm(double sfo_ppm) {
    change(&Settings::sfo_ppm, sfo_ppm);
}
void channel_impl::set_delay_s(double delay_s) {
    change(&Settings::delay_s, delay_s);
}
void channel_impl::set_seed(std::uint64_t seed) {
    change(&Settings::seed, seed);
}

double channel_impl::snr_db() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return settings_.snr_db;
}

double channel_impl::cfo_hz() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return settings_.cfo_hz;
}

void channel_impl::forecast(int /*noutput_items*/, gr_vector_int& ninput_items_required) {
    ninput_items_required[0] = 1;
}

int channel_impl::general_work(int noutput_items, gr_vector_int& ninput_items, gr_vector_const_void_star& input_items,
                               gr_vector_void_star& output_items) {
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (next_) {
            channel_ = std::move(next_);
        }
    }
    auto* out = static_cast<gr_complex*>(output_items[0]);
    const auto room = static_cast<std::size_t>(noutput_items);
    const std::size_t waiting = pending_.size() - pending_from_;
    if (waiting < room) {
        const std::size_t n = std::min(room - waiting, static_cast<std::size_t>(ninput_items[0]));
        pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(pending_from_));
        pending_from_ = 0;
        channel_->process(std::span(static_cast<const gr_complex*>(input_items[0]), n), pending_);
        consume(0, static_cast<int>(n));
    }
    const std::size_t n = std::min(room, pending_.size() - pending_from_);
    std::copy_n(pending_.data() + pending_from_, n, out);
    pending_from_ += n;
    return static_cast<int>(n);
}

}  // namespace gr::meshnet

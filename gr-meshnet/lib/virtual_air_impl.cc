// SPDX-License-Identifier: GPL-3.0-or-later
#include "virtual_air_impl.h"

#include <gnuradio/io_signature.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <span>
#include <stdexcept>
#include <utility>

#include "parameters.h"
#include "sim/air_config.hpp"

namespace gr::meshnet {

namespace {

namespace sim = ::meshnet::sim;

constexpr const char* kName = "Virtual Air";
constexpr std::chrono::microseconds kStep{500};
constexpr double kMaxClockError = 200e-6;  // sim::AirStation::clock_ppm
constexpr double kSpacing = 5000.0;        // m, of stations nobody placed

[[noreturn]] void refuse(const std::string& why) {
    throw std::invalid_argument(std::string(kName) + ": " + why);
}

sim::Air::Config air_of(const ::meshnet::phy::Profile& profile, unsigned stations, const std::string& text) {
    require_between(kName, "stations", stations, 1, sim::Air::kMaxStations);
    if (text.empty()) {
        sim::Air::Config config;
        config.sample_rate_hz = profile.sample_rate_hz;
        for (unsigned i = 0; i < stations; ++i) {
            sim::AirStation station;
            station.name = std::to_string(i);
            station.x_m = kSpacing * i;
            config.stations.push_back(std::move(station));
        }
        return config;
    }
    auto parsed = sim::parse_air_config(text, "config");
    if (!parsed) {
        refuse(parsed.error().message);
    }
    sim::Air::Config config = std::move(parsed).value().air;
    if (config.sample_rate_hz != profile.sample_rate_hz) {
        refuse("the air's sample_rate_hz is " + std::to_string(config.sample_rate_hz) + ", the profile's " +
               std::to_string(profile.sample_rate_hz));
    }
    if (config.stations.size() != stations) {
        refuse("the air has " + std::to_string(config.stations.size()) + " stations, the block " +
               std::to_string(stations) + "; give both the same number");
    }
    return config;
}

}  // namespace

virtual_air::sptr virtual_air::make(const std::string& profile, unsigned stations, const std::string& config) {
    return gnuradio::make_block_sptr<virtual_air_impl>(air_of(profile_named(kName, profile), stations, config));
}

virtual_air_impl::virtual_air_impl(sim::Air::Config config)
    : gr::block("meshnet_virtual_air",
                gr::io_signature::make(static_cast<int>(config.stations.size()),
                                       static_cast<int>(config.stations.size()), sizeof(gr_complex)),
                gr::io_signature::make(static_cast<int>(config.stations.size()),
                                       static_cast<int>(config.stations.size()), sizeof(gr_complex))),
      config_(std::move(config)),
      at_start_(config_),
      step_samples_(static_cast<std::uint64_t>(
                        std::ceil(::meshnet::to_seconds(kStep) * config_.sample_rate_hz * (1.0 + kMaxClockError))) +
                    2) {
    set_tag_propagation_policy(TPP_DONT);
    for (std::size_t i = 0; i < config_.stations.size(); ++i) {
        ports_.push_back(std::make_unique<Port>());
    }
    air_ = std::make_unique<sim::Air>(config_);
}

bool virtual_air_impl::start() {
    air_ = std::make_unique<sim::Air>(config_);
    for (auto& port : ports_) {
        port->sent.clear();
        port->sent_first = 0;
        port->heard.clear();
        port->heard_from = 0;
        port->samples = 0;
    }
    return gr::block::start();
}

/// Samples of a station that must be there before the air may take its next step: a burst needs a lead.
std::uint64_t virtual_air_impl::needed(std::size_t station) const {
    return air_->local_index(station) + step_samples_ + air_->shortest_lead(station);
}

bool virtual_air_impl::drained() const {
    return std::all_of(ports_.begin(), ports_.end(), [](const auto& p) { return p->heard_from == p->heard.size(); });
}

void virtual_air_impl::forecast(int /*noutput_items*/, gr_vector_int& ninput_items_required) {
    const bool may_step = drained();
    for (std::size_t i = 0; i < ports_.size(); ++i) {
        const Port& p = *ports_[i];
        ninput_items_required[i] = may_step && p.sent_first + p.sent.size() < needed(i) ? 1 : 0;
    }
}

int virtual_air_impl::general_work(int noutput_items, gr_vector_int& ninput_items,
                                   gr_vector_const_void_star& input_items, gr_vector_void_star& output_items) {
    if (drained()) {
        bool complete = true;
        for (std::size_t i = 0; i < ports_.size(); ++i) {
            Port& p = *ports_[i];
            const std::uint64_t missing = needed(i) - std::min(needed(i), p.sent_first + p.sent.size());
            const auto n =
                static_cast<std::size_t>(std::min<std::uint64_t>(missing, static_cast<std::uint64_t>(ninput_items[i])));
            const auto* in = static_cast<const gr_complex*>(input_items[i]);
            p.sent.insert(p.sent.end(), in, in + n);
            consume(static_cast<int>(i), static_cast<int>(n));
            complete = complete && n == missing;
        }
        if (complete) {
            advance();
        }
    }
    for (std::size_t i = 0; i < ports_.size(); ++i) {
        Port& p = *ports_[i];
        const std::size_t n = std::min(static_cast<std::size_t>(noutput_items), p.heard.size() - p.heard_from);
        std::copy_n(p.heard.data() + p.heard_from, n, static_cast<gr_complex*>(output_items[i]));
        p.heard_from += n;
        p.samples += n;
        produce(static_cast<int>(i), static_cast<int>(n));
    }
    return WORK_CALLED_PRODUCE;
}

void virtual_air_impl::advance() {
    for (std::size_t i = 0; i < ports_.size(); ++i) {
        send(i);
    }
    air_->advance(kStep);
    for (std::size_t i = 0; i < ports_.size(); ++i) {
        const auto got = air_->received(i);
        ports_[i]->heard.assign(got.samples.begin(), got.samples.end());
        ports_[i]->heard_from = 0;
        while (air_->poll_report(i)) {  // what came too soon after the start is lost; nothing else can be late
        }
    }
}

/// Puts on the air what a station sends before the next step needs more: pieces of bursts, which add up to whole ones.
void virtual_air_impl::send(std::size_t station) {
    Port& p = *ports_[station];
    const auto not_zero = [](const gr_complex& v) { return v != gr_complex{}; };
    const auto first = std::find_if(p.sent.begin(), p.sent.end(), not_zero);
    const auto last = std::find_if(p.sent.rbegin(), p.sent.rend(), not_zero).base();
    if (first < last) {
        const auto offset = static_cast<std::size_t>(first - p.sent.begin());
        air_->transmit(station, ++bursts_, p.sent_first + offset,
                       std::span(p.sent).subspan(offset, static_cast<std::size_t>(last - first)));
    }
    p.sent_first += p.sent.size();
    p.sent.clear();
}

double virtual_air_impl::snr_db(unsigned from, unsigned to) const {
    if (from >= ports_.size() || to >= ports_.size() || from == to) {
        return std::numeric_limits<double>::quiet_NaN();
    }
    const auto budget = at_start_.budget(from, to);
    return budget.heard ? budget.snr_db : std::numeric_limits<double>::quiet_NaN();
}

std::uint64_t virtual_air_impl::samples(unsigned station) const {
    return station < ports_.size() ? ports_[station]->samples.load() : 0;
}

}  // namespace gr::meshnet

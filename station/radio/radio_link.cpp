// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/radio/radio_link.hpp"

#include <algorithm>
#include <utility>

#include "node/phy_model.hpp"
#include "phy/modes.hpp"

namespace meshnet::station {

namespace {

// A shorter gap is filled with zeros, so that a frame around it loses only blocks.
constexpr Duration kFillGap = 20ms;
// In one call, so that a radio that always has more samples does not block the rest.
constexpr int kMostStretches = 64;

phy::Receiver::Config receiver_config(const RadioLink::Config& c) {
    phy::Receiver::Config out;
    out.profile = c.profile;
    out.decode_threads = c.decode_threads;
    out.keep_constellation = c.keep_constellation;
    out.search_medium = c.longest_preamble >= phy::PreambleClass::kMedium;
    out.search_long = c.longest_preamble >= phy::PreambleClass::kLong;
    return out;
}

}  // namespace

RadioLink::RadioLink(const Config& config, std::unique_ptr<Radio> radio)
    : config_(config),
      radio_(std::move(radio)),
      clock_(radio_->sample_rate()),
      first_mode_(node::first_mode(config.longest_preamble)),
      receiver_(receiver_config(config)),
      transmitter_(*config.profile) {}

Status RadioLink::receive(RadioEvents& events) {
    if (const auto timing = radio_->timing(); timing_ != timing) {
        timing_ = timing;
        events.on_radio_timing(now_, timing);
    }
    // Each call returns samples without a gap; a radio that was not read for a while has several such stretches.
    for (int stretches = 0; stretches < kMostStretches && !ended_; ++stretches) {
        auto got = radio_->receive();
        if (!got) {
            return got.error();
        }
        if (got->samples.empty() && got->reports.empty() && !got->end) {
            break;
        }
        take(*got, events);
        ended_ = got->end;
        if (!got->more) {
            break;
        }
    }
    return Ok{};
}

void RadioLink::take(const Radio::Reception& got, RadioEvents& events) {
    for (const auto& report : got.reports) {
        for (auto& out : outstanding_) {
            if (out.id == report.id && !out.reported) {
                out.reported = true;
                out.end_index = report.sent ? report.end_index : 0;
                ++(report.sent ? counters_.bursts_sent : counters_.bursts_late);
            }
        }
    }
    if (got.samples.empty()) {
        deliver_reports(events);
        return;
    }
    find_gap(got.first_index, events);
    const std::span<const phy::Sample> all(got.samples);
    const auto step = static_cast<std::size_t>(std::max(1.0, clock_.rate().hz() * 1e-3));
    for (std::size_t at = 0; at < all.size(); at += step) {
        process(all.subspan(at, std::min(step, all.size() - at)), events);
    }
}

void RadioLink::find_gap(std::uint64_t first_index, RadioEvents& events) {
    if (!started_) {
        // The radio's counter began before this link: time begins here.
        started_ = true;
        clock_ = node::SampleClock(radio_->sample_rate(), now_, first_index);
        next_index_ = first_index;
        return;
    }
    if (first_index == next_index_) {
        return;
    }
    ++counters_.gaps;
    if (first_index < next_index_) {
        // The counter was reset: the mapping begins anew at the current time.
        clock_ = node::SampleClock(radio_->sample_rate(), now_, first_index);
        next_index_ = first_index;
        give_up_bursts();
        return;
    }
    const std::uint64_t lost = first_index - next_index_;
    counters_.samples_lost += lost;
    if (clock_.duration_of(lost) <= kFillGap) {
        const std::vector<phy::Sample> zeros(static_cast<std::size_t>(lost));
        process(zeros, events);
    } else {
        next_index_ = first_index;
        now_ = std::max(now_, clock_.to_instant(next_index_));
    }
}

void RadioLink::process(std::span<const phy::Sample> samples, RadioEvents& events) {
    receiver_.push(samples);
    receiver_index_ += samples.size();
    next_index_ += samples.size();
    now_ = std::max(now_, clock_.to_instant(next_index_));
    events.on_samples(now_, samples);
    while (auto frame = receiver_.poll_frame()) {
        if (frame->mode < first_mode_) {
            continue;  // not a mode of this channel, although its preamble is one
        }
        const std::uint64_t age = receiver_index_ - std::min(frame->sample_index, receiver_index_);
        const std::uint64_t start = next_index_ - std::min(age, next_index_);
        const double fraction_ns = static_cast<double>(frame->sample_fraction) * 1e9 / clock_.rate().hz();
        const Duration fraction{static_cast<std::int64_t>(fraction_ns)};
        mac::RxFrame rx;
        rx.start = clock_.to_instant(start) + fraction;
        rx.end = clock_.to_instant(start + frame->length_samples) + fraction;
        rx.mode = static_cast<mac::ModeIndex>(frame->mode - first_mode_);
        rx.snr_db = frame->snr_db;
        // What the MAC follows is the sender's carrier on the air: of an inverted spectrum, with the other sign.
        rx.cfo_hz = frame->inverted ? -frame->cfo_hz : frame->cfo_hz;
        rx.cfo_deviation_hz = frame->cfo_deviation_hz;
        rx.payload = std::move(frame->payload);
        rx.segments.reserve(frame->blocks.size());
        for (const auto& block : frame->blocks) {
            rx.segments.push_back({block.offset, block.length, block.crc_ok});
        }
        events.on_frame(now_, rx);
    }
    if (const bool busy = receiver_.carrier_busy(); busy != carrier_busy_) {
        carrier_busy_ = busy;
        events.on_carrier(now_, busy);
    }
    deliver_reports(events);
    events.on_time(now_);
}

void RadioLink::deliver_reports(RadioEvents& events) {
    // A burst ends when its last sample has left the antenna; the report may be earlier.
    for (std::size_t i = 0; i < outstanding_.size();) {
        Outstanding& entry = outstanding_[i];
        if (!entry.reported && next_index_ > entry.give_up_index) {
            entry.reported = true;  // there will be no report
            entry.end_index = 0;
            ++counters_.bursts_late;
        }
        const Outstanding out = entry;
        if (!out.reported || out.end_index > next_index_) {
            ++i;
            continue;
        }
        outstanding_.erase(outstanding_.begin() + static_cast<std::ptrdiff_t>(i));
        events.on_transmitted(now_, out.id, out.end_index == 0 ? mac::TxOutcome::kLate : mac::TxOutcome::kSent);
    }
}

void RadioLink::set_doppler_hint(phy::DopplerShift hint) {
    const double limit = 0.5 * clock_.rate().hz();
    receiver_.set_doppler_hint({std::clamp(hint.hz, -limit, limit), hint.hz_per_s});
}

RadioCounters RadioLink::radio_counters() const {
    RadioCounters out = earlier_;
    if (radio_) {
        add_to(out, radio_->counters());
    }
    return out;
}

void RadioLink::close() {
    earlier_ = radio_counters();
    radio_.reset();
}

std::string_view RadioLink::mode_name(mac::ModeIndex mode) const noexcept {
    const std::size_t index = std::size_t{first_mode_} + mode;
    return index < phy::modes().size() ? phy::modes()[index].name : "?";
}

Status RadioLink::transmit(const mac::TxRequest& request) {
    if (!radio_) {
        outstanding_.push_back({request.id, true, 0, next_index_});
        ++counters_.bursts_late;
        return Error{ErrorCode::kUnavailable, "the radio is closed"};
    }
    burst_.clear();
    transmitter_.modulate(static_cast<phy::ModeIndex>(request.mode + first_mode_), request.payload, burst_);
    const std::uint64_t at = clock_.to_index(request.at);
    auto sent = radio_->transmit(request.id, at, burst_);
    const std::uint64_t give_up = std::max(at, next_index_) + burst_.size() + clock_.rate().num / clock_.rate().den;
    outstanding_.push_back({request.id, !sent.ok(), 0, give_up});
    counters_.bursts_late += sent ? 0 : 1;
    return sent;
}

void RadioLink::replace(std::unique_ptr<Radio> radio, Duration pause, RadioEvents& events) {
    close();
    radio_ = std::move(radio);
    now_ += std::max(pause, Duration{});
    started_ = false;
    ++counters_.reopened;
    give_up_bursts();
    deliver_reports(events);
    events.on_time(now_);
}

void RadioLink::give_up_bursts() {
    for (auto& out : outstanding_) {
        counters_.bursts_late += out.reported ? 0 : 1;
        out.reported = true;
        out.end_index = 0;
    }
}

}  // namespace meshnet::station

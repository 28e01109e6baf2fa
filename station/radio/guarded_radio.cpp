// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/radio/guarded_radio.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <utility>

namespace meshnet::station {

namespace {

// Bursts of the guard's own have ids that no MAC gives.
constexpr std::uint64_t kOwnIds = std::uint64_t{1} << 63;
// From the newest sample received to the first sample of the call sign: the way to any radio.
constexpr Duration kLead = 50ms;

}  // namespace

GuardedRadio::GuardedRadio(std::unique_ptr<Radio> radio, std::shared_ptr<TransmitGuard> guard, Hooks hooks)
    : RadioDecorator(std::move(radio)), guard_(std::move(guard)), hooks_(std::move(hooks)) {
    assert(radio_ && guard_ && hooks_.clock);
    const double samples = to_seconds(guard_->listen_for()) * radio_->sample_rate().hz();
    if (guard_->plan() != nullptr && !guard_->inhibited()) {
        radio_->calibrate();
    }
    heard_.resize(guard_->listen_for() > Duration{} ? static_cast<std::size_t>(std::max(1.0, std::ceil(samples))) : 0);
}

Result<Radio::Reception> GuardedRadio::receive() {
    auto got = radio_->receive();
    if (!got) {
        return got;
    }
    std::erase_if(got->reports, [](const TxReport& report) { return report.id >= kOwnIds; });
    got->reports.insert(got->reports.end(), refused_.begin(), refused_.end());
    refused_.clear();
    if (!got->samples.empty()) {
        follow_time(*got);
        listen(*got);
    }
    if (auto identified = identify(); !identified) {
        return identified.error();
    }
    return got;
}

void GuardedRadio::follow_time(const Reception& got) {
    if (time_ && got.first_index != next_index_) {
        heard_count_ = 0;  // samples were lost: what was heard before is not what is heard now
    }
    const std::uint64_t end = got.first_index + got.samples.size();
    if (!time_ || got.first_index < next_index_) {
        time_.emplace(radio_->sample_rate(), std::max(hooks_.clock(), guard_->latest()), end);
    }
    next_index_ = end;
}

void GuardedRadio::listen(const Reception& got) {
    if (heard_.empty()) {
        return;
    }
    const std::size_t news = std::min(got.samples.size(), heard_.size());
    for (auto it = got.samples.end() - static_cast<std::ptrdiff_t>(news); it != got.samples.end(); ++it) {
        heard_[heard_at_] = std::norm(*it);
        heard_at_ = (heard_at_ + 1) % heard_.size();
    }
    heard_count_ = std::min(heard_count_ + news, heard_.size());
    if (heard_count_ < heard_.size()) {
        return;
    }
    double power = 0.0;
    for (const float value : heard_) {
        power += static_cast<double>(value);
    }
    power /= static_cast<double>(heard_.size());
    if (power <= 0.0) {
        return;  // a receiver that is switched off hears nothing; that is not a clear channel
    }
    // Power that is not a number is not below any threshold: busy.
    const double full_scale = guard_->plan()->config().receive_full_scale_dbm;
    guard_->on_listened(time_->to_instant(next_index_), full_scale + 10.0 * std::log10(power));
}

Status GuardedRadio::identify() {
    if (!time_) {
        return Ok{};
    }
    const Instant earliest = time_->to_instant(next_index_) + kLead;
    const auto mark = guard_->poll_identification(earliest, last_call_);
    signing_ = mark.has_value() || guard_->identifying();
    if (!mark) {
        return Ok{};
    }
    return radio_->transmit(kOwnIds + identifications_++, time_->to_index(mark->at), mark->samples);
}

Status GuardedRadio::transmit(std::uint64_t id, std::uint64_t at, std::span<const phy::Sample> burst) {
    if (!time_) {
        refuse(id, {Refusal::kOutOfOrder, "the radio has not given its time yet"});
        return Ok{};
    }
    const auto* plan = guard_->plan();
    const Emission emission{plan != nullptr ? plan->config().frequency_hz : 0.0, radio_->sample_rate().hz(), burst,
                            time_->to_instant(at)};
    if (const auto refused = guard_->judge(emission)) {
        refuse(id, *refused);
        return Ok{};
    }
    return radio_->transmit(id, at, burst);
}

void GuardedRadio::refuse(std::uint64_t id, const Refused& refused) {
    refused_.push_back({id, false, 0});
    if (said_ != refused.kind && hooks_.say) {
        hooks_.say("not sent: " + refused.sentence);
    }
    said_ = refused.kind;
}

}  // namespace meshnet::station

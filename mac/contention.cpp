// SPDX-License-Identifier: MIT
#include "mac/contention.hpp"

#include <algorithm>

namespace meshnet::mac {

Instant Contention::idle_from() const noexcept {
    const Instant quiet = std::max(idle_since_, std::max(reserved_until(), unread_until_));
    return std::max(quiet + config_.idle_before, counted_from_);
}

// Takes the idle slots that have passed off the backoff. Called before anything that changes what idle means.
void Contention::consume(Instant now) noexcept {
    if (busy_ || !wanted_) {
        return;
    }
    const Instant from = idle_from();
    if (now <= from) {
        return;
    }
    const auto passed = static_cast<std::uint64_t>((now - from) / config_.slot);
    const std::uint64_t used = std::min(passed, slots_left_);
    slots_left_ -= used;
    counted_from_ = std::max(counted_from_, from + static_cast<std::int64_t>(used) * config_.slot);
}

void Contention::reconfigure(Instant now, const Config& config) {
    consume(now);
    config_ = config;
}

void Contention::on_carrier(Instant now, bool busy) {
    if (busy == busy_) {
        return;
    }
    consume(now);
    busy_ = busy;
    if (busy) {
        defer();
        if (sense_by_ && now <= *sense_by_) {
            sense_by_.reset();  // somebody uses it
        }
        busy_since_ = now;
        header_read_ = false;
    } else {
        idle_since_ = now;
        if (!header_read_) {
            unread_until_ = now + config_.unread_wait;
        }
    }
}

void Contention::on_unbelieved(Instant now) {
    consume(now);
    on_read(now);
}

void Contention::on_read(Instant now) {
    header_read_ = true;
    header_read_at_ = now;
    unread_until_ = kLongAgo;
}

void Contention::reserve(std::uint32_t sender, std::uint32_t grantee, Instant until, bool proven) {
    reserved_until_ = until;
    sense_by_.reset();
    reserved_proven_ = proven;
    reserved_by_ = sender;
    reserved_for_ = grantee;
}

void Contention::on_header(Instant now, std::uint32_t sender, std::uint32_t grantee, Instant reserved_until) {
    consume(now);
    on_read(now);
    const bool continues = sender == reserved_by_ || sender == reserved_for_;
    if (continues || reserved_until > this->reserved_until()) {
        reserve(sender, grantee, reserved_until, true);
    }
    // A frame heard starts the count anew even where the carrier was too weak to be sensed.
    idle_since_ = std::max(idle_since_, now - config_.idle_before);
    defer();
}

void Contention::on_unproven(Instant now, std::uint32_t sender, std::uint32_t grantee, Instant reserved_until,
                             Instant heard_end, std::optional<Instant> sense_by) {
    consume(now);
    on_read(now);
    const bool continues = (sender == reserved_by_ || sender == reserved_for_) && !reserved_proven_;
    if (continues || reserved_until > this->reserved_until()) {
        reserve(sender, grantee, reserved_until, false);
        const bool sensed = busy_ && busy_since_ >= heard_end;
        sense_by_ = sensed ? std::nullopt : sense_by;
    }
    idle_since_ = std::max(idle_since_, now - config_.idle_before);
    defer();
}

// Whoever was about to send when the channel was taken is not alone in that: draw, or all would start together when it
// is free again.
void Contention::defer() {
    if (wanted_ && slots_left_ == 0) {
        slots_left_ = draw();
    }
}

void Contention::on_own_burst(Instant now, Instant end) {
    consume(now);
    idle_since_ = std::max(idle_since_, end);
    if (busy_) {
        busy_since_ = end;
    }
    wanted_ = false;
}

void Contention::hold_until(Instant now, Instant until) {
    consume(now);
    reserved_until_ = std::max(this->reserved_until(), until);
    sense_by_.reset();
}

void Contention::request(Instant now, unsigned extra_slots) {
    if (wanted_) {
        return;
    }
    wanted_ = true;
    const bool idle = !busy_ && now >= idle_from();
    // After a failure also on an idle channel: two that began at the same instant never heard each other, and would do
    // so again and again.
    const bool at_once = idle && failures_ == 0;
    slots_left_ = (at_once ? 0 : draw()) + extra_slots;
    counted_from_ = idle ? now : kLongAgo;
}

void Contention::expect(std::size_t others) noexcept {
    expected_ = static_cast<unsigned>(std::min<std::size_t>(others, config_.window_max));
}

std::uint64_t Contention::draw() {
    const unsigned least = std::clamp(2 * expected_, config_.window_min, config_.window_max);
    return random_.below(std::min<std::uint64_t>(std::uint64_t{least} << failures_, config_.window_max));
}

std::optional<Instant> Contention::ready_at() const noexcept {
    if (!wanted_) {
        return std::nullopt;
    }
    if (busy_) {
        return std::max(busy_since_, header_read_at_) + config_.patience +
               static_cast<std::int64_t>(slots_left_) * config_.slot;
    }
    return idle_from() + static_cast<std::int64_t>(slots_left_) * config_.slot;
}

}  // namespace meshnet::mac

// SPDX-License-Identifier: MIT
#include "mac/arq_sender.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace meshnet::mac {
namespace {

/// True if burst number `a` is `b` or was sent before it, modulo 256.
bool not_after(std::uint8_t a, std::uint8_t b) noexcept {
    return static_cast<std::uint8_t>(b - a) < 128;
}

}  // namespace

void ArqSender::push(Instant now, Sdu sdu) {
    queue_.push(now, std::move(sdu));
}

std::uint16_t ArqSender::floor() const noexcept {
    return static_cast<std::uint16_t>(next_ - window_.size());
}

Priority ArqSender::urgency() const noexcept {
    Priority most = queue_.urgency();
    if (ready_ > 0) {
        for (const Fragment& f : window_) {
            if (f.state == State::kReady) {
                most = std::min(most, f.sdu->sdu.priority);
            }
        }
    }
    return most;
}

void ArqSender::set_state(Fragment& f, State to) noexcept {
    if (f.state == State::kReady) {
        --ready_;
        ready_bytes_ -= f.length;
    } else if (f.state == State::kFlying) {
        --flying_;
    }
    f.state = to;
    if (to == State::kReady) {
        ++ready_;
        ready_bytes_ += f.length;
    } else if (to == State::kFlying) {
        ++flying_;
    }
}

// Cuts the next SDU of the queue into fragments and numbers them.
bool ArqSender::admit(Instant now, std::size_t fragment_bytes, bool control_only) {
    const bool urgent = queue_.has_control();
    const std::size_t limit = urgent ? kWindow : kWindow - kControlReserve;
    if (window_.size() + kMaxFragments > limit) {
        return false;
    }
    auto entry = queue_.pop(now, control_only);
    if (!entry) {
        return false;
    }
    const std::size_t size = entry->sdu.bytes.size();
    const std::size_t count = (size + fragment_bytes - 1) / fragment_bytes;
    assert(count >= 1 && count <= kMaxFragments);
    const std::size_t piece = (size + count - 1) / count;
    auto held = std::make_shared<Held>();
    held->number = next_sdu_[static_cast<std::size_t>(entry->sdu.priority)]++;
    held->first = next_;
    held->count = static_cast<std::uint8_t>(count);
    held->unresolved = held->count;
    held->since = entry->since;
    held->sdu = std::move(entry->sdu);
    held_bytes_ += size;
    for (std::size_t i = 0; i < count; ++i) {
        Fragment f;
        f.sdu = held;
        f.index = static_cast<std::uint8_t>(i);
        f.offset = i * piece;
        f.length = std::min(piece, size - f.offset);
        ++ready_;
        ready_bytes_ += f.length;
        window_.push_back(std::move(f));
        ++next_;
    }
    return true;
}

std::size_t ArqSender::take(Instant now, std::size_t budget, std::size_t fragment_bytes, std::uint8_t target,
                            std::uint8_t burst, ModeIndex mode, std::vector<FragmentView>& views) {
    std::size_t used = 0;
    const auto send_ready = [&](Priority least_urgent) {
        for (std::size_t i = 0; i < window_.size() && ready_ > 0; ++i) {
            Fragment& f = window_[i];
            if (f.state != State::kReady || f.sdu->sdu.priority > least_urgent ||
                used + f.length + kFragmentOverhead > budget) {
                continue;
            }
            FragmentView v;
            v.target = target;
            v.priority = f.sdu->sdu.priority;
            v.sequence = static_cast<std::uint16_t>(floor() + i);
            v.sdu = f.sdu->number;
            v.index = f.index;
            v.count = f.sdu->count;
            v.data = ByteView(f.sdu->sdu.bytes).subspan(f.offset, f.length);
            views.push_back(v);
            used += f.length + kFragmentOverhead;
            retransmissions_ += f.sent_before ? 1 : 0;
            oldest_ = flying_ == 0 ? now : std::min(oldest_, now);
            f.sent_before = true;
            f.burst = burst;
            f.mode = mode;
            f.sent_at = now;
            set_state(f, State::kFlying);
        }
    };
    // The numbers are taken in the order of sending, so control waiting in the queue comes before older bulk is sent
    // again.
    send_ready(Priority::kControl);
    while (used + kFragmentOverhead < budget && ready_bytes_ < budget && admit(now, fragment_bytes, true)) {
    }
    send_ready(Priority::kControl);
    send_ready(Priority::kBulk);
    while (used + kFragmentOverhead + ready_bytes_ < budget && admit(now, fragment_bytes, false)) {
        send_ready(Priority::kBulk);
    }
    return used;
}

void ArqSender::resolve(Fragment& f) {
    if (f.state == State::kResolved) {
        return;
    }
    set_state(f, State::kResolved);
    Held& held = *f.sdu;
    if (--held.unresolved == 0) {
        held_bytes_ -= held.sdu.bytes.size();
        done_.push_back({held.sdu.tag, true});
    }
}

void ArqSender::abandon(const std::shared_ptr<Held>& sdu) {
    if (sdu->unresolved == 0) {
        return;
    }
    for (Fragment& f : window_) {
        if (f.sdu == sdu && f.state != State::kResolved) {
            set_state(f, State::kResolved);
        }
    }
    sdu->unresolved = 0;
    held_bytes_ -= sdu->sdu.bytes.size();
    done_.push_back({sdu->sdu.tag, false});
}

void ArqSender::lose(std::size_t position) {
    Fragment& f = window_[position];
    set_state(f, State::kReady);
    if (++f.tries >= kMaxTries) {
        const auto sdu = f.sdu;
        abandon(sdu);
    }
}

void ArqSender::trim() {
    while (!window_.empty() && window_.front().state == State::kResolved) {
        window_.pop_front();
    }
}

ArqSender::Fate ArqSender::on_ack(Instant now, const BlockAck& ack) {
    (void)now;
    Fate fate;
    if (ack.session != session_) {
        return fate;
    }
    const std::uint16_t floor_now = floor();
    const std::size_t size = window_.size();
    // Where the acknowledgement's base lies in our window: behind the floor (an old one) counts as the floor.
    const auto ahead = static_cast<std::uint16_t>(ack.base - floor_now);
    const bool old = ahead > size;
    if (old && static_cast<std::uint16_t>(floor_now - ack.base) > 2 * kWindow) {
        return fate;  // never sent: forged, or of another time
    }
    const std::size_t bitmap_bits = ack.bitmap.size() * 8;
    for (std::size_t i = 0; i < size; ++i) {
        Fragment& f = window_[i];
        if (f.state == State::kResolved || !f.sent_before) {
            continue;
        }
        const auto bit = static_cast<std::uint16_t>(floor_now + i - ack.base);
        const bool before_base = !old && i < ahead;
        const bool in_bitmap = !before_base && bit < bitmap_bits && (ack.bitmap[bit / 8] >> (7 - bit % 8) & 1) != 0;
        const bool covered = f.state == State::kFlying && not_after(f.burst, ack.burst);
        if (before_base || in_bitmap) {
            if (covered) {
                ++fate.sent;
                fate.mode = f.mode;
            }
            resolve(f);
        } else if (covered) {
            ++fate.sent;
            ++fate.lost;
            fate.mode = f.mode;
            lose(i);
        }
    }
    trim();
    return fate;
}

void ArqSender::on_silence(std::uint8_t burst) {
    for (std::size_t i = 0; i < window_.size(); ++i) {
        if (window_[i].state == State::kFlying && window_[i].burst == burst) {
            lose(i);
        }
    }
    trim();
}

void ArqSender::on_silence() {
    for (std::size_t i = 0; i < window_.size(); ++i) {
        if (window_[i].state == State::kFlying) {
            lose(i);
        }
    }
    trim();
}

void ArqSender::on_not_sent(std::uint8_t burst) {
    for (Fragment& f : window_) {
        if (f.state == State::kFlying && f.burst == burst) {
            set_state(f, State::kReady);
        }
    }
}

void ArqSender::on_sent_unacknowledged(std::uint8_t burst) {
    for (Fragment& f : window_) {
        if (f.state == State::kFlying && f.burst == burst) {
            resolve(f);
        }
    }
    trim();
}

void ArqSender::on_timeout(Instant now) {
    if (flying_ == 0 || now - oldest_ < rto_) {
        return;
    }
    Instant oldest = now;
    for (std::size_t i = 0; i < window_.size(); ++i) {
        if (window_[i].state != State::kFlying) {
            continue;
        }
        if (now - window_[i].sent_at >= rto_) {
            lose(i);
        } else {
            oldest = std::min(oldest, window_[i].sent_at);
        }
    }
    oldest_ = oldest;
    trim();
}

std::optional<Instant> ArqSender::next_timeout() const noexcept {
    return flying_ == 0 ? std::nullopt : std::optional(oldest_ + rto_);
}

void ArqSender::restart() {
    ++session_;
    // Back into the queue in the old order: from the newest to the oldest, each to the front.
    std::shared_ptr<Held> last;
    for (auto f = window_.rbegin(); f != window_.rend(); ++f) {
        if (f->sdu != last && f->sdu->unresolved > 0) {
            last = f->sdu;
            held_bytes_ -= last->sdu.bytes.size();
            queue_.push_front(last->since, std::move(last->sdu));
        }
    }
    window_.clear();
    ready_ = flying_ = ready_bytes_ = 0;
    next_ = 0;
    next_sdu_.fill(0);
}

void ArqSender::flush() {
    restart();
    while (auto entry = queue_.pop(Instant{})) {
        done_.push_back({entry->sdu.tag, false});
    }
}

std::optional<ArqSender::Done> ArqSender::poll_done() {
    if (done_.empty()) {
        return std::nullopt;
    }
    const Done d = done_.front();
    done_.pop_front();
    return d;
}

}  // namespace meshnet::mac

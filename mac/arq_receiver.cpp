// SPDX-License-Identifier: MIT
#include "mac/arq_receiver.hpp"

#include <algorithm>
#include <utility>

namespace meshnet::mac {
namespace {
constexpr std::size_t kPieceCost = sizeof(Bytes) + 16;  // the vector and the head of its allocation
constexpr std::size_t kPartialCost = 160;               // the entry of the map
}  // namespace

bool ArqReceiver::plausible(const Target& target) const noexcept {
    if (!synchronised_ || target.session != session_) {
        return true;
    }
    const auto ahead = static_cast<std::uint16_t>(target.floor - static_cast<std::uint16_t>(base_));
    return ahead <= kWindow || ahead >= 0x8000;
}

void ArqReceiver::reset() noexcept {
    synchronised_ = false;
    received_.reset();
    partials_.clear();
    next_sdu_.fill(std::nullopt);
    held_bytes_ = 0;
}

void ArqReceiver::advance_to(std::uint64_t base) {
    const std::uint64_t cleared = std::min<std::uint64_t>(base - base_, kWindow);
    for (std::uint64_t i = 0; i < cleared; ++i) {
        received_.reset((base_ + i) % kWindow);
    }
    base_ = base;
}

void ArqReceiver::on_target(const Target& target, std::vector<Sdu>& out) {
    if (!synchronised_ || target.session != session_) {
        reset();
        synchronised_ = true;
        session_ = target.session;
        // Room below, so that no subtraction of fragment indices passes zero.
        base_ = (std::uint64_t{1} << 32) + target.floor;
        newest_ = base_;
        return;
    }
    const auto ahead = static_cast<std::uint16_t>(target.floor - static_cast<std::uint16_t>(base_));
    if (ahead != 0 && ahead < 0x8000) {
        advance_to(base_ + ahead);
        settle(out);
    }
}

void ArqReceiver::on_fragment(const FragmentView& fragment, std::vector<Sdu>& out) {
    if (!synchronised_) {
        return;
    }
    const auto ahead = static_cast<std::uint16_t>(fragment.sequence - static_cast<std::uint16_t>(base_));
    if (ahead >= 0x8000) {
        ++duplicates_;
        return;
    }
    if (ahead >= kWindow) {
        return;
    }
    const std::uint64_t number = base_ + ahead;
    if (has(number)) {
        ++duplicates_;
        return;
    }
    const std::uint64_t first = number - fragment.index;
    const bool known = partials_.count(first) > 0;
    const std::size_t cost = fragment.data.size() + (known ? 0 : kPartialCost + fragment.count * kPieceCost);
    const std::size_t reserve = number > newest_ ? max_held_bytes_ / kGapShare : 0;
    if (held_bytes_ + cost + reserve > max_held_bytes_) {
        return;
    }
    auto [entry, fresh] = partials_.try_emplace(first);
    Partial& p = entry->second;
    if (fresh) {
        p.priority = fragment.priority;
        p.sdu = fragment.sdu;
        p.count = fragment.count;
        p.pieces.resize(fragment.count);
    }
    if (p.priority != fragment.priority || p.sdu != fragment.sdu || p.count != fragment.count ||
        !p.pieces[fragment.index].empty() || p.bytes + fragment.data.size() > kMaxSduBytes) {
        if (fresh) {
            partials_.erase(entry);
        }
        return;  // contradicts what came before
    }
    p.pieces[fragment.index].assign(fragment.data.begin(), fragment.data.end());
    ++p.arrived;
    p.bytes += fragment.data.size();
    p.held += cost;
    held_bytes_ += cost;
    received_.set(number % kWindow);
    newest_ = std::max(newest_, number);
    settle(out);
}

// Moves the base over what has arrived, then delivers, in order, every SDU that is next, and drops those that can never
// be complete.
void ArqReceiver::settle(std::vector<Sdu>& out) {
    while (has(base_)) {
        received_.reset(base_ % kWindow);
        ++base_;
    }
    for (auto it = partials_.begin(); it != partials_.end();) {
        Partial& p = it->second;
        auto& expected = next_sdu_[static_cast<std::size_t>(p.priority)];
        const bool complete = p.arrived == p.count;
        const bool next_in_order = base_ >= it->first || (expected && *expected == p.sdu);
        const bool lost = !complete && base_ >= it->first + p.count;
        if (complete && next_in_order) {
            Sdu sdu;
            sdu.priority = p.priority;
            sdu.bytes.reserve(p.bytes);
            for (const Bytes& piece : p.pieces) {
                sdu.bytes.insert(sdu.bytes.end(), piece.begin(), piece.end());
            }
            out.push_back(std::move(sdu));
            expected = static_cast<std::uint16_t>(p.sdu + 1);
        }
        if ((complete && next_in_order) || lost) {
            held_bytes_ -= p.held;
            it = partials_.erase(it);
        } else {
            ++it;
        }
    }
}

void ArqReceiver::fill(BlockAck& ack) const {
    ack.session = session_;
    ack.base = static_cast<std::uint16_t>(base_);
    ack.bitmap.clear();
    for (std::size_t i = 0; i < kWindow && i < kMaxBitmapBytes * 8; ++i) {
        if (has(base_ + i)) {
            ack.bitmap.resize(i / 8 + 1, 0);
            ack.bitmap[i / 8] = static_cast<std::uint8_t>(ack.bitmap[i / 8] | (0x80U >> (i % 8)));
        }
    }
}

}  // namespace meshnet::mac

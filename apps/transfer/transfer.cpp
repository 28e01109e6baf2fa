// SPDX-License-Identifier: GPL-3.0-or-later
#include "apps/transfer/transfer.hpp"

#include <sodium.h>

#include <algorithm>
#include <cassert>
#include <utility>

namespace meshnet::apps {

namespace {

constexpr double kMaxWindow = 480.0;  // chunks: 560 kB, 2 s of 2 Mbit/s: turns of half a second both ways, over hops
constexpr std::uint64_t kReordering = 3;
constexpr Duration kMinRto = 1s;
constexpr Duration kMaxRto = 8s;
constexpr Duration kAckDelay = 50ms;
constexpr std::size_t kBitmapBytes = 64;

std::uint32_t chunk_count(std::uint64_t size) {
    return static_cast<std::uint32_t>((size + kTransferChunk - 1) / kTransferChunk);
}

}  // namespace

Sha256 sha256(ByteView bytes) {
    Sha256 out{};
    static_assert(crypto_hash_sha256_BYTES == std::tuple_size_v<Sha256>);
    crypto_hash_sha256(out.data(), bytes.data(), bytes.size());
    return out;
}

TransferSender::TransferSender(std::uint64_t transfer, std::string name, Bytes file)
    : transfer_(transfer),
      name_(std::move(name)),
      file_(std::move(file)),
      digest_(sha256(file_)),
      chunks_(chunk_count(file_.size())) {
    assert(file_.size() <= kMaxTransferBytes);
}

std::uint64_t TransferSender::bytes_acknowledged() const noexcept {
    return std::min<std::uint64_t>(std::uint64_t{first_open_} * kTransferChunk, file_.size());
}

void TransferSender::on_message(Instant now, const TransferMessage& message) {
    const auto* ack = std::get_if<TransferAck>(&message.body);
    if (ack != nullptr && message.transfer == transfer_ && state_ == State::kRunning && ack->next <= chunks_.size()) {
        on_ack(now, *ack);
    }
}

void TransferSender::on_ack(Instant now, const TransferAck& ack) {
    if ((ack.flags & TransferAck::kRefused) != 0) {
        state_ = State::kRefused;
        return;
    }
    if ((ack.flags & TransferAck::kComplete) != 0) {
        first_open_ = static_cast<std::uint32_t>(chunks_.size());
        state_ = (ack.flags & TransferAck::kDamaged) != 0 ? State::kDamaged : State::kDone;
        return;
    }
    accepted_ = true;
    const auto stamp = instant_from_ns(static_cast<std::int64_t>(ack.stamp & 0x7FFF'FFFF'FFFF'FFFF));
    if (ack.stamp != 0 && stamp <= now && now - stamp < 60s) {
        measure(now - stamp);
    }
    std::size_t newly = 0;
    const auto acknowledge = [&](std::uint64_t index) {
        if (index >= chunks_.size() || chunks_[index].acknowledged || chunks_[index].sent_order == 0) {
            return;  // never sent: a forged acknowledgement, or one of an earlier transfer
        }
        auto& chunk = chunks_[index];
        chunk.acknowledged = true;
        in_flight_ -= chunk.in_flight ? 1 : 0;
        chunk.in_flight = false;
        newest_acknowledged_ = std::max(newest_acknowledged_, chunk.sent_order);
        ++newly;
    };
    for (std::uint32_t i = first_open_; i < ack.next; ++i) {
        acknowledge(i);
    }
    for (std::size_t bit = 0; bit < ack.bitmap.size() * 8; ++bit) {
        if ((ack.bitmap[bit / 8] >> (bit % 8) & 1) != 0) {
            acknowledge(std::uint64_t{ack.next} + 1 + bit);
        }
    }
    while (first_open_ < chunks_.size() && chunks_[first_open_].acknowledged) {
        ++first_open_;
    }
    if (newly > 0) {
        const auto grown = static_cast<double>(newly);
        window_ = std::min(kMaxWindow, window_ + (window_ < threshold_ ? grown : grown / window_));
        timer_ = now + rto_;
    }
    detect_losses();
}

void TransferSender::measure(Duration sample) {
    if (srtt_ == Duration{}) {
        srtt_ = sample;
        rttvar_ = sample / 2;
    } else {
        const Duration error = sample > srtt_ ? sample - srtt_ : srtt_ - sample;
        rttvar_ = (3 * rttvar_ + error) / 4;
        srtt_ = (7 * srtt_ + sample) / 8;
    }
    rto_ = std::clamp(srtt_ + 4 * rttvar_, kMinRto, kMaxRto);
}

void TransferSender::detect_losses() {
    bool lost = false;
    for (std::uint32_t i = first_open_; i < next_new_; ++i) {
        auto& chunk = chunks_[i];
        if (chunk.in_flight && chunk.sent_order + kReordering <= newest_acknowledged_) {
            chunk.in_flight = false;
            --in_flight_;
            lost = lost || chunk.sent_order > recovery_until_;
        }
    }
    if (lost) {  // once for all losses of one window
        threshold_ = std::max(window_ / 2, 2.0);
        window_ = threshold_;
        recovery_until_ = sent_;
    }
}

std::optional<std::uint32_t> TransferSender::next_chunk() const {
    for (std::uint32_t i = first_open_; i < next_new_; ++i) {
        if (!chunks_[i].acknowledged && !chunks_[i].in_flight) {
            return i;
        }
    }
    if (next_new_ < chunks_.size()) {
        return next_new_;
    }
    return std::nullopt;
}

std::optional<TransferMessage> TransferSender::poll_transmit(Instant now) {
    if (state_ != State::kRunning) {
        return std::nullopt;
    }
    if (timer_ && now >= *timer_) {
        for (std::uint32_t i = first_open_; i < next_new_; ++i) {
            chunks_[i].in_flight = false;
        }
        in_flight_ = 0;
        if (accepted_) {
            // Once for an outage, not once for every time-out in it (RFC 5681, 3.1), so that the rate recovers soon.
            threshold_ = window_ > 1.0 ? std::max(window_ / 2, 2.0) : threshold_;
            window_ = 1.0;
            recovery_until_ = sent_;
        }
        rto_ = std::min(2 * rto_, kMaxRto);
        timer_.reset();
    }
    const bool only_open = !accepted_ || first_open_ == chunks_.size();  // no data to send: repeat OPEN
    if (only_open) {
        if (timer_) {
            return std::nullopt;
        }
        timer_ = now + rto_;
        return TransferMessage{transfer_, TransferOpen{file_.size(), digest_, name_}};
    }
    if (static_cast<double>(in_flight_) >= std::max(window_, 1.0)) {
        return std::nullopt;
    }
    const auto index = next_chunk();
    if (!index) {
        return std::nullopt;
    }
    auto& chunk = chunks_[*index];
    retransmissions_ += chunk.sent_order != 0 ? 1 : 0;
    chunk.in_flight = true;
    chunk.sent_order = ++sent_;
    ++in_flight_;
    next_new_ = std::max(next_new_, *index + 1);
    if (!timer_) {
        timer_ = now + rto_;
    }
    const std::size_t begin = std::size_t{*index} * kTransferChunk;
    const std::size_t size = std::min(kTransferChunk, file_.size() - begin);
    TransferData data;
    data.chunk = *index;
    data.stamp = static_cast<std::uint64_t>(std::max<std::int64_t>(to_ns(now), 1));
    data.bytes.assign(file_.begin() + static_cast<std::ptrdiff_t>(begin),
                      file_.begin() + static_cast<std::ptrdiff_t>(begin + size));
    return TransferMessage{transfer_, std::move(data)};
}

std::optional<Instant> TransferSender::next_timeout() const {
    return state_ == State::kRunning ? timer_ : std::nullopt;
}

TransferReceiver::TransferReceiver(std::uint64_t transfer, const TransferOpen& open)
    : transfer_(transfer), open_(open), have_(chunk_count(open.size)), missing_(have_.size()) {
    assert(open.size <= kMaxTransferBytes);
    file_.resize(open.size);
    if (missing_ == 0) {
        finish();
    }
}

void TransferReceiver::finish() {
    intact_ = sha256(file_) == open_.digest;
}

void TransferReceiver::on_message(Instant now, const TransferMessage& message) {
    if (message.transfer != transfer_) {
        return;
    }
    if (std::holds_alternative<TransferOpen>(message.body)) {
        acknowledge_at_ = now;  // an acknowledgement was lost: repeat it
        return;
    }
    const auto* data = std::get_if<TransferData>(&message.body);
    if (data == nullptr || data->chunk >= have_.size()) {
        return;
    }
    const std::size_t begin = std::size_t{data->chunk} * kTransferChunk;
    if (data->bytes.size() != std::min(kTransferChunk, file_.size() - begin)) {
        return;
    }
    newest_stamp_ = data->stamp;
    const bool in_order = data->chunk == next_;
    if (!have_[data->chunk]) {
        have_[data->chunk] = true;
        --missing_;
        received_ += data->bytes.size();
        std::copy(data->bytes.begin(), data->bytes.end(), file_.begin() + static_cast<std::ptrdiff_t>(begin));
        while (next_ < have_.size() && have_[next_]) {
            ++next_;
        }
        if (missing_ == 0) {
            finish();
        }
    }
    ++unacknowledged_;
    const bool at_once = !in_order || unacknowledged_ >= 2 || missing_ == 0;
    const Instant due = at_once ? now : now + kAckDelay;
    acknowledge_at_ = acknowledge_at_ ? std::min(*acknowledge_at_, due) : due;
}

std::optional<TransferMessage> TransferReceiver::poll_transmit(Instant now) {
    if (!acknowledge_at_ || now < *acknowledge_at_) {
        return std::nullopt;
    }
    acknowledge_at_.reset();
    unacknowledged_ = 0;
    TransferAck ack;
    ack.next = next_;
    ack.stamp = std::exchange(newest_stamp_, 0);
    if (complete()) {
        ack.flags = static_cast<std::uint8_t>(TransferAck::kComplete | (intact_ ? 0 : TransferAck::kDamaged));
    } else {
        ack.bitmap.assign(kBitmapBytes, 0);
        for (std::size_t bit = 0; bit < kBitmapBytes * 8; ++bit) {
            const std::size_t index = std::size_t{next_} + 1 + bit;
            if (index < have_.size() && have_[index]) {
                ack.bitmap[bit / 8] = static_cast<std::uint8_t>(ack.bitmap[bit / 8] | (1U << (bit % 8)));
            }
        }
        while (!ack.bitmap.empty() && ack.bitmap.back() == 0) {
            ack.bitmap.pop_back();
        }
    }
    return TransferMessage{transfer_, std::move(ack)};
}

}  // namespace meshnet::apps

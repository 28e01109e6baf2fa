// SPDX-License-Identifier: MIT
#include "mac/frame_format.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "mac/crc.hpp"

namespace meshnet::mac {
namespace {

enum class SubFrame : std::uint8_t { kHeader = 0, kFragment = 1, kAck = 2, kHello = 3 };

constexpr std::size_t kHeaderFixed = 20;
constexpr std::size_t kTargetBytes = 8;
constexpr std::size_t kAckFixed = 10;
constexpr std::size_t kHelloFixed = 13;
constexpr std::size_t kHeardBytes = 13;
constexpr std::size_t kMaxFailedChecks = 64;
constexpr std::uint64_t kStampMask = (std::uint64_t{1} << 48) - 1;

std::uint64_t steps_up(Duration d, Duration step, std::uint64_t limit) {
    if (d <= Duration::zero()) {
        return 0;
    }
    return std::min(static_cast<std::uint64_t>((d + step - Duration{1}) / step), limit);
}

constexpr Duration kFineStep = 250us;
constexpr Duration kCoarseStep = 4ms;
constexpr std::uint8_t kFineCodes = 128;
constexpr Duration kCoarseFrom = kFineCodes * kFineStep;
static_assert(kCoarseFrom + 127 * kCoarseStep == kMostGap);

/// Rounds up.
std::uint8_t gap_code(Duration d) {
    const std::uint64_t fine = steps_up(d, kFineStep, 255);
    if (fine < kFineCodes) {
        return static_cast<std::uint8_t>(fine);
    }
    return static_cast<std::uint8_t>(kFineCodes + steps_up(d - kCoarseFrom, kCoarseStep, 255 - kFineCodes));
}

Duration gap_from(std::uint8_t code) {
    return code < kFineCodes ? code * kFineStep : kCoarseFrom + (code - kFineCodes) * kCoarseStep;
}

std::int8_t snr_steps(float snr_db) {
    if (!(snr_db > -32.0F)) {
        return -128;
    }
    return static_cast<std::int8_t>(std::lround(std::min(snr_db, 31.75F) * 4.0F));
}

float snr_from(std::uint8_t raw) {
    return static_cast<float>(static_cast<std::int8_t>(raw)) * 0.25F;
}

void stamp(ByteWriter& w, Duration d) {
    const std::uint64_t v = static_cast<std::uint64_t>(d.count()) & kStampMask;
    w.u24(static_cast<std::uint32_t>(v >> 24));
    w.u24(static_cast<std::uint32_t>(v & 0xFFFFFF));
}

Duration read_stamp(ByteReader& r) {
    const std::uint64_t high = r.u24();
    return Duration{static_cast<std::int64_t>((high << 24) | r.u24())};
}

// Opens a sub-frame of `body` bytes in `out`; close_sub_frame() adds the CRC over what was written since.
std::size_t open_sub_frame(Bytes& out, SubFrame type, std::size_t body) {
    assert(body <= kMaxSubFrameBody);
    const std::size_t start = out.size();
    ByteWriter w(out);
    w.u8(kDelimiterMagic);
    w.u16(static_cast<std::uint16_t>((static_cast<unsigned>(type) << 13) | body));
    w.u8(crc8(ByteView(out).subspan(start, 3)));
    return start;
}

void close_sub_frame(Bytes& out, std::size_t start) {
    const std::uint32_t crc = crc32(ByteView(out).subspan(start));
    ByteWriter(out).u32(crc);
}

void write_header(Bytes& out, const BurstHeader& h) {
    assert(h.targets.size() <= kMaxTargets && h.chain_left <= 15);
    const std::size_t start = open_sub_frame(out, SubFrame::kHeader, kHeaderFixed + kTargetBytes * h.targets.size());
    ByteWriter w(out);
    w.u8(static_cast<std::uint8_t>((kFormatVersion << 4) | (h.wants_txop ? 8U : 0U) | h.targets.size()));
    w.u8(static_cast<std::uint8_t>(h.chain_left << 4));
    w.u32(h.sender);
    w.u16(h.epoch);
    w.u8(h.burst);
    w.u8(gap_code(h.gap));
    w.u32(h.grantee);
    w.u16(static_cast<std::uint16_t>(steps_up(h.grant, 16us, 65'535)));
    w.u16(static_cast<std::uint16_t>(steps_up(h.nav, 16us, 65'535)));
    w.u16(static_cast<std::uint16_t>(std::min<std::size_t>((h.backlog_bytes + 63) / 64, 65'535)));
    for (const Target& t : h.targets) {
        w.u32(t.peer);
        w.u16(t.session);
        w.u16(t.floor);
    }
    close_sub_frame(out, start);
}

bool read_header(ByteView body, BurstHeader& h) {
    ByteReader r(body);
    const std::uint8_t first = r.u8();
    if ((first >> 4) != kFormatVersion) {
        return false;
    }
    const std::size_t targets = first & 7U;
    h.wants_txop = (first & 8U) != 0;
    h.chain_left = static_cast<std::uint8_t>(r.u8() >> 4);
    h.sender = r.u32();
    h.epoch = r.u16();
    h.burst = r.u8();
    h.gap = gap_from(r.u8());
    h.grantee = r.u32();
    h.grant = r.u16() * Duration{16us};
    h.nav = r.u16() * Duration{16us};
    h.backlog_bytes = std::size_t{r.u16()} * 64;
    h.targets.clear();
    for (std::size_t i = 0; i < targets; ++i) {
        Target t;
        t.peer = r.u32();
        t.session = r.u16();
        t.floor = r.u16();
        h.targets.push_back(t);
    }
    return r.complete() && h.sender != 0 && h.sender != kBroadcast && h.grantee != kBroadcast;
}

void write_ack(Bytes& out, const BlockAck& a) {
    assert(a.bitmap.size() <= kMaxBitmapBytes);
    const std::size_t start = open_sub_frame(out, SubFrame::kAck, kAckFixed + a.bitmap.size());
    ByteWriter w(out);
    w.u32(a.peer);
    w.u16(a.session);
    w.u8(a.burst);
    w.u8(static_cast<std::uint8_t>(snr_steps(a.snr_db)));
    w.u16(a.base);
    w.bytes(a.bitmap);
    close_sub_frame(out, start);
}

std::optional<BlockAck> read_ack(ByteView body) {
    ByteReader r(body);
    BlockAck a;
    a.peer = r.u32();
    a.session = r.u16();
    a.burst = r.u8();
    a.snr_db = snr_from(r.u8());
    a.base = r.u16();
    const ByteView bits = r.rest();
    if (r.failed() || bits.size() > kMaxBitmapBytes) {
        return std::nullopt;
    }
    a.bitmap.assign(bits.begin(), bits.end());
    return a;
}

void write_hello(Bytes& out, const Hello& h) {
    assert(h.heard.size() <= kMaxHeard);
    const std::size_t start = open_sub_frame(out, SubFrame::kHello, kHelloFixed + kHeardBytes * h.heard.size());
    ByteWriter w(out);
    w.u16(h.number);
    stamp(w, h.sent);
    w.u8(static_cast<std::uint8_t>(steps_up(h.interval, 16ms, 255)));
    w.u8(gap_code(h.jitter));
    w.u8(gap_code(h.recovery));
    w.u8(h.truncated ? 1 : 0);
    w.u8(static_cast<std::uint8_t>(h.heard.size()));
    for (const Heard& n : h.heard) {
        w.u32(n.peer);
        w.u8(static_cast<std::uint8_t>(snr_steps(n.snr_db)));
        w.u16(n.hello);
        stamp(w, n.received);
    }
    close_sub_frame(out, start);
}

std::optional<Hello> read_hello(ByteView body) {
    ByteReader r(body);
    Hello h;
    h.number = r.u16();
    h.sent = read_stamp(r);
    h.interval = r.u8() * Duration{16ms};
    h.jitter = gap_from(r.u8());
    h.recovery = gap_from(r.u8());
    h.truncated = (r.u8() & 1U) != 0;
    const std::size_t count = r.u8();
    if (count > kMaxHeard || r.left() != count * kHeardBytes) {
        return std::nullopt;
    }
    for (std::size_t i = 0; i < count; ++i) {
        Heard n;
        n.peer = r.u32();
        n.snr_db = snr_from(r.u8());
        n.hello = r.u16();
        n.received = read_stamp(r);
        h.heard.push_back(n);
    }
    return r.complete() ? std::optional(std::move(h)) : std::nullopt;
}

void write_fragment(Bytes& out, const FragmentView& f) {
    assert(f.target < kMaxTargets && f.count >= 1 && f.count <= kMaxFragments && f.index < f.count && !f.data.empty());
    const std::size_t start = open_sub_frame(out, SubFrame::kFragment, kFragmentHeader + f.data.size());
    ByteWriter w(out);
    w.u8(static_cast<std::uint8_t>((f.target << 5) | (static_cast<unsigned>(f.priority) << 3)));
    w.u16(f.sequence);
    w.u16(f.sdu);
    w.u8(f.index);
    w.u8(f.count);
    w.bytes(f.data);
    close_sub_frame(out, start);
}

std::optional<FragmentView> read_fragment(ByteView body) {
    ByteReader r(body);
    FragmentView f;
    const std::uint8_t first = r.u8();
    f.target = static_cast<std::uint8_t>(first >> 5);
    const unsigned priority = (first >> 3) & 3U;
    f.sequence = r.u16();
    f.sdu = r.u16();
    f.index = r.u8();
    f.count = r.u8();
    f.data = r.rest();
    if (r.failed() || priority > 2 || f.count == 0 || f.count > kMaxFragments || f.index >= f.count || f.data.empty()) {
        return std::nullopt;
    }
    f.priority = static_cast<Priority>(priority);
    return f;
}

}  // namespace

std::size_t header_bytes(std::size_t targets) noexcept {
    return kSubFrameOverhead + kHeaderFixed + kTargetBytes * targets;
}
std::size_t ack_bytes(std::size_t bitmap_bytes) noexcept {
    return kSubFrameOverhead + kAckFixed + bitmap_bytes;
}
std::size_t hello_bytes(std::size_t heard) noexcept {
    return kSubFrameOverhead + kHelloFixed + kHeardBytes * heard;
}

Bytes encode_burst(const Burst& burst, bool repeat_header) {
    Bytes out;
    write_header(out, burst.header);
    for (const BlockAck& a : burst.acks) {
        write_ack(out, a);
    }
    if (burst.hello) {
        write_hello(out, *burst.hello);
    }
    for (const FragmentView& f : burst.fragments) {
        assert(f.target < burst.header.targets.size());
        write_fragment(out, f);
    }
    if (repeat_header) {
        write_header(out, burst.header);
    }
    return out;
}

std::optional<Burst> parse_burst(ByteView payload, std::size_t* failed) {
    Burst burst;
    bool have_header = false;
    std::size_t failed_checks = 0;
    std::size_t at = 0;
    while (at + kSubFrameOverhead <= payload.size() && failed_checks < kMaxFailedChecks) {
        const ByteView here = payload.subspan(at);
        if (here[0] != kDelimiterMagic || crc8(here.first(3)) != here[3]) {
            ++at;
            continue;
        }
        const std::size_t word = (std::size_t{here[1]} << 8) | here[2];
        const std::size_t length = word & 0x1FFFU;
        const std::size_t total = length + kSubFrameOverhead;
        if (total > here.size()) {
            ++at;
            continue;
        }
        ByteReader tail(here.subspan(kDelimiterBytes + length, 4));
        if (tail.u32() != crc32(here.first(kDelimiterBytes + length))) {
            ++failed_checks;
            ++at;
            continue;
        }
        const ByteView body = here.subspan(kDelimiterBytes, length);
        switch (static_cast<SubFrame>(word >> 13)) {
            case SubFrame::kHeader:
                if (!have_header) {
                    have_header = read_header(body, burst.header);
                }
                break;
            case SubFrame::kFragment:
                if (auto f = read_fragment(body)) {
                    burst.fragments.push_back(*f);
                }
                break;
            case SubFrame::kAck:
                if (auto a = read_ack(body)) {
                    burst.acks.push_back(std::move(*a));
                }
                break;
            case SubFrame::kHello:
                if (!burst.hello) {
                    burst.hello = read_hello(body);
                }
                break;
            default:  // a later version's: skipped
                break;
        }
        at += total;
    }
    if (failed != nullptr) {
        *failed += failed_checks;
    }
    if (!have_header) {
        return std::nullopt;
    }
    std::erase_if(burst.fragments, [&](const FragmentView& f) { return f.target >= burst.header.targets.size(); });
    return burst;
}

}  // namespace meshnet::mac

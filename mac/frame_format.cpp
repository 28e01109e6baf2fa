// SPDX-License-Identifier: MIT
#include "mac/frame_format.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "mac/crc.hpp"

namespace meshnet::mac {
namespace {

enum class SubFrame : std::uint8_t {
    kHeader = 0,
    kFragment = 1,
    kAck = 2,
    kHello = 3,
    kOpen = 4,
    kTaggedAck = 5,
    kTaggedHello = 6
};

constexpr std::size_t kHeaderFixed = 20;
constexpr unsigned kTaggedBit = 8;  // of the second byte of the header
constexpr std::size_t kOpenFixed = 4;
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

void append_tag(Bytes& out, const TagKey* key, TagKind kind, ByteView common, ByteView entry, std::size_t bytes) {
    std::array<std::uint8_t, 8> tag{};
    if (key != nullptr) {
        tag = make_tag(*key, kind, common, entry);
    }
    out.insert(out.end(), tag.begin(), tag.begin() + static_cast<std::ptrdiff_t>(bytes));
}

/// The header up to its targets.
void write_common(ByteWriter& w, const BurstHeader& h) {
    w.u8(static_cast<std::uint8_t>((kFormatVersion << 4) | (h.wants_txop ? 8U : 0U) | h.targets.size()));
    w.u8(static_cast<std::uint8_t>((h.chain_left << 4) | (h.authenticated ? kTaggedBit : 0U) | h.witnesses));
    w.u32(h.sender);
    if (h.authenticated) {
        w.u32(h.burst);
    } else {
        w.u16(h.epoch);
        w.u8(static_cast<std::uint8_t>(h.burst));
    }
    w.u8(gap_code(h.gap));
    w.u32(h.grantee);
    w.u16(static_cast<std::uint16_t>(steps_up(h.grant, 16us, 65'535)));
    w.u16(static_cast<std::uint16_t>(steps_up(h.nav, 16us, 65'535)));
    w.u16(static_cast<std::uint16_t>(std::min<std::size_t>((h.backlog_bytes + 63) / 64, 65'535)));
}

void write_header(Bytes& out, const BurstHeader& h, ByteView common, const SendKeys& keys) {
    assert(h.targets.size() <= kMaxTargets && h.chain_left <= 15 && h.witnesses <= h.targets.size());
    const std::size_t start =
        open_sub_frame(out, SubFrame::kHeader, header_bytes(h.targets.size(), h.authenticated) - kSubFrameOverhead);
    ByteWriter w(out);
    w.bytes(common);
    for (const Target& t : h.targets) {
        Bytes entry;
        ByteWriter f(entry);
        f.u32(t.peer);
        f.u16(t.session);
        f.u16(t.floor);
        w.bytes(entry);
        if (h.authenticated) {
            append_tag(out, keys ? keys(t.peer) : nullptr, TagKind::kTarget, common, entry, kTagBytes);
        }
    }
    close_sub_frame(out, start);
}

bool read_header(ByteView body, Burst& burst) {
    BurstHeader& h = burst.header;
    ByteReader r(body);
    const std::uint8_t first = r.u8();
    if ((first >> 4) != kFormatVersion) {
        return false;
    }
    const std::size_t targets = first & 7U;
    h.wants_txop = (first & 8U) != 0;
    const std::uint8_t second = r.u8();
    h.chain_left = static_cast<std::uint8_t>(second >> 4);
    h.authenticated = (second & kTaggedBit) != 0;
    h.witnesses = second & 7U;
    h.sender = r.u32();
    if (h.authenticated) {
        h.burst = r.u32();
        h.epoch = 0;
    } else {
        h.epoch = r.u16();
        h.burst = r.u8();
    }
    h.gap = gap_from(r.u8());
    h.grantee = r.u32();
    h.grant = r.u16() * Duration{16us};
    h.nav = r.u16() * Duration{16us};
    h.backlog_bytes = std::size_t{r.u16()} * 64;
    if (h.authenticated && !r.failed()) {
        burst.common = body.first(kCommonBytes);
    }
    h.targets.clear();
    burst.target_proofs.clear();
    for (std::size_t i = 0; i < targets && !r.failed(); ++i) {
        const ByteView raw = r.bytes(kTargetBytes);
        if (r.failed()) {
            return false;
        }
        ByteReader entry(raw);
        Target t;
        t.peer = entry.u32();
        t.session = entry.u16();
        t.floor = entry.u16();
        h.targets.push_back(t);
        if (h.authenticated) {
            burst.target_proofs.push_back({raw, r.bytes(kTagBytes)});
        }
    }
    return r.complete() && h.witnesses <= targets && h.sender != 0 && h.sender != kBroadcast && h.grantee != kBroadcast;
}

Bytes ack_entry(const BlockAck& a, bool tagged) {
    Bytes entry;
    ByteWriter w(entry);
    w.u32(a.peer);
    w.u16(a.session);
    if (tagged) {
        w.u16(a.burst);
    } else {
        w.u8(static_cast<std::uint8_t>(a.burst));
    }
    w.u8(static_cast<std::uint8_t>(snr_steps(a.snr_db)));
    w.u16(a.base);
    w.bytes(a.bitmap);
    return entry;
}

void write_ack(Bytes& out, const BlockAck& a, bool tagged, ByteView common, const SendKeys& keys) {
    assert(a.bitmap.size() <= kMaxBitmapBytes);
    const std::size_t start = open_sub_frame(out, tagged ? SubFrame::kTaggedAck : SubFrame::kAck,
                                             ack_bytes(a.bitmap.size(), tagged) - kSubFrameOverhead);
    const Bytes entry = ack_entry(a, tagged);
    if (tagged) {
        append_tag(out, keys ? keys(a.peer) : nullptr, TagKind::kAck, common, entry, kTagBytes);
    }
    ByteWriter(out).bytes(entry);
    close_sub_frame(out, start);
}

void read_ack(ByteView body, bool tagged, Burst& burst) {
    ByteReader r(body);
    TaggedEntry proof;
    if (tagged) {
        proof.tag = r.bytes(kTagBytes);
        if (r.failed()) {
            return;
        }
        proof.entry = body.subspan(kTagBytes);
    }
    BlockAck a;
    a.peer = r.u32();
    a.session = r.u16();
    a.burst = tagged ? r.u16() : r.u8();
    a.snr_db = snr_from(r.u8());
    a.base = r.u16();
    const ByteView bits = r.rest();
    if (r.failed() || bits.size() > kMaxBitmapBytes) {
        return;
    }
    a.bitmap.assign(bits.begin(), bits.end());
    burst.acks.push_back(std::move(a));
    burst.ack_proofs.push_back(proof);
}

void write_hello(Bytes& out, const Hello& h, bool tagged, ByteView common, const SendKeys& keys) {
    assert(h.heard.size() <= (tagged ? kMaxHeardTagged : kMaxHeard));
    const std::size_t start = open_sub_frame(out, tagged ? SubFrame::kTaggedHello : SubFrame::kHello,
                                             hello_bytes(h.heard.size(), tagged) - kSubFrameOverhead);
    Bytes entry;
    ByteWriter w(entry);
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
    ByteWriter(out).bytes(entry);
    for (std::size_t i = 0; tagged && i < h.heard.size(); ++i) {
        append_tag(out, keys ? keys(h.heard[i].peer) : nullptr, TagKind::kHeard, common, entry, kHeardTagBytes);
    }
    close_sub_frame(out, start);
}

bool read_hello(ByteView body, bool tagged, Burst& burst) {
    ByteReader r(body);
    Hello h;
    h.number = r.u16();
    h.sent = read_stamp(r);
    h.interval = r.u8() * Duration{16ms};
    h.jitter = gap_from(r.u8());
    h.recovery = gap_from(r.u8());
    h.truncated = (r.u8() & 1U) != 0;
    const std::size_t count = r.u8();
    const std::size_t each = kHeardBytes + (tagged ? kHeardTagBytes : 0);
    if (r.failed() || count > (tagged ? kMaxHeardTagged : kMaxHeard) || r.left() != count * each) {
        return false;
    }
    for (std::size_t i = 0; i < count; ++i) {
        Heard n;
        n.peer = r.u32();
        n.snr_db = snr_from(r.u8());
        n.hello = r.u16();
        n.received = read_stamp(r);
        h.heard.push_back(n);
    }
    const ByteView entry = body.first(body.size() - r.left());
    for (std::size_t i = 0; tagged && i < count; ++i) {
        burst.heard_proofs.push_back({entry, r.bytes(kHeardTagBytes)});
    }
    burst.hello = std::move(h);
    return true;
}

void write_open(Bytes& out, const OpenFrame& f) {
    assert(!f.data.empty() && f.data.size() <= (f.to == kBroadcast ? kMaxOpenToAllBytes : kMaxOpenBytes));
    const std::size_t start = open_sub_frame(out, SubFrame::kOpen, kOpenFixed + f.data.size());
    ByteWriter w(out);
    w.u32(f.to);
    w.bytes(f.data);
    close_sub_frame(out, start);
}

std::optional<OpenFrame> read_open(ByteView body) {
    ByteReader r(body);
    OpenFrame f;
    f.to = r.u32();
    f.data = r.rest();
    const std::size_t most = f.to == kBroadcast ? kMaxOpenToAllBytes : kMaxOpenBytes;
    return r.failed() || f.data.empty() || f.data.size() > most ? std::nullopt : std::optional(f);
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

std::size_t header_bytes(std::size_t targets, bool tagged) noexcept {
    return kSubFrameOverhead + (tagged ? kCommonBytes : kHeaderFixed) +
           (kTargetBytes + (tagged ? kTagBytes : 0)) * targets;
}
std::size_t ack_bytes(std::size_t bitmap_bytes, bool tagged) noexcept {
    return kSubFrameOverhead + kAckFixed + bitmap_bytes + (tagged ? kTagBytes + 1 : 0);
}
std::size_t hello_bytes(std::size_t heard, bool tagged) noexcept {
    return kSubFrameOverhead + kHelloFixed + (kHeardBytes + (tagged ? kHeardTagBytes : 0)) * heard;
}
std::size_t open_bytes(std::size_t data) noexcept {
    return kSubFrameOverhead + kOpenFixed + data;
}

Bytes encode_burst(const Burst& burst, bool repeat_header, const SendKeys& keys) {
    const bool tagged = burst.header.authenticated;
    Bytes common;
    ByteWriter w(common);
    write_common(w, burst.header);
    Bytes out;
    write_header(out, burst.header, common, keys);
    for (const BlockAck& a : burst.acks) {
        write_ack(out, a, tagged, common, keys);
    }
    if (burst.hello) {
        write_hello(out, *burst.hello, tagged, common, keys);
    }
    for (const OpenFrame& f : burst.opens) {
        write_open(out, f);
    }
    for (const FragmentView& f : burst.fragments) {
        assert(f.target < burst.header.targets.size());
        write_fragment(out, f);
    }
    if (repeat_header) {
        write_header(out, burst.header, common, keys);
    }
    return out;
}

namespace {

/// Sub-frames with tags belong to a header with tags, and the others to one without.
void drop_mismatched(Burst& burst) {
    const bool tagged = burst.header.authenticated;
    for (std::size_t i = burst.acks.size(); i-- > 0;) {
        if (burst.ack_proofs[i].tag.empty() == tagged) {
            burst.acks.erase(burst.acks.begin() + static_cast<std::ptrdiff_t>(i));
            burst.ack_proofs.erase(burst.ack_proofs.begin() + static_cast<std::ptrdiff_t>(i));
        }
    }
    std::erase_if(burst.fragments, [&](const FragmentView& f) { return f.target >= burst.header.targets.size(); });
}

void read_sub_frame(SubFrame type, ByteView body, Burst& burst, bool& have_header, std::optional<bool>& hello_tagged) {
    switch (type) {
        case SubFrame::kHeader:
            if (!have_header) {
                have_header = read_header(body, burst);
            }
            break;
        case SubFrame::kFragment:
            if (auto f = read_fragment(body)) {
                burst.fragments.push_back(*f);
            }
            break;
        case SubFrame::kAck:
        case SubFrame::kTaggedAck:
            read_ack(body, type == SubFrame::kTaggedAck, burst);
            break;
        case SubFrame::kHello:
        case SubFrame::kTaggedHello:
            if (!burst.hello && read_hello(body, type == SubFrame::kTaggedHello, burst)) {
                hello_tagged = type == SubFrame::kTaggedHello;
            }
            break;
        case SubFrame::kOpen:
            if (auto f = read_open(body)) {
                burst.opens.push_back(*f);
            }
            break;
        default:  // a later version's: skipped
            break;
    }
}

}  // namespace

std::optional<Burst> parse_burst(ByteView payload, std::size_t* failed, std::optional<StationId> reader) {
    Burst burst;
    bool have_header = false;
    std::optional<bool> hello_tagged;
    std::size_t failed_checks = 0;
    std::size_t at = 0;
    bool foreign = false;  // no fragment is for the reader
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
        if (foreign && static_cast<SubFrame>(word >> 13) == SubFrame::kFragment) {
            at += total;
            continue;
        }
        ByteReader tail(here.subspan(kDelimiterBytes + length, 4));
        if (tail.u32() != crc32(here.first(kDelimiterBytes + length))) {
            ++failed_checks;
            ++at;
            continue;
        }
        const ByteView body = here.subspan(kDelimiterBytes, length);
        const bool had_header = have_header;
        read_sub_frame(static_cast<SubFrame>(word >> 13), body, burst, have_header, hello_tagged);
        if (reader && have_header && !had_header) {
            const auto& targets = burst.header.targets;
            foreign = std::none_of(targets.begin(), targets.end(),
                                   [&](const Target& t) { return t.peer == *reader || t.peer == kBroadcast; });
        }
        at += total;
    }
    if (failed != nullptr) {
        *failed += failed_checks;
    }
    if (!have_header) {
        return std::nullopt;
    }
    drop_mismatched(burst);
    if (hello_tagged && *hello_tagged != burst.header.authenticated) {
        burst.hello.reset();
        burst.heard_proofs.clear();
    }
    return burst;
}

}  // namespace meshnet::mac

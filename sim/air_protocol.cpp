// SPDX-License-Identifier: MIT
#include "sim/air_protocol.hpp"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>
#include <cstring>

namespace meshnet::sim {
namespace {

static_assert(std::endian::native == std::endian::little, "samples travel as they lie in memory");
static_assert(sizeof(phy::Sample) == 8);

constexpr std::uint32_t kMagic = 0x4D41'4952;  // "MAIR"

/// Writes the header once the body's size is known.
template <class Body>
void write_message(Bytes& out, AirMessageType type, std::size_t body_bytes, Body body) {
    assert(body_bytes <= AirMessageStream::kMaxBodyBytes);
    const std::size_t before = out.size();
    out.reserve(before + AirMessageStream::kHeaderBytes + body_bytes);
    ByteWriter writer(out);
    writer.u32(static_cast<std::uint32_t>(body_bytes));
    writer.u8(static_cast<std::uint8_t>(type));
    body(writer);
    assert(out.size() == before + AirMessageStream::kHeaderBytes + body_bytes);
}

ByteView bytes_of(std::span<const phy::Sample> samples) {
    return {reinterpret_cast<const std::uint8_t*>(samples.data()), samples.size_bytes()};
}
ByteView bytes_of(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

std::optional<std::vector<phy::Sample>> read_samples(ByteReader& reader) {
    const ByteView raw = reader.rest();
    if (raw.size() % sizeof(phy::Sample) != 0) {
        return std::nullopt;
    }
    std::vector<phy::Sample> samples(raw.size() / sizeof(phy::Sample));
    if (!samples.empty()) {
        std::memcpy(static_cast<void*>(samples.data()), raw.data(), raw.size());
    }
    return samples;
}

bool is_possible(double sample_rate_hz, double carrier_hz) {  // false for NaN
    return sample_rate_hz > 0.0 && sample_rate_hz < 1e12 && carrier_hz > 0.0 && carrier_hz < 1e15;
}

std::optional<AirListing> read_listing(ByteReader& reader) {
    AirListing out;
    out.sample_rate_hz = std::bit_cast<double>(reader.u64());
    out.carrier_hz = std::bit_cast<double>(reader.u64());
    while (!reader.failed() && reader.left() > 0 && out.stations.size() < Air::kMaxStations) {
        const std::uint8_t connected = reader.u8();
        const ByteView name = reader.bytes(reader.u8());
        if (reader.failed() || connected > 1 || name.empty() || name.size() > 64) {
            return std::nullopt;
        }
        out.stations.push_back({{name.begin(), name.end()}, connected == 1});
    }
    if (!reader.complete() || !is_possible(out.sample_rate_hz, out.carrier_hz)) {
        return std::nullopt;
    }
    return out;
}

std::string read_text(ByteReader& reader) {
    const ByteView raw = reader.rest();
    return {raw.begin(), raw.end()};
}

}  // namespace

std::span<std::uint8_t> AirMessageStream::room(std::size_t n) {
    if (begin_ == end_) {
        begin_ = end_ = 0;
    }
    if (buffer_.size() - end_ < n && begin_ > 0) {
        std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
        end_ -= begin_;
        begin_ = 0;
    }
    if (buffer_.size() - end_ < n) {
        buffer_.resize(std::max(end_ + n, 2 * buffer_.size()));
    }
    return {buffer_.data() + end_, n};
}

void AirMessageStream::commit(std::size_t n) {
    assert(n <= buffer_.size() - end_);
    end_ += n;
}

void AirMessageStream::append(ByteView bytes) {
    if (!bytes.empty()) {
        std::memcpy(room(bytes.size()).data(), bytes.data(), bytes.size());
        commit(bytes.size());
    }
}

std::optional<AirMessageStream::Message> AirMessageStream::next() {
    if (failed_ || end_ - begin_ < kHeaderBytes) {
        return std::nullopt;
    }
    ByteReader reader(ByteView(buffer_).subspan(begin_, end_ - begin_));
    const std::size_t length = reader.u32();
    const std::uint8_t type = reader.u8();
    if (length > kMaxBodyBytes || type < 1 || type > 8) {
        failed_ = true;
        return std::nullopt;
    }
    if (reader.left() < length) {
        return std::nullopt;
    }
    begin_ += kHeaderBytes + length;
    return Message{static_cast<AirMessageType>(type), reader.bytes(length)};
}

Result<AirClientMessage> parse_client_message(const AirMessageStream::Message& message) {
    ByteReader reader(message.body);
    if (message.type == AirMessageType::kHello) {
        AirHello hello;
        const std::uint32_t magic = reader.u32();
        hello.version = reader.u16();
        hello.station = read_text(reader);
        if (reader.failed() || magic != kMagic || hello.station.empty() || hello.station.size() > 64) {
            return Error{ErrorCode::kInvalidData, "malformed hello"};
        }
        return AirClientMessage{std::move(hello)};
    }
    if (message.type == AirMessageType::kInquiry) {
        AirInquiry inquiry;
        const std::uint32_t magic = reader.u32();
        inquiry.version = reader.u16();
        if (!reader.complete() || magic != kMagic) {
            return Error{ErrorCode::kInvalidData, "malformed inquiry"};
        }
        return AirClientMessage{inquiry};
    }
    if (message.type == AirMessageType::kBurst) {
        AirBurst burst;
        burst.id = reader.u64();
        burst.at = reader.u64();
        auto samples = read_samples(reader);
        if (reader.failed() || !samples) {
            return Error{ErrorCode::kInvalidData, "malformed burst"};
        }
        burst.samples = std::move(*samples);
        return AirClientMessage{std::move(burst)};
    }
    return Error{ErrorCode::kInvalidData, "a message that only a server sends"};
}

Result<AirServerMessage> parse_server_message(const AirMessageStream::Message& message) {
    ByteReader reader(message.body);
    switch (message.type) {
        case AirMessageType::kWelcome: {
            AirWelcome welcome;
            welcome.sample_rate_hz = std::bit_cast<double>(reader.u64());
            welcome.carrier_hz = std::bit_cast<double>(reader.u64());
            welcome.noise_power = std::bit_cast<double>(reader.u64());
            welcome.index = reader.u64();
            welcome.shortest_lead = reader.u32();
            const bool possible = is_possible(welcome.sample_rate_hz, welcome.carrier_hz) &&
                                  welcome.noise_power >= 0.0 && welcome.noise_power < 1e30;
            if (!reader.complete() || !possible) {
                return Error{ErrorCode::kInvalidData, "malformed welcome"};
            }
            return AirServerMessage{welcome};
        }
        case AirMessageType::kRefused:
            return AirServerMessage{AirRefused{read_text(reader)}};
        case AirMessageType::kSamples: {
            AirSamples out;
            out.first_index = reader.u64();
            auto samples = read_samples(reader);
            if (reader.failed() || !samples) {
                return Error{ErrorCode::kInvalidData, "malformed samples"};
            }
            out.samples = std::move(*samples);
            return AirServerMessage{std::move(out)};
        }
        case AirMessageType::kReport: {
            AirTxReport report;
            report.id = reader.u64();
            report.end_index = reader.u64();
            const std::uint8_t late = reader.u8();
            if (!reader.complete() || late > 1) {
                return Error{ErrorCode::kInvalidData, "malformed report"};
            }
            report.late = late == 1;
            return AirServerMessage{report};
        }
        case AirMessageType::kStations: {
            auto listing = read_listing(reader);
            if (!listing) {
                return Error{ErrorCode::kInvalidData, "malformed list of stations"};
            }
            return AirServerMessage{std::move(*listing)};
        }
        case AirMessageType::kHello:
        case AirMessageType::kInquiry:
        case AirMessageType::kBurst:
            break;
    }
    return Error{ErrorCode::kInvalidData, "a message that only a client sends"};
}

void write_hello(Bytes& out, std::string_view station) {
    write_message(out, AirMessageType::kHello, 6 + station.size(), [&](ByteWriter& w) {
        w.u32(kMagic);
        w.u16(kAirProtocolVersion);
        w.bytes(bytes_of(station));
    });
}

void write_inquiry(Bytes& out) {
    write_message(out, AirMessageType::kInquiry, 6, [&](ByteWriter& w) {
        w.u32(kMagic);
        w.u16(kAirProtocolVersion);
    });
}

void write_burst(Bytes& out, std::uint64_t id, std::uint64_t at, std::span<const phy::Sample> samples) {
    write_message(out, AirMessageType::kBurst, 16 + samples.size_bytes(), [&](ByteWriter& w) {
        w.u64(id);
        w.u64(at);
        w.bytes(bytes_of(samples));
    });
}

void write_welcome(Bytes& out, const AirWelcome& welcome) {
    write_message(out, AirMessageType::kWelcome, 36, [&](ByteWriter& w) {
        w.u64(std::bit_cast<std::uint64_t>(welcome.sample_rate_hz));
        w.u64(std::bit_cast<std::uint64_t>(welcome.carrier_hz));
        w.u64(std::bit_cast<std::uint64_t>(welcome.noise_power));
        w.u64(welcome.index);
        w.u32(welcome.shortest_lead);
    });
}

void write_listing(Bytes& out, const AirListing& listing) {
    std::size_t size = 16;
    for (const auto& station : listing.stations) {
        size += 2 + station.name.size();
    }
    write_message(out, AirMessageType::kStations, size, [&](ByteWriter& w) {
        w.u64(std::bit_cast<std::uint64_t>(listing.sample_rate_hz));
        w.u64(std::bit_cast<std::uint64_t>(listing.carrier_hz));
        for (const auto& station : listing.stations) {
            w.u8(station.connected ? 1 : 0);
            w.u8(static_cast<std::uint8_t>(station.name.size()));
            w.bytes(bytes_of(station.name));
        }
    });
}

void write_refused(Bytes& out, std::string_view why) {
    write_message(out, AirMessageType::kRefused, why.size(), [&](ByteWriter& w) { w.bytes(bytes_of(why)); });
}

void write_samples(Bytes& out, std::uint64_t first_index, std::span<const phy::Sample> samples) {
    write_message(out, AirMessageType::kSamples, 8 + samples.size_bytes(), [&](ByteWriter& w) {
        w.u64(first_index);
        w.bytes(bytes_of(samples));
    });
}

void write_report(Bytes& out, const AirTxReport& report) {
    write_message(out, AirMessageType::kReport, 17, [&](ByteWriter& w) {
        w.u64(report.id);
        w.u64(report.end_index);
        w.u8(report.late ? 1 : 0);
    });
}

}  // namespace meshnet::sim

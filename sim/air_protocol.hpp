// SPDX-License-Identifier: MIT
// The messages between an AirClient and an AirServer. Local and between builds of one version: a versioned hello, no
// negotiation.
//
//     message = length(u32, of body) type(u8) body           integers big-endian, samples little-endian float32 I Q
//     client:  hello    = "MAIR" version(u16) station name    burst   = id(u64) at(u64) sample*
//              inquiry  = "MAIR" version(u16)
//     server:  welcome  = rate_hz(f64 bits) carrier_hz(f64 bits) noise_power(f64 bits) index(u64) shortest lead(u32)
//              stations = rate_hz(f64 bits) carrier_hz(f64 bits) {connected(u8) length(u8) name}*
//              samples  = first index(u64) sample*            report  = id(u64) end(u64) late(u8)
//              refused  = text
//
// Version 2: the welcome has the carrier, the noise and the lead; inquiry and stations are new.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/bytes.hpp"
#include "core/result.hpp"
#include "phy/sample.hpp"
#include "sim/air.hpp"
#include "sim/air_listing.hpp"

namespace meshnet::sim {

inline constexpr std::uint16_t kAirProtocolVersion = 2;

enum class AirMessageType : std::uint8_t {
    kHello = 1,
    kBurst = 2,
    kWelcome = 3,
    kRefused = 4,
    kSamples = 5,
    kReport = 6,
    kInquiry = 7,
    kStations = 8
};

/// Cuts a byte stream into messages. Holds at most one message beyond what was appended last.
class AirMessageStream {
public:
    static constexpr std::size_t kHeaderBytes = 5;
    static constexpr std::size_t kMaxBodyBytes = 16 + Air::kMaxBurstSamples * sizeof(phy::Sample);

    struct Message {
        AirMessageType type{};
        ByteView body;  ///< valid until the next call
    };

    /// Room for `n` more bytes at the end; commit() says how many were written there.
    [[nodiscard]] std::span<std::uint8_t> room(std::size_t n);
    void commit(std::size_t n);
    void append(ByteView bytes);

    /// The next whole message. Nothing: more bytes are needed, or failed().
    [[nodiscard]] std::optional<Message> next();
    /// A length or type that no sender of ours writes; the stream cannot be read further.
    [[nodiscard]] bool failed() const noexcept { return failed_; }

private:
    Bytes buffer_;
    std::size_t begin_ = 0, end_ = 0;
    bool failed_ = false;
};

struct AirHello {
    std::uint16_t version = 0;
    std::string station;
};
/// Asks who is on the air; the server answers and closes the connection.
struct AirInquiry {
    std::uint16_t version = 0;
};
struct AirBurst {
    std::uint64_t id = 0, at = 0;
    std::vector<phy::Sample> samples;
};
struct AirWelcome {
    double sample_rate_hz = 0.0;
    double carrier_hz = 0.0;
    double noise_power = 0.0;  ///< mean |noise|^2 of a sample
    std::uint64_t index = 0;
    std::uint32_t shortest_lead = 0;  ///< Air::shortest_lead()
};
struct AirRefused {
    std::string why;
};
struct AirSamples {
    std::uint64_t first_index = 0;
    std::vector<phy::Sample> samples;
};

using AirClientMessage = std::variant<AirHello, AirBurst, AirInquiry>;
using AirServerMessage = std::variant<AirWelcome, AirRefused, AirSamples, AirTxReport, AirListing>;

/// What a client may say; the error names the fault.
[[nodiscard]] Result<AirClientMessage> parse_client_message(const AirMessageStream::Message& message);
/// What a server may say.
[[nodiscard]] Result<AirServerMessage> parse_server_message(const AirMessageStream::Message& message);

/// Each appends one whole message to `out`.
void write_hello(Bytes& out, std::string_view station);
void write_inquiry(Bytes& out);
void write_burst(Bytes& out, std::uint64_t id, std::uint64_t at, std::span<const phy::Sample> samples);
void write_welcome(Bytes& out, const AirWelcome& welcome);
void write_listing(Bytes& out, const AirListing& listing);
void write_refused(Bytes& out, std::string_view why);
void write_samples(Bytes& out, std::uint64_t first_index, std::span<const phy::Sample> samples);
void write_report(Bytes& out, const AirTxReport& report);

}  // namespace meshnet::sim

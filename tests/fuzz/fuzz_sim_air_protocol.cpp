// SPDX-License-Identifier: MIT
// Any bytes as an air client or an air server would send them: cutting does not matter, what parses is written back as
// it was.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <variant>
#include <vector>

#include "sim/air_protocol.hpp"

namespace {

using namespace meshnet;
using namespace meshnet::sim;

void require(bool ok) {
    if (!ok) {
        std::abort();
    }
}

/// Every whole message of `input`, fed `chunk` bytes at a time, written again.
Bytes echo(ByteView input, std::size_t chunk) {
    Bytes out;
    AirMessageStream stream;
    for (std::size_t at = 0; at < input.size(); at += chunk) {
        stream.append(input.subspan(at, std::min(chunk, input.size() - at)));
        while (const auto message = stream.next()) {
            const std::size_t before = out.size();
            const auto client = parse_client_message(*message);
            const auto server = parse_server_message(*message);
            require(!(client.ok() && server.ok()));
            if (client.ok()) {
                if (const auto* hello = std::get_if<AirHello>(&*client)) {
                    if (hello->version != kAirProtocolVersion) {
                        continue;
                    }
                    write_hello(out, hello->station);
                } else if (const auto* inquiry = std::get_if<AirInquiry>(&*client)) {
                    if (inquiry->version != kAirProtocolVersion) {
                        continue;
                    }
                    write_inquiry(out);
                } else if (const auto* burst = std::get_if<AirBurst>(&*client)) {
                    write_burst(out, burst->id, burst->at, burst->samples);
                }
            } else if (server.ok()) {
                if (const auto* welcome = std::get_if<AirWelcome>(&*server)) {
                    write_welcome(out, *welcome);
                } else if (const auto* refused = std::get_if<AirRefused>(&*server)) {
                    write_refused(out, refused->why);
                } else if (const auto* samples = std::get_if<AirSamples>(&*server)) {
                    write_samples(out, samples->first_index, samples->samples);
                } else if (const auto* listing = std::get_if<AirListing>(&*server)) {
                    write_listing(out, *listing);
                } else if (const auto* report = std::get_if<AirTxReport>(&*server)) {
                    write_report(out, *report);
                }
            } else {
                continue;
            }
            const ByteView again = ByteView(out).subspan(before);
            require(again.size() == AirMessageStream::kHeaderBytes + message->body.size());
            require(
                std::equal(message->body.begin(), message->body.end(), again.begin() + AirMessageStream::kHeaderBytes));
        }
    }
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView input(data, size);
    const Bytes whole = echo(input, size + 1);
    require(echo(input, 1) == whole);
    require(echo(input, 7) == whole);
    return 0;
}

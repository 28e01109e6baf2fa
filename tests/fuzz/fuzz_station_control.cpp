// SPDX-License-Identifier: MIT
// A line from the control socket: a request within its ranges, or one line that says why not.
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <string>

#include "station/control/control_protocol.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string line(data, data + size);
    const auto request = meshnet::station::parse_control_request(line);
    if (!request) {
        const std::string answer = meshnet::station::control_error(request.error());
        assert(answer.find('\n') == answer.size() - 1);
    } else {
        assert(request->limit <= 1'000 && request->interval_ms >= 100 && request->packet.size() <= 2'048);
    }
    return 0;
}

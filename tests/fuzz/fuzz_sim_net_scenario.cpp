// SPDX-License-Identifier: MIT
// Any bytes as a scenario file: what is accepted is written and read back alike, and every refusal has its line.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "sim/net_scenario.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace meshnet::sim;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto scenario = parse_net_scenario(text, "net.toml");
    if (scenario.ok()) {
        const auto again = parse_net_scenario(to_toml(*scenario), "net.toml");
        if (!again.ok() || to_toml(*again) != to_toml(*scenario)) {
            std::abort();
        }
    } else if (!scenario.error().message.starts_with("net.toml")) {
        std::abort();
    }
    return 0;
}

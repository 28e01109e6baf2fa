// SPDX-License-Identifier: MIT
// Any bytes as an air configuration: an Air can be made of what is accepted, and every refusal has its line.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "sim/air_config.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto file = meshnet::sim::parse_air_config(text, "air.toml");
    if (file.ok()) {
        meshnet::sim::Air air(file->air);
        air.advance(std::chrono::microseconds(10));
    } else if (!file.error().message.starts_with("air.toml")) {
        std::abort();
    }
    return 0;
}

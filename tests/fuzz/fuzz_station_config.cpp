// SPDX-License-Identifier: MIT
// The configuration file: any bytes give a Config or one line that says why not.
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "station/config.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(data, data + size);
    const auto config = meshnet::station::parse_config(text, "f");
    if (!config) {
        assert(!config.error().message.empty());
    } else {
        assert(config->tun_mtu >= 1280 && config->tun_mtu <= 1500 && !config->name.empty());
        assert(config->max_window_bytes >= config->initial_window_bytes);
    }
    return 0;
}

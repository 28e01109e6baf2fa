// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/open_services.hpp"

#include <algorithm>
#include <charconv>
#include <sstream>
#include <string>

namespace meshnet::station {

std::vector<std::uint16_t> open_services(std::string_view tcp6) {
    static const std::string kEveryAddress(32, '0');
    static const std::string kListening = "0A";  // TCP_LISTEN of linux/tcp.h
    std::vector<std::uint16_t> out;
    std::istringstream lines{std::string(tcp6)};
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::string number, local, remote, state;
        if (!(words >> number >> local >> remote >> state) || state != kListening || local.size() != 37 ||
            local.compare(0, 32, kEveryAddress) != 0 || local[32] != ':') {
            continue;
        }
        std::uint16_t port = 0;
        const char* end = local.data() + local.size();
        if (std::from_chars(local.data() + 33, end, port, 16).ptr == end) {
            out.push_back(port);
        }
    }
    std::sort(out.begin(), out.end());
    out.erase(std::unique(out.begin(), out.end()), out.end());
    return out;
}

}  // namespace meshnet::station

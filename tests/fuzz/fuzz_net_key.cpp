// SPDX-License-Identifier: MIT
// Any text as a key: it is refused with one line, or it is a key and comes back the same.
#include <cstdlib>

#include "net/node_id.hpp"

using namespace meshnet;
using namespace meshnet::net;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(data, data + size);
    const auto key = Identity::from_text(text);
    if (key) {
        if (text.find(key->to_text()) == std::string::npos) {
            const auto again = Identity::from_text(key->to_text());  // upper-case digits are read and not written
            if (!again || again->id() != key->id()) std::abort();
        }
    } else if (key.error().message.find('\n') != std::string::npos) {
        std::abort();
    }
    (void)node_id_from_string(text);
    return 0;
}

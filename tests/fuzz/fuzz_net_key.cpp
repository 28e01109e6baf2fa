// SPDX-License-Identifier: MIT
// Any text as a key, master key, device key, request or certificate: it is refused with one line, or comes back the
// same.
#include <cstdlib>

#include "net/master_key.hpp"

using namespace meshnet;
using namespace meshnet::net;

namespace {

std::string to_lower(std::string text) {  // upper-case digits are read and not written
    for (char& c : text) c = c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
    return text;
}

}  // namespace

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
    const auto check = [&](const auto& parsed, const auto& write) {
        if (!parsed) {
            if (parsed.error().message.find('\n') != std::string::npos) std::abort();
        } else if (to_lower(text).find(write(*parsed)) == std::string::npos) {
            std::abort();
        }
    };
    const auto own = [](const auto& value) { return value.to_text(); };
    if (text.find("meshnet-key-v1:") == std::string::npos) check(MasterKey::from_text(text), own);
    check(DeviceKey::from_text(text), own);
    check(DeviceRequest::from_text(text), own);
    check(certificate_from_text(text), [](const Certificate& c) { return to_text(c); });
    (void)node_id_from_string(text);
    return 0;
}

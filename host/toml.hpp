// SPDX-License-Identifier: MIT
// toml++, made safe for bytes from outside. Include this and never toml++ itself.
//
// toml++ 3.3 has asserts that the bytes of a file can reach ("[[|" is enough): here they become exceptions, which
// parse() of every reader turns into one line. All of a program must see the same definition, hence one header.
#pragma once

#include <stdexcept>

namespace meshnet::host {
[[noreturn]] inline void not_toml() {
    throw std::logic_error("a bracket, a quote or an equals sign is out of place");
}
}  // namespace meshnet::host

#define TOML_ASSERT(expression)                         \
    do {                                                \
        if (!(expression)) ::meshnet::host::not_toml(); \
    } while (false)
#define TOML_HEADER_ONLY 1
#include <toml++/toml.h>

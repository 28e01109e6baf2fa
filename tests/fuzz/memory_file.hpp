// SPDX-License-Identifier: MIT
// An input as a file, for parsers that read files.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <string>

#include "host/unique_fd.hpp"

namespace meshnet::test {

class MemoryFile {
public:
    MemoryFile(const std::uint8_t* data, std::size_t size) : fd_(::memfd_create("input", MFD_CLOEXEC)) {
        const ssize_t written = ::write(fd_.get(), data, size);
        assert(written == static_cast<ssize_t>(size));
        static_cast<void>(written);
    }
    [[nodiscard]] int fd() const { return fd_.get(); }
    [[nodiscard]] std::string path() const { return "/proc/self/fd/" + std::to_string(fd_.get()); }

private:
    host::UniqueFd fd_;
};

}  // namespace meshnet::test

// SPDX-License-Identifier: GPL-3.0-or-later
// `.sigmf` archives: recordings in a tar file, read where they are.
//
// Source: The Signal Metadata Format Specification, v1.2, "SigMF Archive files"; tar by libarchive.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "station/radio/byte_source.hpp"

namespace meshnet::station {

struct ArchiveMember {
    std::string name;  ///< with its folders
    std::uint64_t bytes = 0;
    std::string metadata;  ///< content of a `.sigmf-meta`; else empty
};

/// The regular files of the archive `fd`, read from its beginning. Error: a clause without the file's name.
[[nodiscard]] Result<std::vector<ArchiveMember>> list_archive(int fd);

/// The content of the first member of that name. `fd` must live as long as the source.
[[nodiscard]] Result<std::unique_ptr<ByteSource>> open_archive_member(int fd, const std::string& name);

}  // namespace meshnet::station

// SPDX-License-Identifier: MIT
// Whole reads and writes through descriptors, interrupted calls repeated.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "core/bytes.hpp"
#include "core/result.hpp"

namespace meshnet::host {

/// Reads at most `out.size()` bytes; the count, 0 at the end. Error: WHAT names the source, as in "WHAT: reason".
[[nodiscard]] Result<std::size_t> read_some(int fd, std::span<std::uint8_t> out, const std::string& what);

/// Reads until `out` is full or the input ends; the count.
[[nodiscard]] Result<std::size_t> read_full(int fd, std::span<std::uint8_t> out, const std::string& what);

/// Writes all of `bytes`.
[[nodiscard]] Status write_all(int fd, ByteView bytes, const std::string& what);

/// The content of a file of at most `max_bytes`. Error: "PATH: cannot be opened: reason", or kLimit.
[[nodiscard]] Result<std::string> read_file(const std::string& path, std::size_t max_bytes);

/// Makes the entry of `path` in its folder durable (fsync of the folder).
[[nodiscard]] Status sync_folder_of(const std::string& path);

/// Copies `from` to `to` (mode 0600): `to` appears complete and durable or not at all, and replaces a file of that
/// name.
[[nodiscard]] Status copy_durably(const std::string& from, const std::string& to);

/// Replaces `path` by `bytes` (mode 0644): a reader sees the former content or the new one, also after a power cut.
[[nodiscard]] Status replace_file(const std::string& path, ByteView bytes);

/// True if both files have the same bytes.
[[nodiscard]] Result<bool> same_content(const std::string& a, const std::string& b);

/// True if both are the same file on a disk: writing one would destroy the other.
[[nodiscard]] bool same_file(int fd, const std::string& path);

}  // namespace meshnet::host

// SPDX-License-Identifier: GPL-3.0-or-later
// The file that makes a station itself: created once, readable by its owner only, never shown.
#pragma once

#include <cstdint>
#include <string>

#include "core/random.hpp"
#include "core/result.hpp"
#include "net/node_id.hpp"

namespace meshnet::station {

/// libsodium's generator as a RandomSource. The process must have called init_random() before.
class SystemRandom final : public RandomSource {
public:
    std::uint64_t next_u64() override;
};

/// Makes libsodium ready. Error: the system gives no randomness.
[[nodiscard]] Status init_random();

/// An identity and whether it was made just now.
struct LoadedKey {
    net::Identity identity;
    bool created = false;
};

/// Reads `path`. If there is no such file, makes new keys and writes them with mode 0600, synced, under a name that
/// appears only when the content is complete. Errors are one line without key material: readable by others, wrong
/// owner, not a key, cannot be written; kNotFound if there is no key but a ledger at `ledger_file`: whose ledger it is,
/// only that key can tell.
[[nodiscard]] Result<LoadedKey> load_or_create_key(const std::string& path, const std::string& ledger_file,
                                                   RandomSource& random);

/// Reads the text of a file with secrets: a regular file of this user (or root) that nobody else can read, at most 4
/// KiB. White space at the end is cut off. The caller wipes the text. Errors are one line that begins with `what`.
[[nodiscard]] Result<std::string> read_secret_file(const std::string& path, const std::string& what);
/// Writes a line of secrets to a new file: mode 0600, synced, complete when its name appears. Error: there is a file of
/// that name, or it cannot be written.
[[nodiscard]] Status write_secret_file(const std::string& path, const std::string& text, const std::string& what);

}  // namespace meshnet::station

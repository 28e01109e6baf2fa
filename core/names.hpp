// SPDX-License-Identifier: MIT
// A name that nobody knows: one wording of the error wherever names are parsed.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"

namespace meshnet {

/// `text` for a message: at most 64 characters, what is not printable ASCII replaced by '?', in single quotes.
[[nodiscard]] inline std::string quoted(std::string_view text) {
    std::string out = "'";
    for (const char c : text.substr(0, 64)) {
        out += (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7e) ? '?' : c;
    }
    return out + "'";
}

/// Damerau-Levenshtein distance with adjacent swaps only (F. J. Damerau, CACM 7 (1964)): edits from `a` to `b`.
[[nodiscard]] inline std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
    for (std::size_t i = 0; i <= a.size(); ++i) {
        for (std::size_t j = 0; j <= b.size(); ++j) {
            if (i == 0 || j == 0) {
                row[j] = i + j;
                continue;
            }
            row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0U : 1U)});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = std::min(row[j], before[j - 2] + 1);
            }
        }
        before.swap(last);
        last.swap(row);
    }
    return last[b.size()];
}

/// The one of `known` that `word` most likely meant, or nothing if none is near.
template <class Names>
[[nodiscard]] std::optional<std::string_view> nearest_name(std::string_view word, const Names& known) {
    std::optional<std::string_view> best;
    if (word.size() > 64) {
        return best;
    }
    std::size_t best_distance = std::max<std::size_t>(2, word.size() / 3) + 1;
    for (const std::string_view name : known) {
        if (const std::size_t distance = edit_distance(word, name); distance < best_distance) {
            best_distance = distance;
            best = name;
        }
    }
    return best;
}

/// "unknown mode 'qpsk-1/9'; did you mean 'qpsk-1/2'? known are qpsk-1/5 qpsk-1/3 ..."
/// `what`: the kind of thing, singular; `known`: every name there is, in the order to be shown.
template <class Names>
[[nodiscard]] Error unknown_name(std::string_view what, std::string_view word, const Names& known) {
    std::string message = "unknown " + std::string(what) + " " + quoted(word) + "; ";
    if (const auto near = nearest_name(word, known)) {
        message += "did you mean " + quoted(*near) + "? ";
    }
    message += "known are";
    for (const std::string_view name : known) {
        message += " " + std::string(name);
    }
    return {ErrorCode::kInvalidArgument, message};
}

}  // namespace meshnet

// SPDX-License-Identifier: GPL-3.0-or-later
// The files of www/, compiled in by cmake/MeshnetEmbed.cmake.
#pragma once

#include <span>
#include <string_view>

namespace meshnet::page {

struct WebFile {
    std::string_view path;  ///< of the URL
    std::string_view type;
    std::string_view text;
};
[[nodiscard]] std::span<const WebFile> web_files() noexcept;

}  // namespace meshnet::page

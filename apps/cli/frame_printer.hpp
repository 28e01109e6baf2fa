// SPDX-License-Identifier: GPL-3.0-or-later
// Frames as demodulate prints them: a line each, for people or as JSON.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "phy/frame.hpp"

namespace meshnet::apps {

[[nodiscard]] std::string json_line(const nlohmann::ordered_json& json);

/// Where a frame stands.
struct Place {
    std::uint64_t sample_index = 0;  ///< as the file counts
    double time_s = 0.0;             ///< lost samples included
};

/// Blocks of a frame without error.
[[nodiscard]] std::size_t blocks_ok(const phy::Frame& f);
/// A frame without its payload.
[[nodiscard]] nlohmann::ordered_json frame_json(const phy::Frame& f, const Place& place);
/// One line, without its end; `bytes` of its payload.
[[nodiscard]] std::string frame_text(const phy::Frame& f, const Place& place, std::size_t bytes);

struct CloseFile {
    void operator()(std::FILE* f) const { std::fclose(f); }
};

/// Prints frames and counts them.
class FramePrinter {
public:
    /// `payload_file`: takes the payload of frames without error; may be null.
    FramePrinter(bool json, std::FILE* payload_file) : json_(json), payload_file_(payload_file) {}

    /// False: something could not be written.
    bool print(const phy::Frame& f, const Place& place);
    [[nodiscard]] std::uint64_t frames() const noexcept { return frames_; }

private:
    bool json_;
    std::FILE* payload_file_;
    std::uint64_t frames_ = 0;
};

}  // namespace meshnet::apps

// SPDX-License-Identifier: GPL-3.0-or-later
// Keeps received samples in a file, with SigMF metadata beside it that is right at every moment: a station that is
// killed, or whose disk is full, leaves a recording that can be read.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "core/result.hpp"
#include "host/unique_fd.hpp"
#include "station/radio/radio.hpp"
#include "station/radio/sigmf.hpp"

namespace meshnet::station {

/// Error: a regular file of that name, or metadata beside it, is there and not `force`d away.
[[nodiscard]] Status check_new_file(const std::string& path, bool force);

/// cf32 in `path`, metadata in `path` + `.sigmf-meta` (`x.sigmf-data`: `x.sigmf-meta`). The metadata is written when
/// the recording is made, with the first sample and at each gap, where a new capture begins. Many gaps share a write,
/// so that writing takes at most a twentieth of the time. One thread.
class Recorder {
public:
    using Warn = std::function<void(const std::string& line)>;

    /// A file of that name, or metadata of it, is refused unless `force`. `warn` gets a line if the recording ends
    /// early.
    [[nodiscard]] static Result<std::shared_ptr<Recorder>> create(const std::string& path, double sample_rate_hz,
                                                                  bool force, Warn warn);
    ~Recorder();
    Recorder(const Recorder&) = delete;
    Recorder& operator=(const Recorder&) = delete;

    /// A failed write ends the recording, with one line to `warn`.
    void write(std::uint64_t first_index, std::span<const phy::Sample> samples);
    /// The next samples begin a capture whatever their index: the radio's counter began anew.
    void begin_capture() noexcept { continues_ = false; }

private:
    using Clock = std::chrono::steady_clock;
    Recorder(host::UniqueFd data, std::string path, double sample_rate_hz, Warn warn);
    void write_metadata();
    void end(const std::string& why);

    host::UniqueFd data_;
    std::string path_;
    Warn warn_;
    SigmfMeta meta_;
    Bytes bytes_;
    bool continues_ = false, metadata_due_ = false;
    Clock::time_point next_metadata_{};
    std::uint64_t next_index_ = 0, written_ = 0;
};

/// Passes everything through and keeps the received samples.
[[nodiscard]] std::unique_ptr<Radio> record_radio(std::unique_ptr<Radio> radio, std::shared_ptr<Recorder> recorder);

}  // namespace meshnet::station

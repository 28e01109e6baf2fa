// SPDX-License-Identifier: GPL-3.0-or-later
// Recordings of ours and of other programs: one reader for all who need samples out of a file.
//
//   with SigMF metadata   x.sigmf-data, x.sigmf-meta, x (base name), any file with FILE.sigmf-meta beside it or with a
//                         core:dataset that names it, a .sigmf-collection of one recording, a .sigmf archive of one
//   WAV (RIFF, RF64)      known by its content
//   raw samples           the format by the file's ending; ambiguous and unknown endings ask for it
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "host/unique_fd.hpp"
#include "phy/sample.hpp"
#include "station/radio/byte_source.hpp"
#include "station/radio/iq_format.hpp"
#include "station/radio/sigmf.hpp"

namespace meshnet::station {

/// What the operator says of a recording; it counts more than what the recording says of itself.
struct RecordingOptions {
    std::optional<IqFormat> format;
    std::optional<double> rate_hz;
    unsigned channel = 0;  ///< of several interleaved ones, from 1; 0: not said
    bool swap_iq = false;  ///< the spectrum is inverted: take the complex conjugate
    // How to say it, for error lines.
    std::string say_format = "give --format NAME", say_both = "give both --rate and --format",
                say_channel = "give --channel";
};

/// A recording being read from its beginning to its end.
class Recording {
public:
    /// `path` is a file. Error: one line. kInvalidArgument: something is missing that `options` could say.
    [[nodiscard]] static Result<Recording> open(const std::string& path, const RecordingOptions& options);
    /// Samples from a pipe: cf32 unless `options` say otherwise. `fd` must live as long as the recording.
    [[nodiscard]] static Recording of_stream(int fd, const std::string& name, const RecordingOptions& options);

    struct Piece {
        std::uint64_t sample_index = 0;  ///< of samples[0], as the file counts
        std::uint64_t time_index = 0;    ///< of samples[0] on the time line: a jump means samples were lost there
        std::vector<phy::Sample> samples;
    };
    /// The next samples. False: the end. Error: one line.
    [[nodiscard]] Result<bool> read(Piece& out);

    [[nodiscard]] IqFormat format() const noexcept { return format_; }
    /// Where the format is from: "its metadata", "its ending", ...
    [[nodiscard]] const std::string& format_source() const noexcept { return format_source_; }
    [[nodiscard]] std::optional<double> rate_hz() const noexcept { return rate_hz_; }
    /// What is strange about the recording, a line each.
    [[nodiscard]] const std::vector<std::string>& warnings() const noexcept { return warnings_; }
    /// Bytes at the end that are no complete sample; final when read() has said so.
    [[nodiscard]] std::size_t left_over() const noexcept { return decoder_.left_over(); }
    /// The file the samples come from.
    [[nodiscard]] int fd() const noexcept { return file_ ? file_.get() : stream_; }

private:
    friend class RecordingOpener;
    Recording(IqFormat format, unsigned channels, unsigned channel)
        : format_(format), decoder_(format, channels, channel) {}

    host::UniqueFd file_;
    int stream_ = -1;
    std::unique_ptr<ByteSource> source_;
    IqFormat format_;
    std::string format_source_;
    std::optional<double> rate_hz_;
    std::vector<std::string> warnings_;
    IqDecoder decoder_;
    bool swap_iq_ = false;
    std::vector<Stretch> stretches_;
    std::size_t stretch_ = 0;
    bool begun_ = false;              // the stretch's skipped bytes are behind us
    std::uint64_t bytes_read_ = 0;    // of the stretch
    std::uint64_t samples_read_ = 0;  // of the stretch
};

inline constexpr double kMaxRateHz = 1e9;
/// "1000000", "2400000.5".
[[nodiscard]] std::string rate_text(double rate_hz);
/// A recording's rate within 100 ppm of `wanted_hz` is `wanted_hz`: clocks differ by that much, and the receiver
/// follows them.
[[nodiscard]] double rate_or_near(double rate_hz, double wanted_hz);

}  // namespace meshnet::station

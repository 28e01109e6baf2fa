// SPDX-License-Identifier: GPL-3.0-or-later
// SigMF metadata: what it says of a recording, and where in its data file which samples stand.
//
// Source: The Signal Metadata Format Specification, v1.2 (sigmf.org).
//   core:datatype, sample_rate, num_channels, offset, dataset, metadata_only, trailing_bytes, sha512, version and
//   extensions of the global object, and core:sample_start, header_bytes, global_index and frequency of captures are
//   honoured, or refused by a line that names the field. The other fields describe the recording for people (author,
//   collection, description, recorder, hw, license, geolocation, DOIs, datetime, all of annotations): they do not
//   change a sample and are not read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"
#include "station/radio/iq_format.hpp"

namespace meshnet::station {

inline constexpr std::size_t kMaxSigmfBytes = 64 << 20;

/// What we write beside a file.
struct SigmfMeta {
    struct Capture {
        std::uint64_t sample_start = 0;  ///< within the file
        std::uint64_t global_index = 0;  ///< on the radio's sample counter
    };
    struct Annotation {
        std::uint64_t sample_start = 0, sample_count = 0;
        std::string label;
    };
    IqFormat format = IqFormat::kCf32;
    double sample_rate_hz = 0.0;
    std::string description;
    std::vector<Capture> captures;
    std::vector<Annotation> annotations;
};

/// `x.sigmf-data` -> `x.sigmf-meta`; any other path gets `.sigmf-meta` appended.
[[nodiscard]] std::string sigmf_meta_path(const std::string& data_path);
/// Replaces the metadata of `data_path`: the former stands until the new is complete and on the disk.
[[nodiscard]] Status write_sigmf_meta(const std::string& data_path, const SigmfMeta& meta);

/// What metadata says of the samples.
struct SigmfDescription {
    struct Capture {
        std::uint64_t sample_start = 0;
        std::uint64_t header_bytes = 0;  ///< in the file before its first sample
        std::optional<std::uint64_t> global_index;
        std::optional<double> frequency_hz;
    };
    std::optional<IqFormat> format;
    std::optional<double> rate_hz;
    unsigned channels = 1;
    std::uint64_t offset = 0;
    std::uint64_t trailing_bytes = 0;
    std::string dataset;  ///< a file name; empty: the standard one
    bool metadata_only = false;
    std::string sha512;  ///< lower case; empty: none
    std::vector<Capture> captures;
};
/// What the operator has said himself: the metadata is not judged by it.
struct SigmfKnown {
    bool format = false, rate = false;
};
/// Any bytes at all may be given. Error: a clause without the file's name. kInvalidData; kUnsupported (real samples, a
/// newer version, an extension that must be understood).
[[nodiscard]] Result<SigmfDescription> parse_sigmf(std::string_view text, SigmfKnown known = {});
/// The recordings (base names) of a `.sigmf-collection`.
[[nodiscard]] Result<std::vector<std::string>> parse_sigmf_collection(std::string_view text);

/// Samples that follow one another in the file and on the time line.
struct Stretch {
    static constexpr std::uint64_t kToTheEnd = ~std::uint64_t{0};
    std::uint64_t skip_bytes = 0;     ///< in the file before its first sample
    std::uint64_t bytes = kToTheEnd;  ///< of samples; the last stretch may end inside one
    std::uint64_t sample_index = 0;   ///< of its first sample, as the metadata counts
    std::uint64_t time_index = 0;     ///< the same on the time line, which begins at 0 and counts lost samples
};
struct SigmfLayout {
    std::vector<Stretch> stretches;
    std::vector<std::string> warnings;
};
/// Where the samples stand in a file of `file_bytes` with `sample_bytes` for a sample of all channels. Error: a clause.
[[nodiscard]] Result<SigmfLayout> sigmf_layout(const SigmfDescription& description, std::size_t sample_bytes,
                                               std::uint64_t file_bytes);

}  // namespace meshnet::station

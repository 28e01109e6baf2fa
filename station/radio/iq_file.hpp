// SPDX-License-Identifier: GPL-3.0-or-later
// Files of baseband samples: three sample formats, and the SigMF metadata beside them.
//
// Source: The Signal Metadata Format Specification, v1.2 (sigmf.org): core:datatype cf32_le, ci16_le, ci8; captures.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/bytes.hpp"
#include "core/result.hpp"
#include "phy/sample.hpp"

namespace meshnet::station {

/// I then Q, little endian: 32-bit float, full scale 1.0; or signed integers, full scale 127 and 32767.
enum class IqFormat { kCf32, kCs8, kCs16 };

/// "cf32", "cs8", "cs16". Error: names what there is.
[[nodiscard]] Result<IqFormat> parse_iq_format(std::string_view name);
[[nodiscard]] std::string_view iq_format_name(IqFormat format);
/// By the file's ending (.cs8, .cs16; anything else is cf32).
[[nodiscard]] IqFormat iq_format_of_path(std::string_view path);

/// Bytes -> samples, in chunks of any size.
class IqDecoder {
public:
    explicit IqDecoder(IqFormat format) noexcept : format_(format) {}
    [[nodiscard]] std::size_t bytes_per_sample() const noexcept;
    /// Appends the samples completed by `bytes`; a cut sample waits for the next call.
    void decode(ByteView bytes, std::vector<phy::Sample>& out);
    /// Bytes of a sample begun and not ended: not 0 at the end of a file means it was truncated.
    [[nodiscard]] std::size_t left_over() const noexcept { return pending_size_; }

private:
    IqFormat format_;
    std::array<std::uint8_t, 8> pending_{};
    std::size_t pending_size_ = 0;
};

/// Samples -> bytes, appended. Integers round to nearest and saturate; not-a-number becomes 0.
void encode_iq(IqFormat format, const phy::Sample* samples, std::size_t count, Bytes& out);

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
[[nodiscard]] Status write_sigmf_meta(const std::string& data_path, const SigmfMeta& meta);

/// What the SigMF metadata beside a file says of its samples; nothing where it is silent.
struct SigmfDescription {
    std::optional<IqFormat> format;
    std::optional<double> rate_hz;
};
/// Reads the metadata beside `data_path`, if there is some. Source: SigMF 1.2, "Global Object". Errors: kInvalidData,
/// kUnsupported (several channels, other sample types), kLimit (64 MiB), or the system's.
[[nodiscard]] Result<SigmfDescription> read_sigmf_meta(const std::string& data_path);

}  // namespace meshnet::station

// SPDX-License-Identifier: GPL-3.0-or-later
// Sample formats of baseband recordings: one row each, bytes to samples and back.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/bytes.hpp"
#include "core/result.hpp"
#include "phy/sample.hpp"

namespace meshnet::station {

/// I then Q. Little endian, or big endian (`Be`).
enum class IqFormat : std::uint8_t {
    kCf32,
    kCf64,
    kCs8,
    kCs16,
    kCs24,
    kCs32,
    kCu8,
    kCu16,
    kCu32,
    kCf32Be,
    kCf64Be,
    kCs16Be,
    kCs32Be,
    kCu16Be,
    kCu32Be,
};

/// What is known of a format. Floats have full scale 1.0; signed integers 2^(n-1) - 1; unsigned ones are offset binary:
/// 0 is -1.0 and 2^n - 1 is +1.0.
struct IqFormatRow {
    enum class Number : std::uint8_t { kFloat, kSigned, kUnsigned };
    IqFormat format;
    std::string_view name;         ///< of --format
    std::string_view other_names;  ///< what other programs call it, separated by spaces
    std::string_view sigmf;        ///< core:datatype; empty: SigMF has no name for it
    Number number;
    unsigned bytes;  ///< of I, and of Q
    bool big_endian;
};
[[nodiscard]] std::span<const IqFormatRow> iq_formats();
[[nodiscard]] const IqFormatRow& iq_format_row(IqFormat format);
[[nodiscard]] inline std::string_view iq_format_name(IqFormat format) {
    return iq_format_row(format).name;
}
/// "cf32 cf64 cs8 ...": every name of --format.
[[nodiscard]] std::string iq_format_names();

/// A name, or what another program calls the same. Error: names what there is.
[[nodiscard]] Result<IqFormat> parse_iq_format(std::string_view name);
/// Of core:datatype. Error: a clause; real samples and unknown types.
[[nodiscard]] Result<IqFormat> parse_sigmf_datatype(std::string_view name);
/// By the file's ending, upper or lower case; nothing where it is ambiguous (.iq, .raw, .dat, .bin, ...) or unknown.
[[nodiscard]] std::optional<IqFormat> iq_format_of_path(std::string_view path);
/// Endings that name a format, for help texts: ".cf32 .fc32 ...".
[[nodiscard]] std::string iq_endings();

/// Bytes -> samples, in chunks of any size. Of several interleaved channels it takes one.
class IqDecoder {
public:
    /// `channel` counts from 0.
    explicit IqDecoder(IqFormat format, unsigned channels = 1, unsigned channel = 0);
    [[nodiscard]] std::size_t bytes_per_sample() const noexcept { return frame_; }  ///< of all channels
    /// Appends the samples completed by `bytes`; a cut sample waits for the next call.
    void decode(ByteView bytes, std::vector<phy::Sample>& out);
    /// Bytes of a sample begun and not ended: not 0 at the end of a file means it was truncated.
    [[nodiscard]] std::size_t left_over() const noexcept { return pending_.size(); }

private:
    const IqFormatRow* row_;
    std::size_t frame_, offset_;
    Bytes pending_;
};

/// Samples -> bytes, appended. Integers round to nearest and saturate; not-a-number becomes 0.
void encode_iq(IqFormat format, const phy::Sample* samples, std::size_t count, Bytes& out);

}  // namespace meshnet::station

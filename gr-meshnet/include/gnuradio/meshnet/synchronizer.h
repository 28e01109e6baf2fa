// SPDX-License-Identifier: GPL-3.0-or-later
// The receiver's first stage alone: finds preambles.
//
//     samples -> [synchronizer] -> the same samples, with a tag where a preamble has been found;  detections
#pragma once

#include <gnuradio/meshnet/api.h>
#include <gnuradio/sync_block.h>

#include <cstdint>
#include <memory>
#include <string>

namespace gr::meshnet {

/// Samples leave as they came, but for those that are not numbers or beyond +-4, which are zero or limited. The tag
/// `preamble` is a dict: `sample_index` (uint64, first preamble sample), `fraction` (of a sample, -0.5..0.5),
/// `preamble`
/// ("short", "medium", "long"), `cfo` (cycles per sample, sender minus receiver), `metric` (0 noise..1 clean), `margin`
/// (over the threshold, as a ratio), `power` (mean |sample|^2), `inverted`. It stands at the sample with which the
/// preamble was certain, after its end. `detections` publishes the same dict. What the OFDM Receiver does beside it,
/// the DC blocker and interference cancellation, is not in the stages.
class MESHNET_API synchronizer : virtual public gr::sync_block {
public:
    using sptr = std::shared_ptr<synchronizer>;

    /// `longest_preamble`: "short", "medium" or "long". Throws std::invalid_argument that names the parameter and what
    /// would be right.
    static sptr make(const std::string& profile, const std::string& longest_preamble = "long");

    /// Preambles found since the start.
    [[nodiscard]] virtual std::uint64_t detections() const = 0;
};

}  // namespace gr::meshnet

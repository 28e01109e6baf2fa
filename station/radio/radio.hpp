// SPDX-License-Identifier: GPL-3.0-or-later
// What the daemon needs of a radio: samples with their index in, bursts at an index out, and the truth about what was
// late.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "node/sample_clock.hpp"
#include "phy/profile.hpp"
#include "phy/sample.hpp"

namespace meshnet::station {

/// What became of a burst.
struct TxReport {
    std::uint64_t id = 0;
    bool sent = false;            ///< false: it came too late and nothing was sent
    std::uint64_t end_index = 0;  ///< one past its last sample, if sent
};

/// A radio, simulated or real. One thread.
class Radio {
public:
    struct Reception {
        std::uint64_t first_index = 0;  ///< of samples[0]; a jump past the last one handed out means samples were lost
        std::vector<phy::Sample> samples;  ///< may be empty
        std::vector<TxReport> reports;
        bool end = false;  ///< a recording is over
    };

    Radio() = default;
    Radio(const Radio&) = delete;
    Radio& operator=(const Radio&) = delete;
    virtual ~Radio() = default;

    [[nodiscard]] virtual node::SampleRate sample_rate() const = 0;
    /// Readable when receive() will return something. Valid as long as the radio.
    [[nodiscard]] virtual int fd() const = 0;
    /// What arrived, without waiting. Error: the radio is gone.
    [[nodiscard]] virtual Result<Reception> receive() = 0;
    /// Hands over a burst whose first sample leaves the antenna at `at`; its report comes with a later receive().
    /// Error: the radio is gone.
    [[nodiscard]] virtual Status transmit(std::uint64_t id, std::uint64_t at, std::span<const phy::Sample> burst) = 0;
};

/// A device text taken apart: `air:PATH#STATION` or `file:PATH`.
struct DeviceSpec {
    enum class Kind { kAir, kFile } kind = Kind::kAir;
    std::string path;
    std::string station;  ///< kAir
};

/// Error: one clause that says what is wrong and which devices there are.
[[nodiscard]] Result<DeviceSpec> parse_device(const std::string& text);

/// Opens the device. Error: one line, also if its sample rate is not the profile's.
[[nodiscard]] Result<std::unique_ptr<Radio>> open_radio(const std::string& device, const phy::Profile& profile);

/// Passes everything through and keeps the received samples in `path` (cf32) with SigMF metadata in `path` +
/// `.sigmf-meta`
/// (`x.sigmf-data` keeps it in `x.sigmf-meta`). Lost samples begin a new SigMF capture. A failed write ends the
/// recording, not the reception; `warn` is then called once with a line for the log.
[[nodiscard]] Result<std::unique_ptr<Radio>> record_radio(std::unique_ptr<Radio> radio, const std::string& path,
                                                          void (*warn)(const std::string& line));

}  // namespace meshnet::station

// SPDX-License-Identifier: GPL-3.0-or-later
// Air time on disk, so that a station that is restarted or killed does not begin a new hour.
//
//     meshnet air time 1
//     used 1764230400000000000 12000000 EU 868.0-868.6        end (ns since 1970), air time (ns), band
//     reserved 1125000000 EU 868.0-868.6                      may have been used since the file was written
//     check 8c0a4e6d1f2b3947                                  FNV-1a, 64 bits, of all lines before
//
// Air time is reserved in the file before it is used, in pieces large enough that few bursts wait for the disk.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"
#include "station/guard/air_time.hpp"

namespace meshnet::station {

/// What the file says of one band.
struct BandAirTime {
    std::string band;
    std::vector<AirTimeUse> uses;  ///< in the order of time
    Duration reserved{};
    friend bool operator==(const BandAirTime&, const BandAirTime&) = default;
};

/// Longest file that is read.
inline constexpr std::size_t kMaxAirTimeBytes = 1'048'576;

[[nodiscard]] std::string encode_air_time(const std::vector<BandAirTime>& bands);
/// Any bytes may be given. Error: one clause that says what is wrong.
[[nodiscard]] Result<std::vector<BandAirTime>> decode_air_time(std::string_view text);

/// Where the air time is kept.
class AirTimeStore {
public:
    AirTimeStore() = default;
    AirTimeStore(const AirTimeStore&) = delete;
    AirTimeStore& operator=(const AirTimeStore&) = delete;
    virtual ~AirTimeStore() = default;
    /// Error: one line; kNotFound if there is nothing yet.
    [[nodiscard]] virtual Result<std::vector<BandAirTime>> load() = 0;
    /// When it returns, a power cut does not lose it. Error: one line.
    [[nodiscard]] virtual Status save(const std::vector<BandAirTime>& bands) = 0;
};

/// One file, replaced as a whole. One station a file.
[[nodiscard]] std::unique_ptr<AirTimeStore> air_time_file(const std::string& path);

}  // namespace meshnet::station

// SPDX-License-Identifier: GPL-3.0-or-later
// One simulated medium for several stations: who hears whom, when, how loud, how far off in frequency.
//
//     what each station sends -> [virtual_air] -> what each station hears
//
// The model: sim/air.hpp, docs/decisions/0005-one-sample-accurate-air.md. A Radio with the device air:SOCKET#STATION is
// a station of an air that runs as a program of its own, meshnet-air.
#pragma once

#include <gnuradio/block.h>
#include <gnuradio/meshnet/api.h>

#include <cstdint>
#include <memory>
#include <string>

namespace gr::meshnet {

/// Input i is an endless stream of what station i sends, zeros while it is silent (an OFDM Transmitter that is clocked
/// or sends zeros); output i what it hears, counted on its own clock from 0. A station is half-duplex: it hears nothing
/// while it sends. Outputs are behind the inputs by less than 2 ms, so the lead of Station Nodes must be longer. The
/// same inputs give the same outputs, however they are cut. Tags stay behind, as over the air.
class MESHNET_API virtual_air : virtual public gr::block {
public:
    using sptr = std::shared_ptr<virtual_air>;

    /// `stations`: inputs and outputs, 1..256. `config`: the air as meshnet-air reads it (TOML), with the profile's
    /// sample rate and as many stations; empty: they stand on a line, 5 km apart. Throws std::invalid_argument that
    /// names what is wrong and what would be right.
    static sptr make(const std::string& profile, unsigned stations = 2, const std::string& config = "");

    /// SNR in the occupied band at which `to` hears `from`, dB, by the positions at the start; stations count from 0.
    /// NaN if it does not hear it or there is no such station.
    [[nodiscard]] virtual double snr_db(unsigned from, unsigned to) const = 0;
    /// Samples that station has heard.
    [[nodiscard]] virtual std::uint64_t samples(unsigned station) const = 0;
};

}  // namespace gr::meshnet

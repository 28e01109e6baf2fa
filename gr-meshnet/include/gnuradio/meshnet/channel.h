// SPDX-License-Identifier: GPL-3.0-or-later
// A simulated radio path, from one radio's host to the other's.
//
//     samples -> [channel: clock and delay, multipath, carrier offset, phase noise, noise, ADC] -> samples
//
// The models are those of sim/channel: docs/notes/channel-models.md.
#pragma once

#include <gnuradio/block.h>
#include <gnuradio/meshnet/api.h>

#include <cstdint>
#include <memory>
#include <string>

namespace gr::meshnet {

/// As many samples come out as go in, but for clock error, delay and drops. Tags of the input stay behind, as over the
/// air.
///
/// The setters may be called while it runs, from any thread. A change takes effect at the next chunk of samples and
/// begins a new channel: fading, phase and delay line start anew. A value out of range throws and changes nothing.
class MESHNET_API channel : virtual public gr::block {
public:
    using sptr = std::shared_ptr<channel>;

    /// `profile`: gives sample rate and occupied bandwidth. `model`: names joined by '+', parameters by '-', for
    /// example "awgn", "hackrf+two-ray", "tdl-c-5us-10hz". `snr_db`: in the occupied band, for a signal of rms 0.25;
    /// infinity for no noise. `cfo_hz`, `sfo_ppm` (-1000..1000), `delay_s` (0..1): on top of those of the model. The
    /// same `seed` and input give the same output, however the input is cut. Throws std::invalid_argument that names
    /// the parameter and what would be right.
    static sptr make(const std::string& profile, const std::string& model = "awgn", double snr_db = 20.0,
                     double cfo_hz = 0.0, double sfo_ppm = 0.0, double delay_s = 0.0, std::uint64_t seed = 1);

    virtual void set_model(const std::string& model) = 0;
    virtual void set_snr_db(double snr_db) = 0;
    virtual void set_cfo_hz(double cfo_hz) = 0;
    virtual void set_sfo_ppm(double sfo_ppm) = 0;
    virtual void set_delay_s(double delay_s) = 0;
    virtual void set_seed(std::uint64_t seed) = 0;
    [[nodiscard]] virtual double snr_db() const = 0;
    [[nodiscard]] virtual double cfo_hz() const = 0;
    /// The models there are, a name and a line of explanation each, separated by a tab and a line end.
    static std::string models();
};

}  // namespace gr::meshnet

// SPDX-License-Identifier: GPL-3.0-or-later
// The network layer alone: routes, encryption, payment, over any link that speaks as a Contention MAC does.
//
//     mac_in (events of a Contention MAC) -> [router] -> mac_out (packets for its sdus_in)
//     ip_in (IPv6 packets of the host)    ->          -> ip_out (IPv6 packets for the host)
//
// Message formats: docs/notes/gnuradio.md. Protocol: docs/spec/net.md, docs/spec/payment.md.
#pragma once

#include <gnuradio/block.h>
#include <gnuradio/meshnet/api.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace gr::meshnet {

/// Its time is that of the MAC's clock messages, and packets leave as its `room` allows. With a Contention MAC it is
/// what the Station Node is in one block; there the two share every step, here messages pass between them, so that runs
/// are not reproducible to the frame.
class MESHNET_API router : virtual public gr::block {
public:
    using sptr = std::shared_ptr<router>;

    /// `seed`, `state_dir`: as of a Station Node. `price_msat_per_mib`: for carrying a MiB one hop. `answer_s`: from a
    /// frame to its answer at most, 0.001..10 s, which credit windows must span. Throws std::invalid_argument that
    /// names the parameter, std::runtime_error if key or ledger cannot be used.
    static sptr make(std::uint64_t seed = 1, const std::string& state_dir = "", std::uint64_t price_msat_per_mib = 1000,
                     double answer_s = 0.41);

    /// Number of the station, which its Contention MAC must have.
    [[nodiscard]] virtual std::uint32_t station() const = 0;
    /// The station's IPv6 address.
    [[nodiscard]] virtual std::string address() const = 0;
    /// Addresses to which there is a route.
    [[nodiscard]] virtual std::vector<std::string> destinations() const = 0;
    /// Numbers of the neighbours with which keys are agreed.
    [[nodiscard]] virtual std::vector<std::uint32_t> sessions() const = 0;
    /// Since start: those of net::RouterCounters, messages_refused, ledger_failed.
    [[nodiscard]] virtual std::map<std::string, std::uint64_t> counters() const = 0;
};

}  // namespace gr::meshnet

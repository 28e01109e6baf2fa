// SPDX-License-Identifier: GPL-3.0-or-later
#include <gnuradio/meshnet/station_node.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

namespace py = pybind11;

void bind_station_node(py::module& m) {
    using block = gr::meshnet::station_node;
    using settings = gr::meshnet::station_settings;
    using neighbor = gr::meshnet::station_neighbor;
    py::class_<neighbor>(m, "station_neighbor", "One neighbour of a Station Node.")
        .def_readonly("address", &neighbor::address, "IPv6 address.")
        .def_readonly("session_up", &neighbor::session_up, "Keys are agreed.")
        .def_readonly("snr_db", &neighbor::snr_db, "Of what we hear from it, dB.")
        .def_readonly("propagation_s", &neighbor::propagation_s, "One way, seconds; 0 if unknown.")
        .def_readonly("balance_msat", &neighbor::balance_msat, "Millisatoshi; > 0: it owes us.")
        .def("__repr__", [](const neighbor& n) {
            return "<station_neighbor " + n.address + (n.session_up ? ", session up>" : ", no session yet>");
        });
    const settings defaults;
    py::class_<block, gr::block, gr::basic_block, std::shared_ptr<block>>(m, "station_node", R"doc(
A whole station but for its modem: medium access, routing, encryption, payment.

radio_in: `events` of an OFDM Receiver, by whose samples the node's time goes. radio_out: PDUs and clock for an OFDM
Transmitter, whose `reports` come back. ip_in, ip_out: IPv6 packets of the host, as GNU Radio's TUN/TAP PDU has them.)doc")
        .def(py::init([](const std::string& profile, std::uint64_t seed, const std::string& state_dir, double lead_s,
                         double turnaround_s, double max_propagation_s, double hello_interval_s,
                         std::uint64_t price_msat_per_mib, const std::string& longest_preamble,
                         const std::string& mode) {
                 return block::make(settings{profile, seed, state_dir, lead_s, turnaround_s, max_propagation_s,
                                             hello_interval_s, price_msat_per_mib, longest_preamble, mode});
             }),
             py::arg("profile") = defaults.profile, py::arg("seed") = defaults.seed,
             py::arg("state_dir") = defaults.state_dir, py::arg("lead_s") = defaults.lead_s,
             py::arg("turnaround_s") = defaults.turnaround_s, py::arg("max_propagation_s") = defaults.max_propagation_s,
             py::arg("hello_interval_s") = defaults.hello_interval_s,
             py::arg("price_msat_per_mib") = defaults.price_msat_per_mib,
             py::arg("longest_preamble") = defaults.longest_preamble, py::arg("mode") = defaults.mode, R"doc(
profile: as the transmitter's and the receiver's.
seed: for simulation: keys and random choices are made from it, the ledger is in memory.
state_dir: for a station that lasts: directory of station.key and station.ledger; the seed is then not used.
lead_s: a burst is requested at least so long before it is to leave, 0.002 to 0.06.
turnaround_s: from samples at the antenna to a decision, 0.001 to 0.05; with lead_s up to 0.063.
max_propagation_s: to the farthest neighbour to expect (300 km: 0.001), up to 0.02.
hello_interval_s: beacons, 0.05 to 4.
price_msat_per_mib: the price for carrying a MiB one hop.
longest_preamble: "short", "medium" or "long": modes with a longer one are not used; the same on all stations.
mode: empty: adapted to the link; else the only mode used.

Raises ValueError that names the field and what would be right, RuntimeError if key or ledger cannot be used.)doc")
        .def("address", &block::address, "The station's IPv6 address.")
        .def("time", &block::time, "Seconds of samples heard, or the radio's time.")
        .def("neighbors", &block::neighbors, "Neighbours known.")
        .def("destinations", &block::destinations, "Addresses to which there is a route.")
        .def(
            "counters", &block::counters,
            "Since start: those of the MAC (frames_sent, frames_received, frames_unreadable, frames_late, ...), of the "
            "router (packets_from_host, packets_to_host, packets_forwarded, dropped_no_route, dropped_queue_full, "
            "...) and of its routing (route_updates, ...), messages_refused, ledger_failed, time_lines.");
}

// SPDX-License-Identifier: GPL-3.0-or-later
#include <gnuradio/meshnet/contention_mac.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

namespace py = pybind11;

void bind_contention_mac(py::module& m) {
    using block = gr::meshnet::contention_mac;
    using settings = gr::meshnet::mac_settings;
    const settings d;
    py::class_<block, gr::block, gr::basic_block, std::shared_ptr<block>>(m, "contention_mac", R"doc(
Medium access alone: frames to packets for neighbours on one shared channel, with acknowledgement and adaptation of the mode.

radio_in, radio_out, reports: as of a Station Node. sdus_in, sdus_out: PDUs with peer (number of a station; 4294967295: everybody)
and priority (0 control, 1 interactive, 2 bulk). events: links, packets and time for a Router.)doc")
        .def(py::init([](const std::string& profile, std::uint32_t station, std::uint64_t seed, double lead_s,
                         double turnaround_s, double max_propagation_s, double hello_interval_s,
                         const std::string& longest_preamble, const std::string& mode, double duty_cycle) {
                 return block::make(settings{profile, station, seed, lead_s, turnaround_s, max_propagation_s,
                                             hello_interval_s, longest_preamble, mode, duty_cycle});
             }),
             py::arg("profile") = d.profile, py::arg("station") = d.station, py::arg("seed") = d.seed,
             py::arg("lead_s") = d.lead_s, py::arg("turnaround_s") = d.turnaround_s,
             py::arg("max_propagation_s") = d.max_propagation_s, py::arg("hello_interval_s") = d.hello_interval_s,
             py::arg("longest_preamble") = d.longest_preamble, py::arg("mode") = d.mode,
             py::arg("duty_cycle") = d.duty_cycle, R"doc(
profile: as the transmitter's and the receiver's.
station: this station's number, 1 to 4294967294; 0: that of a Router with the same seed.
seed: of all random choices.
lead_s, turnaround_s, max_propagation_s, hello_interval_s, longest_preamble, mode: as of a Station Node.
duty_cycle: share of any 10 minutes that may be sent, above 0 to 1.

Raises ValueError that names the field and what would be right.)doc")
        .def("station", &block::station, "This station's number.")
        .def("time", &block::time, "Seconds of samples heard, or the radio's time.")
        .def("neighbors", &block::neighbors, "Numbers of the stations to which there is a link.")
        .def("counters", &block::counters,
             "Since start: frames_sent, frames_received, frames_unreadable, frames_late, sdus_refused, "
             "airtime_used_ns, messages_refused, time_lines.");
}

// SPDX-License-Identifier: GPL-3.0-or-later
#include <gnuradio/meshnet/router.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

namespace py = pybind11;

void bind_router(py::module& m) {
    using block = gr::meshnet::router;
    py::class_<block, gr::block, gr::basic_block, std::shared_ptr<block>>(m, "router", R"doc(
The network layer alone: routes, encryption, payment. mac_in: events of a Contention MAC; mac_out: packets for its sdus_in. ip_in,
ip_out: IPv6 packets of the host, as GNU Radio's TUN/TAP PDU has them.)doc")
        .def(py::init(&block::make), py::arg("seed") = 1, py::arg("state_dir") = "",
             py::arg("price_msat_per_mib") = 1000, py::arg("answer_s") = 0.41, R"doc(
seed: for simulation: keys and random choices are made from it, the ledger is in memory.
state_dir: for a station that lasts: directory of station.key and station.ledger; the seed is then not used.
price_msat_per_mib: the price for carrying a MiB one hop.
answer_s: from a frame to its answer at most, 0.001 to 10, which credit windows must span.

Raises ValueError that names the parameter, RuntimeError if key or ledger cannot be used.)doc")
        .def("station", &block::station, "Number of the station, which its Contention MAC must have.")
        .def("address", &block::address, "The station's IPv6 address.")
        .def("destinations", &block::destinations, "Addresses to which there is a route.")
        .def("sessions", &block::sessions, "Numbers of the neighbours with which keys are agreed.")
        .def("counters", &block::counters,
             "Since start: packets_from_host, packets_to_host, packets_forwarded, dropped_no_route, "
             "dropped_queue_full and others, messages_refused, ledger_failed.");
}

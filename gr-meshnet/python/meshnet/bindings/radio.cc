// SPDX-License-Identifier: GPL-3.0-or-later
#include <gnuradio/meshnet/radio.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

namespace py = pybind11;

void bind_radio(py::module& m) {
    using block = gr::meshnet::radio;
    py::class_<block, gr::sync_block, gr::block, gr::basic_block, std::shared_ptr<block>>(m, "radio", R"doc(
A radio as meshnetd drives it, or a station of a running meshnet-air: a source of samples that sends bursts. Half-duplex radios
are switched over; what reaches an antenna passes the transmit guard.

bursts: PDUs (dict . c32vector) with tx_time and burst_id, as an OFDM Transmitter of idle "message" publishes them.
reports: a dict with outcome ("sent" or "late"), id and end for each.)doc")
        .def(py::init(&block::make), py::arg("profile"), py::arg("device"), py::arg("config") = "", R"doc(
profile: "125k" to "20M".
device: "air:SOCKET#STATION", "uhd:type=b200", "soapy:driver=hackrf", "file:NAME"; devices() lists the kinds.
config: the tables [radio] and [transmit] of meshnetd's configuration.

Raises ValueError or RuntimeError with the reason.)doc")
        .def("sample_rate", &block::sample_rate, "Samples per second of the profile.")
        .def("counters", &block::counters,
             "Since construction: samples, gaps, bursts_sent, bursts_late, bursts_refused, overruns, underruns, late, "
             "unconfirmed, lock_losses.")
        .def_static("devices", &block::devices, "The kinds of device there are, a line each.");
}

// SPDX-License-Identifier: GPL-3.0-or-later
#include <gnuradio/meshnet/packet_capture.h>
#include <pybind11/pybind11.h>

namespace py = pybind11;

void bind_packet_capture(py::module& m) {
    using block = gr::meshnet::packet_capture;
    py::class_<block, gr::block, gr::basic_block, std::shared_ptr<block>>(m, "packet_capture", R"doc(
Writes frames to a pcap file (link type DLT_USER0) that Wireshark reads with the dissector tools/wireshark/meshnet.lua.

received: pdus or events of an OFDM Receiver. sent: the PDUs of an OFDM Transmitter.)doc")
        .def(py::init(&block::make), py::arg("file"), py::arg("append") = false, R"doc(
file: is made anew.
append: it is continued instead, if it is a capture of this kind.

Raises ValueError with the reason if it cannot be written.)doc")
        .def("packets", &block::packets, "Packets written.")
        .def("failures", &block::failures, "Packets that could not be written.");
}

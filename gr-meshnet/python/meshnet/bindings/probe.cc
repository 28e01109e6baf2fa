// SPDX-License-Identifier: GPL-3.0-or-later
#include <gnuradio/meshnet/probe.h>
#include <pybind11/pybind11.h>

namespace py = pybind11;

void bind_probe(py::module& m) {
    using block = gr::meshnet::probe;
    py::class_<block, gr::sync_block, gr::block, gr::basic_block, std::shared_ptr<block>>(m, "probe", R"doc(
What an OFDM Receiver says of its frames, made ready for displays: streams of SNR in dB, error rate and carrier offset in Hz, one
float for every interval of received samples, and messages for QT sinks.

events, constellation, channel: of the receiver. points: for a QT GUI Constellation Sink of type Complex Message. response: the
channel in dB, one value a carrier, for a QT GUI Time Sink of type Float Message.)doc")
        .def(py::init(&block::make), py::arg("window") = 100, py::arg("interval_ms") = 10, py::arg("history") = 500,
             R"doc(
window: frames over which the error rate is taken, 1 to 100000.
interval_ms: milliseconds of received samples to a value, 1 to 10000.
history: values that the messages snr_history, error_history and cfo_history hold, 2 to 100000.

Raises ValueError that names the parameter and what would be right.)doc")
        .def("snr_db", &block::snr_db, "Of the last frame, dB in the occupied band; NaN before the first.")
        .def("error_rate", &block::error_rate,
             "Share of the last frames with block errors, 0 to 1; NaN before the first.")
        .def("cfo_hz", &block::cfo_hz, "Carrier offset of the last frame, Hz; NaN before the first.")
        .def("frames", &block::frames, "Frames with a readable header.")
        .def("summary", &block::summary, "All of it in a line for a display.");
}

// SPDX-License-Identifier: GPL-3.0-or-later
#include <gnuradio/meshnet/ofdm_transmitter.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

namespace py = pybind11;

void bind_ofdm_transmitter(py::module& m) {
    using block = gr::meshnet::ofdm_transmitter;
    py::class_<block, gr::sync_block, gr::block, gr::basic_block, std::shared_ptr<block>>(m, "ofdm_transmitter", R"doc(
Renders every PDU (dict . u8vector) on `pdus` into one whole burst of complex baseband samples.

Keys read from the dict: `mode` (e.g. "16qam-1/2"), `at` or `tx_time` (time of the first sample: tuple of whole seconds and
fraction, or seconds), `tx_freq` (Hz) and `tx_gain` (dB), which become tags, `id` (uint64, comes back in the report).
`reports` says for each PDU what became of it: a dict with `outcome` ("sent", "late", "refused", "flushed"), `id`, `start`,
`end`, `reason`. `async_msgs` takes those of a USRP Sink: late bursts are reported once more, as late.)doc")
        .def(py::init(&block::make), py::arg("profile"), py::arg("mode") = "qpsk-1/2", py::arg("idle") = "none",
             py::arg("gap") = 0, py::arg("length_tag") = "", py::arg("pad_front") = 0, py::arg("pad_tail") = 0,
             py::arg("pad_multiple") = 1, py::arg("queue_pdus") = 1024, py::arg("queue_seconds") = 60.0, R"doc(
profile: "125k" to "20M".
mode: for PDUs that name none.
idle: "none" (only bursts leave, for radios), "zeros" (an endless stream) "clocked" (zeros as far as a Station Node
    allows) or "message" (no stream: bursts leave as PDUs of samples on the port `bursts`, for a Radio).
gap: zeros before the first burst and after each, 0 to 1e9 samples.
length_tag: if not empty, bursts are a tagged stream with this length tag in place of tx_sob and tx_eob.
pad_front, pad_tail: zeros within the burst before and after the frame, 0 to 1e7 samples; the frame begins at its time.
pad_multiple: the burst is filled up to a multiple of this, 1 to 1e6 samples.
queue_pdus, queue_seconds: PDUs and air time that may wait, 1 to 1e6 and 0.001 to 86400 s; beyond, PDUs are refused.

Raises ValueError that names the parameter and what would be right.)doc")
        .def("set_mode", &block::set_mode, py::arg("mode"), "Mode for PDUs that name none, from the next PDU on.")
        .def("mode", &block::mode, "Mode for PDUs that name none.")
        .def("sample_rate", &block::sample_rate, "Samples per second of the profile.")
        .def("counters", &block::counters,
             "Since construction: bursts_sent, bursts_late, pdus_refused, pdus_flushed, underflows, samples_sent.");
}

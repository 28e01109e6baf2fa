// SPDX-License-Identifier: GPL-3.0-or-later
#include <gnuradio/meshnet/ofdm_receiver.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

namespace py = pybind11;

void bind_ofdm_receiver(py::module& m) {
    using block = gr::meshnet::ofdm_receiver;
    py::class_<block, gr::block, gr::basic_block, std::shared_ptr<block>>(m, "ofdm_receiver", R"doc(
Finds and decodes frames of every mode; each becomes a PDU (dict . u8vector) on `pdus`.

The dict: sample_index, sample_fraction, time, length_samples, mode, snr_db, cfo_hz, sfo_ppm, power_dbfs, crc_ok, blocks,
blocks_ok, segments. `events` carries all frames and the passing of time for a Station Node; `constellation` the
equalised points of each frame.)doc")
        .def(py::init(&block::make), py::arg("profile"), py::arg("pass_block_errors") = false,
             py::arg("constellation") = false, py::arg("max_iterations") = 25, py::arg("longest_preamble") = "long",
             py::arg("decode_threads") = 0, py::arg("channel") = false, py::arg("soft_bits") = false,
             py::arg("bursts") = false,
             R"doc(
profile: "125k" to "20M".
pass_block_errors: frames with bad blocks go to `pdus` too.
constellation: publish the equalised points of each frame.
max_iterations: LDPC iterations per block, 1 to 100.
longest_preamble: "short", "medium" or "long"; frames with a longer one are not searched for, which saves time.
decode_threads: threads that decode code blocks beside the block's own, 0 to 16; frames are the same with any number.
channel, soft_bits, bursts: publish the channel estimate (one value a carrier), the LLRs in sending order, the samples of each
    frame on the port of that name.

Raises ValueError that names the parameter and what would be right.)doc")
        .def("sample_rate", &block::sample_rate, "Samples per second of the profile.")
        .def("counters", &block::counters,
             "Since start: samples, preambles, headers_ok, frames_ok, frames_partial, blocks_ok, blocks_bad, "
             "detections_dropped, samples_not_finite, samples_clipped, rates_wrong.")
        .def("summary", &block::summary, "The counters and the last frame in a line for a display.")
        .def("last_snr_db", &block::last_snr_db,
             "SNR of the last frame in the occupied band, dB; NaN before the first.")
        .def("last_cfo_hz", &block::last_cfo_hz, "Carrier offset of the last frame, Hz; NaN before the first.");
}

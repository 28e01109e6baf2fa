// SPDX-License-Identifier: GPL-3.0-or-later
#include <gnuradio/meshnet/decoder.h>
#include <pybind11/pybind11.h>

namespace py = pybind11;

void bind_decoder(py::module& m) {
    using block = gr::meshnet::decoder;
    py::class_<block, gr::block, gr::basic_block, std::shared_ptr<block>>(m, "decoder", R"doc(
The receiver's last stage: soft bits of a Demodulator, or of an OFDM Receiver, to bytes.

soft_bits: PDUs (dict . f32vector) with mode, payload_bytes and redundancy_version. pdus: PDUs (dict . u8vector).)doc")
        .def(py::init(&block::make), py::arg("profile"), py::arg("max_iterations") = 25,
             py::arg("pass_block_errors") = false, R"doc(
profile: "125k" to "20M".
max_iterations: LDPC iterations per block, 1 to 100.
pass_block_errors: frames with bad blocks leave, too.

Raises ValueError that names the parameter and what would be right.)doc")
        .def("frames_ok", &block::frames_ok, "Frames error-free since construction.")
        .def("frames_bad", &block::frames_bad, "Frames with block errors since construction.")
        .def("refused", &block::refused, "Messages that were no soft bits of a frame.");
}

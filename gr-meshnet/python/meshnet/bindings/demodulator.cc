// SPDX-License-Identifier: GPL-3.0-or-later
#include <gnuradio/meshnet/demodulator.h>
#include <pybind11/pybind11.h>

namespace py = pybind11;

void bind_demodulator(py::module& m) {
    using block = gr::meshnet::demodulator;
    py::class_<block, gr::sync_block, gr::block, gr::basic_block, std::shared_ptr<block>>(m, "demodulator", R"doc(
The receiver's second stage: from the tags of a Synchronizer to the soft bits of each frame's payload.

soft_bits: PDUs (dict . f32vector) of LLRs in sending order. channel: PDUs (dict . c32vector), one value a carrier.)doc")
        .def(py::init(&block::make), py::arg("profile"), R"doc(
profile: "125k" to "20M".

Raises ValueError if there is no such profile.)doc")
        .def("frames", &block::frames, "Frames begun since the start.")
        .def("headers", &block::headers, "Headers read since the start.");
}

// SPDX-License-Identifier: GPL-3.0-or-later
#include <gnuradio/meshnet/synchronizer.h>
#include <pybind11/pybind11.h>

namespace py = pybind11;

void bind_synchronizer(py::module& m) {
    using block = gr::meshnet::synchronizer;
    py::class_<block, gr::sync_block, gr::block, gr::basic_block, std::shared_ptr<block>>(m, "synchronizer", R"doc(
The receiver's first stage: finds preambles. Samples pass; the tag `preamble`, a dict with sample_index, fraction, preamble, cfo
(cycles per sample), metric, margin, power and inverted, stands where one became certain. `detections` publishes it.)doc")
        .def(py::init(&block::make), py::arg("profile"), py::arg("longest_preamble") = "long", R"doc(
profile: "125k" to "20M".
longest_preamble: "short", "medium" or "long".

Raises ValueError that names the parameter and what would be right.)doc")
        .def("detections", &block::detections, "Preambles found since the start.");
}

// SPDX-License-Identifier: GPL-3.0-or-later
#include <gnuradio/meshnet/virtual_air.h>
#include <pybind11/pybind11.h>

namespace py = pybind11;

void bind_virtual_air(py::module& m) {
    using block = gr::meshnet::virtual_air;
    py::class_<block, gr::block, gr::basic_block, std::shared_ptr<block>>(m, "virtual_air", R"doc(
One simulated medium for several stations: input i is what station i sends, zeros while it is silent, output i what it hears, with
delay, path loss, Doppler, clock errors, collisions and noise. The same inputs give the same outputs.)doc")
        .def(py::init(&block::make), py::arg("profile"), py::arg("stations") = 2, py::arg("config") = "", R"doc(
profile: "125k" to "20M"; gives the sample rate.
stations: inputs and outputs, 1 to 256.
config: the air as meshnet-air reads it (TOML), with as many stations; empty: they stand on a line, 5 km apart.

Raises ValueError that names what is wrong and what would be right.)doc")
        .def("snr_db", &block::snr_db, py::arg("from_station"), py::arg("to_station"),
             "SNR in the occupied band at the start, dB; NaN if nothing is heard. Stations count from 0.")
        .def("samples", &block::samples, py::arg("station"), "Samples that station has heard.");
}

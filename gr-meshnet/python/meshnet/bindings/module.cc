// SPDX-License-Identifier: GPL-3.0-or-later
// The Python face of all blocks: one extension module, one translation unit per block.
#include <pybind11/pybind11.h>

namespace py = pybind11;

void bind_ofdm_transmitter(py::module& m);
void bind_ofdm_receiver(py::module& m);
void bind_channel(py::module& m);
void bind_station_node(py::module& m);
void bind_transmit_guard(py::module& m);

PYBIND11_MODULE(meshnet_python, m) {
    m.doc() = "GNU Radio blocks of meshnet.";
    py::module::import("gnuradio.gr");
    bind_ofdm_transmitter(m);
    bind_ofdm_receiver(m);
    bind_channel(m);
    bind_station_node(m);
    bind_transmit_guard(m);
}

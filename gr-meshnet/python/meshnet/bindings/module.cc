// SPDX-License-Identifier: GPL-3.0-or-later
// The Python face of all blocks: one extension module, one translation unit per block.
#include <pybind11/pybind11.h>

namespace py = pybind11;

void bind_channel(py::module& m);
void bind_contention_mac(py::module& m);
void bind_decoder(py::module& m);
void bind_demodulator(py::module& m);
void bind_ofdm_receiver(py::module& m);
void bind_ofdm_transmitter(py::module& m);
void bind_packet_capture(py::module& m);
void bind_probe(py::module& m);
void bind_radio(py::module& m);
void bind_router(py::module& m);
void bind_station_node(py::module& m);
void bind_synchronizer(py::module& m);
void bind_transmit_guard(py::module& m);
void bind_virtual_air(py::module& m);

PYBIND11_MODULE(meshnet_python, m) {
    m.doc() = "GNU Radio blocks of meshnet.";
    py::module::import("gnuradio.gr");
    bind_channel(m);
    bind_contention_mac(m);
    bind_decoder(m);
    bind_demodulator(m);
    bind_ofdm_receiver(m);
    bind_ofdm_transmitter(m);
    bind_packet_capture(m);
    bind_probe(m);
    bind_radio(m);
    bind_router(m);
    bind_station_node(m);
    bind_synchronizer(m);
    bind_transmit_guard(m);
    bind_virtual_air(m);
}

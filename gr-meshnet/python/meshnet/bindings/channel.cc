// SPDX-License-Identifier: GPL-3.0-or-later
#include <gnuradio/meshnet/channel.h>
#include <pybind11/pybind11.h>

namespace py = pybind11;

void bind_channel(py::module& m) {
    using block = gr::meshnet::channel;
    py::class_<block, gr::block, gr::basic_block, std::shared_ptr<block>>(m, "channel", R"doc(
A simulated radio path: noise, carrier and clock offset, delay, multipath, fading, phase noise, ADC, drops.

The setters may be called while it runs; a change begins a new channel at the next chunk of samples.)doc")
        .def(py::init(&block::make), py::arg("profile"), py::arg("model") = "awgn", py::arg("snr_db") = 20.0,
             py::arg("cfo_hz") = 0.0, py::arg("sfo_ppm") = 0.0, py::arg("delay_s") = 0.0, py::arg("seed") = 1, R"doc(
profile: gives sample rate and occupied bandwidth.
model: names joined by '+', parameters by '-': "awgn", "hackrf+two-ray", "tdl-c-5us-10hz"; models() lists them.
snr_db: in the occupied band, for a signal of rms 0.25; inf for no noise.
cfo_hz: sender's carrier minus receiver's, up to half the sample rate.
sfo_ppm: sender's sampling clock minus receiver's, -1000 to 1000.
delay_s: 0 to 1.
seed: the same seed and input give the same output.

Raises ValueError that names the parameter and what would be right.)doc")
        .def("set_model", &block::set_model, py::arg("model"))
        .def("set_snr_db", &block::set_snr_db, py::arg("snr_db"))
        .def("set_cfo_hz", &block::set_cfo_hz, py::arg("cfo_hz"))
        .def("set_sfo_ppm", &block::set_sfo_ppm, py::arg("sfo_ppm"))
        .def("set_delay_s", &block::set_delay_s, py::arg("delay_s"))
        .def("set_seed", &block::set_seed, py::arg("seed"))
        .def("snr_db", &block::snr_db, "As set, dB.")
        .def("cfo_hz", &block::cfo_hz, "As set, Hz.")
        .def_static("models", &block::models, "The models there are: a name, a tab and an explanation on each line.");
}

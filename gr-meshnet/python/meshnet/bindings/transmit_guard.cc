// SPDX-License-Identifier: GPL-3.0-or-later
#include <gnuradio/meshnet/transmit_guard.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

namespace py = pybind11;

void bind_transmit_guard(py::module& m) {
    using block = gr::meshnet::transmit_guard;
    using settings = gr::meshnet::guard_settings;
    using names = std::vector<std::string>;
    const settings d;
    py::class_<block, gr::block, gr::basic_block, std::shared_ptr<block>>(m, "transmit_guard", R"doc(
The last block before a transmitting radio: judges each burst (tx_sob to tx_eob) on its samples and passes it as it is, or not
at all: band, power, spectrum, bandwidth, length, air time of the hour, listen before talk. Silent until a band is named.

events: of an OFDM Receiver, gives the radio's time and the level heard. inhibit: a boolean. reports: bursts refused.)doc")
        .def(py::init([](double sample_rate_hz, const names& bands, const std::string& authority, double frequency_hz,
                         double full_scale_dbm, double antenna_gain_dbi, double cable_loss_db,
                         double receive_full_scale_dbm, double clock_error_ppm, double listen_max_age_ms,
                         const names& own_bands, const std::string& callsign, const std::string& sealed_traffic_permit,
                         const std::string& air_time_file, const std::string& inhibit_file, const std::string& fill,
                         const std::string& length_tag) {
                 settings s;
                 s.sample_rate_hz = sample_rate_hz;
                 s.bands = bands;
                 s.own_bands = own_bands;
                 s.authority = authority;
                 s.frequency_hz = frequency_hz;
                 s.full_scale_dbm = full_scale_dbm;
                 s.antenna_gain_dbi = antenna_gain_dbi;
                 s.cable_loss_db = cable_loss_db;
                 s.receive_full_scale_dbm = receive_full_scale_dbm;
                 s.clock_error_ppm = clock_error_ppm;
                 s.listen_max_age_ms = listen_max_age_ms;
                 s.callsign = callsign;
                 s.sealed_traffic_permit = sealed_traffic_permit;
                 s.air_time_file = air_time_file;
                 s.inhibit_file = inhibit_file;
                 s.fill = fill;
                 s.length_tag = length_tag;
                 return block::make(s);
             }),
             py::arg("sample_rate_hz") = d.sample_rate_hz, py::arg("bands") = d.bands,
             py::arg("authority") = d.authority, py::arg("frequency_hz") = d.frequency_hz,
             py::arg("full_scale_dbm") = d.full_scale_dbm, py::arg("antenna_gain_dbi") = d.antenna_gain_dbi,
             py::arg("cable_loss_db") = d.cable_loss_db, py::arg("receive_full_scale_dbm") = d.receive_full_scale_dbm,
             py::arg("clock_error_ppm") = d.clock_error_ppm, py::arg("listen_max_age_ms") = d.listen_max_age_ms,
             py::arg("own_bands") = d.own_bands, py::arg("callsign") = d.callsign,
             py::arg("sealed_traffic_permit") = d.sealed_traffic_permit, py::arg("air_time_file") = d.air_time_file,
             py::arg("inhibit_file") = d.inhibit_file, py::arg("fill") = d.fill, py::arg("length_tag") = d.length_tag,
             R"doc(
sample_rate_hz: of the bursts.
bands: names of `meshnet-cli bands` or of own bands; none: nothing passes.
authority: on what right the operator sends, in his words.
frequency_hz: the carrier; tags tx_freq of the stream change it.
full_scale_dbm: conducted mean power of a sample of magnitude 1 at the gain the radio has.
antenna_gain_dbi, cable_loss_db: between that point and the air.
receive_full_scale_dbm, listen_max_age_ms: for bands with listen before talk.
clock_error_ppm: the band is taken narrower by so much at either edge.
own_bands: "NAME, LOW MHz, HIGH MHz, MAX EIRP dBm, DUTY CYCLE".
callsign, sealed_traffic_permit: for amateur bands.
air_time_file: keeps the air time of the last hour where a band limits it.
inhibit_file: nothing passes while it exists.
fill: "none" (only bursts leave) or "zeros" (as many samples leave as come).
length_tag: bursts are a tagged stream with it, in place of tx_sob and tx_eob.

Raises ValueError with the reason if what is stated cannot be.)doc")
        .def("set_inhibited", &block::set_inhibited, py::arg("inhibited"), "Nothing passes while it is true.")
        .def("inhibited", &block::inhibited, "As set.")
        .def("counters", &block::counters,
             "Since construction: bursts_passed, samples_passed, identifications, refused_... for each reason, "
             "air_time_ns, samples_outside, bursts_cut.")
        .def("last_refusal", &block::last_refusal, "The last refusal in a sentence; empty before the first.");
}

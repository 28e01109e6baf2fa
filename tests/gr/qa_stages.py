#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Synchronizer, Demodulator and Decoder against the OFDM Receiver; Probe; Packet Capture and its Wireshark dissector."""

import math
import os
import pathlib
import shutil
import struct
import subprocess
import tempfile
import unittest

import numpy
import pmt
from gnuradio import blocks, gr, gr_unittest

from gnuradio import meshnet
from listening import LONGEST, Ears, Samples, make_pdu, post, run_until
from qa_modem import payloads, render

PROFILE = "250k"
SOURCE = pathlib.Path(os.environ["MESHNET_SOURCE_DIR"])


def through_channel(samples, snr_db=20.0, cfo_hz=1500.0):
    tb = gr.top_block()
    sink = blocks.vector_sink_c()
    tb.connect(blocks.vector_source_c(list(samples)), meshnet.channel(PROFILE, "awgn", snr_db, cfo_hz=cfo_hz, seed=4), sink)
    tb.run()
    return numpy.array(sink.data())


class Stages(gr_unittest.TestCase):
    def test_the_three_receive_what_the_receiver_does(self):
        frames = payloads(3, 200) + payloads(1, 1500, seed=9)
        modes = ("qpsk-1/2", "16qam-1/2", "qpsk-1/5x4", "64qam-3/4")
        sent = numpy.concatenate([render([make_pdu(p, mode=m)], gap=9000)[0] for p, m in zip(frames, modes)])
        heard = through_channel(sent, snr_db=24.0)
        for chunk in (0, 97):
            tb = gr.top_block()
            source = Samples(heard)
            sync, demod, decoder = meshnet.synchronizer(PROFILE), meshnet.demodulator(PROFILE), meshnet.decoder(PROFILE)
            whole = meshnet.ofdm_receiver(PROFILE)
            if chunk:
                sync.set_max_noutput_items(chunk)
            pdus, reference, starts = Ears.count(4), Ears.count(4), Ears.count(4)
            tb.connect(source, sync, demod)
            tb.connect(source, whole)
            tb.msg_connect(demod, "soft_bits", decoder, "soft_bits")
            tb.msg_connect(decoder, "pdus", pdus, "in")
            tb.msg_connect(whole, "pdus", reference, "in")
            tb.msg_connect(sync, "detections", starts, "in")
            self.assertTrue(run_until(tb, pdus, reference, starts))
            self.assertEqual([p for _, p in pdus.pdus()], frames)
            for (got, _), (wanted, _) in zip(pdus.pdus(), reference.pdus()):
                self.assertEqual(got["mode"], wanted["mode"])
                self.assertAlmostEqual(got["sample_index"] + got["sample_fraction"], wanted["sample_index"] + wanted["sample_fraction"], delta=0.2)
                self.assertAlmostEqual(got["cfo_hz"], wanted["cfo_hz"], delta=5.0)
                self.assertTrue(got["crc_ok"] and got["blocks"] == got["blocks_ok"] == wanted["blocks"])
            self.assertEqual((decoder.frames_ok(), decoder.frames_bad(), decoder.refused()), (4, 0, 0))
            self.assertGreaterEqual(sync.detections(), 4)
            self.assertEqual(demod.headers(), 4)
            self.assertGreaterEqual(demod.frames(), 4)

    def test_a_detection_says_where_and_how_far_off(self):
        sent, _, _ = render([make_pdu(b"x" * 50)], gap=3000)
        tb = gr.top_block()
        source = Samples(through_channel(sent, cfo_hz=-2500.0))
        sync = meshnet.synchronizer(PROFILE, "short")
        starts = Ears.count(1)
        tb.connect(source, sync, blocks.null_sink(gr.sizeof_gr_complex))
        tb.msg_connect(sync, "detections", starts, "in")
        self.assertTrue(run_until(tb, starts))
        start = pmt.to_python(starts.messages[0])
        self.assertAlmostEqual(start["sample_index"] + start["fraction"], 3000, delta=1.0)
        self.assertAlmostEqual(start["cfo"] * 250e3, -2500.0, delta=150.0)
        self.assertEqual((start["preamble"], start["inverted"]), ("short", False))
        self.assertGreater(start["margin"], 1.5)

    def test_the_decoder_takes_the_soft_bits_of_a_receiver(self):
        frames = payloads(2, 300)
        sent, _, _ = render([make_pdu(p) for p in frames], gap=4000)
        tb = gr.top_block()
        source = Samples(through_channel(sent))
        rx, decoder = meshnet.ofdm_receiver(PROFILE, soft_bits=True), meshnet.decoder(PROFILE, 10)
        pdus = Ears.count(2)
        tb.connect(source, rx)
        tb.msg_connect(rx, "soft_bits", decoder, "soft_bits")
        tb.msg_connect(decoder, "pdus", pdus, "in")
        self.assertTrue(run_until(tb, pdus))
        self.assertEqual([p for _, p in pdus.pdus()], frames)

    def test_what_is_no_frame_is_refused_or_bad(self):
        decoder = meshnet.decoder(PROFILE, pass_block_errors=True)
        tb = gr.top_block()
        out = Ears.count(1)
        tb.msg_connect(decoder, "pdus", out, "in")

        def soft(count, **meta):
            return pmt.cons(pmt.car(make_pdu(b"", **meta)), pmt.init_f32vector(count, [float("nan")] * count))

        bad = [
            pmt.PMT_NIL, pmt.from_long(1), make_pdu(b"x"), soft(0), soft(96, mode="bpsk", payload_bytes=1),
            soft(96, mode="qpsk-1/2", payload_bytes=0), soft(96, mode="qpsk-1/2", payload_bytes=1 << 40), soft(95, mode="qpsk-1/2", payload_bytes=1),
            soft(96, mode="qpsk-1/2", payload_bytes=1, redundancy_version=9), soft(96, mode=3, payload_bytes="x"),
            pmt.cons(pmt.from_long(2), pmt.init_f32vector(1, [1.0])),
        ]
        for message in bad:
            post(decoder, "soft_bits", message)
        post(decoder, "soft_bits", soft(96, mode="qpsk-1/2", payload_bytes=2))  # 40 bits, rate 1/2, one symbol; no number: erasures
        self.assertTrue(run_until(tb, out))
        self.assertEqual(decoder.refused(), len(bad))
        (meta, payload), = out.pdus()
        self.assertEqual((meta["crc_ok"], meta["blocks_ok"], len(payload)), (False, 0, 2))

    def test_tags_of_nobody_do_no_harm(self):
        tb = gr.top_block()
        junk = [pmt.PMT_T, pmt.make_dict(), pmt.from_double(1.0), pmt.dict_add(pmt.make_dict(), pmt.intern("sample_index"), pmt.from_uint64(2**63))]
        start = pmt.to_pmt({"sample_index": 5000, "preamble": "short", "cfo": 0.0})
        tags = [(100 * i, "preamble", v) for i, v in enumerate(junk + [start])]
        source = blocks.vector_source_c([0j] * 30000, tags=[gr.tag_utils.python_to_tag((o, pmt.intern(k), v)) for o, k, v in tags])
        demod = meshnet.demodulator(PROFILE)
        tb.connect(source, demod)
        tb.run()
        self.assertEqual((demod.frames(), demod.headers()), (0, 0))  # 5000 had not come when the tag did

    def test_what_is_wrong_and_what_would_be_right(self):
        for word, make in (
            ("unknown profile", lambda: meshnet.synchronizer("3M")),
            ("known are short medium long", lambda: meshnet.synchronizer(PROFILE, "none")),
            ("unknown profile", lambda: meshnet.demodulator("3M")),
            ("unknown profile", lambda: meshnet.decoder("3M")),
            ("max_iterations", lambda: meshnet.decoder(PROFILE, 0)),
            ("window", lambda: meshnet.probe(0)),
            ("interval_ms", lambda: meshnet.probe(1, 0)),
            ("history", lambda: meshnet.probe(1, 1, 1)),
            ("a file must be named", lambda: meshnet.packet_capture("")),
            ("/nowhere/x.pcap: No such file", lambda: meshnet.packet_capture("/nowhere/x.pcap")),
        ):
            with self.assertRaises(ValueError) as caught:
                make()
            self.assertIn(word, str(caught.exception))


class Probe(gr_unittest.TestCase):
    def test_streams_and_messages_show_what_was_received(self):
        sent, _, _ = render([make_pdu(p, mode="16qam-1/2") for p in payloads(5, 200)], gap=3000)
        tb = gr.top_block()
        source = Samples(through_channel(sent, snr_db=22.0, cfo_hz=700.0))
        rx = meshnet.ofdm_receiver(PROFILE, constellation=True, channel=True)
        probe = meshnet.probe(window=3, interval_ms=2, history=40)
        self.assertTrue(math.isnan(probe.snr_db()) and math.isnan(probe.error_rate()) and math.isnan(probe.cfo_hz()))
        self.assertEqual(probe.summary(), "no frame yet")
        sinks = [blocks.vector_sink_f() for _ in range(3)]
        points, response, history = Ears.count(5), Ears.count(5), Ears.count(20)
        tb.connect(source, rx)
        for i, sink in enumerate(sinks):
            tb.connect((probe, i), sink)
        for port in ("events", "constellation", "channel"):
            tb.msg_connect(rx, port, probe, port)
        tb.msg_connect(probe, "points", points, "in")
        tb.msg_connect(probe, "response", response, "in")
        tb.msg_connect(probe, "snr_history", history, "in")
        self.assertTrue(run_until(tb, points, response, history))
        past = [numpy.array(pmt.f32vector_elements(pmt.cdr(m))) for m in history.messages[:20]]
        self.assertEqual({len(p) for p in past}, {40})
        self.assertTrue(all(numpy.all(numpy.isnan(p[: 39 - i])) for i, p in enumerate(past)))
        self.assertTrue(numpy.array_equal(past[-1][:-1], past[-2][1:], equal_nan=True))
        self.assertEqual(probe.frames(), 5)
        self.assertAlmostEqual(probe.snr_db(), 22.0, delta=2.0)
        self.assertAlmostEqual(probe.cfo_hz(), 700.0, delta=30.0)
        self.assertEqual(probe.error_rate(), 0.0)
        self.assertIn("5 frames", probe.summary())
        snr = numpy.array(sinks[0].data())
        self.assertTrue(numpy.isnan(snr[0]))
        self.assertTrue(numpy.all(numpy.abs(snr[~numpy.isnan(snr)] - 22.0) < 2.5))
        self.assertGreater(numpy.sum(~numpy.isnan(snr)), 20)
        curve = numpy.array(pmt.f32vector_elements(pmt.cdr(response.messages[0])))
        self.assertEqual(len(curve), 52)
        self.assertLess(numpy.max(numpy.abs(curve)), 3.0)  # a flat channel

    def test_the_error_rate_is_that_of_the_window(self):
        probe = meshnet.probe(window=4)
        tb = gr.top_block()
        done = Ears.count(1)
        tb.msg_connect(probe, "response", done, "in")
        for good in (True, True, False, False, True, False):
            post(probe, "events", make_pdu(b"x", crc_ok=good, snr_db=3.0, cfo_hz=1.0))
        for junk in (pmt.PMT_NIL, pmt.from_long(1), make_pdu(b"x"), make_pdu(b"x", crc_ok=3)):
            post(probe, "events", junk)
        post(probe, "constellation", pmt.PMT_T)
        for values in ([], [0j, 0j], [complex("nan"), 1j], [1 + 0j, 1j]):
            post(probe, "channel", pmt.cons(pmt.make_dict(), pmt.init_c32vector(len(values), values)))
        tb.start()
        self.assertTrue(done.enough.wait(LONGEST))
        tb.stop()
        tb.wait()
        self.assertEqual(len(done.messages), 1)
        for _ in range(1000):
            if probe.frames() == 6:
                break
            done.enough.clear()
            done.enough.wait(0.01)
        self.assertEqual((probe.frames(), probe.error_rate()), (6, 0.75))


class Capture(gr_unittest.TestCase):
    def capture(self, file, messages, append=False):
        """Writes each (port, message)."""
        block = meshnet.packet_capture(str(file), append)
        for port, message in messages:
            post(block, port, message)
        tb = gr.top_block()
        tb.msg_connect(meshnet.decoder(PROFILE), "pdus", block, "received")
        tb.start()
        tb.stop()
        tb.wait()  # what waits at the stop is written
        return block

    def packets(self, file):
        data = file.read_bytes()
        self.assertEqual(struct.unpack(">IHHIIII", data[:24]), (0xA1B23C4D, 2, 4, 0, 0, 65535, 147))
        out, at = [], 24
        while at < len(data):
            seconds, ns, kept, length = struct.unpack(">IIII", data[at : at + 16])
            self.assertEqual(kept, length)
            out.append((seconds + ns * 1e-9, data[at + 16 : at + 16 + kept]))
            at += 16 + kept
        return out

    def test_packets_have_time_figures_and_payload(self):
        received = make_pdu(
            b"payload", time=(12, 0.25), mode="16qam-1/2", snr_db=17.256, power_dbfs=-31.5, cfo_hz=-1234.56, sfo_ppm=2.5, crc_ok=True,
            blocks=3, blocks_ok=2, sample_index=2**40, length_samples=4321, redundancy_version=1, inverted=True,
        )
        sent = make_pdu(b"request", at=(13, 0.5), mode="qpsk-1/2")
        ignored = [pmt.PMT_NIL, pmt.from_long(1), make_pdu(b"", clock=(14, 0.0))]
        with tempfile.TemporaryDirectory() as directory:
            file = pathlib.Path(directory) / "x.pcap"
            block = self.capture(file, [("received", received)] + [("received", m) for m in ignored] + [("sent", sent), ("sent", make_pdu(b"?", mode=1))])
            self.assertEqual((block.packets(), block.failures()), (3, 0))
            by_payload = {packet[56:]: (time, packet) for time, packet in self.packets(file)}  # two ports: in any order
            self.assertEqual(set(by_payload), {b"payload", b"request", b"?"})
            (t, first), (u, second) = by_payload[b"payload"], by_payload[b"request"]
            self.assertAlmostEqual(t, 12.25, places=9)
            self.assertAlmostEqual(u, 13.5, places=9)
            figures = struct.unpack(">BBBBHHHhhHiiQQ16s", first[:56])
            self.assertEqual(figures, (1, 56, 0, 3, 1, 3, 2, 1726, -3150, 0, -12346, 2500, 2**40, 4321, b"16qam-1/2".ljust(16, b"\0")))
            self.assertEqual(second[2:4], b"\1\1")
            self.capture(file, [("received", received)], append=True)
            self.assertEqual(len(self.packets(file)), 4)
            self.capture(file, [("received", received)])
            self.assertEqual(len(self.packets(file)), 1)
            file.write_bytes(b"something else entirely, of the user's")
            with self.assertRaises(ValueError) as caught:
                meshnet.packet_capture(str(file), True)
            self.assertIn("no capture of this kind", str(caught.exception))
            self.assertEqual(file.read_bytes(), b"something else entirely, of the user's")

    def test_a_full_disk_is_counted(self):
        block = self.capture("/dev/null", [("received", make_pdu(b"x"))])
        self.assertEqual(block.packets(), 1)
        with self.assertRaises(ValueError) as caught:
            meshnet.packet_capture("/dev/full")
        self.assertIn("No space left", str(caught.exception))

    @unittest.skipUnless(shutil.which("tshark"), "install tshark")
    def test_wireshark_takes_a_stations_traffic_apart(self):
        with tempfile.TemporaryDirectory() as directory:
            file = pathlib.Path(directory) / "pair.pcap"
            tb = gr.top_block()
            air = meshnet.virtual_air("1M", 2)
            capture = meshnet.packet_capture(str(file))
            enough = Ears(lambda m: capture.packets() >= 12)
            keep = []
            for i in range(2):
                node, tx, rx = meshnet.station_node("1M", seed=21 + i, hello_interval_s=0.3), meshnet.ofdm_transmitter("1M", idle="clocked"), meshnet.ofdm_receiver("1M", longest_preamble="medium")
                keep += [node, tx, rx]
                tb.connect(tx, (air, i))
                tb.connect((air, i), rx)
                tb.msg_connect(rx, "events", node, "radio_in")
                tb.msg_connect(node, "radio_out", tx, "pdus")
                tb.msg_connect(tx, "reports", node, "reports")
                if i == 0:
                    tb.msg_connect(rx, "events", capture, "received")
                    tb.msg_connect(node, "radio_out", capture, "sent")
                    tb.msg_connect(rx, "events", enough, "in")
            self.assertTrue(run_until(tb, enough))
            text = subprocess.run(
                ["tshark", "-X", f"lua_script:{SOURCE}/tools/wireshark/meshnet.lua", "-r", str(file), "-V"],
                check=True, capture_output=True, text=True, timeout=LONGEST,
            )
            self.assertNotIn("Lua Error", text.stdout + text.stderr)
            for words in ("meshnet hello", "meshnet header", "Mode: qpsk", "SNR in dB: ", "Sent by this station: True", "Heard "):
                self.assertIn(words, text.stdout, words)
            frames = text.stdout.count("meshnet frame as received")
            self.assertEqual(frames, capture.packets())
            self.assertGreaterEqual(text.stdout.count("meshnet header"), frames)


if __name__ == "__main__":
    unittest.main(verbosity=2)

#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Transmit Guard: bursts within band, power and air time pass as they are, everything else does not pass at all."""

import os
import tempfile
import threading
import unittest

import numpy
import pmt
from gnuradio import blocks, gr, gr_unittest

from gnuradio import meshnet
from listening import LONGEST, Ears, Samples, make_pdu, post, run_until
from qa_modem import tags_named

RATE = 1e6
STATED = {
    "sample_rate_hz": RATE,
    "bands": ["own harbour"],
    "own_bands": ["harbour, 433, 435, 20, 1"],
    "authority": "licence 4711",
    "frequency_hz": 434e6,
    "full_scale_dbm": 24.0,
    "antenna_gain_dbi": 2.0,
}


def frame(payload=b"x" * 100):
    """Samples of one burst of profile 1M."""
    tb = gr.top_block()
    tx = meshnet.ofdm_transmitter("1M")
    sink = blocks.vector_sink_c()
    tb.connect(tx, sink)
    post(tx, "pdus", make_pdu(payload))
    post(tx, "system", pmt.cons(pmt.intern("done"), pmt.from_long(1)))
    tb.run()
    return numpy.array(sink.data(), dtype=numpy.complex64)


def when(seconds):
    return pmt.make_tuple(pmt.from_uint64(int(seconds)), pmt.from_double(seconds % 1))


def through(guard, samples, tags):
    """What leaves the guard: samples, tags, reports."""
    tb = gr.top_block()
    source = blocks.vector_source_c(list(samples), tags=[gr.tag_utils.python_to_tag((o, pmt.intern(k), v)) for o, k, v in tags])
    sink = blocks.vector_sink_c()
    store = blocks.message_debug()
    tb.connect(source, guard, sink)
    tb.msg_connect(guard, "reports", store, "store")
    tb.run()
    reports = [pmt.to_python(store.get_message(i)) for i in range(store.num_messages())]
    return numpy.array(sink.data(), dtype=numpy.complex64), sink.tags(), reports


def reached(condition):
    """True once it is; false if it never is. The polling is no measure of time."""
    for _ in range(LONGEST * 100):
        if condition():
            return True
        threading.Event().wait(0.01)
    return False


def burst_tags(first, length, at=None, number=None):
    tags = [(first, "tx_sob", pmt.PMT_T), (first + length - 1, "tx_eob", pmt.PMT_T)]
    if at is not None:
        tags.append((first, "tx_time", when(at)))
    if number is not None:
        tags.append((first, "burst_id", pmt.from_uint64(number)))
    return tags


class Guard(gr_unittest.TestCase):
    def test_a_lawful_burst_passes_as_it_is_with_its_tags(self):
        burst = frame()
        guard = meshnet.transmit_guard(**STATED)
        tags = burst_tags(100, len(burst), 5.25, 77) + [(100, "tx_gain", pmt.from_double(60.0)), (100, "tx_command", pmt.make_dict())]
        out, got, reports = through(guard, numpy.concatenate([numpy.ones(100), burst, numpy.ones(50)]), tags)
        self.assertTrue(numpy.array_equal(out, burst))
        self.assertEqual([o for o, _ in tags_named(got, "tx_sob") + tags_named(got, "tx_eob")], [0, len(burst) - 1])
        ((_, time),) = tags_named(got, "tx_time")
        self.assertEqual(pmt.to_python(time), (5, 0.25))
        ((_, number),) = tags_named(got, "burst_id")
        self.assertEqual(pmt.to_uint64(number), 77)
        self.assertEqual(tags_named(got, "tx_gain") + tags_named(got, "tx_command"), [])  # the power stated is of one gain
        self.assertEqual(reports, [])
        counters = guard.counters()
        self.assertEqual((counters["bursts_passed"], counters["samples_outside"]), (1, 150))
        self.assertEqual(guard.last_refusal(), "")

    def test_what_is_not_lawful_does_not_pass(self):
        burst = frame()
        outside = burst * numpy.exp(2j * numpy.pi * 0.49 * numpy.arange(len(burst)))
        for name, samples, change, words in (
            ("silent", burst, {"bands": [], "own_bands": [], "authority": ""}, "no band"),
            ("power", 3 * burst, {}, "dBm"),
            ("spectrum", outside, {"own_bands": ["harbour, 433.55, 434.45, 20, 1"]}, "occupies"),
            ("not_finite", numpy.where(numpy.arange(len(burst)) == 7, numpy.nan, burst), {}, "number"),
            ("clips", 100 * burst, {}, ""),
        ):
            with self.subTest(name):
                guard = meshnet.transmit_guard(**{**STATED, **change})
                out, got, reports = through(guard, samples, burst_tags(0, len(samples), 5.0, 3))
                self.assertEqual((len(out), len(got)), (0, 0))
                (report,) = reports
                self.assertEqual((report["outcome"], report["id"]), ("refused", 3))
                self.assertIn(words, report["reason"])
                self.assertEqual(guard.last_refusal(), report["reason"])
                self.assertEqual(guard.counters()["refused_" + name], 1)
                self.assertEqual(guard.counters()["bursts_passed"], 0)

    def test_a_tag_that_tunes_is_judged(self):
        burst = frame()
        tags = burst_tags(0, len(burst), 1.0) + [(0, "tx_freq", pmt.from_double(440e6))]
        tags += burst_tags(len(burst), len(burst), 2.0)  # the radio stays there
        tags += burst_tags(2 * len(burst), len(burst), 3.0) + [(2 * len(burst), "tx_freq", pmt.from_double(434.1e6))]
        guard = meshnet.transmit_guard(**STATED)
        out, got, reports = through(guard, numpy.tile(burst, 3), tags)
        self.assertEqual(len(out), len(burst))
        self.assertEqual([pmt.to_python(v) for _, v in tags_named(got, "tx_freq")], [434.1e6])
        self.assertEqual(guard.counters()["refused_outside_band"], 2)

    def test_zeros_keep_the_stream_as_long_as_it_is(self):
        burst = frame()
        n = len(burst)
        samples = numpy.concatenate([numpy.zeros(500), burst, numpy.ones(300), 3 * burst, numpy.zeros(200), burst])
        tags = burst_tags(500, n) + burst_tags(800 + n, n) + burst_tags(1000 + 2 * n, n)
        guard = meshnet.transmit_guard(**STATED, fill="zeros")
        out, got, _ = through(guard, samples, tags)
        wanted = numpy.concatenate([numpy.zeros(500), burst, numpy.zeros(500 + n), burst]).astype(numpy.complex64)
        self.assertTrue(numpy.array_equal(out, wanted))
        self.assertEqual([o for o, _ in tags_named(got, "tx_sob")], [500, 1000 + 2 * n])
        self.assertEqual([o for o, _ in tags_named(got, "tx_eob")], [500 + n - 1, 1000 + 3 * n - 1])

    def test_tagged_streams_pass_too(self):
        burst = frame()
        tags = [(o, "packet_len", pmt.from_long(len(burst))) for o in (0, len(burst))]
        tags += [(0, "tx_time", when(1.0)), (len(burst), "tx_time", when(2.0))]
        out, got, _ = through(meshnet.transmit_guard(**STATED, length_tag="packet_len"), numpy.tile(burst, 2), tags)
        self.assertTrue(numpy.array_equal(out, numpy.tile(burst, 2)))
        self.assertEqual([(o, pmt.to_long(v)) for o, v in tags_named(got, "packet_len")], [(0, len(burst)), (len(burst), len(burst))])

    def test_half_a_burst_does_not_pass(self):
        burst = frame()
        n = len(burst)
        tags = [(0, "tx_sob", pmt.PMT_T)] + burst_tags(n // 2, n) + [(n // 2 + n + 10, "tx_sob", pmt.PMT_T)]
        guard = meshnet.transmit_guard(**STATED)
        out, _, _ = through(guard, numpy.concatenate([burst[: n // 2], burst, numpy.zeros(10), burst]), tags)
        self.assertTrue(numpy.array_equal(out, burst))
        self.assertEqual(guard.counters()["bursts_cut"], 1)

    def test_air_time_of_the_hour_is_kept_on_disk(self):
        burst = frame()
        with tempfile.TemporaryDirectory() as directory:
            stated = {**STATED, "own_bands": ["harbour, 433, 435, 20, 0.1"], "air_time_file": directory + "/airtime"}
            guard = meshnet.transmit_guard(**stated)
            out, _, _ = through(guard, burst, burst_tags(0, len(burst), 1.0))
            self.assertEqual(len(out), 0)  # a new station waits an hour
            self.assertEqual(guard.counters()["refused_air_time"], 1)
            # A file of a station that has sent nothing: FNV-1a over the lines before the check.
            text = b"meshnet air time 1\n"
            check = 0xCBF29CE484222325
            for byte in text:
                check = (check ^ byte) * 0x100000001B3 % 2**64
            with open(stated["air_time_file"], "wb") as file:
                file.write(text + b"check %016x\n" % check)
            out, _, _ = through(meshnet.transmit_guard(**stated), burst, burst_tags(0, len(burst), 1.0))
            self.assertEqual(len(out), len(burst))
            with open(stated["air_time_file"]) as file:
                self.assertIn("harbour", file.read())

    def test_inhibit(self):
        burst = frame()
        guard = meshnet.transmit_guard(**STATED)
        guard.set_inhibited(True)
        self.assertTrue(guard.inhibited())
        out, _, reports = through(guard, burst, burst_tags(0, len(burst), 1.0))
        self.assertEqual((len(out), len(reports)), (0, 1))
        guard = meshnet.transmit_guard(**STATED)
        for message in (pmt.PMT_NIL, pmt.from_long(2), pmt.intern("yes")):
            post(guard, "inhibit", message)  # not a boolean: nothing
        post(guard, "inhibit", pmt.PMT_T)
        out, _, _ = through(guard, burst, burst_tags(0, len(burst), 1.0))
        self.assertEqual((len(out), guard.counters()["refused_inhibited"]), (0, 1))

    def event(self, seconds, power_dbfs):
        fields = pmt.dict_add(pmt.make_dict(), pmt.intern("clock"), when(seconds))
        fields = pmt.dict_add(fields, pmt.intern("power_dbfs"), pmt.from_double(power_dbfs))
        return pmt.cons(fields, pmt.init_u8vector(0, []))

    def run_with_events(self, guard, messages, samples, tags, count):
        """The messages first, then the samples: what `reports` says of `count` bursts refused, and the samples."""
        tb = gr.top_block()
        source = Samples(samples, tags)
        sink = blocks.vector_sink_c()
        ears = Ears.count(count)
        for message in messages:
            post(guard, "events", message)
        tb.connect(source, guard, sink)
        tb.msg_connect(guard, "reports", ears, "in")
        self.assertTrue(run_until(tb, ears))
        return numpy.array(sink.data(), dtype=numpy.complex64)

    def test_listens_before_it_talks(self):
        quarter = frame()
        stated = {
            "sample_rate_hz": RATE, "bands": ["JP 920.5-928.1"], "authority": "ARIB STD-T108", "frequency_hz": 924e6,
            "full_scale_dbm": 15.0, "antenna_gain_dbi": 2.0, "receive_full_scale_dbm": -30.0,
        }
        with tempfile.TemporaryDirectory() as directory:
            stated["air_time_file"] = directory + "/airtime"
            for heard_dbfs, refused in ((-90.0, "air_time"), (-20.0, "busy"), (None, "not_listened")):
                guard = meshnet.transmit_guard(**stated)
                ticks = [] if heard_dbfs is None else [self.event(3.0 + i / 1000, heard_dbfs) for i in range(20)]
                self.run_with_events(guard, ticks, quarter, burst_tags(0, len(quarter), 3.021, 1), 1)
                self.assertEqual(guard.counters()["refused_" + refused], 1, (heard_dbfs, guard.last_refusal()))

    def test_sends_the_call_sign_when_it_is_due(self):
        burst = frame()
        stated = {**STATED, "bands": ["EU amateur 430-440"], "own_bands": [], "callsign": "DA0XYZ", "sealed_traffic_permit": "BNetzA 1"}
        guard = meshnet.transmit_guard(**stated)
        tb = gr.top_block()
        source = Samples(burst, burst_tags(0, len(burst), 3.0))
        sink = blocks.vector_sink_c()
        tb.connect(source, guard, sink)
        tb.start()
        post(guard, "events", self.event(2.99, -70.0))
        self.assertTrue(reached(lambda: guard.counters()["bursts_passed"] == 1))
        for tick in range(900):
            post(guard, "events", self.event(590.0 + tick / 10, -70.0))
        self.assertTrue(reached(lambda: guard.counters()["identifications"] == 1))
        self.assertTrue(reached(lambda: len(tags_named(sink.tags(), "tx_eob")) > 20))  # a burst and the marks of six letters
        tb.stop()
        tb.wait()
        self.assertGreaterEqual(guard.counters()["identifications"], 1)
        times = [sum(pmt.to_python(v)) for _, v in tags_named(sink.tags(), "tx_time")]
        self.assertEqual(times, sorted(times))

    def test_the_call_sign_stands_among_zeros_too(self):
        rate = 8000
        burst = numpy.zeros(400, numpy.complex64)
        burst[:] = 0.3 * numpy.exp(2j * numpy.pi * 0.05 * numpy.arange(400)) * numpy.hanning(400)
        stated = {**STATED, "sample_rate_hz": rate, "bands": ["EU amateur 430-440"], "own_bands": [], "callsign": "DA0XYZ", "sealed_traffic_permit": "BNetzA 1"}
        guard = meshnet.transmit_guard(**stated, fill="zeros")
        samples = numpy.zeros(rate * 640, numpy.complex64)
        samples[1000:1400] = burst
        out, got, _ = through(guard, samples, burst_tags(1000, 400))
        self.assertEqual(len(out), len(samples))
        self.assertTrue(numpy.array_equal(out[1000:1400], burst))
        marks = [o for o, _ in tags_named(got, "tx_sob")][1:]
        ends = [o for o, _ in tags_named(got, "tx_eob")][1:]
        self.assertGreater(len(marks), 15)  # of six letters
        self.assertEqual((guard.counters()["bursts_passed"], guard.counters()["identifications"]), (1 + len(marks), 1))
        self.assertLess(marks[0], 600 * rate + 1400)  # within ten minutes
        for begin, end in zip(marks, ends):
            self.assertGreater(numpy.abs(out[begin : end + 1]).max(), 0.0)
            out[begin : end + 1] = 0
        self.assertFalse(numpy.any(out[1400:]))

    def test_any_message_is_survived(self):
        burst = frame()
        guard = meshnet.transmit_guard(**STATED)
        for message in (pmt.PMT_NIL, pmt.from_long(1), make_pdu(b"x"), self.event(1.0, float("nan")), make_pdu(b"", clock="x")):
            post(guard, "events", message)
        post(guard, "events", self.event(4.0, -60.0))
        out, _, _ = through(guard, burst, burst_tags(0, len(burst), 4.01))
        self.assertEqual(len(out), len(burst))

    def test_what_is_wrong_and_what_would_be_right(self):
        for word, change in (
            ("authority", {"authority": ""}),
            ("frequency_hz", {"frequency_hz": 1e9}),
            ("full_scale_dbm", {"full_scale_dbm": float("nan")}),
            ("band", {"bands": ["no such band"]}),
            ("fill", {"fill": "ones"}),
            ("sample rate", {"sample_rate_hz": 0.0}),
        ):
            with self.assertRaises(ValueError) as caught:
                meshnet.transmit_guard(**{**STATED, **change})
            self.assertIn(word, str(caught.exception))


if __name__ == "__main__":
    unittest.main(verbosity=2)

#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""OFDM Transmitter, Channel and OFDM Receiver: what goes in by PDU comes out by PDU."""

import random
import unittest

import numpy
import pmt
from gnuradio import blocks, gr, gr_unittest

from gnuradio import meshnet
from listening import LONGEST, Ears, Samples, make_pdu, post, run_until

PROFILE = "250k"


def payloads(count, length, seed=1):
    rng = random.Random(seed)
    return [bytes(rng.randrange(256) for _ in range(length)) for _ in range(count)]


def render(messages, **options):
    """Samples, tags and counters of a transmitter after `messages` and the end of the stream."""
    tb = gr.top_block()
    tx = meshnet.ofdm_transmitter(PROFILE, **options)
    sink = blocks.vector_sink_c()
    tb.connect(tx, blocks.head(gr.sizeof_gr_complex, 40000), sink)
    for message in messages:
        post(tx, "pdus", message)
    post(tx, "system", pmt.cons(pmt.intern("done"), pmt.from_long(1)))
    tb.run()
    return numpy.array(sink.data()), sink.tags(), tx.counters()


def reports_of(messages, count, **options):
    """The first `count` reports of such a transmitter."""
    tb = gr.top_block()
    tx = meshnet.ofdm_transmitter(PROFILE, **options)
    ears = Ears.count(count)
    tb.connect(tx, blocks.null_sink(gr.sizeof_gr_complex))
    tb.msg_connect(tx, "reports", ears, "in")
    for message in messages:
        post(tx, "pdus", message)
    assert run_until(tb, ears)
    return [pmt.to_python(m) for m in ears.messages]


def tags_named(tags, key):
    return sorted((t.offset, t.value) for t in tags if pmt.symbol_to_string(t.key) == key)


class Loopback(gr_unittest.TestCase):
    def loop(self, frames, mode, model="awgn", snr_db=20.0, chunk=0, pass_block_errors=False, expected=None, **channel):
        """What comes out of `pdus`, and the receiver and its constellations, once all frames were received, error-free or not."""
        tb = gr.top_block()
        tx = meshnet.ofdm_transmitter(PROFILE, mode, "none", gap=2000)
        path = meshnet.channel(PROFILE, model, snr_db, **channel)
        rx = meshnet.ofdm_receiver(PROFILE, pass_block_errors, constellation=True)
        pdus = Ears.count(len(frames) if expected is None else expected)
        points = Ears.count(len(frames))
        if chunk:
            for block in (tx, path):
                block.set_max_noutput_items(chunk)
        tb.connect(tx, path, rx)
        tb.msg_connect(rx, "pdus", pdus, "in")
        tb.msg_connect(rx, "constellation", points, "in")
        for frame in frames:
            post(tx, "pdus", make_pdu(frame))
        self.assertTrue(run_until(tb, pdus, points))
        return pdus.pdus(), rx, points.messages

    def test_every_frame_arrives_in_each_kind_of_mode(self):
        for mode, snr_db in (("qpsk-1/5x4", -5.0), ("qpsk-1/2", 6.0), ("16qam-1/2", 11.0), ("64qam-3/4", 21.0)):
            frames = payloads(6, 120, seed=7)
            got, rx, _ = self.loop(frames, mode, snr_db=snr_db, cfo_hz=3000.0, sfo_ppm=8.0, seed=5)
            self.assertEqual([p for _, p in got], frames, mode)
            self.assertTrue(all(m["mode"] == mode and m["crc_ok"] for m, _ in got))
            self.assertEqual(rx.counters()["frames_ok"], 6)

    def test_metadata_tells_the_truth(self):
        frames = payloads(4, 400)
        got, rx, points = self.loop(frames, "16qam-1/2", snr_db=18.0, cfo_hz=-7000.0, seed=2)
        self.assertEqual(len(got), 4)
        for meta, payload in got:
            self.assertAlmostEqual(meta["snr_db"], 18.0, delta=2.0)
            self.assertAlmostEqual(meta["cfo_hz"], -7000.0, delta=40.0)
            whole, fraction = meta["time"]
            index = (whole + fraction) * rx.sample_rate()
            self.assertAlmostEqual(index, meta["sample_index"] + meta["sample_fraction"], delta=0.01)
            segments = list(meta["segments"])
            self.assertEqual(sum(segments[1::3]), len(payload))
            self.assertEqual(meta["blocks_ok"], meta["blocks"])
        self.assertAlmostEqual(rx.last_cfo_hz(), -7000.0, delta=40.0)
        spacing = [b[0]["sample_index"] - a[0]["sample_index"] for a, b in zip(got, got[1:])]
        for s in spacing:  # each frame begins a frame and a gap after the one before
            self.assertAlmostEqual(s, got[0][0]["length_samples"] + 2000, delta=2)
        self.assertEqual(len(points), 4)
        cloud = numpy.array(pmt.c32vector_elements(pmt.cdr(points[0])))
        self.assertGreater(len(cloud), 100)
        nearest = numpy.array([-3, -1, 1, 3]) / numpy.sqrt(10)
        error = numpy.abs(cloud.real[:, None] - nearest).min(axis=1)
        self.assertLess(numpy.sqrt(numpy.mean(error**2)), 0.15)

    def test_chunking_changes_nothing(self):
        frames = payloads(4, 90)
        reference = None
        for chunk in (0, 61, 1000):
            got, rx, _ = self.loop(frames, "qpsk-1/2", model="hackrf", snr_db=10.0, chunk=chunk, seed=9)
            self.assertEqual([p for _, p in got], frames)
            facts = [(m["sample_index"], m["snr_db"], m["cfo_hz"]) for m, _ in got]
            reference = reference or facts
            self.assertEqual(facts, reference)

    def test_frames_with_block_errors_pass_only_on_request(self):
        frames = payloads(5, 200)
        got, rx, _ = self.loop(frames, "64qam-3/4", snr_db=8.0, seed=3, expected=0)
        self.assertEqual(got, [])
        self.assertEqual(rx.counters()["frames_ok"], 0)
        got, rx, _ = self.loop(frames, "64qam-3/4", snr_db=8.0, seed=3, pass_block_errors=True)
        self.assertEqual(len(got), 5)
        self.assertTrue(all(not m["crc_ok"] and m["blocks_ok"] < m["blocks"] for m, _ in got))

    def test_a_longer_preamble_than_asked_for_is_not_heard(self):
        samples, _, _ = render([make_pdu(b"far" * 10, mode="qpsk-1/5x4"), make_pdu(b"near" * 10)], gap=2000)
        heard = {}
        for longest, count in (("short", 1), ("medium", 2)):
            tb = gr.top_block()
            ears = Ears.count(count)
            rx = meshnet.ofdm_receiver(PROFILE, longest_preamble=longest)
            source = Samples(samples)  # GNU Radio does not keep a Python block alive
            tb.connect(source, meshnet.channel(PROFILE, snr_db=20.0), rx)
            tb.msg_connect(rx, "pdus", ears, "in")
            self.assertTrue(run_until(tb, ears))
            heard[longest] = [m["mode"] for m, _ in ears.pdus()]
        self.assertEqual(heard, {"short": ["qpsk-1/2"], "medium": ["qpsk-1/5x4", "qpsk-1/2"]})

    def test_noise_alone_gives_no_frame(self):
        tb = gr.top_block()
        source = blocks.vector_source_c([0j] * 100000)
        path = meshnet.channel(PROFILE, snr_db=0.0)
        rx = meshnet.ofdm_receiver(PROFILE)
        tb.connect(source, path, rx)
        tb.run()
        self.assertEqual(rx.counters()["headers_ok"], 0)
        self.assertEqual(rx.counters()["frames_ok"], 0)
        self.assertGreater(rx.counters()["samples"], 99000)


class Transmitter(gr_unittest.TestCase):
    def test_tags_bracket_each_burst(self):
        messages = [make_pdu(b"a" * 50, id=7, at=(3, 0.25)), make_pdu(b"b" * 80, mode="16qam-1/2")]
        samples, tags, counters = render(messages, gap=500)
        reports = reports_of(messages, 2, gap=500)
        starts = [o for o, _ in tags_named(tags, "tx_sob")]
        ends = [o for o, _ in tags_named(tags, "tx_eob")]
        self.assertEqual(len(starts), 2)
        self.assertEqual(len(ends), 2)
        self.assertEqual(starts[0], 500)
        self.assertEqual(starts[1], ends[0] + 1 + 500)
        self.assertEqual(len(samples), ends[1] + 1 + 500)
        self.assertTrue(numpy.all(samples[ends[0] + 1 : starts[1]] == 0))
        for start, end in zip(starts, ends):
            self.assertAlmostEqual(numpy.sqrt(numpy.mean(numpy.abs(samples[start : end + 1]) ** 2)), 0.25, delta=0.05)
        (when,) = tags_named(tags, "tx_time")
        self.assertEqual(when[0], starts[0])
        self.assertEqual(pmt.to_uint64(pmt.tuple_ref(when[1], 0)), 3)
        self.assertAlmostEqual(pmt.to_double(pmt.tuple_ref(when[1], 1)), 0.25, places=9)
        self.assertEqual([r["outcome"] for r in reports], ["sent", "sent"])
        self.assertEqual(reports[0]["id"], 7)
        length = ends[0] + 1 - starts[0]
        self.assertAlmostEqual(sum(reports[0]["end"]), 3.25 + length / 250e3, places=8)
        self.assertEqual(counters["bursts_sent"], 2)
        self.assertEqual(counters["samples_sent"], length + ends[1] + 1 - starts[1])

    def test_length_tag_in_place_of_sob_and_eob(self):
        samples, tags, _ = render([make_pdu(b"a" * 50)], length_tag="packet_len")
        ((offset, value),) = tags_named(tags, "packet_len")
        self.assertEqual(offset, 0)
        self.assertEqual(pmt.to_long(value), len(samples))
        self.assertEqual(tags_named(tags, "tx_sob") + tags_named(tags, "tx_eob"), [])

    def test_zeros_place_a_burst_at_its_sample(self):
        messages = [make_pdu(bytes(30), at=at, id=i) for i, at in ((1, (0, 0.02)), (2, 0.021), (3, 0.06))]
        samples, tags, _ = render(messages, idle="zeros")
        reports = reports_of(messages, 3, idle="zeros")
        self.assertEqual([o for o, _ in tags_named(tags, "tx_sob")], [5000, 15000])
        self.assertTrue(numpy.all(samples[:5000] == 0))
        self.assertNotEqual(samples[5000], 0)
        outcomes = [(r["id"], r["outcome"]) for r in reports]
        self.assertEqual(outcomes, [(1, "sent"), (2, "late"), (3, "sent")])

    def test_clocked_stream_goes_as_far_as_it_may(self):
        messages = [
            make_pdu(b"", clock=(0, 0.010)),
            make_pdu(b"x" * 30, at=(0, 0.008), id=1),
            make_pdu(b"", clock=(0, 0.005)),  # a clock that goes back changes nothing
            make_pdu(b"", clock=(0, 0.100)),
        ]
        samples, tags, _ = render(messages, idle="clocked")
        self.assertEqual([o for o, _ in tags_named(tags, "tx_sob")], [2000])
        (report,) = reports_of(messages, 1, idle="clocked")
        self.assertEqual((report["outcome"], report["start"]), ("sent", 2000))
        stopped, tags, counters = render(messages[:3], idle="clocked")
        self.assertEqual(len(stopped), 2500)  # 10 ms: in the middle of the burst
        self.assertEqual(counters["bursts_sent"], 0)
        self.assertTrue(numpy.array_equal(stopped, samples[:2500]))

    def test_clocked_stream_waits_without_a_clock(self):
        samples, _, counters = render([make_pdu(b"x" * 30)], idle="clocked")
        self.assertEqual(len(samples), 0)
        self.assertEqual(counters["bursts_sent"], 0)

    def test_what_cannot_be_sent_is_refused_and_the_rest_goes_on(self):
        bad = [
            pmt.PMT_T,
            pmt.intern("text"),
            pmt.from_double(1.0),
            pmt.cons(pmt.make_dict(), pmt.init_f32vector(2, [1.0, 2.0])),
            pmt.cons(pmt.from_long(3), pmt.init_u8vector(2, [1, 2])),
            pmt.cons(pmt.list2(pmt.from_long(1), pmt.from_long(2)), pmt.init_u8vector(0, [])),
            make_pdu(b""),
            make_pdu(b"x" * 24577),
            make_pdu(b"x", mode="qpsk-9/9"),
            make_pdu(b"x", mode=3),
            make_pdu(b"x", at="soon"),
            make_pdu(b"x", at=-1.0),
            make_pdu(b"x", at=float("nan")),
            make_pdu(b"x", at=(1e30, 0.0)),
            make_pdu(b"x", at=(1, 2, 3)),
            make_pdu(b"x", tx_time="soon"),
            make_pdu(b"x", tx_freq="high"),
            make_pdu(b"x", tx_freq=float("inf")),
            make_pdu(b"x", tx_gain=(1, 2)),
        ]
        samples, tags, counters = render(bad + [make_pdu(b"good")])
        reports = reports_of(bad + [make_pdu(b"good")], len(bad) + 1)
        self.assertEqual([r["outcome"] for r in reports], ["refused"] * len(bad) + ["sent"])
        self.assertEqual(counters["pdus_refused"], len(bad))
        self.assertTrue(all(r["reason"] for r in reports[:-1]))
        self.assertEqual(len(tags_named(tags, "tx_sob")), 1)

    def test_radio_settings_become_tags(self):
        pair = pmt.cons(pmt.from_long(0), pmt.from_double(434e6))
        messages = [make_pdu(b"a" * 20, tx_time=(2, 0.5), tx_freq=433.9e6, tx_gain=12.5, id=9), make_pdu(b"b" * 20)]
        third = pmt.dict_add(pmt.make_dict(), pmt.intern("tx_freq"), pair)
        messages.append(pmt.cons(third, pmt.init_u8vector(3, [1, 2, 3])))
        samples, tags, _ = render(messages)
        starts = [o for o, _ in tags_named(tags, "tx_sob")]
        freqs = sorted((t.offset, pmt.to_python(t.value)) for t in tags if pmt.symbol_to_string(t.key) == "tx_freq")
        self.assertEqual(freqs[0], (starts[0], 433.9e6))
        self.assertEqual(freqs[1][0], starts[2])
        ((offset, when),) = tags_named(tags, "tx_time")
        self.assertEqual((offset, pmt.to_python(when)), (starts[0], (2, 0.5)))
        ((offset, gain),) = tags_named(tags, "tx_gain")
        self.assertEqual((offset, pmt.to_python(gain)), (starts[0], 12.5))
        ((offset, command),) = tags_named(tags, "tx_command")
        self.assertEqual((offset, pmt.to_python(command)), (starts[0], {"gain": 12.5}))
        ((offset, number),) = tags_named(tags, "burst_id")
        self.assertEqual((offset, pmt.to_uint64(number)), (starts[0], 9))

    def test_padding_lies_within_the_burst_and_the_frame_at_its_time(self):
        bare, _, _ = render([make_pdu(b"a" * 50)])
        samples, tags, _ = render([make_pdu(b"a" * 50, at=(3, 0.25))], pad_front=125, pad_tail=60, pad_multiple=1024)
        self.assertEqual(len(samples) % 1024, 0)
        self.assertGreaterEqual(len(samples), len(bare) + 185)
        self.assertLess(len(samples), len(bare) + 185 + 1024)
        self.assertTrue(numpy.array_equal(samples[125 : 125 + len(bare)], bare))
        self.assertTrue(numpy.all(samples[:125] == 0) and numpy.all(samples[125 + len(bare) :] == 0))
        self.assertEqual([o for o, _ in tags_named(tags, "tx_sob") + tags_named(tags, "tx_eob")], [0, len(samples) - 1])
        ((_, when),) = tags_named(tags, "tx_time")
        self.assertAlmostEqual(sum(pmt.to_python(when)), 3.25 - 125 / 250e3, places=8)
        samples, tags, _ = render([make_pdu(b"a" * 50, at=0.02)], idle="zeros", pad_front=125)
        self.assertEqual([o for o, _ in tags_named(tags, "tx_sob")], [5000 - 125])
        self.assertTrue(numpy.array_equal(samples[5000 : 5000 + len(bare)], bare))
        (report,) = reports_of([make_pdu(b"a" * 50, at=0.02)], 1, idle="zeros", pad_front=125, pad_tail=7)
        self.assertEqual(report["start"], 5000)
        self.assertAlmostEqual(sum(report["end"]), (5000 + len(bare)) / 250e3, places=8)

    def test_bursts_as_messages_are_those_of_the_stream(self):
        stream, _, _ = render([make_pdu(b"a" * 3000)], pad_front=25)
        tb = gr.top_block()
        tx = meshnet.ofdm_transmitter(PROFILE, idle="message", pad_front=25)
        bursts, reports = Ears.count(1), Ears.count(2)
        tb.msg_connect(tx, "bursts", bursts, "in")
        tb.msg_connect(tx, "reports", reports, "in")
        post(tx, "pdus", make_pdu(b"a" * 3000, id=4, at=(7, 0.5), tx_freq=1e9, tx_gain=3.0))
        post(tx, "pdus", make_pdu(b""))
        self.assertTrue(run_until(tb, bursts, reports))
        meta = pmt.to_python(pmt.car(bursts.messages[0]))
        self.assertEqual((meta["burst_id"], meta["tx_freq"], meta["tx_gain"]), (4, 1e9, 3.0))
        self.assertAlmostEqual(sum(meta["tx_time"]), 7.5 - 25 / 250e3, places=8)
        self.assertTrue(numpy.array_equal(numpy.array(pmt.c32vector_elements(pmt.cdr(bursts.messages[0]))), stream))
        self.assertEqual([pmt.to_python(m)["outcome"] for m in reports.messages], ["sent", "refused"])

    def test_the_queue_has_a_limit_in_pdus_and_in_seconds(self):
        many = [make_pdu(bytes(40), at=100.0 + i, id=i) for i in range(6)]
        for options, accepted in (({"queue_pdus": 2}, (3,)), ({"queue_seconds": 0.05}, (1, 2, 3, 4, 5))):
            tb = gr.top_block()
            tx = meshnet.ofdm_transmitter(PROFILE, idle="clocked", **options)  # without a clock nothing leaves
            tb.connect(tx, blocks.null_sink(gr.sizeof_gr_complex))
            ears = Ears.count(1)
            tb.msg_connect(tx, "reports", ears, "in")
            for message in many * (1 if "queue_pdus" in options else 20):
                post(tx, "pdus", message)
            self.assertTrue(run_until(tb, ears))
            first = pmt.to_python(ears.messages[0])
            self.assertEqual(first["outcome"], "refused")
            self.assertIn(list(options)[0], first["reason"])

    def test_what_waits_at_the_stop_is_flushed(self):
        tb = gr.top_block()
        tx = meshnet.ofdm_transmitter(PROFILE, idle="clocked")
        sink = blocks.vector_sink_c()
        tb.connect(tx, sink)
        marks = Ears.count(1)
        tb.msg_connect(tx, "reports", marks, "in")
        for i in range(5):
            post(tx, "pdus", make_pdu(bytes(40), id=i))
        post(tx, "pdus", pmt.PMT_T)  # refused: by then the five wait
        self.assertTrue(run_until(tb, marks))
        self.assertEqual(tx.counters()["pdus_flushed"], 5)
        post(tx, "pdus", make_pdu(b"", clock=(0, 0.010)))  # a second run sends none of them
        ears = Ears.count(1)
        tb.msg_connect(tx, "reports", ears, "in")
        post(tx, "pdus", pmt.PMT_T)
        self.assertTrue(run_until(tb, ears))
        self.assertEqual(tx.counters()["bursts_sent"], 0)

    def uhd_event(self, code, *time):
        fields = pmt.dict_add(pmt.make_dict(), pmt.intern("channel"), pmt.from_uint64(0))
        fields = pmt.dict_add(fields, pmt.intern("event_code"), pmt.make_tuple(pmt.intern(code)))
        if time:
            fields = pmt.dict_add(fields, pmt.intern("time_spec"), pmt.cons(pmt.from_long(time[0]), pmt.from_double(time[1])))
        return pmt.cons(pmt.intern("uhd_async_msg"), fields)

    def test_late_bursts_of_a_usrp_are_reported(self):
        tb = gr.top_block()
        tx = meshnet.ofdm_transmitter(PROFILE)
        tb.connect(tx, blocks.null_sink(gr.sizeof_gr_complex))
        sent, late = Ears.count(3), Ears.count(5)
        tb.msg_connect(tx, "reports", sent, "in")
        tb.msg_connect(tx, "reports", late, "in")
        tb.start()
        for i in range(3):
            post(tx, "pdus", make_pdu(bytes(40), id=i, at=(i + 1, 0.0)))
        self.assertTrue(sent.enough.wait(LONGEST))
        post(tx, "async_msgs", self.uhd_event("burst_ack", 1, 0.02))
        post(tx, "async_msgs", self.uhd_event("time_error", 2, 0.001))  # the second; the third has not begun
        post(tx, "async_msgs", self.uhd_event("time_error", 2, 0.002))  # another packet of it
        post(tx, "async_msgs", self.uhd_event("underflow", 3, 0.001))
        self.assertTrue(late.enough.wait(LONGEST))
        for bad in (pmt.PMT_NIL, pmt.cons(pmt.intern("uhd_async_msg"), pmt.from_long(1)), self.uhd_event("x"), pmt.from_long(3)):
            post(tx, "async_msgs", bad)
        tb.stop()
        tb.wait()
        reports = [pmt.to_python(m) for m in late.messages]
        self.assertEqual([(r["id"], r["outcome"]) for r in reports[3:5]], [(1, "late"), (2, "late")])
        self.assertEqual([r["reason"] for r in reports[3:5]], ["time_error", "underflow"])
        self.assertEqual(tx.counters()["bursts_late"], 2)
        self.assertEqual(tx.counters()["underflows"], 1)

    def test_mode_can_be_changed(self):
        tx = meshnet.ofdm_transmitter(PROFILE)
        tx.set_mode("64qam-3/4")
        self.assertEqual(tx.mode(), "64qam-3/4")
        with self.assertRaises(ValueError):
            tx.set_mode("64qam")
        self.assertEqual(tx.mode(), "64qam-3/4")


class Time(gr_unittest.TestCase):
    def test_a_frame_does_not_wait_for_the_next_one(self):
        """Blocks with their defaults: no samples between bursts, so none after the last one."""
        tb = gr.top_block()
        tx = meshnet.ofdm_transmitter(PROFILE)
        rx = meshnet.ofdm_receiver(PROFILE)
        tb.connect(tx, rx)
        ears = [Ears.count(n) for n in range(1, 7)]
        for e in ears:
            tb.msg_connect(rx, "pdus", e, "in")
        tb.start()
        for n, e in enumerate(ears):
            post(tx, "pdus", make_pdu(bytes([n]) * (100 + 37 * n)))
            self.assertTrue(e.enough.wait(LONGEST), "frame %d" % n)
        tb.stop()
        tb.wait()

    def test_rx_time_moves_the_clock_of_frames(self):
        samples, _, _ = render([make_pdu(b"q" * 40), make_pdu(b"r" * 40)], gap=3000)
        length = (len(samples) - 9000) // 2
        jump = 3000 + length + 1500  # in the gap between the two frames
        noise = numpy.random.default_rng(1).normal(scale=1e-3, size=(2, len(samples)))
        last = len(samples) // 250 * 250
        tags = [
            (offset, "rx_time", pmt.make_tuple(pmt.from_uint64(whole), pmt.from_double(fraction)))
            for offset, whole, fraction in ((0, 100, 0.5), (jump, 200, 0.0))
        ]
        tb = gr.top_block()
        rx = meshnet.ofdm_receiver(PROFILE)
        pdus = Ears.count(2)
        index = pmt.intern("sample_index")
        events = Ears(lambda m: pmt.equal(pmt.dict_ref(pmt.car(m), index, pmt.PMT_NIL), pmt.from_uint64(last)))
        source = Samples(samples + noise[0] + 1j * noise[1], tags)
        tb.connect(source, rx)
        tb.msg_connect(rx, "pdus", pdus, "in")
        tb.msg_connect(rx, "events", events, "in")
        self.assertTrue(run_until(tb, pdus, events))
        got = pdus.pdus()
        self.assertAlmostEqual(sum(got[0][0]["time"]), 100.5 + 3000 / 250e3, delta=4e-6)
        self.assertAlmostEqual(sum(got[1][0]["time"]), 200.0 + 1500 / 250e3, delta=4e-6)
        ticks = [m for m, p in events.pdus() if not p]
        self.assertEqual([t["sample_index"] for t in ticks], list(range(250, last + 1, 250)))
        self.assertTrue(any(t["busy"] for t in ticks))
        self.assertEqual([p for _, p in events.pdus() if p], [b"q" * 40, b"r" * 40])


class End(gr_unittest.TestCase):
    def test_the_last_frame_leaves_before_the_word_that_it_is_done(self):
        """A frame whose preamble is verified only later than its end: it comes out when the input ends, and is heard."""
        samples, _, _ = render([make_pdu(b"end", mode="qpsk-1/5x4")])
        for chunk in (0, 1, 77):
            tb = gr.top_block()
            source = blocks.vector_source_c(samples)
            if chunk:
                source.set_max_noutput_items(chunk)
            rx = meshnet.ofdm_receiver(PROFILE)
            store = blocks.message_debug()
            tb.connect(source, rx)
            tb.msg_connect(rx, "pdus", store, "store")
            tb.run()
            self.assertEqual(rx.counters()["frames_ok"], 1)
            self.assertEqual(rx.counters()["samples"], len(samples))
            self.assertEqual(store.num_messages(), 1, "chunk %d" % chunk)

    def test_a_wrong_rate_is_counted(self):
        samples, _, _ = render([make_pdu(b"x" * 30)])
        for rate, wrong in ((250e3, 0), (250001.0, 0), (1e6, 1), (float("nan"), 0)):
            tb = gr.top_block()
            rx = meshnet.ofdm_receiver(PROFILE)
            ears = Ears.count(1)
            source = Samples(samples, [(0, "rx_rate", pmt.from_double(rate))])
            tb.connect(source, rx)
            tb.msg_connect(rx, "pdus", ears, "in")
            self.assertTrue(run_until(tb, ears))
            self.assertEqual(rx.counters()["rates_wrong"], wrong)


class Extras(gr_unittest.TestCase):
    def test_channel_soft_bits_and_samples_of_each_frame(self):
        frames = payloads(3, 150)
        tb = gr.top_block()
        tx = meshnet.ofdm_transmitter(PROFILE, "16qam-1/2", gap=1500)
        path = meshnet.channel(PROFILE, "awgn", 25.0, cfo_hz=500.0)
        rx = meshnet.ofdm_receiver(PROFILE, channel=True, soft_bits=True, bursts=True)
        kept = blocks.vector_sink_c()
        ears = {port: Ears.count(3) for port in ("channel", "soft_bits", "bursts", "pdus")}
        tb.connect(tx, path, rx)
        tb.connect(path, kept)
        for port, e in ears.items():
            tb.msg_connect(rx, port, e, "in")
        for frame in frames:
            post(tx, "pdus", make_pdu(frame))
        self.assertTrue(run_until(tb, *ears.values()))
        stream = numpy.array(kept.data())
        for i, (meta, payload) in enumerate(ears["pdus"].pdus()[:3]):
            self.assertEqual(payload, frames[i])
            response = numpy.array(pmt.c32vector_elements(pmt.cdr(ears["channel"].messages[i])))
            self.assertEqual(len(response), 52)
            self.assertLess(numpy.std(numpy.abs(response)) / numpy.mean(numpy.abs(response)), 0.1)  # flat
            soft = numpy.array(pmt.f32vector_elements(pmt.cdr(ears["soft_bits"].messages[i])))
            self.assertEqual(len(soft) % 4, 0)
            self.assertGreaterEqual(len(soft), 2 * 8 * 150)  # rate 1/2
            self.assertGreater(numpy.mean(numpy.abs(soft)), 5.0)
            burst = numpy.array(pmt.c32vector_elements(pmt.cdr(ears["bursts"].messages[i])))
            first = meta["sample_index"]
            self.assertTrue(numpy.array_equal(burst, stream[first : first + meta["length_samples"]]))


class Parameters(gr_unittest.TestCase):
    def refused(self, word, make, *args, **kwargs):
        with self.assertRaises(ValueError) as caught:
            make(*args, **kwargs)
        self.assertIn(word, str(caught.exception))

    def test_what_is_wrong_and_what_would_be_right(self):
        self.refused("unknown profile '3M'; did you mean '1M'? known are 125k", meshnet.ofdm_transmitter, "3M")
        self.refused("64qam-3/4", meshnet.ofdm_transmitter, PROFILE, "bpsk")
        self.refused("none, zeros, clocked or message", meshnet.ofdm_transmitter, PROFILE, idle="silence")
        self.refused("gap", meshnet.ofdm_transmitter, PROFILE, gap=2000000000)
        self.refused("known are short medium long", meshnet.ofdm_receiver, PROFILE, longest_preamble="none")
        self.refused("unknown profile ''", meshnet.ofdm_receiver, "")
        self.refused("max_iterations", meshnet.ofdm_receiver, PROFILE, max_iterations=0)
        self.refused("max_iterations", meshnet.ofdm_receiver, PROFILE, max_iterations=101)
        self.refused("fog", meshnet.channel, PROFILE, "fog")
        self.refused("snr_db", meshnet.channel, PROFILE, snr_db=float("nan"))
        self.refused("cfo_hz", meshnet.channel, PROFILE, cfo_hz=200e3)
        self.refused("sfo_ppm", meshnet.channel, PROFILE, sfo_ppm=1001.0)
        self.refused("delay_s", meshnet.channel, PROFILE, delay_s=-0.1)


class ChannelSettings(gr_unittest.TestCase):
    def through(self, path, count=50000):
        tb = gr.top_block()
        sink = blocks.vector_sink_c()
        tb.connect(blocks.vector_source_c([0j] * count), path, sink)
        tb.run()
        return numpy.array(sink.data())

    def power_db(self, samples):
        return 10 * numpy.log10(numpy.mean(numpy.abs(samples[1000:]) ** 2))

    def test_snr_sets_the_noise(self):
        # SNR s in 13/16 of the sampled band for a signal of rms 0.25
        for snr_db in (0.0, 20.0):
            noise = self.power_db(self.through(meshnet.channel(PROFILE, snr_db=snr_db)))
            self.assertAlmostEqual(noise, 20 * numpy.log10(0.25) - snr_db - 10 * numpy.log10(52 / 64), delta=0.2)

    def test_setters_take_effect_and_refuse_what_is_wrong(self):
        path = meshnet.channel(PROFILE, snr_db=0.0)
        path.set_snr_db(30.0)
        path.set_cfo_hz(100.0)
        path.set_sfo_ppm(1.0)
        path.set_delay_s(0.001)
        path.set_seed(4)
        path.set_model("awgn")
        with self.assertRaises(ValueError):
            path.set_model("fog")
        with self.assertRaises(ValueError):
            path.set_cfo_hz(1e9)
        self.assertEqual(path.snr_db(), 30.0)
        self.assertEqual(path.cfo_hz(), 100.0)
        noise = self.power_db(self.through(path))
        self.assertAlmostEqual(noise, 20 * numpy.log10(0.25) - 30.0 - 10 * numpy.log10(52 / 64), delta=0.2)

    def test_same_seed_same_samples(self):
        one = self.through(meshnet.channel(PROFILE, seed=6), 5000)
        two = self.through(meshnet.channel(PROFILE, seed=6), 5000)
        other = self.through(meshnet.channel(PROFILE, seed=7), 5000)
        self.assertTrue(numpy.array_equal(one, two))
        self.assertFalse(numpy.array_equal(one, other))

    def test_models_are_explained(self):
        lines = meshnet.channel.models().splitlines()
        self.assertGreater(len(lines), 10)
        for line in lines:
            name, what = line.split("\t")
            self.assertTrue(what)
            meshnet.channel(PROFILE, name)


if __name__ == "__main__":
    unittest.main(verbosity=2)

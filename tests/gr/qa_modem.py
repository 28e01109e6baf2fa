#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""OFDM Transmitter, Channel and OFDM Receiver: what goes in by PDU comes out by PDU."""

import random
import threading
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


class Keeper(gr.basic_block):
    """Keeps what it hears until the flowgraph ends by itself."""

    def __init__(self):
        gr.basic_block.__init__(self, name="keeper", in_sig=None, out_sig=None)
        self.heard = []
        self.message_port_register_in(pmt.intern("in"))
        self.set_msg_handler(pmt.intern("in"), self.hear)

    def hear(self, _):
        self.heard.append("frame")


class Hesitant(Samples):
    """Ends only when `over()` is true: by then all it has sent was processed."""

    def __init__(self, samples, over):
        Samples.__init__(self, samples)
        self.over = over

    def work(self, input_items, output_items):
        if self.at < len(self.samples):
            return Samples.work(self, input_items, output_items)
        while not self.over():
            threading.Event().wait(0.01)
        return -1


class End(gr_unittest.TestCase):
    def test_the_last_frame_leaves_before_the_word_that_it_is_done(self):
        """A frame whose last samples are missing comes out when the input ends, and is heard: what was in a subscriber's queue before the word
        that its sender is done, it handles."""
        samples = render([make_pdu(b"end", mode="qpsk-1/5x4")])[0][:-20]
        for hesitant in (False, True):
            tb = gr.top_block()
            rx = meshnet.ofdm_receiver(PROFILE)
            early = []

            def over():
                early.append(rx.counters()["frames_ok"])
                return rx.counters()["samples"] == len(samples)

            source = Hesitant(samples, over) if hesitant else blocks.vector_source_c(samples)
            keeper = Keeper()
            tb.connect(source, rx)
            tb.msg_connect(rx, "pdus", keeper, "in")
            tb.run()
            self.assertEqual((rx.counters()["frames_ok"], rx.counters()["samples"]), (1, len(samples)))
            self.assertEqual(set(early), {0} if hesitant else set())  # it did come out of the end alone
            self.assertEqual(keeper.heard, ["frame"])

    def test_what_waits_at_a_block_when_somebody_stops_is_taken(self):
        probe, node, router = meshnet.probe(), meshnet.station_node(PROFILE, seed=1), meshnet.router(seed=1)
        decoder = meshnet.decoder(PROFILE)
        tb = gr.top_block()
        idle = Keeper()  # who runs at all is connected to something
        for port, block in (("pdus", decoder), ("snr_history", probe), ("ip_out", node), ("ip_out", router)):
            tb.msg_connect(block, port, idle, "in")
        for _ in range(200):
            post(probe, "events", make_pdu(b"frame", crc_ok=True, snr_db=10.0))
            post(decoder, "soft_bits", pmt.cons(pmt.make_dict(), pmt.init_f32vector(1, [0.0])))
            post(node, "radio_in", pmt.PMT_T)
            post(router, "mac_in", pmt.PMT_T)
        tb.start()
        tb.stop()
        tb.wait()
        self.assertEqual(probe.frames(), 200)
        self.assertEqual(decoder.refused(), 200)
        self.assertEqual(node.counters()["messages_refused"], 200)
        self.assertEqual(router.counters()["messages_refused"], 200)

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

#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""OFDM Transmitter: tags, times, padding, queue, and what radios and users say to it."""

import unittest

import numpy
import pmt
from gnuradio import blocks, gr, gr_unittest

from gnuradio import meshnet
from listening import LONGEST, Ears, make_pdu, post, run_until
from qa_modem import PROFILE, render, reports_of, tags_named


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


if __name__ == "__main__":
    unittest.main(verbosity=2)

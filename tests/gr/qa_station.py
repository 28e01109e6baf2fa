#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Station Node: two whole stations, modem and channel included, on one pair of simulated paths."""

import gc
import ipaddress
import os
import struct
import tempfile
import unittest

import numpy
import pmt
from gnuradio import gr, gr_unittest

from gnuradio import meshnet
from listening import LONGEST, Ears, make_pdu, post, run_until

PROFILE = "1M"
RATE = 1e6


def udp_packet(source, destination, payload):
    """An IPv6 packet with a UDP datagram in it."""
    source, destination = (ipaddress.IPv6Address(a).packed for a in (source, destination))
    length = 8 + len(payload)
    pseudo = source + destination + struct.pack("!II", length, 17)
    datagram = struct.pack("!HHHH", 4000, 4001, length, 0) + payload
    data = pseudo + datagram + b"\0" * (len(payload) % 2)
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    checksum = (~total & 0xFFFF) or 0xFFFF
    datagram = datagram[:6] + struct.pack("!H", checksum) + datagram[8:]
    return struct.pack("!IHBB", 6 << 28, length, 17, 64) + source + destination + datagram


class Pair:
    """Stations A and B, one channel each way."""

    def __init__(self, directories=("", "")):
        self.tb = gr.top_block()
        self.ears = []
        self.nodes = [
            meshnet.station_node(PROFILE, seed=s, state_dir=d, hello_interval_s=0.3) for s, d in zip((11, 12), directories)
        ]
        self.tx = [meshnet.ofdm_transmitter(PROFILE, idle="clocked") for _ in range(2)]
        self.paths = [meshnet.channel(PROFILE, "awgn", snr_db=22.0, cfo_hz=c, delay_s=2e-4, seed=s) for c, s in ((900.0, 1), (-900.0, 2))]
        self.rx = [meshnet.ofdm_receiver(PROFILE, longest_preamble="medium") for _ in range(2)]
        for i, other in ((0, 1), (1, 0)):
            self.tb.connect(self.tx[i], self.paths[i], self.rx[other])
            self.tb.msg_connect(self.rx[i], "events", self.nodes[i], "radio_in")
            self.tb.msg_connect(self.nodes[i], "radio_out", self.tx[i], "pdus")
            self.tb.msg_connect(self.tx[i], "reports", self.nodes[i], "reports")

    def events(self, station, wanted):
        ears = Ears(wanted)
        self.ears.append(ears)  # GNU Radio does not keep a Python block alive
        self.tb.msg_connect(self.rx[station], "events", ears, "in")
        return ears


class TwoStations(gr_unittest.TestCase):
    def test_a_packet_crosses_and_is_answered(self):
        pair = Pair()
        addresses = [n.address() for n in pair.nodes]
        sent = [udp_packet(addresses[0], addresses[1], b"ahoy" * 50), udp_packet(addresses[1], addresses[0], b"aye" * 60)]
        host_b = Ears.count(1)
        host_a = Ears.count(1)
        pair.tb.msg_connect(pair.nodes[1], "ip_out", host_b, "in")
        pair.tb.msg_connect(pair.nodes[0], "ip_out", host_a, "in")

        injected = [False, False]

        def route_known(message):
            """When a station knows the way to the other, its host sends its packet."""
            for i in range(2):
                if not injected[i] and addresses[1 - i] in pair.nodes[i].destinations():
                    injected[i] = True
                    post(pair.nodes[i], "ip_in", make_pdu(sent[i]))
            return False

        pair.events(0, route_known)
        self.assertTrue(run_until(pair.tb, host_a, host_b))
        self.assertEqual(bytes(pmt.u8vector_elements(pmt.cdr(host_b.messages[0]))), sent[0])
        self.assertEqual(bytes(pmt.u8vector_elements(pmt.cdr(host_a.messages[0]))), sent[1])
        for i, node in enumerate(pair.nodes):
            counters = node.counters()
            # A burst that waited when the flowgraph was stopped is flushed, and that was not sent either.
            self.assertLessEqual(counters["frames_late"], pair.tx[i].counters()["pdus_flushed"])
            self.assertEqual(counters["messages_refused"], 0)
            self.assertGreaterEqual(counters["packets_to_host"], 1)
            self.assertEqual(pair.tx[i].counters()["bursts_late"], 0)
            self.assertEqual(pair.tx[i].counters()["pdus_refused"], 0)
            (neighbor,) = node.neighbors()
            self.assertTrue(neighbor.session_up)
            self.assertEqual(neighbor.address, addresses[1 - i])
            self.assertAlmostEqual(neighbor.snr_db, 22.0, delta=3.0)

    def test_a_packet_crosses_with_ledgers_on_disk(self):
        with tempfile.TemporaryDirectory() as a, tempfile.TemporaryDirectory() as b:
            pair = Pair(directories=(a, b))
            addresses = [n.address() for n in pair.nodes]
            packet = udp_packet(addresses[0], addresses[1], b"ahoy" * 50)
            host = Ears.count(1)
            pair.tb.msg_connect(pair.nodes[1], "ip_out", host, "in")

            def ask(message):
                """Again with every event until it is there: a packet without a route is dropped."""
                if addresses[1] in pair.nodes[0].destinations() and not host.enough.is_set():
                    post(pair.nodes[0], "ip_in", make_pdu(packet))
                return False

            pair.events(0, ask)
            self.assertTrue(run_until(pair.tb, host))
            self.assertEqual(host.pdus()[0][1], packet)
            self.assertEqual([n.counters()["ledger_failed"] for n in pair.nodes], [0, 0])

    def test_same_seed_same_frames_whatever_the_machine_does(self):
        def heard():
            pair = Pair()
            frames = []

            def keep(message):
                meta, data = pmt.car(message), pmt.cdr(message)
                if pmt.length(data) > 0:
                    index = pmt.to_uint64(pmt.dict_ref(meta, pmt.intern("sample_index"), pmt.PMT_NIL))
                    frames.append((index, bytes(pmt.u8vector_elements(data))))
                return len(frames) >= 12

            ears = pair.events(1, keep)
            self.assertTrue(run_until(pair.tb, ears))
            return frames[:12]

        first = heard()
        self.assertEqual(len(first), 12)
        self.assertEqual(heard(), first)


class OneStation(gr_unittest.TestCase):
    def test_a_radio_whose_time_goes_back_begins_a_new_time_line(self):
        """A USRP set at a PPS: rx_time was 100 s and is 5 s. The node's own time goes on, bursts have times of the new line."""
        node = meshnet.station_node(PROFILE, seed=3, hello_interval_s=0.3)
        tb = gr.top_block()

        def burst_between(begin, end):
            def look(message):
                at = pmt.to_python(pmt.car(message)).get("at")
                return at is not None and begin <= sum(at) < end
            return Ears(look)

        before, after = burst_between(100.0, 103.0), burst_between(5.0, 8.0)
        for ears in (before, after):
            tb.msg_connect(node, "radio_out", ears, "in")
        tb.start()
        times = []
        for ears, first in ((before, 100.0), (after, 5.0)):
            for tick in range(3000):
                whole = int(first) + tick // 1000
                clock = pmt.make_tuple(pmt.from_uint64(whole), pmt.from_double(tick % 1000 / 1000))
                fields = pmt.dict_add(pmt.make_dict(), pmt.intern("clock"), clock)
                post(node, "radio_in", pmt.cons(fields, pmt.init_u8vector(0, [])))
            self.assertTrue(ears.enough.wait(LONGEST))
            times.append(node.time())
        tb.stop()
        tb.wait()
        self.assertGreaterEqual(times[1], times[0])
        self.assertEqual(node.counters()["time_lines"], 2)

    def test_a_frame_is_answered_without_waiting_for_the_tick(self):
        """What a frame makes due leaves with it: here a beacon, whose time has come when the frame ends."""
        node = meshnet.station_node(PROFILE, seed=3, hello_interval_s=0.3)
        tb = gr.top_block()
        bursts = Ears(lambda message: pmt.length(pmt.cdr(message)) > 0)
        tb.msg_connect(node, "radio_out", bursts, "in")

        def event(seconds, payload, **more):
            meta = pmt.dict_add(pmt.make_dict(), pmt.intern("clock"), pmt.from_double(seconds))
            for key, value in more.items():
                meta = pmt.dict_add(meta, pmt.intern(key), value)
            return pmt.cons(meta, pmt.init_u8vector(len(payload), list(payload)))

        tb.start()
        post(node, "radio_in", event(0.001, b""))
        for i in range(200):  # frames alone, no tick
            post(node, "radio_in", event(5.001 + i / 1000, b"noise", mode=pmt.intern("qpsk-1/2"), time=pmt.from_double(4.9),
                                         length_samples=pmt.from_uint64(10), segments=pmt.init_u32vector(3, [0, 5, 0])))
        self.assertTrue(bursts.enough.wait(LONGEST))
        tb.stop()
        tb.wait()

    def test_the_times_of_a_radio_become_the_nodes(self):
        """What a Radio reports of its lead is kept for every burst from then on."""
        def leads(timing):
            node = meshnet.station_node(PROFILE, seed=3, hello_interval_s=0.3)
            tb = gr.top_block()
            found, clock = [], [0.0]

            def look(message):
                """In order with the bursts come the node's clock readings: its time and the lead it was made with."""
                meta = pmt.to_python(pmt.car(message))
                if pmt.length(pmt.cdr(message)) > 0:
                    found.append(sum(meta["at"]) - clock[0])
                else:
                    clock[0] = sum(meta["clock"])
                return len(found) >= 12
            bursts = Ears(look)
            tb.msg_connect(node, "radio_out", bursts, "in")
            tb.start()
            post(node, "reports", pmt.to_pmt({"timing": timing}))
            for tick in range(5000):
                meta = pmt.dict_add(pmt.make_dict(), pmt.intern("clock"), pmt.from_double(1.0 + tick / 1000))
                post(node, "radio_in", pmt.cons(meta, pmt.init_u8vector(0, [])))
            self.assertTrue(bursts.enough.wait(LONGEST))
            tb.stop()
            tb.wait()
            return found[8:12]  # GNU Radio handles ports in an order of its own: the report may come a little later
        own = leads({})
        self.assertGreater(min(leads({"lead": 0.04, "jitter": 0.02, "recovery": 0.06})), max(own) + 0.02)
        self.assertLess(max(leads({"lead": float("nan"), "jitter": -1.0, "recovery": "long"})), max(own) + 0.005)

    def test_transmitter_puts_bursts_where_the_node_wants_them(self):
        """Every burst of a station starts at the sample of its `at`, in spite of the loop over messages."""
        pair = Pair()
        requests = []
        reports = []

        def keep_request(message):
            meta = pmt.to_python(pmt.car(message))
            if meta.get("at"):
                requests.append((meta["id"], round(sum(meta["at"]) * 1e9)))
            return len(requests) >= 6

        def keep_report(message):
            reports.append(pmt.to_python(message))
            return len(reports) >= 6

        wishes, answers = Ears(keep_request), Ears(keep_report)
        pair.tb.msg_connect(pair.nodes[0], "radio_out", wishes, "in")
        pair.tb.msg_connect(pair.tx[0], "reports", answers, "in")
        self.assertTrue(run_until(pair.tb, wishes, answers))
        when = dict(requests)
        for report in reports[:6]:
            self.assertEqual(report["outcome"], "sent")
            self.assertEqual(report["start"], int(numpy.ceil(when[report["id"]] * RATE / 1e9 - 1e-6)))

    def test_any_message_is_survived(self):
        node = meshnet.station_node(PROFILE, seed=3)
        ears = Ears.count(2)
        tb = gr.top_block()
        tb.msg_connect(node, "radio_out", ears, "in")
        tick = pmt.dict_add(pmt.make_dict(), pmt.intern("clock"), pmt.from_double(0.001))
        frame = pmt.dict_add(tick, pmt.intern("mode"), pmt.intern("qpsk-1/2"))
        frame = pmt.dict_add(frame, pmt.intern("time"), pmt.from_double(0.0))
        frame = pmt.dict_add(frame, pmt.intern("length_samples"), pmt.from_uint64(10))
        bytes10 = pmt.init_u8vector(10, list(range(10)))

        def segments(*values):
            return pmt.cons(pmt.dict_add(frame, pmt.intern("segments"), pmt.init_u32vector(len(values), list(values))), bytes10)

        bad = [
            pmt.PMT_NIL,
            pmt.from_long(7),
            pmt.cons(pmt.from_long(7), bytes10),
            pmt.cons(pmt.make_dict(), bytes10),
            pmt.cons(tick, bytes10),
            pmt.cons(frame, bytes10),
            segments(0, 11, 1),
            segments(0, 5, 1),
            segments(5, 5, 1),
            segments(0, 10),
            segments(0, 0xFFFFFFFF, 1, 0xFFFFFFFF, 11, 1),
        ]
        noise = [segments(0, 10, 1), segments(0, 4, 0, 4, 6, 1)]  # well-formed frames of nonsense: the MAC's to judge
        for message in bad + noise:
            post(node, "radio_in", message)
        for message in (pmt.PMT_T, pmt.make_dict(), pmt.dict_add(pmt.make_dict(), pmt.intern("id"), pmt.intern("x"))):
            post(node, "reports", message)
        post(node, "ip_in", pmt.from_long(1))
        post(node, "ip_in", make_pdu(b"not a packet"))
        post(node, "radio_in", pmt.cons(tick, pmt.init_u8vector(0, [])))
        self.assertTrue(run_until(tb, ears))
        self.assertGreaterEqual(node.counters()["messages_refused"], len(bad))
        self.assertAlmostEqual(node.time(), 0.001, places=9)

    def test_keys_come_from_the_seed(self):
        self.assertEqual(meshnet.station_node(seed=5).address(), meshnet.station_node(seed=5).address())
        self.assertNotEqual(meshnet.station_node(seed=5).address(), meshnet.station_node(seed=6).address())
        self.assertTrue(ipaddress.IPv6Address(meshnet.station_node(seed=5).address()).is_private)

    def test_a_station_that_lasts_keeps_its_keys_and_its_ledger(self):
        with tempfile.TemporaryDirectory() as directory:
            first = meshnet.station_node(state_dir=directory)
            address = first.address()
            self.assertEqual(sorted(p for p in os.listdir(directory) if "station.ledger" not in p), ["station.key"])
            self.assertEqual(os.stat(os.path.join(directory, "station.key")).st_mode & 0o777, 0o600)
            with self.assertRaises(RuntimeError) as caught:
                meshnet.station_node(state_dir=directory)  # two on one ledger
            self.assertIn("station.ledger", str(caught.exception))
            del first
            gc.collect()
            self.assertEqual(meshnet.station_node(state_dir=directory).address(), address)
        with self.assertRaises(RuntimeError) as caught:
            meshnet.station_node(state_dir="/nowhere/at/all")
        self.assertIn("/nowhere/at/all/station.key", str(caught.exception))

    def test_what_is_wrong_and_what_would_be_right(self):
        for word, options in (
            ("unknown profile", {"profile": "9M"}),
            ("lead_s", {"lead_s": 0.0}),
            ("lead_s", {"lead_s": float("nan")}),
            ("lead_s + turnaround_s", {"lead_s": 0.04, "turnaround_s": 0.04}),
            ("max_propagation_s", {"max_propagation_s": -1.0}),
            ("hello_interval_s", {"hello_interval_s": 0.0}),
            ("longest_preamble", {"longest_preamble": "endless"}),
            ("longest_preamble", {"mode": "qpsk-1/5x8"}),
            ("max_burst", {"profile": "125k", "longest_preamble": "long"}),
            ("unknown mode", {"mode": "bpsk"}),
        ):
            with self.assertRaises(ValueError) as caught:
                meshnet.station_node(**options)
            self.assertIn(word, str(caught.exception))


if __name__ == "__main__":
    unittest.main(verbosity=2)

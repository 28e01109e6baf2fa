#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Virtual Air, Contention MAC, Router, Radio: networks out of blocks."""

import math
import os
import subprocess
import tempfile
import time
import unittest

import numpy
import pmt
from gnuradio import blocks, gr, gr_unittest

from gnuradio import meshnet
from listening import LONGEST, Ears, Samples, make_pdu, post, run_until
from qa_modem import render, tags_named
from qa_station import udp_packet

PROFILE = "1M"
BUILD = os.environ["MESHNET_BINARY_DIR"]
os.environ["SOAPY_SDR_PLUGIN_PATH"] = os.path.join(BUILD, "soapy")  # before SoapySDR looks for its modules
LINE = """
sample_rate_hz = 1e6
carrier_hz = 868e6
[[station]]
name = "west"
x_m = 0.0
height_m = 10.0
[[station]]
name = "middle"
x_m = 8000.0
height_m = 10.0
clock_ppm = 8.0
[[station]]
name = "east"
x_m = 16000.0
height_m = 10.0
clock_ppm = -5.0
[[link]]
from = "west"
to = "east"
blocked = true
[[link]]
from = "east"
to = "west"
blocked = true
"""


def frames_of(profile, payload):
    samples, _, _ = render([make_pdu(payload)])
    return samples


class Network:
    """Station Nodes, or MACs with Routers, on one Virtual Air."""

    def __init__(self, count, config="", split=False):
        self.tb = gr.top_block()
        self.air = meshnet.virtual_air(PROFILE, count, config)
        self.nodes, self.macs, self.kept = [], [], []
        for i in range(count):
            tx = meshnet.ofdm_transmitter(PROFILE, idle="clocked")
            rx = meshnet.ofdm_receiver(PROFILE, longest_preamble="medium")
            if split:
                mac, node = meshnet.contention_mac(PROFILE, seed=31 + i, hello_interval_s=0.3), meshnet.router(seed=31 + i)
                self.tb.msg_connect(mac, "events", node, "mac_in")
                self.tb.msg_connect(node, "mac_out", mac, "sdus_in")
                self.macs.append(mac)
            else:
                mac = node = meshnet.station_node(PROFILE, seed=31 + i, hello_interval_s=0.3)
            self.tb.connect(tx, (self.air, i))
            self.tb.connect((self.air, i), rx)
            self.tb.msg_connect(rx, "events", mac, "radio_in")
            self.tb.msg_connect(mac, "radio_out", tx, "pdus")
            self.tb.msg_connect(tx, "reports", mac, "reports")
            self.nodes.append(node)
            self.kept += [tx, rx]

    def carry(self, first, last, packet):
        """Sends `packet` with each event, once there is a route, until the last station's host has it."""
        host = Ears.count(1)
        self.tb.msg_connect(self.nodes[last], "ip_out", host, "in")
        there = self.nodes[last].address()

        def ask(_):
            if there in self.nodes[first].destinations() and not host.enough.is_set():
                post(self.nodes[first], "ip_in", make_pdu(packet))
            return False

        ears = Ears(ask)
        self.tb.msg_connect(self.kept[2 * first + 1], "events", ears, "in")
        ok = run_until(self.tb, host)
        return ok and host.pdus()[0][1] == packet


class Air(gr_unittest.TestCase):
    def hear(self, config, sent, count, chunk=0):
        tb = gr.top_block()
        stations = len(sent)
        air = meshnet.virtual_air(PROFILE, stations, config)
        sinks = [blocks.vector_sink_c() for _ in sent]
        if chunk:
            air.set_max_noutput_items(chunk)
        for i, samples in enumerate(sent):
            tb.connect(blocks.vector_source_c(list(samples) + [0j] * (count - len(samples))), (air, i))
            tb.connect((air, i), sinks[i])
        tb.run()
        return [numpy.array(s.data()) for s in sinks], air

    def test_a_frame_crosses_whole_and_late_by_the_distance(self):
        tb = gr.top_block()
        tx = meshnet.ofdm_transmitter(PROFILE, "64qam-3/4", "zeros")
        air = meshnet.virtual_air(PROFILE)
        rx = meshnet.ofdm_receiver(PROFILE)
        pdus = Ears.count(3)
        tb.connect(tx, (air, 0))
        tb.connect(blocks.null_source(gr.sizeof_gr_complex), (air, 1))
        tb.connect((air, 0), blocks.null_sink(gr.sizeof_gr_complex))
        tb.connect((air, 1), rx)
        tb.msg_connect(rx, "pdus", pdus, "in")
        for i in range(3):
            post(tx, "pdus", make_pdu(bytes([i]) * 3000, at=(0, 0.05 + 0.2 * i)))
        self.assertTrue(run_until(tb, pdus))
        for i, (meta, payload) in enumerate(pdus.pdus()[:3]):
            self.assertEqual(payload, bytes([i]) * 3000)  # pieces of bursts join without a seam: 64QAM would not survive one
            self.assertAlmostEqual(sum(meta["time"]), 0.05 + 0.2 * i + 5000 / 299792458, delta=2e-6)
            self.assertAlmostEqual(meta["snr_db"], air.snr_db(0, 1), delta=2.5)
        self.assertTrue(math.isnan(air.snr_db(0, 0)) and math.isnan(air.snr_db(0, 9)))

    def test_the_same_samples_however_they_are_cut(self):
        burst = frames_of(PROFILE, b"q" * 80)
        sent = [numpy.concatenate([numpy.zeros(3000), burst]), numpy.concatenate([numpy.zeros(9000), burst])]
        reference, air = self.hear("", sent, 20000)
        self.assertGreater(air.samples(0), 19000)
        self.assertEqual(air.samples(7), 0)
        for chunk in (64, 999):
            again, _ = self.hear("", sent, 20000, chunk)
            for a, b in zip(reference, again):
                n = min(len(a), len(b))
                self.assertTrue(numpy.array_equal(a[:n], b[:n]))
        power = lambda s: numpy.mean(numpy.abs(s) ** 2)
        self.assertGreater(power(reference[1][3100:4000]), 50 * power(reference[1][1000:2900]))
        self.assertLess(power(reference[0][3000:3500]), 2 * power(reference[0][1000:2900]))  # half-duplex: not itself

    def test_what_is_wrong_and_what_would_be_right(self):
        for word, arguments in (
            ("unknown profile", ("3M",)),
            ("stations", (PROFILE, 0)),
            ("has 3 stations, the block 2", (PROFILE, 2, LINE)),
            ("sample_rate_hz", ("2M", 3, LINE)),
            ("config", (PROFILE, 2, "nonsense = [")),
        ):
            with self.assertRaises(ValueError) as caught:
                meshnet.virtual_air(*arguments)
            self.assertIn(word, str(caught.exception))


class Stations(gr_unittest.TestCase):
    def test_a_relay_carries_a_packet_between_stations_that_do_not_hear_each_other(self):
        network = Network(3, LINE)
        addresses = [n.address() for n in network.nodes]
        self.assertTrue(network.carry(0, 2, udp_packet(addresses[0], addresses[2], b"over the middle" * 10)))
        self.assertGreaterEqual(network.nodes[1].counters()["packets_forwarded"], 1)
        for node, tx in zip(network.nodes, network.kept[::2]):
            # A burst that waited when the flowgraph was stopped is flushed, and that was not sent either.
            self.assertLessEqual(node.counters()["frames_late"], tx.counters()["pdus_flushed"])
            self.assertEqual(tx.counters()["bursts_late"], 0)

    def test_mac_and_router_apart_are_a_station_too(self):
        network = Network(2, split=True)
        addresses = [n.address() for n in network.nodes]
        self.assertEqual([n.station() for n in network.nodes], [m.station() for m in network.macs])
        self.assertTrue(network.carry(0, 1, udp_packet(addresses[0], addresses[1], b"ahoy" * 60)))
        for i, (node, mac) in enumerate(zip(network.nodes, network.macs)):
            self.assertEqual(mac.neighbors(), [network.macs[1 - i].station()])
            self.assertEqual(node.sessions(), [network.macs[1 - i].station()])
            self.assertEqual(node.counters()["messages_refused"], 0)
            self.assertEqual(mac.counters()["messages_refused"], 0)
            self.assertGreater(mac.time(), 0.0)


class Mac(gr_unittest.TestCase):
    def test_packets_for_neighbours_arrive_and_are_acknowledged(self):
        tb = gr.top_block()
        air = meshnet.virtual_air(PROFILE)
        macs = [meshnet.contention_mac(PROFILE, station=s, seed=s, hello_interval_s=0.2) for s in (100, 200)]
        kept = []
        for i, mac in enumerate(macs):
            tx, rx = meshnet.ofdm_transmitter(PROFILE, idle="clocked"), meshnet.ofdm_receiver(PROFILE, longest_preamble="medium")
            tb.connect(tx, (air, i))
            tb.connect((air, i), rx)
            tb.msg_connect(rx, "events", mac, "radio_in")
            tb.msg_connect(mac, "radio_out", tx, "pdus")
            tb.msg_connect(tx, "reports", mac, "reports")
            kept += [tx, rx]
        asked = []

        def event(message):
            meta = pmt.to_python(pmt.car(message))
            if meta["event"] == "up" and not asked:
                asked.append(meta)
                post(macs[0], "sdus_in", make_pdu(b"one" * 500, peer=200, priority=1, tag=77))
                post(macs[0], "sdus_in", make_pdu(b"all", peer=0xFFFFFFFF, priority=0))
            return meta["event"] == "done"

        events, heard = Ears(event), Ears.count(2)
        tb.msg_connect(macs[0], "events", events, "in")
        tb.msg_connect(macs[1], "sdus_out", heard, "in")
        self.assertTrue(run_until(tb, events, heard))
        self.assertEqual((asked[0]["peer"], macs[0].neighbors(), macs[1].neighbors()), (200, [200], [100]))
        self.assertAlmostEqual(asked[0]["snr_db"], air.snr_db(1, 0), delta=3.0)
        got = {bytes(p): m for m, p in heard.pdus()}
        self.assertEqual(set(got), {b"one" * 500, b"all"})
        self.assertEqual({m["peer"] for m in got.values()}, {100})
        done = [pmt.to_python(pmt.car(m)) for m in events.messages if pmt.to_python(pmt.car(m))["event"] == "done"]
        self.assertEqual((done[0]["tag"], done[0]["delivered"]), (77, True))
        rooms = [pmt.to_python(pmt.car(m))["room"] for m in events.messages if pmt.to_python(pmt.car(m))["event"] == "clock"]
        self.assertIn(200, list(rooms[-1])[::2])

    def test_any_message_is_survived(self):
        mac, router = meshnet.contention_mac(PROFILE, station=5), meshnet.router()
        tb = gr.top_block()
        clocks = Ears.count(3)
        tb.msg_connect(mac, "events", clocks, "in")
        tb.msg_connect(mac, "events", router, "mac_in")
        junk = [pmt.PMT_NIL, pmt.from_long(7), pmt.cons(pmt.from_long(7), pmt.init_u8vector(1, [1])), make_pdu(b"x"), make_pdu(b"", event="up"),
                make_pdu(b"", event="up", peer=0), make_pdu(b"", event="received", peer=5), make_pdu(b"", event="fire", peer=5), make_pdu(b"", event=3)]
        for message in junk:
            for block, port in ((mac, "radio_in"), (mac, "reports"), (mac, "sdus_in"), (router, "mac_in")):
                post(block, port, message)
        for message in (make_pdu(b"x", peer=0), make_pdu(b"", peer=9), make_pdu(b"x", peer=9, priority=3), make_pdu(b"x" * 8193, peer=9), make_pdu(b"x", peer=2**40)):
            post(mac, "sdus_in", message)
        post(router, "ip_in", pmt.from_long(1))
        post(router, "ip_in", make_pdu(b"no packet"))
        post(router, "mac_in", make_pdu(b"noise", event="received", peer=9))
        post(router, "mac_in", make_pdu(b"", event="down", peer=9))
        post(router, "mac_in", make_pdu(b"", event="changed", peer=9, loss=float("nan"), rate_bps=-1.0))
        post(mac, "sdus_in", make_pdu(b"to nobody", peer=9))
        for i in range(3):
            post(mac, "radio_in", make_pdu(b"", clock=(0, 0.001 * (i + 1))))
        tb.start()
        self.assertTrue(clocks.enough.wait(LONGEST))
        until = time.monotonic() + LONGEST
        while router.counters()["messages_refused"] < len(junk) - 1 and time.monotonic() < until:
            time.sleep(0.01)  # the router has a thread of its own
        tb.stop()
        tb.wait()
        self.assertGreaterEqual(mac.counters()["messages_refused"], 3 * len(junk))
        self.assertGreaterEqual(router.counters()["messages_refused"], len(junk) - 1)

    def test_what_is_wrong_and_what_would_be_right(self):
        for word, make in (
            ("unknown profile", lambda: meshnet.contention_mac("9M")),
            ("lead_s", lambda: meshnet.contention_mac(PROFILE, lead_s=0.0)),
            ("duty_cycle", lambda: meshnet.contention_mac(PROFILE, duty_cycle=0.0)),
            ("station", lambda: meshnet.contention_mac(PROFILE, station=0xFFFFFFFF)),
            ("longest_preamble", lambda: meshnet.contention_mac(PROFILE, mode="qpsk-1/5x8")),
            ("answer_s", lambda: meshnet.router(answer_s=float("nan"))),
        ):
            with self.assertRaises(ValueError) as caught:
                make()
            self.assertIn(word, str(caught.exception))
        with self.assertRaises(RuntimeError) as caught:
            meshnet.router(state_dir="/nowhere/at/all")
        self.assertIn("/nowhere/at/all/station.key", str(caught.exception))


class RunningAir:
    """A meshnet-air of its own. Slower than time: what a busy machine does late then is not late."""

    def __init__(self, speed=1.0):
        self.speed = speed

    CONFIG = '\n[[station]]\nname = "alpha"\n[[station]]\nname = "bravo"\nx_m = 3000.0\n'

    def __enter__(self):
        self.directory = tempfile.TemporaryDirectory()
        config = os.path.join(self.directory.name, "air.toml")
        with open(config, "w") as file:
            file.write("sample_rate_hz = 1e6\ncarrier_hz = 868e6\n" + self.CONFIG)
        self.socket = os.path.join(self.directory.name, "air.sock")
        self.process = subprocess.Popen(
            [os.path.join(BUILD, "bin", "meshnet-air"), "--config", config, "--socket", self.socket, "--speed", str(self.speed)], stdout=subprocess.PIPE, text=True
        )
        for line in self.process.stdout:
            if line.startswith("listening"):
                break
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.stdout.read()
        self.process.wait()
        self.process.stdout.close()
        self.directory.cleanup()


class Radio(gr_unittest.TestCase):
    def send(self, sender, receiver):
        """Sends a frame half a second ahead, again if a busy machine made it late or lost its samples: what the receiver heard, the reports of what
        was sent, the times asked for."""
        tb = gr.top_block()
        tx = meshnet.ofdm_transmitter(PROFILE, idle="message")
        own, rx = meshnet.ofdm_receiver(PROFILE), meshnet.ofdm_receiver(PROFILE)
        asked = {}
        clock = [0.0]

        def follow(message):
            clock[0] = sum(pmt.to_python(pmt.car(message))["clock"])
            if len(said()) == len(asked) and not heard.messages and clock[0] > max(asked.values(), default=-1.0) + 0.2:
                at = clock[0] + 0.5
                asked[len(asked)] = at
                post(tx, "pdus", make_pdu(b"first" * 20, at=(int(at), at % 1), id=len(asked) - 1))
            return False

        ticks, heard, reports = Ears(follow), Ears.count(1), Ears(lambda m: pmt.to_python(m)["outcome"] == "sent")

        def said():
            return [r for r in (pmt.to_python(m) for m in reports.messages) if "id" in r]

        tb.connect(sender, own)
        tb.connect(receiver, rx)
        tb.msg_connect(tx, "bursts", sender, "bursts")
        tb.msg_connect(own, "events", ticks, "in")
        tb.msg_connect(rx, "pdus", heard, "in")
        tb.msg_connect(sender, "reports", reports, "in")
        for junk in (make_pdu(b"no samples"), pmt.PMT_NIL, pmt.cons(pmt.car(make_pdu(b"", tx_time="soon")), pmt.init_c32vector(1, [1j]))):
            post(sender, "bursts", junk)
        ok = run_until(tb, reports, heard)
        sent = [r for r in said() if r["outcome"] == "sent"]
        return ok, heard.pdus(), sent, asked

    def test_a_station_of_a_running_air_sends_at_its_time(self):
        with RunningAir() as air:
            alpha, bravo = (meshnet.radio(PROFILE, f"air:{air.socket}#{name}") for name in ("alpha", "bravo"))
            self.assertEqual(alpha.sample_rate(), 1e6)
            ok, heard, sent, asked = self.send(alpha, bravo)
            self.assertTrue(ok)
            self.assertEqual(heard[0][1], b"first" * 20)
            length = heard[0][0]["length_samples"] / 1e6
            self.assertAlmostEqual(sum(sent[0]["end"]), asked[sent[0]["id"]] + length, delta=2e-6)
            counters = alpha.counters()
            self.assertEqual((counters["bursts_sent"], counters["bursts_refused"]), (len(sent), 3))

    def device(self, air, model):
        """The virtual radio through SoapySDR and the transmit guard."""
        gain = {"usrp": 89.75, "hackrf": 61.0}[model]
        return meshnet.radio(
            PROFILE,
            f"soapy:driver=meshair,air={air.socket},station=alpha,model={model}",
            f'[radio]\nfrequency_hz = 868e6\ntx_gain_db = {gain}\nrx_gain_db = 40.0\n[transmit]\nown_bands = ["test, 867, 869, 30, 1"]\n'
            'bands = ["own test"]\nauthority = "simulated air"\nfull_scale_dbm = 10.0\nantenna_gain_dbi = 2.0\n',
        )

    def test_a_radio_with_time_stamps_sends_at_its_time(self):
        with RunningAir() as air:
            ok, heard, sent, asked = self.send(self.device(air, "usrp"), meshnet.radio(PROFILE, f"air:{air.socket}#bravo"))
            self.assertTrue(ok)
            self.assertEqual(heard[0][1], b"first" * 20)
            self.assertAlmostEqual(sum(sent[0]["end"]), asked[sent[0]["id"]] + heard[0][0]["length_samples"] / 1e6, delta=1e-3)

    def test_a_half_duplex_radio_without_time_stamps_receives(self):
        with RunningAir() as air:
            ok, heard, _, _ = self.send(meshnet.radio(PROFILE, f"air:{air.socket}#bravo"), self.device(air, "hackrf"))
            self.assertTrue(ok)
            self.assertEqual(heard[0][1], b"first" * 20)

    def test_a_recording_is_replayed_to_its_end(self):
        samples, _, _ = render([make_pdu(b"recorded" * 10)], gap=20000)
        with tempfile.TemporaryDirectory() as directory:
            file = os.path.join(directory, "recording.cf32")
            numpy.asarray(samples, dtype=numpy.complex64).tofile(file)
            tb = gr.top_block()
            radio = meshnet.radio("250k", f"file:{file}")
            rx = meshnet.ofdm_receiver("250k")
            store = blocks.message_debug()
            kept = blocks.vector_sink_c()
            tb.connect(radio, rx)
            tb.connect(radio, kept)
            tb.msg_connect(rx, "pdus", store, "store")
            tb.run()
            self.assertEqual(rx.counters()["frames_ok"], 1)
            self.assertEqual(len(tags_named(kept.tags(), "rx_time")), 1)
            self.assertEqual([pmt.to_python(v) for _, v in tags_named(kept.tags(), "rx_rate")], [250e3])

    def test_what_is_wrong_and_what_would_be_right(self):
        for word, arguments in (
            ("unknown profile", ("3M", "air:/x#y")),
            ("names no kind of device", (PROFILE, "nothing")),
            ("no air server listens", (PROFILE, "soapy:driver=meshair,air=/nowhere,station=a")),
            ("config:1", (PROFILE, "air:/x#y", "[radio\n")),
            ("authority", (PROFILE, "soapy:driver=meshair", '[transmit]\nbands = ["EU 868.0-868.6"]\n')),
        ):
            with self.assertRaises((ValueError, RuntimeError)) as caught:
                meshnet.radio(*arguments)
            self.assertIn(word, str(caught.exception))
        with self.assertRaises(RuntimeError) as caught:
            meshnet.radio(PROFILE, "air:/nowhere/at/all#alpha")
        self.assertIn("/nowhere/at/all", str(caught.exception))
        self.assertIn("air:SOCKET#STATION", meshnet.radio.devices())


if __name__ == "__main__":
    unittest.main(verbosity=2)

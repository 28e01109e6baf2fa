#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Every flowgraph compiles; the headless ones are run and believed only by what they print; the graphical ones are looked at."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import yaml

from qa_network import RunningAir

SOURCE = pathlib.Path(os.environ["MESHNET_SOURCE_DIR"])
FLOWGRAPHS = sorted((SOURCE / "grc" / "flowgraphs").glob("*.grc"))
LONGEST = 300  # seconds: a hang, not a measure
GUARD = ["--bands", "laboratory, 867, 869, 30, 1", "--authority", "simulated air", "--full-scale-dbm", "10"]
TUN = os.path.exists("/dev/net/tun") and subprocess.run(["unshare", "-rn", "true"], capture_output=True).returncode == 0


def run(command, **kwargs):
    return subprocess.run(command, capture_output=True, text=True, timeout=LONGEST, **kwargs)


def options_of(path):
    return yaml.safe_load(path.read_text())["options"]["parameters"]


class Flowgraphs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory()
        cls.out = pathlib.Path(cls.directory.name)
        # grcc names another interpreter in its first line; ours is the one GNU Radio is installed for.
        cls.grcc = [sys.executable, shutil.which("grcc"), "-o", str(cls.out)]
        cls.results = {p.stem: run(cls.grcc + [str(p)]) for p in FLOWGRAPHS}

    @classmethod
    def tearDownClass(cls):
        cls.directory.cleanup()

    def run_compiled(self, name, *arguments):
        result = run([sys.executable, str(self.out / f"{name}.py"), *arguments])
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def test_all_compile(self):
        self.assertGreaterEqual(len(FLOWGRAPHS), 11)
        for name, result in self.results.items():
            with self.subTest(flowgraph=name):
                self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
                self.assertTrue((self.out / f"{name}.py").exists())

    def test_all_say_what_they_are(self):
        for path in FLOWGRAPHS:
            options = options_of(path)
            self.assertEqual(options["id"], path.stem)
            self.assertTrue(options["title"])
            self.assertTrue(options["description"])

    def test_no_thread_of_python_outlives_a_window(self):
        """A Function Probe compiles to one: it goes on setting labels that the end of the program has deleted."""
        for name in self.results:
            self.assertNotIn("Thread(", (self.out / f"{name}.py").read_text(), name)

    def test_a_broken_flowgraph_is_noticed(self):
        broken = self.out / "broken.grc"
        text = (SOURCE / "grc" / "flowgraphs" / "loopback.grc").read_text()
        broken.write_text(text.replace("gap: '2000'", "gap: '-1'"))
        self.assertNotEqual(text, broken.read_text())
        self.assertNotEqual(run(self.grcc + [str(broken)]).returncode, 0)

    def test_loopback_receives_every_frame(self):
        self.assertIn("frames sent: 50, received: 50 of 50", self.run_compiled("loopback"))
        output = self.run_compiled("loopback", "--frames", "12", "--mode", "64qam-3/4", "--snr-db", "24", "--model", "awgn")
        self.assertIn("frames sent: 12, received: 12 of 12", output)

    def test_loopback_loses_frames_below_the_threshold(self):
        output = self.run_compiled("loopback", "--frames", "12", "--mode", "64qam-3/4", "--snr-db", "8")
        self.assertIn("frames sent: 12, received: 0 of 12", output)

    def test_two_stations_find_each_other(self):
        output = self.run_compiled("two_stations")
        found = re.findall(r"(\w) is (\S+), 3\.0 s, has a session with (\S+) at (\S+) dB", output)
        self.assertEqual(len(found), 2, output)
        (_, a, heard_by_a, _), (_, b, heard_by_b, _) = found
        self.assertEqual((heard_by_a, heard_by_b), (b, a))
        for _, _, _, snr_db in found:
            self.assertAlmostEqual(float(snr_db), 20.0, delta=2.0)

    def test_a_relay_carries_packets(self):
        output = self.run_compiled("relay")
        forwarded = int(re.search(r"middle is .* forwarded (\d+)", output).group(1))
        received = int(re.search(r"east received (\d+) packets", output).group(1))
        self.assertGreater(received, 0, output)
        self.assertGreaterEqual(forwarded, received)

    def on_the_air(self, name, *arguments, tun=False):
        """Starts a compiled flowgraph beside the running air."""
        prefix = ["unshare", "-rn"] if tun else []
        return subprocess.Popen([*prefix, sys.executable, str(self.out / f"{name}.py"), *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=self.out)

    def output_of(self, process):
        output, errors = process.communicate(timeout=LONGEST)
        self.assertEqual(process.returncode, 0, output + errors)
        return output

    def beacon(self, air, station, seconds):
        return self.on_the_air(
            "beacon", "--driver", "meshair", "--args", f"air={air.socket},station={station}", "--samp-rate", 1e6, "--frequency", 868e6,
            "--tx-gain", 89.75, "--interval-ms", 300, "--seconds", seconds, *GUARD,
        )

    def test_what_a_beacon_sends_is_recorded_and_replayed(self):
        with RunningAir(0.5) as air:
            beacon = self.beacon(air, "alpha", 6)
            recorded = self.output_of(self.on_the_air("record_sigmf", "--device", f"air:{air.socket}#bravo", "--name", "beacon", "--seconds", 5))
            sent = self.output_of(beacon)
        self.assertIn("beacon.sigmf-meta written", recorded)
        passed = int(re.search(r"passed by the guard: (\d+), refused: nothing", sent).group(1))
        self.assertGreater(passed, 5)
        meta = json.loads((self.out / "beacon.sigmf-meta").read_text())
        self.assertEqual((meta["global"]["core:datatype"], meta["global"]["core:sample_rate"]), ("cf32_le", 1e6))
        replayed = self.run_compiled("replay_sigmf", "--recording", str(self.out / "beacon.sigmf-meta"), "--capture", str(self.out / "beacon.pcap"))
        frames = int(re.search(r"(\d+) frames error-free", replayed).group(1))
        self.assertGreater(frames, 2, replayed)
        self.assertIn(f"{frames} packets in", replayed)
        self.assertIn(b"meshnet beacon", (self.out / "beacon.pcap").read_bytes())

    def test_a_beacon_without_a_band_sends_nothing(self):
        with RunningAir() as air:
            sent = self.output_of(self.on_the_air("beacon", "--driver", "meshair", "--args", f"air={air.socket},station=alpha", "--samp-rate", 1e6, "--frequency", 868e6, "--interval-ms", 200, "--seconds", 2))
        self.assertIn("passed by the guard: 0, refused: no band is named", sent)

    def usrp_station(self, air, station, seed, seconds):
        return self.on_the_air(
            "usrp_station", "--args", f"type=soapy,driver=meshair,air={air.socket},station={station}", "--frequency", 868e6, "--tx-gain", 89.75,
            "--seed", seed, "--tun", f"mesh{seed}", "--seconds", seconds, *GUARD, tun=True,
        )

    @unittest.skipUnless(TUN, "needs user namespaces and /dev/net/tun")
    def test_two_usrp_stations_find_each_other(self):
        # A station says at its end whom it has a session with. On a machine that stalls for a second the link is down just then, so
        # there are several tries, and either end may say it.
        for _ in range(5):
            with RunningAir(0.5) as air:
                stations = [self.usrp_station(air, name, seed, seconds) for name, seed, seconds in (("alpha", 1, 18), ("bravo", 2, 22))]
                outputs = [self.output_of(s) for s in stations]
            addresses = [re.search(r"this station is (\S+)", o).group(1) for o in outputs]
            for output in outputs:
                self.assertGreater(int(re.search(r"received: (\d+)", output).group(1)), 0, output)
                self.assertIn("refused by the guard: nothing", output)
            if any(f"has a session with {other}" in output for output, other in zip(outputs, reversed(addresses))):
                return
        self.fail("no session in five tries:\n" + "\n".join(outputs))

    @unittest.skipUnless(TUN, "needs user namespaces and /dev/net/tun")
    def test_a_hackrf_station_hears_a_usrp_station(self):
        with RunningAir(0.5) as air:  # what a virtual HackRF costs is half a core and more
            usrp = self.usrp_station(air, "bravo", 2, 26)
            hackrf = self.on_the_air(
                "hackrf_station", "--device", f"soapy:driver=meshair,air={air.socket},station=alpha,model=hackrf", "--frequency", 868e6,
                "--tx-gain", 61, "--tun", "mesh1", "--seconds", 24, *GUARD, tun=True,
            )
            output = self.output_of(hackrf)
            self.output_of(usrp)
        self.assertGreater(int(re.search(r"received: (\d+)", output).group(1)), 0, output)
        self.assertGreater(int(re.search(r"radio: (\d+) samples", output).group(1)), 1_000_000, output)

    def screenshot(self, name, seconds, *arguments):
        picture = self.out / f"{name}.png"
        result = run([str(SOURCE / "tools" / "screenshot_gui.sh"), str(picture), str(seconds), sys.executable, str(self.out / f"{name}.py"), *arguments])
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertNotIn("Traceback", result.stderr)
        self.assertGreater(picture.stat().st_size, 10000)

    def test_graphical_ones_show_something(self):
        graphical = {p.stem for p in FLOWGRAPHS if options_of(p)["generate_options"] == "qt_gui"}
        self.assertEqual(graphical, {"loopback_gui", "monitor_gui", "satellite_pass_gui"})
        self.screenshot("loopback_gui", 3)
        self.screenshot("satellite_pass_gui", 3)
        with RunningAir() as air:
            beacon = self.beacon(air, "alpha", 6)
            self.screenshot("monitor_gui", 5, "--device", f"air:{air.socket}#bravo", "--capture", str(self.out / "monitor.pcap"))
            self.output_of(beacon)
        self.assertIn(b"meshnet beacon", (self.out / "monitor.pcap").read_bytes())

    def test_every_one_is_explained(self):
        page = (SOURCE / "docs" / "flowgraphs.md").read_text()
        for path in FLOWGRAPHS:
            self.assertIn(f"## {path.stem}", page)
            ids = [b["id"] for b in yaml.safe_load(path.read_text())["blocks"]]
            if path.stem not in ("loopback", "loopback_gui", "two_stations"):
                self.assertGreaterEqual(ids.count("note"), 2, path.stem)  # in the canvas: what to change


if __name__ == "__main__":
    unittest.main(verbosity=2)

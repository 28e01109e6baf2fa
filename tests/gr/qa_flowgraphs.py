#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Every flowgraph compiles; the headless ones are run and believed only by what they print; the graphical ones are looked at."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import yaml

SOURCE = pathlib.Path(os.environ["MESHNET_SOURCE_DIR"])
FLOWGRAPHS = sorted((SOURCE / "grc" / "flowgraphs").glob("*.grc"))
LONGEST = 300  # seconds: a hang, not a measure


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
        self.assertGreaterEqual(len(FLOWGRAPHS), 3)
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

    def test_graphical_ones_show_something(self):
        graphical = [p.stem for p in FLOWGRAPHS if options_of(p)["generate_options"] == "qt_gui"]
        self.assertTrue(graphical)
        for name in graphical:
            picture = self.out / f"{name}.png"
            script = SOURCE / "tools" / "screenshot_gui.sh"
            result = run([str(script), str(picture), "3", sys.executable, str(self.out / f"{name}.py")])
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertNotIn("Traceback", result.stderr)
            self.assertGreater(picture.stat().st_size, 10000)


if __name__ == "__main__":
    unittest.main(verbosity=2)

#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Component `gr`, installed into a prefix of its own, works with PYTHONPATH and GRC_BLOCKS_PATH alone."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

BUILD = os.environ["MESHNET_BINARY_DIR"]
LONGEST = 300  # seconds: a hang, not a measure


class Install(unittest.TestCase):
    def test_installed_blocks_and_flowgraphs_run(self):
        with tempfile.TemporaryDirectory() as directory:
            prefix = pathlib.Path(directory) / "prefix"
            subprocess.run(["cmake", "--install", BUILD, "--prefix", str(prefix), "--component", "gr"], check=True, capture_output=True)
            environment = dict(os.environ)
            environment["PYTHONPATH"] = str(prefix / "lib" / "python3" / "dist-packages")
            environment["GRC_BLOCKS_PATH"] = str(prefix / "share" / "gnuradio" / "grc" / "blocks")
            where = subprocess.run(
                [sys.executable, "-c", "from gnuradio import meshnet; print(meshnet.__file__)"],
                check=True, capture_output=True, text=True, env=environment,
            )
            self.assertTrue(where.stdout.startswith(str(prefix)), where.stdout)
            graph = prefix / "share" / "gnuradio" / "examples" / "meshnet" / "loopback.grc"
            subprocess.run([sys.executable, shutil.which("grcc"), "-o", directory, str(graph)], check=True, capture_output=True, env=environment)
            output = subprocess.run(
                [sys.executable, str(pathlib.Path(directory) / "loopback.py"), "--frames", "5"],
                check=True, capture_output=True, text=True, env=environment, timeout=LONGEST,
            )
            self.assertIn("received: 5 of 5", output.stdout)
            self.assertTrue((prefix / "include" / "gnuradio" / "meshnet" / "ofdm_receiver.h").exists())


if __name__ == "__main__":
    unittest.main(verbosity=2)

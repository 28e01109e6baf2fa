#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Every block has a YAML file that GNU Radio Companion accepts, documentation, asserts, a docstring and a QA test."""

import inspect
import os
import pathlib
import re
import tempfile
import unittest

import yaml
from gnuradio import gr

from gnuradio import meshnet
from gnuradio.grc.core.platform import Platform

DESCRIPTIONS = pathlib.Path(os.environ["GRC_BLOCKS_PATH"])  # made by the build from grc/*.block.yml.in
HERE = pathlib.Path(__file__).parent
SOURCE = pathlib.Path(os.environ["MESHNET_SOURCE_DIR"])


def block_names():
    return sorted(n for n, c in inspect.getmembers(meshnet, inspect.isclass) if hasattr(c, "to_basic_block"))


class Platforms:
    """GNU Radio Companion's core with all block paths, built once."""

    instance = None

    @classmethod
    def get(cls):
        if cls.instance is None:
            cls.instance = Platform(
                name="meshnet tests",
                prefs=gr.prefs(),
                version=gr.version(),
                version_parts=(gr.major_version(), gr.api_version(), gr.minor_version()),
            )
            cls.instance.build_library()
        return cls.instance


class Blocks(unittest.TestCase):
    def test_there_are_blocks(self):
        self.assertGreaterEqual(len(block_names()), 14)

    def test_every_block_has_its_yaml_and_every_yaml_its_block(self):
        files = {p.name for p in DESCRIPTIONS.glob("*.block.yml")}
        self.assertEqual(files, {f"meshnet_{n}.block.yml" for n in block_names()})

    def test_yaml_documents_every_port_and_parameter_choice(self):
        for name in block_names():
            data = yaml.safe_load((DESCRIPTIONS / f"meshnet_{name}.block.yml").read_text())
            with self.subTest(block=name):
                self.assertEqual(data["id"], f"meshnet_{name}")
                self.assertEqual(data["category"], "[meshnet]")
                self.assertTrue(data["asserts"])
                self.assertGreater(len(data["documentation"]), 300)
                for port in data.get("inputs", []) + data.get("outputs", []):
                    if port["domain"] == "message":
                        self.assertIn(port["id"], data["documentation"])
                for parameter in data["parameters"]:
                    self.assertIn("default", parameter)

    def test_parameters_are_those_of_the_python_class_in_order(self):
        for name in block_names():
            data = yaml.safe_load((DESCRIPTIONS / f"meshnet_{name}.block.yml").read_text())
            signature = getattr(meshnet, name).__init__.__doc__.splitlines()[0]
            arguments = re.findall(r"(\w+): ", signature)[1:]  # without self
            self.assertEqual([p["id"] for p in data["parameters"]], arguments, name)

    def test_choices_offered_are_those_there_are(self):
        def there_are(make, *arguments):
            with self.assertRaises(ValueError) as caught:
                make(*arguments)
            return str(caught.exception).split("known are ")[1].split()

        profiles = there_are(meshnet.ofdm_receiver, "none such")
        modes = there_are(meshnet.ofdm_transmitter, "1M", "none such")
        for name in block_names():
            data = yaml.safe_load((DESCRIPTIONS / f"meshnet_{name}.block.yml").read_text())
            offered = {p["id"]: p.get("options") for p in data["parameters"]}
            if "profile" in offered:
                self.assertEqual(offered["profile"], profiles, name)
            if offered.get("mode"):
                self.assertEqual(offered["mode"], modes, name)
        documentation = yaml.safe_load((DESCRIPTIONS / "meshnet_channel.block.yml").read_text())["documentation"]
        for line in meshnet.channel.models().splitlines():
            self.assertRegex(documentation, rf"\b{line.split(chr(9))[0]}\b")

    def test_python_explains_every_class_and_method(self):
        for name in block_names():
            own = getattr(meshnet, name)
            self.assertGreater(len(own.__doc__ or ""), 60, name)
            for member, value in vars(own).items():
                if callable(value) and not member.startswith("_"):
                    text = value.__doc__ or ""
                    self.assertTrue(text, f"{name}.{member}")

    def test_counters_that_are_explained_exist(self):
        made = {
            "contention_mac": lambda: meshnet.contention_mac("1M"),
            "ofdm_receiver": lambda: meshnet.ofdm_receiver("1M"),
            "ofdm_transmitter": lambda: meshnet.ofdm_transmitter("1M"),
            "radio": lambda: meshnet.radio("1M", f"file:{self.recording()}"),
            "router": lambda: meshnet.router(seed=1),
            "station_node": lambda: meshnet.station_node("1M", seed=1),
            "transmit_guard": lambda: meshnet.transmit_guard(),
        }
        self.assertEqual({n for n in block_names() if hasattr(getattr(meshnet, n), "counters")}, set(made))
        for name, make in made.items():
            known = make().counters()
            header = (SOURCE / "gr-meshnet" / "include" / "gnuradio" / "meshnet" / f"{name}.h").read_text()
            comment = re.search(r"((?:\s*///.*\n)+)\s*\[\[nodiscard\]\] virtual .*counters\(\)", header).group(1)
            for text in (comment, getattr(meshnet, name).counters.__doc__.split("Since", 1)[1]):
                listed = re.findall(r"\b[a-z]+(?:_[a-z]+)+\b", re.sub(r"tags rx_rate|refused_\.\.\.", "", text))
                self.assertTrue(listed, name)
                for counter in listed:
                    self.assertIn(counter, known, name)

    def recording(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        path = pathlib.Path(directory.name) / "silence.cf32"
        path.write_bytes(bytes(8000))
        return path

    def test_every_block_is_made_in_a_qa_test(self):
        tests = "".join(p.read_text() for p in HERE.glob("qa_*.py"))
        for name in block_names():
            self.assertTrue(f"meshnet.{name}(" in tests, name)


class Companion(unittest.TestCase):
    def make(self, name, **parameters):
        graph = Platforms.get().make_flow_graph()
        block = graph.new_block(f"meshnet_{name}")
        self.assertIsNotNone(block, name)
        block.params["id"].set_value("under_test")
        for key, value in parameters.items():
            block.params[key].set_value(value)
        graph.rewrite()
        block.validate()
        return block

    def errors(self, block):
        """Of the block and its parameters; ports are not connected here."""
        out = [str(m) for p in block.params.values() for m in p.get_error_messages()]
        return [m for m in out + list(block._error_messages) if m]

    def test_defaults_are_valid(self):
        for name in block_names():
            self.assertEqual(self.errors(self.make(name)), [], name)

    def test_asserts_catch_what_the_block_would_refuse(self):
        for name, parameters in (
            ("ofdm_transmitter", {"gap": "-1"}),
            ("ofdm_transmitter", {"profile": "3M"}),
            ("ofdm_transmitter", {"idle": "silence"}),
            ("ofdm_transmitter", {"pad_multiple": "0"}),
            ("ofdm_transmitter", {"queue_seconds": "0"}),
            ("ofdm_receiver", {"max_iterations": "0"}),
            ("transmit_guard", {"fill": "ones"}),
            ("transmit_guard", {"bands": "['EU 868.0-868.6']"}),
            ("decoder", {"max_iterations": "0"}),
            ("synchronizer", {"longest_preamble": "none"}),
            ("demodulator", {"profile": "3M"}),
            ("probe", {"window": "0"}),
            ("packet_capture", {"file": ""}),
            ("radio", {"device": "hackrf"}),
            ("virtual_air", {"stations": "0"}),
            ("router", {"answer_s": "0"}),
            ("contention_mac", {"duty_cycle": "0"}),
            ("channel", {"sfo_ppm": "2000"}),
            ("channel", {"delay_s": "-1"}),
            ("station_node", {"lead_s": "1"}),
            ("station_node", {"lead_s": "0.04", "turnaround_s": "0.04"}),
        ):
            with self.subTest(block=name, parameters=parameters):
                self.assertNotEqual(self.errors(self.make(name, **parameters)), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)

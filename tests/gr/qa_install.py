#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What `cmake --install` puts below the default prefix works as it lies there, without any variable set; component `gr` works in a prefix of its own."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

BUILD = pathlib.Path(os.environ["MESHNET_BINARY_DIR"])
SOURCE = pathlib.Path(os.environ["MESHNET_SOURCE_DIR"])
LONGEST = 300  # seconds: a hang, not a measure
PROGRAMS = ("meshnetd", "meshnet-cli", "meshnet-air", "meshnet-page")


def run(command, **kwargs):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=LONGEST, **kwargs)
    if done.returncode != 0:
        raise AssertionError(f"{command} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def setting(name):
    for line in (BUILD / "CMakeCache.txt").read_text().splitlines():
        if line.startswith(name + ":"):
            return line.split("=", 1)[1]
    return ""


def namespaces_work():
    return shutil.which("bwrap") and subprocess.run(["bwrap", "--ro-bind", "/", "/", "true"], capture_output=True).returncode == 0


class Default(unittest.TestCase):
    """Installed below DESTDIR; the program sees that folder in the place of the prefix, in a namespace of its own."""

    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory()
        cls.root = pathlib.Path(cls.directory.name) / "root"
        run(["cmake", "--install", BUILD], env={**os.environ, "DESTDIR": str(cls.root)})
        cls.prefix = pathlib.Path(setting("CMAKE_INSTALL_PREFIX"))
        cls.installed = cls.root / cls.prefix.relative_to("/")

    @classmethod
    def tearDownClass(cls):
        cls.directory.cleanup()

    def inside(self, *command):
        """In a clean environment, with what was installed at the prefix. The loader's cache is not made anew: rpaths must do."""
        clean = {"PATH": f"{self.prefix}/bin:/usr/bin:/bin", "HOME": "/tmp"}
        return run(["bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp", "--bind", self.installed, self.prefix,
                    "--chdir", "/tmp", "--clearenv", *[w for k, v in clean.items() for w in ("--setenv", k, v)], *command])

    @unittest.skipUnless(namespaces_work(), "install bubblewrap")
    def test_python_companion_and_flowgraphs_find_it(self):
        where = self.inside("/usr/bin/python3", "-c", "from gnuradio import meshnet; print(meshnet.__file__)")
        self.assertTrue(where.startswith(str(self.prefix)), where)
        graph = f"{self.prefix}/share/gnuradio/examples/meshnet/loopback.grc"
        output = self.inside("/bin/sh", "-c", f"/usr/bin/python3 /usr/bin/grcc -o /tmp {graph} >/dev/null && /usr/bin/python3 /tmp/loopback.py --frames 5")
        self.assertIn("received: 5 of 5", output)

    @unittest.skipUnless(namespaces_work(), "install bubblewrap")
    def test_programs_and_their_pages_are_found(self):
        for program in PROGRAMS:
            self.assertIn(program, self.inside(program, "--help").splitlines()[0] + program)
            if shutil.which("man"):
                self.assertIn("SYNOPSIS", self.inside("/bin/sh", "-c", f"MANPATH={self.prefix}/share/man man -P cat {program}"))
        self.assertIn("meshair", self.inside("/bin/sh", "-c", f"ls {self.prefix}/lib*/SoapySDR/modules* {self.prefix}/lib/*/SoapySDR/modules* 2>/dev/null; true"))

    def test_every_page_is_well_made(self):
        for program in PROGRAMS:
            page = self.installed / "share" / "man" / "man1" / f"{program}.1"
            text = page.read_text()
            self.assertIn(".SH NAME", text)
            self.assertNotIn(str(BUILD), text)
            if shutil.which("groff"):
                done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z", str(page)], capture_output=True, text=True)
                self.assertEqual(done.stderr, "", program)
        self.assertIn("frequency_hz", (self.installed / "share/man/man1/meshnetd.1").read_text())
        self.assertIn(".SS meshnet\\-cli modulate", (self.installed / "share/man/man1/meshnet-cli.1").read_text())

    def test_the_library_has_a_version(self):
        libraries = sorted(p.name for p in self.installed.rglob("libgnuradio-meshnet.so*"))
        self.assertEqual(len(libraries), 3, libraries)
        real = next(p for p in self.installed.rglob("libgnuradio-meshnet.so*") if not p.is_symlink())
        self.assertRegex(run(["readelf", "-d", real]), r"SONAME.*libgnuradio-meshnet\.so\.0\.1\]")

    def test_cpp_programs_find_it_by_cmake_and_by_pkg_config(self):
        with tempfile.TemporaryDirectory() as directory:
            work = pathlib.Path(directory)
            (work / "main.cc").write_text(
                "#include <gnuradio/meshnet/ofdm_receiver.h>\n#include <cstdio>\n"
                'int main() { std::printf("%g\\n", gr::meshnet::ofdm_receiver::make("1M")->sample_rate()); }\n'
            )
            (work / "CMakeLists.txt").write_text(
                "cmake_minimum_required(VERSION 3.22)\nproject(outside CXX)\nset(CMAKE_CXX_STANDARD 17)\nfind_package(gnuradio-meshnet REQUIRED)\n"
                "add_executable(outside main.cc)\ntarget_link_libraries(outside gnuradio::gnuradio-meshnet)\n"
            )
            run(["cmake", "-S", work, "-B", work / "build", f"-DCMAKE_PREFIX_PATH={self.installed}"])
            run(["cmake", "--build", work / "build"])
            self.assertEqual(run([work / "build" / "outside"]), "1e+06\n")
            config = next(self.installed.rglob("gnuradio-meshnet.pc")).parent
            flags = run(["pkg-config", "--cflags", "--libs", "gnuradio-meshnet"], env={**os.environ, "PKG_CONFIG_PATH": str(config)}).split()
            # The libraries of GNU Radio's own dependencies are not installed for linking everywhere: allow what they leave open.
            run([setting("CMAKE_CXX_COMPILER"), "-std=c++17", work / "main.cc", "-o", work / "by-pkg-config", *flags, "-Wl,--allow-shlib-undefined"])
            library = next(self.installed.rglob("libgnuradio-meshnet.so")).parent
            self.assertEqual(run([work / "by-pkg-config"], env={**os.environ, "LD_LIBRARY_PATH": str(library)}), "1e+06\n")


class Own(unittest.TestCase):
    def test_component_gr_in_a_prefix_of_its_own(self):
        with tempfile.TemporaryDirectory() as directory:
            prefix = pathlib.Path(directory) / "prefix"
            run(["cmake", "--install", BUILD, "--prefix", prefix, "--component", "gr"])
            environment = dict(os.environ)
            environment["PYTHONPATH"] = str(prefix / setting("MESHNET_PYTHON_DIR"))
            environment["GRC_BLOCKS_PATH"] = str(prefix / "share" / "gnuradio" / "grc" / "blocks")
            where = run([sys.executable, "-c", "from gnuradio import meshnet; print(meshnet.__file__)"], env=environment)
            self.assertTrue(where.startswith(str(prefix)), where)
            graph = prefix / "share" / "gnuradio" / "examples" / "meshnet" / "loopback.grc"
            run([sys.executable, shutil.which("grcc"), "-o", directory, graph], env=environment)
            output = run([sys.executable, pathlib.Path(directory) / "loopback.py", "--frames", "5"], env=environment)
            self.assertIn("received: 5 of 5", output)
            self.assertTrue((prefix / "include" / "gnuradio" / "meshnet" / "ofdm_receiver.h").exists())
            self.assertTrue((prefix / "share" / "gnuradio" / "meshnet" / "meshnet.lua").exists())


class Sources(unittest.TestCase):
    @unittest.skipUnless(shutil.which("gr_modtool"), "install gnuradio-dev")
    def test_gr_modtool_finds_the_module(self):
        output = run(["gr_modtool", "info"], cwd=SOURCE / "gr-meshnet")
        self.assertIn("Module name: meshnet", output)
        self.assertIn("post-3.10", output)

    def test_the_manifest_is_complete(self):
        import yaml

        head, text = (SOURCE / "gr-meshnet" / "MANIFEST.md").read_text().split("---\n", 1)
        data = yaml.safe_load(head)
        for key in ("title", "brief", "tags", "author", "copyright_owner", "license", "gr_supported_version", "dependencies"):
            self.assertTrue(data[key], key)
        self.assertGreater(len(text), 300)

    def test_the_conda_recipe_can_be_read(self):
        import yaml

        text = (SOURCE / "tools" / "conda" / "meta.yaml").read_text()
        version = next(line.split('"')[1] for line in text.splitlines() if "set version" in line)
        self.assertIn(f"project(meshnet VERSION {version} ", (SOURCE / "CMakeLists.txt").read_text())
        plain = "\n".join(line for line in text.splitlines() if "{%" not in line).replace("{{", "'").replace("}}", "'").replace("'cxx'", "cxx").replace("'volk'", "volk").replace("'uhd'", "uhd").replace("'soapysdr'", "soapysdr")
        data = yaml.safe_load(plain)
        self.assertEqual(data["package"]["name"], "gnuradio-meshnet")
        self.assertGreater(len(data["requirements"]["host"]), 10)
        run(["bash", "-n", SOURCE / "tools" / "conda" / "build.sh"])

    @unittest.skipUnless(shutil.which("doxygen"), "install doxygen")
    def test_the_public_headers_give_no_warning(self):
        with tempfile.TemporaryDirectory() as directory:
            text = (BUILD / "gr-meshnet" / "Doxyfile").read_text() + f"\nOUTPUT_DIRECTORY = {directory}\n"
            file = pathlib.Path(directory) / "Doxyfile"
            file.write_text(text)
            done = subprocess.run(["doxygen", str(file)], capture_output=True, text=True, timeout=LONGEST)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertTrue((pathlib.Path(directory) / "html" / "index.html").exists())


if __name__ == "__main__":
    unittest.main(verbosity=2)

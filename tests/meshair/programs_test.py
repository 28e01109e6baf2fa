#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Third-party programs on the virtual radio, unchanged: SoapySDRUtil, gr-soapy, gr-osmosdr, gr-uhd.

A program that is not installed is named and skipped. Nothing is timed: time limits end hangs."""
import argparse
import os
import subprocess
import sys
import tempfile
import textwrap
import unittest

AIR = """
sample_rate_hz = 1e6
carrier_hz = 868e6
[[station]]
name = "alpha"
[[station]]
name = "bravo"
x_m = 3000.0
[[station]]
name = "charlie"
y_m = 3000.0
clock_ppm = 20.0
"""
HANG_S = 180

# Receives 200000 samples of each source and prints their mean power.
RECEIVE = """
import sys
from gnuradio import blocks, gr
%s
top = gr.top_block()
head = blocks.head(gr.sizeof_gr_complex, 200000)
sink = blocks.vector_sink_c()
top.connect(source, head, sink)
top.run()
samples = sink.data()
print('received', len(samples), 'power', sum(abs(s) ** 2 for s in samples) / len(samples))
"""

# One station sends a carrier, another hears it: the power of the last samples.
TALK = """
from gnuradio import analog, blocks, gr, soapy
args = '%s'
sender = soapy.sink(args + ',station=alpha', 'fc32', 1, '', '', [''], [''])
sender.set_sample_rate(0, 1e6)
sender.set_frequency(0, 868.1e6)
sender.set_gain(0, 89.75)
source = soapy.source(args + ',station=bravo', 'fc32', 1, '', '', [''], [''])
source.set_sample_rate(0, 1e6)
source.set_frequency(0, 868e6)
source.set_gain(0, 40.0)
top = gr.top_block()
tone = analog.sig_source_c(1e6, analog.GR_COS_WAVE, 50e3, 0.25)
top.connect(tone, sender)
own = soapy.source(args + ',station=alpha', 'fc32', 1, '', '', [''], [''])  # shares the device with the sink
own.set_sample_rate(0, 1e6)
top.connect(own, blocks.null_sink(gr.sizeof_gr_complex))
head = blocks.head(gr.sizeof_gr_complex, 1500000)
sink = blocks.vector_sink_c()
top.connect(source, head, sink)
top.start()
while len(sink.data()) < 1500000:
    import time
    time.sleep(0.1)
top.stop()
top.wait()
samples = sink.data()
best = max(sum(abs(s) ** 2 for s in samples[at:at + 1000]) / 1000 for at in range(0, 1500000, 10000))
print('heard', best)
"""


def importable(module):
    return subprocess.run([sys.executable, '-c', 'import ' + module], capture_output=True).returncode == 0


class Programs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        config = os.path.join(cls.folder.name, 'air.toml')
        with open(config, 'w') as file:
            file.write(AIR)
        cls.socket = os.path.join(cls.folder.name, 'air.sock')
        cls.air = subprocess.Popen([os.path.join(options.bin, 'meshnet-air'), '--config', config, '--socket', cls.socket],
                                   stdout=subprocess.PIPE, text=True)
        for line in cls.air.stdout:
            if line.startswith('listening'):
                break
        cls.environment = dict(os.environ, SOAPY_SDR_PLUGIN_PATH=options.modules)
        cls.device = 'driver=meshair,air=' + cls.socket

    @classmethod
    def tearDownClass(cls):
        cls.air.terminate()
        cls.air.stdout.read()
        cls.air.wait()
        cls.air.stdout.close()
        cls.folder.cleanup()

    def run_program(self, *command):
        return subprocess.run(command, capture_output=True, text=True, timeout=HANG_S, env=self.environment)

    def run_flowgraph(self, text):
        done = self.run_program(sys.executable, '-c', textwrap.dedent(text))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def check_reception(self, source):
        out = self.run_flowgraph(RECEIVE % source)
        words = [line for line in out.splitlines() if line.startswith('received')][0].split()
        self.assertEqual(int(words[1]), 200000)
        self.assertGreater(float(words[3]), 0.0)

    def test_soapy_util_finds_the_stations(self):
        done = self.run_program('SoapySDRUtil', '--find=' + self.device)
        self.assertEqual(done.returncode, 0, done.stderr)
        for name in ('alpha', 'bravo', 'charlie'):
            self.assertIn('station = ' + name, done.stdout)

    def test_soapy_util_probes(self):
        done = self.run_program('SoapySDRUtil', '--probe=' + self.device + ',station=alpha')
        self.assertEqual(done.returncode, 0, done.stderr)
        for words in ('hardware=meshair-usrp', 'Timestamps: YES', 'Sample rates: [0.2, 61.44] MSps'):
            self.assertIn(words, done.stdout)
        done = self.run_program('SoapySDRUtil', '--probe=' + self.device + ',station=alpha,model=hackrf')
        for words in ('hardware=meshair-hackrf', 'Timestamps: NO', 'Full-duplex: NO', 'LNA gain range: [0, 40, 8] dB'):
            self.assertIn(words, done.stdout)

    def test_wrong_arguments_are_one_line(self):
        for arguments, words in ((',station=zulu', "no station is called 'zulu' on this air; its stations are: alpha, bravo, charlie"),
                                 (',station=alpha,model=x', "no model is called 'x'; known: usrp, hackrf")):
            done = self.run_program('SoapySDRUtil', '--make=' + self.device + arguments)
            self.assertNotEqual(done.returncode, 0)
            lines = [line for line in (done.stdout + done.stderr).splitlines() if words in line]
            self.assertEqual(len(lines), 1, done.stdout + done.stderr)
        done = self.run_program('SoapySDRUtil', '--make=driver=meshair,air=/nowhere,station=alpha')
        self.assertIn('no air server listens at /nowhere', done.stdout + done.stderr)

    @unittest.skipUnless(importable('gnuradio.soapy'), 'install gnuradio')
    def test_gr_soapy_receives(self):
        for model, rate in (('usrp', 1e6), ('hackrf', 2e6)):
            self.check_reception("""
from gnuradio import soapy
source = soapy.source('%s,station=charlie,model=%s', 'fc32', 1, '', '', [''], [''])
source.set_sample_rate(0, %g)
source.set_frequency(0, 868e6)
source.set_gain(0, 40.0)
""" % (self.device, model, rate))

    @unittest.skipUnless(importable('gnuradio.soapy'), 'install gnuradio')
    def test_gr_soapy_talks(self):
        heard = float(self.run_flowgraph(TALK % self.device).split()[-1])
        self.assertGreater(heard, 0.01)  # the noise is 33 dB below full scale, the carrier 2 dB

    @unittest.skipUnless(importable('osmosdr'), 'install gr-osmosdr')
    def test_gr_osmosdr_receives(self):
        self.check_reception("""
import osmosdr
source = osmosdr.source(args='soapy=0,%s,station=charlie')
source.set_sample_rate(1e6)
source.set_center_freq(868e6)
source.set_gain(40.0)
""" % self.device)

    @unittest.skipUnless(importable('gnuradio.uhd'), 'install gnuradio')
    def test_gr_uhd_receives(self):
        self.check_reception("""
from gnuradio import uhd
source = uhd.usrp_source('type=soapy,%s,station=charlie', uhd.stream_args(cpu_format='fc32', channels=[0]))
source.set_samp_rate(1e6)
source.set_center_freq(868e6)
source.set_gain(40.0)
""" % self.device)


parser = argparse.ArgumentParser()
parser.add_argument('--bin', required=True)
parser.add_argument('--modules', required=True)
options, rest = parser.parse_known_args()
if __name__ == '__main__':
    unittest.main(argv=[sys.argv[0]] + rest)

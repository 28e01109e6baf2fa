# SPDX-License-Identifier: MIT
"""What the QA tests hear messages with.

A message block of GNU Radio ends when one of the blocks before it says that it is done, even with messages still in its queue. So a test
that counts messages must not wait for the end of the flowgraph: it waits until what it expects is there, and stops the flowgraph itself.
"""

import threading

import numpy
import pmt
from gnuradio import gr

LONGEST = 300  # seconds: a hang, not a measure


def make_pdu(payload, **meta):
    fields = pmt.make_dict()
    for key, value in meta.items():
        fields = pmt.dict_add(fields, pmt.intern(key), pmt.to_pmt(value))
    return pmt.cons(fields, pmt.init_u8vector(len(payload), list(payload)))


def post(block, port, message):
    """As if `message` came from another block."""
    block.to_basic_block()._post(pmt.intern(port), message)


class Ears(gr.basic_block):
    """Keeps what a port publishes; `enough` is set once `wanted(message)` was true."""

    def __init__(self, wanted):
        gr.basic_block.__init__(self, name="ears", in_sig=None, out_sig=None)
        self.messages = []
        self.wanted = wanted
        self.enough = threading.Event()
        self.message_port_register_in(pmt.intern("in"))
        self.set_msg_handler(pmt.intern("in"), self.hear)

    @classmethod
    def count(cls, number):
        ears = cls(lambda message: len(ears.messages) >= number)
        if number == 0:
            ears.enough.set()
        return ears

    def hear(self, message):
        self.messages.append(message)
        if self.wanted(message):
            self.enough.set()

    def pdus(self):
        return [(pmt.to_python(pmt.car(m)), bytes(pmt.u8vector_elements(pmt.cdr(m)))) for m in self.messages]


class Samples(gr.sync_block):
    """Sends samples and tags, a list of (offset, key, value), and then waits: the flowgraph goes on."""

    def __init__(self, samples, tags=()):
        gr.sync_block.__init__(self, name="samples", in_sig=None, out_sig=[numpy.complex64])
        self.samples = numpy.asarray(samples, dtype=numpy.complex64)
        self.tags = list(tags)
        self.at = 0

    def work(self, input_items, output_items):
        n = min(len(output_items[0]), len(self.samples) - self.at)
        output_items[0][:n] = self.samples[self.at : self.at + n]
        for offset, key, value in self.tags:
            if self.at <= offset < self.at + n:
                self.add_item_tag(0, offset, pmt.intern(key), value)
        self.at += n
        return n


def run_until(tb, *ears):
    """Runs until all have heard enough; false if that never happens."""
    tb.start()
    ok = all(e.enough.wait(LONGEST) for e in ears)
    tb.stop()
    tb.wait()
    return ok

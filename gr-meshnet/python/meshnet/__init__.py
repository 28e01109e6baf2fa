# SPDX-License-Identifier: GPL-3.0-or-later
"""Blocks of meshnet, the open-protocol long-range mesh network: modem, channel and station."""

# The runtime's types must be known to Python before a class is derived from them.
from gnuradio import gr  # noqa: F401

from .meshnet_python import *  # noqa: F401,F403

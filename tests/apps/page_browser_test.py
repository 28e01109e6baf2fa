#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The status page in a headless Chromium beside real daemons: no error in its console, charts with points, canvases with
a picture, no sideways scroll on a phone, banners when the daemon hangs and when the radio is lost. With a folder as the
last argument it leaves screenshots there."""
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import browser

HANG = 240.0  # seconds: ends a hang, no measure of the machine
SKIPPED = 77
PAGE, DAEMON, AIR, SOURCE = sys.argv[1:5]
SHOTS = pathlib.Path(sys.argv[5]) if len(sys.argv) > 5 else None
STARTED = []
# Colours of the middle of a canvas, where its picture is and no text and no scale.
COLOURS = """(() => { const c = document.getElementById("%s"), w = c.width, h = c.height;
  const d = c.getContext("2d").getImageData(0.3 * w, 0.04 * h, 0.4 * w, 0.5 * h).data, seen = new Set();
  for (let i = 0; i < d.length; i += 4) seen.add(d[i] << 16 | d[i + 1] << 8 | d[i + 2]);
  return [...seen]; })()"""


def start(*command, **more):
    process = subprocess.Popen([str(c) for c in command], **more)
    STARTED.append(process)
    return process


def wait_for(done):
    until = time.monotonic() + HANG
    while not done():
        assert time.monotonic() < until, "nothing happened"
        time.sleep(0.1)


def stations(folder):
    """The air, two stations and the page of the first: air, daemon, page, address of the page."""
    air = start(AIR, "--config", pathlib.Path(SOURCE) / "tools/examples/air-coast-beacon-ship.toml", "--socket",
                folder / "air.sock", stdout=subprocess.DEVNULL)
    wait_for((folder / "air.sock").exists)
    daemons = []
    for name in ("coast", "beacon"):
        (folder / f"{name}.toml").write_text(
            f'[station]\nname = "{name}"\nkey_file = "{name}.key"\nledger_file = "{name}.ledger"\n'
            f'control_socket = "{name}.sock"\n[radio]\ndevice = "air:{folder}/air.sock#{name}"\n[tun]\nenabled = false\n')
        daemons.append(start(DAEMON, "--config", folder / f"{name}.toml", stderr=subprocess.DEVNULL))
        wait_for((folder / f"{name}.sock").exists)
    page = start(PAGE, "--config", folder / "coast.toml", "--port", "0", "--history", folder / "history.sqlite",
                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return air, daemons[0], page, page.stdout.readline().strip()


def word(tab, expected):
    tab.wait_for(f'at("word").textContent === "{expected}"')


def shot(tab, name):
    if SHOTS:
        tab.rest(1.0)
        tab.screenshot(SHOTS / f"{name}.png")


def check_page(tab):
    word(tab, "UP")
    tab.wait_for('document.querySelectorAll("#neighbours tr").length === 2')
    tab.wait_for('document.querySelectorAll("#routes tr").length === 2')
    for kind in ("snr_db", "loss", "mode", "exposure_msat"):
        tab.wait_for(f'past.charts.{kind} && past.charts.{kind}.numRows() > 0')
    tab.wait_for('document.querySelectorAll("#legend span").length >= 1')
    # Nothing is asked of the daemon's spectrum before the section is on the screen.
    tab.value('document.getElementById("signal").scrollIntoView()')
    tab.wait_for("signalView.rows.length > 20 && signalView.last.constellation.length > 20")
    for canvas, least in (("waterfall", 3), ("constellation", 3)):  # blank they have one and two
        tab.wait_for(COLOURS % canvas + f".length > {least}")
    for colour in (0xd55e00, 0x0072b2):  # sent and heard
        tab.wait_for(COLOURS % "bursts" + f".includes({colour})")
    kinds = tab.value('[...new Set([...signalView.bursts.values()].map(kindOf))]')
    assert "sent" in kinds and "received" in kinds, kinds
    for span in (86400, 3628800):
        tab.value(f"document.querySelector('#spans button[value=\"{span}\"]').click()")
        tab.wait_for(f"(() => {{ const [a, b] = past.charts.snr_db.xAxisRange(); return Math.abs(b - a - {span}e3) < 1e3; }})()")
    tab.value("document.querySelector('#spans button').click()")
    tab.value("scrollTo(0, 0)")
    wide = tab.value("[document.documentElement.scrollWidth, innerWidth]")
    assert wide[0] <= wide[1], f"the page scrolls sideways: {wide}"


def check_seen_only(tab):
    """Held, it asks for no signal; the spectrum is the daemon's work."""
    tab.value('document.getElementById("signal").scrollIntoView()')
    tab.wait_for("signalSeen()")
    tab.value('at("signal_pause").click()')
    assert not tab.value("signalSeen()")
    tab.value('at("signal_pause").click()')
    assert tab.value("signalSeen()")
    tab.value("scrollTo(0, 0)")
    tab.wait_for("!signalSeen()")


def check_banners(tabs, air, daemon):
    daemon.send_signal(signal.SIGSTOP)
    for name, tab in tabs.items():
        word(tab, "NO ANSWER")
        assert not tab.value('at("banner").hidden') and "has not answered" in tab.value('at("banner").textContent')
        shot(tab, f"{name}-no-answer")
    daemon.send_signal(signal.SIGCONT)
    for tab in tabs.values():
        word(tab, "UP")
        assert tab.value('at("banner").hidden')
    air.kill()
    for name, tab in tabs.items():
        word(tab, "RADIO LOST")
        assert "No samples for" in tab.value('at("banner").textContent')
        shot(tab, f"{name}-radio-lost")
    daemon.kill()
    for tab in tabs.values():
        word(tab, "DOWN")


def main(folder):
    air, daemon, page, url = stations(folder)
    tabs = {"desktop": browser.Browser(1280, 900, hang=HANG), "phone": browser.Browser(360, 740, phone=True, hang=HANG)}
    try:
        for name, tab in tabs.items():
            tab.open(url)
            check_page(tab)
            shot(tab, name)
        assert tabs["phone"].value('getComputedStyle(document.querySelector("#neighbours tr.heads")).display') == "none"
        check_seen_only(tabs["desktop"])
        check_banners(tabs, air, daemon)
        for name, tab in tabs.items():
            assert not tab.problems, (name, tab.problems)
        page.terminate()
        assert page.wait(HANG) == 0
        word(tabs["desktop"], "NO PAGE")
    finally:
        for tab in tabs.values():
            tab.close()


if not browser.program():
    print("skipped: Chromium is not installed (package chromium)")
    sys.exit(SKIPPED)
if not os.path.exists("/usr/share/javascript/dygraphs/dygraph.min.js"):
    print("skipped: dygraphs is not installed (package libjs-dygraphs)")
    sys.exit(SKIPPED)
with tempfile.TemporaryDirectory() as name:
    try:
        main(pathlib.Path(name))
    finally:
        for process in STARTED:
            process.kill()
            process.wait()

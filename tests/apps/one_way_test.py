#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A file over the air without a station: modulate --device sends, demodulate --device listens, through virtual radios.

The air runs at a quarter of real time, so that a busy machine loses no samples.
"""
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

HANG = 120.0  # seconds: ends a hang, no measure of the machine


def main():
    cli, air_program, plugins, source, library = sys.argv[1:6]
    os.environ["SOAPY_SDR_PLUGIN_PATH"] = plugins
    with tempfile.TemporaryDirectory(prefix="meshnet-") as name:
        folder = pathlib.Path(name)
        air = folder / "air.sock"
        processes = [subprocess.Popen([air_program, "--config", f"{source}/tools/examples/air-coast-beacon-ship.toml",
                                       "--socket", str(air), "--speed", "0.25"], stdout=subprocess.DEVNULL)]
        try:
            check(cli, folder, air, processes, library)
        finally:
            for process in processes:
                process.kill()
                process.wait()


def device(library, air, station):
    # Through UHD, Debian's uhd-soapysdr takes a receive offset the wrong way round.
    kind = {"soapy": "soapy:", "uhd": "uhd:type=soapy,"}[library]
    return ["--device", f"{kind}driver=meshair,air={air},station={station},model=usrp", "--set", "radio.offset_tuning=false",
            "--set", "radio.frequency_hz=868e6", "--set", "radio.rx_gain_db=40", "--set", "radio.tx_gain_db=89.75"]


def check(cli, folder, air, processes, library):
    wait_for(air.exists)
    listener = subprocess.Popen([cli, "demodulate", *device(library, air, "beacon"), "--json", "--output", str(folder / "got"),
                                 "--record", str(folder / "air.sigmf-data")],
                                stdout=open(folder / "frames", "wb"), stderr=open(folder / "listener.err", "wb"))
    processes.append(listener)
    wait_for(lambda: (folder / "air.sigmf-data").exists() and (folder / "air.sigmf-data").stat().st_size > 0)
    payload = os.urandom(6_000)

    # Without a band nothing is sent, and the line says what is missing.
    refused = subprocess.run([cli, "modulate", *device(library, air, "coast")], input=payload, capture_output=True, timeout=HANG)
    assert refused.returncode == 2 and b"[transmit] names no band" in refused.stderr, refused

    sent = subprocess.run([cli, "modulate", *device(library, air, "coast"), "--set", 'transmit.bands=["own lab"]',
                           "--set", 'transmit.own_bands=["lab, 866, 870, 60, 1"]',
                           "--set", 'transmit.authority="no antenna"', "--set", "transmit.full_scale_dbm=36",
                           "--set", "transmit.antenna_gain_dbi=6"], input=payload, capture_output=True, timeout=HANG)
    assert sent.returncode == 0, sent
    assert b"4 frames sent" in sent.stderr, sent
    wait_for(lambda: (folder / "frames").read_bytes().count(b'"mode"') == 4)
    listener.send_signal(signal.SIGINT)
    assert listener.wait(HANG) == 0
    assert (folder / "got").read_bytes() == payload
    lines = [json.loads(line) for line in (folder / "frames").read_text().splitlines()]
    summary = lines[-1]["summary"]
    assert summary["frames_ok"] == 4 and summary["samples_lost"] == 0, summary
    assert all(line["mode"] == "qpsk-1/2" and line["snr_db"] > 10 for line in lines[:-1]), lines

    # The recording holds the same frames.
    again = subprocess.run([cli, "demodulate", str(folder / "air.sigmf-data"), "--json"], capture_output=True, timeout=HANG)
    assert json.loads(again.stdout.splitlines()[-1])["summary"]["frames_ok"] == 4, again


def wait_for(done):
    until = time.monotonic() + HANG
    while not done():
        assert time.monotonic() < until, "nothing happened"
        time.sleep(0.05)


if __name__ == "__main__":
    main()

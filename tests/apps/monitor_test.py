#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""meshnet-cli monitor as a person meets it: on a terminal, in a pipe, as JSON; from recordings, the simulated air and
virtual radios. The air runs at a quarter of real time, so that a busy machine loses no samples."""
import fcntl
import json
import os
import pathlib
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time

HANG = 120.0  # seconds: ends a hang, no measure of the machine
CLI, AIR, DAEMON, PLUGINS, SOURCE = sys.argv[1:6]
STARTED = []  # processes that a failure would leave behind
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def wait_for(done):
    until = time.monotonic() + HANG
    while not done():
        assert time.monotonic() < until, "nothing happened"
        time.sleep(0.05)


def monitor(*options, **more):
    return subprocess.run([CLI, "monitor", *options], capture_output=True, text=True, timeout=HANG, **more)


def make_recording(folder):
    """Four frames with noise on them, and noise behind: the frames of `modulate`, which name no station."""
    path = folder / "x.cf32"
    subprocess.run([CLI, "modulate", "--output", str(path)], input=os.urandom(6_000), check=True, timeout=HANG)
    import random
    rng = random.Random(1)
    samples = path.read_bytes() + bytes(8 * 600_000)
    floats = struct.unpack(f"<{len(samples) // 4}f", samples)
    noisy = struct.pack(f"<{len(floats)}f", *(f + rng.uniform(-0.01, 0.01) for f in floats))
    path.write_bytes(noisy)
    return str(path)


def check_lines(recording):
    ran = monitor(recording)
    assert ran.returncode == 0 and ran.stderr == "" and "\x1b" not in ran.stdout, ran
    lines = ran.stdout.splitlines()
    assert sum("bytes  snr" in line and line.endswith("ok (2/2 blocks)") for line in lines) == 4, lines
    assert any(line.startswith("4 frames, 0 with errors") for line in lines), lines
    assert re.match(r"unnamed +4 +0 of 8 ", lines[-1]), lines
    ran = monitor(recording, "--json", "--every", "0.1")
    rows = [json.loads(line) for line in ran.stdout.splitlines()]
    frames = [row["frame"] for row in rows if "frame" in row]
    assert len(frames) == 4 and all(f["sender"] is None and f["crc_ok"] and f["bytes"] == 1500 for f in frames), frames
    channel = [row["channel"] for row in rows if "channel" in row]
    assert len(channel) == 6, channel
    # Uniform noise of +-0.01 in I and Q: 2 * 0.01^2 / 3 = -41.8 dBFS, spread over the bins.
    assert abs(channel[-1]["noise_floor_dbfs"] + 41.8) < 1.0, channel[-1]
    assert all(abs(x + 41.8 + 24.1) < 3.0 for x in channel[-1]["spectrum_dbfs"]), channel[-1]
    assert channel[0]["busy"] > 0.05 > channel[-1]["busy"] or channel[0]["busy"] > channel[-1]["busy"], channel
    summary = rows[-1]["summary"]
    assert summary["frames"] == 4 and summary["stations"][0]["blocks"] == 8 and summary["samples_lost"] == 0, summary
    assert 0.05 < summary["busy"] < 0.3, summary  # 80 of 680 ms, and what ends a frame
    assert monitor(recording, "--json", "--seconds", "0.03").stdout.count('"frame"') <= 2


class Screen:
    """A pseudo-terminal with the monitor on it."""

    def __init__(self, options, columns=80, rows=24, env=None):
        self.master, self.slave = pty.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.before = termios.tcgetattr(self.slave)
        variables = {k: v for k, v in os.environ.items() if k != "NO_COLOR"}
        variables.update({"TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}, **(env or {}))
        self.process = subprocess.Popen([CLI, "monitor", *options], stdin=self.slave, stdout=self.slave,
                                        stderr=self.slave, env=variables, start_new_session=True)
        STARTED.append(self.process)
        self.output = b""
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        while True:
            try:
                ready, _, _ = select.select([self.master], [], [], 0.1)
                if ready:
                    self.output += os.read(self.master, 65536)
                elif self.process.poll() is not None:
                    return
            except OSError:
                return

    def text(self):
        return self.output.decode("utf-8", "replace")

    def screens(self):
        """Every whole screen that was drawn, as lines without escapes."""
        out = []
        for part in self.text().split("\x1b[0m\x1b[?25h")[0].split("\x1b[1;1H")[1:]:  # of the last one some may lack yet
            lines = re.split(r"\x1b\[\d+;1H", part)
            out.append([ESCAPE.sub("", line) for line in lines if line != "\x1b[J"])
        return out or [[]]

    def wait(self, done):
        wait_for(lambda: done() or self.process.poll() is not None)
        assert done(), self.text()

    def press(self, keys):
        os.write(self.master, keys)

    def end(self, code=0):
        assert self.process.wait(HANG) == code, (self.process.returncode, self.text()[-2000:])
        self.reader.join(HANG)
        assert termios.tcgetattr(self.slave) == self.before, "the terminal's settings are not as they were"
        text = self.text()
        assert text.count("\x1b[?1049h") == text.count("\x1b[?1049l") == 1, "the other screen was not left"
        assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l"), "no cursor"
        os.close(self.master)
        os.close(self.slave)
        return ESCAPE.sub("", text.split("\x1b[?1049l")[1])


def check_screen(recording):
    screen = Screen([recording])  # at its own pace: 0.68 s
    after = screen.end()
    assert "4 frames, 0 with errors" in after and "unnamed" in after, after
    last = screen.screens()[-1]
    assert len(last) <= 24 and all(len(line) <= 80 for line in last), last
    assert any("▀" * 80 == line for line in last), last
    assert any("qpsk-1/2" in line and "2/2" in line for line in last), last
    assert "48;5;" in screen.text()

    # Without colours, and with a locale that has no such characters.
    screen = Screen([recording], env={"NO_COLOR": "1", "LC_ALL": "C"})
    screen.end()
    assert "38;5;" not in screen.text() and "48;5;" not in screen.text() and "▀" not in screen.text()
    assert any(sum(c in "=+*#%@" for c in line) > 40 for s in screen.screens() for line in s)

    # Every size, also silly ones.
    for columns, rows in ((1, 1), (10, 3), (40, 6), (80, 7), (133, 50), (300, 12)):
        screen = Screen([recording, "--seconds", "0.3"], columns, rows)
        screen.end()
        for lines in screen.screens():
            assert len(lines) <= rows and all(len(line) <= columns for line in lines), (columns, rows, lines)

    # A dumb terminal gets lines.
    ran = Screen([recording], env={"TERM": "dumb"})
    assert ran.process.wait(HANG) == 0
    ran.reader.join(HANG)
    assert "\x1b" not in ran.text() and "4 frames" in ran.text(), ran.text()


def check_keys(device):
    screen = Screen(device)
    screen.wait(lambda: any("100 ms a row" in line for s in screen.screens() for line in s))
    screen.press(b"+")
    screen.wait(lambda: any("200 ms a row" in line for line in screen.screens()[-1]))
    screen.press(b"--[")
    screen.wait(lambda: any("50 ms a row" in line and "(35 dB)" in line for line in screen.screens()[-1]))
    screen.press(b"\x1b[A\x1bOP\x1b[15~ ")  # an arrow and function keys are none of ours
    screen.wait(lambda: any("PAUSED" in line for line in screen.screens()[-1]))
    screen.press(b" ")
    screen.wait(lambda: not any("PAUSED" in line for line in screen.screens()[-1]))
    fcntl.ioctl(screen.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    screen.wait(lambda: any(len(line) == 120 for line in screen.screens()[-1]))
    screen.press(b"q")
    screen.end()
    for stop in (signal.SIGINT, signal.SIGTERM):
        screen = Screen(device)
        screen.wait(lambda: len(screen.screens()) > 1)
        screen.process.send_signal(stop)
        assert "samples lost" in screen.end()


def start_air(folder, processes):
    air = folder / "air.sock"
    processes.append(subprocess.Popen([AIR, "--config", f"{SOURCE}/tools/examples/air-coast-beacon-ship.toml", "--socket",
                                       str(air), "--speed", "0.25"], stdout=subprocess.DEVNULL))
    wait_for(air.exists)
    return air


def check_virtual_radio(folder, air, processes):
    def device(station):
        return ["--device", f"soapy:driver=meshair,air={air},station={station},model=usrp", "--set", "radio.frequency_hz=868e6",
                "--set", "radio.rx_gain_db=40", "--set", "radio.tx_gain_db=89.75"]

    watcher = subprocess.Popen([CLI, "monitor", *device("beacon"), "--json", "--every", "0.1"],
                               stdout=open(folder / "seen", "wb"), stderr=subprocess.DEVNULL)
    processes.append(watcher)
    wait_for(lambda: b'"channel"' in (folder / "seen").read_bytes())
    sent = subprocess.run([CLI, "modulate", *device("coast"), "--set", 'transmit.bands=["own lab"]', "--set",
                           'transmit.own_bands=["lab, 866, 870, 60, 1"]', "--set", 'transmit.authority="no antenna"', "--set",
                           "transmit.full_scale_dbm=36", "--set", "transmit.antenna_gain_dbi=6"], input=os.urandom(6_000),
                          capture_output=True, timeout=HANG)
    assert sent.returncode == 0, sent
    wait_for(lambda: (folder / "seen").read_bytes().count(b'"frame"') == 4)
    watcher.send_signal(signal.SIGINT)
    assert watcher.wait(HANG) == 0
    rows = [json.loads(line) for line in (folder / "seen").read_text().splitlines()]
    summary = rows[-1]["summary"]
    assert summary["frames"] == 4 and summary["frames_with_errors"] == 0 and summary["samples_lost"] == 0, summary
    assert summary["overruns"] == 0 and summary["noise_floor_dbfs"] < -20, summary
    frames = [row["frame"] for row in rows if "frame" in row]
    assert all(f["mode"] == "qpsk-1/2" and f["snr_db"] > 10 and f["sender"] is None for f in frames), frames
    check_keys(device("beacon"))


def check_stations(folder, air, processes):
    """Two stations talk; whoever listens reads who they are."""
    ids = []
    for name in ("coast", "beacon"):
        (folder / f"{name}.toml").write_text(
            f'[station]\nname = "{name}"\nkey_file = "{name}.key"\nledger_file = "{name}.ledger"\ncontrol_socket = "{name}.sock"\n'
            f'[radio]\ndevice = "air:{air}#{name}"\n[tun]\nenabled = false\n')
        processes.append(subprocess.Popen([DAEMON, "--config", str(folder / f"{name}.toml")], stderr=subprocess.DEVNULL))

        def status(socket=str(folder / f"{name}.sock")):
            ran = subprocess.run([CLI, "status", "--json", "--socket", socket], capture_output=True, timeout=HANG)
            return json.loads(ran.stdout)["link"] if ran.returncode == 0 else None

        wait_for(status)
        ids.append(status())
    watcher = subprocess.Popen([CLI, "monitor", "--device", f"air:{air}#ship", "--json"], stdout=subprocess.PIPE, text=True)
    processes.append(watcher)
    said = []
    for line in watcher.stdout:  # the ship hears the beacon alone, and from it whom it serves
        said.append(json.loads(line))
        if any("frame" in row and ids[0] in row["frame"]["targets"] for row in said):
            break
    watcher.send_signal(signal.SIGINT)
    said += [json.loads(line) for line in watcher.stdout]
    assert watcher.wait(HANG) == 0
    frames = [row["frame"] for row in said if "frame" in row]
    assert {f["sender"] for f in frames} == {ids[1]} and any(f["hello"] for f in frames), (ids, frames)
    stations = said[-1]["summary"]["stations"]
    assert [s["station"] for s in stations] == [ids[1]] and stations[0]["frames"] == len(frames), stations


def check_loss(folder, processes):
    """A radio that goes away: it is said, `--seconds` still ends, and the screen is given back."""
    lonely = folder / "lonely"
    lonely.mkdir()
    air = start_air(lonely, processes)
    server = processes[-1]
    screen = Screen(["--device", f"air:{air}#ship"])
    timed = subprocess.Popen([CLI, "monitor", "--device", f"air:{air}#coast", "--seconds", "3", "--every", "0.1"],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    processes.append(timed)
    assert "noise" in timed.stdout.readline()
    screen.wait(lambda: len(screen.screens()) > 1)
    server.kill()
    screen.wait(lambda: any("the radio is lost" in line for line in screen.screens()[-1]))
    screen.press(b"q")
    assert "trying to open it again" in screen.end()  # what stderr had to say comes after the screen
    out, err = timed.communicate(timeout=HANG)
    assert timed.returncode == 0 and "the radio is lost" in err and "0 overruns" in out, (out, err)


def check_wrong(folder):
    (folder / "odd.iq").write_bytes(bytes(80))
    wrong = {
        "": "give a recording, or --device (or --config) for a radio",
        "x.cf32 --device air:nowhere#x": "give a recording, or --device",
        "x.cf32 --row-ms nan": "--row-ms takes a number from 10 to 60000, not nan",
        "x.cf32 --seconds -1": "--seconds takes a number",
        "x.cf32 --range-db 1000": "--range-db takes a number",
        "x.cf32 --every 0": "--every takes a number",
        "x.cf32 --profile 3M": "unknown profile '3M'; did you mean '1M'?",
        "no-such-file.cf32": "recording no-such-file.cf32 cannot be opened: No such file or directory",
        f"{folder}/odd.iq": f"the name of {folder}/odd.iq does not tell the format of its samples",
        "--device air:/nowhere#x": "no air server listens at /nowhere",
        "--device bogus:x": "this build has no kind of device",
    }
    for options, line in wrong.items():
        ran = monitor(*options.split())
        assert ran.returncode in (1, 2) and ran.stdout == "" and ran.stderr.count("\n") == 1, (options, ran)
        assert line in ran.stderr, (options, ran)
    with open("/dev/full", "w") as full:
        ran = subprocess.run([CLI, "monitor", str(folder / "x.cf32")], stdout=full, stderr=subprocess.PIPE, text=True, timeout=HANG)
    assert ran.returncode == 1 and "output cannot be written: No space left on device" in ran.stderr, ran
    # A reader that has seen enough and left is no failure.
    ran = subprocess.run(["sh", "-c", '"$0" monitor "$1" | head -1', CLI, str(folder / "x.cf32")], capture_output=True, text=True,
                         timeout=HANG)
    assert ran.stdout.count("\n") == 1 and ran.stderr == "", ran


def main():
    os.environ["SOAPY_SDR_PLUGIN_PATH"] = PLUGINS
    with tempfile.TemporaryDirectory(prefix="meshnet-") as name:
        folder = pathlib.Path(name)
        processes = STARTED
        try:
            recording = make_recording(folder)
            check_lines(recording)
            check_screen(recording)
            check_wrong(folder)
            air = start_air(folder, processes)
            check_virtual_radio(folder, air, processes)
            check_stations(folder, air, processes)
            check_loss(folder, processes)
        finally:
            for process in processes:
                process.kill()
                process.wait()


if __name__ == "__main__":
    main()

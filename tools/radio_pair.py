#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Two stations over each kind of radio, one after the other: traffic both ways for a while, beside the simulated air itself.

For each of --radios: a meshnet-air with two stations 60 km apart, a meshnetd each, and --load between them: `files` sent one after
the other, each in the other direction, or `flood`: UDP both ways at once, --offer-kbps each. Printed: goodput both ways and its share of the first radio's, bursts sent, late and unconfirmed as the stations count
them, bursts the air carried, and silent losses: bursts a station calls sent that the air never had (class A only: a device without
time stamps hands samples over in transfers, and the air counts those).

Exit code 0 only if no burst was lost silently and every file arrived as it was sent.
"""

import argparse
import hashlib
import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from demo import RADIOS, Control, DemoError, radio_keys, transmit_keys  # noqa: E402

STATIONS = ("north", "south")
AIR = """sample_rate_hz = {rate}
carrier_hz = 868e6
seed = 1
[[station]]
name = "north"
x_m = -60000.0
height_m = 15.0
tx_power_dbm = {power}
antenna_gain_dbi = 6.0
clock_ppm = 8.0
adc_bits = 8
[[station]]
name = "south"
height_m = 120.0
tx_power_dbm = {power}
antenna_gain_dbi = 6.0
clock_ppm = -9.0
adc_bits = 8
"""


FLOOD_BYTES = 1200  # of a datagram, headers included


def address(text):
    return socket.inet_pton(socket.AF_INET6, text)


def payload(number):
    return bytes((number * 31 + i * 7) & 0xFF for i in range(FLOOD_BYTES - 56))


def datagram(source, target, number):
    """An IPv6 packet with a UDP datagram (discard port) whose payload says which it is."""
    udp = struct.pack(">HHHH", 9, 9, FLOOD_BYTES - 40, 0) + number.to_bytes(8, "big") + payload(number)
    return struct.pack(">IHBB", 6 << 28, len(udp), 17, 64) + address(source) + address(target) + udp


class Pair:
    def __init__(self, options, radio):
        self.options, self.radio = options, radio
        self.bin = pathlib.Path(options.bin).resolve()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="meshnet-pair-"))
        self.processes = {}
        self.addresses, self.wrong = {}, []
        self.received = {s: 0 for s in STATIONS}
        self.transfers = {}

    def spawn(self, name, command):
        log = open(self.folder / f"{name}.log", "ab")
        self.processes[name] = subprocess.Popen(
            [str(c) for c in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
            env={**os.environ, "SOAPY_SDR_PLUGIN_PATH": str(self.bin.parent / "soapy")})
        log.close()
        return self.processes[name]

    def control(self, station):
        return Control(self.folder / f"{station}.sock")

    def wait_for(self, what, test, seconds=120.0):
        until = time.monotonic() + seconds
        while True:
            if (found := test()) not in (None, False):
                return found
            for name in ("air", *STATIONS):
                process = self.processes.get(name)
                if process is not None and process.poll() is not None:
                    raise DemoError(f"{name} ended: {(self.folder / f'{name}.log').read_text()[-200:]}")
            if time.monotonic() > until:
                raise DemoError(f"{self.radio}: {what} took longer than {seconds:.0f} s; logs in {self.folder}")
            time.sleep(0.1)

    def start(self):
        options = self.options
        (self.folder / "air.toml").write_text(AIR.format(rate=self.sample_rate(), power=options.power_dbm))
        self.spawn("air", [self.bin / "meshnet-air", "--config", "air.toml", "--socket", "air.sock", "--stats", "air.json"])
        self.wait_for("the air", lambda: "listening:" in (self.folder / "air.log").read_text(errors="replace"))
        for station in STATIONS:
            (self.folder / f"{station}.toml").write_text(f"""\
[station]
name = "{station}"
key_file = "{station}.key"
ledger_file = "{station}.ledger"
control_socket = "{station}.sock"
[radio]
{radio_keys(self.radio, self.folder / "air.sock", station, options.hackrf_rate)}
profile = "{options.profile}"
{transmit_keys(self.radio, station, self.folder.name)}[tun]
enabled = false
[log]
level = "{options.log_level}"
""")
            self.spawn(station, [self.bin / "meshnetd", "--config", f"{station}.toml"])
        for station in STATIONS:
            status = self.wait_for(station, lambda: self.control(station).try_ask({"cmd": "status"}))
            self.addresses[station] = status["address"]
        self.wait_for("the link", lambda: all(
            any(n.get("session_up") for n in self.control(s).try_ask({"cmd": "neighbours"}, [])) for s in STATIONS))

    def sample_rate(self):
        """Of the profile, as the program says."""
        listed = subprocess.run([self.bin / "meshnet-cli", "profiles", "--json"], capture_output=True, text=True, check=True)
        rates = {p["profile"]: p["sample_rate_hz"] for p in json.loads(listed.stdout)}
        if self.options.profile not in rates:
            raise DemoError(f"unknown profile '{self.options.profile}'; known are {', '.join(rates)}")
        return rates[self.options.profile]

    def begin_file(self, to, number):
        """A file for `to` from the other."""
        source = next(s for s in STATIONS if s != to)
        chart, target = self.folder / f"for-{to}-{number}", self.folder / f"at-{to}-{number}"
        chart.write_bytes(os.urandom(self.options.bytes))
        cli = self.bin / "meshnet-cli"
        self.spawn(f"send-{to}", [cli, "send", "--socket", f"{source}.sock", chart])
        self.spawn(f"receive-{to}", [cli, "receive", "--socket", f"{to}.sock", "--from", self.addresses[source], "--json", target])
        (self.folder / f"receive-{to}.log").write_text("")
        self.transfers[to] = (chart, target, number)

    def progress(self, to):
        lines = (self.folder / f"receive-{to}.log").read_text(errors="replace").splitlines()
        for line in reversed(lines):
            try:
                return json.loads(line)
            except ValueError:
                pass
        return {}

    def end_file(self, to):
        """True if the file is there: checked, and its processes ended."""
        state = self.progress(to)
        if "sha256" not in state:
            if self.processes[f"receive-{to}"].poll() is not None:
                raise DemoError(f"{self.radio}: receive ended without a file; logs in {self.folder}")
            return False
        chart, target, _ = self.transfers[to]
        for name in (f"send-{to}", f"receive-{to}"):
            self.stop(name)
        if hashlib.sha256(chart.read_bytes()).digest() != hashlib.sha256(target.read_bytes()).digest():
            self.wrong.append(target.name)
        self.received[to] += self.options.bytes
        chart.unlink()
        target.unlink()
        return True

    def files(self):
        """Sends files until the time is over; bytes that each station received, and seconds."""
        began = time.monotonic()
        number, to = 0, STATIONS[0]
        self.begin_file(to, number)
        while time.monotonic() - began < self.options.seconds:
            if self.end_file(to):
                number += 1
                to = STATIONS[0] if self.options.one_way else STATIONS[number % 2]
                self.begin_file(to, number)
            self.check_processes()
            time.sleep(0.05)
        seconds = time.monotonic() - began
        received = dict(self.received)
        received[to] += self.progress(to).get("bytes", 0)
        for name in (f"send-{to}", f"receive-{to}"):
            self.stop(name)
        return received, seconds

    def flood(self):
        """Datagrams at a steady rate; every one that arrives must be one that was sent, once."""
        hosts = {}
        for station in STATIONS:
            host = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            host.connect(str(self.folder / f"{station}.sock"))
            host.sendall(b'{"cmd":"attach"}\n')
            hosts[station] = host
        senders = STATIONS[1:] if self.options.one_way else STATIONS
        received, seen, over = {s: 0 for s in STATIONS}, {s: set() for s in STATIONS}, threading.Event()

        def listen(station):
            source = self.addresses[next(s for s in STATIONS if s != station)]
            for line in hosts[station].makefile("rb"):
                packet = bytes.fromhex(json.loads(line).get("packet", ""))
                if not packet or packet[6] != 17:  # errors of ICMPv6 are not what is measured
                    continue
                number = int.from_bytes(packet[48:56], "big")
                if packet[56:] != payload(number) or number in seen[station] or packet[8:24] != address(source):
                    self.wrong.append(f"datagram {number} at {station}")
                seen[station].add(number)
                if not over.is_set():
                    received[station] += len(packet)

        for station in STATIONS:
            threading.Thread(target=listen, args=(station,), daemon=True).start()
        began, number = time.monotonic(), 0
        per_packet = 8.0 * FLOOD_BYTES / (1e3 * self.options.offer_kbps)
        while (now := time.monotonic()) - began < self.options.seconds:
            while number * per_packet < now - began:
                for station in senders:
                    other = next(s for s in STATIONS if s != station)
                    data = datagram(self.addresses[station], self.addresses[other], number)
                    hosts[station].sendall(b'{"cmd":"packet","data":"%s"}\n' % data.hex().encode())
                number += 1
            self.check_processes()
            time.sleep(0.005)
        over.set()
        seconds = time.monotonic() - began
        time.sleep(2.0)
        for host in hosts.values():
            host.close()
        return received, seconds

    def check_processes(self):
        for name in ("air", *STATIONS):
            if self.processes[name].poll() is not None:
                raise DemoError(f"{self.radio}: {name} ended; logs in {self.folder}")

    def stop(self, name):
        process = self.processes.pop(name, None)
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def run(self):
        self.start()
        bytes_of, seconds = self.files() if self.options.load == "files" else self.flood()
        time.sleep(3.0)  # the last bursts and their reports
        status = {s: self.control(s).try_ask({"cmd": "status"}, {}) for s in STATIONS}
        for station in STATIONS:
            self.stop(station)
        self.stop("air")
        air = json.loads((self.folder / "air.json").read_text())
        return {"radio": self.radio, "seconds": seconds,
                "goodput_kbps": {to: round(bytes_of[to] * 8e-3 / seconds, 1) for to in STATIONS},
                "status": {s: {k: status[s].get(k) for k in ("radio", "mac", "phy")} for s in STATIONS}, "air": air}

    def clean_up(self):
        for name in list(self.processes):
            self.stop(name)
        if not self.options.keep:
            shutil.rmtree(self.folder, ignore_errors=True)


def judge(result):
    """Prints a radio's row; silent losses, or None where they cannot be counted."""
    radio = {s: result["status"][s]["radio"] for s in STATIONS}
    silent = None
    if result["radio"] != "hackrf":
        carried = {s["name"]: s["bursts"] for s in result["air"]["stations"]}
        # Bursts that were sent after status was asked are in the air's count alone.
        silent = sum(max(0, radio[s]["bursts_sent"] - carried[s]) for s in STATIONS)
    result["silent_losses"] = silent
    return silent


def describe(result, first):
    total = sum(result["goodput_kbps"].values())
    base = sum(first["goodput_kbps"].values())
    radio = {s: result["status"][s]["radio"] for s in STATIONS}

    def both(key):
        return "/".join(str(radio[s].get(key, "-")) for s in STATIONS)
    print(f"{result['radio']:7s} {total:8.1f} kbit/s ({' + '.join(f'{v:g}' for v in result['goodput_kbps'].values())}), "
          f"{total / max(base, 1e-9):.2f} of {first['radio']}; bursts sent {both('bursts_sent')}, late {both('bursts_late')}, "
          f"unconfirmed {both('unconfirmed')}, samples lost {both('samples_lost')}; silent losses "
          f"{'-' if result['silent_losses'] is None else result['silent_losses']}", flush=True)


def main():
    parser = argparse.ArgumentParser(prog="meshnet radios", description=__doc__.splitlines()[0])
    parser.add_argument("--bin", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--radios", default="air,usrp,uhd,hackrf", help="which, with commas between; the first is the baseline")
    parser.add_argument("--seconds", type=float, default=60.0, help="of traffic over each (default 60)")
    parser.add_argument("--profile", default="1M", help="of the modem (default 1M)")
    parser.add_argument("--power-dbm", type=float, default=24.0, help="of both transmitters (default 24: 16 dB SNR at 1M)")
    parser.add_argument("--bytes", type=int, default=400_000, help="of each file (default 400000)")
    parser.add_argument("--load", choices=("files", "flood"), default="files", help="what is sent (default files)")
    parser.add_argument("--offer-kbps", type=float, default=1500.0, help="of the flood, each way (default 1500)")
    parser.add_argument("--one-way", action="store_true", help="files in one direction only")
    parser.add_argument("--hackrf-rate", type=float, default=4e6, help="samples/s of virtual HackRFs (default 4e6; 8e6 is better where "
                                                                       "the machine can)")
    parser.add_argument("--json", help="write the results to this file too")
    parser.add_argument("--keep", action="store_true", help="keep the logs")
    parser.add_argument("--log-level", default="info")
    options = parser.parse_args()
    for radio in options.radios.split(","):
        if radio not in RADIOS:
            parser.error(f"unknown radio '{radio}'; known are {', '.join(RADIOS)}")
    if not options.seconds > 0 or not options.offer_kbps > 0 or options.bytes < 1:
        parser.error("--seconds, --offer-kbps and --bytes must be above 0")
    results, failed = [], False
    for radio in options.radios.split(","):
        pair = Pair(options, radio)
        try:
            result = pair.run()
            failed = failed or bool(judge(result)) or bool(pair.wrong)
            results.append(result)
            describe(result, results[0])
            if pair.wrong:
                print(f"{radio}: other bytes than were sent in {', '.join(pair.wrong)}")
        except (DemoError, OSError) as e:
            print(f"FAILED: {e}")
            failed = True
            options.keep = True
        finally:
            pair.clean_up()
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(results, indent=1) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

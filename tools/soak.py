#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The events of twelve hours at a station, one after the other: what breaks must come back, and nothing may be lost or grow.

Three stations over the simulated air as in the demo (coast - beacon - ship), each in its own network namespace and on its own
small disk. The coast sends to the ship and fetches from it all the time and pays for it. Meanwhile, seeded by --seed: interfaces
deleted, set down, without address or route, with another MTU, with IPv6 off; ledgers locked by another program; stations
killed, stopped, hung, sent SIGHUP; the wall clock stepped by years; disks full; the air away and hung; two of these at once. In
twelve hours a station sees such an event every three to five minutes; here they follow one another as soon as the traffic is
back. The ship is never ended, so that its memory has the whole time to grow.

Exit code 0 only if the traffic came back after every event, every byte that arrived was right, the beacon never had earned less
than before, the ledgers agree to the nanosatoshi, idle stations are idle, and neither memory, descriptors nor ledgers grew beyond
their bounds. 77: not possible here.
"""

import argparse
import ctypes
import errno
import json
import os
import pathlib
import random
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from demo import STATIONS, Demo, DemoError, cpu_seconds  # noqa: E402

CANNOT = 77  # exit code: skipped
PORT = 7007
CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)
BACK_WITHIN = 90.0     # seconds after an event until traffic flows: the end of a hang, not a measure
IDLE_SHARE = 0.05      # of a core
RSS_SLACK = 6 << 20    # bytes a station may have more at the end than after the warm-up
LEDGER_MOST = 16 << 20
DISK = 48 << 20


class Failure(Exception):
    """What must hold did not; one line."""


def check_call(function, *args):
    if getattr(LIBC, function)(*args) != 0:
        raise OSError(ctypes.get_errno(), f"{function}: {os.strerror(ctypes.get_errno())}")


def in_namespace(name, make):
    """make() with the network of a namespace: what a socket made there stays in."""
    result = []

    def work():
        try:
            with open(f"/run/netns/{name}", "rb") as namespace:
                check_call("setns", namespace.fileno(), CLONE_NEWNET)
            result.append(make())
        except OSError as e:
            result.append(e)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if isinstance(result[0], OSError):
        raise result[0]
    return result[0]


def content(seed, size):
    return random.Random(seed).randbytes(size)


class Traffic:
    """Probes and transfers from coast to ship, through the beacon, for as long as it lives."""

    def __init__(self, demo):
        self.demo = demo
        self.lock = threading.Lock()
        self.over, self.paused = threading.Event(), threading.Event()
        self.sent, self.next = {}, 0
        self.answered_until = 0.0  # the newest probe that was answered was sent then
        self.probes = self.answers = self.transfers = self.broken_off = self.bytes = 0
        self.wrong = None
        self.errors = {}  # of sockets: when last
        self.udp_ship = in_namespace(demo.namespaces["ship"], lambda: self.bound(socket.SOCK_DGRAM))
        self.tcp_ship = in_namespace(demo.namespaces["ship"], lambda: self.bound(socket.SOCK_STREAM))
        self.udp_coast = in_namespace(demo.namespaces["coast"], lambda: self.bound(socket.SOCK_DGRAM))
        self.threads = [threading.Thread(target=t, daemon=True)
                        for t in (self.echo, self.serve, self.probe, self.hear, self.fetch)]
        for thread in self.threads:
            thread.start()

    @staticmethod
    def bound(kind):
        sock = socket.socket(socket.AF_INET6, kind)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("::", PORT))
        if kind == socket.SOCK_STREAM:
            sock.listen(16)
        sock.settimeout(0.5)
        return sock

    def note(self, error):
        if not isinstance(error, TimeoutError):
            self.errors[str(error)] = time.monotonic()

    def until_over(self, step):
        while not self.over.is_set():
            try:
                step()
            except OSError as e:
                self.note(e)
                self.over.wait(0.05)  # no interface at the moment

    def echo(self):
        def step():
            data, sender = self.udp_ship.recvfrom(2048)
            self.udp_ship.sendto(data, sender)
        self.until_over(step)

    def serve(self):
        def answer(client):
            with client:
                client.settimeout(20)
                try:
                    seed, size = client.recv(64).decode().split()
                    client.sendall(content(int(seed), int(size)))
                except (OSError, ValueError):
                    pass

        def step():
            client, _ = self.tcp_ship.accept()
            threading.Thread(target=answer, args=(client,), daemon=True).start()
        self.until_over(step)

    def probe(self):
        def step():
            self.over.wait(0.2)
            if self.paused.is_set():
                return
            with self.lock:
                self.next += 1
                number = self.next
                self.sent[number] = time.monotonic()
                self.probes += 1
                self.sent.pop(number - 2000, None)
            self.udp_coast.sendto(b"%d %s" % (number, bytes(200)), (self.demo.addresses["ship"], PORT))
        self.until_over(step)

    def hear(self):
        def step():
            data, _ = self.udp_coast.recvfrom(2048)
            with self.lock:
                sent = self.sent.pop(int(data.split()[0]), None)
                if sent is not None:
                    self.answers += 1
                    self.answered_until = max(self.answered_until, sent)
        self.until_over(step)

    def fetch(self):
        rng = random.Random(1)

        def step():
            if self.paused.is_set():
                self.over.wait(0.1)
                return
            seed, size = rng.randrange(1 << 30), rng.choice((2_000, 20_000, 60_000))
            if self.transfer(seed, size):
                self.transfers += 1
                self.bytes += size
            else:
                self.broken_off += 1
                self.over.wait(0.2)
        self.until_over(step)

    def transfer(self, seed, size):
        """False: broken off. What arrived must be right in any case."""
        sock = in_namespace(self.demo.namespaces["coast"], lambda: socket.socket(socket.AF_INET6, socket.SOCK_STREAM))
        with sock:
            got = b""
            try:
                sock.settimeout(8)
                sock.connect((self.demo.addresses["ship"], PORT))
                sock.sendall(b"%d %d" % (seed, size))
                while part := sock.recv(1 << 16):
                    got += part
            except OSError as e:
                self.note(e)
        if got != content(seed, size)[:len(got)]:
            self.wrong = f"a transfer of {size} bytes had other bytes than were sent"
        return len(got) == size

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join(30)


class Soak(Demo):
    """A Demo whose stations have disks and clocks of their own."""

    def __init__(self, options):
        super().__init__(options, "meshnet-soak-")
        self.rng = random.Random(options.seed)
        self.done, self.idle, self.warm = [], [], {}
        self.earned_before = 0
        self.may_exit = set()   # stations whose disk was full: they end, and are started again
        self.restarts = 0
        self.traffic = None

    def path(self, station, what):
        return self.folder / station / f"{station}.{what}"

    def make_disks(self):
        check_call("unshare", CLONE_NEWNS)
        subprocess.run(["mount", "--make-rprivate", "/"], check=True)
        for station in STATIONS:
            disk = self.folder / station
            disk.mkdir()
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "soak", disk], check=True)
            self.set_clock(station, 0)

    def start_station(self, station):
        clock = self.bin.parent / "lib" / "libmeshnet_stepped_clock.so"
        env = dict(os.environ)
        if clock.is_file():
            env.update(LD_PRELOAD=str(clock), MESHNET_CLOCK_OFFSET=str(self.path(station, "clock")))
        self.spawn(station, [self.bin / "meshnetd", "--config", self.path(station, "toml")], station, env=env)

    def set_clock(self, station, seconds):
        """Offset of the wall clock of a station, as eight bytes that it has mapped."""
        with open(self.path(station, "clock"), "r+b" if self.path(station, "clock").exists() else "wb") as file:
            file.write(int(seconds).to_bytes(8, sys.byteorder, signed=True))

    def check_processes(self):
        for name, process in list(self.processes.items()):
            if process.poll() is None:
                continue
            if name in self.may_exit and "cannot be written" in self.last_line(name):
                self.processes.pop(name)
                self.start_station(name)
                self.restarts += 1
                continue
            raise Failure(f"{name} ended by itself ({process.returncode}): {self.last_line(name)}")

    # -- events: each gives what undoes it, or None

    def ip(self, station, *words):
        return subprocess.run(["ip", "-n", self.namespaces[station], *words], capture_output=True, check=False).returncode == 0

    def shell(self, station, command):
        return subprocess.run(["ip", "netns", "exec", self.namespaces[station], "sh", "-c", command], capture_output=True,
                              check=False).returncode == 0

    def interface_deleted(self, station):
        self.ip(station, "link", "del", "mesh0")

    def interface_down(self, station):
        self.ip(station, "link", "set", "mesh0", "down")

    def address_removed(self, station):
        self.ip(station, "-6", "addr", "flush", "dev", "mesh0", "scope", "global")

    def routes_removed(self, station):
        self.ip(station, "-6", "route", "flush", "dev", "mesh0")

    def mtu_changed(self, station):
        self.ip(station, "link", "set", "mesh0", "mtu", str(self.rng.choice((1279, 1300, 1500, 9000))))

    def ipv6_off(self, station):
        which = self.rng.choice(("mesh0", "all"))
        self.shell(station, f"echo 1 > /proc/sys/net/ipv6/conf/{which}/disable_ipv6")

    def ledger_locked(self, station):
        lock = sqlite3.connect(self.path(station, "ledger"), isolation_level=None, timeout=10, check_same_thread=False)
        try:
            lock.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            lock.close()
            return None

        def undo():
            lock.execute("ROLLBACK")
            lock.close()
        return undo

    def killed(self, station):
        self.end(station, signal.SIGKILL)
        return lambda: self.start_station(station)

    def restarted(self, station):
        self.end(station)
        return lambda: self.start_station(station)

    def hangup(self, station):
        self.processes[station].send_signal(signal.SIGHUP)

    def hung(self, station):
        process = self.processes[station]
        process.send_signal(signal.SIGSTOP)
        return lambda: process.send_signal(signal.SIGCONT)

    def clock_stepped(self, station):
        self.set_clock(station, self.rng.choice((-56 * 365 * 86_400, -3_600, 3_600, 20 * 365 * 86_400)))
        return lambda: self.set_clock(station, 0)

    def disk_full(self, station):
        self.may_exit.add(station)
        filler = self.path(station, "filler")
        try:
            with open(filler, "wb", buffering=0) as file:
                while file.write(bytes(1 << 16)) == 1 << 16:
                    pass
        except OSError as e:
            if e.errno != errno.ENOSPC:
                raise
        return lambda: filler.unlink()

    def air_away(self, _):
        self.end("air", signal.SIGKILL)
        return self.start_air

    def air_hung(self, _):
        process = self.processes["air"]
        process.send_signal(signal.SIGSTOP)
        return lambda: process.send_signal(signal.SIGCONT)

    ENDING = ("killed", "restarted", "disk_full")  # never the ship
    # (name, seconds it lasts)
    EVENTS = (("interface_deleted", 0.5), ("interface_down", 0.5), ("address_removed", 0.5), ("routes_removed", 0.5),
              ("mtu_changed", 0.5), ("ipv6_off", 0.5), ("ledger_locked", 6), ("killed", 3), ("restarted", 3), ("hangup", 0.2),
              ("hung", 6), ("clock_stepped", 3), ("disk_full", 4), ("air_away", 5), ("air_hung", 5))

    def deck(self):
        """Every kind once before any comes again, in an order of the seed."""
        while True:
            kinds = [e for e in self.EVENTS if not self.options.only or e[0] in self.options.only]
            self.rng.shuffle(kinds)
            yield from kinds

    def start_air(self):
        example = self.repository / "tools" / "examples" / "air-coast-beacon-ship.toml"
        log = self.folder / "air.log"
        before = log.stat().st_size if log.exists() else 0
        self.spawn("air", [self.bin / "meshnet-air", "--config", example, "--socket", self.folder / "air.sock"])
        self.wait_for("the air", lambda: "listening:" in log.read_text(errors="replace")[before:])

    def one_event(self, number, deck):
        def station_for(kind, *taken):
            return self.rng.choice([s for s in STATIONS if s not in taken and not (s == "ship" and kind[0] in self.ENDING)])

        kinds = [(first := next(deck), station_for(first))]
        if self.rng.random() < 0.2:  # a second one at the same time, elsewhere
            second = next(deck)
            if not (first[0].startswith("air") and second[0].startswith("air")):
                kinds.append((second, station_for(second, kinds[0][1])))
        name = " + ".join(f"{k[0]} {'' if k[0].startswith('air') else s}".strip() for k, s in kinds)
        undo = [getattr(self, kind)(station) for (kind, _), station in kinds]
        time.sleep(self.rng.uniform(0.1, 1.0) * max(longest for (_, longest), _ in kinds))
        for action in undo:
            if action:
                action()
        ended = time.monotonic()
        back = self.traffic_back(name, ended)
        self.done.append((kinds[0][0][0] if len(kinds) == 1 else "two at once", back))
        self.may_exit.clear()
        self.check_earned()
        self.say(f"{number:4d}  {name:58s} traffic back after {back:5.1f} s")

    def traffic_back(self, name, ended):
        while self.traffic.answered_until < ended:
            self.check_processes()
            if time.monotonic() - ended > BACK_WITHIN:
                raise Failure(f"no traffic {BACK_WITHIN:.0f} s after: {name}")
            time.sleep(0.05)
        if self.traffic.wrong:
            raise Failure(self.traffic.wrong)
        return time.monotonic() - ended

    # -- what must hold

    def memory(self, station):
        pid = self.processes[station].pid
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        rss = next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS"))
        return {"rss": rss, "fds": len(os.listdir(f"/proc/{pid}/fd")),
                "ledger": sum(p.stat().st_size for p in (self.folder / station).glob(f"{station}.ledger*"))}

    def agreed(self):
        """Both sides of each link have the same balance on disk, to the nanosatoshi."""
        books = {s: self.control(s).try_ask({"cmd": "ledger", "limit": 0}) for s in STATIONS}
        if any(b is None for b in books.values()):
            return False

        def of(owner, peer):
            return next((n["balance_nsat"] for n in books[owner]["neighbours"] if n["id"] == self.ids[peer]), 0)
        return all(of("beacon", s) + of(s, "beacon") == 0 for s in ("coast", "ship"))

    def check_earned(self):
        """What was acknowledged is on disk: it never becomes less."""
        earned = self.wait_for("the beacon's ledger", self.earned_msat)
        if earned < self.earned_before:
            raise Failure(f"the beacon had earned {self.earned_before} msat and now {earned}")
        self.earned_before = earned

    def rest(self, seconds):
        """Traffic flows, not only a first probe; then there is none: the books agree, and idle stations are idle."""
        had = self.traffic.transfers
        self.wait_for("two transfers", lambda: self.traffic.transfers >= had + 2)
        self.traffic.paused.set()
        self.wait_for("agreement of the ledgers", self.agreed)
        time.sleep(1.0)
        before = {s: cpu_seconds(self.processes[s].pid) for s in STATIONS}
        begin = time.monotonic()
        time.sleep(seconds)
        wall = time.monotonic() - begin
        shares = {s: (cpu_seconds(self.processes[s].pid) - before[s]) / wall for s in STATIONS}
        self.check_processes()
        self.wait_for("agreement of the ledgers", self.agreed)
        self.check_earned()
        self.idle.append(shares)
        self.say("      idle: " + ", ".join(f"{s} {100 * v:.1f} %" for s, v in shares.items()) +
                 f" of a core; ledgers agree, the beacon earned {self.earned_before:g} msat")
        # The short form is a test, and a test must not depend on the machine; on one that others use too, neither must the
        # long one: twice the share before the first event is idle there.
        relative = self.options.short or self.options.shared_machine
        most = min(0.5, max(IDLE_SHARE, 2 * max(self.idle[0].values()))) if relative else IDLE_SHARE
        busy = [s for s, v in shares.items() if v > most]
        if busy:
            raise Failure(f"{busy[0]} used {100 * shares[busy[0]]:.1f} % of a core with nothing to do")
        memory = {s: self.memory(s) for s in STATIONS}
        self.say("      memory: " + "; ".join(f"{s} {m['rss'] / 2**20:.1f} MiB, {m['fds']} descriptors, ledger "
                                             f"{m['ledger'] >> 10} KiB" for s, m in memory.items()))
        self.traffic.paused.clear()
        return memory

    def run(self):
        self.make_namespaces()
        if not self.with_tun:
            return CANNOT
        try:
            self.make_disks()
        except (OSError, subprocess.CalledProcessError) as e:
            self.say(f"no mounts here: {e}")
            return CANNOT
        self.start_air()
        for station in STATIONS:
            self.write_config(station)
            self.start_station(station)
        for station in STATIONS:
            status = self.wait_for(f"station {station}", lambda s=station: self.control(s).try_ask({"cmd": "status"}))
            self.addresses[station], self.ids[station] = status["address"], status["id"]
        self.wait_for("finding neighbours and routes", self.links_up)
        self.traffic = Traffic(self)
        self.traffic_back("the start", time.monotonic())
        time.sleep(self.options.warm_up)
        self.warm = self.rest(self.options.idle_seconds)
        deck, begin = self.deck(), time.monotonic()
        for number in range(1, self.options.events + 1):
            self.one_event(number, deck)
            due = begin + 60.0 * self.options.minutes * number / self.options.events
            time.sleep(max(0.0, min(due - time.monotonic(), 30.0)))
            if number % self.options.idle_every == 0:
                self.rest(self.options.idle_seconds)
        self.traffic_back("all events", time.monotonic())
        last = self.rest(self.options.idle_seconds)
        self.traffic.stop()
        self.judge(last)
        return 0

    def judge(self, last):
        self.result["growth"] = {}
        for station in STATIONS:
            warm, end = self.warm[station], last[station]
            self.result["growth"][station] = {"warm": warm, "end": end}
            if end["rss"] > warm["rss"] + RSS_SLACK:
                raise Failure(f"{station} has {end['rss'] >> 10} KiB of memory, {warm['rss'] >> 10} after the warm-up")
            if end["fds"] > warm["fds"] + 2:
                raise Failure(f"{station} has {end['fds']} descriptors open, {warm['fds']} after the warm-up")
            if end["ledger"] > LEDGER_MOST:
                raise Failure(f"the ledger of {station} has {end['ledger'] >> 10} KiB")
        for station in STATIONS:  # every checksum and every sum, by a reader of its own
            self.end(station)
            read = subprocess.run([self.bin / "meshnet-cli", "ledger", "--file", self.path(station, "ledger"), "--json",
                                   "--limit", "0"], capture_output=True, text=True, check=False)
            if read.returncode != 0:
                raise Failure(f"the ledger of {station} cannot be read: {read.stderr.strip()}")

    def describe(self):
        """What each station shows, for whoever looks for the reason of a failure."""
        for station in STATIONS:
            for view in ("status", "neighbours", "routes", "flows"):
                shown = self.control(station).try_ask({"cmd": view}) if station in self.processes else None
                (self.folder / f"{station}.{view}.json").write_text(json.dumps(shown, indent=1) + "\n")
            self.shell(station, f"(ip -6 addr; ip -6 route show table all; ip -6 neigh) > {self.folder}/{station}.interface")
        if self.traffic:
            now = time.monotonic()
            lines = [f"{now - at:.1f} s ago: {e}\n" for e, at in self.traffic.errors.items()]
            (self.folder / "socket_errors").write_text("".join(lines))

    def clean_up(self):
        if self.traffic:
            self.traffic.over.set()
        for process in self.processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
        for name in list(self.processes):
            self.end(name)
        for station in STATIONS:  # a folder somebody is mounted on cannot be removed
            subprocess.run(["umount", "-l", self.folder / station], stderr=subprocess.DEVNULL, check=False)
        super().clean_up()

    def summary(self):
        t = self.traffic
        print(f"\n{len(self.done)} events in {(time.monotonic() - self.begin) / 60:.1f} min, seed {self.options.seed}\n")
        print("| event | times | traffic back after, s: median | longest |\n|---|---|---|---|")
        for kind in sorted({k for k, _ in self.done}):
            back = [b for k, b in self.done if k == kind]
            print(f"| {kind.replace('_', ' ')} | {len(back)} | {statistics.median(back):.1f} | {max(back):.1f} |")
        print("\n| station | idle, % of a core: median | most | RSS after warm-up, MiB | at the end | descriptors | at the end | "
              "ledger at the end, KiB |\n|---|---|---|---|---|---|---|---|")
        for s in STATIONS:
            shares = [100 * i[s] for i in self.idle]
            g = self.result.get("growth", {}).get(s)
            if shares and g:
                print(f"| {s} | {statistics.median(shares):.1f} | {max(shares):.1f} | {g['warm']['rss'] / 2**20:.1f} | "
                      f"{g['end']['rss'] / 2**20:.1f} | {g['warm']['fds']} | {g['end']['fds']} | {g['end']['ledger'] >> 10} |")
        if t:
            print(f"\nprobes answered {t.answers} of {t.probes}; {t.transfers} transfers, {t.bytes} bytes, all as sent, "
                  f"{t.broken_off} broken off by events; the beacon earned {self.earned_before:g} msat; {self.restarts} stations "
                  "ended on a full disk and were started again")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bin", default="build/release/bin", help="folder of meshnetd, meshnet-cli and meshnet-air")
    parser.add_argument("--events", type=int, default=200, help="how many (default 200: twelve hours)")
    parser.add_argument("--minutes", type=float, default=0.0, help="spread them over so long (default: as they come)")
    parser.add_argument("--seed", type=int, default=1, help="of the events (default 1)")
    parser.add_argument("--only", type=lambda text: text.split(","), metavar="KIND,KIND", help="these kinds of events alone")
    parser.add_argument("--shared-machine", action="store_true",
                        help="others use the cores: idle is up to twice what a station used before the first event")
    parser.add_argument("--short", action="store_true", help="every kind once, in about a minute and a half")
    parser.add_argument("--json", metavar="FILE", help="write every figure there")
    parser.add_argument("--keep", action="store_true", help="keep logs (a failure keeps them in any case)")
    options = parser.parse_args()
    options.radio, options.price, options.log_level, options.no_tun, options.time_limit, options.bytes = "air", 1_000, "info", False, 1e6, 0
    options.warm_up, options.idle_every, options.idle_seconds = (4.0, 1_000, 4.0) if options.short else (20.0, 20, 8.0)
    known = [e[0] for e in Soak.EVENTS]
    if wrong := [k for k in options.only or [] if k not in known]:
        parser.error(f"no kind of event is called {wrong[0]}; there are {', '.join(known)}")
    if options.short:
        options.events = len(Soak.EVENTS)
    if os.geteuid() != 0:
        print("soak: needs root: network namespaces, TUN interfaces and mounts", file=sys.stderr)
        return CANNOT

    def on_signal(*_):
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGHUP, on_signal)
    soak, failure, code = Soak(options), None, 1
    try:
        code = soak.run()
    except (Failure, DemoError) as e:
        failure = str(e)
        soak.describe()
        options.keep = True
    except KeyboardInterrupt:
        failure = "interrupted"
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        soak.clean_up()
    if code == CANNOT:
        return CANNOT
    soak.summary()
    if options.json:
        result = {"events": soak.done, "idle": soak.idle, "failure": failure, **soak.result}
        pathlib.Path(options.json).write_text(json.dumps(result, indent=2) + "\n")
    print(f"\n{'PASSED' if failure is None else 'FAILED: ' + failure}", flush=True)
    return 0 if failure is None else 1


if __name__ == "__main__":
    sys.exit(main())

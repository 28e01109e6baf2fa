#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The main job, end to end: a file over three stations and a simulated air, and the relay is paid for it.

    coast --60 km-- beacon --55 km-- ship        coast and ship cannot hear each other

Each station is a meshnetd with its own key, TUN interface and ledger in its own network namespace; meshnet-air carries the
samples of all three in real time. The ship serves a random file with Python's http.server, the coast fetches it with curl,
and in mid-transfer the beacon is killed with SIGKILL and started again. Without permission for namespaces or TUN the same file
goes through the same stack over the control sockets.

Exit code 0 only if the file arrived intact, the ledgers agree to the millisatoshi and the beacon earned something.
"""

import argparse
import hashlib
import json
import os
import pathlib
import platform
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

STATIONS = ("coast", "beacon", "ship")
RADIOS = ("air", "usrp", "uhd", "hackrf")
PORT = 8080
LONGEST = 90.0  # seconds for any one thing to happen: a hang, not a measure


class DemoError(Exception):
    """The demo cannot go on; the text is one line for the person at the terminal."""


class Control:
    """One question at a time to a daemon's control socket."""

    def __init__(self, path):
        self.path = path

    def ask(self, request, timeout=5.0):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(timeout)
            sock.connect(str(self.path))
            sock.sendall((json.dumps(request) + "\n").encode())
            data = b""
            while not data.endswith(b"\n"):
                part = sock.recv(1 << 16)
                if not part:
                    raise OSError("the daemon closed the connection")
                data += part
        answer = json.loads(data)
        if not answer.get("ok"):
            raise OSError(answer.get("error", "refused"))
        return answer["result"]

    def try_ask(self, request, default=None):
        try:
            return self.ask(request)
        except (OSError, ValueError):
            return default


def cpu_seconds(pid):
    """User and system time a process has used, or 0 if it is gone.

    From the scheduler's own clock: kernels that count by ticks overestimate a process that wakes on timers by a fifth.
    """
    try:
        threads = pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat")
        return sum(int(t.read_text().split()[0]) for t in threads) * 1e-9
    except (OSError, IndexError, ValueError):
        pass
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError, ValueError):
        return 0.0


def machine_description():
    model, memory = "unknown", 0
    try:
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
        memory = int(re.search(r"MemTotal:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text()).group(1)) // 1024
    except (OSError, AttributeError):
        pass
    name = "Linux"
    try:
        name = re.search(r'PRETTY_NAME="(.*)"', pathlib.Path("/etc/os-release").read_text()).group(1)
    except (OSError, AttributeError):
        pass
    return {"cpu": model, "cores": os.cpu_count(), "memory_mib": memory, "kernel": platform.release(), "system": name}


def radio_keys(radio, air, station, hackrf_rate=4e6):
    """The simulated air as itself, or behind a virtual radio with a front end and its gains at their nominal values."""
    if radio == "air":
        return f'device = "air:{air}#{station}"'
    kind, model, *nominal = {"usrp": ("soapy:", "usrp", 40.0, 89.75), "hackrf": ("soapy:", "hackrf", 40.0, 61.0),
                             "uhd": ("uhd:type=soapy,", "usrp", 40.0, 89.75)}[radio]
    # Debian's uhd-soapysdr takes a receive offset the wrong way round.
    return (f'device = "{kind}driver=meshair,air={air},station={station},model={model}"\n'
            f'offset_tuning = {"false" if radio == "uhd" else "true"}\n'
            # Two virtual HackRFs at their usual 8 Msample/s are as much as two cores can simulate.
            f'{f"sample_rate_hz = {hackrf_rate}" if radio == "hackrf" else ""}\n'
            f'frequency_hz = 868e6\nrx_gain_db = {nominal[0]}\ntx_gain_db = {nominal[1]}')


def transmit_keys(radio, station, place):
    """What a guard must know before anything is sent: the demo's own band, for an antenna that is not there."""
    if radio == "air":
        return ""
    return f"""\
[transmit]
bands = ["own laboratory"]
own_bands = ["laboratory, 858, 878, 60, 1"]
authority = "simulated antennas in {place}"
full_scale_dbm = 36.0
antenna_gain_dbi = 6.0
air_time_file = "{station}.airtime"
"""


class Demo:
    def __init__(self, options, prefix="meshnet-demo-"):
        self.options = options
        self.bin = pathlib.Path(options.bin).resolve()
        self.repository = pathlib.Path(__file__).resolve().parent.parent
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=prefix))
        self.begin = time.monotonic()
        self.processes = {}
        self.namespaces = {}
        self.cpu_of_the_dead = dict.fromkeys((*STATIONS, "air"), 0.0)
        self.started_at = {}
        self.addresses, self.ids = {}, {}
        self.with_tun = True
        self.result = {"file_intact": False, "ledgers_agree": False}

    # -- words for the person watching

    def say(self, text):
        print(f"[{time.monotonic() - self.begin:6.1f} s] {text}", flush=True)

    def left(self):
        """Seconds until the demo must be over."""
        return self.options.time_limit - (time.monotonic() - self.begin)

    def wait_for(self, what, test):
        """Polls test() until it gives something other than None or False; what it gave."""
        begin = time.monotonic()
        until = begin + min(LONGEST, max(self.left(), 1.0))
        while True:
            found = test()
            if found is not None and found is not False:
                return found
            self.check_processes()
            if time.monotonic() > until:
                raise DemoError(f"{what} took longer than {time.monotonic() - begin:.0f} s; logs are in {self.folder} "
                                "(--keep keeps them)")
            time.sleep(0.1)

    def check_processes(self):
        """Stations, air and web server run until they are ended; without TUN, who sends the file is done when it is sent."""
        for name, process in self.processes.items():
            if name != "curl" and process.poll() is not None and not (name == "web" and process.returncode == 0):
                raise DemoError(f"{name} stopped by itself: {self.last_line(name)}")

    def last_line(self, name):
        try:
            lines = (self.folder / f"{name}.log").read_text(errors="replace").strip().splitlines()
            return lines[-1] if lines else "no word"
        except OSError:
            return "no word"

    # -- processes and namespaces

    def spawn(self, name, command, namespace=None, **more):
        if namespace:
            command = ["ip", "netns", "exec", self.namespaces[namespace], *command]
        log = open(self.folder / f"{name}.log", "ab")
        self.processes[name] = subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL,
                                                stdout=more.pop("stdout", log), stderr=log, start_new_session=True, **more)
        log.close()
        self.started_at.setdefault(name, time.monotonic())
        return self.processes[name]

    def end(self, name, sig=signal.SIGTERM, seconds=30.0):
        process = self.processes.pop(name, None)
        if process is None:
            return
        if name in self.cpu_of_the_dead:
            self.cpu_of_the_dead[name] += cpu_seconds(process.pid)
        if process.poll() is None:
            process.send_signal(sig)
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def clean_up(self):
        for name in list(self.processes):
            if name != "air":
                self.end(name)
        self.end("air")
        for namespace in self.namespaces.values():
            subprocess.run(["ip", "netns", "del", namespace], stderr=subprocess.DEVNULL, check=False)
        self.namespaces = {}
        if self.options.keep:
            self.say(f"everything is kept in {self.folder}")
        else:
            shutil.rmtree(self.folder, ignore_errors=True)

    def make_namespaces(self):
        """One per station; says in a line why not, if not."""
        try:
            if self.options.no_tun:
                raise OSError("--no-tun was given")
            if shutil.which("ip") is None:
                raise OSError("there is no ip command")
            for station in STATIONS:
                name = f"{self.folder.name}-{station}"
                made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
                if made.returncode != 0:
                    raise OSError((made.stderr.strip().splitlines() or ["ip netns add failed"])[-1])
                self.namespaces[station] = name
                # Mounts a /sys of its own, which a chroot without a mount point at its root does not allow.
                entered = subprocess.run(["ip", "netns", "exec", name, "true"], capture_output=True, text=True, check=False)
                if entered.returncode != 0:
                    raise OSError((entered.stderr.strip().splitlines() or ["ip netns exec failed"])[-1])
                subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=False, capture_output=True)
                trial = subprocess.run(["ip", "-n", name, "tuntap", "add", "dev", "trial0", "mode", "tun"],
                                       capture_output=True, text=True, check=False)
                if trial.returncode != 0:
                    raise OSError("TUN: " + (trial.stderr.strip().splitlines() or ["not permitted"])[-1])
                subprocess.run(["ip", "-n", name, "tuntap", "del", "dev", "trial0", "mode", "tun"], check=False,
                               capture_output=True)
        except OSError as e:
            for name in self.namespaces.values():
                subprocess.run(["ip", "netns", "del", name], stderr=subprocess.DEVNULL, check=False)
            self.namespaces = {}
            self.with_tun = False
            self.say(f"no network namespaces or TUN here ({e}): the same file goes through the same stack without them")

    # -- stations

    def path(self, station, what):
        return self.folder / f"{station}.{what}"

    def control(self, station):
        return Control(self.path(station, "sock"))

    def write_config(self, station):
        self.path(station, "toml").write_text(f"""\
[station]
name = "{station}"
key_file = "{station}.key"
ledger_file = "{station}.ledger"
control_socket = "{station}.sock"
[radio]
{radio_keys(self.options.radio, self.folder / "air.sock", station)}
profile = "1M"
{transmit_keys(self.options.radio, station, self.folder.name)}[net]
price_msat_per_mib = {self.options.price if station == "beacon" else 0}
[tun]
enabled = {"true" if self.with_tun else "false"}
name = "mesh0"
congestion_control = "{self.congestion_control()}"
[log]
level = "{self.options.log_level}"
""")

    def congestion_control(self):
        """Linux's default, also where this machine's own is another (docs/operating.md, "TCP"); empty: its own."""
        folder = pathlib.Path("/proc/sys/net/ipv4")
        own = (folder / "tcp_congestion_control").read_text().strip()
        cubic = "cubic" in (folder / "tcp_available_congestion_control").read_text().split()
        if self.with_tun:
            self.result["tcp_congestion_control"] = "cubic" if cubic else own
        return "cubic" if self.with_tun and cubic else ""

    def start_station(self, station):
        self.spawn(station, [self.bin / "meshnetd", "--config", self.path(station, "toml")],
                   station if self.with_tun else None,
                   env={**os.environ, "SOAPY_SDR_PLUGIN_PATH": str(self.bin.parent / "soapy")})

    def start_everything(self):
        example = self.repository / "tools" / "examples" / "air-coast-beacon-ship.toml"
        self.spawn("air", [self.bin / "meshnet-air", "--config", example, "--socket", self.folder / "air.sock",
                           "--stats", self.folder / "air.json"])
        # Its socket is there a moment before somebody listens at it.
        self.wait_for("the air", lambda: "listening:" in (self.folder / "air.log").read_text(errors="replace"))
        self.say("the air is up: coast 60 km and ship 55 km from the beacon, coast and ship cannot hear each other")
        for station in STATIONS:
            self.write_config(station)
            self.start_station(station)
        for station in STATIONS:
            status = self.wait_for(f"station {station}", lambda: self.control(station).try_ask({"cmd": "status"}))
            self.addresses[station], self.ids[station] = status["address"], status["id"]
        self.say("three stations are up, each with its own key, ledger and " +
                 ("interface in its own network namespace" if self.with_tun else "control socket"))

    def links_up(self):
        for station in ("coast", "ship"):
            neighbours = self.control(station).try_ask({"cmd": "neighbours"}, [])
            if not any(n.get("session_up") and n.get("up") and n.get("id") == self.ids["beacon"] for n in neighbours):
                return False
        for station, other in (("coast", "ship"), ("ship", "coast")):
            routes = self.control(station).try_ask({"cmd": "routes"}, [])
            if not any(r.get("selected") and r.get("destination") == self.ids[other] for r in routes):
                return False
        return True

    def link_to_beacon(self, station):
        for n in self.control(station).try_ask({"cmd": "neighbours"}, []):
            if n.get("id") == self.ids["beacon"]:
                return n
        return {}

    def describe_links(self):
        words, figures = [], {}
        for station in ("coast", "ship"):
            link = self.link_to_beacon(station)
            figures[station] = {"snr_db": link.get("snr_db"), "peer_snr_db": link.get("peer_snr_db"),
                                "mode": link.get("mode"), "rate_kbps": (link.get("rate_bps") or 0) / 1e3,
                                "loss": link.get("loss"), "propagation_us": link.get("propagation_us")}
            snr = link.get("snr_db")
            words.append(f"{station} hears beacon at {snr:.1f} dB, sends {link.get('mode')}" if snr is not None
                         else f"{station} does not hear beacon")
        return "; ".join(words), figures

    # -- the work

    def ping(self):
        if not self.with_tun:
            return
        try:
            done = subprocess.run(["ip", "netns", "exec", self.namespaces["coast"], "ping", "-6", "-c", "5", "-i", "0.5", "-W", "5",
                                   self.addresses["ship"]], capture_output=True, text=True, check=False,
                                  timeout=max(self.left(), 1.0))
        except subprocess.TimeoutExpired:
            raise DemoError("ping from coast to ship did not end in time") from None
        times = [float(t) for t in re.findall(r"time=([\d.]+) ms", done.stdout)]
        self.result["ping"] = {"sent": 5, "received": len(times), "rtt_ms": times}
        if not times:
            raise DemoError("ping from coast to ship got no answer")
        self.say(f"ping coast -> ship: {len(times)} of 5 answered, round trip {min(times):.0f} to {max(times):.0f} ms")

    def earned_msat(self):
        ledger = self.control("beacon").try_ask({"cmd": "ledger", "limit": 0})
        return None if ledger is None else ledger["totals"]["earned_msat"]

    def start_transfer(self, source, target):
        if self.with_tun:
            self.spawn("web", ["/usr/bin/python3", "-m", "http.server", str(PORT), "--bind", self.addresses["ship"],
                               "--directory", source.parent], "ship")
            probe = "import socket,sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 1).close()"
            self.wait_for("the web server", lambda: subprocess.run(
                ["ip", "netns", "exec", self.namespaces["ship"], "/usr/bin/python3", "-c", probe, self.addresses["ship"],
                 str(PORT)], capture_output=True, check=False).returncode == 0)
            url = f"http://[{self.addresses['ship']}]:{PORT}/{source.name}"
            self.say(f"curl on the coast fetches {url} from Python's http.server on the ship")
            self.spawn("curl", ["curl", "-g", "-sS", "--connect-timeout", "30", "-o", target, url], "coast")
        else:
            cli = self.bin / "meshnet-cli"
            self.spawn("web", [cli, "send", "--socket", self.path("ship", "sock"), source])
            self.say("meshnet-cli receive on the coast asks meshnet-cli send on the ship for the file")
            self.spawn("curl", [cli, "receive", "--socket", self.path("coast", "sock"), "--from", self.addresses["ship"],
                                "--json", target])

    def bytes_so_far(self, target):
        """Of the file that have reached the coast."""
        if self.with_tun:
            return target.stat().st_size if target.exists() else 0
        return max((line.get("bytes", 0) for line in self.receiver_says()), default=0)

    def receiver_says(self):
        """What meshnet-cli receive has written: progress, and the report when the file is there."""
        lines = []
        for line in (self.folder / "curl.log").read_text(errors="replace").splitlines():
            try:
                lines.append(json.loads(line))
            except ValueError:
                pass
        return lines

    def arrived(self):
        """The file is there (the receiver without TUN stays a little longer, to repeat its last word)."""
        return not self.with_tun and any("sha256" in line for line in self.receiver_says())

    def transfer(self):
        """The file, with the beacon killed half way. A file that came too quickly for that is followed by one of twice the size."""
        for factor in (1, 2, 4):
            if factor > 1:
                self.say("the file was there before the beacon could be killed: again with a larger one")
            killed = self.transfer_of(factor * self.options.bytes)
            self.end("web")
            if killed or self.options.no_kill:
                return
        raise DemoError("the transfer was over before the beacon could be killed; give --bytes a larger number")

    def transfer_of(self, size):
        """One file; true if the beacon was killed meanwhile."""
        served = self.folder / "served"
        served.mkdir(exist_ok=True)
        source, target = served / "chart.bin", self.folder / "fetched.bin"
        target.unlink(missing_ok=True)
        (self.folder / "curl.log").unlink(missing_ok=True)
        source.write_bytes(os.urandom(size))
        digest = hashlib.sha256(source.read_bytes()).hexdigest()
        self.say(f"a random file of {size} bytes waits on the ship")
        self.start_transfer(source, target)
        began = time.monotonic()
        next_word, killed = began + 2.0, None
        curl = self.processes["curl"]
        while curl.poll() is None and not self.arrived():
            if self.left() < 5:
                raise DemoError(f"the transfer was not over in time: {self.bytes_so_far(target)} of {size} bytes")
            self.check_processes()
            got = self.bytes_so_far(target)
            if killed is None and not self.options.no_kill and 0.4 * size < got < 0.9 * size:
                killed = self.kill_beacon(got, target)
                next_word = time.monotonic() + 3.0
            now = time.monotonic()
            if now >= next_word:
                next_word = now + 3.0
                earned = self.earned_msat()
                self.say(f"{got * 100 // size:3d} % of the file, {got * 8e-3 / (now - began):.0f} kbit/s so far, beacon earned "
                         f"{0 if earned is None else earned:g} msat; {self.describe_links()[0]}")
            time.sleep(0.1)
        seconds = time.monotonic() - began
        del self.processes["curl"]
        try:
            curl.wait(max(self.left(), 1.0))
        except subprocess.TimeoutExpired:
            curl.kill()
            curl.wait()
        if curl.returncode != 0:
            raise DemoError(f"{'curl' if self.with_tun else 'meshnet-cli receive'} failed ({curl.returncode}): {self.last_line('curl')}")
        arrived = hashlib.sha256(target.read_bytes()).hexdigest() if target.exists() else ""
        intact = arrived == digest
        outage = killed["outage_s"] if killed else 0.0
        self.result.update({"file_intact": intact, "file_bytes": size, "sha256": arrived, "transfer_s": seconds,
                            "goodput_kbps": size * 8e-3 / seconds, "kill": killed,
                            "goodput_without_outage_kbps": size * 8e-3 / max(seconds - outage, 1e-3)})
        self.say(f"the file is on the coast after {seconds:.1f} s, {self.result['goodput_kbps']:.0f} kbit/s, SHA-256 "
                 f"{'the same' if intact else 'DIFFERENT'}")
        return killed is not None

    def kill_beacon(self, got, target):
        before = self.wait_for("the beacon's ledger", self.earned_msat)
        self.end("beacon", signal.SIGKILL)
        dead_at = time.monotonic()
        self.say(f"SIGKILL to the beacon at {got} bytes; its ledger showed {before:g} msat earned")
        time.sleep(1.0)
        self.start_station("beacon")
        after = self.wait_for("the beacon's restart", self.earned_msat)
        started = time.monotonic()
        stalled_at = self.bytes_so_far(target)
        self.say(f"the beacon is back after {started - dead_at:.1f} s; its ledger shows {after:g} msat: "
                 f"{'nothing acknowledged was lost' if after >= before else 'CREDIT WAS LOST'}")
        if after < before:
            raise DemoError(f"the beacon lost acknowledged credit: {before:g} msat before the kill, {after:g} after")
        def sessions_back():
            neighbours = self.control("beacon").try_ask({"cmd": "neighbours"}, [])
            return {n["id"] for n in neighbours if n.get("session_up")} >= {self.ids["coast"], self.ids["ship"]}

        def data_back():
            return self.bytes_so_far(target) > stalled_at or self.processes["curl"].poll() is not None

        self.wait_for("the beacon's sessions with coast and ship", sessions_back)
        linked = time.monotonic()
        self.wait_for("data after the restart", data_back)
        flowing = time.monotonic()
        self.say(f"both links are up again {linked - started:.1f} s after the restart, and bytes of the file arrive after "
                 f"{flowing - started:.1f} s")
        return {"at_bytes": got, "at_s": dead_at - self.begin, "restart_s": started - dead_at, "links_back_s": linked - started,
                "data_back_s": flowing - started, "outage_s": flowing - dead_at, "earned_before_msat": before,
                "earned_after_msat": after}

    # -- the books

    def balances(self):
        """Balance of each pair as either side has written it, in msat; > 0: the other owes."""
        books = {s: self.control(s).try_ask({"cmd": "ledger", "limit": 0}) for s in STATIONS}
        if any(b is None for b in books.values()):
            return None
        out = {}
        for station in ("coast", "ship"):
            def of(owner, peer):
                return next((n["balance_msat"] for n in books[owner]["neighbours"] if n["id"] == self.ids[peer]), 0)
            out[station] = {"beacon_says": of("beacon", station), "peer_says": of(station, "beacon")}
        return out

    def settle(self):
        def agreed():
            b = self.balances()
            return b if b and all(v["beacon_says"] == -v["peer_says"] for v in b.values()) else None
        try:
            quiet_since, last = time.monotonic(), None
            while True:  # the same books, in agreement, for 2 s
                books = self.wait_for("agreement of the ledgers", agreed)
                if self.left() < 1:
                    raise DemoError("the ledgers did not come to rest in time")
                if books != last:
                    last, quiet_since = books, time.monotonic()
                elif time.monotonic() - quiet_since >= 2.0:
                    break
                time.sleep(0.2)
            self.result["ledgers_agree"] = True
        except DemoError as e:
            self.say(str(e))
        self.result["balances_msat"] = self.balances()
        self.result["earned_msat"] = self.earned_msat()
        self.result["owed_by_coast_msat"] = -(self.result["balances_msat"] or {}).get("coast", {}).get("peer_says", 0)

    def measure(self):
        now = time.monotonic()
        stations = {}
        for station in STATIONS:
            status = self.control(station).try_ask({"cmd": "status"}, {})
            cpu = self.cpu_of_the_dead[station] + cpu_seconds(self.processes[station].pid)
            wall = now - self.started_at[station]
            stations[station] = {"cpu_s": round(cpu, 2), "wall_s": round(wall, 2), "x_real_time": round(wall / max(cpu, 1e-3), 1),
                                 "radio": status.get("radio"), "phy": status.get("phy"), "mac": status.get("mac"),
                                 "net": status.get("net")}
        wall = now - self.started_at["air"]
        cpu = cpu_seconds(self.processes["air"].pid)
        self.result["stations"] = stations
        self.result["air"] = {"cpu_s": round(cpu, 2), "wall_s": round(wall, 2), "x_real_time": round(wall / max(cpu, 1e-3), 1)}
        total = cpu + sum(s["cpu_s"] for s in stations.values())
        self.result["cores_used"] = round(total / wall, 3)
        self.result["x_real_time_on_all_cores"] = round(wall * (os.cpu_count() or 1) / max(total, 1e-3), 1)
        self.result["links"] = self.describe_links()[1]

    def run(self):
        self.make_namespaces()
        self.result["with_tun"] = self.with_tun
        self.start_everything()
        self.wait_for("finding neighbours and routes", self.links_up)
        self.result["links_up_s"] = time.monotonic() - self.begin
        self.say(f"neighbours found: {self.describe_links()[0]}")
        self.ping()
        self.transfer()
        self.say("waiting for the last receipts")
        self.settle()
        self.measure()
        for station in STATIONS:
            self.end(station)
        self.end("air")
        try:
            self.result["air"]["stats"] = json.loads((self.folder / "air.json").read_text())
        except (OSError, ValueError):
            pass

    def passed(self):
        return bool(self.result["file_intact"] and self.result["ledgers_agree"] and (self.result.get("earned_msat") or 0) > 0)

    def summary(self):
        r = self.result
        print("\nSummary")
        print(f"  file            {r['file_bytes']} bytes, {'intact' if r['file_intact'] else 'DAMAGED'}, {r['transfer_s']:.1f} s, "
              f"{r['goodput_kbps']:.0f} kbit/s ({r['goodput_without_outage_kbps']:.0f} without the time the beacon was away)")
        if "ping" in r:
            rtt = sorted(r["ping"]["rtt_ms"])
            print(f"  ping            {len(rtt)} of {r['ping']['sent']}, median {rtt[len(rtt) // 2]:.0f} ms")
        for name, link in r["links"].items():
            print(f"  {name:6s} - beacon {link['snr_db']:.1f} dB, {link['mode']}, {link['rate_kbps']:.0f} kbit/s on the air")
        if r["kill"]:
            print(f"  beacon killed   away {r['kill']['restart_s']:.1f} s, links back {r['kill']['links_back_s']:.1f} s and data "
                  f"{r['kill']['data_back_s']:.1f} s later; "
                  f"{r['kill']['earned_before_msat']:g} msat before, {r['kill']['earned_after_msat']:g} after")
        print(f"  ledgers         {'agree' if r['ledgers_agree'] else 'DO NOT AGREE'}: beacon earned {r['earned_msat']:g} msat, "
              f"coast owes {r['owed_by_coast_msat']:g} msat")
        for name, s in (*r["stations"].items(), ("air", r["air"])):
            print(f"  CPU {name:11s} {s['cpu_s']:.1f} s in {s['wall_s']:.0f} s: {s['x_real_time']:.1f} x real time on one core")
        print(f"  all together    {r['cores_used']:.2f} cores of {os.cpu_count()}")
        print(f"  {'PASSED' if self.passed() else 'FAILED'} after {r['demo_s']:.0f} s", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bin", default="build/release/bin", help="folder of meshnetd, meshnet-cli and meshnet-air")
    parser.add_argument("--headless", action="store_true", help="for scripts: no summary table")
    parser.add_argument("--json", metavar="FILE", help="write every figure there")
    parser.add_argument("--keep", action="store_true", help="keep keys, ledgers and logs")
    parser.add_argument("--bytes", type=int, default=400_000, help="size of the file (default 400000)")
    parser.add_argument("--price", type=int, default=1_000, help="what the beacon asks, msat per MiB (default 1000)")
    parser.add_argument("--radio", default="air", choices=RADIOS,
                        help="air: the stations stand in the simulated air; usrp, hackrf: behind virtual radios like those, "
                             "through SoapySDR; uhd: a virtual USRP through UHD")
    parser.add_argument("--no-kill", action="store_true", help="leave the beacon alive")
    parser.add_argument("--no-tun", action="store_true", help="as if TUN and namespaces were not permitted")
    parser.add_argument("--log-level", default="info", choices=("debug", "info", "warn", "error"), help="of the stations")
    parser.add_argument("--time-limit", type=float, default=175.0, help="seconds for everything (default 175)")
    options = parser.parse_args()
    missing = [p for p in ("meshnetd", "meshnet-cli", "meshnet-air") if not (pathlib.Path(options.bin) / p).is_file()]
    if missing:
        print(f"demo: {', '.join(missing)} not found in {options.bin}; build first: ./meshnet build", file=sys.stderr)
        return 2

    def on_signal(*_):
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGHUP, on_signal)
    demo = Demo(options)
    failure = None
    try:
        demo.run()
    except DemoError as e:
        failure = str(e)
    except KeyboardInterrupt:
        failure = "interrupted"
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if failure:
            demo.say(f"FAILED: {failure}")
        demo.clean_up()
    demo.result.update({"passed": failure is None and demo.passed(), "failure": failure, "demo_s": time.monotonic() - demo.begin,
                        "machine": machine_description()})
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(demo.result, indent=2) + "\n")
    if failure is None and not options.headless:
        demo.summary()
    elif failure is None:
        demo.say("PASSED" if demo.passed() else "FAILED")
    return 0 if demo.result["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: MIT
"""babeld (Debian) on a mesh of the same shape: each node in a network namespace behind a TAP interface, and one process in
between that gives every frame the rate, loss and delay of a radio link. A multicast frame is sent once and heard by all
neighbours, as ours are. The kernel's netem is not needed, so the two see the same air."""

import ctypes
import fcntl
import heapq
import os
import random
import select
import shutil
import signal
import struct
import subprocess
import tempfile
import time

TUNSETIFF, IFF_TAP_NO_PI = 0x400454CA, 0x1002
CLONE_NEWNET = 0x40000000
BABEL_PORT = 6696


def available():
    """Empty, or why babeld cannot be run here."""
    if shutil.which("babeld") is None:
        return "babeld is not installed (apt-get install babeld)"
    if os.geteuid() != 0:
        return "network namespaces need root"
    if not os.path.exists("/dev/net/tun"):
        return "/dev/net/tun is missing"
    return ""


def run(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Mesh:
    """`edges`: pairs of node numbers from 0. Rate in bit/s, delay in s, loss a share."""

    def __init__(self, nodes, edges, rate, delay, loss, seed):
        self.n, self.rate, self.delay, self.loss = nodes, rate, delay, loss
        self.hears = {i: set() for i in range(nodes)}
        for a, b in edges:
            self.hears[a].add(b)
            self.hears[b].add(a)
        self.random = random.Random(seed)
        self.folder = tempfile.mkdtemp(prefix="babeld-")
        self.names = [f"bm{os.getpid()}n{i}" for i in range(nodes)]
        self.taps, self.daemons, self.alive = [], {}, set(range(nodes))
        self.queue, self.sequence = [], 0
        self.busy = [0.0] * nodes
        self.macs, self.control_bytes, self.control_frames = {}, 0, 0

    def __enter__(self):
        for i, name in enumerate(self.names):
            run("ip", "netns", "add", name)
            self.taps.append(self.open_tap(name))
            run("ip", "-n", name, "link", "set", "lo", "up")
            run("ip", "-n", name, "link", "set", "radio", "up")
            run("ip", "-n", name, "addr", "add", f"fd00:1::{i + 1:x}/128", "dev", "lo")
            mac = subprocess.run(["ip", "netns", "exec", name, "cat", "/sys/class/net/radio/address"], check=True, capture_output=True,
                                 text=True).stdout.strip()
            self.macs[bytes.fromhex(mac.replace(":", ""))] = i
        for i in range(self.n):
            self.start(i)
        return self

    def open_tap(self, name):
        """A TAP interface in the namespace; its descriptor stays valid outside."""
        libc = ctypes.CDLL(None, use_errno=True)
        here = os.open("/proc/self/ns/net", os.O_RDONLY)
        there = os.open(f"/run/netns/{name}", os.O_RDONLY)
        try:
            if libc.setns(there, CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
            tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", b"radio", IFF_TAP_NO_PI))
        finally:
            libc.setns(here, CLONE_NEWNET)
            os.close(here)
            os.close(there)
        return tap

    def start(self, i):
        base = os.path.join(self.folder, str(i))
        with open(base + ".log", "w", encoding="utf-8") as log:
            self.daemons[i] = subprocess.Popen(
                ["ip", "netns", "exec", self.names[i], "babeld", "-I", base + ".pid", "-S", base + ".state", "-C",
                 "interface radio type wireless", "-C", f"redistribute local ip fd00:1::{i + 1:x}/128 allow", "-C", "redistribute local deny",
                 "radio"], stdout=log, stderr=log)

    def kill(self, i):
        self.alive.discard(i)
        self.daemons[i].kill()
        self.daemons[i].wait()

    def __exit__(self, *_):
        for d in self.daemons.values():
            if d.poll() is None:
                d.send_signal(signal.SIGKILL)
                d.wait()
        for tap in self.taps:
            os.close(tap)
        for name in self.names:
            subprocess.run(["ip", "netns", "del", name], check=False, stderr=subprocess.DEVNULL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def carry(self, seconds):
        """Moves frames for so long."""
        end = time.monotonic() + seconds
        index = {tap: i for i, tap in enumerate(self.taps)}
        while (now := time.monotonic()) < end:
            while self.queue and self.queue[0][0] <= now:
                _, _, to, frame = heapq.heappop(self.queue)
                if to in self.alive:
                    try:
                        os.write(self.taps[to], frame)
                    except OSError:
                        pass
            wait = min(end - now, self.queue[0][0] - now if self.queue else 1.0)
            for tap in select.select(self.taps, [], [], max(0.0, wait))[0]:
                try:
                    self.send(index[tap], os.read(tap, 4096))
                except BlockingIOError:
                    pass

    def send(self, sender, frame):
        if sender not in self.alive:
            return
        now = time.monotonic()
        start = max(now, self.busy[sender])
        self.busy[sender] = start + len(frame) * 8 / self.rate
        if len(frame) > 62 and frame[12:14] == b"\x86\xdd" and frame[20] == 17 and int.from_bytes(frame[56:58], "big") == BABEL_PORT:
            self.control_bytes += len(frame)
            self.control_frames += 1
        to_all = frame[0] & 1
        receivers = self.hears[sender] if to_all else self.hears[sender] & {self.macs.get(frame[:6], -1)}
        for peer in receivers:
            if to_all and self.random.random() < self.loss:
                continue
            self.sequence += 1
            heapq.heappush(self.queue, (self.busy[sender] + self.delay, self.sequence, peer, frame))

    def routes(self, i):
        """Next hops of node i to the others: {number: gateway}."""
        text = subprocess.run(["ip", "-6", "-n", self.names[i], "route", "show"], capture_output=True, text=True, check=False).stdout
        out = {}
        for line in text.splitlines():
            words = line.split()
            if words and words[0].startswith("fd00:1::") and "via" in words and "unreachable" not in words:
                out[int(words[0].split("::")[1].split("/")[0], 16) - 1] = words[words.index("via") + 1]
        return out

    def missing(self):
        count = 0
        for i in self.alive:
            have = self.routes(i)
            count += sum(1 for k in self.alive if k != i and k not in have)
        return count


def measure(nodes, edges, rate, delay, loss, seed=1, limit=90.0, idle=60.0, kills=3):
    """Convergence, idle control and repair of one mesh. Real time."""
    with Mesh(nodes, edges, rate, delay, loss, seed) as mesh:
        start = time.monotonic()
        converged = None
        while time.monotonic() - start < limit:
            mesh.carry(0.5)
            if mesh.missing() == 0:
                converged = time.monotonic() - start
                break
        mesh.carry(5.0)
        before = mesh.control_bytes, mesh.control_frames
        mesh.carry(idle)
        idle_bytes = (mesh.control_bytes - before[0]) / idle / nodes
        idle_frames = (mesh.control_frames - before[1]) / idle / nodes
        repairs = []
        for k in range(kills):
            victims = [i for i in mesh.alive if i != 0]
            victim = mesh.random.choice(victims)
            address = {gateway for i in mesh.hears[victim] & mesh.alive for number, gateway in mesh.routes(i).items() if number == victim}
            mesh.kill(victim)
            died = time.monotonic()
            while time.monotonic() - died < limit:
                mesh.carry(0.25)
                using = any(gateway in address for i in mesh.alive for number, gateway in mesh.routes(i).items() if number != victim)
                if not using and mesh.missing() == 0:
                    repairs.append(time.monotonic() - died)
                    break
        return {"converged_s": converged, "idle_bytes_s": idle_bytes, "idle_frames_s": idle_frames, "repairs_s": repairs, "kills": kills}

#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""meshnet-page beside two real daemons in the simulated air: who is let in, what /metrics says, bad starts in one line."""
import http.client
import json
import pathlib
import re
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import time

HANG = 240.0  # seconds: ends a hang, no measure of the machine
PAGE, DAEMON, AIR, SOURCE = sys.argv[1:5]
STARTED = []


def wait_for(done):
    until = time.monotonic() + HANG
    while not done():
        assert time.monotonic() < until, "nothing happened"
        time.sleep(0.1)


def start(*command, **more):
    process = subprocess.Popen([str(c) for c in command], **more)
    STARTED.append(process)
    return process


def get(port, path, method="GET", **headers):
    """Status, headers and body; header names with _ for -."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=HANG)
    connection.request(method, path, headers={k.replace("_", "-"): v for k, v in headers.items()})
    answer = connection.getresponse()
    out = answer.status, dict(answer.getheaders()), answer.read().decode()
    connection.close()
    return out


def check_guard(port, token):
    bearer = {"Authorization": "Bearer " + token}
    assert get(port, "/")[0] == 401
    assert get(port, "/metrics")[0] == 401
    assert get(port, "/", Authorization="Bearer " + "0" * 64)[0] == 401
    assert get(port, "/", Host=f"evil.example:{port}", **bearer)[0] == 421
    assert get(port, "/", Host="127.0.0.1:1", **bearer)[0] == 421
    assert get(port, "/", Origin="http://evil.example", **bearer)[0] == 403
    assert get(port, "/", Origin=f"http://127.0.0.1:{port}", **bearer)[0] == 200
    assert get(port, "/", method="POST", **bearer)[0] == 405
    assert get(port, "/", X="a" * 20_000, **bearer)[0] == 400
    status, headers, _ = get(port, "/?token=" + token)
    assert status == 303 and headers["Location"] == "/", headers
    cookie = headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie, cookie
    status, headers, text = get(port, "/", Cookie=cookie.split(";")[0])
    assert status == 200 and "default-src 'none'" in headers["Content-Security-Policy"] and "page.js" in text
    assert get(port, "/history?kind=up&span=abc", **bearer)[0] == 400
    assert get(port, "/history?kind=nonsense&span=3600", **bearer)[0] == 400


def check_dashboard(port, token):
    """Each metric of the Grafana dashboard comes in /metrics, and each panel asks for one."""
    dashboard = json.loads((pathlib.Path(SOURCE) / "docs/monitoring/meshnet-dashboard.json").read_text())
    panels = dashboard["panels"]
    assert len(panels) > 10 and len({p["id"] for p in panels}) == len(panels)
    expressions = [t["expr"] for p in panels for t in p["targets"]]
    expressions += [v["definition"] for v in dashboard["templating"]["list"] if "definition" in v]
    asked = [set(re.findall(r"\bmeshnet_\w+", e)) for e in expressions]
    assert all(asked), expressions
    # Of radios at an antenna only, which no test has: these are looked for in the source.
    source = (pathlib.Path(SOURCE) / "apps/page/metrics.cpp").read_text()
    missing = {m for m in set.union(*asked) if not (m.startswith("meshnet_transmit_band_") and f'"{m}"' in source)}
    until = time.monotonic() + HANG
    while missing:  # those of neighbours come with the neighbour, those of money with the ledger
        assert time.monotonic() < until, f"not in /metrics: {sorted(missing)}"
        text = get(port, "/metrics", Authorization="Bearer " + token)[2]
        missing -= set(re.findall(r"^# TYPE (\S+) ", text, re.MULTILINE))
        time.sleep(0.2)


def check_metrics(port, token):
    bearer = {"Authorization": "Bearer " + token}
    wait_for(lambda: "\nmeshnet_up 1" in get(port, "/metrics", **bearer)[2])
    text = get(port, "/metrics", **bearer)[2]
    for name in ("meshnet_radio_up 1", "meshnet_phy_samples_total ", "meshnet_mac_frames_sent_total ",
                 "meshnet_net_balances_refused_total ", "meshnet_mac_airtime_used_seconds_total "):
        assert "\n" + name in text, name
    if shutil.which("promtool"):
        ran = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=HANG)
        assert ran.returncode == 0, ran
    else:
        print("promtool is not installed (package prometheus): the text was not checked by it")


def check_bad_starts(folder, port):
    (folder / "foreign").write_text("not a history " * 400)
    (folder / "open.token").write_text("0" * 64)
    (folder / "open.token").chmod(0o644)
    config = ["--config", folder / "coast.toml", "--port", "0"]
    for options, words in ((["--config", folder / "coast.toml", "--port", port, "--no-history"], "taken"),
                           ([*config, "--history", folder / "foreign"], "not a history"),
                           ([*config, "--history", folder / "no" / "such"], "cannot be opened"),
                           ([*config, "--history", folder / "history.sqlite"], "in use"),
                           ([*config, "--token-file", folder / "open.token"], "chmod 600"),
                           ([*config, "--token-file", folder / "no" / "token"], "cannot be written"),
                           (["--config", folder / "none.toml"], "none.toml"), (["--nonsense"], "--help")):
        ran = subprocess.run([PAGE, *map(str, options)], capture_output=True, text=True, timeout=HANG)
        lines = [line for line in ran.stderr.splitlines() if "runs as root" not in line]
        assert ran.returncode in (1, 2) and len(lines) == 1 and words in lines[0], (options, ran)


def main(folder):
    start(AIR, "--config", pathlib.Path(SOURCE) / "tools/examples/air-coast-beacon-ship.toml", "--socket",
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
    url = page.stdout.readline().strip()
    port, token = int(url.split(":")[2].split("/")[0]), url.split("token=")[1]
    assert stat.S_IMODE((folder / "page.token").stat().st_mode) == 0o600
    bearer = {"Authorization": "Bearer " + token}
    check_guard(port, token)
    check_metrics(port, token)
    wait_for(lambda: "snr_db{" in get(port, "/metrics", **bearer)[2])  # the beacon is heard
    check_dashboard(port, token)
    wait_for(lambda: json.loads(get(port, "/signal", **bearer)[2])["spectrum"]["rows"])
    assert json.loads(get(port, "/signal", **bearer)[2])["bursts"]
    wait_for(lambda: json.loads(get(port, "/history?kind=up&span=3600", **bearer)[2])["rows"])
    check_bad_starts(folder, port)
    with socket.create_connection(("127.0.0.1", port)) as raw:  # nothing of HTTP at all
        raw.sendall(b"\x00" * 20_000)
    daemons[0].kill()
    wait_for(lambda: "\nmeshnet_up 0" in get(port, "/metrics", **bearer)[2])
    page.terminate()
    assert page.wait(HANG) == 0


with tempfile.TemporaryDirectory() as name:
    try:
        main(pathlib.Path(name))
    finally:
        for process in STARTED:
            process.kill()
            process.wait()

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures the mesh and writes docs/results/net.md with its plots; babeld from Debian runs beside it if it is there."""

import argparse
import datetime
import json
import os
import statistics
import subprocess
import tempfile
import time

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

import babeld_mesh  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LAB = os.path.join(ROOT, "build/release/bin/meshnet-lab")
IMG = os.path.join(ROOT, "docs/results/img")


def scenario(topology="random", link="", **keys):
    text = f'topology = "{topology}"\n' + "".join(f"{k} = {v}\n" for k, v in keys.items()) + ("[link]\n" + link if link else "")
    with tempfile.NamedTemporaryFile("w", suffix=".toml", delete=False) as f:
        f.write(text)
    try:
        out = subprocess.run([LAB, "net", "--scenario", f.name, "--json", "--quiet"], capture_output=True, text=True, check=False)
    finally:
        os.unlink(f.name)
    if not out.stdout:
        raise SystemExit(f"report net: {out.stderr.strip()}")
    out = out.stdout
    return json.loads(out.splitlines()[0])


def trial(name, seeds, *options):
    out = subprocess.run([LAB, "net-trial", name, "--seeds", str(seeds), *options], capture_output=True, text=True, check=True).stdout
    return [json.loads(line) for line in out.splitlines()]


def verdict(ok):
    return "met" if ok else "**missed**"


def times(values, limit):
    """Median and most, of those that ended; the number that did not."""
    ended = [v for v in values if v >= 0.0]
    lost = len(values) - len(ended)
    text = f"{statistics.median(ended):.2f} ({max(ended):.2f})" if ended else "never"
    ok = not lost and statistics.median(ended) <= limit[0] and max(ended) <= limit[1]
    return text + (f", {lost} never" if lost else ""), ok


def plot_prices(name, data):
    fig, axes = plt.subplots(2, 1, figsize=(7, 5), sharex=True)
    for relay in data["relays"]:
        t = [k * data["step_s"] for k in range(len(relay["price"]))]
        axes[0].step(t, relay["price"], label=f"{relay['name']}: earned {relay['earned_msat']:.0f} msat")
        axes[1].step(t, relay["share"])
    axes[0].set_ylabel("price, msat per MiB")
    axes[0].legend()
    axes[1].set_ylabel("share of the traffic")
    axes[1].set_xlabel("s")
    fig.tight_layout()
    fig.savefig(os.path.join(IMG, f"net_price_{name}.png"), dpi=90)
    plt.close(fig)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer seeds, smaller networks")
    o = parser.parse_args()
    began = time.monotonic()
    os.makedirs(IMG, exist_ok=True)
    seeds = 6 if o.quick else 20
    sizes = (5, 20, 50, 100) if o.quick else (5, 20, 50, 100, 200)
    rows = []
    grown = {n: scenario(nodes=n, degree=min(7.0, n - 1.0), active_s=0.0, idle_s=300.0, calm_s=1.0) for n in sizes}
    mesh = scenario("mesh", nodes=20, active_s=0.0, idle_s=300.0, calm_s=1.0)
    for n, r in list(grown.items())[:4]:
        rows.append((f"idle control, N = {n}, share of the air", "0.02", f"{r['idle_share']:.4f}", r["idle_share"] <= 0.02))
    rows.append(("idle control, full mesh of 20", "0.02", f"{mesh['idle_share']:.4f}", mesh["idle_share"] <= 0.02))
    for n, bar in ((50, 5), (100, 10), (200, 20)):
        if n in grown:
            s = grown[n]["converged_s"]
            rows.append((f"all routes from cold, N = {n}, s", str(bar), f"{s:.2f}", 0 <= s <= bar))
    for km, limit in ((50, (0.6, 1.2)), (300, (1.0, 2.0))):
        text, ok = times([r["seconds"] for r in trial("repair", seeds, "--distance-km", str(km))], limit)
        rows.append((f"repair after a relay's death, {km} km, whole nodes, s: median (most)", f"{limit[0]} ({limit[1]})", text, ok))
    faded = trial("fade", seeds)
    text, ok = times([r["moved_s"] for r in faded], (2.0, 2.0))
    rows.append(("running flow moves when the far link falls to -6 dB, s: median (most)", "2", text, ok))
    text, ok = times([r["seconds"] for r in trial("newcomer", seeds)], (2.0, 2.0))
    rows.append(("a new, cheaper relay is used, s: median (most)", "2", text, ok))
    cheaper = sum(r["cheaper"] for r in trial("cheaper", 12))
    rows.append(("cheaper of two relays chosen, of 12, whole nodes", "12", str(cheaper), cheaper == 12))
    for n, cpu, mib in ((100, 0.05, 100), (200, 0.1, 100)):
        if n in grown:
            r = grown[n]
            share = r["cpu_s"] / r["virtual_s"]
            rows.append((f"CPU s per s and memory of the process, N = {n}, cold start included", f"{cpu}, {mib} MiB",
                         f"{share:.3f}, {r['memory_mib']:.0f} MiB", share <= cpu and r["memory_mib"] <= mib))
    small = trial("network", 2 if o.quick else 5)
    share = sum(r["delivered"] for r in small) / sum(r["sent"] for r in small)
    p50 = statistics.median(r["p50_ms"] for r in small)
    rows.append(("20 whole nodes, degree 6-8, 2 packets/s in all: delivery, p50", ".999, 100 ms", f"{share:.3f}, {p50:.0f} ms",
                 share >= 0.999 and p50 <= 100))
    routers = scenario(nodes=20, idle_s=0.0, active_s=600.0)
    share = routers["delivered"] / routers["sent"]
    rows.append(("20 routers over links, 10 packets/s: delivery, p50", ".999, 100 ms", f"{share:.4f}, {routers['delay_ms']['p50']:.0f} ms",
                 share >= 0.999 and routers["delay_ms"]["p50"] <= 100))
    rows.append(("simulator, 20 nodes, all invariants after every event, x real time", "1000", f"{routers['speed']:.0f}",
                 routers["speed"] >= 1000))
    broken = grown[max(sizes)]["violations"] + mesh["violations"] + routers["violations"]
    lines = ["# The mesh, measured", "",
             f"Written by `./meshnet report net{' --quick' if o.quick else ''}` on {datetime.date.today()}; do not edit, run it again. Times are"
             " virtual, so they do not depend on the machine; CPU, memory and speed do; one process plays all nodes and verifies each signature once, not once a node.",
             "Links carry 3170 kbit/s. Idle control counts all routing and link control of a node and all it hears, 2 ms for each burst.", "",
             "| row | target | measured | |", "|---|---|---|---|"]
    lines += [f"| {a} | {b} | {c} | {verdict(d)} |" for a, b, c, d in rows]
    lines += ["", f"Invariants that broke in these runs: {len(broken)}.", "", "![Control and cold start over N](img/net_scale.png)", ""]
    fig, axes = plt.subplots(1, 2, figsize=(9, 3.5))
    axes[0].plot(list(grown), [r["idle_share"] for r in grown.values()], "o-")
    axes[0].axhline(0.02, color="grey", ls="--")
    axes[0].set(xlabel="N", ylabel="idle control, share of the air")
    axes[1].plot(list(grown), [r["converged_s"] for r in grown.values()], "o-")
    axes[1].set(xlabel="N", ylabel="all routes from cold, s")
    fig.tight_layout()
    fig.savefig(os.path.join(IMG, "net_scale.png"), dpi=90)
    lines += prices() + beside_babeld(o.quick)
    lines += ["", f"Took {(time.monotonic() - began) / 60:.1f} min."]
    with open(os.path.join(ROOT, "docs/results/net.md"), "w", encoding="utf-8") as f:
        f.write("\n".join(lines) + "\n")


def prices():
    lines = ["## Prices", "", "Six sources of 200 kbit/s, equal links, 900 s. *Moves*: flows opened beyond the first of each source; a choice is held for"
             " 30 s, so 180 is the most.", "", "| trial | relay | earned, msat | MiB carried | moves | delivered |", "|---|---|---:|---:|---:|---:|"]
    for name in ("undercut", "load-price", "cartel"):
        data = trial(name, 1)[0]
        plot_prices(name, data)
        for r in data["relays"]:
            lines.append(f"| {name} | {r['name']} | {r['earned_msat']:.0f} | {r['bytes'] / 2**20:.1f} | {data['moves']} | {data['delivered']:.4f} |")
    return lines + [""] + [f"![{n}](img/net_price_{n}.png)" for n in ("undercut", "load-price", "cartel")] + [""]


def beside_babeld(quick):
    """A ring of which everybody hears the next two on either side, the same for both."""
    lines = ["## Beside babeld", ""]
    why = babeld_mesh.available()
    if why:
        return lines + [f"Not run here: {why}."]
    lines += ["`babeld` of Debian 12, settings as shipped for a wireless interface, in network namespaces; the air between them by"
              " `lab/report/babeld_mesh.py`: 3170 kbit/s, 1 ms, 2 % of broadcasts lost. A ring where everybody hears two on either side. Repair: from"
              " the death of a node until nobody's route leads over it; ours with the link layer's 0.3 s included, by packets. Control: bytes"
              " that a node sends when nothing happens, babeld without keys or signatures.", "",
              "| N | | converged, s | control, bytes/s | frames/s | repair, s |", "|---|---|---:|---:|---:|---:|"]
    for n in (10,) if quick else (10, 20):
        edges = [(i, (i + k) % n) for i in range(n) for k in (1, 2)]
        b = babeld_mesh.measure(n, edges, 3.17e6, 1e-3, 0.02, idle=20.0 if quick else 60.0, kills=1 if quick else 3)
        ours = scenario(nodes=n, degree=4.0, active_s=0.0, idle_s=300.0, calm_s=1.0, link="loss = 0.02\n")
        repairs = ", ".join(f"{v:.1f}" for v in b["repairs_s"]) or "never"
        found = f"{b['converged_s']:.1f}" if b["converged_s"] is not None else "never"
        lines += [f"| {n} | babeld | {found} | {b['idle_bytes_s']:.1f} | {b['idle_frames_s']:.2f} | {repairs} |",
                  f"| {n} | meshnet | {ours['converged_s']:.1f} | {ours['idle_bytes_s']:.1f} | {ours['idle_frames_s']:.2f} | see the table above |"]
    return lines


if __name__ == "__main__":
    main()

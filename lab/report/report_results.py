#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs the demo and the benchmarks and writes docs/results.md from what they print.

Every figure of the page comes from this run; run it again rather than editing the page.
"""
import argparse
import datetime
import json
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BENCHES = {
    "bench_phy_realtime": "What is received in real time on one core",
    "bench_phy_stages": "Where the receiver's time goes",
    "bench_phy": "The modem beside liquid-dsp's `ofdmflexframe`",
    "bench_ldpc": "The payload code alone",
    "bench_mac": "The medium access layer in virtual time",
}
ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


def run_demo(binaries: pathlib.Path) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "demo.json"
        command = ["/usr/bin/python3", str(ROOT / "tools/demo.py"), "--bin", str(binaries), "--headless", "--json", str(out)]
        if subprocess.run(command, check=False).returncode != 0:
            sys.exit("report results: the demo failed (above); nothing was written")
        return json.loads(out.read_text())


def run_bench(program: pathlib.Path) -> str:
    command = [str(program), "--benchmark_min_time=0.1"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"report results: {program.name} failed:\n{done.stderr}")
    return ESCAPES.sub("", done.stdout).strip()


def demo_table(d: dict) -> list:
    kill = d["kill"]
    stations = d["stations"]
    rows = [
        ("file", f"{d['file_bytes']} bytes over TCP/IP, SHA-256 the same: {'yes' if d['file_intact'] else 'no'}"),
        ("goodput, kill included", f"{d['goodput_kbps']:.0f} kbit/s"),
        ("goodput without the outage", f"{d['goodput_without_outage_kbps']:.0f} kbit/s"),
        ("beacon killed at", f"{kill['at_bytes']} bytes; data flows again {kill['data_back_s']:.1f} s after its restart"),
        ("earned before the kill and after it", f"{kill['earned_before_msat']} and {kill['earned_after_msat']} msat"),
        ("beacon earned, coast owes", f"{d['earned_msat']} and {d['owed_by_coast_msat']} msat"),
        ("ledgers agree", "yes" if d["ledgers_agree"] else "no"),
    ]
    if d.get("ping"):
        trips = ", ".join(f"{t:.0f}" for t in d["ping"]["rtt_ms"])
        rows.append(("ping over both hops", f"{trips} ms (the first waits for the flow to open)"))
    for name, link in d["links"].items():
        rows.append((f"beacon as {name} hears it", f"{link['snr_db']:.1f} dB, {link['mode']}, one way {link['propagation_us']:.0f} us"))
    for name, s in stations.items():
        rows.append((f"CPU of {name}", f"{s['cpu_s']:.2f} s in {s['wall_s']:.1f} s: {s['x_real_time']:.0f} x real time on one core"))
    rows.append(("CPU of the air", f"{d['air']['cpu_s']:.2f} s: {d['air']['x_real_time']:.0f} x real time on one core"))
    rows.append(("all four processes", f"{d['cores_used']:.2f} cores"))
    rows.append(("length of the demo", f"{d['demo_s']:.1f} s"))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(prog="./meshnet report results", description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build/release/bin", help="folder of the built programs")
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "docs/results.md")
    options = parser.parse_args()
    for name in ("meshnetd", *BENCHES):
        if not (options.bin / name).exists():
            sys.exit(f"report results: {name} is not in {options.bin}; run ./meshnet build first")

    demo = run_demo(options.bin)
    machine = demo["machine"]
    for station in demo["stations"].values():
        station["radio"].pop("device", None)  # a temporary path
    lines = [
        "# Results",
        "",
        f"Written by `./meshnet report results` on {datetime.date.today()}; run it again rather than editing it. Machine: "
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_mib']} MiB, {machine['system']}.",
        "Sensitivity, channels, peaks and spectrum of the modem: [results/phy.md](results/phy.md) (`./meshnet report phy`).",
        "",
        "## The demo",
        "",
        "`./meshnet demo --headless --json FILE`: coast and ship, 60 km and 55 km from the beacon, hidden from each other, 1 Msample/s in real time.",
        "",
        "| what | measured |",
        "|---|---|",
    ]
    lines += [f"| {what} | {value} |" for what, value in demo_table(demo)]
    lines += ["", "<details><summary>The whole JSON</summary>", "", "```json", json.dumps(demo, indent=1), "```", "", "</details>"]
    for name, title in BENCHES.items():
        print(f"{name} ...", file=sys.stderr)
        lines += ["", f"## {title}", "", f"`{name} --benchmark_min_time=0.1` (`./meshnet bench` runs them all)", "", "```"]
        lines += [run_bench(options.bin / name), "```"]
    options.output.write_text("\n".join(lines) + "\n")
    print(f"wrote {options.output}", file=sys.stderr)


if __name__ == "__main__":
    main()

#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Measures the modem and writes docs/results/phy.md with its plots. Run by `./meshnet report phy`.

Every number in the page comes out of meshnet-lab in this run (or, with --render, out of the kept raw results of one);
nothing is typed by hand. The raw results are kept beside the build as JSON.
"""

import argparse
import json
import os
import platform
import shlex
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

PROFILE = "1M"
SEED = 1
PAYLOAD = 1000
ROBUST = {"qpsk-1/5x16": 16, "qpsk-1/5x8": 8, "qpsk-1/5x4": 4, "qpsk-1/5x2": 2}
LIQUID = ["qpsk-golay-1/2", "qpsk-hamming-2/3", "qpsk-uncoded", "16qam-golay-1/2", "16qam-hamming-2/3", "64qam-hamming-2/3"]
CHANNELS = ["two-ray", "tdl-a-1us", "tdl-b-1us", "tdl-c-1us", "tdl-c-5us", "rician-100hz", "rayleigh-10hz", "rayleigh-100hz", "leo",
            "hackrf", "sfo-50ppm", "phase-noise"]
QUICK_CHANNELS = ["two-ray", "tdl-c-1us", "rician-100hz", "leo", "hackrf"]
STILL = ("leo", "hackrf", "sfo-50ppm", "phase-noise")
FADING_MODES = ["qpsk-1/2", "16qam-1/2", "64qam-3/4"]
INTERFERENCE_MODES = ["qpsk-1/2", "16qam-1/2"]
BUDGET_MODES = ["qpsk-1/5x8", "qpsk-1/5", "qpsk-1/2", "qpsk-3/4", "16qam-1/2", "64qam-3/4", "256qam-3/4", "256qam-5/6"]
DETECTION = {"short": "-9:1:1", "medium": "-15:1:-6", "long": "-24:1:-14"}
ACQUISITION = {"short": ("qpsk-1/2", 8), "medium": ("qpsk-1/5x2", 0), "long": ("qpsk-1/5x8", -6)}


def machine():
    """CPU model, cores and load, as this machine reports them."""
    model = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            model = next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), model)
    except OSError:
        pass
    return {"cpu": model, "cores": os.cpu_count(), "load": round(os.getloadavg()[0], 1)}


def revision():
    def git(*words):
        return subprocess.run(["git", "-C", ROOT, *words], capture_output=True, text=True, check=False).stdout.strip()

    commit = git("rev-parse", "--short=10", "HEAD") or "unknown"
    return commit + (" with local changes in phy/" if git("status", "--porcelain", "--", "phy", "core") else "")


class Lab:
    """Runs meshnet-lab, shows how far the report is, keeps every result under its command line."""

    def __init__(self, program, threads, effort):
        self.program, self.threads, self.effort = program, threads, effort
        self.jobs, self.results, self.commands = [], {}, {}

    def add(self, key, weight, command, *words, **options):
        """Plans a run. Words may be functions, called when the run begins; `weight`: CPU seconds, roughly."""
        self.jobs.append((key, max(weight, 0.05), command, words, options.get("lines", False)))

    def frames(self, count, least=40):
        return str(max(least, int(count * self.effort)))

    def run(self):
        total, done, start = sum(job[1] for job in self.jobs), 0.0, time.monotonic()
        for number, (key, weight, command, words, lines) in enumerate(self.jobs, 1):
            line = [command] + [str(w() if callable(w) else w) for w in words]
            left = f", about {(time.monotonic() - start) * (total - done) / done / 60:.0f} min left" if done > 0 else ""
            print(f"report: {number}/{len(self.jobs)} {shlex.join(line)}{left}", file=sys.stderr, flush=True)
            threaded = [] if command in ("papr", "spectrum", "efficiency") else ["--threads", str(self.threads)]
            quiet = [] if command == "efficiency" else ["--quiet"]
            result = subprocess.run([self.program, *line, *threaded, *quiet], stdout=subprocess.PIPE, text=True, check=False)
            if result.returncode != 0:
                sys.exit(f"report: meshnet-lab {shlex.join(line)} failed (exit code {result.returncode})")
            parsed = [json.loads(text) for text in result.stdout.splitlines()]
            self.results[key] = parsed if lines else parsed[0]
            self.commands[key] = "meshnet-lab " + shlex.join(line)
            done += weight


def plan(lab, modes, quick):
    common = ["--profile", PROFILE, "--seed", SEED]
    lab.add("efficiency", 0.1, "efficiency")
    for mode in modes:
        spread = ROBUST.get(mode, 1)
        frames = {16: 300, 8: 500, 4: 800, 2: 1200}.get(spread, 1500)
        lab.add(f"threshold {mode}", 20 + 3 * spread, "threshold", "--mode", mode, *common, "--payload", PAYLOAD, "--per", 0.01,
                "--step-db", 0.12, "--frames", lab.frames(frames, 60), "--min-errors", lab.frames(100, 25))
    for mode in BUDGET_MODES[2:3] if quick else BUDGET_MODES:
        lab.add(f"budget {mode}", 12 + 4 * ROBUST.get(mode, 1), "budget", "--mode", mode, *common, "--payload", PAYLOAD, "--per", 0.1,
                "--step-db", 0.12, "--frames", lab.frames(600 // ROBUST.get(mode, 1), 60))
    for scheme in LIQUID:
        lab.add(f"liquid {scheme}", 5, "liquid", "--scheme", scheme, "--seed", SEED, "--payload", PAYLOAD, "--per", 0.01,
                "--step-db", 0.4, "--frames", lab.frames(1500), "--min-errors", lab.frames(100, 25))

    def fit(mode, which):
        return lambda: lab.results[f"threshold {mode}"].get("fit", {}).get(which, 1.0)

    for mode in FADING_MODES[:2] if quick else FADING_MODES:
        for channel in QUICK_CHANNELS if quick else CHANNELS:
            # Fine steps where the curve is as steep as in AWGN, coarse ones where fading flattens it.
            step = 0.2 if channel in STILL else 0.5 if channel.startswith(("two-ray", "rician")) else 1.5
            lab.add(f"fading {mode} {channel}", 7, "fading", "--mode", mode, *common, "--payload", PAYLOAD, "--channel", channel,
                    "--per", 0.1, "--step-db", step, "--frames", lab.frames(300, 60),
                    "--awgn", fit(mode, "a"), fit(mode, "b"))

    for mode in INTERFERENCE_MODES[:1] if quick else INTERFERENCE_MODES:
        lab.add(f"interference {mode}", 40, "interference", "--mode", mode, *common, "--payload", PAYLOAD, "--frames", lab.frames(500, 60),
                "--awgn-db", lambda mode=mode: round(lab.results[f"threshold {mode}"]["snr_db"] or 0.0, 2), "--json", lines=True)

    def above(mode):
        return lambda: round((lab.results[f"threshold {mode}"]["snr_db"] or 0.0) + 6.0, 1)

    for mode in modes:
        if not quick:
            lab.add(f"floor {mode}", 10, "sweep", "--mode", mode, *common, "--payload", 60 if mode in ROBUST else PAYLOAD,
                    "--frames", lab.frames(25000), "--snr-db", above(mode), "--json", lines=True)
    for mode in modes:
        lab.add(f"papr {mode}", 0.3, "papr", "--mode", mode, *common, "--symbols", 20000 if quick else 60000)
    for mode in ("qpsk-1/2", "16qam-1/2", "256qam-5/6"):
        lab.add(f"spectrum {mode}", 0.3, "spectrum", "--mode", mode, *common, "--samples", 400000)
    for name, snrs in DETECTION.items():
        lab.add(f"detection {name}", {"short": 1, "medium": 3, "long": 15}[name], "detection", "--preamble", name, *common,
                "--snr-db", snrs, "--frames", lab.frames(1500, 150))
    lab.add("noise", 25 if not quick else 2, "noise", *common, "--samples", int(1e9 * lab.effort) if not quick else 40_000_000)
    for name, (mode, snr) in ACQUISITION.items():
        frames = lab.frames(200, 50)
        for cfo in (-160, -140, -130, -125, -120, -90, -45, 0, 45, 90, 120, 125, 130, 140, 160):
            lab.add(f"cfo {name} {cfo}", 0.5, "sweep", "--mode", mode, *common, "--payload", 100, "--snr-db", snr, "--frames", frames,
                    "--cfo-hz", cfo * 1000, "--json", lines=True)
        for sfo in (-400, -300, -200, -100, -50, 0, 50, 100, 200, 300, 400):
            lab.add(f"sfo {name} {sfo}", 1, "sweep", "--mode", mode, *common, "--payload", 500, "--snr-db", snr, "--frames",
                    lab.frames(100, 40), "--sfo-ppm", sfo, "--json", lines=True)


def main():
    parser = argparse.ArgumentParser(prog="meshnet report phy", description="Measures the modem and writes docs/results/phy.md.")
    parser.add_argument("--quick", action="store_true", help="about 2 minutes on 2 cores instead of 10 to 15: fewer frames, fewer channels")
    parser.add_argument("--effort", type=float, help="factor on all frame counts (default 1; 0.15 with --quick)")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="threads (default: one per core); never changes a figure")
    parser.add_argument("--lab", default=os.path.join(ROOT, "build", "release", "bin", "meshnet-lab"), help="the program that measures")
    parser.add_argument("--out", default=os.path.join(ROOT, "docs", "results"), help="folder of phy.md and img/")
    parser.add_argument("--data", default=os.path.join(ROOT, "build", "report-phy.json"), help="where the raw results are kept")
    parser.add_argument("--render", action="store_true", help="draw and write again from the kept raw results, measure nothing")
    options = parser.parse_args()
    effort = options.effort if options.effort is not None else (0.15 if options.quick else 1.0)
    if not 0.01 <= effort <= 100.0:
        parser.error("--effort must be within 0.01..100")
    if options.threads is not None and not 1 <= options.threads <= 256:
        parser.error("--threads must be within 1..256")

    if options.render:
        try:
            with open(options.data, encoding="utf-8") as file:
                data = json.load(file)
        except (OSError, ValueError) as error:
            sys.exit(f"report: no raw results to render: {error}")
    else:
        if not os.access(options.lab, os.X_OK):
            sys.exit(f"report: {options.lab} is not there: build it with ./meshnet build")
        lab = Lab(options.lab, options.threads or 1, effort)
        # The efficiency table names every mode, the most robust first: the list is asked for, not written here.
        listing = json.loads(subprocess.run([options.lab, "efficiency"], stdout=subprocess.PIPE, text=True, check=True).stdout)
        modes = [row["mode"] for row in listing if row["profile"] == PROFILE]
        plan(lab, modes, options.quick)
        start = time.monotonic()
        lab.run()
        data = {"machine": machine(), "revision": revision(), "date": time.strftime("%Y-%m-%d", time.gmtime()), "modes": modes,
                "command": "./meshnet report phy" + (" --quick" if options.quick else "")
                           + (f" --effort {effort:g}" if options.effort is not None else ""),
                "minutes": round((time.monotonic() - start) / 60, 1), "results": lab.results, "commands": lab.commands}
        os.makedirs(os.path.dirname(options.data) or ".", exist_ok=True)
        with open(options.data, "w", encoding="utf-8") as file:
            json.dump(data, file)
    import report_text
    path = report_text.write(data, options.out, PROFILE, PAYLOAD)
    print(f"report: {os.path.relpath(path)}", file=sys.stderr)


if __name__ == "__main__":
    main()

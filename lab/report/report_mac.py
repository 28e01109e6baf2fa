#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Measures the MAC and writes docs/results/mac.md with its plots. Run by `./meshnet report mac`.

Every figure of ours comes out of meshnet-lab mac in this run (or, with --render, out of the kept results of one). All but
the simulator's speed are the same on every machine: virtual time, fixed seeds.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DISTANCES_KM = [1, 3, 10, 30, 100, 300, 1000, 3900]
COUNTS = [2, 3, 5, 8, 12, 20, 32, 48, 64]
CHAIN_LOADS = [0.10, 0.13, 0.15, 0.17, 0.19, 0.20, 0.21, 0.22, 0.23, 0.25, 0.27, 0.30]
CHAIN_KM = [1, 100, 300]


def circle(n, km, *more):
    return ["--stations", n, "--distance-km", km, *more]


def plan(quick):
    """Key -> options of meshnet-lab mac. Each runs for every seed."""
    seconds = ["--seconds", 20 if quick else 60]
    jobs = {}
    for n in (2, 5, 20):
        for km in DISTANCES_KM[::3] + [300, 3900] if quick else DISTANCES_KM:
            jobs[f"circle {n} {km}"] = circle(n, km, *seconds)
    for n in COUNTS[::2] if quick else COUNTS:
        for km in (1, 100, 300):
            jobs[f"circle {n} {km}"] = circle(n, km, *seconds)
    jobs["circle 20 100"] = circle(20, 100, *seconds)
    jobs["circle 5 100"] = circle(5, 100, *seconds)
    jobs["circle 2 300"] = circle(2, 300, *seconds)
    jobs["together"] = circle(5, 1, "--together", *seconds)
    for orbit in ("leo", "geo"):
        jobs[orbit] = ["--stations", 5, "--orbit", orbit, *seconds]
    for turnaround in (0, 2, 10):
        jobs[f"turnaround {turnaround}"] = circle(5, 1, "--turnaround-ms", turnaround, *seconds)
    jobs["late"] = circle(5, 1, "--late", 0.05, *seconds)
    jobs["loss"] = circle(5, 1, "--loss", 0.1, *seconds)
    for switch in (10, 60, 300):
        jobs[f"class b {switch}"] = circle(5, 1, "--class-b", 1, "--switch-ms", switch, *seconds)
    for n in (5, 20):
        jobs[f"two queued {n}"] = circle(n, 300, "--outstanding", 2, *seconds)
    for km in CHAIN_KM:
        jobs[f"chain {km}"] = ["--chain", 5, "--distance-km", km, *seconds]
        for load in CHAIN_LOADS:
            jobs[f"chain {km} {load}"] = ["--chain", 5, "--distance-km", km, "--load", load, *seconds]
            jobs[f"chain {km} {2 * load:g} twice"] = ["--chain", 5, "--distance-km", km, "--load", f"{2 * load:g}", *seconds]
    jobs["tcp 1"] = ["--stations", 2, "--tcp", 1, *seconds]
    jobs["tcp 2"] = ["--chain", 2, "--tcp", 1, *seconds]
    jobs["voice alone"] = ["--chain", 2, "--bulk", 0, "--voice", 1, *seconds]
    jobs["voice beside bulk"] = circle(5, 1, "--voice", 5, *seconds)
    jobs["carrier late"] = circle(5, 1, "--carrier-late-ms", 0.2, *seconds)
    jobs["light"] = circle(5, 1, "--load", 0.01, *seconds)
    jobs["dead"] = circle(5, 1, "--kill", 5, *seconds)
    return jobs


def run(lab, jobs, seeds, threads):
    results = {}

    def one(job):
        key, words, seed = job
        line = [lab, "mac", *[str(w) for w in words], "--seed", str(seed), "--json"]
        began = time.monotonic()
        try:
            done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=120)
        except subprocess.TimeoutExpired:
            return key, seed, {"refused": "did not end within 120 s"}
        # 1: an invariant was violated; the row says so.
        if done.returncode not in (0, 1) or not done.stdout:
            return key, seed, {"refused": done.stderr.strip() or f"exit code {done.returncode}"}
        return key, seed, json.loads(done.stdout) | {"wall_s": time.monotonic() - began}

    todo = [(key, words, seed) for key, words in jobs.items() for seed in seeds]
    with ThreadPoolExecutor(max_workers=threads) as pool:
        for number, (key, seed, result) in enumerate(pool.map(one, todo), 1):
            results.setdefault(key, {})[str(seed)] = result
            if number % 50 == 0:
                print(f"report: {number} of {len(todo)} runs", file=sys.stderr, flush=True)
    return results


def speed(bench):
    """Packets delivered a CPU second, by number of stations; empty if the benchmark is not built."""
    if not os.access(bench, os.X_OK):
        return {}
    done = subprocess.run([bench, "--benchmark_format=json"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return {}
    return {b["name"].split("/")[1]: b["items_per_second"] for b in json.loads(done.stdout)["benchmarks"]}


def main():
    parser = argparse.ArgumentParser(prog="meshnet report mac", description="Measures the MAC and writes docs/results/mac.md.")
    parser.add_argument("--quick", action="store_true", help="20 s instead of 60 s of virtual time, one seed, fewer points")
    parser.add_argument("--seeds", type=int, default=3, help="runs of every point (default 3; 1 with --quick)")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="runs at once (default: one per core); never changes a figure")
    parser.add_argument("--lab", default=os.path.join(ROOT, "build", "release", "bin", "meshnet-lab"), help="the program that measures")
    parser.add_argument("--out", default=os.path.join(ROOT, "docs", "results"), help="folder of mac.md and img/")
    parser.add_argument("--data", default=os.path.join(ROOT, "build", "report-mac.json"), help="where the raw results are kept")
    parser.add_argument("--render", action="store_true", help="draw and write again from the kept raw results, measure nothing")
    options = parser.parse_args()
    if not 1 <= options.seeds <= 1000 or not 1 <= (options.threads or 1) <= 256:
        parser.error("--seeds must be within 1..1000, --threads within 1..256")
    if options.render:
        try:
            with open(options.data, encoding="utf-8") as file:
                data = json.load(file)
        except (OSError, ValueError) as error:
            sys.exit(f"report: no raw results to render: {error}")
    else:
        if not os.access(options.lab, os.X_OK):
            sys.exit(f"report: {options.lab} is not there: build it with ./meshnet build")
        seeds = list(range(1, 2 if options.quick else options.seeds + 1))
        jobs = plan(options.quick)
        fast = speed(os.path.join(os.path.dirname(options.lab), "bench_mac_scenario"))
        began = time.monotonic()
        results = run(options.lab, jobs, seeds, options.threads or 1)
        commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short=10", "HEAD"], capture_output=True, text=True, check=False)
        data = {"results": results, "speed": fast, "seeds": seeds, "minutes": round((time.monotonic() - began) / 60, 1),
                "revision": commit.stdout.strip() or "unknown", "date": time.strftime("%Y-%m-%d", time.gmtime()),
                "command": "./meshnet report mac" + (" --quick" if options.quick else ""),
                "commands": {key: shlex.join(["meshnet-lab", "mac", *[str(w) for w in words]]) for key, words in jobs.items()}}
        os.makedirs(os.path.dirname(options.data) or ".", exist_ok=True)
        with open(options.data, "w", encoding="utf-8") as file:
            json.dump(data, file)
    import report_mac_text
    print(f"report: {os.path.relpath(report_mac_text.write(data, options.out))}", file=sys.stderr)


if __name__ == "__main__":
    main()

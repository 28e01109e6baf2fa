#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Measures what ./meshnet demo has to build, beside everything there is, and writes docs/results/build.md.

Both are built from nothing, one after the other, on this machine, without ccache.
"""
import argparse
import datetime
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILDS = (("programs", "programs", "what `./meshnet demo` builds"), ("release", "all", "everything, as `./meshnet test` builds it"))


def build(preset, target, folder):
    """Configures and builds; wall seconds, CPU seconds of the compilers, steps."""
    environment = dict(os.environ, CCACHE_DISABLE="1")
    directory = pathlib.Path(folder) / preset
    subprocess.run(["cmake", "--preset", preset, "-B", directory], cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
    steps = subprocess.run(["ninja", "-C", directory, "-n", target], check=True, capture_output=True, text=True).stdout.count("\n[")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.monotonic()
    subprocess.run(["ninja", "-C", directory, target], env=environment, check=True, stdout=subprocess.DEVNULL)
    wall = time.monotonic() - begin
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    shutil.rmtree(directory)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, steps


def main():
    parser = argparse.ArgumentParser(prog="./meshnet report build", description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "docs/results/build.md")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for preset, target, what in BUILDS:
            print(f"building {what} ...", file=sys.stderr)
            rows.append((what, *build(preset, target, folder)))
    (_, wall, cpu, _), (_, all_wall, all_cpu, _) = rows
    lines = ["# Build time", "",
             f"Written by `./meshnet report build` on {datetime.date.today()}: one run, {os.cpu_count()} cores, no ccache.", "",
             "| built | steps | wall s | CPU s |", "|---|---:|---:|---:|"]
    lines += [f"| {what} | {steps} | {w:.0f} | {c:.0f} |" for what, w, c, steps in rows]
    lines += ["", f"The demo builds in {wall / all_wall:.2f} of the time of everything ({cpu / all_cpu:.2f} of the CPU time); the target is at most 0.5."]
    options.output.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Instructions per sample of the hot paths, counted by callgrind, against tests/golden/instructions.txt.

Callgrind runs the program on a processor of its own making (AVX2, never AVX-512), so the count is the same on every
machine with AVX2 and whatever else runs there. A row fails if it grew by more than 5 %; one that shrank as much asks for
the table to be written anew, so that what was won is kept: --write does that.
"""
import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

TOLERANCE = 0.05


def count(program: str, arguments: list) -> float:
    """Instructions per sample of one row."""
    function = "hot_path_transmit" if arguments[0] == "transmit" else "hot_path_receive"
    with tempfile.TemporaryDirectory() as folder:
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out", "--collect-atstart=no",
                   f"--toggle-collect={function}", program, *arguments]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        collected = re.search(r"Collected : (\d+)", done.stderr)
        if done.returncode != 0 or not collected:
            sys.exit(f"instruction_counts: {' '.join(command)} failed:\n{done.stderr}")
        return int(collected.group(1)) / int(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", help="the hot_paths program")
    parser.add_argument("golden", type=pathlib.Path, help="tests/golden/instructions.txt")
    parser.add_argument("--write", action="store_true", help="replace the table by what is counted")
    options = parser.parse_args()
    text = options.golden.read_text()
    head = [line for line in text.splitlines() if line.startswith("#")]
    rows = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
    lines = []
    wrong = 0
    for *arguments, golden in rows:
        counted = count(options.program, arguments)
        ratio = counted / float(golden)
        verdict = "ok" if abs(ratio - 1) <= TOLERANCE else "grew" if ratio > 1 else "shrank: write the table anew"
        wrong += verdict != "ok"
        name = " ".join(arguments)
        print(f"{name:36s} {counted:9.1f} instructions a sample, {ratio:.3f} of the table's: {verdict}")
        lines.append(f"{name:36s} {counted:9.1f}")
    if options.write:
        options.golden.write_text("\n".join(head + lines) + "\n")
    elif wrong:
        sys.exit(1)


main()

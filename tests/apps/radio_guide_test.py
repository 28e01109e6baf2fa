#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""docs/radio-guide.md is right: meshnetd accepts each of its configurations, each `linkbudget` and each output shown is
what the program does, the plots are those of today's program, and no picture is missing."""
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

CLI, DAEMON, SOURCE = sys.argv[1:4]
DOCS = pathlib.Path(SOURCE) / "docs"
GUIDE = (DOCS / "radio-guide.md").read_text()


def check_configurations(folder):
    blocks = re.findall(r"```toml\n(.*?)```", GUIDE, re.DOTALL)
    devices = [re.search(r'device = "([a-z]+:[^"]*)"', block).group(1) for block in blocks]
    assert len(blocks) == 7 and len(set(devices)) == 7, devices
    for number, block in enumerate(blocks):
        file = folder / f"{number}.toml"
        file.write_text(block)
        ran = subprocess.run([DAEMON, "--config", str(file), "--check"], capture_output=True, text=True, timeout=120)
        assert ran.returncode == 0, (block, ran)
        # The check would have seen a mistake.
        file.write_text(block.replace("frequency_hz", "freqency_hz"))
        assert subprocess.run([DAEMON, "--config", str(file), "--check"], capture_output=True, timeout=120).returncode == 2


def check_link_budgets(folder):
    commands = re.findall(r"^    meshnet-cli (linkbudget .*)$", GUIDE, re.MULTILINE)
    assert len(commands) == 6, commands
    plots = 0
    for command in commands:
        ran = subprocess.run([CLI, *shlex.split(command)], capture_output=True, text=True, cwd=folder, timeout=120)
        assert ran.returncode == 0 and ran.stderr == "", (command, ran)
        behind = GUIDE.split("    meshnet-cli " + command + "\n", 1)[1].split("\n#", 1)[0]
        shown = re.search(r"```text\n(.*?)```", behind, re.DOTALL)
        for line in shown.group(1).splitlines() if shown else []:
            assert line in ran.stdout.splitlines(), (command, line, ran.stdout)
        plot = re.search(r"--plot (\S+)", command)
        if plot:
            assert shown, command
            plots += 1
            assert points(folder / plot.group(1)) == points(DOCS / "img" / plot.group(1)), f"docs/img/{plot.group(1)} is old"
    assert plots == 5, plots


def points(file):
    """What is drawn, rounded to a tenth of its unit, so that another rounding of a sine is no difference."""
    return [round(float(x)) for x in re.findall(r"[0-9.]+", "".join(re.findall(r'points="([^"]*)"', file.read_text())))]


def check_pictures():
    for page in DOCS.glob("*.md"):
        for picture in re.findall(r"!\[[^]]*\]\(([^)]*)\)", page.read_text()):
            assert (DOCS / picture).is_file(), (page, picture)


def check_monitors():
    for command in re.findall(r"^ +meshnet-cli (monitor [^#\n]*)", GUIDE, re.MULTILINE):
        ran = subprocess.run([CLI, *shlex.split(command.split("   ")[0]), "--seconds", "nan"], capture_output=True, text=True, timeout=120)
        assert "--seconds takes a number" in ran.stderr, ("not understood", command, ran)


def main():
    with tempfile.TemporaryDirectory(prefix="meshnet-") as name:
        check_configurations(pathlib.Path(name))
        check_link_budgets(pathlib.Path(name))
    check_pictures()
    check_monitors()


if __name__ == "__main__":
    main()

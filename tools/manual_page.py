#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes a manual page (man(7)) of what a program says of itself: --help, and --help of each of its commands.

    tools/manual_page.py PROGRAM VERSION PAGE
"""
import pathlib
import re
import subprocess
import sys

HANG_S = 60


def help_of(program, *command):
    """As if it were found by its name alone, whatever folder it is in."""
    done = subprocess.run([program.name, *command, "--help"], executable=program, capture_output=True, text=True, timeout=HANG_S)
    text = done.stdout or done.stderr
    if done.returncode != 0 or not text.strip():
        raise SystemExit(f"manual_page.py: {program.name} {' '.join(command)} --help gave exit code {done.returncode} and {len(text)} characters")
    return text.rstrip().splitlines()


def escaped(line):
    line = line.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + line if line[:1] in ".'" else line


def verbatim(lines):
    return [".nf", *map(escaped, lines), ".fi"]


def commands_of(lines):
    """(name, explanation) of each subcommand that CLI11 lists."""
    out = []
    if "Subcommands:" in lines:
        for line in lines[lines.index("Subcommands:") + 1 :]:
            found = re.match(r"  (\S+)\s+(\S.*)", line)
            if found:
                out.append(found.groups())
    return out


def page(program, version):
    lines = help_of(program)
    name, _, what = lines[0].partition(": ")
    if name != program.name or not what:
        raise SystemExit(f"manual_page.py: the first line of {program.name} --help is not '{program.name}: what it is'")
    out = [f'.TH {name.upper()} 1 "" "meshnet {version}" "User Commands"', ".SH NAME", escaped(f"{name} - {what}")]
    usage = [line.removeprefix("Usage: ") for line in lines if line.startswith("Usage: ")]
    rest = [line for line in lines[1:] if not line.startswith("Usage: ")]
    while rest and not rest[0]:
        rest.pop(0)
    commands = commands_of(lines)
    if usage:
        out += [".SH SYNOPSIS", escaped(usage[0]), ".SH DESCRIPTION", *verbatim(rest)]
    else:
        out += [".SH SYNOPSIS", *verbatim(rest)]
    if commands:
        out.append(".SH COMMANDS")
    for command, _ in commands:
        out += [f".SS {escaped(name + ' ' + command)}", *verbatim(line.removeprefix("Usage: ") for line in help_of(program, command))]
    if name == "meshnetd":
        example = subprocess.run([program, "--print-config"], capture_output=True, text=True, check=True, timeout=HANG_S)
        out += [".SH CONFIGURATION", "Every key with its default, unit, range and meaning, as written by", escaped("meshnetd --print-config:"), *verbatim(example.stdout.rstrip().splitlines())]
    others = [n for n in ("meshnetd", "meshnet-air", "meshnet-cli", "meshnet-page") if n != name]
    out += [".SH SEE ALSO", ", ".join(f"\\fB{escaped(n)}\\fR(1)" for n in others)]
    return "\n".join(out) + "\n"


def main(program, version, target):
    target = pathlib.Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(page(pathlib.Path(program), version))


if __name__ == "__main__":
    if len(sys.argv) != 4:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])

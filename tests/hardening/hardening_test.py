#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""hardening_test.py BUILD WORK COMPILER: every program and module that BUILD installs has its hardening.

Installs the programs, the SoapySDR module and the GNU Radio module below WORK and reads each ELF with readelf: position
independent, RELRO with immediate binding, no executable stack, no segment that is writable and executable, no text relocation,
stack protector and checked C functions in use, indirect branches ended where the processor can check them. What leaves no mark
there (stack clash protection) is looked for in the compiler's command lines. A program built without all of it must fail in each
point, or the test itself is wrong.
"""
import json
import pathlib
import re
import subprocess
import sys

COMPONENTS = {"programs": ("meshnetd", "meshnet-air", "meshnet-cli", "meshnet-page"), "meshair": ("libmeshairSupport.so",),
              "gr": ("libgnuradio-meshnet.so", "meshnet_python")}
FLAGS = ["-fstack-protector-strong", "-D_FORTIFY_SOURCE=3"]
OPTIONAL_FLAGS = {"-fstack-clash-protection": "MESHNET_HAS_fstack_clash_protection",
                  "-fcf-protection": "MESHNET_HAS_fcf_protection"}
# The bindings hold no array that a C function would be given.
WITHOUT_CHECKED_FUNCTIONS = ("meshnet_python",)
# Of the C runtime and the compiler's own objects there are about ten in any program.
LEAST_BRANCH_MARKS = 50


def run(*command):
    return subprocess.run([str(c) for c in command], check=True, capture_output=True, text=True).stdout


def readelf(option, path):
    return run("readelf", "-W", option, path)


def branch_marks(path):
    """endbr64 instructions in the code sections."""
    code = 0
    data = path.read_bytes()
    for row in re.finditer(r"^\s*\[\s*\d+\]\s+(\S+)\s+PROGBITS\s+\S+\s+(\S+)\s+(\S+)\s+\S+\s+\w*X", readelf("-S", path), re.M):
        begin, size = int(row[2], 16), int(row[3], 16)
        code += data[begin:begin + size].count(b"\xf3\x0f\x1e\xfa")
    return code


def faults(path, with_branch_marks):
    """What is missing, by name; empty: nothing."""
    out = []
    header, segments, dynamic, symbols = (readelf(o, path) for o in ("-h", "-l", "-d", "--dyn-syms"))
    program = "INTERP" in segments
    if not re.search(r"Type:\s+DYN", header) or (program and not re.search(r"FLAGS_1.*\bPIE\b", dynamic)):
        out.append("not position independent")
    if "GNU_RELRO" not in segments:
        out.append("no RELRO")
    if not re.search(r"\bBIND_NOW\b|FLAGS_1.*\bNOW\b", dynamic):
        out.append("no immediate binding")
    flags = {row[1]: row[2].replace(" ", "")
             for row in re.finditer(r"^\s+(GNU_STACK)\s+(?:0x\w+\s+){5}([RWE ]+?)\s+0x", segments, re.M)}
    if "E" in flags.get("GNU_STACK", "E"):
        out.append("executable stack")
    if re.search(r"^\s+LOAD\s+(?:0x\w+\s+){5}RWE", segments, re.M):
        out.append("a segment that is writable and executable")
    if "TEXTREL" in dynamic:
        out.append("text relocations")
    if "__stack_chk_fail" not in symbols:
        out.append("no stack protector")
    if not re.search(r"UND __\w+_chk@", symbols) and not path.name.startswith(WITHOUT_CHECKED_FUNCTIONS):
        out.append("no checked C function")
    if with_branch_marks and branch_marks(path) < LEAST_BRANCH_MARKS:
        out.append("indirect branches without marks")
    return out


def cached(build, name):
    found = re.search(rf"^{name}:\w+=(.*)$", (build / "CMakeCache.txt").read_text(), re.M)
    return found[1] if found else ""


def check_unhardened(work, compiler, with_branch_marks):
    """A program that has nothing of it: every fault that can be provoked must be found."""
    source = work / "bare.cpp"
    source.write_text("#include <cstdio>\nint main(int n, char**) { char t[9]; std::snprintf(t, sizeof t, \"%d\", n); "
                      "return std::puts(t); }\n")
    run(compiler, "-O1", "-U_FORTIFY_SOURCE", "-fno-stack-protector", "-no-pie", "-Wl,-z,norelro", "-Wl,-z,lazy",
        "-Wl,-z,execstack", source, "-o", work / "bare")
    expected = {"not position independent", "no RELRO", "no immediate binding", "executable stack", "no stack protector",
                "no checked C function"}
    if with_branch_marks:
        expected.add("indirect branches without marks")
    missed = expected - set(faults(work / "bare", with_branch_marks))
    return [f"the reader does not see: {m}" for m in sorted(missed)]


def main():
    build, work, compiler = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
    work.mkdir(parents=True, exist_ok=True)
    wrong = []
    marks = cached(build, "MESHNET_HAS_fcf_protection") == "1"
    wrong += check_unhardened(work, compiler, marks)

    # Command lines, of everything in this build.
    flags = FLAGS + [flag for flag, name in OPTIONAL_FLAGS.items() if cached(build, name) == "1"]
    commands = json.loads((build / "compile_commands.json").read_text())
    for entry in commands:
        line = entry["command"].split()
        wrong += [f"{entry['file']}: compiled without {flag}" for flag in flags if flag not in line]
        wrong += [f"{entry['file']}: compiled with {word}" for word in line
                  if word in ("-fno-stack-protector", "-fcf-protection=none", "-fno-stack-clash-protection", "-fno-pie")]

    # What is installed.
    prefix = work / "prefix"
    run("rm", "-rf", prefix)
    components = [c for c in COMPONENTS if c != "gr" or cached(build, "MESHNET_BUILD_GR") == "ON"]
    for component in components:
        run("cmake", "--install", build, "--component", component, "--prefix", prefix)
    files = [p for p in prefix.rglob("*") if p.is_file() and not p.is_symlink() and p.read_bytes()[:4] == b"\x7fELF"]
    for component in components:
        for name in COMPONENTS[component]:
            if not any(p.name.startswith(name) for p in files):
                wrong.append(f"{name} was not installed")
    for path in sorted(files):
        found = faults(path, marks)
        print(f"{path.relative_to(prefix)}: {', '.join(found) if found else 'hardened'}")
        wrong += [f"{path.name}: {f}" for f in found]
    print(f"{len(commands)} compilations, {len(files)} files, flags {' '.join(flags)}")
    if wrong:
        sys.exit("\n".join(wrong[:40]))


main()

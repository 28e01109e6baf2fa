#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Every metric that the alert rules name exists in the source of /metrics; promtool accepts the rules."""
import pathlib
import re
import shutil
import subprocess
import sys

SOURCE = pathlib.Path(sys.argv[1])
RULES = SOURCE / "docs/monitoring/meshnet-rules.yml"
named = set(re.findall(r"\bmeshnet_[a-z0-9_]+", " ".join(re.findall(r"expr: (.*)", RULES.read_text()))))
assert len(named) > 8, named
known = set(re.findall(r'"(meshnet_[a-z0-9_]+)"', (SOURCE / "apps/page/metrics.cpp").read_text()))
groups = {"radio": ("station/radio/radio.hpp", "station/radio/radio_link.hpp"), "net": ("net/router_counters.hpp",)}
for group, headers in groups.items():
    for header in headers:
        known |= {f"meshnet_{group}_{key}_total" for key in re.findall(r'visit\("(\w+)"', (SOURCE / header).read_text())}
assert not named - known, f"not in /metrics: {sorted(named - known)}"
if not shutil.which("promtool"):
    print("promtool is not installed (package prometheus): the rules' syntax was not checked")
else:
    subprocess.run(["promtool", "check", "rules", str(RULES)], check=True)

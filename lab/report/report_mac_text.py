# SPDX-License-Identifier: MIT
"""The page docs/results/mac.md and its plots, from the runs that report_mac.py collects."""

import os

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

from report_mac import CHAIN_KM, CHAIN_LOADS, COUNTS, DISTANCES_KM  # noqa: E402

# ns-3 DCF, slot and time-outs set for the distance: the best setting found; 3 Mbit/s, 1500 bytes, all saturated.
DCF = {(2, 1): 0.82, (20, 1): 0.80, (5, 100): 0.43, (20, 100): 0.40, (2, 300): 0.34, (5, 300): 0.24, (20, 300): 0.21, (5, 3900): 0.024}
COLOURS = {2: "#1f5fa8", 5: "#1b8a5a", 20: "#c2571a"}
USES = {"data": "#1b8a5a", "header": "#8fbf6a", "control": "#1f5fa8", "lost": "#777777", "collision": "#c23b22", "gap": "#e0b050", "idle": "#dddddd"}


class Runs:
    def __init__(self, data):
        self.results = data["results"]

    def all(self, key):
        return list(self.results.get(key, {}).values())

    def good(self, key):
        return [r for r in self.all(key) if "refused" not in r]

    def mean(self, key, *path):
        """Mean over the seeds; None if a run was refused or is missing."""
        runs = self.all(key)
        if not runs or len(self.good(key)) < len(runs):
            return None
        values = []
        for r in runs:
            for name in path:
                r = r.get(name, {}) if isinstance(r, dict) else 0.0
            values.append(float(r or 0.0))
        return sum(values) / len(values)

    def violated(self, key):
        return sum(r["violated"] for r in self.good(key))


def chain_best(runs, km):
    """The most goodput with 95 % delivered, and the goodput at twice that load over the most there is."""
    best = most = twice = None
    for load in CHAIN_LOADS:
        goodput = runs.mean(f"chain {km} {load}", "fraction")
        delivery = runs.mean(f"chain {km} {load}", "delivery")
        if goodput is None:
            continue
        most = max(most or 0.0, goodput)
        if delivery >= 0.95 and goodput > (best or 0.0):
            best, twice = goodput, runs.mean(f"chain {km} {2 * load:g} twice", "fraction")
    ratio = None if best is None or twice is None or not most else twice / max(most, twice)
    return best, ratio


def figure_of(value, digits=3):
    return "-" if value is None else f"{value:.{digits}f}"


def rows(runs, fast):
    """(what, bar, measured, met or None, 802.11, keys)."""
    out = []

    def at_least(what, bar, value, other="", keys=(), digits=3):
        out.append((what, f">= {bar:g}", figure_of(value, digits), None if value is None else value >= bar, other, keys))

    def at_most(what, bar, value, unit="", other="", keys=(), digits=0):
        measured = figure_of(value, digits) + (f" {unit}" if value is not None else "")
        out.append((what, f"<= {bar:g} {unit}".strip(), measured, None if value is None else value <= bar, other, keys))

    def ratio(a, b):
        return None if a is None or not b else a / b

    for n, km, bar in ((2, 1, .90), (5, 1, .88), (20, 1, .88), (5, 100, .88), (20, 100, .85), (2, 300, .90), (5, 300, .88), (20, 300, .80)):
        key = f"circle {n} {km}"
        at_least(f"saturated circle, N = {n}, {km} km", bar, runs.mean(key, "fraction"), figure_of(DCF.get((n, km)), 2), (key,))
    together = runs.mean("together", "fraction")
    at_least("N = 5, 1 km, all flows begin at one instant", .88, together, "", ("together",))
    at_least("N = 5, 13 ms (3900 km)", .85, runs.mean("circle 5 3900", "fraction"), ".024", ("circle 5 3900",))
    at_least("N = 5, LEO pass, 13 to 5 ms", .85, runs.mean("leo", "fraction"), "", ("leo",))
    at_least("N = 5, GEO, 125 ms", .85, runs.mean("geo", "fraction"), ".003", ("geo",))
    for turnaround, other in ((2, ".21 of the rate"), (10, ".056 of the rate")):
        share = ratio(runs.mean(f"turnaround {turnaround}", "fraction"), runs.mean("turnaround 0", "fraction"))
        at_least(f"turnaround {turnaround} ms over none", .97, share, other, (f"turnaround {turnaround}", "turnaround 0"))
    at_least("5 % of bursts late, over clean", .95, ratio(runs.mean("late", "fraction"), runs.mean("circle 5 1", "fraction")), "", ("late",))
    at_least("10 % of frames lost, over clean", .81, ratio(runs.mean("loss", "fraction"), runs.mean("circle 5 1", "fraction")), "", ("loss",))
    at_least("carrier reported 0.2 ms after the frame, over clean", .99,
             ratio(runs.mean("carrier late", "fraction"), runs.mean("circle 5 1", "fraction")), "", ("carrier late",))
    for switch in (10, 60, 300):
        key = f"class b {switch}"
        at_least(f"class B, {switch} ms: of its share", .60, runs.mean(key, "class_b", "own"), "", (key,))
        at_least(f"class B, {switch} ms: others, of the rest", .80, runs.mean(key, "class_b", "others"), "", (key,))
    for km in (1, 100, 300):
        at_least(f"Jain index, N = 20, {km} km", .98, runs.mean(f"circle 20 {km}", "jain"), ".93-.99", (f"circle 20 {km}",))
    for n in (20, 64):
        at_most(f"links lost while measured, N = {n}, 1 km", 0, runs.mean(f"circle {n} 1", "link_downs"), "", "", (f"circle {n} 1",))
    at_most("two packets queued per flow, 300 km, N = 5: p95", 450, runs.mean("two queued 5", "delay_ms", "p95"), "ms", "457 ms", ("two queued 5",))
    at_most("the same, N = 20", 1500, runs.mean("two queued 20", "delay_ms", "p95"), "ms", "2860 ms", ("two queued 20",))
    for km, bar, other in ((1, .25, ".213"), (100, .22, ".080"), (300, .20, ".040")):
        best, twice = chain_best(runs, km)
        keys = tuple(f"chain {km} {load}" for load in CHAIN_LOADS)
        at_least(f"chain of 5 hops, {km} km: most with 95 % delivered", bar, best, other + " (AODV)", keys)
        at_least(f"chain of 5 hops, {km} km: at twice that load, of the most", .9, twice, "0.1-0.6", ())
    at_least("TCP, one hop", .60, runs.mean("tcp 1", "fraction"), "", ("tcp 1",))
    at_least("TCP, two hops", .35, runs.mean("tcp 2", "fraction"), "", ("tcp 2",))
    at_most("voice alone, two hops: p95", 150, runs.mean("voice alone", "voice_ms", "p95"), "ms", "", ("voice alone",))
    out.append(("voice beside saturated bulk, N = 5: p95", "report", figure_of(runs.mean("voice beside bulk", "voice_ms", "p95"), 0) + " ms", None, "",
                ("voice beside bulk",)))
    out.append(("1 % load, N = 5, 1 km: p50 and p95", "report", figure_of(runs.mean("light", "delay_ms", "p50"), 1) + " and "
                + figure_of(runs.mean("light", "delay_ms", "p95"), 1) + " ms", None, "", ("light",)))
    out.append(("death of a link reported, p95", "3 superframes", figure_of(runs.mean("dead", "link_death_ms", "p95"), 0) + " ms", None, "", ("dead",)))
    at_most("ranging during a LEO pass: p95 of the error", 50, runs.mean("leo", "ranging_us", "p95"), "us", "", ("leo",), 1)
    at_least("simulator, N = 20: packets delivered a CPU second", 100000, fast.get("20"), "2300 (ns-3)", (), 0)
    return out


def plot_over(runs, folder, name, keys, label, log):
    figure, axis = plt.subplots(figsize=(7, 4))
    for n, colour in COLOURS.items():
        points = [(km, runs.mean(f"circle {n} {km}", "fraction")) for km in keys]
        points = [p for p in points if p[1] is not None]
        axis.plot([p[0] for p in points], [p[1] for p in points], "-o", ms=3, color=colour, label=f"N = {n}")
        other = sorted((km, v) for (count, km), v in DCF.items() if count == n)
        axis.plot([p[0] for p in other], [p[1] for p in other], "--x", ms=5, color=colour, label=f"802.11 in ns-3, N = {n}")
    if log:
        axis.set_xscale("log")
    return finish(figure, axis, label, folder, name)


def finish(figure, axis, label, folder, name, what="delivered, of the PHY rate"):
    axis.set_xlabel(label)
    axis.set_ylabel(what)
    axis.set_ylim(0, 1)
    axis.grid(alpha=0.25)
    axis.legend(frameon=False, fontsize=8)
    figure.tight_layout()
    figure.savefig(os.path.join(folder, name), dpi=100, pil_kwargs={"optimize": True}, metadata={"Software": None})
    plt.close(figure)
    return name


def plots(runs, folder):
    os.makedirs(folder, exist_ok=True)
    plot_over(runs, folder, "mac_distance.png", DISTANCES_KM, "diameter of the circle, km", True)
    figure, axis = plt.subplots(figsize=(7, 4))
    for km, style in ((1, "-o"), (100, "-s"), (300, "-^")):
        for path, colour in (("fraction", "#1b8a5a"), ("jain", "#1f5fa8")):
            points = [(n, runs.mean(f"circle {n} {km}", path)) for n in COUNTS]
            points = [p for p in points if p[1] is not None]
            axis.plot([p[0] for p in points], [p[1] for p in points], style, ms=3, color=colour, label=f"{path}, {km} km")
    finish(figure, axis, "stations", folder, "mac_stations.png", "delivered, of the PHY rate; Jain index")
    figure, axis = plt.subplots(figsize=(7, 4))
    counts = [n for n in COUNTS if runs.mean(f"circle {n} 1", "fraction") is not None]
    bottom = [0.0] * len(counts)
    for use, colour in USES.items():
        values = [runs.mean(f"circle {n} 1", "air", use) for n in counts]
        axis.bar([str(n) for n in counts], values, bottom=bottom, color=colour, label=use)
        bottom = [b + v for b, v in zip(bottom, values)]
    finish(figure, axis, "stations, circle of 1 km", folder, "mac_air.png", "share of the air")


def air_table(runs):
    lines = ["| scenario | " + " | ".join(USES) + " | bursts at once | mean burst ms |", "|---" * (len(USES) + 3) + "|"]
    for key in ("circle 2 1", "circle 5 1", "circle 20 1", "circle 5 300", "circle 20 300", "leo", "geo", "late", "loss", "class b 60", "chain 1",
                "chain 300", "tcp 1", "tcp 2"):
        if runs.mean(key, "fraction") is not None:
            shares = " | ".join(figure_of(runs.mean(key, "air", use)) for use in USES)
            lines.append(f"| {key} | {shares} | {figure_of(runs.mean(key, 'air', 'reuse'), 2)} | {figure_of(runs.mean(key, 'mean_burst_ms'), 1)} |")
    return lines


def write(data, out):
    runs = Runs(data)
    plots(runs, os.path.join(out, "img"))
    table = rows(runs, data["speed"])
    judged = [row for row in table if row[3] is not None]
    lines = ["# The medium access layer, measured", "",
             f"Written by `{data['command']}` on {data['date']} in {data['minutes']} minutes; do not edit, run it again. Source: {data['revision']}.",
             "Virtual time and fixed seeds: but for the simulator's speed no figure depends on the machine. Means of seeds "
             + ", ".join(str(s) for s in data["seeds"]) + ".", "",
             "Profile 1M up to 64qam-3/4 (3170 kbit/s), packets of 1500 bytes, settings as shipped (turnaround 2 ms, lead 4 ms, queue 32 KiB) unless a "
             "row says otherwise. Fractions are packet bits delivered from end to end over that rate, all stations together.", "",
             "802.11: DCF in ns-3 at 3 Mbit/s with 1500-byte frames, all saturated, slot time and time-outs set for the distance, the best setting "
             "found; chains with AODV. These figures are the requirement's, not of this run.", "",
             f"{sum(1 for row in judged if row[3])} of {len(judged)} bars are met.", "",
             "| measure | bar | measured | | 802.11 |", "|---|---:|---:|---|---:|"]
    for what, bar, measured, met, other, _ in table:
        lines.append(f"| {what} | {bar} | {measured} | {'' if met is None else 'met' if met else '**missed**'} | {other} |")
    lines += ["", "![Over distance](img/mac_distance.png)", "", "![Over the number of stations](img/mac_stations.png)", "",
              "## Where the air goes", "", "*gap*: silence before an answer that was granted, or shorter than a propagation delay; *idle*: all other silence. "
              "*lost* and *collision*: bursts, or parts of them, that their receiver missed.", "", *air_table(runs), "", "![Use of the air](img/mac_air.png)", ""]
    broken = [(key, runs.violated(key)) for key in sorted(data["results"]) if runs.violated(key) > 0]
    refused = [(key, next(iter(r["refused"] for r in runs.all(key) if "refused" in r), None)) for key in sorted(data["results"])]
    refused = [(key, why) for key, why in refused if why]
    lines += ["## Invariants", "", "Checked after every event: nobody transmits twice at once, over its cap or into a carrier without a grant; bursts in slots of a superframe do not overlap at a receiver that keeps it; packets "
              "keep their order, come once and unchanged; no saturated flow goes without for 10 s.", ""]
    lines += [f"* `{key}`: {count} violations, as: {next(r['violations']['examples'][0] for r in runs.good(key) if r['violated'])}" for key, count in broken]
    lines += [f"* `{key}`: refused: {why}" for key, why in refused]
    lines += [] if broken or refused else ["None was violated in any run."]
    lines += ["", "<details><summary>Commands (each with `--seed` and `--json`)</summary>", "", "```",
              *sorted(set(data["commands"].values())), "```", "", "</details>", ""]
    path = os.path.join(out, "mac.md")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines))
    return path

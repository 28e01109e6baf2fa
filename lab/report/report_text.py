# SPDX-License-Identifier: MIT
"""The page docs/results/phy.md, written from the measurements that report_phy.py collects."""

import os

import report_plots as plots

# The targets of the PHY's design: SNR at PER 1e-2 with 1000 bytes. Modes from QPSK 1/5 up: the normal approximation at the
# mode's nominal rate + 1.5 dB.
ROBUST_TARGETS_DB = {"qpsk-1/5x2": -6.0, "qpsk-1/5x4": -9.0, "qpsk-1/5x8": -12.0, "qpsk-1/5x16": -14.5}
TARGET_OVER_BOUND_DB = 1.5
PAPR_TARGET_DB = 5.5
FALSE_ALARM_TARGET_PER_HOUR = 36
EFFICIENCY_TARGET = 5.3
FADING_TARGET_DB = 1.5


def target_db(row):
    return ROBUST_TARGETS_DB.get(row["mode"], row["na_nominal_db"] + TARGET_OVER_BOUND_DB)


def verdict(row):
    """Met, not met, or undecided by this measurement's interval."""
    if row["snr_db"] is None:
        return "not reached"
    target = target_db(row)
    if row["high_db"] <= target:
        return "met"
    return f"missed by {row['snr_db'] - target:.2f} dB" if row["low_db"] > target else "within its interval"


def table(head, rows, align=None):
    lines = ["| " + " | ".join(head) + " |", "|" + "|".join(align or ["---"] * len(head)) + "|"]
    return lines + ["| " + " | ".join(str(c) for c in row) + " |" for row in rows] + [""]


def db(value, digits=2):
    return "-" if value is None else f"{value:.{digits}f}"


def commands_of(data, *prefixes):
    """The commands behind a section, folded away."""
    lines = {}
    for key, command in data["commands"].items():
        if key.startswith(prefixes):
            # Commands that differ in one offset only are one line with all of its values.
            words = command.split()
            at = next((i + 1 for i, w in enumerate(words) if w in ("--cfo-hz", "--sfo-ppm")), None)
            value = words[at] if at else ""
            if at:
                words[at] = "{}"
            lines.setdefault(" ".join(words), []).append(value)
    lines = [text.replace("{}", "{" + ",".join(values) + "}") for text, values in lines.items()]
    return ["<details><summary>Commands</summary>", "", "```", *lines, "```", "", "</details>", ""]


def sensitivity(data, modes, liquid):
    rows = []
    for r in modes:
        reached = r["snr_db"] is not None
        rows.append([f"`{r['mode']}`", db(r["snr_db"]), f"{db(r['low_db'])} .. {db(r['high_db'])}" if reached else "-", db(r["na_db"]),
                     db(r["snr_db"] - r["na_db"]) if reached else "-",
                     db(r["snr_db"] - r["na_gaussian_db"]) if reached else "-", db(target_db(r)), verdict(r)])
    met = sum(verdict(r) == "met" for r in modes)
    lines = ["## Sensitivity", "",
             "SNR at a frame error rate of 1e-2, 1000 bytes, AWGN, unknown time, phase and carrier offset (uniform in the profile's",
             "range), whole receiver from samples, all preamble classes armed. The value is read from a probit curve fitted to all points",
             "below; the interval is its 95 % interval. NA: normal approximation (Polyanskiy, Poor, Verdu 2010) for 8000 bits in the",
             "constellation points of this very frame; gap: measured minus NA; to Gaussian: minus the",
             "normal approximation for Gaussian points. The target is NA at the mode's nominal rate + 1.5 dB, for the",
             f"spread modes a fixed figure. {met} of {len(modes)} modes meet it.", ""]
    lines += table(["mode", "SNR dB", "95 % interval", "NA dB", "gap dB", "to Gaussian dB", "target dB", "target"], rows,
                   ["---"] + ["---:"] * 6 + ["---"])
    lines += ["![Frame error rates of every mode](img/per.png)", "", "![Gap to the bound](img/gap.png)", "",
              "### liquid-dsp in the same run", "",
              "`ofdmflexframe` with 64 carriers, soft decisions, random time and phase, carrier offset within 0.1 subcarrier (ours: within 15",
              "subcarriers). Its Debian package has Golay and Hamming codes only; the bound is the one for its code's rate.", ""]
    lines += table(["scheme", "SNR dB at PER 1e-2", "95 % interval", "NA dB", "gap dB"],
                   [[f"`{r['scheme']}`", db(r["snr_db"]), f"{db(r.get('low_db'))} .. {db(r.get('high_db'))}", db(r.get("na_db")),
                     db(r["snr_db"] - r["na_db"]) if r["snr_db"] is not None and r.get("na_db") is not None else "-"] for r in liquid],
                   ["---"] + ["---:"] * 4)
    return lines + commands_of(data, "threshold", "liquid")


def budget(data):
    """Where the decibels go: one column per part of the receiver."""
    rows = [v for k, v in data["results"].items() if k.startswith("budget") and v["snr_db"] is not None]
    if not rows:
        return []
    parts = [p["part"] for p in rows[0]["parts"]]
    lines = ["## Loss budget", "",
             "What each part of the receiver costs: how many dB less are needed for a frame error rate of 1e-1 (1000 bytes, AWGN) if that",
             "part alone is genie-aided (given its ideal value), the others working as they do; the same frames and noise in every column, so that",
             "differences of 0.02 dB mean something. *Detection and timing*: start and carrier offset as found without noise. *Phase and",
             "clock*, *channel estimate*: common phase and slope, and the rest, of the true response of every symbol. *Peak limiting*:",
             "frames sent without. *Demapper*: exact LLRs in place of max-log. *Code and bit mapping*: what is left to the normal",
             "approximation for the same points when all of these are genie-aided. *Overhead*: energy of preamble, training, header and pilots",
             "over that of the payload, in dB, which the SNR here does not count.", ""]
    table_rows = []
    for r in rows:
        loss = {p["part"]: p["loss_db"] for p in r["parts"]}
        table_rows.append([f"`{r['mode']}`", db(r["snr_db"]), db(r["na_db"])] + [db(loss[p]) for p in parts] + [db(r["overhead_db"])])
    lines += table(["mode", "SNR dB", "NA dB"] + parts + ["overhead"], table_rows, ["---"] + ["---:"] * (len(parts) + 3))
    return lines + commands_of(data, "budget")


def floors(data, modes):
    rows = []
    for r in modes:
        points = data["results"].get(f"floor {r['mode']}")
        if points:
            p = points[0]
            rows.append([f"`{r['mode']}`", db(p["snr_db"], 1), p["frames"], p["errors"], f"{p['per_high']:.1e}", p["undetected"]])
    if not rows:
        return []
    return ["## Error floor", "", "Frames lost 6 dB above the threshold (spread modes: 60 bytes), the upper end of the 95 % interval of the",
            "error rate, and undetected errors: frames delivered as error-free that were not what was sent.", ""] + \
        table(["mode", "SNR dB", "frames", "lost", "rate below", "wrong"], rows, ["---"] + ["---:"] * 5) + commands_of(data, "floor")


def channels(data, fading, folder):
    lines = ["## Channels", "",
             "SNR at a frame error rate of 1e-1, 1000 bytes. *Ideal CSI*: the same receiver, frames, channels and noise, with the actual response of",
             "every symbol and the noise power (measured with impulses through the channel, so free of inter-carrier interference, ICI, which no receiver",
             "could know); in channels without multipath or fading: AWGN. *Loss*: measured minus ideal CSI, what estimating the channel costs; the",
             f"target is {FADING_TARGET_DB} dB. *Information*: what the mean information of the constellation over each frame's carriers and symbols",
             "allows with our own AWGN curve: no lost preambles, no ICI, no delay spread beyond the prefix. SNR is the mean over all channels",
             "drawn (two-ray: of the direct path), so a fading channel needs more of it than AWGN whatever the receiver does. `-`: not reached",
             "within 14 points.",
             f"{min(r['frames'] for r in fading)} frames per point: where fading flattens the curve, differences of a few tenths of a dB mean"
             " nothing.", ""]
    rows = []
    for r in fading:
        met = "met" if r["loss_db"] is not None and r["loss_db"] <= FADING_TARGET_DB else "missed"
        if r["genie_db"] is None:
            met = "not even with ideal CSI"
        rows.append([f"`{r['channel']}`", f"`{r['mode']}`", db(r["snr_db"], 1), db(r["genie_db"], 1), db(r["loss_db"]), met,
                     db(r["ideal_db"], 1), db(r["awgn_db"], 1)])
    lines += table(["channel", "mode", "SNR dB", "ideal CSI dB", "loss dB", "target", "information dB", "AWGN dB"], rows,
                   ["---", "---", "---:", "---:", "---:", "---", "---:", "---:"])
    plots.plot_channels(fading, "qpsk-1/2", folder)
    return lines + ["![Error rates by channel](img/channels.png)", ""] + commands_of(data, "fading")


def interference(data):
    """Rows of `meshnet-lab interference`, one mode after the other."""
    rows = [r for key, rows in data["results"].items() if key.startswith("interference ") for r in rows]
    lines = ["## Interference", "",
             "Interferers that last from before a frame to after it, their level over the signal's in the name (tone-20db: SIR -20 dB; pulses: while they",
             "are on; a neighbour: on its own channel, 1.25 occupied bandwidths away). Theory: the SNR at which the cells of time and",
             "frequency that the interferer leaves carry the information that AWGN carries at PER 1e-2, cells of a carrier by a symbol or of",
             "the band by a sixteenth of a symbol, whichever is kinder. PER measured 1 dB above that, and 14 dB above the AWGN threshold.", ""]
    out = []
    for r in rows:
        never = r["per"] is None
        out.append([f"`{r['mode']}`", r["channel"], db(r["awgn_db"]), "never" if never else db(r["theory_db"]),
                    "-" if never else f"{r['per']:.4f}", "-" if never else f"{r['per_low']:.4f} .. {r['per_high']:.4f}",
                    "-" if never else ("met" if r["per"] <= 0.01 else "not met"), f"{r['high_snr_per']:.4f}"])
    lines += table(["mode", "interferer", "AWGN dB", "theory dB", "PER at theory + 1 dB", "95 % interval", "target 1e-2", "PER at AWGN + 14 dB"], out,
                   ["---", "---"] + ["---:"] * 4 + ["---", "---:"])
    return lines + commands_of(data, "interference ")


def efficiency(data, modes, profile, folder):
    listing = data["results"]["efficiency"]
    plots.plot_efficiency(modes, listing, profile, folder)
    profiles = list(dict.fromkeys(r["profile"] for r in listing))
    value = {(r["profile"], r["mode"]): r for r in listing}
    lines = ["## Efficiency", "", "Payload bits / (air time x occupied band), bit/s/Hz: everything counted, from the first preamble sample on. For",
             "a burst of 16 x 1500 bytes in one frame, by profile; last column: payload Mbit/s of that burst in the widest profile.", ""]
    rows = [[f"`{r['mode']}`"] + [f"{value[(p, r['mode'])]['efficiency_24000']:.3f}" for p in profiles]
            + [f"{value[(profiles[-1], r['mode'])]['bps_24000'] / 1e6:.2f}"] for r in modes]
    lines += table(["mode"] + profiles + ["Mbit/s"], rows, ["---"] + ["---:"] * (len(profiles) + 1))
    top = max(listing, key=lambda r: r["efficiency_24000"])
    met = "met" if top["efficiency_24000"] >= EFFICIENCY_TARGET else "not met"
    lines += [f"The highest is {top['efficiency_24000']:.2f} bit/s/Hz (`{top['mode']}`, {top['profile']}); the target is {EFFICIENCY_TARGET}:"
              f" {met}. For single frames of 1000 bytes:", ""]
    rows = [[f"`{r['mode']}`"] + [f"{value[(p, r['mode'])]['efficiency_1000']:.3f}" for p in profiles] for r in modes]
    lines += table(["mode"] + profiles, rows, ["---"] + ["---:"] * len(profiles))
    return lines + ["![Efficiency against SNR](img/efficiency.png)", ""] + commands_of(data, "efficiency")


def signal(data, modes, folder):
    papr = [data["results"][f"papr {r['mode']}"] for r in modes]
    spectra = [v for k, v in data["results"].items() if k.startswith("spectrum")]
    plots.plot_papr(papr, folder)
    plots.plot_spectrum(spectra, folder)
    rows = []
    for r in papr:
        has_target = plots.family(r["mode"]) == "qpsk"
        rows.append([f"`{r['mode']}`", db(r["papr_db_1e_3"]), r["symbols"],
                     ("met" if r["papr_db_1e_3"] <= PAPR_TARGET_DB else "not met") if has_target else "none"])
    lines = ["## Peaks", "", "Peak of a symbol over the mean power, the value that one symbol in a thousand exceeds, between the samples too (four",
             f"points per sample). Target for the robust and QPSK modes: {PAPR_TARGET_DB} dB. What the clipping behind it costs is within the",
             "sensitivities above.", ""]
    lines += table(["mode", "PAPR dB at 1e-3", "symbols", "target"], rows, ["---", "---:", "---:", "---"])
    lines += ["![Peaks](img/papr.png)", ""] + commands_of(data, "papr")
    lines += ["## Spectrum", "", "Back-to-back frames, interpolated to four times the sample rate by a 60 dB filter as a converter does; no amplifier.",
              "The mask is the one of IEEE 802.11 for 20 MHz (Std 802.11-2020, 17.3.9.3), scaled to the occupied band.", ""]
    lines += table(["mode", "power outside over inside, dB", "density at 0.55 .. 0.60 bandwidths, dB", "least distance below the mask, dB"],
                   [[f"`{r['mode']}`", db(r["outside_db"], 1), db(r["edge_db"], 1), db(plots.mask_margin_db(r), 1)] for r in spectra],
                   ["---"] + ["---:"] * 3)
    return lines + ["![Spectrum](img/spectrum.png)", ""] + commands_of(data, "spectrum")


def detection(data, folder):
    rows = [v for k, v in data["results"].items() if k.startswith("detection")]
    noise = data["results"]["noise"]
    plots.plot_detection(rows, folder)
    lines = ["## Detection and false alarms", "",
             "Preambles missed by the detector of their class, random time, phase and carrier offset in the whole range:", ""]
    out = []
    for r in rows:
        for p in r["points"]:
            out.append([r["preamble"], db(p["snr_db"], 1), p["trials"], p["missed"], f"{p['miss_low']:.1e} .. {p['miss_high']:.1e}",
                        db(p["time_rms_samples"]) if p["missed"] < p["trials"] else "-",
                        db(p["cfo_rms_hz"], 1) if p["missed"] < p["trials"] else "-"])
    lines += table(["class", "SNR dB", "trials", "missed", "95 % interval", "time error, samples rms", "offset error, Hz rms"], out,
                   ["---"] + ["---:"] * 6)
    hours = noise["hours_at_2_msps"]
    upper = (noise["preambles"] + 1.92 + 1.96 * (noise["preambles"] + 0.96) ** 0.5) / hours
    lines += ["![Detection](img/detection.png)", "",
              f"White noise alone, whole receiver, all classes armed: {noise['preambles']} preambles and {noise['headers']} headers in"
              f" {noise['samples'] / 1e6:.0f} million samples, {hours * 60:.1f} minutes at 2 Msample/s; at most {upper:.0f} preambles an"
              f" hour (95 %). The target is {FALSE_ALARM_TARGET_PER_HOUR} an hour"
              f"{'' if upper <= FALSE_ALARM_TARGET_PER_HOUR else ', which takes a longer run to prove'}.", ""]
    return lines + commands_of(data, "detection", "noise")


def acquisition(data, folder):
    def curves(kind, key):
        rows = {}
        for name, points in data["results"].items():
            if name.startswith(kind + " "):
                _, preamble, value = name.split()
                command = data["commands"][name].split()
                row = rows.setdefault(preamble, {"preamble": preamble, "mode": command[command.index("--mode") + 1], "points": []})
                row["points"].append({key: float(value) * (1000 if kind == "cfo" else 1), **points[0]})
        return list(rows.values())

    cfo, sfo = curves("cfo", "cfo_hz"), curves("sfo", "sfo_ppm")
    plots.plot_acquisition(cfo, sfo, folder)

    def widest(row, key):
        good = [abs(p[key]) for p in row["points"]]
        bad = [abs(p[key]) for p in row["points"] if p["per"] > 0.01]
        return max((v for v in good if not bad or v < min(bad)), default=0.0)

    rows = [[c["preamble"], f"`{c['mode']}`", f"{widest(c, 'cfo_hz') / 1e3:.0f} kHz", f"{widest(s, 'sfo_ppm'):.0f} ppm",
             db(c["points"][0]["snr_db"], 0), c["points"][0]["frames"], s["points"][0]["frames"]] for c, s in zip(cfo, sfo)]
    lines = ["## Acquisition range", "",
             "Largest offset tried (either sign) up to which no more than 1 % of frames was lost: carrier offset with 100-byte frames,",
             "sampling clock error with 500-byte frames and a random carrier offset. Bars: 120 kHz and 50 ppm.", ""]
    lines += table(["class", "mode", "carrier offset", "clock error", "SNR dB", "frames per offset", "frames per clock error"], rows)
    return lines + ["![Acquisition range](img/acquisition.png)", ""] + commands_of(data, "cfo", "sfo")


def write(data, folder, profile, payload):
    """Writes phy.md and img/*.png into `folder`; the path of the page."""
    images = os.path.join(folder, "img")
    os.makedirs(images, exist_ok=True)
    results = data["results"]
    modes = [results[f"threshold {m}"] for m in data["modes"]]
    liquid = [v for k, v in results.items() if k.startswith("liquid")]
    fading = [v for k, v in results.items() if k.startswith("fading")]
    plots.plot_per(modes, liquid, images)
    plots.plot_gap(modes, liquid, images)
    m = data["machine"]
    lines = ["# The modem, measured", "",
             f"Written by `{data['command']}` on {data['date']} in {data['minutes']} minutes; do not edit, run it again. Sources: {data['revision']}.",
             f"Machine: {m['cpu']}, {m['cores']} cores (load {m['load']} at the end). No figure of this page depends on the speed or the load of the",
             "machine: all are counts from fixed seeds.", "",
             f"Profile {profile} and payload {payload} bytes unless said otherwise. **SNR**: mean signal power over noise power inside the occupied",
             "band (Es/N0 per subcarrier; the energy of the cyclic prefix is not counted). Commands are in `build/release/bin`;",
             "`./meshnet sweep` measures any other point.", ""]
    lines += sensitivity(data, modes, liquid) + budget(data) + floors(data, modes) + channels(data, fading, images)
    lines += interference(data)
    lines += efficiency(data, modes, profile, images) + signal(data, modes, images)
    lines += detection(data, images) + acquisition(data, images)
    path = os.path.join(folder, "phy.md")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines).rstrip() + "\n")
    return path

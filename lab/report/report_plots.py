# SPDX-License-Identifier: MIT
"""The plots of docs/results/phy.md, drawn from the measurements that report_phy.py collects."""

import math
import os

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

FAMILY_COLOURS = {"qpsk": "#1f5fa8", "16qam": "#1b8a5a", "64qam": "#c2571a", "256qam": "#8e3a9d"}
CLASS_COLOURS = {"short": "#c2571a", "medium": "#1b8a5a", "long": "#1f5fa8"}
GREY = "#777777"

plt.rcParams.update({
    "font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.25,
    "axes.titlesize": 10, "legend.frameon": False, "figure.dpi": 100,
})


def family(mode):
    return mode.split("-")[0]


def save(figure, folder, name):
    figure.tight_layout()
    path = os.path.join(folder, name)
    figure.savefig(path, dpi=100, pil_kwargs={"optimize": True}, metadata={"Software": None})
    plt.close(figure)
    return path


def per_axis(axis, floor=5e-4):
    axis.set_yscale("log")
    axis.set_ylim(floor, 1.15)
    axis.set_ylabel("frame error rate")
    axis.set_xlabel("SNR in the occupied band, dB")


def visible_points(points):
    """SNR, error rate and its interval; points without an error are left out (their interval is in the table)."""
    return [(p["snr_db"], p["per"], p["per_low"], p["per_high"]) for p in points if p["errors"] > 0]


def plot_per(modes, liquid, folder):
    figure, axis = plt.subplots(figsize=(11, 6))
    for row in modes:
        colour = FAMILY_COLOURS[family(row["mode"])]
        curve = row.get("na_curve", [])
        axis.plot([c[0] for c in curve], [c[1] if c[1] > 1e-4 else math.nan for c in curve], ":", color=colour, lw=1.2)
        data = visible_points(row["points"])
        if not data:
            continue
        axis.errorbar([d[0] for d in data], [d[1] for d in data],
                      yerr=[[d[1] - d[2] for d in data], [d[3] - d[1] for d in data]],
                      color=colour, marker="o", ms=2.5, lw=1.3, elinewidth=0.7)
        axis.annotate(row["mode"], (data[0][0], 6.5e-5), rotation=90, fontsize=7, color=colour, ha="center", va="bottom")
    for row in liquid:
        data = visible_points(row["points"])
        if data:
            axis.plot([d[0] for d in data], [d[1] for d in data], "--", color=GREY, marker="x", ms=3.5, lw=1)
            axis.annotate(row["scheme"], (data[0][0], 1.3), rotation=90, fontsize=7, color=GREY, ha="center", va="bottom")
    axis.axhline(1e-2, color="k", lw=0.6)
    per_axis(axis, 5e-5)
    axis.set_ylim(5e-5, 60)
    axis.set_yticks([1, 1e-1, 1e-2, 1e-3], ["1", "0.1", "0.01", "0.001"])
    axis.minorticks_off()
    axis.plot([], [], "-o", ms=2.5, color="k", label="measured, 95 % interval")
    axis.plot([], [], ":", color="k", label="normal approximation for the same points")
    axis.plot([], [], "--x", ms=3.5, color=GREY, label="liquid ofdmflexframe")
    axis.legend(loc="upper left", fontsize=8)
    return save(figure, folder, "per.png")


def plot_gap(modes, liquid, folder):
    names = [r["mode"] for r in modes] + ["liquid " + r["scheme"] for r in liquid if r.get("na_db") is not None]
    rows = list(modes) + [r for r in liquid if r.get("na_db") is not None]
    figure, axis = plt.subplots(figsize=(8, 0.24 * len(names) + 1.0))
    for i, row in enumerate(rows):
        if row["snr_db"] is None:
            continue
        gap = row["snr_db"] - row["na_db"]
        colour = FAMILY_COLOURS[family(row["mode"])] if "mode" in row else GREY
        axis.barh(i, gap, color=colour, height=0.7)
        axis.plot([row["low_db"] - row["na_db"], row["high_db"] - row["na_db"]], [i, i], color="k", lw=1)
        axis.text(max(gap, row["high_db"] - row["na_db"]) + 0.08, i, f"{gap:.2f}", va="center", fontsize=8,
                  bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6})
    axis.set_yticks(range(len(names)), names, fontsize=8)
    axis.invert_yaxis()
    axis.axvline(1.5, color="k", lw=0.8, ls="--")
    axis.set_xlabel("dB from the normal approximation at PER 1e-2 (dashed: 1.5 dB)")
    axis.grid(axis="y", alpha=0)
    return save(figure, folder, "gap.png")


def plot_channels(rows, mode, folder):
    rows = [r for r in rows if r["mode"] == mode]
    figure, axis = plt.subplots(figsize=(8.5, 4.6))
    colours = plt.get_cmap("tab20").colors
    for i, row in enumerate(rows):
        data = [(p["snr_db"], p["per"], p["genie_per"]) for p in row["points"]]
        colour = colours[(2 * i) % 20 + (2 * i) // 20]
        axis.plot([d[0] for d in data], [max(d[1], 1e-4) for d in data], "-o", ms=2.5, lw=1.3,
                  color=colour, label=row["channel"])
        axis.plot([d[0] for d in data if d[2] is not None], [max(d[2], 1e-4) for d in data if d[2] is not None], ":", lw=1.2,
                  color=colour)
    axis.axhline(1e-1, color="k", lw=0.6)
    per_axis(axis, 8e-3)
    axis.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5))
    axis.set_title(f"{mode}: measured (solid) and by the same receiver with ideal CSI (dotted)", loc="left")
    return save(figure, folder, "channels.png")


def plot_efficiency(modes, efficiency, profile, folder):
    figure, axis = plt.subplots(figsize=(7, 4.4))
    table = {r["mode"]: r for r in efficiency if r["profile"] == profile}
    snr = [s * 0.5 for s in range(-34, 57)]
    axis.plot(snr, [math.log2(1 + 10 ** (s / 10)) for s in snr], color="k", lw=1, label="Shannon")
    for key, style, label in (("efficiency_1000", "o", "frame of 1000 bytes"),
                              ("efficiency_24000", "^", "burst of 16 x 1500 bytes")):
        points = [(r["snr_db"], table[r["mode"]][key], r["mode"]) for r in modes if r["snr_db"] is not None]
        axis.scatter([p[0] for p in points], [p[1] for p in points], marker=style, s=18, label=label,
                     color=[FAMILY_COLOURS[family(p[2])] for p in points])
        if key == "efficiency_1000":
            for p in points:
                axis.annotate(p[2], (p[0], p[1]), fontsize=6, xytext=(4, -3), textcoords="offset points", color=GREY,
                              rotation=-40, va="top", rotation_mode="anchor")
    axis.set_yscale("log")
    axis.set_ylim(0.007, 11)
    axis.set_xlabel("SNR at PER 1e-2 (1000 bytes, AWGN), dB")
    axis.set_ylabel("payload bit/s per Hz of occupied band")
    axis.legend(fontsize=8, loc="upper left")
    return save(figure, folder, "efficiency.png")


def plot_papr(rows, folder):
    figure, axis = plt.subplots(figsize=(6.5, 3.8))
    seen = set()
    for row in rows:
        name = family(row["mode"])
        style = {"qpsk": "-", "16qam": "--", "64qam": "-.", "256qam": ":"}[name]
        axis.plot([c[0] for c in row["ccdf"]], [c[1] for c in row["ccdf"]], style, color=FAMILY_COLOURS[name], lw=1,
                  label=None if name in seen else name + " modes")
        seen.add(name)
    axis.axvline(5.5, color="k", lw=0.7, ls="--")
    axis.axhline(1e-3, color="k", lw=0.6)
    axis.set_yscale("log")
    axis.set_ylim(3e-4, 1.1)
    axis.set_xlabel("peak of a symbol over the mean power, dB (dashed: target of the robust and QPSK modes)")
    axis.set_ylabel("fraction of symbols above")
    axis.legend(fontsize=8)
    return save(figure, folder, "papr.png")


# IEEE Std 802.11-2020, 17.3.9.3: the mask of a 20 MHz channel, occupied 16.6 MHz, in occupied bandwidths from the
# centre and dB below the density in the band.
MASK = [(9 / 16.6, 0.0), (11 / 16.6, -20.0), (20 / 16.6, -28.0), (30 / 16.6, -40.0)]


def mask_db(offset):
    """The mask at `offset` occupied bandwidths from the centre."""
    offset = abs(offset)
    if offset <= MASK[0][0]:
        return 0.0
    for (x0, y0), (x1, y1) in zip(MASK, MASK[1:]):
        if offset <= x1:
            return y0 + (y1 - y0) * (offset - x0) / (x1 - x0)
    return MASK[-1][1]


def mask_margin_db(row):
    """Least distance of the density below the mask beyond its flat part, dB; negative: above it."""
    occupied = row["occupied_hz"]
    return min(mask_db(f / occupied) - d for f, d in row["density"] if abs(f) / occupied > MASK[0][0])


def plot_spectrum(rows, folder):
    figure, axis = plt.subplots(figsize=(8, 3.8))
    for row in rows:
        occupied = row["occupied_hz"]
        axis.plot([f / occupied for f, _ in row["density"]], [d for _, d in row["density"]], lw=0.8,
                  color=FAMILY_COLOURS[family(row["mode"])], label=row["mode"])
    offsets = [x / 200 for x in range(-400, 401)]
    axis.plot(offsets, [mask_db(x) for x in offsets], color="k", lw=1, label="mask of IEEE 802.11, scaled")
    axis.set_xlim(-2.0, 2.0)
    axis.set_ylim(-80, 6)
    axis.set_xlabel("frequency, occupied bandwidths from the carrier")
    axis.set_ylabel("density, dB relative to the band")
    axis.legend(fontsize=8, loc="upper right")
    return save(figure, folder, "spectrum.png")


def plot_detection(rows, folder):
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.6))
    for row in rows:
        colour = CLASS_COLOURS[row["preamble"]]
        data = [(p["snr_db"], p["miss_rate"], p["miss_low"], p["miss_high"]) for p in row["points"] if p["missed"] > 0]
        left.errorbar([d[0] for d in data], [d[1] for d in data],
                      yerr=[[d[1] - d[2] for d in data], [d[3] - d[1] for d in data]], color=colour, marker="o", ms=3,
                      lw=1.3, elinewidth=0.7, label=row["preamble"])
        good = [p for p in row["points"] if p["missed"] * 2 < p["trials"]]
        right.plot([p["snr_db"] for p in good], [p["cfo_rms_hz"] for p in good], "-o", color=colour, ms=3, lw=1.3,
                   label=row["preamble"])
    left.set_yscale("log")
    left.set_ylim(3e-4, 1.2)
    left.set_xlabel("SNR in the occupied band, dB")
    left.set_ylabel("preambles missed")
    left.legend(fontsize=8)
    right.set_yscale("log")
    right.set_xlabel("SNR in the occupied band, dB")
    right.set_ylabel("rms error of the carrier offset, Hz")
    right.legend(fontsize=8)
    return save(figure, folder, "detection.png")


def plot_acquisition(cfo, sfo, folder):
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.3))
    for axis, rows, key, scale, label in ((left, cfo, "cfo_hz", 1e-3, "carrier offset, kHz"),
                                          (right, sfo, "sfo_ppm", 1.0, "sampling clock error, ppm")):
        for i, row in enumerate(rows):
            axis.plot([p[key] * scale for p in row["points"]], [p["per"] for p in row["points"]], "-o", ms=7 - 2 * i, lw=1.2,
                      color=CLASS_COLOURS[row["preamble"]], label=f"{row['mode']} ({row['preamble']})")
        axis.set_ylim(-0.03, 1.03)
        axis.set_xlabel(label)
        axis.set_ylabel("frame error rate")
    for edge in (-120, 120):
        left.axvline(edge, color="k", lw=0.7, ls="--")
    for edge in (-50, 50):
        right.axvline(edge, color="k", lw=0.7, ls="--")
    left.legend(fontsize=7, loc="center")
    return save(figure, folder, "acquisition.png")

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Draws what sic_region printed: python3 lab/report/plot_sic_region.py out.png region.json [region.json ...]

Beside the measured region: where theory lets two frames of that rate through. Multiple access channel (joint
decoding): each rate below its own capacity, their sum below that of both powers. Successive cancellation: the stronger
one decoded with the weaker as noise, the weaker one then alone.
"""
import json
import math
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np


def weaker_needed_db(rate, apart_db, joint):
    """SNR of the weaker one at the boundary, for `rate` bit per point each."""
    alone = 2**rate - 1
    ratio = 10 ** (apart_db / 10)
    if joint:
        needed = max(alone, (2 ** (2 * rate) - 1) / (1 + ratio))
    else:
        # ratio s / (1 + s) >= alone
        needed = max(alone, alone / (ratio - alone)) if ratio > alone else math.inf
    return 10 * math.log10(needed) if math.isfinite(needed) else math.nan


def draw(axes, region):
    points = region["points"]
    aparts = sorted({p["apart_db"] for p in points})
    snrs = sorted({p["weaker_snr_db"] for p in points})
    grid = np.zeros((len(snrs), len(aparts)))
    plain = np.zeros_like(grid)
    for p in points:
        at = snrs.index(p["weaker_snr_db"]), aparts.index(p["apart_db"])
        grid[at] = p["both"] / region["trials"]
        plain[at] = p["both_without"] / region["trials"]
    image = axes.imshow(grid, origin="lower", aspect="auto", cmap="Blues", vmin=0, vmax=1,
                        extent=(aparts[0] - 0.5, aparts[-1] + 0.5, snrs[0] - 0.5, snrs[-1] + 0.5))
    x = np.linspace(aparts[0], aparts[-1], 400)
    rate = region["bits_per_point"]
    axes.plot(x, [weaker_needed_db(rate, v, True) for v in x], color="tab:red", lw=2,
              label="two-user capacity, joint decoding")
    axes.plot(x, [weaker_needed_db(rate, v, False) for v in x], color="tab:orange", lw=2, ls="--",
              label="ideal codes, successive cancellation")
    if plain.max() >= 0.5:
        axes.contour(aparts, snrs, plain, levels=[0.5], colors="black", linewidths=1)
        axes.plot([], [], color="black", lw=1, label="half received without cancellation")
    axes.set_xlim(aparts[0] - 0.5, aparts[-1] + 0.5)
    axes.set_ylim(snrs[0] - 0.5, snrs[-1] + 0.5)
    axes.set_title(f"{region['mode']}, {region['bytes']} bytes")
    axes.set_xlabel("stronger over weaker, dB")
    axes.set_ylabel("SNR of the weaker, dB")
    axes.legend(loc="upper right", fontsize=8)
    return image


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    regions = [json.load(open(name, encoding="utf-8")) for name in sys.argv[2:]]
    figure, axes = plt.subplots(1, len(regions), figsize=(6.2 * len(regions), 4.8), squeeze=False,
                                layout="constrained")
    for one, region in zip(axes[0], regions):
        image = draw(one, region)
    figure.colorbar(image, ax=axes[0].tolist(), label=f"both received, of {regions[-1]['trials']} collisions")
    figure.savefig(sys.argv[1], dpi=110)


if __name__ == "__main__":
    main()

#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""meshnet-cli linkbudget as a person meets it: the sums beside arithmetic done here, published sensitivities, limits of
bands, the plot, and one clear line for every wrong argument."""
import json
import math
import pathlib
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree

CLI = sys.argv[1]
SPACE = ["--surface", "none", "--frequency", "868.3e6", "--distance-km", "50"]


def run(*options):
    return subprocess.run([CLI, "linkbudget", *options], capture_output=True, text=True, timeout=120)


def budget(*options):
    ran = run(*options, "--json")
    assert ran.returncode == 0 and ran.stderr == "", ran
    return json.loads(ran.stdout)


def mode(result, name):
    return next(m for m in result["modes"] if m["mode"] == name)


def near(value, expected, tolerance):
    assert abs(value - expected) <= tolerance, (value, expected)


def check_sums():
    b = budget(*SPACE, "--tx-power", "20", "--tx-gain", "5", "--tx-loss", "1.5", "--rx-gain", "8", "--rx-loss", "0",
               "--noise-figure", "4", "--extra-loss", "3", "--fade-margin", "10", "--profile", "1M")
    loss = 32.45 + 20 * math.log10(868.3) + 20 * math.log10(50) + 3 + b["gas_db"]
    near(b["eirp_dbm"], 23.5, 1e-9)
    near(b["path_loss_db"], loss, 0.01)
    near(b["received_dbm"], 23.5 - loss + 8, 0.01)
    near(b["noise_dbm"], -173.975 + 10 * math.log10(812500) + 4, 0.01)
    near(b["snr_db"], b["received_dbm"] - b["noise_dbm"], 1e-9)
    for m in b["modes"]:
        near(m["margin_db"], m["snr_db"] - m["required_snr_db"] - 10, 1e-6)
        assert m["closes"] == (m["margin_db"] >= 0), m
    # The thresholds are the modem's own, those that its rate adaptation begins with.
    listed = json.loads(subprocess.run([CLI, "modes", "--profile", "1M", "--json"], capture_output=True).stdout)
    ours = [m for m in b["modes"] if m["family"] == "meshnet"]
    assert [(m["mode"], m["required_snr_db"], m["payload_bps"]) for m in ours] == \
        [(m["mode"], m["required_snr_db"], m["payload_bps"]) for m in listed], "another table than `modes`"
    # A cable before the receiver costs its loss and brings its own noise: in all its loss, at 290 K.
    lossy = budget(*SPACE, "--rx-loss", "3")
    near(budget(*SPACE)["snr_db"] - lossy["snr_db"], 3.0, 1e-9)
    # Before a cold antenna more: 50 K behind 3 dB of cable are 170 K.
    cold = [budget(*SPACE, "--rx-loss", loss_db, "--antenna-noise", "50", "--noise-figure", "1")["snr_db"] for loss_db in "03"]
    receiver = 290 * (10 ** 0.1 - 1)
    half = 10 ** -0.3
    near(cold[0] - cold[1], 3 + 10 * math.log10((50 * half + 290 * (1 - half) + receiver) / (50 + receiver)), 1e-6)
    near(budget(*SPACE, "--rice-k", "-40", "--availability", "99")["fade_margin_db"], 19.98, 0.01)


def sensitivity(result, name):
    """Power at the receiver with which that mode just closes."""
    return result["received_dbm"] + mode(result, name)["eirp_dbm"] - result["eirp_dbm"] - mode(result, name)["margin_db"]


def check_other_systems():
    # Semtech SX1272/73 data sheet (rev. 2), RFS_L125: SF7 -124 to SF12 -137 dBm; SX1276's, -123 to -136.
    b = budget(*SPACE, "--noise-figure", "6")
    for sf, dbm in zip(range(7, 13), (-124, -127, -130, -133, -135, -137)):
        near(sensitivity(b, f"LoRa SF{sf} 125 kHz"), dbm, 1.5)
    near(mode(b, "LoRa SF12 125 kHz")["payload_bps"], 293, 1)  # as in LoRaWAN's DR0 with CR 4/5
    # IEEE 802.11: minimum sensitivity at a noise figure of 10 dB, less 5 dB of margin.
    b = budget(*SPACE, "--noise-figure", "10")
    near(sensitivity(b, "802.11ah MCS10 1 MHz"), -98 - 5, 0.01)
    near(sensitivity(b, "802.11ah MCS0 2 MHz"), -92 - 5, 0.01)
    b = budget("--surface", "none", "--distance-km", "5", "--frequency", "2.45e9", "--noise-figure", "10")
    near(sensitivity(b, "802.11n MCS0 20 MHz"), -82 - 5, 0.01)
    assert any(m["family"] == "LoRa" for m in b["modes"])
    b = budget("--surface", "none", "--distance-km", "5", "--frequency", "5.8e9")
    assert not any(m["family"] == "LoRa" for m in b["modes"])  # no such chip


def check_bands():
    strong = ["--distance-km", "5", "--tx-power", "40", "--tx-gain", "10"]
    b = budget(*strong, "--frequency", "868.3e6", "--band", "EU 868.0-868.6", "--profile", "500k")
    near(b["eirp_dbm"], 16.13, 0.01)  # 25 mW e.r.p.
    assert b["duty_cycle"] == 0.01
    # 10 dBm in any MHz: 20 MHz may have more than 812.5 kHz, until 20 dBm in all.
    b = budget(*strong, "--frequency", "2.45e9", "--band", "EU 2400-2483.5 non-adaptive", "--profile", "1M")
    near(b["eirp_dbm"], 10, 1e-9)
    near(mode(b, "802.11n MCS0 20 MHz")["eirp_dbm"], 20, 1e-9)
    # 10 W of peak: 10 dB less of an OFDM signal's mean, not of LoRa's.
    b = budget(*strong, "--frequency", "435e6", "--band", "EU amateur 430-440", "--tx-loss", "2")
    near(b["eirp_dbm"], 40 - 10 + 10 - 2, 1e-9)
    near(mode(b, "LoRa SF7 125 kHz")["eirp_dbm"], 40 + 10 - 2, 1e-9)
    weak = budget("--distance-km", "5", "--frequency", "868.3e6", "--band", "EU 868.0-868.6", "--tx-power", "0")
    near(weak["eirp_dbm"], 2, 1e-9)
    told = run("--distance-km", "5", "--frequency", "868.3e6", "--band", "EU 868.0-868.6").stdout
    assert "profile 1M does not fit into EU 868.0-868.6" in told and "allows 1 % of the time" in told, told


def check_paths():
    sea = ["--frequency", "868.3e6", "--surface", "sea", "--heights", "60", "30"]
    losses = [budget(*sea, "--distance-km", str(km))["path_loss_db"] for km in (45, 50, 60, 80, 120)]
    assert losses == sorted(losses) and losses[-1] > losses[0] + 40, losses
    near_by = budget(*sea, "--distance-km", "20")
    assert near_by["reflection_deepest_db"] < near_by["reflection_gain_db"] < 6.1, near_by
    summit = budget("--distance-km", "184", "--heights", "2500", "2000", "--obstacle", "90:2300")
    clear = budget("--distance-km", "184", "--heights", "2500", "2000")
    assert clear["diffraction_db"] == 0 and summit["diffraction_db"] > 15, (clear, summit)
    leo = budget("--frequency", "435e6", "--altitude-km", "500", "--elevation", "10")
    near(leo["distance_m"], 1695e3, 3e3)
    near(leo["free_space_db"], 149.8, 0.1)
    near(leo["doppler_hz"], 10.1e3, 100)
    text = run("--frequency", "435e6", "--altitude-km", "500", "--elevation", "10").stdout
    assert "slant range 1695 km" in text and "no mode closes; profile 125k would have 9.0 dB more SNR" in text, text
    text = run(*SPACE).stdout
    assert "fastest mode that closes: qpsk-1/2, 703.9 kbit/s" in text, text


def check_plot(folder):
    for name, options in {"sea": ["--distance-km", "50", "--surface", "sea", "--heights", "60", "30"],
                          "satellite": ["--frequency", "435e6", "--altitude-km", "500", "--fade-margin", "5"]}.items():
        file = folder / f"{name}.svg"
        ran = run(*options, "--plot", str(file))
        assert ran.returncode == 0, ran
        root = ElementTree.parse(file).getroot()
        space = "{http://www.w3.org/2000/svg}"
        texts = [t.text for t in root.iter(space + "text")]
        for wanted in ("qpsk-1/5x16", "256qam-5/6", "LoRa SF12 125 kHz", "as computed"):
            assert wanted in texts, (wanted, texts)
        box = root.find(f"{space}rect[@fill='none']")
        left, top = float(box.get("x")), float(box.get("y"))
        right, bottom = left + float(box.get("width")), top + float(box.get("height"))
        points = [tuple(map(float, p.split(","))) for line in root.iter(space + "polyline") for p in line.get("points").split()]
        assert len(points) > 500
        assert all(left - 0.1 <= x <= right + 0.1 and top - 0.1 <= y <= bottom + 0.1 for x, y in points), "outside the frame"


def check_wrong(folder):
    (folder / "full.svg").symlink_to("/dev/full")
    wrong = {
        "--distance-km nan": "--distance-km takes a number from 0.001 to 20000 km, not nan",
        "--distance-km -5": "--distance-km takes a number",
        "--distance-km 0": "--distance-km takes a number",
        "": "give --distance-km (along the ground) or --altitude-km (a satellite)",
        "--distance-km 5 --altitude-km 500": "--altitude-km is a path to a satellite",
        "--distance-km 5 --frequency inf": "--frequency takes a number",
        "--distance-km 5 --heights nan 3": "--heights takes a number",
        "--distance-km 5 --k 0": "--k takes a number from 0.1 to 100, not 0",
        "--distance-km 5 --profile 3M": "unknown profile '3M'; did you mean '1M'?",
        "--distance-km 5 --surface swamp": "unknown surface 'swamp'",
        "--distance-km 5 --polarisation x": "unknown polarisation 'x'",
        "--distance-km 5 --obstacle 7:100": "--obstacle takes KM:METRES",
        "--distance-km 5 --obstacle 2:": "--obstacle takes KM:METRES",
        "--distance-km 5 --obstacle nan:nan": "--obstacle takes KM:METRES",
        "--distance-km 5 --obstacle 2:9 --surface none": "--obstacle stands on the ground",
        "--distance-km 5 --fade-margin 3 --rice-k 3": "give --fade-margin or --rice-k, not both",
        "--distance-km 5 --rice-k nan": "--rice-k takes a number",
        "--distance-km 5 --availability 100": "--availability takes a number",
        "--distance-km 5 --band EU868": "unknown band 'EU868'",
        "--distance-km 5 --frequency 435e6 --band EU.868.0-868.6": "--frequency 435 MHz is outside the band EU 868.0-868.6",
        "--distance-km 5 --plot x.png": "--plot writes SVG",
        "--distance-km 5 --plot-to nan": "--plot-to takes a number",
    }
    for options, line in wrong.items():
        ran = run(*[o.replace("EU.", "EU ") for o in options.split()])
        assert ran.returncode == 2 and ran.stdout == "", (options, ran)
        assert ran.stderr.startswith("meshnet-cli: " + line) and ran.stderr.count("\n") == 1, (options, ran)
    for file in (str(folder / "none" / "x.svg"), str(folder / "full.svg")):
        ran = run("--distance-km", "5", "--plot", file)
        assert ran.returncode == 1 and ran.stderr.startswith(f"meshnet-cli: {file} cannot be written: "), ran
        assert ran.stderr.count("\n") == 1, ran


def main():
    check_sums()
    check_other_systems()
    check_bands()
    check_paths()
    with tempfile.TemporaryDirectory(prefix="meshnet-") as name:
        check_plot(pathlib.Path(name))
        check_wrong(pathlib.Path(name))


if __name__ == "__main__":
    main()

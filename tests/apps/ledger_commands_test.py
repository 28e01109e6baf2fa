#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Two daemons that record a payment, one killed on the way: `meshnet-cli ledger statement, verify, record, settle`.

ledger_commands_test.py MESHNET_CLI MESHNETD MESHNET_AIR SOURCE
"""
import json
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

CLI, DAEMON, AIR, SOURCE = sys.argv[1:5]


def eventually(what, condition):
    for _ in range(1200):  # a hang ends here; nothing is a speed
        found = condition()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"never: {what}")


class LedgerCommands(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = pathlib.Path(self.folder.name)
        self.running = {}
        self.spawn("air", [AIR, "--config", f"{SOURCE}/tools/examples/air-coast-beacon-ship.toml", "--socket", str(self.path / "air.sock")])
        eventually("the air", (self.path / "air.sock").exists)
        for station in ("coast", "beacon"):
            (self.path / f"{station}.toml").write_text(
                f'[station]\nname = "{station}"\nkey_file = "{station}.key"\nledger_file = "{station}.ledger"\n'
                f'control_socket = "{self.path}/{station}.sock"\n[radio]\ndevice = "air:{self.path}/air.sock#{station}"\n[tun]\nenabled = false\n')
            self.start(station)
        for station in ("coast", "beacon"):
            eventually("a session", lambda: any(n.get("session_up") for n in self.ask(station, "neighbours")))
        self.address = {s: self.ask(s, "status")["address"] for s in ("coast", "beacon")}

    def tearDown(self):
        for process in self.running.values():
            process.kill()
            process.wait()
        self.folder.cleanup()

    def spawn(self, name, command):
        with open(self.path / f"{name}.log", "a", encoding="utf-8") as log:
            self.running[name] = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log)

    def start(self, station):
        self.spawn(station, [DAEMON, "--config", str(self.path / f"{station}.toml")])
        eventually(f"{station} answers", lambda: self.cli("status", "--config", self.path / f"{station}.toml").returncode == 0)

    def kill(self, station):
        self.running[station].send_signal(signal.SIGKILL)
        self.running.pop(station).wait()

    def cli(self, *arguments):
        return subprocess.run([CLI, *map(str, arguments)], capture_output=True, text=True, timeout=60)

    def ask(self, station, *arguments):
        done = self.cli(*arguments, "--json", "--config", self.path / f"{station}.toml")
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def refuse(self, text, *arguments):
        done = self.cli(*arguments)
        self.assertNotEqual(done.returncode, 0, done.stdout)
        self.assertIn(text, done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)

    def record(self, station, other, *arguments):
        return self.ask(station, "ledger", "record", self.address[other], *arguments)

    def balance(self, station):
        return sum(n["balance_nsat"] for n in self.ask(station, "ledger")["neighbours"])

    def test_a_payment_moves_both_books_and_both_can_prove_it(self):
        paid = self.record("coast", "beacon", "--paid", 5000, "--reference", "invoice 7")
        self.assertEqual(paid["state"], "pending")
        self.kill("coast")  # what was answered is on disk
        received = self.record("beacon", "coast", "--received", 5000, "--reference", "invoice 7")
        self.assertIn(received["state"], ("expected", "paid"))
        self.start("coast")
        eventually("both books", lambda: self.balance("coast") == 5_000_000_000 and self.balance("beacon") == -5_000_000_000)
        self.assertTrue(self.record("coast", "beacon", "--paid", 5000, "--reference", "invoice 7")["known"])
        self.assertEqual(self.balance("coast"), 5_000_000_000)
        self.assertEqual(self.ask("coast", "payments")[0]["state"], "paid")
        self.assertEqual(self.ask("coast", "ledger")["totals"]["settled_msat"], 5000)
        self.refuse("stands for 5000 msat", "ledger", "record", self.address["beacon"], "--paid", 6, "--reference", "invoice 7",
                    "--config", self.path / "coast.toml")

        # The coast is owed that now, so the beacon settles; the coast confirms.
        row = self.ask("beacon", "status")["settlement"][0]
        self.assertEqual((row["owed_nsat"], row["due"]), (5_000_000_000, False))
        settled = self.ask("beacon", "ledger", "settle", self.address["coast"], "--msat", 3000)
        self.assertEqual((settled["msat"], settled["reference"], settled["state"], settled["fresh"]), (3000, "balance 0.1", "pending", True))
        again = self.ask("beacon", "ledger", "settle", self.address["coast"])
        self.assertEqual((again["id"], again["fresh"], again["msat"]), (settled["id"], False, 3000))
        self.record("coast", "beacon", "--received", 3000, "--reference", settled["reference"])
        eventually("both books", lambda: self.balance("coast") == 2_000_000_000 and self.balance("beacon") == -2_000_000_000)
        eventually("signed balances", lambda: self.signed("coast") and self.signed("beacon"))
        self.statements()

    def signed(self, station):
        done = self.cli("ledger", "statement", "--config", self.path / f"{station}.toml")
        self.assertEqual(done.returncode, 0, done.stderr)
        party = json.loads(done.stdout)["neighbours"][0]
        ours, theirs = party["signed_by_station"], party["signed_by_neighbour"]
        return ours and theirs and ours["owed_nsat"] == party["owed_nsat"] and theirs["owed_nsat"] == party["claimed_nsat"]

    def statements(self):
        files = []
        for station, form in (("coast", []), ("beacon", ["--csv"])):
            file = self.path / f"{station}.statement"
            files.append(file)
            done = self.cli("ledger", "statement", "--config", self.path / f"{station}.toml", "--out", file, *form)
            self.assertEqual(done.returncode, 0, done.stderr)
        self.kill("coast")
        self.kill("beacon")
        done = self.cli("ledger", "statement", "--key", self.path / "coast.key", "--ledger", self.path / "coast.ledger")
        self.assertEqual(done.returncode, 0, done.stderr)
        done = self.cli("ledger", "verify", *files)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn(f"by these {self.address['beacon']} owes {self.address['coast']} 2000000000 nsat", done.stdout)
        self.assertNotIn("DOES NOT", done.stdout)
        self.refuse("not everything in the statement holds", "ledger", "verify", files[0], files[0])
        text = files[0].read_text()
        bad = self.path / "bad"
        for content, line in ((text[:len(text) // 2], "it is truncated"), (text.replace("5000000000", "5000000001"), "says something else"),
                              ("hello", "is not a meshnet account statement"), ("", "is not a meshnet account statement")):
            bad.write_text(content)
            self.refuse(line, "ledger", "verify", bad)
        self.refuse("cannot be opened", "ledger", "verify", self.path / "none")
        self.refuse("the key is of", "ledger", "statement", "--key", self.path / "beacon.key", "--ledger", self.path / "coast.ledger")
        self.assertEqual(len(json.loads(self.cli("payments", "--json", "--file", self.path / "coast.ledger").stdout)), 2)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])

// SPDX-License-Identifier: GPL-3.0-or-later
"use strict";
const at = (id) => document.getElementById(id);
const fixed = (v, digits, unit) => typeof v === "number" ? v.toFixed(digits) + (unit || "") : "–";
function element(kind, text) { const e = document.createElement(kind); e.textContent = text; return e; }
function swatch(colour, words) {
  const s = element("span", words), mark = element("i", "");
  mark.style.background = colour;
  s.prepend(mark);
  return s;
}
function table(place, heads, rows, none) {
  if (!rows.length) { at(place).replaceChildren(element("p", none)); return; }
  const t = element("table", ""), head = element("tr", "");
  head.append(...heads.map((h) => element("th", h)));
  t.append(head, ...rows.map((row) => { const r = element("tr", ""); r.append(...row.map((c) => element("td", c))); return r; }));
  at(place).replaceChildren(t);
}
function say(word, kind, why) {
  at("word").textContent = word; at("word").className = kind;
  at("banner").hidden = !why; at("banner").textContent = why || "";
}
function judge(live) {
  const s = live.status;
  if (live.link === "starting") return say("STARTING", "wait");
  const old = live.age_s === null ? "" : " Last answer " + fixed(live.age_s, 0) + " s ago.";
  if (live.link !== "answers") return say(live.link === "silent" ? "NO ANSWER" : "DOWN", "bad", live.trouble + "." + old);
  if (s.radio.state !== "up") return say("RADIO LOST", "bad", "No samples for " + fixed(s.radio.samples_ago_s, 0) + " s: " + s.radio.device + " is being opened again.");
  if (s.alarms.length) return say("ALARM", "bad", s.alarms.map((a) => a.kind + ": " + a.address).join("; "));
  if (s.transmit && s.transmit.inhibited) return say("SILENCED", "wait", "Sending is inhibited.");
  say("UP", "good");
}
function show(live) {
  judge(live);
  const s = live.status;
  if (!s) return;
  at("name").textContent = s.name; document.title = s.name + " – meshnet";
  const all = live.neighbours || [];
  nameNeighbours(all);
  const facts = [["neighbours up", all.filter((n) => n.up).length], ["noise floor", fixed(s.phy.noise_floor_dbfs, 1, " dBFS")],
    ["price", s.price_msat_per_mib + " msat/MiB"], ["up since", fixed(s.uptime_s / 3600, 1, " h")], ["destinations", live.routes_known]];
  at("facts").replaceChildren(...facts.map(([k, v]) => { const f = element("div", k); f.className = "fact"; f.append(element("b", String(v))); return f; }));
  table("neighbours", ["link", "up", "SNR", "loss (PER)", "mode", "kbit/s", "exposure / limit msat", "address"],
    all.map((n) => [n.link || "–", n.up ? "up" : "down", fixed(n.snr_db, 1, " dB"), fixed(n.loss * 100, 1, " %"), n.mode || "–",
      fixed(n.rate_bps / 1000, 0), (n.exposure_msat ?? "–") + " / " + (n.credit_msat ?? "–"), n.address || "–"]), "no neighbours yet");
  table("routes", ["destination", "via", "hops", "msat/MiB", "delay"], live.routes.filter((r) => r.selected)
    .map((r) => [r.address, r.next_hop, String(r.hops), String(r.price_msat_per_mib), r.delay_ms + " ms"]), "no routes yet");
}
async function money() {
  try {
    const m = await (await fetch("/money")).json();
    if (!m || m.error) { at("money").textContent = m ? m.error : "not read yet"; return; }
    table("money", ["day (UTC)", "neighbour", "earned msat", "paid on", "for own traffic"],
      m.days.slice().reverse().map((d) => [d.day, d.address, fixed(d.earned_msat, 0), fixed(d.paid_msat, 0), fixed(d.own_msat, 0)]), "nothing earned or paid yet");
    if (m.last_day.bytes > 0) {
      at("money").append(element("p", "The last 24 h at other prices, had the same bytes come: " +
        m.last_day.what_if.map((w) => w.price_msat_per_mib + " msat/MiB: " + fixed(w.net_msat, 0) + " msat" + (w.now ? " (now)" : "")).join("; ")));
    }
  } catch (e) { at("money").textContent = "the page does not answer"; }
}
document.addEventListener("DOMContentLoaded", () => {  // when all scripts are there
  const source = new EventSource("/events");
  source.onmessage = (e) => show(JSON.parse(e.data));
  source.onerror = () => say("NO PAGE", "bad", "meshnet-page does not answer: it was stopped, or the way to it is cut.");
  money(); setInterval(money, 30000);
});

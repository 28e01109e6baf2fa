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
/// A table; on a narrow screen each row is a card. A cell is a text, or an element.
function table(place, heads, rows, none) {
  if (!rows.length) { at(place).replaceChildren(element("p", none)); return; }
  const head = element("tr", ""), body = element("tbody", ""), t = element("table", "");
  head.className = "heads";
  head.append(...heads.map((h) => element("th", h)));
  body.append(head, ...rows.map((row) => {
    const r = element("tr", "");
    r.append(...row.map((text, i) => {
      const cell = element("td", "");
      cell.append(text);
      cell.dataset.head = heads[i];
      if (/^[0-9a-f]+:.*:/.test(text)) cell.className = "plain";  // an address needs the whole line of a card
      return cell;
    }));
    return r;
  }));
  t.className = heads.length > 2 ? "cards" : "";
  t.append(body);
  at(place).replaceChildren(t);
}
/// The big word and why; `stale`: what is shown below is old.
function say(word, kind, why, stale) {
  at("word").textContent = word; at("word").className = kind;
  at("banner").hidden = !why; at("banner").textContent = why || ""; at("banner").className = kind;
  document.body.classList.toggle("stale", Boolean(stale));
}
function judge(live) {
  const s = live.status;
  if (live.link === "starting") return say("STARTING", "wait");
  const old = live.age_s === null ? "" : " Last answer " + fixed(live.age_s, 0) + " s ago.";
  if (live.link !== "answers") {
    return say(live.link === "silent" ? "NO ANSWER" : "DOWN", "bad",
      live.trouble.slice(0, 1).toUpperCase() + live.trouble.slice(1) + "." + old, true);
  }
  if (s.radio.state !== "up") return say("RADIO LOST", "bad", "No samples for " + fixed(s.radio.samples_ago_s, 0) + " s: " + s.radio.device + " is being opened again.");
  if (s.alarms.length) return say("ALARM", "bad", s.alarms.map((a) => a.kind + ": " + a.address).join("; "));
  if (s.transmit && s.transmit.inhibited) return say("SILENCED", "wait", "Sending is inhibited.");
  say("UP", "good");
}
function since(seconds) {
  if (seconds < 90) return [fixed(seconds, 0), "s"];
  return seconds < 5400 ? [fixed(seconds / 60, 0), "min"] : seconds < 172800 ? [fixed(seconds / 3600, 1), "h"] : [fixed(seconds / 86400, 1), "days"];
}
function stateOf(n) {
  if (n.up) return n.hold ? "up, held: " + n.hold : "up";
  const e = element("span", "down, heard " + since(n.heard_ago_s).join(" ") + " ago");
  e.className = "down";
  return e;
}
function show(live) {
  judge(live);
  const s = live.status;
  if (!s) return;
  at("name").textContent = s.name; document.title = s.name + " – meshnet";
  const all = live.neighbours || [];
  nameNeighbours(all);
  const facts = [["neighbours up", all.filter((n) => n.up).length, ""], ["noise floor", fixed(s.phy.noise_floor_dbfs, 1), "dBFS"],
    ["price", s.price_msat_per_mib, "msat/MiB"], ["up since", ...since(s.uptime_s)], ["destinations", live.routes_known, ""]];
  for (const band of (s.transmit && s.transmit.bands) || []) {
    facts.push(["air time of this hour, " + band.band, fixed(band.used_s, 1), "of " + fixed(band.budget_s, 0) + " s"]);
  }
  at("facts").replaceChildren(...facts.map(([k, v, unit]) => {
    const f = element("div", k), value = element("b", String(v) + " ");
    f.className = "fact"; value.append(element("small", unit)); f.append(value);
    return f;
  }));
  table("neighbours", ["link", "state", "SNR", "loss (PER)", "mode", "kbit/s", "exposure / limit, msat", "address"],
    all.map((n) => [n.address ? swatch(colourOf(n.address), n.link) : n.link || "–", stateOf(n), fixed(n.snr_db, 1, " dB"), fixed(n.loss * 100, 1, " %"),
      n.mode || "–", fixed(n.rate_bps / 1000, 0), (n.exposure_msat ?? "–") + " / " + (n.credit_msat ?? "–"), n.address || "–"]), "no neighbours yet");
  table("routes", ["destination", "via", "hops", "msat/MiB", "delay"], live.routes.filter((r) => r.selected)
    .map((r) => [r.address, r.next_hop, String(r.hops), String(r.price_msat_per_mib), r.delay_ms + " ms"]), "no routes yet");
}
async function money() {
  try {
    const m = await (await fetch("/money")).json();
    if (!m || m.error) { at("money").textContent = m ? m.error : "not read yet"; return; }
    table("money", ["day (UTC)", "neighbour", "earned msat", "paid on", "for own traffic"],
      m.days.slice().reverse().map((d) => [d.day, d.address, fixed(d.earned_msat, 0), fixed(d.paid_msat, 0), fixed(d.own_msat, 0)]), "nothing earned or paid yet");
    at("what_if").hidden = !(m.last_day.bytes > 0);
    table("prices", ["price, msat/MiB", "would have earned, msat"],
      m.last_day.what_if.map((w) => [w.price_msat_per_mib + (w.now ? " (now)" : ""), fixed(w.net_msat, 0)]), "");
  } catch (e) { at("money").textContent = "the page does not answer"; }
}
document.addEventListener("DOMContentLoaded", () => {  // when all scripts are there
  const source = new EventSource("/events");
  source.onmessage = (e) => show(JSON.parse(e.data));
  source.onerror = () => say("NO PAGE", "bad", "meshnet-page does not answer: it was stopped, or the way to it is cut.", true);
  money(); setInterval(money, 30000);
});

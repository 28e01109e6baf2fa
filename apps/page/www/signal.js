// SPDX-License-Identifier: GPL-3.0-or-later
// What is on the channel now, by /signal: waterfall, constellation, time line of bursts. Asked for only while it is
// seen, because the daemon follows the spectrum only while somebody asks.
"use strict";
const signalView = {
  seconds: 30,                 // shown, of waterfall and time line
  rows: [], made: null,        // rows of the spectrum, the newest first; how many the daemon had made
  bursts: new Map(), now: 0,   // by their start; the daemon's clock
  last: null, asked: 0, onScreen: false, paused: false, busy: false,
};
const kBurstKinds = {
  sent: ["#d55e00", "sent by this station"],
  received: ["#0072b2", "heard"],
  damaged: ["#cc79a7", "heard, damaged"],
  late: ["#111111", "not sent: too late"],
};

/// The canvas cleared and scaled to its place: [context, width, height] in CSS pixels.
function surface(id) {
  const canvas = at(id), scale = window.devicePixelRatio || 1, w = canvas.clientWidth, h = canvas.clientHeight;
  if (canvas.width !== Math.round(w * scale) || canvas.height !== Math.round(h * scale)) {
    canvas.width = Math.round(w * scale); canvas.height = Math.round(h * scale);
  }
  const c = canvas.getContext("2d");
  c.setTransform(scale, 0, 0, scale, 0, 0);
  c.clearRect(0, 0, w, h);
  c.font = "12px system-ui, sans-serif"; c.fillStyle = "#46535f"; c.strokeStyle = "#c6ced6"; c.lineWidth = 1;
  return [c, w, h];
}
function label(c, text, x, y, align, base) {
  c.textAlign = align || "center"; c.textBaseline = base || "alphabetic"; c.fillText(text, x, y);
}
function uprightLabel(c, text, x, y) {
  c.save(); c.translate(x, y); c.rotate(-Math.PI / 2); label(c, text, 0, 0, "center", "top"); c.restore();
}
/// Dark blue, green, yellow, white for 0 to 1.
function heat(t) {
  const stops = [[10, 20, 60], [20, 80, 140], [40, 160, 130], [240, 220, 60], [255, 255, 255]];
  const x = Math.min(Math.max(t, 0), 0.9999) * (stops.length - 1), i = Math.floor(x), f = x - i;
  return stops[i].map((v, k) => Math.round(v + f * (stops[i + 1][k] - v)));
}

/// Levels of the colours, dBFS: from a little below the noise to the strongest.
function levels(s) {
  const all = signalView.rows.flatMap((row) => Array.from(row)).sort((a, b) => a - b);
  if (!all.length) return [-80, -40];
  const at = (share) => s.lowest_dbfs + s.step_db * all[Math.min(all.length - 1, Math.floor(share * all.length))];
  const low = Math.floor(at(0.2)) - 1;
  return [low, Math.max(low + 12, Math.ceil(at(0.9995)))];
}
function waterfallPicture(s, low, high) {
  const rows = signalView.rows, n = Math.round(signalView.seconds / s.row_s), bins = rows.length ? rows[0].length : 1;
  const picture = document.createElement("canvas");
  picture.width = bins; picture.height = n;
  const p = picture.getContext("2d"), image = p.createImageData(bins, n);
  rows.forEach((row, y) => row.forEach((v, x) => {
    image.data.set([...heat((s.lowest_dbfs + s.step_db * v - low) / (high - low)), 255], 4 * (y * bins + x));
  }));
  p.putImageData(image, 0, 0);
  return picture;
}
function drawWaterfall(signal) {
  const s = signal.spectrum, [c, w, h] = surface("waterfall");
  const left = 44, top = 8, width = w - left - 70, height = h - top - 38, [low, high] = levels(s);
  c.fillStyle = "#e6eaee"; c.fillRect(left, top, width, height);
  c.imageSmoothingEnabled = false;
  c.drawImage(waterfallPicture(s, low, high), left, top, width, height);
  c.fillStyle = "#46535f";
  const half = signal.rate_hz / 2e3, steps = w < 500 ? 2 : 4;
  for (let i = 0; i <= steps; ++i) {
    const khz = -half + 2 * half * i / steps;
    label(c, (khz > 0 ? "+" : "") + khz.toFixed(0), left + width * i / steps, top + height + 14);
  }
  label(c, "kHz from the middle of the channel", left + width / 2, top + height + 31);
  for (let t = 0; t <= signalView.seconds; t += 10) label(c, String(t), left - 5, top + height * t / signalView.seconds + 4, "right");
  uprightLabel(c, "seconds ago", 2, top + height / 2);
  const bar = w - 58;
  for (let y = 0; y < height; ++y) { c.fillStyle = "rgb(" + heat(1 - y / height) + ")"; c.fillRect(bar, top + y, 12, 1.5); }
  c.fillStyle = "#46535f";
  label(c, high.toFixed(0), bar + 16, top + 10, "left");
  label(c, low.toFixed(0), bar + 16, top + height, "left");
  label(c, "dBFS", bar + 16, top + height / 2, "left");
}

function drawConstellation(signal) {
  const [c, w, h] = surface("constellation"), reach = 1.6;
  const side = Math.min(w - 44, h - 46), left = (w - side) / 2 + 14, top = 8, middle = [left + side / 2, top + side / 2];
  c.fillStyle = "#fff"; c.fillRect(left, top, side, side); c.strokeRect(left, top, side, side);
  c.beginPath();
  c.moveTo(left, middle[1]); c.lineTo(left + side, middle[1]); c.moveTo(middle[0], top); c.lineTo(middle[0], top + side); c.stroke();
  c.fillStyle = "#46535f";
  for (const v of [-1, 0, 1]) {
    label(c, String(v), middle[0] + v * side / 2 / reach, top + side + 14);
    label(c, String(v), left - 6, middle[1] - v * side / 2 / reach + 4, "right");
  }
  label(c, "in phase (I)", middle[0], top + side + 31);
  uprightLabel(c, "quadrature (Q)", left - 32, middle[1]);
  c.save();
  c.beginPath(); c.rect(left, top, side, side); c.clip();
  c.fillStyle = "rgba(0, 114, 178, 0.65)";
  const points = signal.constellation;
  for (let i = 0; i + 1 < points.length; i += 2) {
    c.beginPath();
    c.arc(middle[0] + points[i] * side / 2 / reach, middle[1] - points[i + 1] * side / 2 / reach, 2, 0, 7);
    c.fill();
  }
  c.restore();
  const last = signal.bursts.find((b) => b.direction === "received");
  at("constellation_of").textContent = !points.length || !last ? "No frame was heard yet."
    : "Last frame heard: " + last.mode + (last.sender ? " from " + last.sender : "") + ", SNR " + fixed(last.snr_db, 1, " dB") + ".";
}

const kindOf = (b) => b.direction === "received" ? (b.sender && b.blocks_ok === b.blocks ? "received" : "damaged") : b.direction;
/// One lane of the time line each: this station, then who was heard, in the order of their numbers.
function lanes(bursts) {
  const heard = [...new Set(bursts.filter((b) => b.direction === "received").map((b) => b.sender || "not known"))].sort();
  return ["this station", ...heard.slice(0, 11)];
}
function drawBursts() {
  const bursts = [...signalView.bursts.values()], names = lanes(bursts), canvas = at("bursts");
  canvas.style.height = 44 + 26 * names.length + "px";
  const [c, w, h] = surface("bursts"), left = 86, top = 6, width = w - left - 12, height = h - top - 38;
  const x = (ago) => left + width * (1 - ago / signalView.seconds);
  names.forEach((name, i) => {
    c.fillStyle = i % 2 ? "#f4f6f8" : "#fff"; c.fillRect(left, top + 26 * i, width, 26);
    c.fillStyle = "#46535f"; label(c, name, left - 6, top + 26 * i + 17, "right");
  });
  c.beginPath();
  for (let t = 0; t <= signalView.seconds; t += 5) {
    c.moveTo(x(t), top); c.lineTo(x(t), top + height + 3);
    label(c, String(t), x(t), top + height + 15);
  }
  c.stroke();
  label(c, "seconds ago", left + width / 2, top + height + 31);
  for (const b of bursts) {
    const lane = names.indexOf(b.direction === "received" ? b.sender || "not known" : "this station");
    const begin = Math.max(x(signalView.now - b.start), left), long = Math.max(2, width * b.length_ms / 1e3 / signalView.seconds);
    if (lane < 0 || begin > left + width) continue;
    c.fillStyle = kBurstKinds[kindOf(b)][0];
    c.fillRect(begin, top + 26 * lane + 5, Math.min(long, left + width - begin), 16);
  }
  const count = (kind) => bursts.filter((b) => kindOf(b) === kind).length;
  at("bursts_legend").replaceChildren(...Object.entries(kBurstKinds).map(([kind, [colour, words]]) => swatch(colour, words + ": " + count(kind))));
}

function takeSignal(signal) {
  const s = signal.spectrum, v = signalView, most = Math.round(v.seconds / s.row_s);
  if (v.made === null || s.made < v.made || signal.now_s < v.now) { v.rows = []; v.made = s.made; v.bursts.clear(); }
  const fresh = Math.min(s.made - v.made, s.rows.length);
  const bytes = (hex) => Uint8Array.from({ length: hex.length / 2 }, (_, i) => parseInt(hex.substr(2 * i, 2), 16));
  v.rows = [...s.rows.slice(0, fresh).map(bytes), ...v.rows].slice(0, most);
  v.made = s.made; v.now = signal.now_s;
  for (const b of signal.bursts) {
    const start = signal.now_s - b.ago_s;
    v.bursts.set(start.toFixed(4) + (b.direction === "received"), { ...b, start });
  }
  for (const [key, b] of v.bursts) if (v.now - b.start > v.seconds) v.bursts.delete(key);
  v.last = signal;
}
function drawSignal() {
  if (!signalView.last) return;
  drawWaterfall(signalView.last); drawConstellation(signalView.last); drawBursts();
}
const signalSeen = () => signalView.onScreen && !signalView.paused && document.visibilityState === "visible";
async function askSignal() {
  const v = signalView;
  if (!signalSeen() || v.busy) return;
  v.busy = true;
  try {
    if (Date.now() - v.asked > 8000) { v.made = null; }  // the daemon has stopped to follow: old rows are not of now
    v.asked = Date.now();
    const answer = await fetch("/signal"), signal = await answer.json();
    at("signal_trouble").textContent = signal.error || "";
    if (!signal.error) { takeSignal(signal); drawSignal(); }
  } catch (e) { at("signal_trouble").textContent = "the page does not answer"; }
  v.busy = false;
}
at("signal_pause").onclick = () => {
  signalView.paused = !signalView.paused;
  at("signal_pause").textContent = signalView.paused ? "Go on" : "Hold";
  askSignal();
};
new IntersectionObserver((seen) => { signalView.onScreen = seen[seen.length - 1].isIntersecting; askSignal(); }).observe(at("signal"));
document.addEventListener("visibilitychange", askSignal);
window.addEventListener("resize", drawSignal);
setInterval(askSignal, 1000);

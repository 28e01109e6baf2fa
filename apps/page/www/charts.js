// SPDX-License-Identifier: GPL-3.0-or-later
// The history as charts: a line for each neighbour, in the same colour in all of them; times of outage are shaded.
"use strict";
const kColours = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#a67c00", "#5e3c99", "#444444"];
const kCharts = {  // title of a value, range, how a value is written
  snr_db: { around: 1, write: (v) => fixed(v, 1, " dB") },
  loss: { range: [0, null], write: (v) => fixed(100 * v, 1, " %"), axis: (v) => Number((100 * v).toFixed(2)) + " %" },
  mode: { step: true, write: (v) => modeName(v), axis: (v) => Number.isInteger(v) ? modeName(v) : "" },
  exposure_msat: { range: [0, null], write: (v) => fixed(v, 0, " msat"), axis: (v) => short(v) },
};
const past = { span: 3600, modes: [], charts: {}, names: new Map(), seen: [], outages: [] };

const short = (v) => Math.abs(v) >= 1e6 ? v / 1e6 + " M" : Math.abs(v) >= 1e3 ? v / 1e3 + " k" : String(Number(v.toFixed(3)));
const modeName = (v) => past.modes[Math.round(v)] || "";
/// The number on the channel of a neighbour that is known now, else the ends of its address.
function neighbourName(address) {
  const short = address.split(":");
  return past.names.get(address) || short[0] + ":…:" + short[short.length - 1];
}
/// Stays the same for an address as long as the page is open.
function colourOf(address) {
  if (!past.seen.includes(address)) past.seen.push(address);
  return kColours[past.seen.indexOf(address) % kColours.length];
}
const ask = async (path) => (await fetch(path)).json();

/// Rows for dygraphs; an empty one where points are missing, so that no line is drawn across an outage.
function rowsOf(h) {
  const out = [];
  h.rows.forEach((row, i) => {
    const before = i ? h.rows[i - 1][0] : row[0];
    if (row[0] - before > 2.5 * h.step_s) out.push([new Date((before + h.step_s) * 1000), ...h.subjects.map(() => null)]);
    out.push([new Date(row[0] * 1000), ...row.slice(1)]);
  });
  return out;
}
/// From the least to the most value with a margin, so that noise of a tenth does not fill the chart.
function rangeAround(rows, margin) {
  let low = Infinity, high = -Infinity;
  for (const row of rows) for (const v of row.slice(1)) if (v !== null) { low = Math.min(low, v); high = Math.max(high, v); }
  return [low - margin, high + margin];
}
function shadeOutages(c, area, g) {
  c.fillStyle = "rgba(198, 40, 40, 0.13)";
  for (const [from, to] of past.outages) {
    const x = g.toDomXCoord(from), end = g.toDomXCoord(to);
    c.fillRect(Math.max(x, area.x), area.y, Math.max(2, Math.min(end, area.x + area.w) - Math.max(x, area.x)), area.h);
  }
}
function drawChart(kind, h) {
  const look = kCharts[kind], place = at(kind);
  if (typeof Dygraph === "undefined") { place.textContent = "Charts need the package libjs-dygraphs."; return; }
  if (h.error || !h.rows.length) {
    if (past.charts[kind]) { past.charts[kind].destroy(); delete past.charts[kind]; }
    place.textContent = h.error || "No points yet in this span; the first comes after 10 s.";
    return;
  }
  const options = {
    file: rowsOf(h), labels: ["time", ...h.subjects], colors: h.subjects.map(colourOf), dateWindow: [h.from * 1000, h.to * 1000],
    valueRange: look.around ? rangeAround(h.rows, look.around) : look.range || (kind === "mode" ? [-0.5, past.modes.length - 0.5] : null), stepPlot: Boolean(look.step),
  };
  if (past.charts[kind]) { past.charts[kind].updateOptions(options); return; }
  place.textContent = "";
  past.charts[kind] = new Dygraph(place, options.file, {
    ...options, legend: "never", strokeWidth: 2, drawPoints: h.rows.length < 40, drawGapEdgePoints: true, pointSize: 2, interactionModel: {},
    axisLabelFontSize: 12, gridLineColor: "#dde3e8", axisLineColor: "#9aa7b3", rightGap: 12, underlayCallback: shadeOutages,
    axes: { y: { axisLabelWidth: kind === "mode" ? 92 : 52, axisLabelFormatter: (v) => look.axis ? look.axis(v) : String(Number(v.toFixed(3))) } },
    highlightCallback: (event, x, points) => {
      at(kind + "_at").textContent = " " + new Date(x).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }) + ": " +
        points.map((p) => neighbourName(p.name) + " " + look.write(p.yval)).join(", ");
    },
    unhighlightCallback: () => { at(kind + "_at").textContent = ""; },
  });
}
/// Begin and end in ms of the steps in which the radio or the daemon was not up.
function outagesOf(up) {
  const rows = up.error ? [] : up.rows;
  return rows.filter((r) => r[1] !== null && r[1] < 1).map((r) => [r[0] * 1000, (r[0] + up.step_s) * 1000]);
}
function drawLegend() {
  const marks = past.seen.map((address) => swatch(colourOf(address), neighbourName(address)));
  if (past.outages.length) marks.push(swatch("#f2c9c9", "station or radio was not up"));
  at("legend").replaceChildren(...marks);
}
async function drawHistory() {
  if (document.visibilityState !== "visible") return;
  try {
    if (!past.modes.length) past.modes = await ask("/modes");
    const span = past.span, path = (kind) => "/history?span=" + span + "&kind=" + kind, kinds = Object.keys(kCharts);
    const [up, ...all] = await Promise.all(["up", ...kinds].map((kind) => ask(path(kind))));
    if (span !== past.span) return;  // another span was chosen meanwhile
    past.outages = outagesOf(up);
    kinds.forEach((kind, i) => drawChart(kind, all[i]));
    drawLegend();
  } catch (e) { at("legend").textContent = "the page does not answer"; }
}
/// From the live state: the numbers on the channel and the colours of neighbours that are there.
function nameNeighbours(neighbours) {
  for (const n of neighbours) {
    if (n.address && n.link) { past.names.set(n.address, n.link); colourOf(n.address); }
  }
}
for (const button of at("spans").children) {
  button.onclick = () => {
    past.span = Number(button.value);
    for (const b of at("spans").children) b.setAttribute("aria-pressed", String(b === button));
    drawHistory();
  };
}
document.addEventListener("visibilitychange", drawHistory);
setInterval(drawHistory, 10000);
drawHistory();

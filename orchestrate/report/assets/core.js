"use strict";
// Data, filters, numbers and figures. Data are columns: DATA.frames.jobs.latency[i] is the latency of job i in seconds.
const DATA = JSON.parse(document.getElementById("data").textContent);
const JOBS = DATA.frames.jobs, PAIRS = DATA.frames.pairs;
const state = { config: 0, definition: DATA.main.process, architectures: new Set(), methods: new Set(), text: "" };
const $ = (id) => document.getElementById(id);
const range = (n) => Array.from({ length: n }, (_, i) => i);
const size = (frame) => (Object.values(frame)[0] || []).length;
const distinct = (values) => [...new Set(values)];
const sum = (values) => values.reduce((a, b) => a + b, 0);

// The rule of orchestrate/report/text.py: significant digits, no exponent, a dash where nothing is known.
function number(value, digits = 3) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  const places = digits - 1 - Math.floor(Math.log10(Math.abs(value)));
  if (places <= 0) {
    const step = 10 ** -places;
    return (Math.round(value / step) * step).toLocaleString("en-US", { maximumFractionDigits: 0 });
  }
  const text = value.toFixed(Math.min(places, 12));
  return Math.abs(value) < 1e-3 ? String(Number(text)) : text;
}

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

// Filters: which rows of a frame are shown. A column that a frame lacks does not filter it.
function shown(frame) {
  const { config, architecture, method } = frame;
  return range(size(frame)).filter((i) =>
    (!config || state.config < 0 || config[i] === state.config) &&
    (!architecture || !architecture[i] || state.architectures.has(architecture[i])) &&
    (!method || !method[i] || state.methods.has(method[i])));
}

const LOOKS = {
  uniform: { name: "uniform", symbol: "circle", dash: "solid" },
  neuralscale: { name: "NeuralScale", symbol: "diamond", dash: "solid" },
  aligned: { name: "aligned", symbol: "square", dash: "dot" },
};
const look = (method) => LOOKS[method] || { name: method || "your own file", symbol: "triangle-up", dash: "dash" };
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const colour = (method) => css(LOOKS[method] ? `--${method}` : "--other");

function theme() {
  const ink = css("--ink"), grid = css("--grid"), soft = css("--soft");
  const axis = { gridcolor: grid, zerolinecolor: grid, linecolor: css("--line"), tickfont: { color: soft, size: 12 }, automargin: true };
  return {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", axis, ink, soft,
    font: { color: ink, size: 13, family: getComputedStyle(document.body).fontFamily },
  };
}

// One figure: caption, what it shows, export buttons, and the table that says the same in words.
const figures = new Map();
function figure(id, title, words, table, draw) {
  const place = $(`plot-${id}`), plot = make("div", { class: "plot", id: `draw-${id}`, role: "img", "aria-label": `${title}. ${words} The table says the same.` });
  const save = (format) => make("button", { type: "button", "aria-label": `Save ${title} as ${format.toUpperCase()}`, onclick: () => exported(id, format) }, format.toUpperCase());
  const tools = make("div", { class: "tools" }, save("svg"), save("png"));
  const link = make("a", { href: `#table-${table}` }, "As a table");
  const caption = make("figcaption", {}, title, make("span", {}, words, " ", link));
  const key = make("ul", { class: "key", "aria-label": "Key" });
  place.replaceChildren(make("figure", { id: `figure-${id}` }, make("div", { class: "head" }, caption, tools), key, plot));
  figures.set(id, { plot, key, draw, title, stale: true, near: false });
}

const observer = new IntersectionObserver((entries) => entries.forEach((entry) => {
  const found = figures.get(entry.target.id.slice(5));
  found.near = entry.isIntersecting;
  if (found.near && found.stale) drawn(found);
}), { rootMargin: "600px" });

// Draws when near the screen, so that a page of many plots opens at once.
function drawn(found) {
  found.stale = false;
  const { traces, layout, methods, empty } = found.draw(found.plot.clientWidth);
  found.key.replaceChildren(...(methods || []).map((m) => make("li", {}, make("i", { style: `background:${colour(m)}` }), look(m).name)));
  if (!traces || !traces.length) {
    Plotly.purge(found.plot);
    found.plot.replaceChildren(make("p", { class: "empty" }, empty || "No records for this choice."));
    return;
  }
  if (found.plot.querySelector(".empty")) found.plot.replaceChildren();
  const { paper_bgcolor, plot_bgcolor, font } = theme();
  Plotly.react(found.plot, traces, { paper_bgcolor, plot_bgcolor, font, showlegend: false, dragmode: false, hovermode: "closest", ...layout },
    { displayModeBar: false, responsive: false, scrollZoom: false, doubleClick: false });
  found.plot.removeAllListeners("plotly_click");
  found.plot.on("plotly_click", (event) => picked(event.points[0].customdata));
}

function redraw(only) {
  for (const [id, found] of figures) {
    if (only && !only.includes(id)) continue;
    found.stale = true;
    if (found.near) drawn(found);
  }
}

async function exported(id, format) {
  const found = figures.get(id);
  if (found.stale) drawn(found);
  if (!found.plot.data) return;
  const url = await Plotly.toImage(found.plot, { format, width: found.plot.clientWidth, height: found.plot.clientHeight, scale: format === "png" ? 3 : 1 });
  const data = format === "svg" ? "data:image/svg+xml;charset=utf-8," + url.split(",").slice(1).join(",") : url;
  make("a", { href: data, download: `${DATA.name}-${id}.${format}` }).click();
}


function save(name, text, type) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

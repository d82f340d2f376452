// Data, filters, numbers and figures. Data are columns: DATA.frames.jobs.latency[i] is the latency of job i
// in seconds.
const DATA = embedded("data");
const DETAILS = embedded("details");

// What the page holds as JSON.
function embedded(id) {
  return JSON.parse(document.getElementById(id).textContent);
}
for (const frame of Object.values(DATA.frames))
  for (const [name, column] of Object.entries(frame))
    if (!Array.isArray(column)) frame[name] = column.at.map((i) => column.text[i]);
const JOBS = DATA.frames.jobs,
  PAIRS = DATA.frames.pairs;
const seriesOf = (frame) =>
  (frame.method || []).map((method, i) => (frame.align[i] > 1 ? `${method} ×${frame.align[i]}` : method)); // as in efficiency.py
JOBS.series = seriesOf(JOBS);
const state = {
  config: 0,
  definition: DATA.main.process,
  architectures: new Set(),
  methods: new Set(),
  text: "",
};
const $ = (id) => document.getElementById(id);
const range = (n) => Array.from({ length: n }, (_, i) => i);
const size = (frame) => (Object.values(frame)[0] || []).length;
const distinct = (values) => [...new Set(values)];

// The rule of orchestrate/quantities.py: significant digits, no exponent, halves away from zero, a dash where nothing
// is known. A product with a unit's scale is first what its six digits say.
const rounded = (value, digits) => Number((value * (1 + 1e-9)).toPrecision(digits));
function number(value, digits = 3) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  value = rounded(rounded(value, 6), digits); // 0.99996 is 1.00, not 1.000
  const places = digits - 1 - Math.floor(Math.log10(Math.abs(value)));
  if (places <= 0) {
    const step = 10 ** -places;
    return (Math.round(value / step) * step).toLocaleString("en-US", { maximumFractionDigits: 0 });
  }
  const text = value.toFixed(Math.min(places, 12));
  return Math.abs(value) < 1e-3 ? text.replace(/\.?0+$/, "") : text;
}

// An interval after its value, in brackets; nothing where it is unknown.
const interval = (low, high) => (low === null || !high ? "" : ` (${number(low)} to ${number(high)})`);
const plural = (count, what) => `${count.toLocaleString("en-US")} ${what}${count === 1 ? "" : "s"}`;
const sentences = (...parts) => parts.join(" ");
const hover = (...lines) => lines.join("<br>");

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
  const { config, architecture } = frame,
    method = frame.series || frame.method;
  return range(size(frame)).filter(
    (i) =>
      (!config || state.config < 0 || config[i] === state.config) &&
      (!architecture?.[i] || state.architectures.has(architecture[i])) &&
      (!method?.[i] || state.methods.has(method[i])),
  );
}

const LOOKS = {
  uniform: { name: "uniform", symbol: "circle", dash: "solid" },
  neuralscale: { name: "NeuralScale", symbol: "diamond", dash: "solid" },
  device: { name: "device", symbol: "triangle-up", dash: "solid" },
};
const plainName = (series) => series.split(" ×")[0];
function look(series) {
  const base = LOOKS[plainName(series)] || {
    name: series || "your own file",
    symbol: "cross",
    dash: "dash",
  };
  return series.includes(" ×")
    ? { ...base, name: `${base.name}, multiples of ${series.split(" ×")[1]}`, symbol: "square", dash: "dot" }
    : base;
}
// What a model of one's own is called: its file's name, unless two have it.
const own = document.getElementById("main").classList.contains("own");
const nothing = document.getElementById("main").classList.contains("nothing"); // no figure of one inference at a time
const fileName = (model) => (Object.hasOwn(DATA.names, model) ? DATA.names[model] : model);
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const colour = (series) => css(LOOKS[plainName(series)] ? `--${plainName(series)}` : "--other");

function theme() {
  const ink = css("--ink"),
    grid = css("--grid"),
    soft = css("--soft");
  const axis = {
    gridcolor: grid,
    zerolinecolor: grid,
    linecolor: css("--line"),
    tickfont: { color: soft, size: 12 },
    automargin: true,
  };
  return {
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    axis,
    ink,
    soft,
    font: { color: ink, size: 13, family: getComputedStyle(document.body).fontFamily },
  };
}

// What is behind the widths of a job, in brackets, where that decides nothing.
const standIn = (i) => (JOBS.fit_quality[i] === "stand-in" ? " (its fit is a stand-in)" : "");

// The title of an axis, in the theme's soft colour.
function axisTitle(text, t) {
  return { text, font: { size: 12, color: t.soft } };
}

// A cell of CSV; text that a spreadsheet would run as a formula is made text.
function quoted(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return String(Number(value.toPrecision(9)));
  return `"${String(value)
    .replace(/^(\s*[=+\-@])/, "'$1")
    .replaceAll('"', '""')}"`;
}

function save(name, text, type) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000); // a busy machine begins the download late
}

// Ticks 1, 2, 5, 10, ... for a logarithmic axis.
function ticks(values) {
  const known = values.filter((v) => v > 0);
  if (!known.length) return {};
  const [low, high] = [Math.min(...known), Math.max(...known)],
    found = [];
  for (let e = Math.floor(Math.log10(low)); e <= Math.log10(high); e += 1)
    for (const m of high / low < 4 ? [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9] : [1, 2, 5])
      found.push(m * 10 ** e);
  const inside = found.filter((v) => v >= low / 1.15 && v <= high * 1.15);
  return {
    tickvals: inside,
    ticktext: inside.map((v) =>
      number(v)
        .replace(/(\.\d*?)0+$/, "$1")
        .replace(/\.$/, ""),
    ),
  };
}

// Above one panel of a figure with several: a text at the left, on the axes `x` and `y`.
function panelTitle(text, x, y) {
  return {
    text,
    xref: `${x} domain`,
    yref: `${y} domain`,
    x: 0,
    y: 1,
    xanchor: "left",
    yanchor: "bottom",
    yshift: 4,
    showarrow: false,
  };
}

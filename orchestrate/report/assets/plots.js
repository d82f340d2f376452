// Figures against size: one panel an architecture, one line a method.
const MB = 1e-6,
  MS = 1e3;

function panels(count, width) {
  const columns = Math.min(count, width < 560 ? 1 : width < 980 ? 2 : 4);
  return { columns, rows: Math.ceil(count / columns) };
}

// A drawing stays quick with every k-th of very many models; the tables have all.
const MOST = 3000;
const thinnedOut = (rows) =>
  rows.length <= MOST ? rows : rows.filter((_, n) => n % Math.ceil(rows.length / MOST) === 0);

// The metric of an accuracy, where others of its dataset have another.
const byMetric = (i) => (JOBS.judged_by[i] ? `, by ${JOBS.judged_by[i]}` : "");
const panelOf = (i) => `${JOBS.architecture[i] || "your own files"} ${JOBS.dataset[i]}`.trim();
const panelJudged = (i) => panelOf(i) + byMetric(i);

// Traces and layout of small multiples, a panel for each `group(i)`. `value(i)` gives [y, low, high] of job i in the
// shown unit.
function multiples(width, unit, value, group = panelOf, log = false) {
  const key = $("f-size").value,
    rows = thinnedOut(shown(JOBS).filter((i) => JOBS[key][i] !== null && value(i)[0] !== null));
  const groups = distinct(rows.map(group)).sort();
  const { columns, rows: lines } = panels(groups.length, width),
    t = theme(),
    traces = [],
    annotations = [];
  const layout = {
    height: 60 + 230 * lines,
    margin: { l: 56, r: 12, t: 26, b: 44 },
    annotations,
    grid: { rows: lines, columns, pattern: "independent", xgap: 0.2, ygap: lines > 1 ? 0.36 : 0.1 },
  };
  groups.forEach((name, n) => {
    const [x, y] = [`x${n ? n + 1 : ""}`, `y${n ? n + 1 : ""}`];
    layout[`xaxis${n ? n + 1 : ""}`] = {
      ...t.axis,
      title: { ...axisTitle(key === "params" ? "million parameters" : "million MACs", t), standoff: 4 },
      rangemode: "tozero",
    };
    layout[`yaxis${n ? n + 1 : ""}`] = {
      ...t.axis,
      ...(n % columns ? {} : { title: { ...axisTitle(unit, t), standoff: 6 } }),
      rangemode: log ? "normal" : "tozero",
    };
    annotations.push({ ...panelTitle(`<b>${name}</b>`, x, y), font: { size: 13 } });
    const mine = rows.filter((i) => group(i) === name);
    for (const line of distinct(
      mine.map((i) => `${JOBS.series[i]}/${JOBS.ratio_of[i]}/${JOBS.align[i]}`),
    ).sort())
      traces.push(
        oneLine(
          mine.filter((i) => `${JOBS.series[i]}/${JOBS.ratio_of[i]}/${JOBS.align[i]}` === line),
          key,
          value,
          x,
          y,
          unit,
        ),
      );
  });
  const targets = Object.keys(TARGETS).filter((target) => rows.some((i) => JOBS.ratio_of[i] === target)),
    named = targets.map((target) => TARGETS[target]).join(" or "),
    dashed = named && `sized by ${named}, not by parameters`;
  return { traces, layout, dashed, methods: distinct(rows.map((i) => JOBS.series[i])).sort() };
}

// What a line of networks may be sized by beside parameters and widths.
const TARGETS = { macs: "MACs", latency: "predicted latency", memory: "predicted memory" };

function oneLine(rows, key, value, xaxis, yaxis, unit) {
  rows.sort((a, b) => JOBS[key][a] - JOBS[key][b]);
  const largest = JOBS[key][rows.at(-1)];
  const method = JOBS.series[rows[0]],
    all = rows.map(value),
    y = all.map((v) => v[0]);
  const known = all.some((v) => v[1] !== null && v[1] !== undefined);
  const target = TARGETS[JOBS.ratio_of[rows[0]]],
    sized = target ? ` (by ${target})` : "";
  return {
    type: "scatter",
    name: `${JOBS.architecture[rows[0]]} ${JOBS.dataset[rows[0]]} ${look(method).name}${sized}`.trim(),
    mode: own ? "markers+text" : rows.length > 40 ? "markers" : "lines+markers",
    textposition: rows.map((i) => (2 * JOBS[key][i] > largest ? "middle left" : "middle right")),
    cliponaxis: false,
    text: own ? rows.map((i) => fileName(JOBS.model[i])) : undefined,
    xaxis,
    yaxis,
    customdata: rows,
    x: rows.map((i) => JOBS[key][i] / 1e6),
    y,
    line: {
      color: colour(method),
      dash: target ? "dash" : look(method).dash,
      width: 2,
    },
    marker: { color: colour(method), symbol: look(method).symbol, size: rows.length > 40 ? 5 : 8 },
    error_y: known
      ? {
          type: "data",
          symmetric: false,
          array: all.map((v) => v[2] - v[0]),
          arrayminus: all.map((v) => v[0] - v[1]),
          color: colour(method),
          thickness: 1.2,
          width: 3,
        }
      : undefined,
    hovertext: rows.map((i, k) =>
      hover(
        JOBS.model[i] + standIn(i),
        `${number(y[k])} ${unit}${known ? interval(all[k][1], all[k][2]) : ""}`,
        `${number(JOBS.params[i] / 1e6)} M parameters, ${number(JOBS.macs[i] / 1e6)} M MACs`,
      ),
    ),
    hovertemplate: "%{hovertext}<extra></extra>",
  };
}

const with_interval = (key, scale) => (i) =>
  [key, `${key}_low`, `${key}_high`].map((k) =>
    !JOBS[k] || JOBS[k][i] === null ? null : JOBS[k][i] * scale,
  );
const per_mb = (i) => [
  JOBS.accuracy[i] === null || !(JOBS[state.definition][i] > 0)
    ? null
    : JOBS.accuracy[i] / (JOBS[state.definition][i] * MB),
];
function explore() {
  figure("latency", "Latency", "Median of one inference; bars: 95% interval over fresh processes.", (w) =>
    multiples(w, "ms", with_interval("latency", MS)),
  );
  figure(
    "memory",
    "Runtime memory",
    "Under the definition chosen above; bars: 95% interval over fresh processes.",
    (w) => multiples(w, "MB", with_interval(state.definition, MB)),
  );
  if (own && JOBS.accuracy.every((v) => v === null)) return;
  figure(
    "accuracy",
    "Accuracy",
    sentences(
      "Measured on the device where the run had a test set, else as its source states it",
      "(‘Every model measured’ lists which); bars: 95% interval, over its images or its seeds.",
      "Models without a known accuracy are absent.",
    ),
    (w) => ({
      ...multiples(w, "%", with_interval("accuracy", 1), panelJudged, true),
      empty: "No accuracy is known for these models: see ‘Missing’ for the commands that make it.",
    }),
  );
  figure(
    "perMB",
    "Accuracy per MB",
    sentences(
      "Percentage points, of the accuracy above, for each MB of runtime memory",
      "under the definition chosen above.",
    ),
    (w) => ({
      ...multiples(w, "points per MB", per_mb, panelJudged),
      empty: "No accuracy is known for these models.",
    }),
  );
}

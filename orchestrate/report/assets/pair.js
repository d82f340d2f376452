// One pair, closely: widths, memory ladder, distribution of latency, its course over time.
const RUNG_NAMES = {
  start: "interpreter",
  backend_imported: "library imported",
  device_initialised: "device ready",
  model_loaded: "model loaded",
  first_run: "first run",
  steady: "steady",
  steady_trimmed: "given back by malloc_trim",
};
const RUNG_COLOURS = ["#8a929b", "#b5bcc4", "#6c8ebf", "#0072b2", "#e69f00", "#cc6677", "#44aa99"];
const jobOf = (model) => {
  const i = range(size(JOBS)).find((k) => JOBS.model[k] === model && JOBS.config[k] === state.config);
  return i === undefined ? null : i;
};
const groupOf = (i) =>
  `${JOBS.architecture[i] || JOBS.model[i]}|${JOBS.dataset[i]}|${JOBS.ratio[i]}|${JOBS.ratio_of[i]}`;
const members = () => shown(JOBS).filter((i) => groupOf(i) === $("f-pair").value);
const named = (i) => (own ? fileName(JOBS.model[i]) : look(JOBS.series[i]).name + standIn(i));
// Of the first, second, third row of one method: aligned to 8, to 16, to 32.
const DASHES = ["solid", "dot", "dash"];
const dashOf = (rows, i) =>
  DASHES[
    rows.slice(0, rows.indexOf(i)).filter((k) => JOBS.series[k] === JOBS.series[i]).length % DASHES.length
  ];

function offerPairs() {
  const before = $("f-pair").value,
    first = (g) => (g.endsWith("|macs") ? 1 : 0),
    groups = distinct(shown(JOBS).map(groupOf)).sort((a, b) => first(a) - first(b));
  const label = (g) => {
    const [a, d, r, of] = g.split("|");
    return r === "null" ? fileName(a) : `${a} ${d}, ${r} of ${of}`;
  };
  $("f-pair").replaceChildren(...groups.map((g) => make("option", { value: g }, label(g))));
  if (groups.includes(before)) $("f-pair").value = before;
}

// A click on a point anywhere shows its pair here and marks its rows in the tables.
function picked(job) {
  if (job === null || job === undefined) return;
  state.model = JOBS.model[job];
  $("f-pair").value = groupOf(job);
  pairChanged();
}

function widths() {
  const t = theme(),
    rows = members().filter((i) => DATA.widths[DATA.widths_of[i]].length);
  const traces = rows.map((i) => {
    const w = DATA.widths[DATA.widths_of[i]];
    return {
      type: "scatter",
      name: named(i),
      mode: w.length > 24 ? "lines" : "lines+markers",
      x: w.map((_, n) => n + 1),
      y: w,
      customdata: w.map(() => i),
      line: { color: colour(JOBS.series[i]), shape: "hvh", width: 2, dash: dashOf(rows, i) },
      marker: { symbol: look(JOBS.series[i]).symbol, size: 6, color: colour(JOBS.series[i]) },
      hovertemplate: `${named(i)}<br>layer %{x}: %{y} channels<extra></extra>`,
    };
  });
  return {
    traces,
    methods: distinct(rows.map((i) => JOBS.series[i])),
    empty: "No widths: these are files of your own.",
    layout: {
      height: 300,
      margin: { l: 56, r: 12, t: 10, b: 44 },
      xaxis: {
        ...t.axis,
        title: axisTitle("searchable layer", t),
        dtick: traces[0] && traces[0].x.length > 24 ? 8 : 1,
      },
      yaxis: {
        ...t.axis,
        title: axisTitle("channels", t),
        rangemode: "tozero",
      },
    },
  };
}

function ladder() {
  const t = theme(),
    rows = members();
  const traces = DATA.rungs.map((rung, n) => ({
    type: "bar",
    orientation: "h",
    name: RUNG_NAMES[rung] || rung,
    y: rows.map(named),
    customdata: rows,
    x: rows.map((i) => (DETAILS.steps[i][n] === null ? null : DETAILS.steps[i][n] * MB)),
    marker: { color: RUNG_COLOURS[n] },
    hovertemplate: `${RUNG_NAMES[rung]}: %{x:.1f} MB<extra>%{y}</extra>`,
  }));
  return {
    traces: rows.length ? traces : [],
    swatches: traces.map((trace) => [trace.marker.color, trace.name]),
    layout: {
      height: 90 + 44 * rows.length,
      barmode: "relative",
      margin: { l: 10, r: 12, t: 10, b: 44 },
      xaxis: { ...t.axis, title: axisTitle("MB (own)", t) },
      yaxis: { ...t.axis, autorange: "reversed" },
    },
  };
}

const QUANTILES = [0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99];
function distribution() {
  const t = theme(),
    rows = members();
  const traces = rows.map((i) => ({
    type: "scatter",
    name: named(i),
    mode: "lines+markers",
    x: DETAILS.quantiles[i].map((q) => q * MS),
    y: QUANTILES.map((q) => q * 100),
    line: { color: colour(JOBS.series[i]), width: 2, dash: look(JOBS.series[i]).dash },
    marker: { symbol: look(JOBS.series[i]).symbol, size: 7, color: colour(JOBS.series[i]) },
    customdata: QUANTILES.map(() => i),
    hovertemplate: `${named(i)}<br>%{y}% of inferences took at most %{x:.4g} ms<extra></extra>`,
  }));
  return {
    traces,
    methods: distinct(rows.map((i) => JOBS.series[i])),
    layout: {
      height: 320,
      margin: { l: 56, r: 12, t: 10, b: 46 },
      xaxis: {
        ...t.axis,
        type: "log",
        title: axisTitle("latency (ms, logarithmic)", t),
        ...ticks(traces.flatMap((r) => r.x)),
      },
      yaxis: {
        ...t.axis,
        title: axisTitle("% of inferences", t),
        range: [0, 101],
      },
    },
  };
}

function course() {
  const t = theme(),
    rows = members().filter((i) => DETAILS.course[i]);
  // Rows are of one length: a process of few samples has null in place of its last blocks.
  const processes = (i) =>
    DETAILS.course[i].map(([order, length, ...all]) => [order, length, all.filter((b) => b !== null)]);
  const traces = rows.flatMap((i) =>
    processes(i).map(([order, length, blocks], p) => ({
      type: "scatter",
      name: `${named(i)}, process ${p}`,
      mode: "lines+markers",
      x: blocks.map((_, n) => ((n + 0.5) * length) / blocks.length),
      y: blocks.map((b) => b / DATA.frames.jobs.latency[i]),
      line: { color: colour(JOBS.series[i]), width: 1.2 },
      marker: { size: 5, symbol: look(JOBS.series[i]).symbol, color: colour(JOBS.series[i]) },
      customdata: blocks.map(() => i),
      hovertemplate: hover(
        `${named(i)}, process ${p} (run as number ${order})`,
        "%{x:.2f} s in: %{y:.3f} of the job’s latency<extra></extra>",
      ),
    })),
  );
  const [kept, all] = DETAILS.course_of;
  const empty = sentences(
    `The course over time is kept for the ${kept} of ${all} jobs that moved most;`,
    "this pair is not among them.",
  );
  return {
    traces,
    empty,
    methods: distinct(rows.map((i) => JOBS.series[i])),
    layout: {
      height: 300,
      margin: { l: 56, r: 12, t: 10, b: 46 },
      xaxis: {
        ...t.axis,
        title: axisTitle("seconds of measured inference", t),
      },
      yaxis: { ...t.axis, title: axisTitle("relative to the job", t) },
    },
  };
}

function onePair() {
  figure("widths", "Widths", "Channels of each searchable layer.", widths);
  figure(
    "ladder",
    "Memory ladder",
    sentences(
      "What each step adds to the process’s own memory, median over processes;",
      "to the left of zero: given back.",
    ),
    ladder,
  );
  figure(
    "distribution",
    "Distribution of latency",
    sentences(
      "Share of inferences that took at most so long, all processes together,",
      "from the 1st to the 99th percentile.",
    ),
    distribution,
  );
  figure(
    "course",
    "Course over time",
    sentences(
      "One line per fresh process: medians of twelve consecutive parts of it, relative to the job’s latency.",
      "A slope is drift.",
    ),
    course,
  );
}

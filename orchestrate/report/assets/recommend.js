// Which model to deploy: the Pareto set, and the limits that a person sets.
const LIMITS = [
  { id: "l-memory", key: () => state.definition, scale: MB, most: true, name: "memory", unit: "MB" },
  { id: "l-latency", key: () => "latency", scale: MS, most: true, name: "latency", unit: "ms" },
  { id: "l-energy", key: () => "energy", scale: 1e3, most: true, name: "energy", unit: "mJ" },
  { id: "l-accuracy", key: () => "accuracy", scale: 1, most: false, name: "accuracy", unit: "%" },
];

// A figure and the ends of its interval, an unknown interval having no width.
function bounds(limit, i) {
  const key = limit.key(),
    value = JOBS[key][i];
  if (value === null) return null;
  return [value, JOBS[`${key}_low`]?.[i] ?? value, JOBS[`${key}_high`]?.[i] ?? value].map(
    (v) => v * limit.scale,
  );
}

// Latency and memory of one process or build: nothing is known of the next. The page holds no intervals of
// memory definitions that no table shows, but they are of the same processes.
const alone = (limit, i) => ["latency", "memory"].includes(limit.name) && JOBS.latency_low[i] === null;

// fits, at risk (its interval crosses the limit), or fails, and why.
function judged(i) {
  const notes = { fails: [], risk: [] };
  for (const limit of LIMITS) {
    const text = $(limit.id).value,
      bound = Number(text);
    if (text === "" || !Number.isFinite(bound)) continue;
    const found = bounds(limit, i);
    if (!found) {
      notes.fails.push(`${limit.name} unknown`);
      continue;
    }
    const [value, low, high] = found,
      [best, worst] = limit.most ? [low, high] : [-high, -low],
      edge = limit.most ? bound : -bound;
    if (best > edge || (limit.most ? value : -value) > edge)
      notes.fails.push(`${limit.name} ${number(value)} ${limit.unit}`);
    else if (alone(limit, i))
      notes.risk.push(`${limit.name} ${number(value)} ${limit.unit} (one process or build, no interval)`);
    else if (worst > edge)
      notes.risk.push(`${limit.name} ${number(value)} (${number(low)} to ${number(high)}) ${limit.unit}`);
  }
  return { i, ...notes, verdict: notes.fails.length ? "fails" : notes.risk.length ? "risk" : "fits" };
}

// Rank and front are computed by orchestrate/analysis/recommend.py; limits only leave models out.
// Nobody knows an accuracy: memory takes its place.
const unjudged = !(JOBS.accuracy || []).some((v) => v !== null);
// Rows of one dataset are ranked together, but for accuracies of two metrics.
const contest = (i) => (JOBS.dataset[i] || "your own files") + byMetric(i);
const known = (i) => (unjudged || JOBS.accuracy[i] !== null) && JOBS[state.definition][i] !== null;
const height = (i) => (unjudged ? JOBS[state.definition][i] * MB : JOBS.accuracy[i]);
const onFront = (i) =>
  Math.floor(DATA.front[i] / 2 ** Object.keys(DATA.definitions).indexOf(state.definition)) % 2 === 1;
const best = (rows) => rows.reduce((a, b) => (a !== null && DATA.rank[a] < DATA.rank[b] ? a : b), null);

const costs = (i) => `${number(JOBS.latency[i] * MS)} ms, ${number(JOBS[state.definition][i] * MB)} MB`;
const LIMITED = { fits: "", risk: ", at risk", fails: ", over a limit" };
function accuracyOf(i) {
  if (unjudged) return "";
  return JOBS.accuracy[i] === null ? ", accuracy unknown" : `, ${number(JOBS.accuracy[i])}% accuracy`;
}

function recommendWords() {
  const all = shown(JOBS).map(judged),
    fits = all.filter((j) => j.verdict === "fits").map((j) => j.i),
    risk = all.filter((j) => j.verdict === "risk");
  const told = (i) => costs(i) + accuracyOf(i) + standIn(i);
  const items = distinct(fits.map(contest))
    .sort()
    .map((name) => {
      const here = fits.filter((k) => contest(k) === name),
        i = best(here),
        next = best(here.filter((k) => k !== i));
      return make(
        "li",
        {},
        `${name}: `,
        make("strong", {}, fileName(JOBS.model[i])),
        ` — ${told(i)}`,
        next === null ? "" : `. Next: ${fileName(JOBS.model[next])} — ${told(next)}: ${lost(i, next)}`,
      );
    });
  const count = make(
    "p",
    {},
    `${fits.length} of ${plural(all.length, "model")} fit; ${risk.length} at risk.`,
  );
  const risky = risk
    .slice(0, 3)
    .map((j) => make("li", {}, `At risk: ${JOBS.model[j.i]} — ${j.risk.join(", ")}`));
  $("recommend-answer").replaceChildren(count, make("ul", {}, ...items, ...risky));
}

// The most accurate model (or the smallest, where no accuracy is known) for every latency, as steps.
function frontLine(rows, suffix, t) {
  const front = [],
    better = (i) => (unjudged ? -height(i) : height(i));
  for (const i of [...rows].sort((a, b) => JOBS.latency[a] - JOBS.latency[b] || better(b) - better(a)))
    if (!front.length || better(i) > better(front.at(-1))) front.push(i);
  return {
    type: "scatter",
    name: "front",
    mode: "lines",
    xaxis: `x${suffix}`,
    yaxis: `y${suffix}`,
    x: front.map((i) => JOBS.latency[i] * MS),
    y: front.map(height),
    customdata: front,
    line: { color: t.soft, width: 1.5, dash: "dot", shape: "hv" },
    hoverinfo: "skip",
  };
}

// Why b is not a: the order of orchestrate/analysis/recommend.py.
function lost(a, b) {
  for (const [name, key, words] of [
    ["accuracy", "accuracy"],
    ["latency", "latency", "slower"],
    ["memory", DATA.main.process, "larger"],
    ["energy", "energy", "takes more energy"],
  ]) {
    const [its, mine] = [JOBS[key][a], JOBS[key][b]];
    if (mine === its) continue;
    if (mine === null) return `its ${name} is unknown`;
    return words || `${number(its - mine)} points less accurate`;
  }
  return "equal in all";
}

// Where a name is written, so that it stays within the panel of `rows`: to the right of a point at the left, and so on.
function placed(rows) {
  const logs = rows.map((i) => Math.log(JOBS.latency[i])),
    least = logs.reduce((a, b) => Math.min(a, b), Infinity),
    width = logs.reduce((a, b) => Math.max(a, b), -Infinity) - least || 1;
  return (i) => {
    const share = (Math.log(JOBS.latency[i]) - least) / width;
    return `top ${share < 0.3 ? "right" : share < 0.7 ? "center" : "left"}`;
  };
}

function recommendPlot(width) {
  const t = theme(),
    rows = thinnedOut(shown(JOBS).filter(known)),
    { columns, rows: lines } = panels(distinct(rows.map(contest)).length || 1, width);
  const sets = distinct(rows.map(contest)).sort(),
    traces = [],
    annotations = [];
  const layout = {
    height: 40 + 320 * lines,
    margin: { l: 56, r: 12, t: 26, b: 46 },
    annotations,
    grid: { rows: lines, columns, pattern: "independent", xgap: 0.16, ygap: 0.3 },
  };
  sets.forEach((name, n) => {
    const suffix = n ? n + 1 : "";
    layout[`xaxis${suffix}`] = {
      ...t.axis,
      title: { ...axisTitle("latency (ms)", t), standoff: 4 },
      type: "log",
      ...ticks(rows.filter((i) => contest(i) === name).map((i) => JOBS.latency[i] * MS)),
    };
    layout[`yaxis${suffix}`] = {
      ...t.axis,
      ...(n % columns ? {} : { title: axisTitle(unjudged ? "memory (MB)" : "accuracy (%)", t) }),
    };
    annotations.push(panelTitle(`<b>${name}</b>`, `x${suffix}`, `y${suffix}`));
    const here = rows.filter((i) => contest(i) === name);
    const beside = placed(here);
    const chosen = best(here.filter((i) => judged(i).verdict === "fits"));
    traces.push(frontLine(here, suffix, t));
    for (const method of distinct(rows.map((i) => JOBS.series[i])).sort()) {
      const mine = rows.filter((i) => JOBS.series[i] === method && contest(i) === name);
      if (!mine.length) continue;
      const verdicts = mine.map((i) => judged(i).verdict);
      traces.push({
        type: "scatter",
        name: `${JOBS.dataset[mine[0]]} ${look(method).name}`.trim(),
        mode: "markers+text",
        textposition: mine.map(beside),
        cliponaxis: false,
        text: mine.map((i) => (own || (i === chosen && width >= 560) ? fileName(JOBS.model[i]) : "")),
        xaxis: `x${suffix}`,
        yaxis: `y${suffix}`,
        customdata: mine,
        x: mine.map((i) => JOBS.latency[i] * MS),
        y: mine.map(height),
        marker: {
          color: colour(method),
          symbol: look(method).symbol,
          size: unjudged ? 10 : mine.map((i) => 6 + Math.sqrt(Math.max(0, JOBS[state.definition][i]) * MB)),
          opacity: verdicts.map((v) => (v === "fails" ? 0.2 : v === "risk" ? 0.6 : 0.9)),
          line: { color: css("--ink"), width: mine.map((i) => (i === chosen ? 3 : 0)) },
        },
        hovertext: mine.map((i, k) =>
          hover(
            JOBS.model[i],
            costs(i) + accuracyOf(i) + standIn(i),
            (onFront(i) ? "on the Pareto front" : "beaten") + LIMITED[verdicts[k]],
          ),
        ),
        hovertemplate: "%{hovertext}<extra></extra>",
      });
    }
  });
  return {
    traces,
    layout,
    methods: distinct(rows.map((i) => JOBS.series[i])).sort(),
    empty: "No model here has a known accuracy; give limits of memory and latency above.",
  };
}

function recommend() {
  $("l-energy-label").hidden = !JOBS.energy || JOBS.energy.every((v) => v === null);
  $("l-accuracy-label").hidden = unjudged;
  figure(
    "recommend",
    unjudged ? "Memory against latency" : "Accuracy against latency",
    sentences(
      `One point per model${unjudged ? "" : "; its area grows with memory"}.`,
      "Ringed and named: the recommended model.",
      `Dotted: the ${unjudged ? "smallest" : "most accurate"} model for every latency. Faint: over a limit.`,
    ),
    recommendPlot,
  );
  for (const limit of LIMITS)
    $(limit.id).addEventListener("input", () => {
      recommendWords();
      redraw(["recommend"]);
    });
}

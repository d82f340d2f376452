// Ratios: pair by pair, under every memory definition, and what they consist of.
const MEANS = DATA.frames.means;
const means = (test) => range(size(MEANS)).filter((i) => MEANS.config[i] === state.config && test(i));
const mean = (comparison, quantity, definition = "") =>
  means(
    (i) =>
      MEANS.comparison[i] === comparison &&
      MEANS.quantity[i] === quantity &&
      MEANS.definition[i] === definition,
  )[0];
const spread = (values, frame, key) => ({
  type: "data",
  symmetric: false,
  thickness: 2,
  width: 0,
  array: values.map((i) => (frame[`${key}_high`][i] ?? frame[key][i]) - frame[key][i]),
  arrayminus: values.map((i) => frame[key][i] - (frame[`${key}_low`][i] ?? frame[key][i])),
});

const lowHigh = (frame, key, i) => [`${key}_low`, `${key}_high`].map((column) => frame[column]?.[i] ?? null);

// Dots with intervals on a logarithmic axis of ratios, one row each;
// rows: [{label, frame, key, i, colour, symbol}].
function dots(rows, width, title) {
  const t = theme(),
    narrow = width < 560;
  const ticks = [
    0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 7, 10, 20, 50,
  ];
  const ends = rows
    .flatMap((r) => [r.frame[r.key][r.i], ...lowHigh(r.frame, r.key, r.i), 1])
    .filter((v) => v > 0);
  const [low, high] = [Math.min(...ends) / 1.06, Math.max(...ends) * 1.06];
  const fitting = thinned(
    ticks.filter((v) => v >= low && v <= high),
    narrow ? 5 : 10,
  );
  const traces = rows.map((r, n) => ({
    type: "scatter",
    mode: "markers",
    x: [r.frame[r.key][r.i]],
    y: [n],
    customdata: [r.job ?? null],
    marker: { color: r.colour, symbol: r.symbol || "circle", size: r.symbol === "diamond-tall" ? 15 : 9 },
    error_x: { ...spread([r.i], r.frame, r.key), color: r.colour },
    hovertemplate: hover(
      r.label,
      `${number(r.frame[r.key][r.i])}×${interval(...lowHigh(r.frame, r.key, r.i))}<extra></extra>`,
    ),
  }));
  return {
    traces,
    layout: {
      height: 70 + 26 * rows.length,
      margin: { l: 10, r: 12, t: 10, b: 44 },
      xaxis: {
        ...t.axis,
        type: "log",
        range: [Math.log10(low), Math.log10(high)],
        tickvals: fitting,
        ticktext: fitting.map((v) => `${v}×`),
        title: axisTitle(title, t),
      },
      yaxis: {
        ...t.axis,
        tickvals: rows.map((_, n) => n),
        ticktext: rows.map((r) => (narrow ? r.short || r.label : r.label)),
        range: [rows.length - 0.4, -0.6],
        showgrid: false,
        zeroline: false,
      },
      shapes: [
        {
          type: "line",
          x0: 1,
          x1: 1,
          yref: "paper",
          y0: 0,
          y1: 1,
          line: { color: t.soft, width: 1, dash: "dot" },
        },
      ],
    },
  };
}

function thinned(values, most) {
  const keep = (v) => v === 1 || v === values[0] || v === values[values.length - 1];
  while (values.length > most) {
    const every = values.filter((v, n) => keep(v) || n % 2 === 0);
    if (every.length === values.length) break;
    values = every;
  }
  return values;
}

// The column of pairs that holds a quantity; those about memory are made from its ratio under the definition
// chosen.
function pairColumn(quantity) {
  const size = PAIRS[`${state.definition}_ratio`],
    made = {
      memory: (i) => size[i],
      mb_per_mparam: (i) => size[i] / PAIRS.params_ratio[i],
      accuracy_per_mb: (i) => (PAIRS.accuracy_ratio[i] === null ? null : PAIRS.accuracy_ratio[i] / size[i]),
    }[quantity];
  if (!made || !size) return `${quantity}_ratio`;
  const key = `${quantity}/${state.definition}`;
  PAIRS[key] ??= size.map((v, i) => (v === null ? null : made(i)));
  return key;
}

const leftOut = (i) => (PAIRS.left_out[i] ? ` (${PAIRS.left_out[i]}: decides nothing)` : "");
const network = (i) => `${PAIRS.architecture[i]} ${PAIRS.dataset[i]}`;
function ofQuantity(found, width, quantity) {
  const axis = "NeuralScale / uniform";
  if (!found.length) return { traces: [] };
  return dots(found, width, width < 560 ? axis : `${DATA.quantities[quantity]}, ${axis}`);
}

function byPair(width) {
  const quantity = $("f-quantity").value;
  const key = pairColumn(quantity);
  if (!PAIRS[key]) return { traces: [] };
  const rows = shown(PAIRS)
    .filter((i) => PAIRS.comparison[i] === "params" && PAIRS[key][i] !== null)
    .slice(0, 80);
  const found = rows.map((i) => ({
    label: `${network(i)}, ${PAIRS.ratio[i]} of ${PAIRS.ratio_of[i]}${leftOut(i)}`,
    short: `${PAIRS.architecture[i]} ${PAIRS.ratio[i]}`,
    frame: PAIRS,
    key,
    i,
    colour: css(leftOut(i) ? "--soft" : "--neuralscale"),
    job: jobOf(PAIRS.model[i]),
  }));
  const all = mean("params", quantity, DATA.of_memory.includes(quantity) ? state.definition : "");
  if (all !== undefined)
    found.push({
      label: `Geometric mean of ${plural(MEANS.n[all], "pair")}`,
      short: "Mean",
      frame: MEANS,
      key: "value",
      i: all,
      colour: css("--ink"),
      symbol: "diamond-tall",
    });
  return ofQuantity(found, width, quantity);
}

function byDefinition(width) {
  const quantity = $("f-memquantity").value;
  const rows = means((i) => MEANS.comparison[i] === "params" && MEANS.quantity[i] === quantity);
  const side = (i) =>
    MEANS.value_low[i] > 1 ? "--neuralscale" : MEANS.value_high[i] < 1 ? "--uniform" : "--soft";
  const found = rows.map((i) => ({
    label: DATA.definitions[MEANS.definition[i]],
    short: MEANS.definition[i].replaceAll("_", " "),
    frame: MEANS,
    key: "value",
    i,
    colour: css(side(i)),
  }));
  return ofQuantity(found, width, quantity);
}

function why(width) {
  const rows = Object.keys(DATA.comparisons)
    .flatMap((comparison) =>
      [
        ["latency", "latency", "--neuralscale"],
        ["macs", "MACs", "--soft"],
      ].map(([quantity, name, tone]) => {
        const i = mean(comparison, quantity);
        return i === undefined
          ? null
          : {
              label: `${DATA.comparisons[comparison]}: ${name}`,
              short: `${comparison}: ${name}`,
              frame: MEANS,
              key: "value",
              i,
              colour: css(tone),
              symbol: quantity === "macs" ? "circle-open" : "circle",
            };
      }),
    )
    .filter(Boolean);
  return rows.length
    ? dots(rows, width, "ratio")
    : { traces: [], empty: "No pairs of two methods in these records." };
}

// What the latency ratio at equal parameters consists of, as a sentence of factors.
function whyWords() {
  const value = (i) => (i === undefined ? null : MEANS.value[i]);
  const total = value(mean("params", "latency")),
    work = value(mean("params", "macs"));
  const equal = value(mean("macs", "latency")),
    back = value(mean("alignment", "latency"));
  const rounding = mean("rounding", "latency"),
    rounded = value(mean("rounded", "latency")),
    both = value(mean("aligned", "latency"));
  if (total === null) return $("why-words").replaceChildren();
  const parts = [`At equal parameters NeuralScale takes ${number(total)} times as long`];
  if (work !== null)
    parts.push(
      sentences(
        `for ${number(work)} times the multiply-accumulates,`,
        `so each of them costs ${number(total / work)} times as much`,
      ),
    );
  const more = [];
  if (equal !== null) more.push(`At equal work it takes ${number(equal)} times as long.`);
  if (rounding !== undefined)
    more.push(
      sentences(
        `Rounding uniform’s widths to multiples of 8 alone takes ${number(MEANS.value[rounding])} times`,
        `the latency${interval(...lowHigh(MEANS, "value", rounding))}.`,
      ),
    );
  if (rounded !== null)
    more.push(
      `Against uniform in multiples of 8 NeuralScale takes ${number(rounded)} times as long${
        both === null ? "" : `, both in multiples ${number(both)} times`
      }.`,
    );
  if (back !== null)
    more.push(
      sentences(
        `Against its own widths in multiples of 8 it takes ${number(back)} times as long:`,
        "this part is alignment.",
      ),
    );
  const lacking = [equal === null ? "equal MACs" : "", back === null ? "aligned widths" : ""].filter(Boolean);
  const add = lacking.length
    ? [
        make(
          "span",
          { class: "sub" },
          ` No records at ${lacking.join(" or with ")}: `,
          make(
            "code",
            {},
            `orchestrate run --device ${DATA.configurations[state.config].device} --experiment why`,
          ),
          " makes them.",
        ),
      ]
    : [];
  return $("why-words").replaceChildren(make("p", {}, `${parts.join(" ")}. ${more.join(" ")}`, ...add));
}

function slope() {
  const SLOPES = DATA.frames.slopes,
    t = theme(),
    traces = [],
    c = DATA.configurations[state.config],
    seen = [];
  const rows = thinnedOut(
    shown(JOBS).filter((i) => JOBS.params[i] !== null && JOBS[state.definition][i] !== null),
  );
  for (const method of distinct(rows.map((i) => JOBS.series[i])).sort()) {
    const mine = rows.filter((i) => JOBS.series[i] === method);
    seen.push(method);
    traces.push({
      type: "scatter",
      name: look(method).name,
      mode: "markers",
      x: mine.map((i) => JOBS.params[i] / 1e6),
      y: mine.map((i) => JOBS[state.definition][i] * MB),
      customdata: mine,
      marker: { color: colour(method), symbol: look(method).symbol, size: 8 },
      text: mine.map((i) => JOBS.model[i] + standIn(i)),
      hovertemplate: "%{text}<br>%{y:.1f} MB<extra></extra>",
    });
    const s = range(size(SLOPES)).find(
      (i) =>
        ["device", "backend", "precision", "threads", "batch", "setup"].every((k) => SLOPES[k][i] === c[k]) &&
        SLOPES.method[i] === method &&
        SLOPES.definition[i] === state.definition,
    );
    if (s === undefined) continue;
    const end = Math.max(...mine.map((i) => JOBS.params[i]));
    traces.push({
      type: "scatter",
      name: `${look(method).name}, fitted`,
      mode: "lines",
      x: [0, end / 1e6],
      y: [0, end].map((x) => (SLOPES.intercept[s] + SLOPES.slope[s] * x) * MB),
      line: { color: colour(method), width: 1.5, dash: "dot" },
      hovertemplate: sentences(
        `${look(method).name}: ${number(SLOPES.slope[s])} bytes a parameter`,
        `above ${number(SLOPES.intercept[s] * MB)} MB<extra></extra>`,
      ),
    });
  }
  return {
    traces,
    methods: seen,
    layout: {
      height: 360,
      margin: { l: 56, r: 12, t: 10, b: 46 },
      xaxis: {
        ...t.axis,
        title: axisTitle("million parameters", t),
        rangemode: "tozero",
      },
      yaxis: { ...t.axis, title: axisTitle("MB", t), rangemode: "tozero" },
    },
  };
}

function ratios() {
  const offered = Object.keys(DATA.quantities).filter(
    (q) =>
      means((i) => MEANS.quantity[i] === q).length || range(size(MEANS)).some((i) => MEANS.quantity[i] === q),
  );
  $("f-quantity").replaceChildren(...offered.map((q) => make("option", { value: q }, DATA.quantities[q])));
  const answered = [...$("f-memquantity").options].find(
    (option) => means((i) => MEANS.quantity[i] === option.value).length,
  );
  if (answered) $("f-memquantity").value = answered.value; // the first that these records can answer
  figure(
    "why",
    "Comparisons side by side",
    sentences(
      "Filled: latency ratio with its 95% interval. Open: ratio of multiply-accumulates.",
      "To the right of 1 the first method needs more.",
    ),
    why,
  );
  figure(
    "pairs",
    "Pair by pair",
    sentences(
      "Each pair with its interval over processes;",
      "the tall diamond is the mean with its interval over architectures.",
    ),
    byPair,
  );
  figure(
    "definitions",
    "Does the ranking depend on what memory means?",
    "The same ratio under each definition. Orange: above 1. Blue: below 1. Grey: not distinguishable from 1.",
    byDefinition,
  );
  figure(
    "slope",
    "Floor and price of a parameter",
    sentences(
      "Memory against parameters over all models; dotted: least squares.",
      "Where it meets zero parameters is the floor that every model pays.",
    ),
    slope,
  );
}

// The cost landscape of a layer: predicted time over its channels, and the width that each method gives it.
const LANDSCAPE = DATA.frames.landscape,
  ON_LANDSCAPE = DATA.frames.landscape_networks;

function landscapes(width) {
  const points = shown(LANDSCAPE),
    numbers = distinct(points.map((i) => LANDSCAPE.panel[i])),
    columns = Math.min(2, panels(numbers.length, width).columns),
    rows = Math.ceil(numbers.length / columns);
  if (!numbers.length) return { empty: "No predicted network for this choice." };
  const all = numbers.map((n, at) => onePanel(n, at, points)),
    layout = {
      height: 60 + 300 * rows,
      margin: { l: 56, r: 12, t: 44, b: 44 },
      grid: { rows, columns, pattern: "independent", xgap: 0.16, ygap: 0.34 },
      annotations: all.map((panel) => panel.title),
    };
  for (const panel of all) Object.assign(layout, panel.axes);
  const onThem = shown(ON_LANDSCAPE).filter((i) => numbers.includes(ON_LANDSCAPE.panel[i]));
  return {
    traces: all.flatMap((panel) => panel.traces),
    layout,
    methods: distinct(onThem.map((i) => ON_LANDSCAPE.series[i])).sort(),
    swatches: distinct(onThem.map((i) => ON_LANDSCAPE.block[i])).map((block) => [
      theme().ink,
      `multiples of ${block} channels`,
      "circle",
    ]),
  };
}

// One curve with its marks; the facts about it are those of any network on it.
function onePanel(number_, at, points) {
  const { axis, ink, soft } = theme(),
    suffix = at ? at + 1 : "",
    mine = points.filter((i) => LANDSCAPE.panel[i] === number_),
    fact = (name) => ON_LANDSCAPE[name][ON_LANDSCAPE.panel.indexOf(number_)],
    marks = shown(ON_LANDSCAPE).filter((i) => ON_LANDSCAPE.panel[i] === number_),
    block = fact("block"),
    layer = `${fact("architecture")} ${fact("layer")}`,
    place = { type: "scatter", xaxis: `x${suffix}`, yaxis: `y${suffix}` };
  const curve = {
    ...place,
    mode: "lines+markers",
    name: layer,
    x: mine.map((i) => LANDSCAPE.channels[i]),
    y: mine.map((i) => LANDSCAPE.seconds[i] * MS),
    line: { color: soft, width: 1.2 },
    marker: { color: ink, size: mine.map((i) => (LANDSCAPE.channels[i] % block ? 0 : 5)), opacity: 1 },
    hovertemplate: `%{x} channels: %{y:.4g} ms<br>other widths of ${fact("base")}<extra></extra>`,
  };
  const networks = distinct(marks.map((i) => ON_LANDSCAPE.series[i])).map((series) => {
    const here = marks.filter((i) => ON_LANDSCAPE.series[i] === series);
    return {
      ...place,
      mode: "markers",
      name: `${layer}: ${look(series).name}`,
      x: here.map((i) => ON_LANDSCAPE.channels[i]),
      y: here.map((i) => ON_LANDSCAPE.seconds[i] * MS),
      marker: {
        color: colour(series),
        symbol: look(series).symbol,
        size: 12,
        line: { color: ink, width: 1 },
      },
      text: here.map((i) => ON_LANDSCAPE.model[i]),
      hovertemplate: "%{text}<br>%{x} channels: %{y:.4g} ms<extra></extra>",
    };
  });
  const small = { size: 12, color: soft },
    span = curve.x.at(-1) - curve.x[0];
  return {
    traces: [curve, ...networks],
    axes: {
      [`xaxis${suffix}`]: {
        ...axis,
        tick0: 0,
        dtick: block * Math.ceil(span / (8 * block)),
        title: { text: "channels", font: small, standoff: 4 },
      },
      [`yaxis${suffix}`]: { ...axis, title: { text: "ms", font: small, standoff: 6 } },
    },
    title: {
      ...panelTitle(
        `<b>${fact("architecture")} ${fact("dataset")}</b><br>${fact("layer")} (${number(fact("share") * 100, 2)}%), ${number(fact("ratio"), 2)} of ${fact("ratio_of")}`,
        `x${suffix}`,
        `y${suffix}`,
      ),
      align: "left",
      font: { size: 13 },
    },
  };
}

if (size(LANDSCAPE)) {
  ON_LANDSCAPE.series = seriesOf(ON_LANDSCAPE);
  figure(
    "landscape",
    "What a layer’s channels cost",
    sentences(
      "Predicted time of what writes and reads the channels of the layer that takes most (in brackets its",
      `share), by the profile ${distinct(ON_LANDSCAPE.profile).join(", ")}, every other width fixed.`,
      "Marks: the width that each method’s network of one target gives the layer.",
    ),
    landscapes,
  );
}

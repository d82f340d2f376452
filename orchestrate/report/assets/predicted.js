// Predicted against measured: one point a network; on the line the profile is right.
const PREDICTED = DATA.frames.predicted;
PREDICTED.series = seriesOf(PREDICTED);
// The colour of an architecture stays the same whatever the filters hide.
const HUES = ["--accent", "--neuralscale", "--other", "--good", "--bad", "--open"],
  PREDICTED_ARCHITECTURES = distinct(PREDICTED.architecture || []).sort();
// Colour is taken by the architecture: the shape alone tells a method, and whether its widths are multiples.
const shape = (series) => look(plainName(series)).symbol + (series.includes(" ×") ? "-open" : "");
const hue = (name) => css(HUES[PREDICTED_ARCHITECTURES.indexOf(name) % HUES.length]);

function predictedPoints() {
  const rows = shown(PREDICTED),
    { axis, ink } = theme();
  if (!rows.length) return { empty: "No predicted network for this choice." };
  const values = rows.flatMap((i) => [PREDICTED.latency[i] * MS, PREDICTED.predicted[i] * MS]),
    ends = [Math.min(...values) / 1.2, Math.max(...values) * 1.2];
  const architectures = distinct(rows.map((i) => PREDICTED.architecture[i])).sort(),
    series = distinct(rows.map((i) => PREDICTED.series[i])).sort();
  const traces = architectures.map((name) => {
    const at = rows.filter((i) => PREDICTED.architecture[i] === name),
      high = at.map((i) => (PREDICTED.predicted_high[i] - PREDICTED.predicted[i]) * MS),
      low = at.map((i) => (PREDICTED.predicted[i] - PREDICTED.predicted_low[i]) * MS);
    return {
      type: "scatter",
      mode: "markers",
      name,
      x: at.map((i) => PREDICTED.latency[i] * MS),
      y: at.map((i) => PREDICTED.predicted[i] * MS),
      error_y: {
        type: "data",
        symmetric: false,
        array: high,
        arrayminus: low,
        thickness: 1,
        color: hue(name),
      },
      marker: { size: 9, color: hue(name), symbol: at.map((i) => shape(PREDICTED.series[i])) },
      text: at.map((i) =>
        hover(
          PREDICTED.model[i],
          `measured ${number(PREDICTED.latency[i] * MS)} ms`,
          `predicted ${number(PREDICTED.predicted[i] * MS)} ms (${number(PREDICTED.error[i] * 100)}%)`,
        ),
      ),
      hovertemplate: "%{text}<extra></extra>",
    };
  });
  const exact = {
    type: "scatter",
    mode: "lines",
    x: ends,
    y: ends,
    hoverinfo: "skip",
    line: { dash: "dash", width: 1, color: ink },
  };
  return {
    traces: [exact, ...traces],
    swatches: [
      ...architectures.map((name) => [hue(name), name, "bar"]),
      ...series.map((name) => [ink, look(name).name, shape(name)]),
    ],
    dashed: "predicted = measured",
    layout: {
      height: 420,
      margin: { l: 60, r: 20, t: 10, b: 50 },
      xaxis: { ...axis, type: "log", title: { text: "measured (ms)" } },
      yaxis: { ...axis, type: "log", title: { text: "predicted (ms)" } },
    },
  };
}

if (size(PREDICTED))
  figure(
    "predicted",
    "Predicted against measured",
    sentences(
      "Networks whose widths were chosen on this device's profile; bars: 95% prediction interval. A prediction is",
      "in the time of the undisturbed device: beside other work, what is measured takes longer.",
    ),
    predictedPoints,
  );

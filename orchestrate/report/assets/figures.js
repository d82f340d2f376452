// Figures: caption, key, drawing, and the same figures as a table for those who read rather than look.
const figures = new Map();

function figure(id, title, words, draw) {
  const plot = make("div", {
    class: "plot",
    id: `draw-${id}`,
    role: "img",
    "aria-label": `${title}. ${words} The button ‘Table’ shows the same as a table.`,
  });
  const found = {
    id,
    title,
    draw,
    plot,
    stale: true,
    near: false,
    key: make("ul", { class: "key" }),
    rows: make("div", {
      id: `rows-${id}`,
      class: "scroll",
      hidden: true,
      tabindex: "0",
      role: "region",
      "aria-label": `${title} as a table`,
    }),
  };
  const open = make(
    "button",
    {
      type: "button",
      "aria-expanded": "false",
      "aria-controls": `rows-${id}`,
      onclick: () => toggled(found, open),
    },
    "Table",
  );
  const tool = (name, press) =>
    make("button", { type: "button", "aria-label": `Save ${title} as ${name}`, onclick: press }, name);
  const tools = make(
    "div",
    { class: "tools" },
    open,
    tool("CSV", () => saveRows(found)),
    tool("SVG", () => exported(found, "svg")),
    tool("PNG", () => exported(found, "png")),
  );
  const caption = make("figcaption", {}, title, make("span", {}, words));
  $(`plot-${id}`).replaceChildren(
    make(
      "figure",
      { id: `figure-${id}` },
      make("div", { class: "head" }, caption, tools),
      found.key,
      plot,
      found.rows,
    ),
  );
  figures.set(id, found);
}

const observer = new IntersectionObserver(
  (entries) =>
    entries.forEach((entry) => {
      const found = figures.get(entry.target.id.slice(5));
      found.near = entry.isIntersecting;
      if (found.near && found.stale) drawn(found);
    }),
  { rootMargin: "600px" },
);

// Draws when near the screen, so that a page of many plots opens at once.
function drawn(found) {
  found.stale = false;
  const { traces, layout, methods, empty, dashed, swatches } = found.draw(found.plot.clientWidth);
  found.layout = layout;
  found.traces = traces || [];
  found.key.replaceChildren(
    ...(own ? [] : methods || []).map((m) => make("li", {}, sign(m), look(m).name)),
    ...(swatches || []).map(([tone, name, symbol]) => make("li", {}, icon(symbol || "square", tone), name)),
    ...(dashed ? [make("li", {}, `dashed: ${dashed}`)] : []),
  );
  if (!found.rows.hidden) fillRows(found);
  if (!found.traces.length) {
    Plotly.purge(found.plot);
    found.plot.replaceChildren(make("p", { class: "empty" }, empty || "No records for this choice."));
    return;
  }
  if (found.plot.querySelector(".empty")) found.plot.replaceChildren();
  const { paper_bgcolor, plot_bgcolor, font } = theme();
  Plotly.react(
    found.plot,
    traces,
    {
      paper_bgcolor,
      plot_bgcolor,
      font,
      showlegend: false,
      dragmode: false,
      hovermode: "closest",
      ...layout,
    },
    { displayModeBar: false, responsive: false, scrollZoom: false, doubleClick: false },
  );
  found.plot.removeAllListeners("plotly_click");
  found.plot.on("plotly_click", (event) => picked(event.points[0].customdata));
}

// The mark of a method: its shape and its colour, so that neither is needed alone.
const SHAPES = {
  circle: "M6 2a4 4 0 1 0 .01 0z",
  diamond: "M6 1l5 5-5 5-5-5z",
  square: "M2 2h8v8H2z",
  "triangle-up": "M6 1l5 9H1z",
  cross: "M4 1h4v3h3v4H8v3H4V8H1V4h3z",
  bar: "M0 4h12v4H0z",
};
const sign = (method) => icon(look(method).symbol, colour(method));
function icon(symbol, tone) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg"),
    path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  for (const [name, value] of Object.entries({
    viewBox: "0 0 12 12",
    width: 12,
    height: 12,
    "aria-hidden": "true",
  }))
    svg.setAttribute(name, value);
  const open = symbol.endsWith("-open");
  path.setAttribute("d", SHAPES[symbol.replace("-open", "")]);
  path.setAttribute("fill", open ? "none" : tone);
  if (open) {
    path.setAttribute("stroke", tone);
    path.setAttribute("stroke-width", "1.5");
  }
  svg.append(path);
  return svg;
}

function redraw(only) {
  for (const [id, found] of figures) {
    if (only && !only.includes(id)) continue;
    found.stale = true;
    if (found.near) drawn(found);
  }
  drawRest();
}

// What is far from the screen follows one by one while the browser is idle: a picture of the whole page has
// no empty boxes.
const whenIdle = window.requestIdleCallback
  ? (work) => requestIdleCallback(work, { timeout: 500 })
  : (work) => setTimeout(work, 50);
let drawing = false;
function drawRest() {
  if (drawing) return;
  drawing = true;
  whenIdle(() => {
    drawing = false;
    const next = [...figures.values()].find((found) => found.stale);
    if (next) {
      drawn(next);
      drawRest();
    }
  });
}

// What a figure shows, as rows: series, horizontal, vertical, and the ends of the interval if there is one.
function rowsOf(found) {
  if (found.stale) drawn(found);
  const { traces, layout } = found,
    names = layout?.yaxis ? layout.yaxis.ticktext : null;
  const title = (axis, otherwise) => axis?.title?.text || otherwise;
  const models = traces.some((t) => (t.customdata || []).some((i) => typeof i === "number"));
  const model = (t, n) => (typeof t.customdata?.[n] === "number" ? JOBS.model[t.customdata[n]] : "");
  const head = [
    ...(models ? ["model"] : []),
    "series",
    title(layout?.xaxis, "horizontal"),
    ...(names ? [] : [title(layout?.yaxis, "vertical")]),
    "low",
    "high",
  ];
  const ends = (error, value, n) =>
    error?.array ? [value - error.arrayminus[n], value + error.array[n]] : [null, null];
  const body = traces
    .flatMap((t) =>
      t.x.map((x, n) => {
        const y = t.y[n];
        const what = names
          ? [names[y], x, ...ends(t.error_x, x, n)]
          : [t.name || "", x, y, ...ends(t.error_y, y, n)];
        return models ? [model(t, n), ...what] : what;
      }),
    )
    .filter((row) => row[models ? 2 : 1] !== null && row[models ? 2 : 1] !== undefined);
  const used = head.map((_, c) => body.some((row) => row[c] !== null && row[c] !== ""));
  const kept = (row) => row.filter((_, c) => used[c]);
  return { head: kept(head), body: body.map(kept) };
}

function fillRows(found) {
  const { head, body } = rowsOf(found),
    most = 400,
    figure = (v) => typeof v === "number";
  const row = (cells) =>
    make(
      "tr",
      {},
      ...cells.map((v) =>
        make("td", { class: figure(v) ? "number" : null }, figure(v) ? number(v, 4) : (v ?? "")),
      ),
    );
  const note = body.length > most ? ` The first ${most} of ${body.length} rows; CSV has all.` : "";
  const heads = head.map((h, c) =>
    make("th", { scope: "col", class: body.length && figure(body[0][c]) ? "number" : null }, h),
  );
  found.rows.replaceChildren(
    make(
      "table",
      {},
      make("caption", {}, `${found.title}.${note}`),
      make("thead", {}, make("tr", {}, ...heads)),
      make("tbody", {}, ...body.slice(0, most).map(row)),
    ),
  );
}

function toggled(found, button) {
  found.rows.hidden = !found.rows.hidden;
  button.setAttribute("aria-expanded", String(!found.rows.hidden));
  if (!found.rows.hidden) fillRows(found);
}

function saveRows(found) {
  const { head, body } = rowsOf(found);
  save(
    `${DATA.name}-${found.id}.csv`,
    `${[head, ...body].map((row) => row.map(quoted).join(",")).join("\n")}\n`,
    "text/csv",
  );
}

async function exported(found, format) {
  if (found.stale) drawn(found);
  if (!found.traces.length) return;
  const { clientWidth: width, clientHeight: height } = found.plot;
  const url = await Plotly.toImage(found.plot, { format, width, height, scale: format === "png" ? 3 : 1 });
  make("a", { href: url, download: `${DATA.name}-${found.id}.${format}` }).click();
}

// Tables: sorted by any column, found by text, following the filters, saved as CSV with the digits of the page.
const PAGE_ROWS = 50;
const NEVER_FOLDED = ["model", "job", "reason", "command"];

// Columns with one value in every row are said once, in the caption.
function folded(frame, columns) {
  const alike = (c) => c.keys.every((key) => frame[key].every((v) => v === frame[key][0]));
  const short = (c) => c.numeric || String(frame[c.keys[0]][0]).length < 40;
  return size(frame) < 2
    ? []
    : columns.filter((c) => !NEVER_FOLDED.includes(c.keys[0]) && alike(c) && short(c));
}

// Where the page explains a column: its key begins with one of these.
const TERMS = [
  ["latency", "Latency", "latency"],
  ["cold_load", "Load and first inference", "load-and-first-inference"],
  ["load", "Load and first inference", "load-and-first-inference"],
  ["steady", "Load and first inference", "load-and-first-inference"],
  ["process_", "Runtime memory", "runtime-memory"],
  ["accuracy", "Accuracy", "accuracy"],
  ["ratio_of", "Ratio", "size"],
  ["align", "Aligned", "rounding"],
  ["fit_quality", "Fit", "fits"],
  ["latency_ratio", "Pairs", "ratios"],
  ["value", "Means", "ratios"],
  ["slope", "Runtime memory", "runtime-memory"],
];
function terms(columns) {
  const found = new Map();
  for (const c of columns)
    for (const [key, label, id] of TERMS)
      if ((c.keys[0] === key || (key.endsWith("_") && c.keys[0].startsWith(key))) && $(`m-${id}`))
        found.set(id, label);
  const links = [...found].flatMap(([id, label]) => [" · ", make("a", { href: `#m-${id}` }, label)]);
  return links.length ? [" What the words mean: ", ...links.slice(1)] : [];
}

function table(spec) {
  const frame = DATA.frames[spec.dataset],
    numeric = (c) => (c.numeric ? "number" : null);
  const status = make("span", { role: "status", "aria-live": "polite" });
  const pager = make("div", { class: "pager" });
  const body = make("tbody"),
    sorting = { column: -1, up: true },
    at = { page: 0 };
  const used = spec.columns.filter(
    (c) => frame[c.keys[0]] && frame[c.keys[0]].some((v) => v !== null && v !== ""),
  );

  const constant = folded(frame, used),
    sticky = used.find((c) => c.keys[0] === "model") || used.find((c) => c.keys[0] === "job"),
    columns = [sticky, ...used.filter((c) => c !== sticky && !constant.includes(c))].filter(Boolean);

  const value = (c, key, i) =>
    frame[key][i] === null ? null : c.numeric ? frame[key][i] * c.scale : frame[key][i];
  const rows = () => {
    const words = state.text.toLowerCase().split(/\s+/).filter(Boolean);
    const found = shown(frame).filter((i) =>
      words.every((w) => used.some((c) => String(frame[c.keys[0]][i]).toLowerCase().includes(w))),
    );
    const c = columns[sorting.column];
    if (c)
      found.sort(
        (a, b) => compared(frame[c.keys[0]][a], frame[c.keys[0]][b]) * (sorting.up ? 1 : -1) || a - b,
      );
    return found;
  };

  const cell = (c, i) => {
    const [v, low, high] = c.keys.map((key) => value(c, key, i));
    if (c === sticky) return make("th", { scope: "row", class: "sticky" }, own ? fileName(v) : String(v));
    if (!c.numeric)
      return make("td", { class: String(v).length > 90 ? "words" : null }, v === null ? "" : String(v));
    const spread =
      low === null || low === undefined
        ? []
        : [" ", make("small", {}, `(${number(low)} to ${number(high)})`)];
    return make(
      "td",
      { class: "number" },
      c.whole && v !== null ? v.toLocaleString("en-US") : number(v),
      ...spread,
    );
  };

  const headings = columns.map((c, n) => {
    const press = () => {
      sorting.up = sorting.column === n ? !sorting.up : true;
      sorting.column = n;
      at.page = 0;
      update();
    };
    const label = c.unit ? `${c.label} (${c.unit})` : c.label;
    return make(
      "th",
      { scope: "col", class: c === sticky ? "sticky" : numeric(c) },
      make("button", { type: "button", onclick: press }, label),
    );
  });

  function update(all) {
    const found = rows(),
      pages = Math.max(1, Math.ceil(found.length / PAGE_ROWS));
    at.page = Math.min(at.page, pages - 1);
    const here = all ? found.slice(0, 1000) : found.slice(at.page * PAGE_ROWS, (at.page + 1) * PAGE_ROWS);
    body.replaceChildren(
      ...here.map((i) =>
        make(
          "tr",
          { class: frame.model && frame.model[i] === state.model ? "picked" : null },
          ...columns.map((c) => cell(c, i)),
        ),
      ),
    );
    headings.forEach((th, n) => {
      if (n === sorting.column) th.setAttribute("aria-sort", sorting.up ? "ascending" : "descending");
      else th.removeAttribute("aria-sort");
    });
    const [some, total] = [found.length, size(frame)].map((n) => n.toLocaleString("en-US"));
    status.textContent = `${some} of ${total} rows`;
    const turn = (by, label) =>
      make(
        "button",
        {
          type: "button",
          disabled: at.page + by < 0 || at.page + by >= pages,
          onclick: () => {
            at.page += by;
            update();
          },
        },
        label,
      );
    pager.replaceChildren(
      ...(pages > 1 ? [turn(-1, "Previous"), `Page ${at.page + 1} of ${pages}`, turn(1, "Next")] : []),
    );
  }

  const csv = () => {
    const head = used.flatMap((c) =>
      c.keys.map((_, k) => quoted((c.unit ? `${c.label} (${c.unit})` : c.label) + ["", " low", " high"][k])),
    );
    const lines = rows().map((i) =>
      used.flatMap((c) => c.keys.map((key) => quoted(value(c, key, i)))).join(","),
    );
    save(`${DATA.name}-${spec.id}.csv`, `${[head.join(","), ...lines].join("\n")}\n`, "text/csv");
  };

  const title = make("h3", { id: `title-${spec.id}` }, spec.title);
  const button = make(
    "button",
    { type: "button", onclick: csv, "aria-label": `Save the rows shown of ${spec.title} as CSV` },
    "CSV",
  );
  const same = constant.map((c) => [c.label, cell(c, 0).textContent, c.unit].filter(Boolean).join(" "));
  const always = same.length ? ` In every row: ${same.join(", ")}.` : "";
  const grid = make(
    "table",
    {},
    make("caption", {}, make("div", {}, spec.caption, always, ...terms(used))),
    make("thead", {}, make("tr", {}, ...headings)),
    body,
  );
  const scroll = make(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-labelledby": `title-${spec.id}` },
    grid,
  );
  const empty = make("p", { class: "empty" }, "Nothing here.");
  const parts = size(frame) ? [scroll, pager] : [empty];
  // A page about one's own models, or without figures, shows only what there is.
  if ((own || nothing || spec.optional) && !size(frame)) return () => {};
  ($(`place-${spec.id}`) || $("all-tables")).append(
    make(
      "div",
      { id: `table-${spec.id}` },
      make("div", { class: "table-head" }, title, make("span", { class: "pager" }, status, button)),
      ...parts,
    ),
  );
  update();
  return update;
}

function compared(a, b) {
  if (a === null || b === null) return (a === null) - (b === null);
  return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en");
}

// Wires filters, tables, figures and the theme.
let updates = [];

function filtered() {
  offerPairs();
  recommendWords();
  whyWords();
  for (const update of updates) update();
  const count = shown(JOBS).length;
  $("f-count").textContent = `${count.toLocaleString("en-US")} of ${plural(size(JOBS), "model")}`;
  redraw();
}

function pairChanged() {
  redraw(["widths", "ladder", "distribution", "course"]);
  for (const update of updates) update();
}

// Limits and filters live in the URL's hash, so that a link shows what its sender saw. Other hashes are
// anchors.
const KEPT = ["f-config", "f-definition", "f-size", "f-quantity", "f-memquantity", "f-pair", "f-text"].concat(
  LIMITS.map((limit) => limit.id),
);
const BOXES = { "f-architecture": state.architectures, "f-method": state.methods };
const untouched = new Map();
function remember() {
  const found = KEPT.filter((id) => $(id).value !== untouched.get(id)).map((id) => [id, $(id).value]);
  for (const id of Object.keys(BOXES))
    for (const box of $(id).querySelectorAll("input:not(:checked)")) found.push([`no-${id}`, box.value]);
  history.replaceState(null, "", `#?${new URLSearchParams(found)}`);
}
function recall() {
  offerPairs();
  for (const id of KEPT) untouched.set(id, $(id).value);
  if (!location.hash.startsWith("#?")) return;
  const given = new URLSearchParams(location.hash.slice(2));
  for (const [id, chosen] of Object.entries(BOXES))
    for (const box of $(id).querySelectorAll("input"))
      if (given.getAll(`no-${id}`).includes(box.value)) {
        box.checked = false;
        chosen.delete(box.value);
      }
  for (const id of KEPT.filter((each) => given.has(each))) {
    if (id === "f-pair") offerPairs(); // of the device and the boxes that were just set
    const before = $(id).value;
    $(id).value = given.get(id);
    if ($(id).tagName === "SELECT" && $(id).selectedIndex < 0) $(id).value = before; // not of this page
    state.config = Number($("f-config").value);
  }
  state.definition = $("f-definition").value;
  state.text = $("f-text").value;
}

function checkboxes(place, values, chosen, label) {
  for (const value of values) chosen.add(value);
  place.replaceChildren(
    ...values.map((value) => {
      const box = make("input", {
        type: "checkbox",
        value,
        checked: true,
        onchange: () => {
          if (box.checked) chosen.add(value);
          else chosen.delete(value);
          filtered();
          remember();
        },
      });
      return make("label", {}, box, label(value));
    }),
  );
}

function filters() {
  $("f-config").replaceChildren(...DATA.configurations.map((c, i) => make("option", { value: i }, c.label)));
  $("f-config").addEventListener("change", (event) => {
    state.config = Number(event.target.value);
    filtered();
  });
  const read = Object.keys(DATA.definitions).filter((key) => JOBS[key]?.some((v) => v !== null));
  $("f-definition").replaceChildren(
    ...read.map((key) => make("option", { value: key }, DATA.definitions[key])),
  );
  $("f-definition").value = state.definition;
  $("f-definition").addEventListener("change", (event) => {
    state.definition = event.target.value;
    filtered();
  });
  checkboxes(
    $("f-architecture"),
    distinct(JOBS.architecture).filter(Boolean).sort(),
    state.architectures,
    (v) => v,
  );
  checkboxes($("f-method"), distinct(JOBS.series).filter(Boolean).sort(), state.methods, (v) => look(v).name);
  $("f-size").addEventListener("change", () => redraw(["latency", "memory", "accuracy", "perMB"]));
  $("f-quantity").addEventListener("change", () => redraw(["pairs"]));
  $("f-memquantity").addEventListener("change", () => redraw(["definitions"]));
  $("f-pair").addEventListener("change", pairChanged);
  $("f-text").addEventListener("input", (event) => {
    state.text = event.target.value;
    for (const update of updates) update();
  });
  $("filters").addEventListener("submit", (event) => event.preventDefault());
}

// Theme: automatic, light, dark. Storage may be refused for a file; then the choice lasts for the visit.
const THEMES = ["automatic", "light", "dark"],
  systemDark = matchMedia("(prefers-color-scheme: dark)");
let wanted = "automatic";
try {
  wanted = localStorage.getItem("orbitbench-theme") || wanted;
} catch {
  /* private */
}
function themed() {
  const dark = wanted === "dark" || (wanted === "automatic" && systemDark.matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  $("theme").textContent = `Theme: ${wanted}`;
}
function nextTheme() {
  wanted = THEMES[(THEMES.indexOf(wanted) + 1) % THEMES.length];
  try {
    localStorage.setItem("orbitbench-theme", wanted);
  } catch {
    /* private */
  }
  themed();
  redraw();
}

// Paper is white, and shows every plot and every row (up to 1,000 a table).
function printed(yes) {
  if (yes) document.documentElement.dataset.theme = "light";
  else themed();
  for (const found of figures.values()) drawn(found);
  for (const update of updates) update(yes);
  document.querySelectorAll("details").forEach((each) => {
    each.open = yes || each.open;
  });
}

themed();
filters();
recommend();
explore();
ratios();
onePair();
recall();
updates = DATA.tables.map(table);
filtered();
for (const found of figures.values()) observer.observe(found.plot);
for (const id of KEPT) $(id).addEventListener("input", remember);
$("theme").addEventListener("click", nextTheme);
systemDark.addEventListener("change", () => {
  themed();
  redraw();
});
addEventListener("beforeprint", () => printed(true));
addEventListener("afterprint", () => printed(false));
let width = innerWidth,
  waiting;
addEventListener("resize", () => {
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    if (innerWidth !== width) {
      width = innerWidth;
      redraw();
    }
  }, 150);
});
drawRest();
document.documentElement.dataset.ready = "yes";

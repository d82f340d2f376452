"""The page in a real browser, opened from its file with the network off, on a phone and on a desk."""

import contextlib
import dataclasses
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from orchestrate import quantities
from orchestrate.analysis import landscape, predicted, recommend, records, table, turns
from orchestrate.report import render
from tests import matrix, synthetic
from tests.conftest import PATIENCE, ROOT, require
from tests.synthetic import Study

pytestmark = pytest.mark.service

SIZES = {"phone": (390, 844), "desk": (1440, 900)}
ANSWER = "#recommend-answer"
AXE = "4.14.1"
ALIKE = "[id^=table-] tbody tr:nth-child(n+9), figure .scroll tbody tr:nth-child(n+25)"  # rows like others
REMOVE = "(these) => document.querySelectorAll(these).forEach((each) => each.remove())"
AXE_RUN = "axe.run({ resultTypes: ['violations'] }).then((result) => result.violations)"
MADE = Study(
    devices=("bench-a", "bench-b"),
    aligns=(1, 8),
    ratio_ofs=("params", "macs"),
    no_accuracy=("resnet50",),
)


class Opened(NamedTuple):
    """A page, what went wrong on it, and what it asked of the network."""

    page: Any
    errors: list[str]
    requests: list[str]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthetic.write(MADE, tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def report(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render([run], tmp_path_factory.mktemp("report"))


@contextlib.contextmanager
def opener_of(browser: Any, report: Path) -> Iterator[Any]:
    """Opens the report (or another file) as new, in one page: a fresh one takes seconds to learn Plotly."""
    context = browser.new_context(offline=True, accept_downloads=True)
    context.set_default_timeout(PATIENCE * 1000)  # ms
    kept: list[Opened] = []

    def fresh() -> None:
        page, errors, requests = made = Opened(context.new_page(), [], [])
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda told: told.type in ("error", "warning") and errors.append(told.text))
        page.on("request", lambda request: requests.append(request.url))
        page.on("crash", lambda _: kept.clear())  # the next test has one of its own
        kept.append(made)

    def opener(size: str = "desk", scheme: str = "light", path: Path = report) -> Opened:
        if not kept:
            fresh()
        [found] = kept
        page, errors, requests = found
        if page.url != "about:blank":
            page.evaluate("localStorage.clear()")
            page.goto("about:blank")
            page.mouse.move(0, 0)  # over nothing of the next page
        errors.clear()
        requests.clear()
        width, height = SIZES[size]
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=scheme)
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-ready=yes]", state="attached")
        return found

    yield opener
    context.close()


@pytest.fixture(scope="module")
def opened(browser: Any, report: Path) -> Iterator[Any]:
    with opener_of(browser, report) as opener:
        yield opener


@pytest.fixture(scope="module")
def shared(browser: Any, report: Path) -> Iterator[Opened]:
    """The report, opened once for the tests that leave its filters alone."""
    with opener_of(browser, report) as opener:
        yield opener()


def draw(page: Any, *names: str) -> None:
    """Draw these plots (all, if none is named) whether or not they are near the screen."""
    page.evaluate(
        "(names) => figures.forEach((f, id) => (names.length && !names.includes(id)) || drawn(f))", names
    )


def points(page: Any, figure: str) -> int:
    return page.locator(f"#draw-{figure} .scatterlayer .points path.point").count()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_opens_from_its_file_without_a_network_an_error_or_text_that_does_not_fit(
    opened: Any, size: str, scheme: str
) -> None:
    page, errors, requests = opened(size, scheme)
    draw(page)
    page.wait_for_timeout(200)
    assert errors == []
    assert [url for url in requests if not url.startswith(("file:", "data:", "blob:"))] == []
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= SIZES[size][0]
    assert page.evaluate(CUT_OFF) == []
    folder = ROOT / "build" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=str(folder / f"report-{size}-{scheme}.png"))
    for part in ("recommend", "explore", "why", "one-pair"):
        page.locator(f"#{part}").screenshot(path=str(folder / f"report-{size}-{scheme}-{part}.png"))


# Text of cards, headings and controls that is wider than its box, and text of drawings beyond their edge.
CUT_OFF = """() => {
  const wide = [...document.querySelectorAll('h1, h2, h3, h4, p, li, label, figcaption, nav, .card, dd')]
    .filter((e) => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== 'inline');
  const beyond = [...document.querySelectorAll('.plot')].flatMap((plot) => {
    const box = plot.getBoundingClientRect();
    return [...plot.querySelectorAll('text')].filter((t) => {
      const b = t.getBoundingClientRect();
      return b.width > 0 && (b.left < box.left - 2 || b.right > box.right + 2);
    });
  });
  return [...wide, ...beyond].map((e) => `${e.tagName} ${e.textContent.slice(0, 60)}`);
}"""


def test_every_plot_shows_as_many_points_as_there_are_records(opened: Any, run: Path) -> None:
    page = opened().page
    draw(page)
    rows = table.tidy(records.read([run]))
    mine = rows.take(rows["device"] == "bench-a")
    assert points(page, "latency") == points(page, "memory") == len(mine) == 128
    assert points(page, "accuracy") == points(page, "recommend") == np.isfinite(mine["accuracy"]).sum() == 96
    assert points(page, "pairs") == 16 + 1
    assert points(page, "why") == 6 * 2
    assert points(page, "slope") == 128
    page.select_option("#f-pair", "vgg11|cifar10|0.25|params")
    assert points(page, "distribution") == 4 * 9
    assert points(page, "course") == 4 * 3 * 12
    assert page.locator("#draw-ladder .bars .point").count() >= 4 * 6


def test_filters_narrow_every_plot_and_table_at_once(opened: Any) -> None:
    page = opened().page
    page.uncheck("#f-architecture input[value=vgg11]")
    page.uncheck("#f-method input[value='neuralscale ×8']")
    draw(page, "latency")
    assert points(page, "latency") == 72
    assert page.locator("#f-count").inner_text() == "72 of 256 models"
    assert "72 of 256 rows" in page.locator("#table-models .table-head").inner_text()
    assert page.locator("#draw-latency", has_text="vgg11").count() == 0
    page.select_option("#f-config", "1")
    assert "bench-b" in page.locator("#table-models tbody").inner_text()
    assert "bench-a" not in page.locator("#table-models tbody").inner_text()
    page.fill("#f-text", "resnet50 uniform")
    assert "16 of 256 rows" in page.locator("#table-models .table-head").inner_text()


def test_another_memory_definition_redraws_memory_and_what_follows_from_it(opened: Any) -> None:
    page = opened().page
    draw(page, "memory")
    first = "figures.get('memory').traces[0].y[0]"
    before = page.evaluate(first)
    page.select_option("#f-definition", "process_rss_trimmed")
    draw(page, "memory")
    assert page.evaluate(first) == pytest.approx(before + 9, abs=0.5)


def test_a_table_sorts_by_any_column_and_says_so(opened: Any) -> None:
    page = opened().page
    head = page.locator("#table-models th", has_text="Latency p50")
    column = head.evaluate("(th) => th.cellIndex")
    for direction, ordered in (("ascending", sorted), ("descending", lambda v: sorted(v, reverse=True))):
        head.locator("button").click()
        assert head.get_attribute("aria-sort") == direction
        cells = page.locator(f"#table-models tbody td:nth-child({column + 1})").all_inner_texts()
        values = [float(cell.split(" ")[0].replace(",", "")) for cell in cells]
        assert values == ordered(values)


def test_a_click_on_a_point_shows_its_pair_closely(opened: Any) -> None:
    page = opened().page
    draw(page, "latency")
    point = page.locator("#draw-latency .points path.point").first
    point.evaluate("(element) => element.scrollIntoView({ block: 'center' })")
    page.wait_for_timeout(500)
    marked = page.evaluate("figures.get('latency').traces[0].customdata[0]")
    name = page.evaluate(f"JOBS.model[{marked}]")
    hovered = page.locator(".hoverlayer .hovertext", has_text=name)
    for step in range(500):  # plotly drops moves that follow closely, so a neighbour may be marked still
        box = point.bounding_box()  # again: plots that are drawn meanwhile move this one
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        page.mouse.move(x - 3 + 6 * (step % 2), y)
        page.mouse.move(x, y)
        page.wait_for_timeout(200)
        if hovered.count():
            break
    assert hovered.count(), name
    page.mouse.click(x, y)
    page.wait_for_function("state.model !== undefined")
    assert page.evaluate("state.model") == name
    assert page.input_value("#f-pair") == page.evaluate(f"groupOf({marked})")
    assert page.locator("#table-models tr.picked").count() == 1


@pytest.mark.parametrize(
    ("size", "latency", "accuracy"), [("", "", ""), ("70", "40", ""), ("100", "", "66"), ("5", "", "")]
)
def test_the_page_and_orchestrate_recommend_give_the_same_answer(
    shared: Opened, run: Path, size: str, latency: str, accuracy: str
) -> None:
    page = shared.page
    for name, value in (("memory", size), ("latency", latency), ("accuracy", accuracy)):
        page.fill(f"#l-{name}", value)
    rows = table.tidy(records.read([run]))
    limits = recommend.ModelLimits(
        memory=float(size) * 1e6 if size else None,
        latency=float(latency) / 1e3 if latency else None,
        accuracy=float(accuracy) if accuracy else None,
    )
    answers = recommend.recommend(rows.take(rows["device"] == "bench-a"), limits)
    shown = page.locator("#recommend-answer strong").all_inner_texts()
    assert shown == [answer.best.row["model"] for answer in answers if answer.best]
    nexts = [answer.others[0] for answer in answers if answer.best and answer.others]
    limited = bool(size or latency or accuracy)
    assert limited or any(candidate.verdict == recommend.FITS for candidate in nexts)
    for candidate in nexts:
        assert candidate.verdict != recommend.FITS or f": {candidate.lost}" in page.inner_text(ANSWER)
    fitting = sum(
        candidate.verdict == recommend.FITS
        for answer in answers
        for candidate in (*([answer.best] if answer.best else []), *answer.others)
    )
    assert f"{fitting} of 128 models fit" in page.inner_text(ANSWER)


def test_a_latency_of_one_process_is_at_risk_on_the_page(opened: Any) -> None:
    """As `orchestrate recommend` has it: however far from the limit."""
    page = opened().page
    page.evaluate("JOBS.latency_low.fill(null); JOBS.latency_high.fill(null)")
    page.fill("#l-latency", "100000")
    assert "0 of 128 models fit; 128 at risk." in page.inner_text(ANSWER)
    assert " ms (one process or build, no interval)" in page.inner_text(ANSWER)


def test_the_page_rounds_as_everything_else_does(shared: Opened) -> None:
    draw_from = np.random.default_rng(0)
    digits = draw_from.integers(100_000, 999_999, 2000) // 10 ** draw_from.integers(0, 4, 2000)
    scales = 10.0 ** draw_from.integers(-12, 6, 2000)  # four digits that end in 5 are halves
    values = [1e-7, 1.5e-8, 1e-13, 91.25, 0.3125, 999.5, 0.0009995, *map(float, digits * scales)]
    for scale in (1.0, 1e3, 1e-6):
        asked = "([values, scale]) => values.map((value) => number(value * scale))"
        shown = shared.page.evaluate(asked, [values, scale])
        assert shown == [quantities.number(value * scale) for value in values]


def test_a_stand_in_is_marked_wherever_a_model_is_named(opened: Any) -> None:
    page = opened().page
    page.evaluate("JOBS.fit_quality.fill('stand-in'); recommendWords()")
    assert "accuracy (its fit is a stand-in)" in page.locator("#recommend-answer").inner_text()
    draw(page, "latency", "recommend", "widths")
    for figure in ("latency", "recommend"):
        texts = page.evaluate(
            f"document.getElementById('draw-{figure}').data.flatMap((d) => d.hovertext || [])"
        )
        assert all("(its fit is a stand-in)" in text for text in texts if text)
    assert "(its fit is a stand-in)" in page.evaluate("document.getElementById('draw-widths').data[0].name")


@pytest.mark.parametrize("ending", ["svg", "png", "csv"])
def test_every_plot_can_be_saved(shared: Opened, ending: str) -> None:
    page, errors, _ = shared
    draw(page)
    names = page.evaluate("[...figures.keys()]")
    for name in names:
        with page.expect_download() as download:
            page.locator(f"#figure-{name} .tools button", has_text=ending.upper()).click()
        content = Path(download.value.path()).read_bytes()
        assert download.value.suggested_filename.endswith(f"-{name}.{ending}")
        page.wait_for_timeout(120)  # Chromium drops a page's eleventh download within a second
        assert {"svg": b"<svg" in content, "png": content[:4] == b"\x89PNG", "csv": b"\n" in content}[ending]
    assert len(names) == 13
    assert errors == []


def test_every_table_can_be_saved_as_csv_with_all_rows_of_the_filter(opened: Any) -> None:
    page = opened().page
    page.select_option("#f-config", "1")
    page.wait_for_selector("#table-models >> text=/^128 of/")  # tables follow a filter in the next frame
    with page.expect_download() as download:
        page.locator("#table-models .table-head button").click()
    lines = Path(download.value.path()).read_text().splitlines()
    assert len(lines) == 1 + 128
    assert '"Latency p50 (ms)","Latency p50 (ms) low","Latency p50 (ms) high"' in lines[0]


def test_it_works_by_keyboard_alone(opened: Any) -> None:
    page = opened().page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.focus("#theme")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    button = page.locator("#figure-latency .tools button").first
    button.focus()
    page.keyboard.press("Space")
    assert button.get_attribute("aria-expanded") == "true"
    assert page.locator("#rows-latency tbody tr").count() == 128
    page.focus("#f-architecture input[value=vgg11]")
    page.keyboard.press("Space")
    assert page.locator("#f-count").inner_text() == "96 of 256 models"


def test_every_control_has_a_name_and_is_reached_by_tab(opened: Any) -> None:
    page = opened().page
    seen = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        seen.add(
            page.evaluate("document.activeElement.id || document.activeElement.textContent.slice(0, 20)")
        )
    assert {"theme", "f-config", "f-definition", "l-memory", "l-latency", "l-accuracy"} <= seen


@pytest.fixture(scope="module")
def axe() -> str:
    """axe-core's source, fetched once from the npm registry into build/."""
    build = ROOT / "build"
    archive = build / f"axe-core-{AXE}.tgz"
    if not archive.is_file():
        require(shutil.which("npm"), "no npm here to fetch axe-core: apt install npm")
        build.mkdir(exist_ok=True)
        fetched = subprocess.run(
            ["npm", "pack", "--silent", f"axe-core@{AXE}"],
            cwd=build,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        require(fetched.returncode == 0, f"npm could not fetch axe-core: {fetched.stderr.strip()[-200:]}")
    with tarfile.open(archive) as packed:
        member = packed.extractfile("package/axe.min.js")
        assert member is not None
        return member.read().decode()


def test_axe_finds_no_serious_violation_on_a_phone_in_the_dark_nor_on_a_desk_in_the_light(
    opened: Any, axe: str, tmp_path: Path
) -> None:
    few = synthetic.write(dataclasses.replace(MADE, ratios=(0.5, 1.0)), tmp_path)
    path, found = render([few], tmp_path / "report"), []
    for size, scheme in (("phone", "dark"), ("desk", "light")):
        page = opened(size, scheme, path).page
        draw(page)
        page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        page.evaluate(
            "document.querySelectorAll('.tools button:first-child').forEach((each) => each.click())"
        )
        page.evaluate(REMOVE, ALIKE)  # every row costs it time
        page.evaluate(axe)
        violations = page.evaluate(AXE_RUN)
        serious = [v["id"] for v in violations if v["impact"] in ("serious", "critical")]
        nodes = [v["nodes"][0]["html"][:200] for v in violations if v["id"] in serious]
        got = ", ".join(v["id"] for v in violations) or "nothing"
        row = {"case": f"{size}, {scheme}", "expected": "no serious violation", "got": got, "ok": not serious}
        found.append({**row, "nodes": nodes})
    matrix.write("report-accessibility", found)
    assert [row for row in found if not row["ok"]] == []


def test_on_paper_every_plot_is_drawn_and_every_row_is_there(opened: Any, tmp_path: Path) -> None:
    page, errors, _ = opened("desk", "dark")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    assert page.locator("#table-models tbody tr").count() == 128
    assert page.evaluate("[...figures.values()].every((found) => !found.stale)")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.locator("#table-models tbody tr").count() == 50
    paper = page.pdf(format="A4")
    assert paper[:5] == b"%PDF-"
    assert errors == []


def test_without_a_valid_record_the_page_says_why_and_shows_what_was_left_out(
    opened: Any, tmp_path: Path
) -> None:
    bad = synthetic.write(Study(architectures=("vgg11",), ratios=(1.0,)), tmp_path)
    for path in bad.glob("*/records/*.json"):
        path.write_text(path.read_text().replace('"status": "ok"', '"status": "failed"'))
    page, errors, _ = opened(path=render([bad], tmp_path / "report"))
    assert errors == []
    assert "No record counts" in page.locator("#main").inner_text()
    assert page.locator("#table-excluded tbody tr").count() == 2
    assert not page.locator("#recommend").is_visible()


def test_hostile_text_in_a_record_stays_text(opened: Any, tmp_path: Path) -> None:
    run = synthetic.write(Study(architectures=("vgg11",), ratios=(0.5, 1.0)), tmp_path)
    hostile = "</script><script>document.title='owned'</script><img src=x onerror=document.title='owned'>"
    for path in run.glob("*/records/*.json"):
        text = path.read_text().replace("Invented CPU", hostile).replace('"vgg11"', f'"{hostile}"')
        path.write_text(text)
    page, errors, _ = opened(path=render([run], tmp_path / "report"))
    draw(page)
    assert page.title() != "owned"
    assert errors == []


def test_a_table_folds_constant_columns_and_keeps_the_model_in_sight(opened: Any) -> None:
    page = opened("phone").page
    table_of = page.locator("#table-models")
    assert "In every row:" in table_of.locator("caption").inner_text()
    assert "Backend onnxruntime" in table_of.locator("caption").inner_text()
    assert table_of.locator("thead th", has_text="Backend").count() == 0
    assert table_of.locator("thead th").first.inner_text() == "Model"
    table_of.locator(".scroll").evaluate("(box) => { box.scrollLeft = 400; }")
    assert table_of.locator("tbody th").first.evaluate(
        "(th) => th.getBoundingClientRect().left - th.closest('.scroll').getBoundingClientRect().left"
    ) == pytest.approx(0, abs=1)
    assert table_of.locator("caption a[href='#m-runtime-memory']").count() == 1
    assert page.locator("#m-runtime-memory").count() == 1


def test_limits_and_filters_live_in_the_url(opened: Any, report: Path) -> None:
    page = opened().page
    page.fill("#l-latency", "40")
    page.select_option("#f-config", "1")
    page.uncheck("#f-architecture input[value=vgg11]")
    page.select_option("#f-pair", "resnet50|cifar100|0.5|params")
    page.fill("#f-text", "uniform")
    shown = page.locator("#recommend-answer").inner_text()
    link = page.url
    found = opened().page
    found.goto(link)
    found.reload()
    found.wait_for_selector("html[data-ready=yes]", state="attached")
    assert found.locator("#recommend-answer").inner_text() == shown
    assert found.input_value("#f-pair") == "resnet50|cifar100|0.5|params"
    assert found.input_value("#f-text") == "uniform"
    assert not found.is_checked("#f-architecture input[value=vgg11]")
    assert found.input_value("#f-config") == "1"


def test_the_rows_of_a_plot_name_their_models(shared: Opened) -> None:
    page = shared.page
    draw(page, "latency", "recommend", "slope")
    for name in ("latency", "recommend", "slope"):
        with page.expect_download() as download:
            page.locator(f"#figure-{name} .tools button", has_text="CSV").click()
        head, first = Path(download.value.path()).read_text().splitlines()[:2]
        assert head.startswith('"model"')
        assert first.split(",")[0].strip('"') in page.evaluate("JOBS.model")


def test_which_model_comes_first(shared: Opened) -> None:
    assert shared.page.evaluate("document.querySelector('main section').id") == "recommend"


def answered(questions: list[landscape.Question]) -> list[tuple[landscape.Question, landscape.Landscape]]:
    """A layer that is dearer by a half where its channels fill no block."""
    found = []
    for question in questions:
        row = question.rows[0]
        widths = {each["model"]: each["widths"][0] for each in question.rows}
        channels = list(range(8, 2 * max(widths.values())))
        where = {key: row[key] for key in (*predicted.SAME, "architecture", "dataset")}
        made = landscape.Landscape(
            **where, **turns.machine(row["backend"], row["source"].environment), profile="made",
            emulated=None, layer="conv0", share=0.3, block=8,
            channels=channels, seconds=[1e-5 * c * (1.5 if c % 8 else 1) for c in channels],
            networks=[landscape.PlacedNetwork(model=name, channels=at) for name, at in widths.items()],
        )  # fmt: skip
        found.append((question, made))
    return found


@pytest.mark.parametrize("size", SIZES)
def test_predictions_have_errors_by_architecture_and_a_landscape_of_a_layer(
    opened: Any, size: str, tmp_path: Path
) -> None:
    two = Study(profile="made", aligns=(1, 8), architectures=("vgg11", "mobilenetv2"))
    run = synthetic.write(two, tmp_path / "results")
    page, errors, _ = opened(size, path=render([run], tmp_path / "report", ask=answered))
    draw(page, "predicted", "landscape")
    assert errors == []
    assert page.evaluate(CUT_OFF) == []
    key = page.locator("#figure-predicted .key li").all_inner_texts()
    assert key[:2] == ["mobilenetv2", "vgg11"]
    marks = page.locator("#figure-predicted .key li svg").evaluate_all(
        "all => all.map((svg) => svg.innerHTML)"
    )
    assert len(set(marks)) == len(marks) == 6  # architectures by colour, methods by shape
    errors_table = page.locator("#place-predicted-error tbody tr")
    assert errors_table.count() == 2
    assert "Networks 16" in page.locator("#place-predicted-error caption").inner_text()
    drawn_on = "figures.get('landscape').traces.map((t) => t.name)"
    assert len(page.evaluate(drawn_on)) == 2 * (1 + 4)  # curves, and methods on each
    page.locator("#f-architecture input[value=vgg11]").uncheck()
    draw(page, "landscape")
    assert len(page.evaluate(drawn_on)) == 1 + 4
    assert errors_table.count() == 1


def test_networks_of_one_latency_or_memory_are_not_drawn_as_those_of_one_size(
    opened: Any, tmp_path: Path
) -> None:
    study = Study(ratio_ofs=("params", "latency", "memory"), architectures=("vgg11",))
    page = opened(path=render([synthetic.write(study, tmp_path / "results")], tmp_path / "report")).page
    draw(page, "latency")
    key = page.locator("#figure-latency .key li").all_inner_texts()
    assert "dashed: sized by predicted latency or predicted memory, not by parameters" in key
    lines = page.evaluate("figures.get('latency').traces.map((t) => [t.name, t.line.dash])")
    assert sorted(lines) == [
        ["vgg11 cifar10 NeuralScale", "solid"],
        ["vgg11 cifar10 NeuralScale (by predicted latency)", "dash"],
        ["vgg11 cifar10 NeuralScale (by predicted memory)", "dash"],
        ["vgg11 cifar10 uniform", "solid"],
        ["vgg11 cifar10 uniform (by predicted latency)", "dash"],
        ["vgg11 cifar10 uniform (by predicted memory)", "dash"],
    ]


def test_without_a_profile_there_is_no_landscape(opened: Any, tmp_path: Path) -> None:
    run = synthetic.write(Study(profile="made", architectures=("vgg11",)), tmp_path / "results")
    page = opened(path=render([run], tmp_path / "report")).page
    assert page.locator("#figure-predicted").count() == 1
    assert page.locator("#plot-landscape figure").count() == 0

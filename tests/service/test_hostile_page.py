"""A report of hostile records in a real browser: nothing of theirs runs, all of it is shown as text."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrate.analysis import records
from orchestrate.report import render
from tests import synthetic
from tests.conftest import PATIENCE
from tests.matrix import Part
from tests.synthetic import Study

pytestmark = pytest.mark.service

OWN = "window.owned=1"
HOSTILE = {
    "script": f"<script>{OWN}</script>",
    "end of a script": f"</script><script>{OWN}</script>",
    "comment in a script": "<!--<script>",
    "handler": f'"><img src=x onerror="{OWN}">',
    "link": f'<a href="javascript:{OWN}">press</a>',
    "plotly's link": f"<b>bold</b><br><a href='javascript:{OWN}' target='_self'>press</a>",
    "SVG": f"<svg onload={OWN}><foreignObject><iframe srcdoc='<script>parent.owned=1</script>'>",
    "template": "{{script}} ${window.owned=1} `+(window.owned=1)+`",
    "string's end": f"';{OWN};//\\\";{OWN};//",
    "plotly's fields": "%{text} %{customdata.constructor} <extra>x</extra>",
    "bidi": "abc\u202egnp.exe \u2066x\u2069",
    "line separators": "a\u2028b\u2029c",
}
PAGE = """() => ({
  owned: window.owned === undefined ? 'unset' : String(window.owned),
  links: [...document.querySelectorAll('*')].flatMap((e) => [...e.attributes])
    .filter((a) => /^on/i.test(a.name) || (/href|src/i.test(a.name) && /^\\s*javascript:/i.test(a.value)))
    .map((a) => `${a.name}=${a.value}`),
  strange: document.querySelectorAll('iframe, foreignObject, object, embed, img[src=x]').length,
  text: document.documentElement.innerText,
})"""


@pytest.fixture(scope="module")
def part() -> Iterator[Part]:
    made = Part("hostile", "page")
    yield made
    made.write()


def spoil(record: dict[str, Any], text: str) -> None:
    """`text` wherever a record may hold any text."""
    environment = record["environment"]
    environment["cpu"] = {"model": text, "governor": text}
    environment["libraries"] = {"onnxruntime": text, text: text}
    environment.update(kernel=text, image_digest=text, governors=[text], os=text)
    environment.update(versions={"onnxruntime": text}, board={"model": text, "power_mode": text})
    record["job"]["model"]["accuracy"].update(reference=text, statistic=text)
    record["job"]["model"].update(weights=text, fit_quality=text[:100])
    record["validity"]["warnings"].append({"code": text[:100], "message": text})
    record["output_check"].update(message=text, arithmetic=text[:100])


def hostile_run(folder: Path, text: str, device: str) -> Path:
    """Records with the text as values, one that failed with it, and one whose labels it would be."""
    run = synthetic.write(Study(architectures=("vgg11",), ratios=(0.5,), devices=(device,)), folder)
    paths = sorted(run.glob("*/records/*.json"))
    for path in paths:
        record = json.loads(path.read_text())
        spoil(record, text)
        path.write_text(json.dumps(record))
    failed = {"status": "failed", "error": {"kind": text[:100], "message": text, "advice": text}}
    failed["validity"] = {"valid": False, "reasons": [], "warnings": [{"code": "x", "message": text}]}
    (paths[0].parent / "failed.json").write_text(json.dumps({**record, **failed}))
    labels = dict.fromkeys(("id", "architecture", "dataset", "method", "fit"), text)
    record["job"] = {**record["job"], "backend": text, "model": {**record["job"]["model"], **labels}}
    (paths[0].parent / "labels.json").write_text(json.dumps({**record, "device": text}))
    return run.rename(run.parent / text.replace("/", "-")[:100])


@pytest.fixture(scope="module")
def found(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a page of all cases, a device each, holds after it was used."""
    folder = tmp_path_factory.mktemp("hostile")
    runs = [hostile_run(folder / str(n), text, f"bench-{n}") for n, text in enumerate(HOSTILE.values())]
    assert len(records.read(runs).jobs) == 2 * len(HOSTILE)  # a text that is refused shows nothing
    page, errors, asked = browser.new_page(), [], []
    page.set_default_timeout(PATIENCE * 1000)  # ms
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(render(runs, folder / "report").as_uri())
    page.wait_for_selector("html[data-ready=yes]", state="attached")
    use(page)
    made: dict[str, Any] = page.evaluate(PAGE)
    page.close()
    outside = [url for url in asked if not url.startswith(("file:", "data:", "blob:"))]
    return {**made, "errors": errors, "outside": outside}


def use(page: Any) -> None:
    """All that a reader may do: draw every plot, open every part, point at points and labels, press links."""
    page.evaluate("figures.forEach((f) => drawn(f))")
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    page.evaluate("document.querySelectorAll('.tools button:first-child').forEach((each) => each.click())")
    for event in ("mouseover", "mousemove", "click"):
        page.evaluate(
            "(name) => document.querySelectorAll('.plot text, .plot a, .points path, td, [title]').forEach("
            "(e) => e.dispatchEvent(new MouseEvent(name, { bubbles: true })))",
            event,
        )
    page.wait_for_timeout(100)


@pytest.mark.parametrize("case", HOSTILE)
def test_text_of_strangers_is_text_to_a_browser(found: dict[str, Any], part: Part, case: str) -> None:
    shown = "".join(c if c.isprintable() else "?" for c in HOSTILE[case])
    seen = " ".join(found["text"].split()).count(" ".join(shown.split())[:40])
    part.add(f"page: {case}", "shown as text, twice or more", f"{seen} times", seen >= 2)


def test_nothing_of_theirs_runs_or_leads_anywhere(found: dict[str, Any], part: Part) -> None:
    got = {name: found[name] for name in ("owned", "links", "strange", "errors", "outside")}
    wanted = {"owned": "unset", "links": [], "strange": 0, "errors": [], "outside": []}
    part.add("page: scripts, handlers, links, frames, requests", "none", got, got == wanted)


def test_the_check_notices_what_would_run(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(f"<script>{OWN}</script><a href=' javascript:1'>x</a><img src=x onerror=1>")
    page = browser.new_page()
    page.set_default_timeout(PATIENCE * 1000)
    page.goto(path.as_uri())
    found = page.evaluate(PAGE)
    page.close()
    assert (found["owned"], len(found["links"]), found["strange"]) == ("1", 2, 1)

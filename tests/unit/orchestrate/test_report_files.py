"""What a report leaves on disk: the same bytes for the same records, tables that hold what the page holds."""

import csv
import io
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from orchestrate import cli, report
from orchestrate.analysis import records
from orchestrate.analysis.frame import Frame
from orchestrate.report import columns, data, page, table_text, tables, terminal, text
from tests import synthetic
from tests.synthetic import Study

SMALL = Study(architectures=("vgg11", "mobilenetv2"), samples=30, no_accuracy=("mobilenetv2",))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthetic.write(SMALL, tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def made(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return report.render([run], tmp_path_factory.mktemp("report"))


def embedded(made: Path) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', made.read_text(), re.S)
    assert found
    return json.loads(found[1])


def test_the_same_records_give_the_same_bytes(run: Path, made: Path, tmp_path: Path) -> None:
    again = report.render([run], tmp_path / "again")
    first = {
        path.relative_to(made.parent): path.read_bytes() for path in made.parent.rglob("*") if path.is_file()
    }
    second = {
        path.relative_to(again.parent): path.read_bytes()
        for path in again.parent.rglob("*")
        if path.is_file()
    }
    assert first == second
    assert len(first) == 1 + 3 * len([table for table in tables.TABLES if not table.optional])


def test_the_page_is_one_file_that_refers_to_nothing_outside_it(made: Path) -> None:
    markup = re.sub(r"<script>.*?</script>", "", made.read_text(), flags=re.S)
    assert not re.findall(r'(?:src|href)="(?!#|data:)[^"]*"', markup)
    assert "{{" not in markup
    assert made.read_text().count("plotly.js (basic - minified) v") == 1


def test_the_page_says_that_synthetic_records_are_synthetic(made: Path) -> None:
    assert "Synthetic data." in made.read_text()


def test_every_column_of_every_table_is_in_its_data(run: Path) -> None:
    built = data.build(records.read([run]), [])
    for table in tables.TABLES:
        frame = built.frames[table.dataset]
        if len(frame):
            assert [key for column in table.columns for key in column.keys if key not in frame] == []


def test_the_csv_of_the_models_holds_the_figures_of_the_records(run: Path, made: Path) -> None:
    with (made.parent / "tables" / "models.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    frame = data.build(records.read([run]), []).frames["jobs"]
    assert len(rows) == len(frame) == 16
    for row, job in zip(rows, frame.rows(), strict=True):
        assert float(row["Latency p50 (ms)"]) == pytest.approx(job["latency"] * 1e3, rel=1e-8)
        assert float(row["Latency p50 (ms) low"]) == pytest.approx(job["latency_low"] * 1e3, rel=1e-8)
        assert row["Accuracy (%)"] == ("" if math.isnan(job["accuracy"]) else f"{job['accuracy']:.9g}")


def test_the_page_holds_the_same_figures(run: Path, made: Path) -> None:
    frame, jobs = data.build(records.read([run]), []).frames["jobs"], embedded(made)["frames"]["jobs"]
    assert jobs["latency"] == pytest.approx(frame["latency"].tolist(), rel=1e-5)
    assert [jobs["model"]["text"][at] for at in jobs["model"]["at"]] == frame["model"].tolist()
    assert [value is None for value in jobs["accuracy"]] == np.isnan(frame["accuracy"]).tolist()


def test_each_job_is_drawn_with_its_own_widths_though_two_networks_have_one_id(tmp_path: Path) -> None:
    two = Study(architectures=("vgg11",), ratios=(0.5,), devices=("a", "b"))
    run = synthetic.write(two, tmp_path)
    for path in run.glob("b/records/*.json"):
        record = json.loads(path.read_text())
        record["job"]["model"]["widths"][0] += 8
        path.write_text(json.dumps(record))
    frame, shown = (
        data.build(records.read([run]), []).frames["jobs"],
        embedded(report.render([run], tmp_path)),
    )
    assert [shown["widths"][at] for at in shown["widths_of"]] == [list(each) for each in frame["widths"]]


def test_markdown_and_latex_tables_have_a_line_a_model(made: Path) -> None:
    markdown = (made.parent / "tables" / "models.md").read_text()
    latex = (made.parent / "tables" / "models.tex").read_text()
    assert sum(line.startswith("| bench-a") for line in markdown.splitlines()) == 16
    assert sum(line.startswith("bench-a & ") for line in latex.splitlines()) == 16
    assert {line.count(" & ") for line in latex.splitlines() if " & " in line} == {
        len(tables.TABLES[0].columns) - 1
    }
    assert latex.count(r"\begin{longtable}") == latex.count(r"\end{longtable}") == 1


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        (math.nan, "–"),
        (0, "0"),
        (0.99163, "0.992"),
        (0.99996, "1.00"),
        (2.5, "2.50"),
        (12.345, "12.3"),
        (123.4, "123"),
        (1234.5, "1,230"),
        (9.2e6, "9,200,000"),
        (0.000123456, "0.000123"),
        (-4.5678, "-4.57"),
        (1e-15, "0"),
        *[(91.25, "91.3"), (2.125, "2.13"), (0.3125, "0.313"), (-12.25, "-12.3"), (91.35, "91.4")],
        *[(91.2499996, "91.3"), (91.2499, "91.2"), (1e-7, "0.0000001"), (999.5, "1,000")],
    ],
)
def test_numbers_have_three_digits_and_never_an_exponent(value: float | None, shown: str) -> None:
    assert text.number(value) == shown


@pytest.mark.parametrize(
    "numbers", [[0.0, 1 / 3, -2e-9, math.nan, math.inf] * 50, list(np.arange(300) / 7), []]
)
def test_a_number_in_a_csv_has_nine_digits_however_often_it_comes(numbers: list[float]) -> None:
    expected = [float(f"{number:.9g}") if math.isfinite(number) else "" for number in numbers]
    shown = table_text.written(np.array(numbers, dtype=float))
    assert [each and float(each) for each in shown] == expected
    assert all(len(each) <= len("-0.123456789") for each in shown)


def test_text_cannot_break_out_of_a_table_or_run_in_a_spreadsheet() -> None:
    table = columns.Table("t", "T", "C", "d", columns.names(("Name", "name")))
    frame = Frame({"name": ["=1+1", "a|b", "50% & more_", '"quoted"']})
    assert table_text.as_csv(table, frame).splitlines()[1:] == ["'=1+1", "a|b", "50% & more_", '"""quoted"""']
    assert r"a\|b" in table_text.as_markdown(table, frame)
    assert r"50\% \& more\_ \\" in table_text.as_latex(table, frame)


def test_data_cannot_end_the_script_element_that_holds_them() -> None:
    assert "</script" not in page.embedded({"name": "</script><script>alert(1)</script>"})
    assert json.loads(page.embedded({"name": "</script>"})) == {"name": "</script>"}


def test_missing_figures_are_null_in_the_page_and_never_nan(made: Path) -> None:
    assert "NaN" not in json.dumps(embedded(made))


def test_how_it_was_measured_comes_from_the_records(made: Path) -> None:
    markup = made.read_text()
    for fact in ("Invented CPU", "image_digest", "sha256:", "0.0-synthetic", "1.20.0"):
        assert fact in markup


def test_the_terminal_shows_models_ratios_claims_and_what_is_missing(run: Path) -> None:
    console = Console(width=200, record=True, file=io.StringIO())
    terminal.show(report.build([run]), console)
    told = console.export_text()
    assert "Synthetic data" in told
    assert "vgg11-cifar10-neuralscale-p0.25" in told
    assert "more than 2.5 times as long" in told
    assert "missing: 8 accuracies, made by: bench train" in told


def test_what_nothing_can_make_is_missing_without_a_command(tmp_path: Path) -> None:
    """No loader reads imagenet: `bench train` and `bench search` refuse it."""
    folder = synthetic.write(Study(architectures=("vgg11",), ratios=(1.0,), no_accuracy=("vgg11",)), tmp_path)
    for path in folder.glob("*/records/*.json"):
        record = json.loads(path.read_text())
        record["job"]["model"]["dataset"] = "imagenet"
        path.write_text(json.dumps(record))
    made = report.build([folder])
    assert list(terminal.remarks(made))[-1] == "missing: 2 accuracies"
    assert {each.command for each in made.study.missing} == {""}


def test_claims_of_ones_own_are_answered_like_the_thesis(run: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(
        "name: mine\nclaims:\n  - id: slower\n    text: It is slower & larger.\n    processor: cpu\n"
        "    quantity: latency\n    method: neuralscale\n    claimed: 2\n    holds_from: 1.0\n"
    )
    out = tmp_path / "out"
    done = CliRunner().invoke(cli.build(), ["report", str(run), "--out", str(out), "--claims", str(mine)])
    assert done.exit_code == 0
    assert done.stdout.splitlines()[-1] == str(out / "index.html")
    assert "It is slower & larger." in " ".join(done.stdout.split())
    assert "It is slower &amp; larger." in (out / "index.html").read_text()
    assert "holds" in (out / "tables" / "claims.csv").read_text()


def test_an_unknown_run_is_exit_code_2_and_lists_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "20260101-000000-x").mkdir()
    (tmp_path / "20260101-000000-x" / "plan.json").write_text("{}")
    done = CliRunner().invoke(cli.build(), ["report", "nowhere", "--results", str(tmp_path)])
    assert done.exit_code == 2
    assert "20260101-000000-x" in done.stderr


def test_watching_makes_the_page_again_when_a_record_arrives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = synthetic.write(Study(architectures=("vgg11",), samples=20), tmp_path)
    late = sorted(run.glob("*/records/*.json"))[0]
    content = late.read_bytes()
    late.unlink()
    told: list[str] = []

    def say(line: str) -> None:
        told.append(line)
        raise KeyboardInterrupt

    monkeypatch.setattr(report.time, "sleep", lambda pause: late.write_bytes(content))
    with pytest.raises(KeyboardInterrupt):
        report.watch([run], tmp_path / "out", None, say)
    assert told == [f"8 records: {tmp_path / 'out' / 'index.html'}"]

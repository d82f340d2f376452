"""A figure has one home: terminal, page, CSV, JSON, compare and recommend show the same one."""

import csv
import io
import json
import math
import re
from pathlib import Path
from statistics import geometric_mean
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from bench.record import samples
from orchestrate import cli, report
from orchestrate.analysis import memory, table
from orchestrate.execution import summary
from orchestrate.report import terminal
from tests import synthetic
from tests.synthetic import Study

MADE = Study(architectures=("vgg11",), ratios=(0.5,), methods=("uniform",), run="one")
FIGURES = {
    "p50": "latency",
    "p90": "p90",
    "process": memory.PROCESS,
    "model": memory.MODEL,
    "peak": memory.PEAK,
}


@pytest.fixture(scope="module", params=[0, 300_000_000], ids=["CPU", "Jetson"])
def run(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthetic.write(
        Study(**{**MADE.__dict__, "gpu": request.param}), tmp_path_factory.mktemp("results")
    )


@pytest.fixture(scope="module")
def true(run: Path) -> dict[str, float]:
    """The figures by hand, from samples and rungs, as docs/measuring.md defines them."""
    record = json.loads(next(run.glob("*/records/*.json")).read_text())
    series = [sorted(samples.seconds(p["samples"])) for p in record["latency"]["processes"]]
    pooled = sorted(value for each in series for value in each)
    ladders: dict[int, dict[str, Any]] = {}
    for rung in record["memory"]["rungs"]:
        ladders.setdefault(rung["process"], {})[rung["rung"]] = rung
    from scipy.stats import binom  # here: collecting the suite shall not take a second more

    kept_back = max(k for k in range(360) if binom.cdf(k, 360, 0.1) <= 0.01)

    def own(ladder: dict[str, Any], rung: str) -> float:
        shared = ladder["start"]["rss"] - ladder["start"]["uss"]
        return ladder[rung]["rss"] - shared + (ladder[rung]["nvmap"] or 0)

    return {
        "p50": geometric_mean((each[59] + each[60]) / 2 for each in series),
        "p90": pooled[360 - kept_back],
        "process": geometric_mean([own(each, "steady_trimmed") for each in ladders.values()]),
        "model": geometric_mean(
            [own(each, "steady_trimmed") - own(each, "device_initialised") for each in ladders.values()]
        ),
        "peak": geometric_mean(
            [max(r["peak_rss"] + (r["nvmap"] or 0) for r in each.values()) for each in ladders.values()]
        ),
    }


def in_frame(run: Path) -> dict[str, float]:
    (row,) = report.build([run]).frames["jobs"].rows()
    return {name: row[column] for name, column in FIGURES.items()}


def in_page(run: Path, folder: Path) -> dict[str, float]:
    text = report.render([run], folder).read_text()
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    assert found
    jobs = json.loads(found[1])["frames"]["jobs"]
    return {name: jobs[column][0] for name, column in FIGURES.items()}


def in_csv(folder: Path) -> dict[str, float]:
    (row,) = csv.DictReader(io.StringIO((folder / "tables" / "models.csv").read_text()))
    names = {"p50": "Latency p50 (ms)", "p90": "p90 (ms)"}
    names |= {name: f"Memory, {name} (MB)" for name in ("process", "model", "peak")}
    scale = {"p50": 1e-3, "p90": 1e-3}
    return {name: float(row[column]) * scale.get(name, 1e6) for name, column in names.items()}


def command(*words: str) -> Any:
    done = CliRunner().invoke(cli.build(), [*words, "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_page_csv_and_table_hold_what_the_samples_give(
    run: Path, true: dict[str, float], tmp_path: Path
) -> None:
    assert in_frame(run) == pytest.approx(true, rel=1e-12)
    assert in_page(run, tmp_path) == pytest.approx(true, rel=1e-5)  # six digits
    assert in_csv(tmp_path) == pytest.approx(true, rel=1e-8)  # nine digits


def known(figures: dict[str, float | None]) -> dict[str, float | None]:
    """The figures that there are: synthetic records hold neither load nor first inference."""
    return {name: value for name, value in figures.items() if value is not None}


def test_recommend_and_compare_hold_the_same(run: Path, true: dict[str, float]) -> None:
    (answer,) = command("recommend", str(run))
    assert known(answer["best"]["figures"]) == pytest.approx(true, rel=1e-12)
    assert answer["best"]["latency"] == pytest.approx(true["p50"], rel=1e-12)
    assert answer["best"]["memory"] == pytest.approx(true["process"], rel=1e-12)
    made = command("compare", str(run), str(run))
    before, after = (known(made["figures"][0][side]) for side in ("before", "after"))
    assert before == after == pytest.approx(true, rel=1e-12)
    found = {each["figure"]: each for each in made["changes"]}
    names = {"latency": "p50", "memory": "process", "peak": "peak"}
    for figure, name in names.items():
        assert found[figure]["before"] == found[figure]["after"] == pytest.approx(true[name], rel=1e-12)


def told(run: Path) -> list[str]:
    """The lines of a report's and a run's tables."""
    console = Console(width=250, record=True, file=io.StringIO())
    terminal.show(report.build([run]), console)
    console.print(summary.table([json.loads(path.read_text()) for path in run.glob("*/records/*.json")]))
    return console.export_text().splitlines()


def test_the_terminal_shows_the_same_after_a_run_and_in_the_report(run: Path, true: dict[str, float]) -> None:
    from orchestrate.report.text import number

    in_report, after_run = (line for line in told(run) if "vgg11-cifar10-uniform-p0.5" in line)
    in_both = (("p50", 1e3), ("process", 1e-6), ("model", 1e-6))
    for line, figures in ((in_report, (*in_both, ("p90", 1e3), ("peak", 1e-6))), (after_run, in_both)):
        for name, scale in figures:
            value = true[name] * scale
            assert {number(value), f"{value:.4g}", f"{value:.1f}"} & set(line.split()), (name, value, line)


def test_a_figure_is_inside_its_interval_and_compare_divides_what_it_shows(tmp_path: Path) -> None:
    """Four of ten processes took 1.3 times the memory, and loaded slowly."""
    before, after = (Study(**{**MADE.__dict__, "processes": 10, "run": name}) for name in ("a", "b"))
    (made,) = synthetic.records(after)
    for rung in made["memory"]["rungs"]:
        if rung["process"] >= 6 and rung["rung"].startswith("steady"):
            rung |= {key: int(rung[key] * 1.3) for key in ("rss", "pss", "uss", "peak_rss")}
    for process in made["latency"]["processes"]:
        process |= {"load_seconds": 0.3 if process["process"] >= 6 else 0.1, "first_seconds": 0.01}
    runs = [synthetic.write(each, tmp_path) for each in (before, after)]
    next(runs[1].glob("*/records/*.json")).write_text(json.dumps(made))
    (row,) = report.build([runs[1]]).frames["jobs"].rows()
    for name in table.RANGED:
        assert math.isnan(row[name]) or row[f"{name}_low"] <= row[name] <= row[f"{name}_high"], name
    assert row["load"] == pytest.approx(geometric_mean([0.1] * 6 + [0.3] * 4))
    changes = json.loads(CliRunner().invoke(cli.build(), ["compare", *map(str, runs), "--json"]).stdout)
    for change in changes["changes"]:
        assert change["after"] / change["before"] == pytest.approx(change["ratio"]["value"]), change["figure"]


def test_a_batch_is_said_wherever_its_figures_are(tmp_path: Path) -> None:
    run = synthetic.write(Study(**{**MADE.__dict__, "methods": ("uniform", "neuralscale")}), tmp_path)
    paths = list(run.glob("*/records/*.json"))
    for path in paths:
        record = json.loads(path.read_text())
        record["job"]["batch"] = 8
        path.write_text(json.dumps(record))
    for start in ("Measured on", "bench-a, onnxruntime fp32, 1 thread, batch 8, cpu-latency"):
        assert [line for line in told(run) if line.startswith(start) and "batch 8" in line], start
    report.render([run], tmp_path / "page")
    for name in ("models", "pairs"):
        rows = list(csv.DictReader(io.StringIO((tmp_path / "page/tables" / f"{name}.csv").read_text())))
        assert [row["Batch"] for row in rows] == ["8"] * len(rows) != []
    (answer,) = command("recommend", str(run))
    assert answer["best"]["batch"] == 8


def test_fp32_that_an_option_lets_run_in_tf32_is_called_tf32(tmp_path: Path) -> None:
    changes = {"methods": ("uniform", "neuralscale"), "devices": ("xavier",), "backend": "tensorrt"}
    run = synthetic.write(Study(**{**MADE.__dict__, **changes}), tmp_path)
    for path in run.glob("*/records/*.json"):
        record = json.loads(path.read_text())
        record["job"]["options"] = {"tf32": True}
        path.write_text(json.dumps(record))
    assert [line for line in told(run) if "xavier, tensorrt tf32" in line]
    assert not [line for line in told(run) if "tensorrt fp32" in line]
    (answer,) = command("recommend", str(run))
    assert answer["best"]["precision"] == "tf32"

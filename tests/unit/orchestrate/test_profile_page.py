"""Where the time goes, on the page: layers beside each other, shares where profiling distorts."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.record import schema
from orchestrate import report
from orchestrate.analysis import job, profile, records, table
from orchestrate.devices import Device
from orchestrate.execution.own_words import sweep
from orchestrate.report import profile as section
from orchestrate.report import profile_rows
from tests import synthetic

Change = Callable[[dict[str, Any]], None]


def profiled(record: dict[str, Any], total: float, name: str = "conv") -> None:
    """Give the record a profile whose layers sum to `total` s."""
    layers = [
        {
            "name": f"/0/{name}",
            "operator": "Conv",
            "seconds": total * 0.75,
            "calls": 1,
            "macs": 600,
            "bytes": 9,
        },
        {
            "name": "/1/pool",
            "operator": "MaxPool",
            "seconds": total * 0.25,
            "calls": 1,
            "macs": None,
            "bytes": 4,
        },
    ]
    record["profile"] = {"source": "onnxruntime", "runs": 75, "layers": layers, "others": None, "error": None}


def study(tmp_path: Path, change: Change) -> Path:
    """A run of one architecture at one ratio whose records `change` has changed."""
    small = synthetic.Study(run="p", architectures=("vgg11",), ratios=(0.5,), samples=30)
    folder = synthetic.write(small, tmp_path / "results")
    for path in sorted(folder.glob("*/records/*.json")):
        record = json.loads(path.read_text())
        change(record)
        path.write_text(json.dumps(record))
    return folder


def near(record: dict[str, Any]) -> None:
    profiled(record, latency(record) * 1.05)


def latency(record: dict[str, Any]) -> float:
    made = job.build(record)
    return sum(made.p50s) / len(made.p50s)


def test_layers_of_two_methods_stand_beside_each_other(tmp_path: Path) -> None:
    found = records.read([study(tmp_path, near)])
    pairs = profile.pairs(found.jobs)
    assert pairs
    for pair in pairs:
        assert (pair.first.model["method"], pair.second.model["method"]) == ("neuralscale", "uniform")
        assert pair.first.model["ratio"] == pair.second.model["ratio"]
        assert [name for name, _, _ in pair.layers] == ["/0/conv", "/1/pool"]
    html = section.section(found.jobs)
    assert html.count("<figure") == len(pairs)
    assert "distorts" not in html
    assert "stand-in" not in html
    for each in found.jobs:
        each.model["fit_quality"] = "stand-in" if each.model["method"] != "uniform" else None
    assert "NeuralScale (its fit is a stand-in): the layers" in section.section(found.jobs)


def test_layers_that_one_side_lacks_are_shown_as_missing(tmp_path: Path) -> None:
    def change(record: dict[str, Any]) -> None:
        profiled(record, latency(record), str(record["job"]["model"]["method"]))

    found = records.read([study(tmp_path, change)])
    names = [name for name, _, _ in profile.pairs(found.jobs)[0].layers]
    assert names == ["/0/neuralscale", "/1/pool", "/0/uniform"]


def test_where_profiling_distorts_only_shares_are_shown(tmp_path: Path) -> None:
    found = records.read([study(tmp_path, lambda record: profiled(record, latency(record) * 1.2))])
    assert all(each and each.distorts for each in map(profile.of, found.jobs))
    html = section.section(found.jobs)
    assert "profiling distorts, so only shares are shown" in html
    assert "(share)" in html
    rows = profile_rows.frames(found.jobs)["layers"]
    assert np.isnan(rows["seconds"]).all()
    assert rows["share"].tolist()[:2] == pytest.approx([0.75, 0.25])


def test_padding_to_blocks_of_channels_is_told(tmp_path: Path) -> None:
    def change(record: dict[str, Any]) -> None:
        record["job"]["model"]["macs"] = 500
        near(record)

    found = records.read([study(tmp_path, change)])
    assert "1.20 times the model's MACs run".replace("'", "&#x27;") in section.section(found.jobs)


@pytest.mark.parametrize(("architecture", "macs"), [("vgg11", 50), (None, 400)])
def test_padding_and_macs_are_of_the_whole_batch(tmp_path: Path, architecture: str | None, macs: int) -> None:
    """A model of the zoo has one image's MACs, a file of one's own those of its graph."""

    def change(record: dict[str, Any]) -> None:
        record["job"]["batch"] = 8
        record["job"]["model"].update(macs=macs, batch=8, architecture=architecture)
        near(record)

    read = records.read([study(tmp_path, change)])
    found = profile.of(read.jobs[0])
    assert found
    assert found.padding == pytest.approx(600 / 400)
    assert set(table.tidy(read)["macs"]) == {400}


def test_kinds_of_operators_are_summed_and_sorted(tmp_path: Path) -> None:
    found = profile.of(records.read([study(tmp_path, near)]).jobs[0])
    assert found
    kinds = profile.by_operator(found)
    assert [(kind.name, round(kind.share, 2), kind.macs) for kind in kinds] == [
        ("Conv", 0.75, 600), ("MaxPool", 0.25, None),
    ]  # fmt: skip


def test_a_profile_that_failed_is_told_and_nothing_is_drawn(tmp_path: Path) -> None:
    def change(record: dict[str, Any]) -> None:
        error = {"kind": "no_profiler", "message": "backend x has <no> profiler", "advice": "leave it out"}
        record["profile"] = {"source": "", "runs": 0, "layers": [], "error": error}

    found = records.read([study(tmp_path, change)])
    assert not any(map(profile.of, found.jobs))
    html = section.section(found.jobs)
    assert "backend x has &lt;no&gt; profiler" in html
    assert "<figure" not in html


def test_without_profiles_there_is_no_section(tmp_path: Path) -> None:
    folder = study(tmp_path, lambda record: None)
    assert section.section(records.read([folder]).jobs) == ""
    assert 'id="profile"' not in report.render([folder], tmp_path / "out").read_text()


def test_the_page_has_section_and_tables(tmp_path: Path) -> None:
    page = report.render([study(tmp_path, near)], tmp_path / "out").read_text()
    assert page.count('<section id="profile"') == 1
    assert "Every layer's time" in page
    assert (tmp_path / "out/tables/layers.csv").read_text().count("/0/conv") >= 2


HOSTILE = {
    "seconds": -1, "name": "x" * 300, "operator": None, "calls": 0, "macs": -5, "bytes": "many",
}  # fmt: skip


@pytest.mark.parametrize("field", HOSTILE)
def test_a_profile_that_no_runtime_writes_is_refused(tmp_path: Path, field: str) -> None:
    def change(record: dict[str, Any]) -> None:
        near(record)
        record["profile"]["layers"][0][field] = HOSTILE[field]

    folder = study(tmp_path, change)
    path = next(folder.glob("*/records/*.json"))
    assert any(f"profile.layers[0].{field}" in p.path for p in schema.problems(json.loads(path.read_text())))
    assert not records.read([folder]).jobs


def test_more_layers_than_allowed_are_refused() -> None:
    record = json.loads((Path(__file__).parents[2] / "records/v1-ok.json").read_text())
    profiled(record, 1.0)
    assert not schema.problems(record)
    record["profile"]["layers"] *= 600
    assert [p.path for p in schema.problems(record)] == ["profile.layers"]


def test_the_option_asks_for_it_beside_what_the_device_measures() -> None:
    device = Device.model_validate(
        {"transport": "process", "backend": "onnxruntime", "measure": {"processes": 5}}
    )
    changed = sweep(None, None, None, profile=True).devices({"x": device})["x"]
    assert changed.measure == {"processes": 5, "profile": True}
    assert device.measure == {"processes": 5}

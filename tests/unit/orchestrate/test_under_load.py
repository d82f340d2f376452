"""Load shapes on the host: options, plans, figures, tables; one shape is never pooled with another."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from bench.record import samples
from orchestrate import report
from orchestrate.analysis import compare, job, records, under_load
from orchestrate.commands.compare import as_data, line
from orchestrate.errors import BadInput
from orchestrate.execution import own_words, summary
from orchestrate.runs import plan
from tests import synthetic
from tests.unit.orchestrate import sample

MS = 1_000_000  # ns


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One job as a single stream, offline on two streams, and paced at 100/s."""
    small = synthetic.Study(run="loads", architectures=("vgg11",), samples=30)
    folder = synthetic.write(small, tmp_path_factory.mktemp("results"))
    first, *others = sorted(folder.glob("*/records/*.json"))
    for other in others:
        other.unlink()
    record = json.loads(first.read_text())
    put(first, record, {"kind": "offline", "streams": 2}, "orbitbench.offline")
    put(first, record, {"kind": "paced", "rate": 100}, "orbitbench.paced")
    return folder


def put(beside: Path, record: dict[str, Any], load: dict[str, Any], kind: str) -> None:
    """The record under load: 40 inferences of 2 ms a process, the last of a paced one 30 ms late."""
    made = json.loads(json.dumps(record))
    made["kind"] = kind
    made["job"].update(id=f"{made['job']['id']}-{load['kind']}", load=load)
    for process in made["latency"]["processes"]:
        process["samples"] = samples.encode([2 * MS] * 40)
        if load["kind"] == "offline":
            process.update(streams=2, seconds=0.05)
        else:
            process["response"] = samples.encode([3 * MS] * 39 + [30 * MS])
    beside.with_name(f"{made['job']['id']}.json").write_text(json.dumps(made))


def test_each_shape_has_figures_and_a_table_of_its_own(run: Path) -> None:
    study = records.read([run])
    assert (len(study.jobs), len(study.loaded), study.excluded) == (1, 2, ())
    offline, paced = sorted(study.loaded, key=lambda each: each.load)
    assert offline.figures["throughput"] == pytest.approx(40 / 0.05)
    assert paced.figures["response"] == pytest.approx(0.003)
    assert paced.figures["latency"] == pytest.approx(0.002)
    count = len(study.jobs[0].processes)
    assert (paced.figures["misses"], paced.figures["missed"]) == (count, pytest.approx(1 / 40))
    frames = report.build([run]).frames
    assert {name: len(frames[name]) for name in ("jobs", "offline", "paced")} == {
        "jobs": 1,
        "offline": 1,
        "paced": 1,
    }


def test_a_saturated_load_has_no_response_and_says_what_it_can_keep(run: Path) -> None:
    (path,) = run.glob("*/records/*paced.json")
    record = json.loads(path.read_text())
    record["job"]["load"]["rate"] = 600
    found = under_load.build(record)
    figures = under_load.headlines(found)
    assert (figures["response"], figures["p99"]) == (None, None)
    assert figures["latency"] == pytest.approx(0.002)
    assert found.figures["warnings"].endswith("saturated: at most 500/s")
    (note,) = summary.notes([record])
    assert note.endswith("saturated: at most 500/s")
    record["job"]["load"]["rate"] = 400
    assert under_load.headlines(under_load.build(record))["response"] == pytest.approx(0.003)


def test_pooling_is_refused_either_way(run: Path) -> None:
    for path in run.glob("*/records/*.json"):
        record = json.loads(path.read_text())
        single = "load" not in record["job"]
        wrong, right = (under_load, job) if single else (job, under_load)
        with pytest.raises(ValueError, match="single stream"):
            wrong.build(record)
        assert right.build(record)


def test_the_report_writes_the_tables_and_the_page_has_them(run: Path, tmp_path: Path) -> None:
    page = report.render([run], tmp_path).read_text()
    csv = (tmp_path / "tables" / "offline.csv").read_text().splitlines()
    assert "Throughput (images/s)" in csv[0]
    assert ",800," in csv[1]
    assert "Deadlines missed" in (tmp_path / "tables" / "paced.csv").read_text()
    assert '"id":"paced"' in page


def test_a_record_that_contradicts_itself_is_left_out(run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "20260101-000000-bad"
    (folder / "bench-a" / "records").mkdir(parents=True)
    path = next(each for each in run.glob("*/records/*-offline.json"))
    record = json.loads(path.read_text())
    record["latency"]["processes"][0]["seconds"] = 0.001
    (folder / "bench-a" / "records" / path.name).write_text(json.dumps(record))
    (left,) = records.read([folder]).excluded
    assert "is shorter than the inferences that it holds" in left.reason


def test_only_jobs_under_load_make_a_page_that_says_so(run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "20260101-000000-loads"
    (folder / "bench-a" / "records").mkdir(parents=True)
    path = next(each for each in run.glob("*/records/*-paced.json"))
    (folder / "bench-a" / "records" / path.name).write_bytes(path.read_bytes())
    page = report.render([folder], tmp_path / "out").read_text()
    assert "1 record under load" in page
    assert "No record counts" not in page
    assert "1 valid record;" in page


def test_after_a_run_every_shape_has_its_own_table_and_json(run: Path) -> None:
    found = [json.loads(path.read_text()) for path in run.glob("*/records/*.json")]
    assert [str(made.title) for made in summary.tables(found)] == [
        "bench-a, onnxruntime fp32 t1",
        "offline",
        "paced",
    ]
    shown = {each["load"]: each["figures"] for each in map(summary.figures, found)}
    assert shown["offline"]["throughput"] == pytest.approx(800)
    assert shown["paced"]["missed"] == pytest.approx(1 / 40)
    assert "p50" in shown["single-stream"]


def again(run: Path, folder: Path, factor: float) -> Path:
    """The run once more, `factor` times as long under load, each process a little different."""
    for path in run.glob("*/records/*.json"):
        record = json.loads(path.read_text())
        for place, process in enumerate(record["latency"]["processes"]):
            slower = factor * (1 + 0.001 * place)
            for key in {"samples", "response"} & process.keys():
                values = [round(1e9 * slower * value) for value in samples.seconds(process[key])]
                process[key] = samples.encode(values)
            if "seconds" in process:
                process["seconds"] *= slower
        target = folder / path.parent.parent.name / "records" / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(record))
    return folder


@pytest.mark.parametrize(("factor", "verdict"), [(1.5, compare.REGRESSION), (0.6, compare.IMPROVEMENT)])
def test_compare_knows_that_more_throughput_is_better_and_mixes_no_loads(
    run: Path, tmp_path: Path, factor: float, verdict: str
) -> None:
    runs = [again(run, tmp_path / f"20260101-00000{n}-x", slower) for n, slower in enumerate((1, factor))]
    made = compare.compare(*(records.read([each]) for each in runs))
    told = {(c.job.rpartition("-")[2], c.figure): c.verdict for c in made.changes}
    assert told["offline", "throughput"] == verdict
    assert told["paced", "response"] == told["paced", "paced latency"] == verdict
    assert {figure for load, figure in told if load == "offline"} == {"throughput"}
    ratio = next(c for c in made.changes if c.figure == "throughput").ratio
    assert ratio.value == pytest.approx(1 / factor, rel=1e-3)
    data = as_data(made)
    assert json.dumps(data)
    paced = next(each for each in data["figures"] if each["job"].endswith("paced"))  # type: ignore[attr-defined]
    assert set(paced["before"]) >= {"misses", "missed"}
    assert all(line(change) for change in made.changes)


def test_runs_that_disagree_say_of_which_figure(run: Path, tmp_path: Path) -> None:
    old, new = again(run, tmp_path / "20260101-000000-a", 1), again(run, tmp_path / "20260101-000001-b", 2)
    for path in new.glob("*/records/*.json"):
        record = json.loads(path.read_text())
        for process in record["latency"]["processes"]:
            process["started"] = "2027-01-01T00:00:00Z"
        path.write_text(json.dumps({**record, "run": new.name}))
    offline, paced = sorted(
        each
        for each in records.read([old, new]).conflicts
        if each.split(":")[0].endswith(("offline", "paced"))
    )
    assert "the newer run has 0.500 times the throughput" in offline
    assert "the newer run is 2.00 times as long" in paced


def test_a_record_under_load_replaces_none_of_another_setup_and_its_table_names_both(
    run: Path, tmp_path: Path
) -> None:
    folders = [again(run, tmp_path / f"20260101-00000{n}-x", 1) for n in range(2)]
    for path in folders[1].glob("*/records/*.json"):
        record = json.loads(path.read_text())
        record["environment"]["board"] = {"power_mode": "10W"}
        path.write_text(json.dumps({**record, "run": folders[1].name}))
    study = records.read(folders)
    assert (len(study.jobs), len(study.loaded), study.replaced) == (2, 4, ())
    (line,) = study.conflicts
    assert line.endswith("3 with power mode unknown; 3 with power mode 10W")
    report.render(folders, tmp_path / "out")
    for shape in ("offline", "paced"):
        rows = list(csv.DictReader((tmp_path / "out" / "tables" / f"{shape}.csv").open()))
        assert [row["Setup"] for row in rows] == ["power mode 10W", "power mode unknown"]


def test_every_load_is_a_job_with_an_id_of_its_own() -> None:
    swept = own_words.sweep(None, None, None, "single-stream,offline,paced", "1,4", "10/s,2.5")
    jobs = plan.jobs_of([sample.model("a")], sample.device(), swept.load_shapes)
    assert [(each["id"].rpartition("-t1")[2], each.get("load")) for each in jobs] == [
        ("", None),
        ("-offline1", {"kind": "offline", "streams": 1}),
        ("-offline4", {"kind": "offline", "streams": 4}),
        ("-paced10", {"kind": "paced", "rate": 10.0}),
        ("-paced2.5", {"kind": "paced", "rate": 2.5}),
    ]


def test_a_number_of_streams_or_a_rate_says_which_load_is_meant() -> None:
    assert own_words.load_shapes(None, "4", None) == (("offline", 4.0),)
    assert own_words.load_shapes(None, None, "10/s") == (("paced", 10.0),)
    assert own_words.load_shapes("offline", None, None) == (("offline", 1.0),)
    assert own_words.load_shapes(None, None, None) == ()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            ("offlin", None, None),
            "--load offlin (did you mean offline?): known: offline, paced, single-stream",
        ),
        (("paced", None, None), "--load paced needs how often a request comes: --rate 10/s"),
        (("offline", None, "10/s"), "--rate 10/s is for --load paced"),
        (("paced", "2", "10/s"), "--streams 2 is for --load offline"),
        ((None, "0", None), "--streams 0: give whole numbers from 1 to 64"),
        ((None, None, "0/s"), "--rate 0/s: give requests a second from 0.01 to 100000"),
        ((None, None, "nan"), "--rate nan: give requests a second"),
        ((None, None, "10/min"), "--rate 10/min: give requests a second"),
    ],
    ids=str,
)
def test_a_wrong_load_is_named_with_what_is_allowed(
    given: tuple[str | None, str | None, str | None], expected: str
) -> None:
    with pytest.raises(BadInput) as caught:
        own_words.load_shapes(*given)
    assert expected in str(caught.value)


def test_a_gpu_backend_is_refused_several_streams_before_anything_runs() -> None:
    shapes = own_words.Sweep(loads=(("offline", 2.0),)).load_shapes
    with pytest.raises(BadInput, match="backend tensorrt runs one stream"):
        plan.jobs_of([sample.model("a")], sample.device(backend="tensorrt"), shapes)


def test_at_80_columns_figures_are_whole_and_notes_are_lines(run: Path) -> None:
    found = [json.loads(path.read_text()) for path in run.glob("*/records/*.json")]
    found[0]["validity"] = {
        "valid": False,
        "reasons": [{"code": "other_load", "message": ""}],
        "warnings": [],
    }
    console = Console(file=io.StringIO(), width=80)
    for made in summary.tables(found, notes=False):
        console.print(made)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    for heading in ("latency ms", "± %", "first ms", "process MB", "images/s", "response ms", "missed %"):
        assert heading in shown
    assert "…" not in shown
    assert summary.notes(found)[0].endswith("does not count: other_load")

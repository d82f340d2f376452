"""Versions of one's own files in two runs: paired, or lost, only where it is certain which is which."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from orchestrate import cli
from tests import synthetic
from tests.synthetic import Study

MADE = Study(spread=0.0, architectures=("vgg11",), samples=30)
ERROR = {"kind": "oom", "message": "no memory left", "advice": ""}
REASON = {"code": "throttled", "message": "the clock fell"}
OUTCOMES: dict[str, dict[str, Any]] = {
    "ok": {},
    "failed": {
        "status": "failed",
        "validity": {"valid": False, "reasons": [], "warnings": []},
        "error": ERROR,
    },
    "throttled": {"validity": {"valid": False, "reasons": [REASON], "warnings": []}},
}


def run_of(results: Path, run: str, *files: str, device: str = "bench-a") -> str:
    """Return a run of files, each as `NAME-DIGIT` (the digit makes the hash) or `NAME-DIGIT:OUTCOME`.

    A digit is the hash; in `NAME-D*8` an inference takes eight images.
    """
    path = synthetic.write(replace(MADE, run=run, devices=(device,)), results)
    first, *others = sorted(path.glob("*/records/*.json"))
    record = json.loads(first.read_text())
    for each in (first, *others):
        each.unlink()
    for file in files:
        named, _, outcome = file.partition(":")
        named, _, batch = named.partition("*")
        stem, _, digit = named.rpartition("-")
        name = f"onnx-{stem}-{digit * 8}"
        made = json.loads(json.dumps(record)) | OUTCOMES[outcome or "ok"]
        made["job"]["model"].update(id=name, architecture=None, sha256=digit * 64)
        made["job"] |= {"id": f"{name}--onnxruntime-fp32-t1", "batch": int(batch or 1)}
        first.with_name(f"{made['job']['id']}.json").write_text(json.dumps(made))
    return str(path)


def compared(before: str, after: str, *words: str, code: int = 0) -> Any:
    done = CliRunner().invoke(cli.build(), ["compare", before, after, *words, "--json"])
    assert done.exit_code == code, done.output
    return done.output if code == 2 else json.loads(done.output)


def alone(found: Any) -> list[str]:
    return sorted(
        each.split("--")[0].rpartition(", ")[2] + each.rpartition("t1")[2] for each in found["alone"]
    )


@pytest.mark.parametrize("other", ["failed", "throttled"])
def test_a_file_without_a_figure_is_a_file_like_any_other(tmp_path: Path, other: str) -> None:
    """One that failed beside it was not counted: its neighbour was taken for the file of the first run."""
    runs = run_of(tmp_path, "a", "net-a", "fix-1"), run_of(tmp_path, "b", "net-b", f"net-c:{other}", "fix-1")
    found = compared(*runs)
    assert found["paired"] == found["lost"] == []
    listed = [
        "onnx-net-aaaaaaaa: a valid record in the first run only",
        "onnx-net-bbbbbbbb: a valid record in the second run only",
        "onnx-net-cccccccc: failed in the second run only: no memory left",
    ]
    assert alone(found) == (listed if other == "failed" else listed[:2])


def test_two_files_of_the_first_run_are_not_guessed_apart_either(tmp_path: Path) -> None:
    runs = run_of(tmp_path, "a", "net-a", "net-d:failed", "fix-1"), run_of(tmp_path, "b", "net-b", "fix-1")
    found = compared(*runs)
    assert (found["paired"], found["lost"], len(found["alone"])) == ([], [], 2)


@pytest.mark.parametrize("after", [["net-c", "net-d:failed"], ["net-c:failed", "net-d:failed"]])
def test_which_of_two_files_is_lost_is_not_guessed(tmp_path: Path, after: list[str]) -> None:
    runs = run_of(tmp_path, "a", "net-a", "net-b", "fix-1"), run_of(tmp_path, "b", *after, "fix-1")
    found = compared(*runs)
    assert (found["paired"], found["lost"], len(found["alone"])) == ([], [], 4)


def test_the_very_file_that_fails_is_lost_though_another_of_its_name_is_measured(tmp_path: Path) -> None:
    """The other one was compared in its place, and nothing was lost."""
    runs = run_of(tmp_path, "a", "net-a"), run_of(tmp_path, "b", "net-a:failed", "net-b")
    found = compared(*runs, code=1)
    assert found["lost"] == ["bench-a, onnx-net-aaaaaaaa--onnxruntime-fp32-t1: no memory left"]
    assert alone(found) == ["onnx-net-bbbbbbbb: a valid record in the second run only"]


def test_what_failed_in_both_runs_has_not_moved(tmp_path: Path) -> None:
    runs = [run_of(tmp_path, name, "net-a:failed", f"old-{name}:failed", "fix-1") for name in ("a", "b")]
    assert compared(*runs)["alone"] == []


def test_several_files_of_one_name_are_the_reason_where_nothing_is_left(tmp_path: Path) -> None:
    runs = run_of(tmp_path, "a", "net-a", "net-b"), run_of(tmp_path, "b", "net-c", "net-d:failed")
    assert "several files are called 'net', and which is which is not known" in compared(*runs, code=2)


def test_a_name_whose_records_do_not_count_is_known_and_the_reason_is_named(tmp_path: Path) -> None:
    """The name was called unknown."""
    runs = run_of(tmp_path, "a", "net-a"), run_of(tmp_path, "b", "net2-b:throttled", "fix-1")
    said = compared(*runs, "--name", "net=net2", code=2)
    assert "no valid record of onnx-net2-bbbbbbbb--onnxruntime-fp32-t1 on bench-a in b: `orchestrate" in said
    said = compared(runs[1], runs[0], "--name", "net2=net", code=2)
    assert "no valid record of onnx-net2-bbbbbbbb--onnxruntime-fp32-t1 on bench-a in b: `orchestrate" in said
    assert "files: fix, net2" in compared(*runs, "--name", "net=net3", code=2)


def test_a_device_whose_records_do_not_count_is_known_and_the_reason_is_named(tmp_path: Path) -> None:
    runs = run_of(tmp_path, "a", "net-a", device="tx2"), run_of(tmp_path, "b", "fix-1")
    run_of(tmp_path / "other", "b", "net-a:throttled", device="xavier")
    (tmp_path / "other/b/xavier").rename(tmp_path / "b/xavier")
    said = compared(*runs, "--device-map", "tx2=xavier", code=2)
    assert "no valid record of onnx-net-aaaaaaaa--onnxruntime-fp32-t1 on xavier in b: `orchestrate" in said
    assert "known: bench-a, xavier" in compared(*runs, "--device-map", "tx2=xaver", code=2)


def test_a_file_that_takes_another_batch_is_no_changed_file(tmp_path: Path) -> None:
    """Eight images at once were a regression of 7x, after `the file has changed`."""
    runs = run_of(tmp_path, "a", "net-a", "fix-1"), run_of(tmp_path, "b", "net-b*8", "fix-1")
    found = compared(*runs)
    assert (found["paired"], found["lost"], len(found["alone"])) == ([], [], 2)
    runs = run_of(tmp_path, "c", "net-a", "net-b*8"), run_of(tmp_path, "d", "net-c", "net-d*8")
    assert len(compared(*runs)["paired"]) == 2
    said = compared(run_of(tmp_path, "e", "net-a"), run_of(tmp_path, "f", "net-b*8"), code=2)
    assert "of 'net' is not the same in both runs (batch 1, 1x3x32x32 before, batch 8" in said

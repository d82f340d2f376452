"""`bench versus`: two models in turns."""

import json
import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from typer.testing import CliRunner, Result

from bench.cli import build
from bench.commands.versus import ratio_of_turns
from bench.runtime.backends.base import BackendError
from bench.runtime.duel.duel import Player, rounds
from bench.runtime.supervise.record_builder import finish_part
from tests import models
from tests.conftest import PATIENCE

QUICK = ["--rounds", "3", "--seconds", "0.1", "--turn", "2"]


def versus(*words: Any) -> Result:
    return CliRunner().invoke(build(), ["versus", *map(str, words)])


def task(path: Path, timeout: float = PATIENCE) -> dict[str, Any]:
    job = {"model": {}, "backend": "onnxruntime", "precision": "fp32", "threads": 1, "batch": 1}
    return {"job": job, "process": 0, "model": str(path), "measure": {"timeout_seconds": timeout}, "seed": 1}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return models.cnn(tmp_path_factory.mktemp("versus") / "small.onnx", channels=8)


@pytest.fixture(scope="module")
def large(small: Path) -> Path:
    return models.cnn(small.with_name("large.onnx"), channels=64)


def noisy(ratio: float, seed: int, count: int = 4, pairs: int = 50) -> list[list[tuple[float, float]]]:
    """Rounds on a machine whose speed moves by 30 % from pair to pair, a little within a pair."""
    turn = random.Random(seed)
    speed = [[turn.lognormvariate(0, 0.3) for _ in range(pairs)] for _ in range(count)]
    return [
        [(s * turn.lognormvariate(0, 0.02), s * ratio * turn.lognormvariate(0, 0.02)) for s in r]
        for r in speed
    ]


def test_a_change_of_3_percent_is_found_where_the_machine_moves_by_30() -> None:
    found = [ratio_of_turns(noisy(1.03, seed)) for seed in range(200)]
    assert sum(bool(c.differs and c.ratio > 1) for c in found) >= 190


def test_no_difference_is_claimed_in_at_most_5_percent_of_trials_without_one() -> None:
    assert sum(bool(ratio_of_turns(noisy(1.0, seed)).differs) for seed in range(400)) <= 20


def test_the_interval_covers_the_true_ratio_at_its_stated_rate() -> None:
    found = [ratio_of_turns(noisy(1.2, seed)) for seed in range(400)]
    covered = sum(bool(c.low and c.high and c.low <= 1.2 <= c.high) for c in found)
    assert 0.91 <= covered / 400 <= 0.99


@given(st.floats(0.1, 10), st.lists(st.floats(1e-6, 1), min_size=2, max_size=9))
def test_what_moves_both_of_a_pair_alike_moves_nothing(ratio: float, speeds: list[float]) -> None:
    found = ratio_of_turns([[(s, s * ratio) for s in speeds]] * 3)
    assert math.isclose(found.ratio, ratio, rel_tol=1e-9)


def test_a_larger_model_takes_longer_and_the_page_of_figures_says_so_beyond_the_limit_with_exit_code_1(
    small: Path, large: Path
) -> None:
    done = versus(small, large, *QUICK, "--fail-above", "1.05")
    assert done.exit_code == 1, done.stderr
    assert "more than 1.05 times as long" in done.stderr
    assert "differs" in done.stdout
    assert str(large) in done.stdout


def test_within_the_limit_the_exit_code_is_0_and_json_holds_every_pair_of_turns(
    small: Path, large: Path
) -> None:
    done = versus(large, small, *QUICK, "--fail-above", "1.05", "--json")
    assert done.exit_code == 0, done.stderr
    other = json.loads(done.stdout)
    assert other["differs"]
    assert other["high"] < 1
    assert len(other["rounds"]) == 3
    assert all(len(pair) == 2 for pairs in other["rounds"] for pair in pairs)


def test_batches_that_differ_are_said(small: Path, tmp_path: Path) -> None:
    eight = models.mlp(tmp_path / "eight.onnx", batch=8)
    done = versus(small, eight, *QUICK)
    assert done.exit_code == 0, done.output
    assert done.stdout.count(", batch 1\n") == done.stdout.count(", batch 8\n") == 1
    assert "the batches differ" in done.stdout


def test_what_cannot_be_done_is_one_line_and_exit_code_2(small: Path, tmp_path: Path) -> None:
    for words, said in (
        ((small, tmp_path / "no.onnx"), "no such file"),
        ((small, small, "--backend", "x"), "unknown backend 'x', known: null, onnxruntime"),
        ((small, small, "--precision", "int8"), "does not run an fp32 file as int8 (allowed: fp32)"),
        ((small, small, "--option", "graph_levle=all"), "no option 'graph_levle' (allowed: arena, config"),
        ((small, small, "--option", "arena=3"), "option arena is 3, must be true or false"),
        ((small, small, "--option", "arena"), "give NAME=VALUE"),
        ((small, small, "--option", "config={a.b: 1}"), "option config has an unknown entry 'a.b' (known: "),
        (
            (small, small, "--backend", "tensorrt", "--option", "dla_core=0"),
            "option dla_core does not run fp32 (allowed: fp16, int8)",
        ),
    ):
        done = versus(*words)
        assert done.exit_code == 2
        assert said in done.stderr
        assert done.stderr.count("\n") == 1


def test_more_threads_than_a_run_takes_are_refused(small: Path) -> None:
    """100,000 hung for two minutes."""
    done = versus(small, small, "--threads", "257")
    assert (done.exit_code, "--threads" in done.stderr) == (2, True)


def test_a_broken_model_is_named(small: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not a model")
    done = versus(small, broken, *QUICK)
    assert done.exit_code == 2
    assert done.stderr.startswith(f"bench: {broken}: ")


def test_a_model_that_dies_or_hangs_is_named_and_nothing_is_left_behind(small: Path) -> None:
    hang = ["-c", "import time; time.sleep(3600)"]
    with pytest.raises(BackendError, match=r"small\.onnx: gave no answer within 1 s"):
        list(rounds([task(small, timeout=1)] * 2, 2, 0.1, 0.002, 1, [hang, hang]))
    shown = dict(task(small, timeout=1), shown="my.onnx")  # what is measured is a copy in a temporary folder
    with pytest.raises(BackendError, match=r"^my\.onnx: gave no answer within 1 s"):
        list(rounds([shown] * 2, 2, 0.1, 0.002, 1, [hang, hang]))
    dies = ["-c", "raise SystemExit('no more')"]
    with pytest.raises(BackendError, match=r"ended with code 1\. no more"):
        list(rounds([task(small)] * 2, 2, 0.1, 0.002, 1, [None, dies]))


def test_a_model_killed_between_two_turns_is_an_error_not_a_wait(small: Path) -> None:
    with Player(task(small)) as player:
        assert player.turn(1_000_000) > 0
        player._process.kill()
        with pytest.raises(BackendError, match="ended with code -9"):
            player.turn(1_000_000)


@pytest.mark.parametrize(("machine", "cast"), [("x86_64", True), ("aarch64", False)])
def test_an_fp16_file_that_is_computed_in_fp32_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, machine: str, cast: bool
) -> None:
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT16, [1, 8]) for name in ("x", "y")]
    weights = numpy_helper.from_array(np.eye(8, dtype="f2"), "w")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])], "half", value[:1], value[1:], [weights]
    )
    path = tmp_path / "half.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    monkeypatch.setattr("platform.machine", lambda: machine)
    told = f"{path}: the file is fp16, computed in fp32: onnxruntime casts on x86_64"
    done = versus(path, path, *QUICK)
    assert done.exit_code == 0, done.output
    assert done.stderr.splitlines().count(told) == cast


@pytest.mark.parametrize(
    ("precision", "machine", "codes"),
    [("fp16", "x86_64", ["computed_in_fp32"]), ("fp16", "aarch64", []), ("fp32", "x86_64", [])],
)
def test_a_record_of_such_a_file_has_a_warning(precision: str, machine: str, codes: list[str]) -> None:
    part: Any = {"job": {"backend": "onnxruntime", "precision": precision}, "error": None}
    found = finish_part(part, {"machine": machine}, [])
    assert [each["code"] for each in found["validity"]["warnings"]] == codes
    assert found["validity"]["valid"]

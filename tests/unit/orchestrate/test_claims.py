"""Claims get the verdict that the data deserve: at an effect, at none, and where there is too little."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from orchestrate import report
from orchestrate.analysis import claim_file, claims, efficiency, memory, pairs, records, statistics, table
from orchestrate.analysis.claims import FAILS, HOLDS, UNSETTLED, Claim
from orchestrate.errors import BadInput
from orchestrate.report import terminal, text, verdict_cards
from tests import synthetic
from tests.synthetic import Study

CPU_LATENCY = ("cpu", "latency", "ratio")
EQUAL = {comparison.key: comparison for comparison in pairs.COMPARISONS}
THESIS = {claim.id: claim for claim in claim_file.load()}


def answered(tmp_path: Path, made: Study) -> dict[str, claims.Answer]:
    found = claims.answers(table.tidy(records.read([synthetic.write(made, tmp_path)])), THESIS.values())
    return {answer.claim.id: answer for answer in found if answer.main}


def claim(low: float, high: float, quantity: str = "latency") -> Claim:
    return Claim("c", "A claim.", "cpu", quantity, "neuralscale", "uniform", ("params",), 1.0, low, high)


def test_every_statement_of_the_abstract_is_a_claim_inside_its_own_region() -> None:
    assert {(c.processor, c.quantity, c.statistic) for c in THESIS.values()} == {
        *(("gpu", quantity, "ratio") for quantity in ("accuracy", "latency", "memory")),
        *(("gpu", quantity, "ratio") for quantity in ("accuracy_per_mb", "mb_per_mparam")),
        *(("cpu", quantity, "ratio") for quantity in ("accuracy_per_mb", "mb_per_mparam", "latency")),
        *((kind, quantity, "spread") for kind in ("cpu", "gpu") for quantity in ("latency", "memory")),
    }
    readings = [c.claimed for c in THESIS.values() if (c.processor, c.quantity, c.statistic) == CPU_LATENCY]
    assert readings == [2.5, 3.5]
    assert {c.processor for c in THESIS.values()} == {"cpu", "gpu"}
    assert all(c.holds_from <= c.claimed <= c.holds_to for c in THESIS.values())


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(2.6, 2.9, HOLDS), (2.4, 2.9, UNSETTLED), (2.0, 2.49, FAILS), (2.5, 2.6, HOLDS), (0.9, 1.1, FAILS)],
)
def test_a_claim_holds_inside_its_region_fails_outside_and_is_open_across_its_edge(
    low: float, high: float, verdict: str
) -> None:
    estimate = statistics.Estimate((low + high) / 2, low, high, 16)
    assert THESIS["cpu-latency"].verdict(estimate) == verdict


def test_a_mean_without_an_interval_settles_nothing() -> None:
    assert claim(0.5, 2).verdict(statistics.Estimate(1.0, np.nan, np.nan, 2)) == UNSETTLED


def test_at_the_effects_of_the_thesis_the_cpu_claims_hold(tmp_path: Path) -> None:
    found = answered(tmp_path, Study(latency=3.0, memory=1.02, accuracy=1.10))
    assert {key: answer.verdict for key, answer in found.items()} == {
        "cpu-accuracy-per-mb": HOLDS,
        "cpu-memory-per-parameter": HOLDS,
        "cpu-latency": HOLDS,
        "cpu-latency-increase": FAILS,
        "cpu-latency-spread": HOLDS,
        "cpu-memory-spread": FAILS,
    }
    assert len(found["cpu-latency"].pairs) == 16


@pytest.mark.parametrize("processor", ["gpu", "cpu", None])
def test_a_backend_of_another_package_gets_the_claims_of_what_it_declared(
    tmp_path: Path, processor: str | None
) -> None:
    known = {"processor": processor} if processor else {}  # as older records of one not installed here
    found = answered(tmp_path, Study(backend="another", environment=known))
    assert {answer.claim.processor for answer in found.values()} == set(known.values())


def test_at_the_effects_of_the_thesis_the_gpu_claims_hold(tmp_path: Path) -> None:
    found = answered(tmp_path, Study(memory=2.7, accuracy=1.08, backend="tensorrt"))
    assert {key: answer.verdict for key, answer in found.items()} == {
        "gpu-accuracy-per-mb": HOLDS,
        "gpu-memory-per-parameter": HOLDS,
        "gpu-accuracy": HOLDS,
        "gpu-latency": HOLDS,
        "gpu-memory": HOLDS,
        "gpu-latency-spread": HOLDS,
        "gpu-memory-spread": HOLDS,
    }


def test_where_the_methods_do_not_differ_the_claims_of_a_difference_do_not_hold(tmp_path: Path) -> None:
    found = answered(tmp_path, Study(latency=1, memory=1, accuracy=1, untrimmed=1))
    assert found["cpu-latency"].verdict == FAILS
    assert found["cpu-memory-per-parameter"].verdict == HOLDS
    assert found["cpu-accuracy-per-mb"].verdict == UNSETTLED


def test_an_open_verdict_says_what_would_settle_it(tmp_path: Path) -> None:
    found = answered(tmp_path, Study(latency=2.5, spread=0.2))["cpu-latency"]
    assert found.verdict == UNSETTLED
    assert (
        "architectures that scatter like these in place of 4" in found.settle or "at the edge" in found.settle
    )


def test_too_few_pairs_are_said_to_be_too_few_with_the_command_that_makes_more(tmp_path: Path) -> None:
    found = answered(tmp_path, Study(architectures=("vgg11",), ratios=(0.5, 1.0)))["cpu-latency"]
    assert found.verdict == UNSETTLED
    assert "2 pairs" in found.settle
    assert "orchestrate run --device bench-a" in found.settle


def test_missing_accuracies_leave_the_claim_open_with_the_command_that_makes_them(tmp_path: Path) -> None:
    every = ("vgg11", "mobilenetv2", "preact_resnet18", "resnet50")
    found = answered(tmp_path, Study(no_accuracy=every))["cpu-accuracy-per-mb"]
    assert (found.verdict, found.lacking, found.estimate.n) == (UNSETTLED, 16, 0)
    assert "bench train mobilenetv2-cifar100-neuralscale-p0.25" in found.settle


def test_efficiency_without_a_memory_figure_is_open_for_that_reason(tmp_path: Path) -> None:
    run = synthetic.write(Study(), tmp_path)
    for path in run.glob("*/records/*uniform*.json"):
        record = json.loads(path.read_text())
        for rung in record["memory"]["rungs"]:
            rung["uss"] = None
        path.write_text(json.dumps(record))
    found = claims.answers(table.tidy(records.read([run])), [THESIS["cpu-accuracy-per-mb"]])
    assert [(answer.verdict, answer.lacking) for answer in found] == [(UNSETTLED, 16)]
    assert found[0].settle == "no memory reading under the main definition for 16 of 16 pairs"


def test_a_claim_about_gpus_is_not_asked_of_a_cpu(tmp_path: Path) -> None:
    assert not [key for key in answered(tmp_path, Study(architectures=("vgg11",))) if key.startswith("gpu")]


def test_each_way_of_running_is_answered_apart_and_the_fullest_speaks_for_the_device(tmp_path: Path) -> None:
    made = Study(architectures=("vgg11",), precisions=("fp32", "int8"))
    run = synthetic.write(made, tmp_path)
    lost = [path for path in run.glob("*/records/*-int8-*") if "uniform-p0.25" in path.name]
    lost[0].unlink()
    found = claims.answers(table.tidy(records.read([run])), [THESIS["cpu-latency"]])
    assert {(a.configuration["precision"], len(a.pairs), a.main) for a in found} == {
        ("fp32", 4, True),
        ("int8", 3, False),
    }


def test_all_verdicts_of_a_device_are_of_the_configuration_in_their_heading(tmp_path: Path) -> None:
    """Of 4 threads a latency pair is missing, of 1 thread accuracies: each claim had a fullest of its own."""
    run = synthetic.write(Study(threads=(1, 4), precisions=("fp16", "fp32"), samples=20), tmp_path)
    next(run.glob("*/records/*uniform-p0.25*-fp32-t4*")).unlink()
    for path in run.glob("*/records/*-t1.json"):
        record = json.loads(path.read_text())
        record["job"]["model"]["accuracy"] = None
        path.write_text(json.dumps(record))
    built = report.build([run])
    (where,) = {text.configuration(each.configuration) for each in built.answers if each.main}
    assert where == "bench-a, onnxruntime fp32, 1 thread"
    page = verdict_cards.verdicts(built)
    assert page.count("<h3>bench-a") == 1
    assert '<span class="how">onnxruntime fp32, 1 thread</span>' in page
    assert where in [str(cell) for cell in terminal.verdicts(built).columns[1].cells]
    assert f"{where}, cpu-latency: 95% interval over 4" in "\n".join(terminal.remarks(built))


def test_the_ranking_flips_where_memory_definitions_point_opposite_ways(tmp_path: Path) -> None:
    found = answered(tmp_path, Study(memory=1.2, untrimmed=0.6, accuracy=1.0))["cpu-memory-per-parameter"]
    assert found.ranking is not None
    assert found.ranking.verdict == efficiency.FLIPS
    assert memory.PROCESS in found.ranking.up
    assert "process_own_untrimmed" in found.ranking.down
    assert "process trimmed (own, USS, PSS, RSS)" in found.ranking.sentence


def test_the_ranking_is_stable_where_all_definitions_agree(tmp_path: Path) -> None:
    found = answered(tmp_path, Study(memory=1.2, untrimmed=1.0))["cpu-memory-per-parameter"]
    assert found.ranking is not None
    assert found.ranking.verdict == efficiency.STABLE
    assert not found.ranking.unclear


def shuffled(effect: float, studies: int, seed: int) -> Iterator[statistics.Estimate]:
    """Studies of 16 pairs around `effect`; in each pair the two methods' labels are exchanged at random."""
    rng = np.random.default_rng(seed)
    for _ in range(studies):
        logs = np.log(effect) + rng.normal(0, 0.1, 16)
        yield statistics.of_pairs(np.exp(logs * rng.choice((-1, 1), 16)))


@pytest.mark.parametrize("effect", [1.0, 2.6])
def test_shuffled_labels_make_a_difference_hold_no_more_often_than_stated(effect: float) -> None:
    """Exchanged labels leave no effect: a claim of more than 1 may hold in 2.5% of studies (+3 sigma)."""
    studies, more = 2000, claim(1.0, np.inf)
    held = sum(more.verdict(estimate) == HOLDS for estimate in shuffled(effect, studies, 8))
    assert held / studies <= 0.025 + 3 * (0.025 * 0.975 / studies) ** 0.5


@pytest.mark.parametrize("name", ["cpu-latency", "gpu-accuracy-per-mb", "gpu-memory-per-parameter"])
def test_shuffled_labels_never_reproduce_the_sizes_that_the_thesis_found(name: str) -> None:
    of = THESIS[name]
    assert not [each for each in shuffled(of.claimed, 300, 9) if of.verdict(each) == HOLDS]


def test_verdicts_together_are_held_to_a_stricter_level(tmp_path: Path) -> None:
    run = synthetic.write(Study(latency=2.62, spread=0.08, devices=("a", "b", "c")), tmp_path)
    found = claims.answers(table.tidy(records.read([run])), THESIS.values())
    assert any(answer.together for answer in found)
    assert all(answer.verdict != UNSETTLED for answer in found if answer.together)
    told = claims.multiplicity(found)
    assert "18 verdicts" in told
    assert "Bonferroni" in told


def test_a_pairs_ratio_is_the_methods_over_the_baselines(tmp_path: Path) -> None:
    made = Study(architectures=("vgg11",), ratios=(0.5,), latency=3.0, spread=0, process_noise=0)
    rows = table.tidy(records.read([synthetic.write(made, tmp_path)]))
    (pair,) = pairs.of(rows, EQUAL["params"]).rows()
    assert pair["latency_ratio"] == pytest.approx(3.0, rel=0.02)
    assert pair["macs_ratio"] == pytest.approx(1.9, rel=0.01)
    assert pair["params_ratio"] == 1
    size = pair[f"{memory.PROCESS}_ratio"]
    assert pair[f"accuracy_per_mb:{memory.PROCESS}"] == pytest.approx(pair["accuracy_ratio"] / size)
    assert pair[f"mb_per_mparam:{memory.PROCESS}"] == pytest.approx(size)


def test_pairs_never_mix_devices_precisions_threads_or_targets(tmp_path: Path) -> None:
    made = Study(
        architectures=("vgg11",), ratios=(0.5,), ratio_ofs=("params", "macs"), devices=("a", "b"),
        precisions=("fp32", "int8"), threads=(1, 2), samples=20,
    )  # fmt: skip
    rows = table.tidy(records.read([synthetic.write(made, tmp_path)]))
    assert len(pairs.of(rows, EQUAL["params"])) == 8
    assert len(pairs.of(rows, EQUAL["macs"])) == 8
    assert len(pairs.of(rows, EQUAL["aligned"])) == 0


def test_the_floor_and_the_price_of_a_parameter_come_apart(tmp_path: Path) -> None:
    rows = table.tidy(records.read([synthetic.write(Study(process_noise=0, memory=1.0, spread=0), tmp_path)]))
    lines = efficiency.slopes(rows)
    of_process = lines.take(lines["definition"] == memory.PROCESS)
    (line,) = of_process.take(of_process["method"] == "uniform").rows()
    assert line["slope"] == pytest.approx(4 * 1.1, rel=0.01)
    assert line["intercept"] == pytest.approx(46e6, rel=0.01)
    assert line["slope_low"] <= 4.4 <= line["slope_high"]


BAD = """\
schema: 1
name: mine
claims:
  - id: Bad Id
    text: It is faster.
    processor: tpu
    quantity: speed
    method: neuralscale
    claimed: 2
    holds_from: 3
    holds_to: 2
"""


def test_a_claims_file_with_mistakes_tells_them_all_with_line_and_allowed_values(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(BAD)
    with pytest.raises(BadInput) as error:
        claim_file.load(path)
    told = str(error.value)
    assert f"{path}:6:" in told
    assert f"{path}:7:" in told
    assert "gpu, cpu" in told
    assert "accuracy_per_mb" in told
    assert f"{path}:4:" in told


MINE = """\
name: mine
claims:
  - {id: a, text: b, processor: cpu, quantity: latency, method: METHOD, baseline: BASELINE,
     claimed: 1, holds_to: 0.9}
"""


def own_claim(folder: Path, method: str, baseline: str) -> Path:
    """A file of one claim that compares `method` with `baseline`."""
    path = folder / "mine.yaml"
    path.write_text(MINE.replace("METHOD", method).replace("BASELINE", baseline))
    return path


@pytest.mark.parametrize(
    ("method", "baseline", "told"),
    [
        ("neuralscal", "uniform", "did you mean neuralscale"),
        ("neuralscale", "unifrom", "did you mean uniform"),
        ("uniform", "uniform", "uniform is compared with itself: give another baseline"),
        ("aligned", "aligned", "aligned is compared with itself: give another baseline"),
    ],
)
def test_a_claim_of_an_unknown_method_or_of_one_and_itself_is_refused(
    tmp_path: Path, method: str, baseline: str, told: str
) -> None:
    path = own_claim(tmp_path, method, baseline)
    with pytest.raises(BadInput, match=told) as error:
        claim_file.load(path)
    assert f"{path}:3:" in str(error.value)


@pytest.mark.parametrize(
    ("method", "baseline", "sides"),
    [
        ("aligned", "neuralscale", "neuralscale in multiples of 8 and neuralscale"),
        ("aligned", "uniform", "neuralscale in multiples of 8 and uniform in multiples of 8"),
        ("uniform", "aligned", "uniform in multiples of 8 and neuralscale in multiples of 8"),
        ("device", "neuralscale", "device and neuralscale"),
    ],
)
def test_a_claim_about_alignment_compares_what_it_says(
    tmp_path: Path, method: str, baseline: str, sides: str
) -> None:
    path = own_claim(tmp_path, method, baseline)
    (claim,) = claim_file.load(path)
    assert " and ".join(claim.sides) == sides
    made = Study(aligns=(1, 8), rounding=0.8, samples=20)
    (found,) = claims.answers(table.tidy(records.read([synthetic.write(made, tmp_path)])), [claim])
    if method == "aligned" and baseline == "neuralscale":
        assert found.verdict == HOLDS
        assert found.estimate.value == pytest.approx(0.8, rel=0.05)


@pytest.mark.parametrize("region", ["", "    holds_from: 3\n    holds_to: 2\n"])
def test_a_region_that_nothing_could_enter_or_leave_is_refused(tmp_path: Path, region: str) -> None:
    path = tmp_path / "mine.yaml"
    head = (
        BAD[: BAD.index("    claimed")]
        .replace("Bad Id", "mine")
        .replace("tpu", "cpu")
        .replace("speed", "latency")
    )
    path.write_text(f"{head}    claimed: 2\n{region}")
    with pytest.raises(BadInput, match="holds_from"):
        claim_file.load(path)

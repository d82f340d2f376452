"""Predicted networks are ranked by their whole interval, apart from what was measured."""

import math
from types import SimpleNamespace

from orchestrate.analysis import predicted
from orchestrate.analysis.frame import Frame
from orchestrate.analysis.recommend import FAILS, FITS, RISK, ModelLimits


def row(
    model: str, latency: float, device: str = "pi4", emulated: str | None = None, precision: str = "fp32"
) -> dict:
    figures = {"value": latency, "low": latency * 0.9, "high": latency * 1.1}
    memory = {"value": 5e7, "low": 4.8e7, "high": 5.2e7}
    where = {"device": device, "emulated": emulated, "precision": precision}
    return {"model": model, **where, "latency": figures, "memory": memory}


def test_what_fits_comes_first_then_the_more_accurate_then_the_faster() -> None:
    rows = [
        row("slow", 0.03),
        row("edge", 0.0195),
        row("good", 0.01),
        row("fast", 0.005),
        row("good", 0.008, "tx2"),
    ]
    found = predicted.rank(rows, ModelLimits(latency=0.02), {("good", "fp32"): 91.0, ("fast", "fp32"): 90.0})
    assert [(each.row["model"], each.row["device"], each.verdict) for each in found] == [
        ("good", "tx2", FITS),
        ("good", "pi4", FITS),
        ("fast", "pi4", FITS),
        ("edge", "pi4", RISK),
        ("slow", "pi4", FAILS),
    ]


def test_the_worst_limit_decides_and_an_emulated_profile_predicts_nothing() -> None:
    limits = ModelLimits(latency=0.02, memory=4e7)
    assert [each.verdict for each in predicted.rank([row("a", 0.01)], limits, {})] == [FAILS]
    assert predicted.rank([row("a", 0.01, emulated="qemu")], limits, {}) == []


def test_each_network_is_asked_once_and_own_files_never() -> None:
    known = {"architecture": "vgg11", "dataset": "cifar10", "widths": (8, 8)}
    own = {"architecture": "", "dataset": "", "widths": ()}
    table = Frame.of_rows([{"model": "a", **known}, {"model": "a", **known}, {"model": "mine", **own}])
    assert predicted.networks(table) == [{"id": "a", **known, "widths": [8, 8]}]


def test_memory_that_a_profile_does_not_know_fits_no_limit() -> None:
    unknown = {**row("a", 0.01), "memory": dict.fromkeys(("value", "low", "high"))}
    assert [each.verdict for each in predicted.rank([unknown], ModelLimits(latency=0.02), {})] == [FITS]
    assert [each.verdict for each in predicted.rank([unknown], ModelLimits(memory=1e9), {})] == [FAILS]


def test_an_accuracy_measured_in_one_precision_is_none_of_another() -> None:
    """Nor is one that somebody states: the network in int8 is another."""

    def known(precision: str, accuracy: float, stated: float | None = None) -> dict:
        model = {"id": "a", "precision": None, "accuracy": {"value": stated} if stated else None}
        source = SimpleNamespace(model=model, precision=precision)
        return {"model": "a", "precision": precision, "accuracy": accuracy, "source": source}

    limits = ModelLimits(accuracy=90)
    rows = [row("a", 0.01, precision=precision) for precision in ("fp32", "int8", "fp16")]

    def verdicts(*table: dict) -> list[str]:
        accuracies = predicted.accuracies(Frame.of_rows(list(table)))
        ranked = predicted.rank(rows, limits, accuracies)
        found = {each.row["precision"]: each.verdict for each in ranked}
        return [found[precision] for precision in ("fp32", "int8", "fp16")]

    assert verdicts(known("fp32", 92), known("int8", 85)) == [FITS, FAILS, FAILS]
    assert verdicts(known("fp32", 91), known("int8", math.nan)) == [FITS, FAILS, FAILS]
    assert verdicts(known("int8", math.nan, stated=91)) == [FITS, FAILS, FAILS]
    assert verdicts(known("int8", 85, stated=91), known("fp32", 89)) == [FAILS, FAILS, FAILS]
    assert verdicts(known("fp32", 89), known("fp16", 90), known("int8", 85)) == [FAILS, FAILS, FITS]

"""`bench scale` on a device's profile without measuring: latency, memory and counts, and what is refused."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from bench.cli import build
from bench.cost.profile import save_profile
from tests.unit.cost.synthetic_profile import profile

TASK = ("-d", "cifar10")


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    path = tmp_path_factory.mktemp("profile") / "made-up.yaml"
    save_profile(profile(), path)
    return ("--device", str(path))


def bench(*args: str) -> Result:
    return CliRunner().invoke(build(), ["scale", *args])


def answer(*args: str) -> dict[str, Any]:
    result = bench(*args, "--json")
    assert result.exit_code == 0, result.output
    data: dict[str, Any] = json.loads(result.stdout)
    return data


@pytest.mark.parametrize("method", ["uniform", "neuralscale", "aligned", "device"])
def test_a_memory_budget_is_kept_by_the_process_that_is_predicted(
    device: tuple[str, str], method: str
) -> None:
    fit = () if method == "uniform" else ("--fit", "vgg11-cifar10")
    found = answer("vgg11", *TASK, *device, "-m", method, *fit, "--max-memory", "58MB", "--no-measure")
    predicted = found["predicted"]["memory"]
    assert predicted["value"] <= 58e6
    assert predicted["low"] <= predicted["value"] <= predicted["high"]
    assert predicted["value"] >= 40e6 + 0.97 * 18e6  # a process that holds no network takes 40 MB there
    assert found["tightest"] == "memory"
    assert found["rounds"] == []


def test_latency_memory_and_parameters_hold_together(device: tuple[str, str]) -> None:
    limits = ("--max-latency", "2ms", "--max-memory", "58MB", "--max-params", "2M")
    found = answer("vgg11", *TASK, *device, "-m", "device", *limits, "--no-measure")
    assert found["predicted"]["latency"]["value"] <= 2e-3
    assert found["predicted"]["memory"]["value"] <= 58e6
    assert found["params"] <= 2_000_000
    used = {
        "latency": found["predicted"]["latency"]["value"] / 2e-3,
        "memory": found["predicted"]["memory"]["value"] / 58e6,
        "params": found["params"] / 2e6,
    }
    assert found["tightest"] == max(used, key=lambda name: used[name])
    assert max(used.values()) >= 0.97


@pytest.mark.parametrize(
    ("name", "of", "ratio"),
    [("vgg11", "params", "0.22"), ("vgg11", "macs", "0.13"), ("preact_resnet18", "macs", "0.41")],
)
def test_device_meets_counts_as_exactly_as_the_other_methods(
    device: tuple[str, str], name: str, of: str, ratio: str
) -> None:
    words = (name, *TASK, "-r", ratio, "--ratio-of", of)
    found, plain = answer(*words, "-m", "device", *device), answer(*words, "-m", "uniform", *device)
    assert abs(found["error"]) <= 0.005
    assert found[f"target_{of}"] == plain[f"target_{of}"]
    assert found["predicted"]["latency"]["value"] > 0


def test_counts_that_multiples_cannot_meet_are_refused_with_the_nearest(device: tuple[str, str]) -> None:
    words = ("vgg11", *TASK, "-m", "device", "--align", "128", "-r", "0.14", "--ratio-of", "params")
    result = bench(*words, *device)
    assert result.exit_code == 2
    assert "no widths in multiples of 128 come within 0.5%" in result.stderr
    assert "the nearest have" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("method", ["uniform", "device"])
def test_a_ratio_of_latency_is_of_what_the_profile_predicts(device: tuple[str, str], method: str) -> None:
    found = answer("vgg11", *TASK, "-m", method, "-r", "0.45", "--ratio-of", "latency", *device)
    whole = answer("vgg11", *TASK, "-m", "uniform", "-r", "1", "--ratio-of", "params", *device)
    share = found["predicted"]["latency"]["value"] / whole["predicted"]["latency"]["value"]
    assert 0.97 * 0.45 <= share <= 0.45
    assert found["target_latency"] == pytest.approx(0.45 * whole["predicted"]["latency"]["value"])


def test_people_read_the_prediction_with_its_interval(device: tuple[str, str]) -> None:
    text = bench("vgg11", *TASK, *device, "--max-latency", "9ms", "--no-measure").stdout
    assert "vgg11 on cifar10: uniform with at most 9 ms of latency" in text
    assert "ms, predicted" in text
    assert "(95 %, profile made-up)" in text


def one_line(result: Result) -> str:
    assert result.exit_code == 2, result.output
    [line] = result.stderr.strip().splitlines()
    return line


@pytest.mark.parametrize("method", ["uniform", "device"])
@pytest.mark.parametrize(
    ("limit", "words"),
    [
        (("--max-latency", "9us"), ["the least is", "(asked: 0.009 ms)", "with the widths "]),
        (("--max-memory", "39MB"), ["the least is 40", "(asked: 39 MB)", "with the widths 1 1 1 1 1 1 1 1"]),
    ],
)
def test_an_unreachable_budget_names_the_least_and_its_network(
    device: tuple[str, str], method: str, limit: tuple[str, str], words: list[str]
) -> None:
    line = one_line(bench("vgg11", *TASK, *device, "-m", method, *limit, "--no-measure"))
    for word in ("the budget cannot be reached", *words):
        assert word in line


def test_the_least_is_not_always_the_smallest(device: tuple[str, str]) -> None:
    """Eight channels cost less than one where a device works in blocks of eight."""
    line = one_line(bench("vgg11", *TASK, *device, "--max-latency", "9us", "--no-measure"))
    named = line.partition("with the widths ")[2].partition(
        " (extrapolated: beyond the widths that were tuned)"
    )
    assert named[1]
    widths = [int(width) for width in named[0].split()]
    assert max(widths) > 1
    least = float(line.partition("the least is ")[2].partition(" ms")[0])
    found = answer(
        "vgg11", *TASK, *device, "--max-latency", f"{1.01 * least:.5f}ms", "--no-measure", "--extrapolate"
    )
    assert found["params"] > 314  # of the network whose widths are all 1


def test_widths_beyond_the_tuned_range_are_refused_or_marked(device: tuple[str, str]) -> None:
    words = ("vgg11", *TASK, *device, "--max-latency", "200ms", "--no-measure")
    line = one_line(bench(*words))
    assert "outside the tuned range of profile made-up" in line
    assert "--extrapolate" in line
    found = answer(*words, "--extrapolate")
    assert any("tuned are" in reason for reason in found["extrapolated"])
    assert "extrapolated: conv" in bench(*words, "--extrapolate").stdout


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A profile of a device that reports no memory."""
    path, made = tmp_path_factory.mktemp("profile") / "bare.yaml", profile()
    measurements = [each.model_copy(update={"memory": None}) for each in made.measurements]
    save_profile(made.model_copy(update={"name": "bare", "measurements": measurements}), path)
    return ("--device", str(path))


def test_memory_that_a_profile_does_not_know_is_unknown_and_null(bare: tuple[str, str]) -> None:
    words = ("vgg11", *TASK, *bare, "--max-latency", "2ms", "--no-measure")
    text = bench(*words).stdout
    assert "memory  unknown: too few measurements of the profile hold it" in text
    assert "nan" not in text
    assert answer(*words)["predicted"]["memory"] == {"value": None, "low": None, "high": None}


@pytest.mark.parametrize("method", ["uniform", "device"])
def test_multiples_wider_than_every_layer_leave_no_network(device: tuple[str, str], method: str) -> None:
    words = ("vgg11", *TASK, *device, "-m", method, "--align", "1024", "--max-latency", "2ms", "--no-measure")
    assert "the budget cannot be reached; the least is " in one_line(bench(*words))


def test_large_figures_are_written_without_an_exponent(device: tuple[str, str]) -> None:
    line = one_line(
        bench("vgg11", *TASK, *device, "--align", "100000", "--max-memory", "64GB", "--no-measure")
    )
    assert "(asked: 64,000 MB)" in line
    assert "e+" not in line


def test_a_ratio_of_latency_without_a_device_says_what_is_missing() -> None:
    line = one_line(bench("vgg11", *TASK, "-r", "0.5", "--ratio-of", "latency"))
    assert "needs a device's profile; give --device NAME" in line

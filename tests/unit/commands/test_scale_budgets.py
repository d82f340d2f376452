"""`bench scale --max-...` as a user types it: counts exactly, one line where it cannot be."""

import json

import pytest
from typer.testing import CliRunner, Result

from bench.cli import build

ASKED = ("-d", "cifar100")


def bench(*args: str) -> Result:
    return CliRunner().invoke(build(), ["scale", *args])


def answer(*args: str) -> dict[str, object]:
    result = bench(*args, "--json")
    assert result.exit_code == 0, result.output
    data: dict[str, object] = json.loads(result.stdout)
    return data


@pytest.mark.parametrize("method", ["uniform", "neuralscale", "aligned", "device"])
@pytest.mark.parametrize("name", ["vgg11", "mobilenetv2"])
def test_every_budget_is_kept_and_the_tightest_is_used(name: str, method: str) -> None:
    fit = ("--fit", "vgg11-cifar10") if name == "vgg11" and method != "uniform" else ()
    found = answer(name, *ASKED, "-m", method, *fit, "--max-macs", "30M", "--max-params", "1M")
    assert isinstance(found["params"], int)
    assert isinstance(found["macs"], int)
    assert isinstance(found["error"], float)
    assert found["params"] <= 1e6
    assert found["macs"] <= 30e6
    coarse = method == "aligned" and name == "mobilenetv2"  # it has few wide layers
    assert -(0.1 if coarse else 0.01) <= found["error"] <= 0
    assert found["tightest"] == ("params" if found["params"] / 1e6 > found["macs"] / 30e6 else "macs")


def test_multiples_stay_multiples_under_a_budget() -> None:
    widths = answer("vgg11", *ASKED, "--max-macs", "30M", "--align", "16")["widths"]
    assert isinstance(widths, list)
    assert all(width % 16 == 0 for width in widths)


def test_uniform_within_a_budget_is_the_network_that_a_ratio_gives() -> None:
    full = answer("vgg11", *ASKED, "--ratio", "1", "--ratio-of", "params")
    within = answer("vgg11", *ASKED, "--max-params", str(full["params"]))
    assert within["widths"] == full["widths"]
    assert within["error"] == 0


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--max-params", "100"], ["the least is 314 parameters", "asked: 100 parameters", "widths 1 1 1"]),
        (["--max-macs", "30M", "--ratio", "0.5"], ["not both"]),
        ([], ["no target", "--max-latency"]),
        (["--max-params", "5x"], ["--max-params '5x'", "units: k, M, G"]),
        (["--max-latency", "5"], ["--max-latency '5'", "a unit is missing"]),
        (["--max-latency", "5ms"], ["needs a device's profile", "--device"]),
        (["--max-latency", "5ms", "--device", "nowhere"], ["nowhere", "orchestrate tune"]),
        (["--max-params", "1M", "--count", "published"], ["true counts"]),
        (["--max-params", "900G"], ["beyond reason"]),
        (["--max-params", "9" * 400], ["beyond reason"]),
        (["--max-latency", "-1ms"], ["--max-latency '-1ms'", "such as 20ms"]),
        (["--max-memory", "nanMB"], ["--max-memory 'nanMB'", "such as 64MB"]),
        (["--max-params", "1M", "--align", "0"], ["align must be at least 1, not 0"]),
        (["--max-params", "1M", "--align", "-8"], ["align must be at least 1, not -8"]),
        (["--max-params", "1M", "--align", "9" * 30], ["align must be at most 1,000,000"]),
        (["--ratio", "0.5", "--ratio-of", "energy"], ["known: params, width, macs", "also latency, memory"]),
    ],
)
def test_what_cannot_be_is_one_line_with_exit_code_2(args: list[str], words: list[str]) -> None:
    result = bench("vgg11", *ASKED, *args)
    assert result.exit_code == 2, result.output
    assert len(result.stderr.strip().splitlines()) == 1
    for word in words:
        assert word in result.stderr

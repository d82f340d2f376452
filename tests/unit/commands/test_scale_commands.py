"""`bench scale` and `bench fit` as a user types them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bench.cli import build
from bench.scaling import fits
from tests import matrix
from tests.conftest import PATIENCE

DATA = Path(__file__).parent.parent / "scaling" / "data"


def bench(*args: str) -> Result:
    return CliRunner().invoke(build(), list(args))


def test_scale_prints_widths_and_costs() -> None:
    result = bench(
        "scale", "vgg11", "-d", "cifar10", "-m", "neuralscale", "-r", "0.25", "--ratio-of", "params"
    )
    assert result.exit_code == 0
    for word in ("widths  ", "params  ", "MACs  ", "fit vgg11-cifar10", "missed by"):
        assert word in result.stdout


def test_scale_prints_json_for_scripts() -> None:
    result = bench("scale", "vgg11", "-d", "cifar10", "-r", "0.5", "--ratio-of", "width", "--json")
    data = json.loads(result.stdout)
    assert data["widths"] == [32, 64, 128, 128, 256, 256, 256, 256]
    assert (data["params"], data["target_params"], data["error"]) == (2311562, 2311562, 0)
    assert data["macs"] > 0


def test_an_alignment_is_of_every_method_and_aligned_is_written_as_what_it_means() -> None:
    asked = ("scale", "vgg11", "-d", "cifar10", "-r", "0.5", "--ratio-of", "params", "--json")
    found = [
        json.loads(bench(*asked, *more).stdout)
        for more in (["--align", "8"], ["-m", "neuralscale", "--align", "8"], ["-m", "aligned"])
    ]
    assert [(each["method"], each["align"]) for each in found] == [
        ("uniform", 8),
        ("neuralscale", 8),
        ("neuralscale", 8),
    ]
    assert all(width % 8 == 0 for each in found for width in each["widths"])
    assert found[1] == found[2]


def test_the_text_says_alignment_and_quality_of_the_fit() -> None:
    asked = ("scale", "vgg11", "-d", "cifar10", "-r", "0.5", "--ratio-of", "params")
    text = bench(*asked, "-m", "neuralscale", "--align", "8").stdout
    assert "neuralscale at 0.5 of params, in multiples of 8, fit vgg11-cifar10 (published)" in text


def test_a_ratio_of_macs_has_a_target_in_macs() -> None:
    result = bench("scale", "resnet50", "-d", "cifar10", "-r", "0.5", "--ratio-of", "macs", "--json")
    data = json.loads(result.stdout)
    assert data["target_params"] is None
    assert data["macs"] == pytest.approx(data["target_macs"], rel=0.005)


def test_fit_prints_json_and_writes_a_fit_that_scale_takes(tmp_path: Path) -> None:
    out = tmp_path / "mine.yaml"
    record = DATA / "vgg_10_eff_c10_14.csv"
    result = bench(
        "fit", str(record), "vgg11", "-d", "cifar10", "--count", "published", "--out", str(out), "--json"
    )
    assert result.exit_code == 0, result.output
    data = json.loads(result.stdout)
    assert data["rows"] == 237
    published = json.loads((DATA / "published_fits.json").read_text())[0]
    assert data["alpha"] == pytest.approx(published["alpha"], rel=1e-9)
    asked = ("-d", "cifar10", "-m", "neuralscale", "-r", "0.25", "--ratio-of", "params", "--json")
    mine, theirs = (
        json.loads(bench("scale", "vgg11", *asked, *fit).stdout) for fit in (["--fit", str(out)], [])
    )
    assert mine["widths"] == theirs["widths"]
    assert (mine["fit"], theirs["fit"]) == ("mine", "vgg11-cifar10")
    assert (mine["fit_quality"], theirs["fit_quality"]) == ("stand-in", "published")  # how, no record tells


def test_a_fit_so_steep_that_sizes_below_it_round_to_nothing_gives_widths(tmp_path: Path) -> None:
    """Its MACs, products of widths alone, become 0.0 far below the target, which has no logarithm."""
    steep = tmp_path / "steep.yaml"
    fits.save(fits.load_named("vgg11-cifar10").model_copy(update={"beta": [60.0] * 8}), steep)
    asked = ("-d", "cifar10", "-m", "neuralscale", "-r", "0.25", "--ratio-of", "macs", "--json")
    result = bench("scale", "vgg11", *asked, "--fit", str(steep))
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert len(found["widths"]) == 8
    assert found["macs"] == pytest.approx(found["target_macs"], rel=0.005)


SCALE = ("scale", "vgg11", "-d", "cifar10", "--ratio-of", "params")
MISTAKES = {
    "unknown architecture": (
        ("scale", "vgg", *SCALE[2:], "-r", "1"),
        "unknown architecture 'vgg'; known: vgg11",
    ),
    "unknown dataset": ((*SCALE, "-d", "mnist", "-r", "1"), "unknown dataset 'mnist'; known: cifar10"),
    "unknown method": ((*SCALE, "-r", "1", "-m", "x"), "unknown method 'x'; known: uniform"),
    "unknown ratio_of": (
        (*SCALE, "-r", "1", "--ratio-of", "depth"),
        "a ratio of 'depth' is unknown; known: params",
    ),
    "unknown fit": ((*SCALE, "-r", "1", "-m", "neuralscale", "--fit", "x"), "unknown fit 'x'; known: "),
    "missing fit file": ((*SCALE, "-r", "1", "-m", "neuralscale", "--fit", "x.yaml"), "x.yaml: no such file"),
    "wrong fit": (
        (*SCALE, "-r", "1", "-m", "neuralscale", "--fit", "mobilenetv2-cifar100"),
        "is of mobilenetv2, not of vgg11",
    ),
    "zero ratio": ((*SCALE, "-r", "0"), "must be a positive number"),
    "not a ratio": ((*SCALE, "-r", "nan"), "must be a positive number"),
    "unreachably small": ((*SCALE, "-r", "1e-8"), "with all widths at 1 it has 134"),
    "unreachably large": ((*SCALE, "-r", "1e12"), "beyond reason"),
    "no fit": (("scale", "resnet50", *SCALE[2:], "-r", "1", "-m", "neuralscale"), "bench search resnet50"),
    "missing record": (("fit", "no.csv", "vgg11", "-d", "cifar10"), "no.csv: cannot be read"),
    "record of another net": (
        ("fit", str(DATA / "resnet18_10_eff_c100_14.csv"), "vgg11", "-d", "cifar10"),
        "resnet18_10_eff_c100_14.csv:1: 17 columns, but the architecture has 8",
    ),
}


def test_mistakes_end_with_one_line_and_exit_code_2() -> None:
    rows = []
    for case, (args, message) in MISTAKES.items():
        result = bench(*args)
        lines = result.stderr.strip().splitlines()
        ok = result.exit_code == 2 and len(lines) == 1 and message in lines[0] and not result.stdout
        rows.append({"case": case, "expected": message, "got": result.output.strip(), "ok": ok})
    matrix.write("scale-input", rows)
    assert [row for row in rows if not row["ok"]] == []


def test_help_and_scale_need_neither_torch_nor_numpy() -> None:
    code = (
        "import sys; sys.modules['torch'] = sys.modules['numpy'] = None\n"
        "sys.argv[1:] = ['scale', 'vgg11', '-d', 'cifar10', '-r', '1', '--ratio-of', 'width']\n"
        "from bench.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr

"""Outputs against references by precision: real FP16 arithmetic passes, a wrong network does not."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper

from bench.runtime.measure import tolerance
from bench.runtime.measure.output_check import check_outputs
from tests import models

BUNDLE = 1e-4  # the tolerance that a bundle states, for outputs up to 1


def stack(path: Path, width: int, depth: int, seed: int) -> tuple[Path, list[Any]]:
    """A stack of `depth` products with ReLU, whose values keep their size; its weights in float32."""
    random = np.random.default_rng(seed)
    weights = [random.normal(0, (2 / width) ** 0.5, (width, width)).astype("f4") for _ in range(depth)]
    nodes, last = [], "input"
    for i in range(depth):
        nodes.append(helper.make_node("MatMul", [last, f"w{i}"], [f"m{i}"]))
        nodes.append(helper.make_node("Relu", [f"m{i}"], [f"r{i}"]))
        last = f"r{i}"
    values = [helper.make_tensor_value_info(name, 1, [1, width]) for name in ("input", last)]
    tensors = [numpy_helper.from_array(value, f"w{i}") for i, value in enumerate(weights)]
    graph = helper.make_graph(nodes, "stack", values[:1], values[1:], tensors)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(helper.make_model(graph, ir_version=8).SerializeToString())
    return path, weights


def run(weights: list[Any], x: Any, kind: str) -> Any:
    """The stack in `kind`, every product and every sum rounded to it."""
    x = x.astype(kind)
    for weight in weights:
        total = np.zeros((1, weight.shape[1]), kind)
        for k, row in enumerate(weight.astype(kind)):
            total = total + x[:, k : k + 1] * row
        x = np.maximum(total, 0)
    return x


def task(path: Path, folder: Path, expected: Any) -> dict[str, Any]:
    reference = folder / "reference.npz"
    np.savez(reference, **{"output.0": expected})
    allowed = BUNDLE * max(1.0, float(np.abs(expected).max()))
    return {
        "model": str(path),
        "reference": str(reference),
        "job": {"model": {"reference": {"tolerance": allowed}}},
    }


STACKS = [(width, depth) for width in (32, 96, 256) for depth in (1, 3, 10, 24)]


@pytest.mark.parametrize(("width", "depth"), STACKS)
def test_real_half_arithmetic_passes_as_fp16_and_not_as_fp32(tmp_path: Path, width: int, depth: int) -> None:
    path, weights = stack(tmp_path / "stack.onnx", width, depth, seed=width + depth)
    x = np.random.default_rng(0).standard_normal((1, width))
    asked = task(path, tmp_path, run(weights, x, "f8").astype("f4"))
    half = [run(weights, x, "f2").astype("f4")]
    found = check_outputs(half, asked, "fp16")
    assert found["ok"], found
    assert not check_outputs(half, asked, "fp32")["ok"]
    assert found["max_abs_error"] < found["tolerance"] / 2  # room for kernels that sum in another order


@pytest.mark.parametrize(("width", "depth"), STACKS)
def test_another_network_fails_in_every_floating_point(tmp_path: Path, width: int, depth: int) -> None:
    path, weights = stack(tmp_path / "stack.onnx", width, depth, seed=1)
    other = stack(tmp_path / "other.onnx", width, depth, seed=2)[1]
    x = np.random.default_rng(0).standard_normal((1, width))
    asked = task(path, tmp_path, run(weights, x, "f4"))
    for arithmetic in ("fp32", "tf32", "fp16", "bf16"):
        found = check_outputs([run(other, x, "f4")], asked, arithmetic)
        assert not found["ok"], found
        assert "allowed is" in found["message"]


def test_torchs_half_convolutions_pass_as_fp16(tmp_path: Path) -> None:
    path = models.cnn(tmp_path / "cnn.onnx", channels=32, size=16, layers=6)
    weights = [numpy_helper.to_array(t).copy() for t in onnx.load(str(path)).graph.initializer]

    def network(dtype: torch.dtype) -> Any:
        x = torch.from_numpy(np.random.default_rng(3).standard_normal((1, 3, 16, 16))).to(dtype)
        for weight in weights[:-1]:
            x = torch.relu(torch.nn.functional.conv2d(x, torch.from_numpy(weight).to(dtype), padding=1))
        return (x.mean((2, 3)) @ torch.from_numpy(weights[-1]).to(dtype)).float().numpy()

    found = check_outputs([network(torch.half)], task(path, tmp_path, network(torch.float64)), "fp16")
    assert found["ok"], found
    assert found["max_abs_error"] > 1e-6


def test_the_tolerance_grows_with_depth_and_sums_up_to_half_of_the_output(
    tmp_path: Path,
) -> None:
    shares = [tolerance.relative("fp16", str(stack(tmp_path / "s.onnx", *s, 0)[0])) for s in STACKS[:4]]
    assert shares == sorted(shares)  # type: ignore[type-var]
    assert shares[0] == pytest.approx(2 * 2**-11 * 33**0.5)
    assert tolerance.relative("bf16", str(stack(tmp_path / "s.onnx", 8, 5000, 0)[0])) == 0.5
    assert tolerance.relative("fp32", str(tmp_path / "none.onnx")) == 0.0
    assert 0.05 < (tolerance.relative("fp16", str(tmp_path / "none.onnx")) or 0) < 0.2


def test_layers_in_a_models_own_functions_are_no_reason_for_a_tight_tolerance(tmp_path: Path) -> None:
    body = [helper.make_node("MatMul", ["a", "b"], ["o"])]
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("my", 1)]
    function = helper.make_function("my", "Lin", ["a", "b"], ["o"], body, opsets[:1])
    values = [helper.make_tensor_value_info(name, 1, [4, 4]) for name in ("a", "b", "o")]
    node = helper.make_node("Lin", ["a", "b"], ["o"], domain="my")
    graph = helper.make_graph([node], "g", values[:2], values[2:])
    path = tmp_path / "own.onnx"
    onnx.save(helper.make_model(graph, opset_imports=opsets, functions=[function]), str(path))
    unknown = tolerance.relative("fp16", str(tmp_path / "none.onnx"))
    assert tolerance.relative("fp16", str(path)) == unknown


def quantised(x: Any, bits: int) -> Any:
    step = np.abs(x).max() / (2 ** (bits - 1) - 1)
    return np.round(x / step) * step


def int8(tmp_path: Path, output: Any, expected: Any) -> dict[str, Any]:
    return check_outputs([output], task(tmp_path / "none.onnx", tmp_path, expected), "int8")


def test_int8_records_its_error_and_agreement_and_passes(tmp_path: Path) -> None:
    logits = np.random.default_rng(5).standard_normal((8, 10)).astype("f4")
    found = int8(tmp_path, quantised(logits, 6).astype("f4"), logits)
    assert found["ok"]
    assert found["tolerance"] is None
    assert found["top1_agreement"] >= 0.75
    assert found["correlation"] > 0.99
    assert found["max_abs_error"] > 1e-2


@pytest.mark.parametrize("classes", [10, 100, 1000])
def test_int8_nonsense_fails(tmp_path: Path, classes: int) -> None:
    random = np.random.default_rng(classes)
    logits = random.standard_normal((1, classes)).astype("f4")
    assert "constant" in int8(tmp_path, np.full_like(logits, 3), logits)["message"]
    assert "NaN" in int8(tmp_path, np.full_like(logits, np.nan), logits)["message"]
    chance = [int8(tmp_path, random.standard_normal((1, classes)).astype("f4"), logits) for _ in range(200)]
    assert sum(not found["ok"] for found in chance) >= 194
    assert all("no better than chance" in found["message"] for found in chance if not found["ok"])


def test_where_nothing_can_be_judged_int8_passes(tmp_path: Path) -> None:
    assert int8(tmp_path, np.array([[1.0, 5.0]], "f4"), np.array([[5.0, 1.0]], "f4"))["ok"]
    assert int8(tmp_path, np.zeros((1, 9), "f4"), np.zeros((1, 9), "f4"))["ok"]


def test_another_shape_fails_in_every_precision(tmp_path: Path) -> None:
    found = int8(tmp_path, np.zeros((1, 9), "f4"), np.zeros((1, 10), "f4"))
    assert found["message"] == "output shapes are [[1, 9]], the reference has [[1, 10]]"


MASKED = np.array([[1.0, -np.inf, np.nan, 2.0]], "f4")


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        (0, 1.0, ""),
        (0, np.inf, "1 output values are NaN or infinite"),
        (1, np.inf, "1 output values are NaN or infinite"),
        (1, 0.0, "1 output values are finite where the reference is not"),
        (2, 0.0, "1 output values are finite where the reference is not"),
        (3, 2.5, "the output is off by up to 0.5"),
    ],
)
@pytest.mark.parametrize("arithmetic", ["fp32", "int8"])
def test_a_models_own_infinities_are_right_at_their_places_only(
    tmp_path: Path, place: int, value: float, told: str, arithmetic: str
) -> None:
    asked = task(tmp_path / "none.onnx", tmp_path, MASKED)
    asked["job"]["model"]["reference"]["tolerance"] = BUNDLE
    output = MASKED.copy()
    output[0, place] = value
    found = check_outputs([output], asked, arithmetic)
    if place == 3 and arithmetic == "int8":
        assert found["ok"]
    else:
        assert (found["ok"], told in found["message"]) == (not told, True)


@pytest.mark.parametrize(("off", "relative"), [(0.0, 0.0), (1.0, None)])
def test_an_error_relative_to_nothing_is_not_known(
    tmp_path: Path, off: float, relative: float | None
) -> None:
    zeros = np.zeros((1, 4), "f4")
    found = check_outputs([zeros + off], task(tmp_path / "none.onnx", tmp_path, zeros))
    assert (found["ok"], found["max_abs_error"], found["max_rel_error"]) == (not off, off, relative)


def whole(
    tmp_path: Path, output: Any, expected: Any, arithmetic: str = "fp32", tolerance: float = 1e-4
) -> Any:
    asked = task(tmp_path / "none.onnx", tmp_path, expected)
    asked["job"]["model"]["reference"]["tolerance"] = tolerance
    return check_outputs([output], asked, arithmetic)


@pytest.mark.parametrize("kind", ["int8", "uint8", "int32", "int64", "uint64", "bool"])
def test_whole_numbers_agree_exactly_whatever_the_tolerance(tmp_path: Path, kind: str) -> None:
    expected = (np.arange(500) % 2).astype(kind)
    assert whole(tmp_path, expected.copy(), expected)["ok"]
    other = expected.copy()
    other[7] = not other[7]
    found = whole(tmp_path, other, expected, tolerance=1e9)
    assert not found["ok"]
    assert found["message"].startswith("1 of 500 whole numbers of an output differ from the reference")
    assert (found["unequal"], found["max_abs_error"]) == (1 / 500, None)


def test_neighbours_beyond_what_a_double_holds_are_not_equal(tmp_path: Path) -> None:
    expected = np.array([2**53, 2**62], "int64")
    assert not whole(tmp_path, expected + np.array([1, 0]), expected)["ok"]


@pytest.mark.parametrize(("differ", "ok"), [(0, True), (3, True), (4, False)])
def test_of_many_whole_numbers_one_in_a_thousand_may_differ(tmp_path: Path, differ: int, ok: bool) -> None:
    expected = np.random.default_rng(2).integers(0, 20, (1, 64, 64))  # a class of each pixel
    output = expected.copy()
    output.ravel()[:differ] += 1
    found = whole(tmp_path, output, expected)
    assert (found["ok"], found["unequal"]) == (ok, differ / 4096)


@pytest.mark.parametrize("kind", ["uint8", "bool"])
def test_a_mask_with_few_places_set_must_have_them_all(tmp_path: Path, kind: str) -> None:
    mask = np.zeros((1, 100, 100), kind)
    mask[0, 40, 40:50] = 1
    assert whole(tmp_path, mask.copy(), mask)["ok"]
    assert not whole(tmp_path, np.zeros_like(mask), mask)["ok"]
    mask[0, 41, 41] = 1
    other = mask.copy()
    other[0, 41, 41] = 0
    assert not whole(tmp_path, other, mask)["ok"]


@pytest.mark.parametrize("arithmetic", ["fp16", "tf32", "bf16", "int8"])
def test_rounded_arithmetic_may_decide_otherwise_but_not_by_chance(tmp_path: Path, arithmetic: str) -> None:
    random = np.random.default_rng(3)
    expected = random.integers(0, 20, (1, 64, 64))
    output = expected.copy()
    output.ravel()[:900] = random.integers(0, 20, 900)
    found = whole(tmp_path, output, expected, arithmetic)
    assert found["ok"], found
    assert 0.15 < found["unequal"] < 0.25
    shuffled = random.permutation(expected.ravel()).reshape(1, 64, 64)
    assert not whole(tmp_path, shuffled, expected, arithmetic)["ok"]
    assert not whole(tmp_path, np.full_like(expected, 3), expected, arithmetic)["ok"]


@pytest.mark.parametrize("arithmetic", ["fp16", "int8"])
@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ([3], [7]),  # a single class: chance might have given either
        ([5, 5, 5, 5], [5, 5, 5, 6]),  # one near tie of few
        ([1, 2, 3, 4, 5, 6, 7, 999], [1, 2, 3, 4, 5, 6, 7, 8]),  # uncorrelated, and nearly all equal
        (list(range(1, 201)), list(range(200))),  # an image that is off by one everywhere: correlated
    ],
)
def test_what_rounded_arithmetic_may_decide(
    tmp_path: Path, output: list[int], expected: list[int], arithmetic: str
) -> None:
    assert whole(tmp_path, np.array(output), np.array(expected), arithmetic)["ok"]

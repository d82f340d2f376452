"""What the cost model says that onnxruntime makes of a network is what it makes of it."""

from collections import Counter
from pathlib import Path
from random import Random

import onnx
import onnxruntime
import pytest

from bench.cost import design, observed
from bench.cost.graph import Value, trace
from bench.cost.lowering import Kernel, lower
from bench.cost.segments import segments
from bench.export.operators import onnx_bytes
from bench.runtime.backends import create_backend
from bench.runtime.backends.base import Settings
from bench.runtime.measure.model_io import make_inputs
from bench.zoo import ARCHITECTURES, architecture, dataset

FOLLOWERS = {
    "ReorderInput": "to_blocks", "ReorderOutput": "to_plain", "MaxPool": "pool", "GlobalAveragePool": "mean",
    "Gemm": "linear", "Add": "add", "BatchNormalization": "norm", "Relu": "activation", "Clip": "activation",
}  # fmt: skip


def optimised(model: bytes, folder: Path) -> onnx.GraphProto:
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath, options.log_severity_level = str(folder / "optimised.onnx"), 3
    options.intra_op_num_threads = 1
    onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return onnx.load(folder / "optimised.onnx").graph


def kinds(graph: onnx.GraphProto) -> Counter[tuple]:
    shapes = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    found: Counter[tuple] = Counter()
    for node in graph.node:
        layout = "blocked" if "nchwc" in node.domain else "plain"
        if node.op_type not in ("Conv", "FusedConv"):
            if node.op_type != "Flatten":
                found[FOLLOWERS[node.op_type], layout] += 1
            continue
        shape = shapes[node.input[1]]
        groups = next((a.i for a in node.attribute if a.name == "group"), 1)
        kind = "pointwise" if shape[2] == 1 else "conv"
        if shape[1] == 1 and groups > 1:
            kind = "norm" if shape[2] == 1 else "depthwise"
        elif layout == "blocked" and shape[1] < block_of():
            kind = "direct"
        found[kind, layout, shape[0], len(node.input) > 3] += 1
    return found


def said(kernels: list[Kernel]) -> Counter[tuple]:
    convolutions = ("direct", "conv", "pointwise", "depthwise")
    return Counter(
        (k.kind, k.layout, k.c_out, k.sums)
        if k.kind in convolutions or (k.kind, k.layout) == ("norm", "blocked")
        else (k.kind, k.layout)
        for k in kernels
    )


def block_of() -> int:
    """Channels a block on this machine: what a convolution of one output channel is filled up to."""
    return BLOCK


@pytest.fixture(scope="module", autouse=True)
def _block(tmp_path_factory):
    global BLOCK
    network = architecture("vgg11").network([1] * 8, dataset("cifar10"))
    operators, _ = trace(network.layers["conv0"], Value(3, 32))
    graph = optimised(onnx_bytes(operators, Value(3, 32)), tmp_path_factory.mktemp("block"))
    shapes = {tensor.name: tensor.dims[0] for tensor in graph.initializer}
    BLOCK = next(shapes[n.input[1]] for n in graph.node if "Conv" in n.op_type)


BLOCK = 1


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("data", ["cifar10", "tinyimagenet"])
def test_kernels_are_those_of_the_optimised_graph(name, data, tmp_path):
    random, net, task = Random(f"{name}{data}"), architecture(name), dataset(data)
    for unit in (1, 1, 2, 4, 8):
        widths = [max(unit, int(w * random.uniform(0.03, 0.5)) // unit * unit) for w in net.default_widths]
        operators, output = trace(net.network(widths, task), Value(3, task.size))
        graph = optimised(onnx_bytes(operators, Value(3, task.size)), tmp_path)
        assert said(lower(operators, output, BLOCK).kernels) == kinds(graph), widths


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("block", [1, 8, 16])
def test_segments_add_up_to_the_network(name, block):
    random, net, task = Random(name), architecture(name), dataset("tinyimagenet")
    for unit in (1, 2, 4, 8):
        widths = [max(unit, int(w * random.uniform(0.03, 0.5)) // unit * unit) for w in net.default_widths]
        operators, output = trace(net.network(widths, task), Value(3, task.size))
        layout, parts = "plain", []
        for segment in segments(net, task):
            entry = 0 if segment.entry is None else widths[segment.entry]
            lowered = segment.lower(entry, [widths[i] for i in segment.own], block, layout)
            parts, layout = parts + lowered.kernels, lowered.layout
        assert Counter(parts) == Counter(lower(operators, output, block).kernels), widths


def test_every_width_is_decided_in_one_segment():
    for name in ARCHITECTURES:
        net = architecture(name)
        decided = [index for segment in segments(net, dataset("cifar10")) for index in segment.own]
        assert sorted(decided) == list(range(len(net.layers)))


def test_a_file_is_what_torch_would_export(tmp_path):
    from bench.export import network

    net, task = architecture("mobilenetv2"), dataset("cifar10")
    widths = [max(3, w // 5) for w in net.default_widths]
    cost = net.cost(widths, task)
    module = network.build(net, widths, task, 1)
    made = network.export(module, task, 1, int(cost.params), int(cost.macs), {})
    operators, _ = trace(net.network(widths, task), Value(3, 32))
    assert kinds(optimised(onnx_bytes(operators, Value(3, 32)), tmp_path)) == kinds(
        optimised(made.model, tmp_path)
    )


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_profiler_sees_the_kernels_of_parts_and_networks(name, tmp_path):
    """Whatever the widths: onnxruntime's own profiler names the kernels that the cost model expects."""
    for item in [i for i in design.parts(24, 9) if i.architecture == name][:4] + [
        i for i in design.networks(12, 9) if i.architecture == name
    ]:
        kernels = design.kernels(item, BLOCK)
        layers = profiled(item, tmp_path)
        found = observed.match(kernels, layers)
        assert found is not None, item
        assert sum(found) == pytest.approx(sum(row.seconds for row in layers if row.operator != "Flatten"))
        assert observed.match([*kernels, kernels[0]], layers) is None
        assert observed.match(kernels, [row._replace(macs=1) for row in layers]) is None


def profiled(item: design.Item, folder: Path) -> list[observed.ObservedLayer]:
    """What the profiler of one inference tells."""
    operators, _, image = design.operators(item)
    (folder / "model.onnx").write_bytes(onnx_bytes(operators, image))
    settings = Settings("fp32", 1, 1, None, None, {})
    job = {"backend": "onnxruntime", "precision": "fp32", "options": {}, "model": {}}
    backend = create_backend(job, settings)
    backend.import_library()
    backend.expect_profile(str(folder))
    with backend:
        backend.bind(make_inputs(backend.load(str(folder / "model.onnx")), None, 1))
        [events] = backend.profile(1)
    return [observed.ObservedLayer(e.operator, e.macs, e.bytes, e.seconds) for e in events]

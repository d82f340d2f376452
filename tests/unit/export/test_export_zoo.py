"""What a user relies on in an exported model: its size, its answers, its file's age, its bytes."""

import io
import json
import subprocess
import warnings

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from bench.export import ExportError, count, network
from bench.export.make import make, metadata
from bench.export.onnx_limits import MAX_IR, OPSET
from bench.export.plan import Planned
from bench.manifests.experiment import Request
from bench.scaling import scale
from bench.zoo import ARCHITECTURES, architecture, dataset
from tests.py36env import python36

DIGITS = dataset("digits")


def planned(name="mobilenetv2", ratio=0.1, batch=1):
    request = Request(name, "digits", "uniform", ratio, "width", batch=batch)
    return Planned(request, scale(architecture(name), DIGITS, "uniform", ratio, "width"))


@pytest.fixture(scope="module")
def artefacts(tmp_path_factory):
    """Each architecture once, small, from a cache of this module's own."""
    folder = tmp_path_factory.mktemp("cache")
    return {name: make(planned(name), folder) for name in ARCHITECTURES}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_file_is_old_enough_for_every_board(artefacts, name):
    model = onnx.load(artefacts[name].model)
    assert model.ir_version <= MAX_IR == 8
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", OPSET)] == [("", 13)]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_shapes_are_static_and_described(artefacts, name):
    (inputs,) = onnxruntime.InferenceSession(artefacts[name].model).get_inputs()
    assert [{"name": inputs.name, "shape": inputs.shape, "dtype": "float32"}] == artefacts[name].facts[
        "inputs"
    ]


@pytest.mark.parametrize("name", ["vgg11", "mobilenetv2", "resnet50"])
def test_batch_norm_after_a_convolution_is_folded_away(artefacts, name):
    assert "BatchNormalization" not in {node.op_type for node in onnx.load(artefacts[name].model).graph.node}


def test_the_file_says_what_it_is(artefacts):
    model = onnx.load(artefacts["vgg11"].model)
    said = {entry.key: entry.value for entry in model.metadata_props}
    assert said == metadata(planned("vgg11"))
    assert (said["architecture"], said["dataset"], said["method"]) == ("vgg11", "digits", "uniform")
    assert json.loads(said["widths"]) == planned("vgg11").scaled.widths
    assert said["weights"].startswith("random seed ")


def test_the_same_model_gives_the_same_bytes_and_another_model_others(artefacts, tmp_path):
    first, again = artefacts["vgg11"], make(planned("vgg11"), tmp_path)
    assert first.model.read_bytes() == again.model.read_bytes()
    assert first.reference.read_bytes() == again.reference.read_bytes()
    assert make(planned("vgg11", ratio=0.15), tmp_path).sha256 != first.sha256


def test_a_batch_is_part_of_the_model(tmp_path):
    artefact = make(planned("vgg11", batch=3), tmp_path)
    reference = np.load(artefact.reference)
    assert reference["input.0"].shape == (3, 3, 32, 32)
    assert reference["output.0"].shape == (3, 10)
    assert not np.allclose(reference["output.0"][0], reference["output.0"][1])


def small_widths():
    lengths = st.sampled_from([(name, len(architecture(name).layers)) for name in ARCHITECTURES])
    return lengths.flatmap(
        lambda item: st.tuples(
            st.just(item[0]), st.lists(st.integers(1, 6), min_size=item[1], max_size=item[1])
        )
    )


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(small_widths(), st.sampled_from(["digits", "tinyimagenet", "imagenet"]), st.integers(1, 2))
def test_for_any_widths_the_graph_has_the_closed_form_s_size_and_torch_s_outputs(case, data, batch):
    name, widths = case
    task = dataset(data)
    cost = architecture(name).cost(widths, task)
    module = network.build(architecture(name), widths, task, seed=1)
    made = network.export(module, task, batch, cost.params, cost.macs, {})  # checks the size, or raises
    reference = np.load(io.BytesIO(made.reference))
    with torch.inference_mode():
        expected = module(torch.from_numpy(reference["input.0"])).numpy()
    session = onnxruntime.InferenceSession(made.model)
    (output,) = session.run(None, {"input": reference["input.0"]})
    assert np.array_equal(reference["output.0"], expected)
    assert np.abs(output - expected).max() <= made.tolerance <= 1e-3 * max(1, np.abs(expected).max())


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_without_folding_the_graph_s_tensors_are_the_closed_form_s_parameters_one_by_one(name):
    widths = [3 + i % 5 for i in range(len(architecture(name).layers))]
    module = network.build(architecture(name), widths, DIGITS, seed=1)
    buffer, image = io.BytesIO(), torch.zeros(1, 3, 32, 32)
    keep = torch.onnx.TrainingMode.PRESERVE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module, (image,), buffer, dynamo=False, opset_version=13, training=keep)
    graph = onnx.load_model_from_string(buffer.getvalue())
    assert sum(count.layer_parameters(graph).values()) == architecture(name).cost(widths, DIGITS).params


@pytest.mark.parametrize(("params", "macs", "what"), [(1, 0, "parameters"), (0, 1, "MACs")])
def test_a_graph_of_another_size_than_the_closed_form_is_refused(params, macs, what):
    widths = [2] * 8
    cost = architecture("vgg11").cost(widths, DIGITS)
    module = network.build(architecture("vgg11"), widths, DIGITS, seed=0)
    with pytest.raises(ExportError, match=what):
        network.export(module, DIGITS, 1, cost.params + params, cost.macs + macs, {})


def test_outputs_that_differ_from_torch_are_refused():
    class Drifting(nn.Module):
        """Answers a little more at every call, as a network left in training mode would."""

        def __init__(self):
            super().__init__()
            self.head = nn.Linear(3, 2)
            self.calls = 0

        def forward(self, x):
            self.calls += 1
            return self.head(x.mean((2, 3))) + self.calls

    with pytest.raises(ExportError, match="differ by 1"):
        network.export(Drifting(), DIGITS, 1, 8, 6, {})


def test_weights_depend_on_the_seed_alone():
    torch.manual_seed(1)
    first = network.build(architecture("vgg11"), [2] * 8, DIGITS, seed=5).state_dict()
    torch.manual_seed(2)
    again = network.build(architecture("vgg11"), [2] * 8, DIGITS, seed=5).state_dict()
    other = network.build(architecture("vgg11"), [2] * 8, DIGITS, seed=6).state_dict()
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first["classifier.weight"], other["classifier.weight"])


CHECK_ON_36 = """
import sys, numpy, onnxruntime
assert sys.version_info[:2] == (3, 6) and onnxruntime.__version__ == "1.10.0"
for model, reference, tolerance in zip(*[iter(sys.argv[1:])] * 3):
    arrays = numpy.load(reference)
    output, = onnxruntime.InferenceSession(model).run(None, {"input": arrays["input.0"]})
    assert numpy.abs(output - arrays["output.0"]).max() <= float(tolerance)
print("ok")
"""


def test_every_architecture_runs_in_onnxruntime_1_10_on_python_3_6(artefacts):
    files = [(a.model, a.reference, str(a.facts["tolerance"])) for a in artefacts.values()]
    arguments = [part for item in files for part in item]
    done = subprocess.run([python36(), "-c", CHECK_ON_36, *arguments], capture_output=True, text=True)
    assert done.stdout == "ok\n", done.stderr

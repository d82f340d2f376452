"""A network of the zoo to ONNX: one file for onnxruntime 1.10 (Python 3.6) to today's, and for TensorRT 8.2.

Opset 13 and IR 7 come from torch's older exporter (`dynamo=False`): the newer one writes opset 18 and IR 10,
which neither reads. It is to be removed upstream, so torch is pinned.
"""

import io
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import nn

from bench.export import count
from bench.export.errors import ExportError
from bench.export.onnx_limits import OPSET
from bench.export.reference import TOLERANCE, pack, random_input, run_reference
from bench.zoo import Architecture, Dataset


@dataclass(frozen=True)
class Exported:
    """An ONNX file, its reference (npz), and the largest difference between torch and onnxruntime."""

    model: bytes
    reference: bytes
    tolerance: float
    max_abs_error: float


def build(architecture: Architecture, widths: list[int], dataset: Dataset, seed: int) -> nn.Module:
    """Return the network with random weights that depend on `seed` alone, in evaluation mode.

    Weights are drawn once, not as in training: N(0, 1.4 / fan in), with which activations neither vanish nor
    explode, and batch norms as after training, with a mean, a variance, a scale and a shift worth folding.
    """
    with torch.device("meta"):  # and not initialised: there, that alone has torch import its compiler
        module = architecture.build(widths, dataset, initialised=False)
    module = module.to_empty(device="cpu").eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for child in module.modules():
            _randomise(child, generator)
    return module


def load(module: nn.Module, path: Path) -> None:
    """Put the weights of a training (`bench train`) into the network; ExportError where they do not fit."""
    try:
        module.load_state_dict(torch.load(path, weights_only=True)["state"])
    except Exception as error:  # torch raises whatever the damage leads to
        raise ExportError(
            f"{path} cannot be used: {str(error).splitlines()[0]}; train the model again"
        ) from None


def _randomise(layer: nn.Module, generator: torch.Generator) -> None:
    if isinstance(layer, nn.BatchNorm2d):
        for tensor, low, high in (
            (layer.weight, 0.8, 1.2), (layer.bias, -0.1, 0.1),
            (layer.running_mean, -0.1, 0.1), (layer.running_var, 0.8, 1.2),
        ):  # fmt: skip
            assert tensor is not None
            tensor.uniform_(low, high, generator=generator)
        if layer.num_batches_tracked is not None:
            layer.num_batches_tracked.zero_()
    elif isinstance(layer, (nn.Conv2d, nn.Linear)):
        fan_in = layer.weight[0].numel()
        layer.weight.normal_(0.0, (1.4 / fan_in) ** 0.5, generator=generator)
        if layer.bias is not None:
            layer.bias.uniform_(-0.1, 0.1, generator=generator)


def export(
    module: nn.Module, dataset: Dataset, batch: int, params: int, macs: int, metadata: Mapping[str, str]
) -> Exported:
    """Write `module` as ONNX with `metadata` inside; check its size, and its outputs against torch's.

    `params` and `macs` are the closed form's; ExportError when the graph does not have exactly these.
    """
    inputs = random_input((batch, 3, dataset.size, dataset.size), "float32", seed=0)
    model = onnx.load_model_from_string(_onnx_bytes(module, inputs))
    check_size(model, module, params, macs * batch)
    onnx.helper.set_model_props(model, dict(sorted(metadata.items())))
    raw = model.SerializeToString(deterministic=True)
    with torch.inference_mode():
        expected = module(torch.from_numpy(inputs)).numpy()
    tolerance = TOLERANCE * max(1.0, float(np.abs(expected).max()))
    error = float(np.abs(run_reference(raw, [inputs])[0][0] - expected).max())
    if not error <= tolerance:
        raise ExportError(f"onnxruntime and torch differ by {error:g}, more than {tolerance:g}")
    return Exported(raw, pack([inputs], [expected]), tolerance, error)


def _onnx_bytes(module: nn.Module, inputs: np.ndarray[Any, Any]) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        warnings.filterwarnings("ignore", category=UserWarning, module=r"torch\.onnx")
        torch.onnx.export(
            module,
            (torch.from_numpy(inputs),),
            buffer,  # type: ignore[arg-type]  # a file object works, its annotation forgot it
            dynamo=False,
            opset_version=OPSET,
            input_names=["input"],
            output_names=["output"],
        )
    return buffer.getvalue()


def check_size(model: onnx.ModelProto, module: nn.Module, params: int, macs: int) -> None:
    """ExportError unless the graph has the closed form's parameters and MACs, once folding is undone.

    A batch norm that follows a convolution is folded into it. Its 2 parameters a channel (scale, shift) leave
    the graph; a convolution that had no bias gains one.
    """
    found = count.layer_parameters(model)
    layers = list(module.modules())
    norms = sum(2 * layer.num_features for layer in layers if isinstance(layer, nn.BatchNorm2d))
    biases = sum(
        layer.out_channels for layer in layers if isinstance(layer, nn.Conv2d) and layer.bias is not None
    )
    folded, gained = norms - found["norm"], found["conv_bias"] - biases
    graph = sum(found.values()) + folded - gained
    if graph != params:
        raise ExportError(f"the graph has {graph} parameters, the closed form {params}")
    if (counted := count.macs(model)) != macs:
        raise ExportError(f"the graph has {counted} MACs, the closed form {macs}")

"""DLA: the fixed-function accelerator of a Jetson Xavier or Orin (an Orin Nano has none).

options: `dla_core` (0 or 1) sends a network there; `dla_fallback` (true) leaves layers that it cannot run to
the GPU. It computes in fp16 and int8 only. Which layers those are is asked before the build, when the
precision is set: the record names them, because what fell back was measured on the GPU. TensorRT may still
split or join layers (NVIDIA/TensorRT, include/NvInfer.h: setDefaultDeviceType, canRunOnDLA, setDLACore,
kGPU_FALLBACK).
"""

from types import ModuleType
from typing import Any, Dict, List, Optional

from bench.record.typed_dict import TypedDict
from bench.runtime.backends.base import BackendError

NAMED = 10  # layers that an error names


class Placed(TypedDict):
    """A network on a DLA core: how many layers it has, and the names of those left to the GPU."""

    core: Optional[int]
    layers: int
    fallback: List[str]


def core_of(options: Dict[str, Any]) -> Optional[int]:
    """Return the number of the DLA core that a job asks for; None where it runs on the GPU."""
    core = options.get("dla_core")
    return None if core is None else int(core)


def place(trt: ModuleType, builder: Any, network: Any, config: Any, options: Dict[str, Any]) -> Placed:
    """Send the network to its DLA core; what of it runs there.

    The precision must be set before. BackendError where nothing, or not all that is wanted, runs there.
    """
    core = core_of(options)
    require_core(core, int(builder.num_DLA_cores))
    config.default_device_type = trt.DeviceType.DLA
    config.DLA_core = core
    fallback = options.get("dla_fallback", True)
    if fallback:
        config.set_flag(trt.BuilderFlag.GPU_FALLBACK)
    layers = [network.get_layer(index) for index in range(network.num_layers)]
    left = [layer.name for layer in layers if not config.can_run_on_DLA(layer)]
    if left and (not fallback or len(left) == len(layers)):
        raise _refused(left, len(layers))
    return {"core": core, "layers": len(layers), "fallback": left}


def require_core(core: Optional[int], cores: int) -> None:
    """Refuse a core that the device does not have."""
    if core is None or core >= cores:
        raise BackendError(
            "device_missing",
            "options.dla_core is %s, this device has %d DLA cores" % (core, cores),
            "leave dla_core out" if not cores else "choose one of 0 to %d" % (cores - 1),
        )


def _refused(left: List[str], layers: int) -> BackendError:
    """Return the error of a network of which too little runs on the DLA."""
    if len(left) == layers:
        message = "none of its %d layers runs on the DLA" % layers
        return BackendError("unsupported_operator", message, "leave options.dla_core out")
    names = ", ".join(left[:NAMED]) + (" and %d more" % (len(left) - NAMED) if len(left) > NAMED else "")
    message = "of its %d layers the DLA lacks: %s" % (layers, names)
    return BackendError("unsupported_operator", message, "options.dla_fallback: true leaves them to the GPU")

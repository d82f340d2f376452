"""Engines and timing caches on disk: found by everything that shapes them, whole or not there at all.

A file is one line of JSON (what it was built from, and the payload's sha256) and then the payload. A file
that is truncated, damaged or of another key is treated as absent, with the reason.
"""

import hashlib
import json
import os
from typing import Dict, Optional, Tuple

from bench.record import files
from bench.record.typed_dict import TypedDict
from bench.runtime.backends.cuda import Gpu
from bench.runtime.backends.tensorrt_build import Order
from bench.runtime.backends.tensorrt_calibration import calibration_file

FORMAT = 1


class TimingKey(TypedDict):
    """What shapes the timing of a layer."""

    tensorrt: str
    gpu: str
    compute_capability: str
    precision: str
    build: int
    options: Dict[str, object]


class Key(TimingKey, total=False):
    """What shapes an engine; model and calibration: SHA-256 of the files."""

    model: str
    batch: int
    calibration: Optional[str]


def key_of(tensorrt: str, gpu: Gpu, model: str, order: Order) -> Key:
    """Return everything that shapes an engine. model: the ONNX file's sha256."""
    key: Key = {
        "model": model,
        "tensorrt": tensorrt,
        "gpu": gpu.name,
        "compute_capability": gpu.compute_capability,
        "precision": order.precision,
        "batch": order.batch,
        "build": order.build,
        "options": {name: value for name, value in order.options.items() if name != "isolate_build"},
    }
    if order.precision == "int8":
        samples, _ = calibration_file(order.path, order.options)
        key["calibration"] = files.sha256_of(samples) if os.path.isfile(samples) else None
    return key


def timing_key(key: Key) -> TimingKey:
    """Return what a timing cache depends on: it serves all models of one build number, and grows with each.

    Shared between build numbers too, it would hand each build the tactics of the first, and replicate builds
    would no longer be replicates. Shapes of inputs belong to one model, timings to layers.
    """
    return {
        "tensorrt": key["tensorrt"],
        "gpu": key["gpu"],
        "compute_capability": key["compute_capability"],
        "precision": key["precision"],
        "build": key["build"],
        "options": {name: value for name, value in key["options"].items() if name != "input_shapes"},
    }


def timing_folder(folder: str) -> str:
    """Return where timing caches are kept: beside the engines, or where the user lets them outlive a run."""
    return os.environ.get("ORBITBENCH_TIMING_CACHE") or folder


def _file_name(key: TimingKey, kind: str) -> str:
    """Return the file name of a `kind` (engine | timing) of this key: a digest of the whole key."""
    digest = hashlib.sha256(_canonical(key)).hexdigest()
    return "%s-b%s-%s.%s" % (key["precision"], key["build"], digest[:24], kind)


def read(folder: str, key: TimingKey, kind: str) -> Tuple[Optional[bytes], Optional[str]]:
    """Return (payload, None), or (None, why it cannot be used), or (None, None) where there is none."""
    path = os.path.join(folder, _file_name(key, kind))
    try:
        with open(path, "rb") as stream:
            header, payload = stream.readline(), stream.read()
    except OSError:
        return None, None
    try:
        head = json.loads(header.decode("utf-8"))
        stored, digest = head["key"], head["sha256"]
    except (ValueError, KeyError, TypeError):
        return None, "%s is damaged: no header" % path
    if _canonical(stored) != _canonical(key):
        return None, "%s belongs to another key" % path
    if hashlib.sha256(payload).hexdigest() != digest:
        return None, "%s is damaged: %d bytes that do not match their checksum" % (path, len(payload))
    return payload, None


def write(folder: str, key: TimingKey, kind: str, payload: bytes) -> str:
    """Store `payload`, whole or not at all; the file's path."""
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, _file_name(key, kind))
    head = {"format": FORMAT, "key": key, "sha256": hashlib.sha256(payload).hexdigest()}
    files.write_bytes(path, json.dumps(head, sort_keys=True).encode("utf-8") + b"\n" + payload)
    return path


def discard(folder: str, key: TimingKey, kind: str) -> None:
    """Remove the file of `key`, if it is there."""
    try:
        os.unlink(os.path.join(folder, _file_name(key, kind)))
    except OSError:
        pass


def _canonical(key: object) -> bytes:
    return json.dumps(key, sort_keys=True).encode("utf-8")

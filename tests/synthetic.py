"""Studies that nobody measured: records as docs/formats.md has them, with effects that we chose.

Every record says so: `environment.synthetic` is true and a warning `synthetic` stands in its validity, so
that a report made of them carries a banner. They test the arithmetic and the page, and prove nothing about
any device.
"""

import base64
import hashlib
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from bench.record.schema import RUNGS

Json = dict[str, Any]
LAYERS = {"vgg11": 8, "mobilenetv2": 19, "preact_resnet18": 17, "resnet50": 49}
PARAMS = {"vgg11": 9.2e6, "mobilenetv2": 2.4e6, "preact_resnet18": 11.2e6, "resnet50": 23.7e6}
DATASETS = {
    "vgg11": "cifar10",
    "mobilenetv2": "cifar100",
    "preact_resnet18": "cifar100",
    "resnet50": "cifar100",
}
MB = 1_000_000


@dataclass(frozen=True)
class Study:
    """What to invent. Effects are ratios to uniform; `spread`: sd of a pair's log ratio around its effect."""

    latency: float = 2.6
    memory: float = 1.05
    accuracy: float = 1.04
    untrimmed: float = 0.8  # the same memory, read before malloc_trim(0)
    spread: float = 0.05
    process_noise: float = 0.01
    sample_noise: float = 0.02
    architectures: tuple[str, ...] = ("vgg11", "mobilenetv2", "preact_resnet18", "resnet50")
    ratios: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0)
    ratio_ofs: tuple[str, ...] = ("params",)
    methods: tuple[str, ...] = ("uniform", "neuralscale")
    aligns: tuple[int, ...] = (1,)  # widths are multiples of
    rounding: float = 0.8  # of latency, by widths in multiples of 8
    profile: str | None = None  # that predicted every network: 5 % too slow, and sure to 10 %
    own_effect: float = 0.0  # sd of an architecture's own log effect on latency
    stand_ins: tuple[str, ...] = ()  # architectures whose fit is a stand-in
    epoch: str | None = None  # of the accuracies
    gpu: int = 0  # bytes of GPU memory (nvmap) that a process takes on a Jetson
    devices: tuple[str, ...] = ("bench-a",)
    backend: str = "onnxruntime"
    precisions: tuple[str, ...] = ("fp32",)
    threads: tuple[int, ...] = (1,)
    processes: int = 3
    samples: int = 120
    seed: int = 1
    run: str = "20260101-000000-synthetic"
    no_accuracy: tuple[str, ...] = ()  # architectures whose accuracy nobody knows
    environment: Json = field(default_factory=dict)


def series(nanoseconds: np.ndarray) -> Json:
    """Integer nanoseconds as docs/formats.md stores them."""
    data = bytearray()
    for difference in np.diff(nanoseconds.astype(np.int64), prepend=0).tolist():
        value = difference << 1 if difference >= 0 else (-difference << 1) - 1
        while value > 127:
            data.append(value & 127 | 128)
            value >>= 7
        data.append(value)
    text = base64.b64encode(zlib.compress(bytes(data), 6)).decode()
    return {"n": len(nanoseconds), "unit": "ns", "encoding": "delta-zlib-base64", "data": text}


def widths(architecture: str, method: str, ratio: float, ratio_of: str, align: int) -> list[int]:
    """Widths of a plausible shape; only their looks matter here."""
    layers = np.arange(LAYERS[architecture])
    base = 64 * 2.0 ** (3 * layers / len(layers))
    shape = base if method == "uniform" else 190 * 0.9**layers + 20
    share = ratio if ratio_of == "width" else ratio**0.5
    return [max(align, round(float(w) * share / align) * align) for w in shape]


def model(
    architecture: str, method: str, ratio: float, ratio_of: str, align: int, study: Study, pair: np.ndarray
) -> Json:
    """The entry of one model; `pair` holds the log deviations of its pair (latency, memory, accuracy)."""
    dataset = DATASETS[architecture]
    params = PARAMS[architecture] * (ratio if ratio_of != "width" else ratio**2)
    work = {"uniform": 1.0, "neuralscale": 1.9}[method] if ratio_of != "macs" else 1.0
    score = 40 + 12 * np.log10(params / 1e4) ** 0.9
    if method != "uniform":
        score *= study.accuracy * np.exp(pair[2])
    accuracy = {
        "value": round(float(score), 4),
        "unit": "percent",
        "source": "trained",
        "seeds": 3,
        "std": 0.2,
        "reference": "synthetic",
        **({"epoch": study.epoch} if study.epoch else {}),
    }
    stand_in = method != "uniform" and architecture in study.stand_ins
    fit = {"fit": f"{architecture}-made-up", "fit_quality": "stand-in" if stand_in else "published"}
    name = f"{architecture}-{dataset}-{method}-{ratio_of[0]}{ratio:g}{f'-a{align}' if align > 1 else ''}"
    return {
        "id": name,
        "file": f"models/{name}.onnx",
        "sha256": hashlib.sha256(name.encode()).hexdigest(),
        "bytes": int(params * 4 + 20_000),
        "architecture": architecture,
        "dataset": dataset,
        "classes": 10 if dataset == "cifar10" else 100,
        "method": method,
        "ratio": ratio,
        "ratio_of": ratio_of,
        "widths": widths(architecture, method, ratio, ratio_of, align),
        "params": int(params),
        "macs": int(params * 17 * work),
        "target_params": int(params),
        "align": align if align > 1 else None,
        **(fit if method != "uniform" else {"fit": None, "fit_quality": None}),
        "batch": 1,
        "inputs": [{"name": "input", "shape": [1, 3, 32, 32], "dtype": "float32"}],
        "accuracy": None if architecture in study.no_accuracy else accuracy,
    }


def predicted(seconds: float) -> Json:
    """What a profile says of a network that takes so long."""
    latency = {"value": 1.05 * seconds, "low": 0.95 * seconds, "high": 1.16 * seconds}
    return {"latency": latency, "memory": {"value": 60 * MB, "low": 50 * MB, "high": 70 * MB}}


def effect(entry: Json, study: Study) -> float:
    """The factor on latency: equal MACs leave the square root of it, alignment changes it by `rounding`."""
    rounding = study.rounding if entry["align"] else 1.0
    if entry["method"] == "uniform":
        return rounding
    return rounding * (study.latency**0.5 if entry["ratio_of"] == "macs" else study.latency)


def ladder(
    entry: Json, study: Study, factor: float, process: int, rng: np.random.Generator
) -> Iterator[Json]:
    """Seven rungs: a floor of 44 MB, weights, activations, and what the allocator keeps until trimmed."""
    weights, floor = entry["params"] * 4, 44 * MB
    trimmed = (floor + weights * 1.1 + 2 * MB) * factor
    kept = study.untrimmed if entry["method"] != "uniform" else 1.0
    steps = (12 * MB, 40 * MB, floor, floor + weights * 1.05, trimmed, trimmed * kept * 1.4, trimmed)
    for rung, size in zip(RUNGS, steps, strict=True):
        uss = int(size * np.exp(rng.normal(0, study.process_noise / 4)))
        uss -= uss % 4096
        yield {
            "process": process,
            "rung": rung,
            "rss": uss + 9 * MB,
            "pss": uss + 3 * MB,
            "uss": uss,
            "swap": 0,
            "peak_rss": int(uss * 1.02) + 9 * MB,
            "cgroup_current": None,
            "cgroup_peak": None,
            "gpu_free": None,
            "gpu_total": None,
            "nvmap": study.gpu if study.gpu and rung not in RUNGS[:2] else 0 if study.gpu else None,
            "backend": {},
        }


def process(job: str, number: int, seconds: float, study: Study, rng: np.random.Generator) -> Json:
    """One process: its own level, then log-normal samples around it."""
    level = seconds * np.exp(rng.normal(0, study.process_noise)) * 1e9
    draw = lambda n: np.rint(level * np.exp(rng.normal(0, study.sample_noise, n)))  # noqa: E731
    return {
        "process": number,
        "order": int(rng.integers(0, 500)),
        "started": f"2026-01-01T00:{number:02d}:00Z",
        "build": None,
        "warmup": series(draw(5) * 1.3),
        "samples": series(draw(study.samples)),
        "compute": None,
        "overhead": series(np.rint(rng.normal(900, 20, 10))),
        "stopped_by": "target_ci",
        "drift": 0.001,
        "cpu_seconds": 1.0,
        "wall_seconds": 1.0,
    }


def record(entry: Json, device: str, precision: str, threads: int, study: Study, pair: np.ndarray,
           rng: np.random.Generator) -> Json:  # fmt: skip
    """The record of one job."""
    if study.backend == "onnxruntime" and precision != "fp32":  # which it does not make of an fp32 file
        entry = {**entry, "precision": precision}
    job = f"{entry['id']}--{study.backend}-{precision}-t{threads}"
    treated = entry["method"] != "uniform"
    seconds = 4e-10 * entry["params"] * 17 / threads + 3e-4
    seconds *= effect(entry, study) * (np.exp(pair[0]) if treated else 1.0)
    if study.profile:
        where = {"device": device, "backend": study.backend, "precision": precision, "threads": threads}
        entry = {**entry, "predicted": {"profile": study.profile, **where, **predicted(seconds)}}
    size = study.memory * np.exp(pair[1]) if treated else 1.0
    rungs = [rung for p in range(study.processes) for rung in ladder(entry, study, size, p, rng)]
    return {
        "schema": 1,
        "kind": "orbitbench.record",
        "run": study.run,
        "device": device,
        "status": "ok",
        "error": None,
        "job": {
            "id": job,
            "model": entry,
            "backend": study.backend,
            "precision": precision,
            "threads": threads,
            "batch": 1,
            "options": {},
            "measure": {},
        },
        "validity": {
            "valid": True,
            "reasons": [],
            "warnings": [{"code": "synthetic", "message": "invented by tests/synthetic.py, not measured"}],
        },
        "latency": {
            "unit": "s",
            "processes": [process(job, p, seconds, study, rng) for p in range(study.processes)],
        },
        "memory": {"unit": "byte", "rungs": rungs, "residual": []},
        "output_check": {"max_abs_error": 1e-7, "tolerance": 1e-4, "ok": True},
        "sensors": [
            {
                "process": 0,
                "t": 0.5,
                "cpu_hz": 2_000_000_000,
                "gpu_hz": None,
                "temperature": 50.0,
                "throttled": 0,
                "load": 1.0,
                "power": None,
            }
        ],
        "figures": {},
        "environment": {
            "synthetic": True,
            "cpu": {"model": "Invented CPU", "governor": "performance"},
            "libraries": {"onnxruntime": "1.20.0", "numpy": "2.0.0"},
            "kernel": "0.0-synthetic",
            "image_digest": "sha256:" + hashlib.sha256(b"synthetic").hexdigest(),
            **study.environment,
        },
    }


def records(study: Study) -> Iterator[Json]:
    """Every record of `study`, in a fixed order, the same for the same seed."""
    rng = np.random.default_rng(study.seed)
    spread = np.array([study.spread, study.spread / 5, study.spread / 5])
    for device in study.devices:
        for architecture in study.architectures:
            own = np.array([rng.normal(0, study.own_effect) if study.own_effect else 0.0, 0, 0])
            for ratio_of in study.ratio_ofs:
                for ratio in study.ratios:
                    pair = rng.normal(0, 1, 3) * spread + own
                    for method, align in product(study.methods, study.aligns):
                        entry = model(architecture, method, ratio, ratio_of, align, study, pair)
                        for precision in study.precisions:
                            for threads in study.threads:
                                yield record(entry, device, precision, threads, study, pair, rng)


def write(study: Study, results: Path) -> Path:
    """Write `study` as a run under `results`; the run's folder."""
    run = results / study.run
    for entry in records(study):
        folder = run / entry["device"] / "records"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{entry['job']['id']}.json").write_text(json.dumps(entry))
    return run

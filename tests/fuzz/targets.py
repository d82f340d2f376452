"""What strangers send us, each with valid examples and the code that meets it first.

A target takes a random generator, spoils an example, and hands it to that code. What the code may raise is
named; anything else is a fault.
"""

import contextlib
import functools
import io
import json
import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml

from bench.cost import profile as device_profile
from bench.export.errors import ExportError
from bench.manifests import experiment
from bench.manifests.problems import ManifestError
from bench.record import files, npz, onnx_graph, onnx_precision, onnxfile, samples, schema
from bench.runtime.supervise import job_list
from bench.scaling import ScalingError, fits, regression
from orchestrate import devices
from orchestrate.analysis import claim_file, records, table
from orchestrate.analysis import samples as fast_samples
from orchestrate.doctor import probe
from orchestrate.engine import archive
from orchestrate.engine.connection import Engine
from orchestrate.engine.container import Board
from orchestrate.errors import OrbitError
from orchestrate.execution import progress
from orchestrate.report import profile, profile_rows
from orchestrate.runs.folder import Run
from tests import synthetic
from tests.conftest import ROOT
from tests.fuzz import mutate, onnx_import

Target = Callable[[random.Random], None]
EXPECTED: tuple[type[Exception], ...] = (
    OrbitError,
    ManifestError,
    files.BadFileError,
    ScalingError,
    ExportError,
)
SHA = "0" * 64
MODEL = {"id": "m", "file": "models/m.onnx", "sha256": SHA, "bytes": 10, "widths": [4, 8], "params": 100,
         "architecture": "vgg11", "dataset": "cifar10", "method": "uniform", "ratio": 0.5,
         "ratio_of": "params"}  # fmt: skip
JOB = {"id": "m--null-fp32-t1", "model": MODEL, "backend": "null", "precision": "fp32", "threads": 1,
       "batch": 1, "options": {}, "measure": {"processes": 3, "min_samples": 30}}  # fmt: skip
JOBS = {"schema": 1, "kind": "orbitbench.jobs", "run": "r", "device": "local", "bundle": "bundle", "seed": 1,
        "measure": {}, "board": {}, "jobs": [JOB]}  # fmt: skip
PLAN = {"schema": 1, "kind": "orbitbench.plan", "hash": SHA, "run": "r", "created": "2026-01-01T00:00:00Z",
        "experiment": {"name": "demo"}, "orbitbench": "0.1",
        "devices": {"local": {"settings": {"backend": "null"}, "jobs": [JOB["id"]]}},
        "skipped": []}  # fmt: skip
EVENTS = (
    {"event": "start", "time": 1795371300.0, "jobs": 28, "processes": 84, "done": 3},
    {"event": "self_test", "ok": True, "memory_error": 0.004, "time_error": 0.001},
    {"event": "process", "job": "j", "process": 0, "of": 3, "done": 4, "total": 84, "status": "ok",
     "p50": 0.0021, "rss": 61000000, "temperature": 51.2, "eta": 130.0},
    {"event": "process", "job": "j", "status": "disturbed", "reasons": ["throttled"], "done": 1, "total": 2},
    {"event": "record", "job": "j", "status": "ok", "file": "records/j.json", "sha256": SHA},
    {"event": "end", "ok": 27, "failed": 1, "skipped": 0},
)  # fmt: skip
PROBE = (
    "kernel", "user", "time", "model", "l4t", "nvidia_csv", "tensorrt_python", "memory", "kernel_options",
    "disk", "governors", "zones", "throttled", "power_mode", "busy", "processes", "sudo",
)  # fmt: skip
INFO = {"Name": "b", "Architecture": "aarch64", "KernelVersion": "5", "OperatingSystem": "x", "NCPU": 4,
        "MemTotal": 4_000_000_000, "MemoryLimit": True, "CgroupVersion": "2",
        "Runtimes": {"nvidia": {}, "runc": {}}, "DefaultRuntime": "runc",
        "DockerRootDir": "/var/lib/docker"}  # fmt: skip
VERSION = {"Version": "20.10.7", "ApiVersion": "1.41"}
INSPECT = {"Created": "2026-01-01T00:00:00Z", "Config": {"Labels": {"orbitbench.run": "r"}},
           "State": {"Status": "exited", "ExitCode": 0, "OOMKilled": False, "Error": "", "StartedAt": "",
                     "FinishedAt": ""}}  # fmt: skip


@functools.cache
def folder() -> Path:
    """A place for files, in memory where there is such a place, gone at the end."""
    shm = Path("/dev/shm")
    made = tempfile.TemporaryDirectory(prefix="orbitbench-fuzz-", dir=shm if shm.is_dir() else None)
    _KEPT.append(made)
    (Path(made.name) / "bundle").mkdir()
    return Path(made.name)


_KEPT: list[Any] = []


def put(name: str, content: bytes) -> Path:
    path = folder() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def spoilt(original: Any, rng: random.Random) -> bytes:
    """JSON of a document that was spoilt as data, or as bytes."""
    if rng.random() < 0.8:
        return json.dumps(mutate.document(original, rng)).encode()
    return mutate.data(json.dumps(original).encode(), rng)


@functools.cache
def valid_records() -> list[Any]:
    made = synthetic.Study(architectures=("vgg11",), ratios=(0.5,), samples=12, processes=2)
    run = synthetic.write(made, folder() / "made")
    found = [json.loads(path.read_bytes()) for path in sorted(run.glob("*/records/*.json"))[:2]]
    layer = {"name": "/0/Conv", "operator": "Conv", "seconds": 0.001, "calls": 1, "macs": 9, "bytes": 8}
    for made_up in found:
        rest = {"others": {"count": 2, "seconds": 0.001}, "error": None}
        made_up["profile"] = {"source": "onnxruntime", "runs": 75, "layers": [layer] * 3, **rest}
    return [*found, json.loads((ROOT / "tests/records/v1-failed.json").read_bytes())]


def record(rng: random.Random) -> None:
    """Read as `report` does; what is believed must make a row."""
    put("run/dev/records/r.json", spoilt(rng.choice(valid_records()), rng))
    study = records.read([folder() / "run"])
    assert len(study.jobs) + len(study.excluded) == 1
    table.tidy(study)
    profile_rows.frames(study.jobs)
    profile.section(study.jobs)


def sample_block(rng: random.Random) -> None:
    series = samples.encode([rng.randrange(1, 10**9) for _ in range(20)])
    damaged = mutate.document(series, rng) if rng.random() < 0.5 else dict(series)
    if rng.random() < 0.5:
        damaged["data"] = mutate.data(series["data"].encode(), rng).decode("latin-1") if damaged else ""
    for decode in (samples.decode, fast_samples.seconds):
        with contextlib.suppress(ValueError):
            decode(damaged)


def jobs(rng: random.Random) -> None:
    job_list.load(str(put("jobs.json", spoilt(JOBS, rng))))


def plan(rng: random.Random) -> None:
    put("r/local/jobs.json", spoilt(JOBS, rng) if rng.random() < 0.5 else json.dumps(JOBS).encode())
    put("r/plan.json", spoilt(PLAN, rng))
    run = Run(folder() / "r")
    for device in run.devices.values():
        device.missing()
        device.job_list()


def event(rng: random.Random) -> None:
    view = progress.Row()
    found = progress.parse(spoilt(rng.choice(EVENTS), rng))
    if found:
        view.take(found)
        assert all(c.isprintable() for cell in view.cells() for c in cell)


@functools.cache
def probe_text() -> str:
    return "\n".join(f"== {name}\n1 R35 (release), REVISION: 4.1 cpu 1 2 3 4 5 kB" for name in PROBE)


def probe_output(rng: random.Random) -> None:
    probe.facts(mutate.data(probe_text().encode(), rng).decode(errors="replace"))


def engine(rng: random.Random) -> None:
    """`info`, `version`, `inspect`, volumes as an engine answers them."""
    answers = [INFO, VERSION, INSPECT]
    at = rng.randrange(3)
    answers[at] = mutate.document(answers[at], rng) if rng.random() < 0.9 else mutate.value(rng)
    info, version, inspect = answers
    stub = Engine("unix:///nowhere")
    api = SimpleNamespace(inspect_container=lambda name: inspect)
    stub._client = SimpleNamespace(info=lambda: info, version=lambda: version, api=api)  # type: ignore[assignment]
    stub.run = lambda *a, **k: SimpleNamespace(out="boot")  # type: ignore[assignment, method-assign]
    if at == 2:
        board = Board(stub)
        board.state()
        board.lock_owner()
    else:
        stub.info()


def tar(rng: random.Random) -> None:
    content = b"".join(archive.stream({"records/a.json": b"x" * 700, "records/b/c.json": b"{}"}))
    chunks = mutate.data(content, rng)
    for _ in archive.read("board", [chunks], file_limit=10_000, total_limit=100_000):
        pass


def arrays(rng: random.Random) -> None:
    import numpy as np

    made = io.BytesIO()
    (np.savez if rng.random() < 0.5 else np.savez_compressed)(made, **{"input.0": np.arange(12.0)})
    with contextlib.suppress(ValueError):
        npz.load(np, str(put("a.npz", mutate.data(made.getvalue(), rng))))


def manifest(path: str, load: Callable[[Path], Any]) -> Target:
    """A YAML manifest that we ship, spoilt as data or as text."""

    def target(rng: random.Random) -> None:
        text = (ROOT / path).read_bytes()
        if rng.random() < 0.6:
            spoilt_text = json.dumps(mutate.document(_parsed(text), rng)).encode()  # YAML, too
        else:
            spoilt_text = mutate.data(text, rng)
        load(put(Path(path).name, spoilt_text))

    return target


@functools.cache
def _parsed(text: bytes) -> Any:
    return json.loads(json.dumps(yaml.safe_load(text), default=str))


def pruning(rng: random.Random) -> None:
    rows = "\n".join(",".join(str(64 - n - m) for m in range(8)) for n in range(8)).encode()
    found = regression.read_record(put("r.csv", mutate.data(rows, rng)), 8)
    regression.regress(found, lambda row: sum(row))


def onnx_file(rng: random.Random) -> None:
    """What boards and the exporter read of a model without the onnx package."""
    raw = onnx_import.spoilt(rng)
    path = str(put("read.onnx", raw))
    onnxfile.weight_bytes(path)
    onnxfile.opset(path)
    found = [onnx_graph.read(path), onnx_graph.parse(raw)]
    assert found[0] == found[1]
    if found[0]:
        onnx_precision.precision(found[0])


TARGETS: dict[str, Target] = {
    "record": record,
    "sample block": sample_block,
    "job list": jobs,
    "plan": plan,
    "log event": event,
    "probe output": probe_output,
    "engine JSON": engine,
    "tar": tar,
    "npz": arrays,
    "devices": manifest("manifests/devices.yaml", devices.load_devices),
    "experiment": manifest("manifests/experiments/demo.yaml", experiment.load),
    "claims": manifest("manifests/claims/thesis.yaml", claim_file.load),
    "fit YAML": manifest("manifests/scaling/vgg11-cifar10.yaml", fits.load),
    "profile": manifest("tests/fuzz/profile.yaml", lambda path: device_profile.find_profile(str(path))),
    "pruning CSV": pruning,
    "ONNX file": onnx_file,
    "ONNX import": lambda rng: onnx_import.target(folder(), rng),
}
assert schema.VERSION == 1

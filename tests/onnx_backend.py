"""The onnx package's backend tests, each through bundle and runtime, compared with the outputs it ships.

`python -m tests.onnx_backend OUT EACH UNIT...` prints one JSON row as a case begins ({case, outcome: null}),
and one as it ends: {case, outcome, said}. A unit is a module of operators, or a folder of cases that lie on
disk; of a unit at most EACH cases are taken (0: all), several units in a bundle. Export and measuring run in
this process, by the very code that a run has in its child processes: some 1,900 interpreters would take an
hour. Whoever starts it can skip cases by name (standard input, one a line): those that ended earlier. A case
that takes longer than PATIENCE ends the process.
"""

import faulthandler
import functools
import gc
import importlib
import json
import pkgutil
import random
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper
from onnx.backend.test import loader
from onnx.backend.test.case import node as node_cases
from onnx.backend.test.runner import Runner

from bench.export import bundle
from bench.export.errors import ExportError
from bench.export.own.prepare import prepare
from bench.export.own.request import OwnRequest, Prepared
from bench.record import schema
from bench.record.types import Job, Part
from bench.runtime.measure import memory, model_run
from bench.runtime.supervise import job_list
from bench.runtime.supervise.job_list import JobList
from bench.runtime.supervise.scheduler import Scheduler
from bench.runtime.supervise.store import Store
from bench.runtime.supervise.worker import failure
from orchestrate.devices import Device
from orchestrate.runs import plan

RIGHT, REFUSED, FAILED, WRONG = "measured right", "refused", "failed after acceptance", "wrong"
LIBRARY = "as onnxruntime itself, unlike what is shipped"
NEEDLESS = "refused, though onnxruntime runs it"
BLAMES = ("onnxruntime cannot run it", "not a valid ONNX model", "unsupported operator")
PATIENCE = 300  # seconds
TOGETHER = 8  # units in a bundle: the runtime tests itself before each
NODES = sorted(
    module.name.removeprefix(f"{node_cases.__name__}.")
    for module in pkgutil.walk_packages(node_cases.__path__, f"{node_cases.__name__}.")
)
ON_DISK = ("simple", "pytorch-converted", "pytorch-operator")
LIGHT = {"processes": 1, "warmup": 1, "warmup_seconds": 0.0, "min_samples": 20, "max_samples": 20}
LIGHT |= {"min_seconds": 0.0, "max_seconds": 0.05, "repeats": 0, "cold_loads": 0}
LIGHT["timeout_seconds"] = 1e6  # counted from the start of this process, which measures all of them
Array = np.ndarray[Any, Any]
Say = Callable[[str, str | None, str], None]  # case, outcome (None: it begins), what was said


def cases(unit: str, each: int = 0) -> list[Any]:
    """The package's test cases of a unit; at most `each` of them, the same ones every time."""
    if unit in ON_DISK:
        found = sorted(loader.load_model_tests(kind=unit), key=lambda case: str(case.name))
    else:
        known = node_cases._NodeTestCases
        before = len(known)
        np.random.seed(0)
        importlib.import_module(f"{node_cases.__name__}.{unit}")
        found = known[before:]
    return random.Random(unit).sample(found, min(each, len(found))) if each else found


def data_sets(case: Any) -> tuple[onnx.ModelProto, list[Any], list[Any]]:
    """The model, and inputs and outputs of its first data set."""
    if case.model is not None:
        inputs, outputs = case.data_sets[0]
        return case.model, [*map(_array, inputs)], [*map(_array, outputs)]
    model = onnx.load(f"{case.model_dir}/model.onnx")
    folder = Path(case.model_dir, "test_data_set_0")
    return model, _all_stored(folder, "input"), _all_stored(folder, "output")


def _all_stored(folder: Path, side: str) -> list[Any]:
    return [_stored(folder / f"{side}_{n}.pb") for n in range(len(list(folder.glob(f"{side}_*.pb"))))]


def _array(value: Any) -> Any:
    """An array as it is; what is no tensor stays what it is, and is not supported."""
    if isinstance(value, onnx.TensorProto):
        return numpy_helper.to_array(value)
    return value if isinstance(value, list) or value is None else np.asarray(value)


def _stored(path: Path) -> Any:
    tensor = onnx.TensorProto()
    try:
        tensor.ParseFromString(path.read_bytes())
        return numpy_helper.to_array(tensor)
    except Exception:  # a sequence: protobuf has no common error
        return None


class Trial:
    """A bundle that accepted cases go into, measured together by the runtime."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.entries: dict[str, dict[str, Any]] = {}
        self.cases: dict[str, str] = {}
        bundle.begin(folder / "bundle")

    def export(self, case: Any) -> tuple[str, str] | None:
        """Put a case into the bundle; the outcome where that was not to be, with what was said."""
        model, inputs, outputs = data_sets(case)
        place = self.folder / case.name
        place.mkdir()
        path = place / f"{case.name}.onnx"
        onnx.save(model, str(path))
        try:
            prepared = prepare(path, OwnRequest(inputs=_npz(place, model, inputs)), place)
            bundle.check_own(prepared)
        except ExportError as error:
            return _refused(str(error).removeprefix(f"{path}: "), model, inputs)
        got = _outputs(prepared, len(outputs))
        try:
            Runner.assert_similar_outputs(outputs, got, case.rtol, case.atol)
        except AssertionError as error:
            return LIBRARY if _same(got, _plainly(model, inputs)) else WRONG, str(error)
        entry = bundle.add_own(self.folder / "bundle", prepared, "test")
        self.entries[prepared.id], self.cases[prepared.id] = entry, case.name
        return None

    def measure(self, say: Say) -> None:
        """Measure every case in the bundle, through plan, job list, scheduler and record."""
        models = [*self.entries.values()]
        contents = {"experiment": None, "models": models, "skipped": []}
        index = bundle.finish(self.folder / "bundle", contents)
        schema.load(str(index), "bundle")
        device = Device.model_validate({"transport": "process", "backend": "onnxruntime"})
        experiment = {"name": "x", "measure": LIGHT}
        made = plan.plan({**contents, "experiment": experiment}, {"local": device}, "test")
        jobs = self.folder / "jobs.json"
        jobs.write_text(json.dumps({**plan.job_list(made, "20260101-000000-x", "local"), "bundle": "bundle"}))
        loaded, out = job_list.load(str(jobs)), self.folder / "out"
        store = Store(str(out))
        InProcess(loaded, store, lambda job: say(self.cases[job["model"]["id"]], None, "")).run()
        for job in loaded.jobs:
            error = schema.load(store.record_path(job), "record")["error"]
            say(self.cases[job["model"]["id"]], FAILED if error else RIGHT, error["message"] if error else "")


class InProcess(Scheduler):
    """The runtime's scheduler, whose measuring processes are this one."""

    def __init__(self, jobs: JobList, store: Store, begun: Callable[[Job], None]) -> None:
        super().__init__(jobs, store, lambda event: None)
        self.begun = begun

    def _run(self, step: Any, readings: Any, watch: Any) -> Part:
        self.begun(step.job)
        part: Part = {"status": "ok", "error": None}
        try:
            for found in model_run.run(self._task(step)):
                part = {**part, **found}
        except Exception as error:
            part["status"], part["error"] = "failed", failure(error)
        return part


def _refused(told: str, model: onnx.ModelProto, inputs: list[Any]) -> tuple[str, str]:
    """A refusal is right in one line; one that blames the file, where plain onnxruntime refuses it too."""
    if "\n" in told:
        return WRONG, f"more than one line: {told}"
    try:
        runs = told.startswith(BLAMES) and _plainly(model, inputs) is not None
    except Exception:  # whatever onnxruntime has against it
        runs = False
    return NEEDLESS if runs else REFUSED, told


def _outputs(prepared: Prepared, count: int) -> list[Array]:
    stored = dict(np.load(prepared.reference))
    return [stored[f"output.{n}"] for n in range(count) if f"output.{n}" in stored]


def _plainly(model: onnx.ModelProto, inputs: list[Any]) -> list[Array]:
    """What onnxruntime answers without anything of ours."""
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [item.name for item in session.get_inputs()]
    return list(session.run(None, dict(zip(names, inputs, strict=True))))


def _same(got: list[Array], wanted: list[Array]) -> bool:
    """To 1e-5: another number of threads sums up in another order."""
    pairs = zip(got, wanted, strict=True)
    return all(a.shape == b.shape and np.allclose(a, b, 1e-5, 1e-5, equal_nan=True) for a, b in pairs)


def _npz(place: Path, model: onnx.ModelProto, inputs: list[Any]) -> Path | None:
    """The shipped inputs as --input takes them; None where one is no array."""
    weights = {tensor.name for tensor in model.graph.initializer}
    names = [item.name for item in model.graph.input if item.name not in weights]
    if not all(isinstance(array, np.ndarray) and array.dtype.kind in "fiub" for array in inputs):
        return None
    with np.errstate(all="ignore"):
        np.savez(place / "x.npz", **dict(zip(names, inputs, strict=False)))
    return place / "x.npz"


def measure_units(folder: Path, units: list[str], each: int, done: set[str], say: Say) -> None:
    """Export every case of the units that is not done, then measure those that were accepted."""
    folder.mkdir(parents=True)
    trial = Trial(folder)
    for case in (case for unit in units for case in cases(unit, each)):
        if case.name in done:
            continue
        say(case.name, None, "")  # begun: should the process die now, it is this case's
        ended = trial.export(case)
        if ended:
            say(case.name, *ended)
    forget()
    if trial.entries:
        trial.measure(say)


def forget() -> None:
    """Drop the units' models: reading the memory ladder takes as long as the process is large."""
    node_cases._NodeTestCases.clear()
    gc.collect()
    gc.freeze()
    memory.trim()


def resident(root: str = "/proc/self") -> dict[str, int | None]:
    """Memory as on a kernel without smaps: walking all pages seven times a model takes half of the time."""
    return {"rss": memory.status_field("VmRSS", root), "pss": None, "uss": None, "swap": None}


def tell(case: str, outcome: str | None, said: str) -> None:
    """One row on standard output; the case at hand has PATIENCE from now on."""
    print(json.dumps({"case": case, "outcome": outcome, "said": " ".join(said.split())[:300]}), flush=True)
    faulthandler.dump_traceback_later(PATIENCE, exit=True)


def main() -> None:
    """As the module says."""
    done = set(sys.stdin.read().split())
    memory.process_memory = resident
    model_run._libraries = functools.lru_cache(model_run._libraries)
    warnings.simplefilter("ignore")  # the cases divide by zero on purpose
    out, each, *units = sys.argv[1:]
    for n in range(0, len(units), TOGETHER):
        measure_units(Path(out) / str(n), units[n : n + TOGETHER], int(each), done, tell)


if __name__ == "__main__":
    main()

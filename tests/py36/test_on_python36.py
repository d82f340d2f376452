"""The runtime's own tests, executed by the Python 3.6 of a JetPack 4 board.

tests/unit/runtime/test_python36.py starts them, with ORBITBENCH_JOBS naming a job list whose models it made:
the onnx package does not run here.
"""

import json
import os
import random
import subprocess
import sys

import pytest

from bench.record import files, measure, samples, schema
from bench.runtime.backends.base import Settings
from bench.runtime.backends.onnxruntime import OnnxRuntimeBackend
from bench.runtime.machine import clock
from bench.runtime.measure import timing
from bench.runtime.supervise import job_list

JOBS = os.environ["ORBITBENCH_JOBS"]


def test_this_is_the_python_and_the_library_of_a_jetpack_4_board():
    import onnxruntime

    assert sys.version_info[:2] == (3, 6)
    assert onnxruntime.__version__ == "1.10.0"


def test_a_series_survives():
    noise = random.Random(1)
    values = [noise.randrange(-(2**40), 2**40) for _ in range(2000)]
    assert samples.decode(samples.encode(values)) == values


def test_the_clock_without_nanoseconds_is_monotonic_and_fine():
    stamps = [clock.now_ns() for _ in range(1000)]
    assert stamps == sorted(stamps)
    assert all(isinstance(s, int) for s in stamps)
    steps = [b - a for a, b in zip(stamps, stamps[1:]) if b > a]
    assert min(steps) < 10000


def test_the_order_of_work_is_the_same_as_on_any_other_python():
    listed = [{"id": str(i), "measure": {"processes": 2}} for i in range(5)]
    order = [(step.job["id"], step.process) for step in job_list.order(listed, 1234)]
    assert order == [tuple(pair) for pair in json.loads(os.environ["ORBITBENCH_ORDER"])]


def test_hostile_json_is_refused(tmp_path):
    path = tmp_path / "a.json"
    for text in ("[" * 100000, '{"a": NaN}', '{"a": 1, "a": 2}', ""):
        path.write_text(text)
        with pytest.raises(files.BadFileError):
            files.read_json(str(path))


def test_an_inference_bound_once_gives_the_same_answer_as_a_plain_run():
    import numpy
    import onnxruntime

    todo = job_list.load(JOBS)
    path = os.path.join(todo.bundle, todo.jobs[0]["model"]["file"])
    backend = OnnxRuntimeBackend(Settings("fp32", 1, 1, None, None, {}))
    backend.import_library()
    with backend:
        tensor = backend.load(path)[0]
        array = numpy.random.RandomState(0).standard_normal(tensor.shape).astype(tensor.dtype)
        backend.bind({tensor.name: array})
        for _ in range(3):
            backend.infer()
        plain = onnxruntime.InferenceSession(path).run(None, {tensor.name: array})
        assert numpy.allclose(backend.outputs()[0], plain[0], atol=1e-6)
        array[...] = 0  # the binding reads the very array: a new input needs no new binding
        backend.infer()
        assert not numpy.allclose(backend.outputs()[0], plain[0])


def test_the_sampling_loop_fills_what_it_says():

    out = timing.buffer(300)
    plan = dict(measure.DEFAULTS, min_samples=100, max_samples=300, min_seconds=0.0, target_ci=1e9)
    outcome = timing.measure(lambda: None, plan, out)
    assert 100 <= outcome.n <= 300
    assert outcome.stopped_by in ("target_ci", "max_samples")


def test_a_job_list_runs_to_records_that_the_schema_accepts(tmp_path):
    command = [sys.executable, "-m", "bench.runtime", JOBS, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        events = [json.loads(line.decode()) for line in process.stdout]
    assert process.returncode == 1
    end = {"event": "end", "ok": 2, "failed": 1, "skipped": 0}
    assert events[-1] == end
    for name in os.listdir(str(tmp_path / "records")):
        record = schema.load(str(tmp_path / "records" / name), "record")
        assert record["environment"]["python"].startswith("3.6.")
        if record["status"] == "ok":
            assert record["memory"]["rungs"][-1]["rung"] == "steady_trimmed"
            assert record["output_check"]["ok"]
            if record["job"]["measure"].get("profile"):  # onnxruntime 1.10 has a profiler, without shapes
                layers = record["profile"]["layers"]
                assert sum(layer["seconds"] for layer in layers) > 0
                assert {"Conv", "MatMul"} <= {layer["operator"] for layer in layers}
        else:
            assert record["error"]["kind"] == "unsupported_operator"

"""What the runtime adds to what it measures, and whether it tells a difference from none."""

import contextlib
import gc
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bench.commands.versus import ratio_of_turns
from bench.record import measure, samples
from bench.runtime.backends.base import Settings
from bench.runtime.backends.null import NullBackend
from bench.runtime.backends.onnxruntime import OnnxRuntimeBackend
from bench.runtime.duel import duel
from bench.runtime.machine.sensors import Sensors
from bench.runtime.measure import timing
from bench.runtime.supervise import supervisor
from orchestrate.analysis import memory as memory_figures
from orchestrate.analysis import statistics as intervals
from tests import models
from tests.performance.rows import Row, figure

SETTINGS = Settings("fp32", 1, 1, None, None, {})
PAIRS, REPEATS, PROCESSES = 10, 40, 4
ROUNDS, ROUND_SECONDS, TURN_SECONDS = 4, 0.3, 0.003
BLOCK, TURNS = 40, 100  # samples a turn, turns a side and pair
QUICK = {
    **measure.DEFAULTS,
    "warmup_seconds": 0.02,
    "min_seconds": 0.1,
    "max_seconds": 0.1,
    "min_samples": 11,
}


def model(folder: Path, channels: int = 16) -> Path:
    """A convolutional network of about 0.1 ms (16 channels) or 1 ms (64) an inference on a desktop CPU."""
    return models.cnn(folder / f"cnn{channels}.onnx", channels=channels, layers=2 if channels <= 16 else 3)


@contextlib.contextmanager
def loaded(path: Path) -> Iterator[Any]:
    backend = OnnxRuntimeBackend(SETTINGS)
    backend.import_library()
    with backend:
        tensor = backend.load(str(path))[0]
        backend.bind({tensor.name: np.random.default_rng(0).standard_normal(tensor.shape).astype("f4")})
        yield backend


def bare_loop(session: Any, binding: Any, count: int) -> list[float]:
    """The seconds that anyone would measure in five lines."""
    found = []
    for _ in range(count):
        start = time.perf_counter()
        session.run_with_iobinding(binding)
        found.append(time.perf_counter() - start)
    return found


def one_pair(backend: Any, out: Any, ours_first: bool) -> float:
    """p50 by the runtime over p50 by a bare loop, of neighbouring turns of some milliseconds; their median.

    A whole side after the other would compare two moments of the machine; see `bench.runtime.duel.duel`.
    """
    plan = {**measure.DEFAULTS, "min_samples": BLOCK, "max_samples": BLOCK, "max_seconds": 60.0}
    ratios = []
    for turn in range(TURNS):
        took = {}
        for ours in (ours_first == (turn % 2 == 0), ours_first != (turn % 2 == 0)):
            if ours:
                timing.measure(backend.infer, plan, out)
                took[ours] = statistics.median(out) * 1e-9
            else:
                gc.collect()  # as `measure` does, whose cost is none of a sample's
                took[ours] = statistics.median(bare_loop(backend._session, backend._binding, BLOCK))
        ratios.append(took[True] / took[False])
    return statistics.median(ratios)


def overhead() -> list[Row]:
    """p50 by the runtime over p50 of a bare loop on the same session, in turns."""
    out = timing.buffer(BLOCK)
    with tempfile.TemporaryDirectory() as folder, loaded(model(Path(folder))) as backend:
        bare = statistics.median(bare_loop(backend._session, backend._binding, 2000))
        value = statistics.median([one_pair(backend, out, bool(turn % 2)) for turn in range(PAIRS)])
    name = f"p50 by the runtime over p50 of a bare loop (median of {PAIRS} pairs)"
    return [figure(name, value, "ratio", "<= 1.01", value <= 1.01, f"{bare * 1e3:.3f} ms bare")]


def harness_cpu() -> list[Row]:
    """CPU time of the whole loop, looks at the interval included, an inference that does nothing."""
    plan = {
        **measure.DEFAULTS,
        "max_samples": 100_000,
        "min_seconds": 0.0,
        "target_ci": 0.0,
        "max_seconds": 10.0,
    }
    out = timing.buffer(100_000)
    backend = NullBackend(SETTINGS)
    costs = []
    for _ in range(5):
        outcome = timing.measure(backend.infer, plan, out)
        costs.append(outcome.cpu_seconds / outcome.n * 1e6)
    value = statistics.median(costs)
    return [figure("harness CPU outside the timed region", value, "us an inference", "<= 5", value <= 5)]


def task(path: Path, plan: dict[str, Any]) -> dict[str, Any]:
    job = {"id": "x", "model": {}, "backend": "onnxruntime", "precision": "fp32", "threads": 1, "batch": 1}
    return {
        "job": job,
        "process": 1,
        "order": 0,
        "model": str(path),
        "reference": None,
        "measure": plan,
        "seed": 1,
    }


def measured(path: Path, plan: dict[str, Any], slow: bool = False) -> dict[str, Any]:
    """The part of one fresh process, by the runtime's own launcher."""
    original: Callable[[], list[str]] = supervisor.child_command
    if slow:
        supervisor.child_command = lambda: [sys.executable, "-m", "tests.performance.slow_child"]
    try:
        part = supervisor.run_child(task(path, plan), 60, lambda pid: None)
    finally:
        supervisor.child_command = original
    assert part["status"] == "ok", part["error"]
    return part


@contextlib.contextmanager
def busy_core() -> Iterator[None]:
    """One core kept busy by a process of its own."""
    spin = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        spin.kill()
        spin.wait()


def in_turns() -> list[Row]:
    """A/A and A/slower by `bench versus`, one core busy."""
    slow = ["-m", "tests.performance.slow_child", "turns"]
    false, found, ratios = 0, 0, []
    with tempfile.TemporaryDirectory() as folder, busy_core():
        plan = {**QUICK, "timeout_seconds": 60.0}
        pair = [task(model(Path(folder)), plan)] * 2
        for seed in range(REPEATS):
            same = list(duel.rounds(pair, ROUNDS, ROUND_SECONDS, TURN_SECONDS, seed))
            false += bool(ratio_of_turns(same).differs)
            other = duel.rounds(pair, ROUNDS, ROUND_SECONDS, TURN_SECONDS, seed, [None, slow])
            slower = ratio_of_turns(list(other))
            found += bool(slower.differs and slower.ratio > 1)
            ratios.append(slower.ratio)
    context = f"{REPEATS} repeats, {ROUNDS} rounds of {ROUND_SECONDS:g} s"
    return _decided("in turns (bench versus)", false, found, ratios, context, power=True)


def run_after_run() -> list[Row]:
    """A/A and A/slower by fresh processes in random order, one core busy, decided as `orchestrate compare`
    decides; what it finds depends on how still the machine is, so that has no target."""
    false, found, ratios = 0, 0, []
    turn = random.Random(1)
    with tempfile.TemporaryDirectory() as folder, busy_core():
        path = model(Path(folder))
        for _ in range(REPEATS):
            arms: dict[str, list[float]] = {"a": [], "same": [], "slow": []}
            for _ in range(PROCESSES):
                for arm in turn.sample(list(arms), 3):
                    part = measured(path, QUICK, arm == "slow")
                    arms[arm].append(statistics.median(samples.seconds(part["latency"]["samples"])))
            false += told(intervals.of_ratio(arms["same"], arms["a"]))
            slower = intervals.of_ratio(arms["slow"], arms["a"])
            found += told(slower) and slower.value > 1
            ratios.append(slower.value)
    context = f"{REPEATS} repeats, {PROCESSES} processes a side"
    return _decided("one after the other (orchestrate compare)", false, found, ratios, context, power=False)


def told(ratio: intervals.Estimate) -> bool:
    """Whether a ratio is distinguishable from 1, and off by 1 % or more."""
    return not ratio.low <= 1 <= ratio.high and abs(ratio.value - 1) >= 0.01


def _decided(how: str, false: int, found: int, ratios: list[float], context: str, power: bool) -> list[Row]:
    claimed, detected = false / REPEATS, found / REPEATS
    ratio = f"median ratio {statistics.median(ratios):.4f}"
    target, ok = (">= 0.9", detected >= 0.9) if power else ("none", None)
    return [
        figure(f"A/A {how}: a difference claimed", claimed, "share", "<= 0.05", claimed <= 0.05, context),
        figure(f"3 % slowdown found, {how}", detected, "share", target, ok, ratio, "higher"),
    ]


def independent_instrument() -> list[Row]:
    """Mean latency times count against what the kernel counted for the process: CPU time, and waiting for
    a CPU."""
    plan = {**QUICK, "min_seconds": 1.0, "max_seconds": 1.0}
    with tempfile.TemporaryDirectory() as folder:
        parts = [measured(model(Path(folder), 64), plan) for _ in range(5)]
    calm = min(parts, key=lambda part: part["facts"]["waiting"] or 0.0)
    waited = calm["facts"]["waiting"] or 0.0
    value = sum(samples.seconds(calm["latency"]["samples"])) / (calm["latency"]["cpu_seconds"] + waited)
    name = "mean latency x count over the kernel's CPU time of the process (1 thread)"
    context = f"waited {waited:.3f} s of {calm['facts']['span']:.2f} s, the calmest of 5 runs"
    return [figure(name, value, "ratio", "0.97 to 1.03", 0.97 <= value <= 1.03, context)]


def memory_slope() -> list[Row]:
    """Four networks, each with more weights: bytes a byte of weights (slope) apart from the constant."""
    weights, trimmed, untrimmed = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for layers in (4, 7, 10, 13):
            path = models.cnn(Path(folder) / f"{layers}.onnx", channels=256, size=8, layers=layers)
            part = measured(path, QUICK)
            found = memory_figures.values({rung["rung"]: rung for rung in part["rungs"]})
            weights.append(part["residual"][0]["weights"])
            trimmed.append(found["model_own_trimmed"])
            untrimmed.append(found["model_own_untrimmed"])
    slope, intercept = np.polyfit(weights, trimmed, 1)
    before = f"{np.polyfit(weights, untrimmed, 1)[0]:.2f} before malloc_trim"
    constant = f"with {intercept / 1e6:.1f} MB that no weight explains"
    name = "memory.model: bytes a byte of weights"
    ok = bool(0.9 <= slope <= 1.1)
    return [figure(name, float(slope), "ratio", "0.9 to 1.1: held once", ok, f"{before}, {constant}")]


def sensor_cost() -> list[Row]:
    """What reading all sensors twice a second takes of a core, in the parent."""
    sensors = Sensors()
    start = time.process_time()
    for _ in range(200):
        sensors.read()
    each = (time.process_time() - start) / 200
    share = each / supervisor.POLL_SECONDS
    return [
        figure(
            "sensors' share of a core",
            share,
            "share",
            "<= 0.001",
            share <= 0.001,
            f"{each * 1e6:.0f} us a reading",
        )
    ]


def series_size() -> list[Row]:
    """Bytes of JSON for 24,576 real samples, against the same numbers written out."""
    out = timing.buffer(24_576)
    with tempfile.TemporaryDirectory() as folder, loaded(model(Path(folder))) as backend:
        timing.sample(backend.infer, out, 0, len(out))
    size, plain = len(samples.encode(out)["data"]), sum(len(str(x)) + 1 for x in out)
    return [
        figure("24,576 samples in a record", size, "bytes", "< 100000", size < 100_000, f"{plain} as text")
    ]


BENCHMARKS = [
    overhead,
    harness_cpu,
    independent_instrument,
    memory_slope,
    sensor_cost,
    series_size,
    in_turns,
    run_after_run,
]

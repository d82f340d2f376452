"""Tasks on Ray that lose their process, their node, or Ray itself."""

import json
import os
import secrets
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

from bench.search import sweep as searching
from bench.search.task import SearchTask, plan_search, search
from bench.train.recipe import Recipe
from bench.train.result import Result
from bench.train.run import CHECKPOINT, WEIGHTS, train
from bench.train.sweep import sweep
from bench.train.task import TrainingTask
from bench.train.trainer import Trainer
from bench.work import cluster, ray_session
from bench.work.cluster import Outcome, Share
from bench.work.resumable import Place
from bench.zoo import architecture, dataset
from tests.conftest import PATIENCE, wait_for

if TYPE_CHECKING:
    from ray.cluster_utils import Cluster

    from tests.integration.ray.conftest import RayHere

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(find_spec("ray") is None, reason="Ray (pip install 'orbitbench[train]')"),
]
MEMORY = {"object_store_memory": 80_000_000, "include_dashboard": False}


def a_training(epochs: int) -> TrainingTask:
    widths = (2,) * 8
    cost = architecture("vgg11").cost(widths, dataset("digits"))
    recipe = Recipe(epochs=epochs, batch=480, milestones=(), flip=False)
    numbers = (widths, int(cost.params), int(cost.macs), 0)
    return TrainingTask(
        "vgg11-digits-uniform-w0.01", "vgg11", "digits", "uniform", 0.01, "width", *numbers, recipe
    )


def a_search() -> SearchTask:
    tiny = {"width_ratio": 0.04, "image_size": 8, "batch": 256, "minibatches": 1, "units": 12}
    long = {"iterations": 1, "warmup_epochs": 15, "max_epochs": 60}
    return plan_search("preact_resnet18", "digits", "reduced", {**tiny, **long})


def assert_as_undisturbed(training: TrainingTask, end: Outcome[Any, Any], out: Path) -> None:
    """It went on where it was, and ended as it does alone, weights included."""
    assert end.error is None
    assert end.result["resumed_at"] > 0  # nothing was trained twice from scratch
    undisturbed = train(training, Place(out / "alone"))
    assert end.result["history"] == undisturbed["history"]
    states = [
        torch.load(training.folder(place) / WEIGHTS, weights_only=True)["state"]
        for place in (out, out / "alone")
    ]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


def killed_once(place: Place, task: TrainingTask, threads: int) -> Result:
    """Train; where it starts without a checkpoint, its process is killed as soon as it has written one."""
    checkpoint = task.folder(place.out) / CHECKPOINT
    first = not checkpoint.exists()

    def kill(_: Trainer) -> None:
        if first and checkpoint.exists():
            os.kill(os.getpid(), signal.SIGKILL)

    return train(task, replace(place, threads=threads, every=0 if first else place.every), kill)


def test_a_task_whose_process_is_killed_ends_in_another_from_its_checkpoint(
    ray_here: "RayHere", tmp_path: Path
) -> None:
    from ray import cloudpickle

    cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers know no tests
    training, place = a_training(epochs=2), Place(tmp_path)
    (end,) = cluster.run([training], lambda *given: killed_once(place, *given), Share())
    assert_as_undisturbed(training, end, tmp_path)


def test_a_ray_that_has_ended_needs_no_cancelling_and_none_is_started_for_it(ray_here: "RayHere") -> None:
    import ray

    ends = cluster.run([0, 3600], lambda seconds, threads: time.sleep(seconds), Share())
    assert next(ends).error is None
    ray_here.stop()
    ends.close()
    assert not ray.is_initialized()


# -- a whole node -------------------------------------------------------------------------------------------
@pytest.fixture
def two_nodes(monkeypatch: pytest.MonkeyPatch, ray_sessions: "RayHere") -> Iterator["Cluster"]:
    """A head that computes nothing, so that work runs on the nodes a test adds; it asks for a token."""
    from ray.cluster_utils import Cluster

    ray_sessions.stop()
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
    assert ray_session.read_token()
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **MEMORY})
    try:
        with ray_session.join(made.address):
            yield made
    finally:
        made.shutdown()


def started(run: Callable[..., Iterator[Outcome[Any, Any]]], task: object, place: Place) -> Any:
    """The thread of a sweep with one task, and the list that its end goes to, or what it raised.

    A thread that waits in Ray cannot be ended: as a daemon it does not outlive a test that has failed.
    """
    ends: list[Any] = []

    def work() -> None:
        try:
            ends.extend(run([task], place, Share(cpus=1)))
        except BaseException as error:  # SystemExit among them, where Ray ends meanwhile
            ends.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread, ends


@pytest.mark.slow
def test_tasks_whose_node_is_killed_end_on_another_from_their_checkpoints(
    two_nodes: "Cluster", tmp_path: Path
) -> None:
    training, other = a_training(epochs=20), a_search()
    place = Place(tmp_path, every=0.1)
    first = two_nodes.add_node(num_cpus=2, **MEMORY)
    runs = [started(sweep, training, place), started(searching.sweep, other, place)]
    for task in (training, other):
        wait_for((task.folder(tmp_path) / CHECKPOINT).exists, f"no checkpoint of {task}")
    two_nodes.remove_node(first, allow_graceful=False)
    two_nodes.add_node(num_cpus=2, **MEMORY)
    for thread, _ in runs:
        thread.join(timeout=PATIENCE)
    ((trained,), (searched,)) = [ends for _, ends in runs]
    assert_as_undisturbed(training, trained, tmp_path)
    record = json.loads((other.folder(tmp_path) / "record.json").read_bytes())
    assert record["resumed"] == 1
    assert (searched.error, searched.result) == (None, search(other, tmp_path / "search", Place(tmp_path)))

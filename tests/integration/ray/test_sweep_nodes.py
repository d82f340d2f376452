"""A sweep on two nodes of Ray on this machine: one is killed, the work ends on the other."""

import json
import secrets
import threading
import time
from importlib.util import find_spec

import pytest
import torch

from bench.search import sweep as searching
from bench.search.task import plan_search, search
from bench.train.recipe import Recipe
from bench.train.run import CHECKPOINT, WEIGHTS, train
from bench.train.sweep import sweep
from bench.train.task import TrainingTask
from bench.work import ray_session
from bench.work.cluster import Share
from bench.work.resumable import Place
from bench.zoo import architecture, dataset
from tests.conftest import PATIENCE

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(find_spec("ray") is None, reason="Ray (pip install 'orbitbench[train]')"),
]
MEMORY = {"object_store_memory": 80_000_000, "include_dashboard": False}


def a_long_task():
    widths = (2,) * 8
    cost = architecture("vgg11").cost(widths, dataset("digits"))
    recipe = Recipe(epochs=20, batch=480, milestones=(), flip=False)
    numbers = (widths, int(cost.params), int(cost.macs), 0)
    return TrainingTask(
        "vgg11-digits-uniform-w0.01", "vgg11", "digits", "uniform", 0.01, "width", *numbers, recipe
    )


@pytest.fixture
def cluster(monkeypatch, ray_sessions):
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


def a_long_search():
    tiny = {"width_ratio": 0.04, "image_size": 8, "batch": 256, "minibatches": 1, "units": 12}
    return plan_search(
        "preact_resnet18",
        "digits",
        "reduced",
        {**tiny, "iterations": 1, "warmup_epochs": 15, "max_epochs": 60},
    )


def started(run, task, place):
    """The thread of a sweep with one task, and the list that its end goes to.

    A thread that waits in Ray cannot be ended: as a daemon it does not outlive a test that has failed.
    """
    ends = []
    work = lambda: ends.extend(run([task], place, Share(cpus=1)))  # noqa: E731
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread, ends


def wait_for(*files):
    deadline = time.monotonic() + PATIENCE
    for file in files:
        while not file.exists():
            assert time.monotonic() < deadline, f"no checkpoint in {PATIENCE} s"
            time.sleep(0.05)


def test_tasks_whose_node_is_killed_end_on_another_from_their_checkpoints(cluster, tmp_path):
    training, other, place = a_long_task(), a_long_search(), Place(tmp_path, every=0.1)
    first = cluster.add_node(num_cpus=2, **MEMORY)
    runs = [started(sweep, training, place), started(searching.sweep, other, place)]
    wait_for(other.folder(tmp_path) / CHECKPOINT, training.folder(tmp_path) / CHECKPOINT)
    cluster.remove_node(first, allow_graceful=False)
    cluster.add_node(num_cpus=2, **MEMORY)
    for thread, _ in runs:
        thread.join(timeout=PATIENCE)
    ((trained,), (searched,)) = [ends for _, ends in runs]
    assert (trained.error, searched.error) == (None, None)

    assert trained.result["resumed_at"] > 0  # nothing was trained twice from scratch
    undisturbed = train(training, Place(tmp_path / "alone"))
    assert trained.result["history"] == undisturbed["history"]
    states = [
        torch.load(training.folder(out) / WEIGHTS, weights_only=True)["state"]
        for out in (tmp_path, tmp_path / "alone")
    ]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])

    record = json.loads((other.folder(tmp_path) / "record.json").read_bytes())
    assert record["resumed"] == 1
    assert searched.result == search(other, tmp_path / "search", Place(tmp_path))

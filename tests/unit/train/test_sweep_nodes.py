"""A sweep on two nodes of Ray on this machine: one is killed, the work ends on the other."""

import threading
import time

import pytest
import torch

from bench.train.recipe import Recipe
from bench.train.run import CHECKPOINT, WEIGHTS, Place, train
from bench.train.sweep import Share, sweep
from bench.train.task import Task
from bench.zoo import architecture, dataset

ray = pytest.importorskip("ray", reason="Ray (pip install 'orbitbench[train]')")
MEMORY = {"object_store_memory": 80_000_000, "include_dashboard": False}


def a_long_task():
    widths = (2,) * 8
    cost = architecture("vgg11").cost(widths, dataset("digits"))
    recipe = Recipe(epochs=15, batch=480, milestones=(), flip=False)
    numbers = (widths, int(cost.params), int(cost.macs), 0)
    return Task("vgg11-digits-uniform-w0.01", "vgg11", "digits", "uniform", 0.01, "width", *numbers, recipe)


@pytest.fixture
def cluster():
    """A head that computes nothing, so that work runs on the nodes a test adds."""
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **MEMORY})
    ray.init(made.address, log_to_driver=False, logging_level="ERROR")
    yield made
    ray.shutdown()
    made.shutdown()


def test_a_task_whose_node_is_killed_ends_on_another_from_its_checkpoint(cluster, tmp_path):
    long = a_long_task()
    first, ends = cluster.add_node(num_cpus=1, **MEMORY), []
    run = threading.Thread(
        target=lambda: ends.extend(sweep([long], Place(tmp_path, every=0.1), Share(cpus=1)))
    )
    run.start()
    checkpoint = long.folder(tmp_path) / CHECKPOINT
    deadline = time.monotonic() + 120
    while not checkpoint.exists():
        assert time.monotonic() < deadline, "no checkpoint in two minutes"
        time.sleep(0.05)
    cluster.add_node(num_cpus=1, **MEMORY)
    cluster.remove_node(first, allow_graceful=False)
    run.join(timeout=240)
    (end,) = ends
    assert end.error is None
    assert end.result["resumed_at"] > 0  # nothing was trained twice from scratch
    undisturbed = train(long, Place(tmp_path / "alone"))
    assert end.result["history"] == undisturbed["history"]
    states = [
        torch.load(long.folder(out) / WEIGHTS, weights_only=True)["state"]
        for out in (tmp_path, tmp_path / "alone")
    ]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])

"""Records read together, and by several processes, give what each gives alone."""

import json
import multiprocessing
import os
import threading
from pathlib import Path

import numpy as np
import pytest

from bench.record.files import read_json
from orchestrate.analysis import job, latency, memory, reading, records
from orchestrate.errors import BadInput
from tests import synthetic
from tests.synthetic import Study


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve records of two devices: of several lengths, one damaged, one that is no JSON."""
    folder = tmp_path_factory.mktemp("together")
    study = Study(architectures=("vgg11", "mobilenetv2"), ratios=(0.5,), devices=("a", "b"))
    run = synthetic.write(study, folder)
    paths = sorted(run.glob("*/records/*.json"))
    for count, path in enumerate(paths):
        record = json.loads(path.read_text())
        for place, process in enumerate(record["latency"]["processes"]):
            values = np.random.default_rng(count).integers(10**6, 10**7, 20 + 30 * count + place % 2)
            process["samples"] = synthetic.series(values)
        path.write_text(json.dumps(record))
    damaged = json.loads(paths[1].read_text())
    damaged["latency"]["processes"][1]["samples"]["data"] = "!"
    paths[1].write_text(json.dumps(damaged))
    paths[2].write_text("{")
    return run


def shares(run: Path) -> list[reading.FileShare]:
    return list(reading._shares(run))


def test_a_damaged_record_takes_no_other_of_its_batch_with_it(run: Path) -> None:
    found = records.read([run])
    assert len(found.jobs) == 6
    assert [each.code for each in found.excluded] == ["unreadable", "unreadable"]
    assert any("series is damaged" in each.reason for each in found.excluded)


def test_each_job_of_a_batch_is_the_job_of_the_record_alone(run: Path) -> None:
    for found in records.read([run]).jobs:
        path = run / found.device / "records" / found.file
        alone = job.build(read_json(str(path)))
        assert repr({**vars(found), "file": ""}) == repr(vars(alone))  # some are NaN


def test_several_processes_give_the_same_in_the_same_order(run: Path) -> None:
    alone = [found for share in shares(run) for found in reading.read(share)]
    with reading._in_processes(shares(run), 2) as found:
        assert repr(list(found)) == repr(alone)


def test_a_process_that_is_killed_is_one_line(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_one", lambda *_: os.kill(os.getpid(), 9))
    with (
        pytest.raises(BadInput, match="was killed; is there enough memory"),
        reading._in_processes(shares(run), 2) as found,
    ):
        list(found)


def test_no_process_outlives_a_block_that_ends_early(run: Path) -> None:
    with pytest.raises(KeyError), reading._in_processes(shares(run), 2):
        raise KeyError
    assert not multiprocessing.active_children()


def test_beside_a_thread_nothing_is_forked(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "ALONE", 0)
    monkeypatch.setattr(reading, "_in_processes", lambda *_: pytest.fail("forked"))
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    try:
        with reading.begun([run]) as found:
            assert len(list(found)) == 8
    finally:
        done.set()
        thread.join()


@pytest.mark.parametrize("n", [1, 2, 11, 12, 13, 100, 101])
def test_figures_are_those_of_numpy(n: int) -> None:
    values = np.random.default_rng(n).lognormal(size=n)
    (process,), (pooled,) = latency.of_processes([values]), latency.of_records([values])
    count = min(latency.DRIFT_BLOCKS, n)
    blocks = np.median(values[: n // count * count].reshape(count, -1), axis=1)
    assert process == (np.median(values), values.sum(), tuple(blocks))
    assert pooled.quantiles == pytest.approx(np.quantile(values, latency.QUANTILES), rel=1e-12)
    assert (pooled.mean, pooled.best, pooled.n) == (values.mean(), values.min(), n)


def test_a_ladder_beside_others_reads_as_alone() -> None:
    rungs = {name: {"rss": 50 + n, "uss": 40 + n, "peak_rss": 60} for n, name in enumerate(memory.ORDER)}
    board = {name: {**rung, "gpu_free": 5} for name, rung in rungs.items()}  # whose part is not known
    together = memory.Ladders([*memory.rows_of(rungs), *memory.rows_of(board)])
    for place, each in enumerate((rungs, board)):
        read = {key: together.under(definition)[place] for key, definition in memory.DEFINITIONS.items()}
        assert memory.values(each) == {key: size for key, size in read.items() if not np.isnan(size)}
    assert memory.PROCESS in memory.values(rungs)
    assert memory.PROCESS not in memory.values(board)
    assert memory.values(board)["gpu_free"] == 0

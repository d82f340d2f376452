"""Time to steady: load, first inference, and what comes before inferences are as quick as they stay."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.record import samples
from orchestrate.analysis import records, settling
from orchestrate.analysis.table import row
from tests import synthetic
from tests.synthetic import Study

MS = 1_000_000


@pytest.mark.parametrize(
    ("inferences", "before"),
    [
        ([1.0] * 50, 0.0),
        ([1.04] * 50, 0.0),
        ([3.0] * 20 + [1.0] * 50, 15 * 3.0),  # from the 16th on six of eleven are quick
        ([3.0] * 500 + [1.0] * 50, 495 * 3.0),
        ([9.0, 1.0] + [1.0] * 20, 0.0),  # one slow inference is no slow start
        ([3.0] * 20, math.inf),  # they end before
        ([1.0] * 3, 0.0),
    ],
)
def test_a_model_has_settled_when_eleven_in_a_row_are_near_its_median(
    inferences: list[float], before: float
) -> None:
    assert settling.seconds(np.array(inferences), 1.0) == pytest.approx(before)


def entry(**own: Any) -> dict[str, Any]:
    slow = samples.encode([3 * MS] * 10 + [MS] * 20)
    return {"load_seconds": 0.5, "first_seconds": 0.1, "warmup": slow, **own}


def test_load_and_first_inference_are_part_of_it_and_cold_ones_are_apart() -> None:
    cold = {"cold_load_seconds": 2.0, "cold_first_seconds": 0.2, "cold_warmup": samples.encode([MS] * 12)}
    jobs = [[settling.starts(each) for each in job] for job in ([entry(**cold), entry()], [entry()])]
    found = list(settling.of_jobs(jobs, [0.001] * 3, [settling.NONE] * 3))
    assert found[0].steady == pytest.approx((0.615, 0.615))
    assert found[0].cold_steady == pytest.approx((2.2,))
    assert found[1].cold_steady == ()


def test_where_a_process_does_not_have_it_the_job_has_none() -> None:
    starts = [settling.starts(each) for each in (entry(), entry(load_seconds=None))]
    (found,) = settling.of_jobs([starts], [0.001] * 2, [settling.NONE] * 2)
    assert found == ((), ())


def test_where_the_warm_up_ends_before_the_samples_are_looked_at() -> None:
    """A model that settles after 30 s of samples was steady after its warm-up of 0.7 s."""
    level = 0.016 * (1 + np.exp(-np.arange(3000) / 800))
    p50 = float(np.median(level))
    slow = {"warmup": samples.encode([32 * MS] * 20), "cold_warmup": samples.encode([32 * MS] * 20)}
    start = settling.starts(entry(**slow, cold_load_seconds=2.0, cold_first_seconds=0.2))
    (found,) = settling.of_jobs([[start]], [p50], [level])
    settled = np.flatnonzero(level <= 1.05 * p50)[0] - 5  # of eleven in a row the sixth is the median
    assert found.steady == pytest.approx((0.6 + 20 * 0.032 + level[:settled].sum(),))
    assert found.cold_steady == ()  # no samples follow a cold start: unknown, not the whole warm-up


def test_the_table_has_the_mean_over_processes_and_old_records_none(tmp_path: Path) -> None:
    run = synthetic.write(Study(architectures=("vgg11",), ratios=(0.5,), methods=("uniform",)), tmp_path)
    path = next(run.glob("*/records/*.json"))
    assert math.isnan(row(records.read([run]).jobs[0])["steady"])
    record = json.loads(path.read_text())
    for load, process in enumerate(record["latency"]["processes"], 1):
        process.update(entry(load_seconds=load, warmup=process["samples"]))
    path.write_text(json.dumps(record))
    assert row(records.read([run]).jobs[0])["steady"] == pytest.approx((1.1 * 2.1 * 3.1) ** (1 / 3))

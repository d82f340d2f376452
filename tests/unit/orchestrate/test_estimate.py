"""What is printed before a run starts: how many processes and builds, and how long they take."""

from typing import Any

import pytest

from orchestrate.runs import estimate


def planned(jobs: int, **measure: Any) -> dict[str, Any]:
    job = {"backend": measure.pop("backend", "onnxruntime"), "measure": measure}
    return {"experiment": {"measure": {}}, "devices": {"tx2": {"jobs": [job] * jobs}}}


def test_processes_are_counted_with_their_shortest_and_longest_time() -> None:
    (line,) = estimate.lines(planned(40, processes=5, max_seconds=10.0))
    assert line == "tx2: 200 processes, about 6 min to 67 min"


def test_builds_are_counted_apart_with_their_limit() -> None:
    (line,) = estimate.lines(planned(64, backend="tensorrt", processes=5, builds=5))
    assert "320 processes" in line
    assert "and 320 engine builds, about 5.3 h to 26.7 h (at most 30 min each)" in line
    (fewer,) = estimate.lines(planned(64, backend="tensorrt", builds=1, build_timeout_seconds=60))
    assert "64 engine builds, about 64 min to 5.3 h (at most 60 s each)" in fewer


@pytest.mark.parametrize(("seconds", "said"), [(40, "40 s"), (720, "12 min"), (19080, "5.3 h")])
def test_durations_are_short(seconds: float, said: str) -> None:
    assert estimate.spoken(seconds) == said

"""The known allocation is found whatever other processes do, and a reader that is wrong is found out."""

from collections.abc import Callable

import pytest

from bench.runtime.measure import selftest
from bench.runtime.measure.memory import process_memory

Sizes = dict[str, int | None]


def read_as(change: Callable[[Sizes, int], Sizes], monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the self-test read `change(sizes, number of this reading)`."""
    seen: list[Sizes] = []

    def reader() -> Sizes:
        seen.append(process_memory())
        return change(seen[-1], len(seen))

    monkeypatch.setattr(selftest, "process_memory", reader)


@pytest.mark.parametrize("each", [10_000_000, -10_000_000])
def test_pages_that_become_shared_or_private_meanwhile_are_no_error(
    monkeypatch: pytest.MonkeyPatch, each: int
) -> None:
    """A process that loads torch beside shares as much of ours between two readings, for seconds."""
    read_as(lambda sizes, n: {**sizes, "uss": (sizes["uss"] or 0) + each * n}, monkeypatch)
    found = selftest.self_test()
    assert abs(found["memory_error"]) <= found["tolerance"]


def test_a_reader_that_misses_a_twentieth_fails_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    read_as(lambda sizes, n: {kind: size and size * 19 // 20 for kind, size in sizes.items()}, monkeypatch)
    found = selftest.self_test()
    assert not found["ok"]
    assert found["memory_error"] == pytest.approx(-0.05, abs=found["tolerance"])

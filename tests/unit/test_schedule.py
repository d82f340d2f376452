"""Which worker takes which tests where they run side by side."""

from types import SimpleNamespace
from typing import Any

import pytest

from tests.conftest import ByUnit

SERVICE = [f"tests/service/test_{file}.py::test_{n}" for file in "abcdef" for n in range(5)]
OTHERS = [f"tests/unit/test_{file}.py::test_{n}" for file in "abcdefgh" for n in range(5)]


class Worker:
    """What the scheduler asks of one: it notes the tests that it was sent."""

    def __init__(self) -> None:
        self.gateway = SimpleNamespace(id="worker")
        self.todo: list[int] = []
        self.shutting_down = False

    def send_runtest_some(self, indices: list[int]) -> None:
        self.todo += indices

    def shutdown(self) -> None:
        self.shutting_down = True


def scheduled(workers: list[Worker], tests: list[str]) -> ByUnit:
    """A scheduler that has handed out the first tests."""
    config: Any = SimpleNamespace(option=SimpleNamespace(), getvalue={"tx": [f"{len(workers)}*popen"]}.get)
    scheduler = ByUnit(config, None)
    each: Any
    for each in workers:
        scheduler.add_node(each)
    for each in workers:
        scheduler.add_node_collection(each, tests)
    scheduler.schedule()
    return scheduler


@pytest.mark.parametrize(("count", "waiting"), [(1, 1), (2, 2), (4, 3)])
def test_one_in_four_computes_while_the_others_wait_for_boards(count: int, waiting: int) -> None:
    workers, tests = [Worker() for _ in range(count)], SERVICE + OTHERS
    scheduler, ran = scheduled(workers, tests), []
    while any(worker.todo for worker in workers):
        at_boards = sum(any(tests[n] in SERVICE for n in worker.todo) for worker in workers)
        assert at_boards <= waiting
        if len(set(ran).intersection(SERVICE)) < len(SERVICE) // 4:
            assert at_boards == waiting
        each: Any
        for each in [worker for worker in workers if worker.todo]:
            ran.append(tests[done := each.todo.pop(0)])
            scheduler.mark_test_complete(each, done)
    assert sorted(ran) == sorted(tests)


def test_without_other_tests_nobody_waits_for_a_turn() -> None:
    workers = [Worker() for _ in range(4)]
    scheduled(workers, SERVICE)
    assert all(worker.todo for worker in workers)

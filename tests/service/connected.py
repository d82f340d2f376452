"""What tests do with a board through the product's own connection to it."""

import contextlib
from collections.abc import Iterator, Mapping

from orchestrate.engine.connection import Engine
from orchestrate.engine.container import Board


@contextlib.contextmanager
def with_volume(engine: Engine, name: str, labels: Mapping[str, str]) -> Iterator[Board]:
    """The board behind `engine` with this volume; free afterwards, also where a test broke the connection."""
    _reopen(engine)
    board = Board(engine)
    board.create_volume(name, dict(labels))
    try:
        yield board
    finally:
        _reopen(engine)
        board.remove()
        board.remove_volume(name)


def _reopen(engine: Engine) -> None:
    if not engine.alive:
        engine.open()

"""What can be wrong with a request for widths; every message is one line that states what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.errors import InputError
from bench.record.loaders import command


class ScalingError(InputError):
    """Bad input to scaling."""


class UnreachableError(ScalingError):
    """No width vector has the size asked for. widths: of the network that has the least; figures: its own."""

    def __init__(
        self, text: str, widths: Sequence[int] = (), figures: Mapping[str, float] | None = None
    ) -> None:
        super().__init__(text)
        self.widths, self.figures = list(widths), dict(figures or {})


class RecordError(ScalingError):
    """A pruning record that cannot be read; the message names file and line."""


class NoFitError(ScalingError):
    """Nobody has searched this architecture on this data set; `command` would, '' where nothing can."""

    def __init__(self, architecture: str, dataset: str) -> None:
        self.command = command(f"bench search {architecture} --dataset {dataset}", dataset)
        advice = f"make one with: {self.command}" if self.command else "name another data set's with --fit"
        super().__init__(f"no fit for {architecture} on {dataset}; {advice}")

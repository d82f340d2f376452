"""The rules of bench.search.pruner, one unit at a time in plain Python: to check it and to time it."""

from collections.abc import Sequence

import torch


class PlainPruner:
    """Importance, masks and record of one round, as lists of lists."""

    def __init__(
        self, widths: Sequence[int], units: int = 10, minibatches: int = 50, fraction: float = 0.95
    ) -> None:
        self.widths, self.units, self.minibatches = list(widths), units, minibatches
        self.most = int(fraction * sum(widths))
        self.gates = [[1.0] * w for w in widths]
        self.sums = [[0.0] * w for w in widths]
        self.count = self.seen = self.steps = 0
        self.rows: list[list[int]] = []
        self.stopped: str | None = None

    def observe(self, gates: torch.Tensor, gradients: torch.Tensor) -> bool | None:
        """Take in one minibatch; whether a pruning went through, or None where there was none."""
        if self.steps >= -(-self.most // self.units):
            self.stopped = "cap"
            return None
        flat = iter(zip(gates.tolist(), gradients.tolist(), strict=True))
        for sums in self.sums:
            for unit in range(len(sums)):
                gate, gradient = next(flat)
                sums[unit] += (gate * gradient) ** 2
        self.count += 1
        self.seen += 1
        if self.seen == 1 or (self.seen - 1) % self.minibatches:
            return None
        return self.prune()

    def masks(self) -> list[torch.Tensor]:
        """One boolean vector a layer."""
        return [torch.tensor(gates) != 0 for gates in self.gates]

    def prune(self) -> bool:
        """Close what is not above the threshold; False if that came upon a layer's last unit."""
        scores = [[s / self.count for s in sums] for sums in self.sums]
        closed = sum(gate == 0 for gates in self.gates for gate in gates)
        rank = min(closed + self.units, self.most)
        limit = sorted(score for row in scores for score in row)[rank - 1]
        for layer, row in enumerate(scores):
            for unit in sorted(range(len(row)), key=row.__getitem__):
                if row[unit] > limit:
                    break
                if sum(self.gates[layer]) == 1:
                    self.stopped = "last_unit"
                    return False
                self.gates[layer][unit] = 0.0
        self.sums = [[0.0] * w for w in self.widths]
        self.count = 0
        self.steps += 1
        kept = [int(sum(gates)) for gates in self.gates]
        if all(k < w for k, w in zip(kept, self.widths, strict=True)):
            self.rows.append(kept)
        return True

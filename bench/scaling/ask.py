"""Budgets as people write them: `--max-latency 5ms`, `--max-params 1M`."""

from __future__ import annotations

from bench.record import quantities
from bench.scaling.errors import ScalingError

KINDS = {
    "params": quantities.COUNT,
    "macs": quantities.COUNT,
    "latency": quantities.TIME,
    "memory": quantities.MEMORY,
}


def limits_of(**given: str | None) -> dict[str, float]:
    """Return what is limited, in base units; ScalingError names the option that cannot be read."""
    try:
        return {
            name: quantities.parse(text, KINDS[name], f"--max-{name}")
            for name, text in given.items()
            if text is not None
        }
    except ValueError as error:
        raise ScalingError(str(error)) from None

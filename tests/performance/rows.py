"""A row of the table of benchmarks."""

from typing import Any

Row = dict[str, Any]


def figure(
    name: str, value: float, unit: str, target: str, ok: bool | None, peer: Any = None, better: str = "lower"
) -> Row:
    """Return the row of a figure, its peer and target; ok: whether it is met, None where there is none."""
    return {
        "name": name,
        "value": value,
        "unit": unit,
        "peer": peer,
        "target": target,
        "better": better,
        "ok": ok,
    }

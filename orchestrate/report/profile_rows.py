"""Profiles as rows of the report's tables: one a layer, and one a kind of operator."""

from collections.abc import Iterable
from typing import Any

from orchestrate.analysis import profile
from orchestrate.analysis.frame import Frame
from orchestrate.analysis.job import MeasuredJob

COLUMNS = (
    *("model", "device", "backend", "precision", "threads", "batch", "setup"),
    *("layer", "operator", "calls", "share", "seconds", "macs", "bytes", "rate"),
)
MOST_ROWS = 20_000  # of one table on the page


def frames(jobs: Iterable[MeasuredJob]) -> dict[str, Frame]:
    """Return `layers` and `operators`. Seconds and rates are unknown where profiling distorts."""
    layers: list[dict[str, Any]] = []
    kinds: list[dict[str, Any]] = []
    for job in jobs:
        found = profile.of(job)
        if found and len(layers) < MOST_ROWS:
            layers += [_row(job, found, layer) for layer in found.layers]
            kinds += [_row(job, found, layer) for layer in profile.by_operator(found)]
    return {
        "layers": Frame.of_rows(layers, COLUMNS),
        "operators": Frame.of_rows(kinds, COLUMNS),
    }


def _row(job: MeasuredJob, found: profile.TimeProfile, layer: profile.ProfiledLayer) -> dict[str, Any]:
    seconds = float("nan") if found.distorts else layer.seconds
    rate = layer.macs / seconds if layer.macs and seconds else float("nan")
    how = [job.model["id"], job.device, job.backend, job.precision, job.threads, job.batch, job.setup]
    numbers = [float("nan") if value is None else float(value) for value in (layer.macs, layer.bytes)]
    values = [*how, layer.name, layer.operator, layer.calls, layer.share, seconds, *numbers, rate]
    return dict(zip(COLUMNS, values, strict=True))

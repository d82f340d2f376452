"""Where an inference's time goes: a record's profile, beside the latency measured without the profiler."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from bench.record.types import macs_of_inference
from orchestrate.analysis import statistics
from orchestrate.analysis.job import MeasuredJob

NEAR = 0.10  # the layers' sum and the latency differ by less: the profiler's durations may be believed


class ProfiledLayer(NamedTuple):
    """A node, or all nodes of one kind: seconds of an inference, their share (0 to 1), work where known."""

    name: str
    operator: str
    seconds: float
    share: float
    calls: int
    macs: int | None
    bytes: int | None


@dataclass(frozen=True)
class TimeProfile:
    """The layers in the order in which they ran; `total` is their sum, `latency` that of the timed processes.

    `padding`: multiplications as executed over those of an inference, where both are known: above 1 where a
    library rounds channels up to its blocks. Seconds.
    """

    source: str
    runs: int
    layers: tuple[ProfiledLayer, ...]
    total: float
    latency: float
    padding: float | None

    @property
    def distorts(self) -> bool:
        """Whether profiling changes what it shows: then shares alone may be quoted."""
        return abs(self.total / self.latency - 1) > NEAR


def of(job: MeasuredJob) -> TimeProfile | None:
    """Return the profile of a job; None where there is none, or where it failed or saw nothing."""
    found = job.profile
    if not found or found.get("error"):
        return None
    rows = [(e["name"], e["operator"], e["seconds"], e.get("calls", 1), e.get("macs"), e.get("bytes"))
            for e in found["layers"]]  # fmt: skip
    if others := found.get("others"):
        count = others.get("count", 0)
        rows.append((f"{count} more", "", others.get("seconds", 0.0), count or 1, None, None))
    total = sum(row[2] for row in rows)
    if not total:
        return None
    layers = tuple(ProfiledLayer(*row[:3], row[2] / total, *row[3:]) for row in rows)
    padding = _padding(layers, macs_of_inference(job.model))
    latency = statistics.of_processes(job.p50s).value
    return TimeProfile(found["source"], found["runs"], layers, total, latency, padding)


def _padding(layers: Iterable[ProfiledLayer], of_model: int | None) -> float | None:
    done = sum(layer.macs or 0 for layer in layers)
    return done / of_model if of_model and done >= of_model else None


def by_operator(profile: TimeProfile) -> list[ProfiledLayer]:
    """Return one row for each kind of operator, the costliest first."""
    kinds: dict[str, list[ProfiledLayer]] = defaultdict(list)
    for layer in profile.layers:
        kinds[layer.operator or layer.name].append(layer)
    summed = [_summed(kind, layers) for kind, layers in kinds.items()]
    return sorted(summed, key=lambda layer: -layer.seconds)


def _summed(kind: str, layers: list[ProfiledLayer]) -> ProfiledLayer:
    return ProfiledLayer(
        kind, kind, sum(e.seconds for e in layers), sum(e.share for e in layers),
        sum(e.calls for e in layers),
        _known([e.macs for e in layers]), _known([e.bytes for e in layers]),
    )  # fmt: skip


def _known(values: list[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


class Pair(NamedTuple):
    """Two networks that differ in their widths alone; each layer of one with that of the other."""

    first: MeasuredJob
    second: MeasuredJob
    layers: list[tuple[str, ProfiledLayer | None, ProfiledLayer | None]]


def pairs(jobs: Iterable[MeasuredJob], first: str = "neuralscale", second: str = "uniform") -> list[Pair]:
    """Return the profiled pairs of two methods that are alike in all but the method."""
    known: dict[tuple[Any, ...], dict[str, MeasuredJob]] = defaultdict(dict)
    for job in jobs:
        if of(job):
            known[_key(job)][str(job.model.get("method"))] = job
    return [
        Pair(each[first], each[second], _beside(each[first], each[second]))
        for each in known.values()
        if {first, second} <= set(each)
    ]


def _key(job: MeasuredJob) -> tuple[Any, ...]:
    of_model = tuple(
        job.model.get(name) for name in ("architecture", "dataset", "ratio", "ratio_of", "align")
    )
    return (*of_model, job.device, job.backend, job.precision, job.threads, job.batch, job.setup)


def _beside(
    first: MeasuredJob, second: MeasuredJob
) -> list[tuple[str, ProfiledLayer | None, ProfiledLayer | None]]:
    """Return layers of the same name beside each other, in the order of the first.

    The second's own ones last.
    """
    sides = [of(first), of(second)]
    tables = [{layer.name: layer for layer in side.layers} if side else {} for side in sides]
    names = dict.fromkeys([*tables[0], *tables[1]])
    return [(name, tables[0].get(name), tables[1].get(name)) for name in names]

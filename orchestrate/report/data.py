"""Everything the page shows, as plain data: one frame a dataset, and what the plots need beside."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.record import loads
from orchestrate.analysis import (
    claims,
    efficiency,
    forking,
    landscape,
    latency,
    memory,
    pairs,
    prediction_error,
    same_jobs,
    statistics,
    under_load,
)
from orchestrate.analysis.accuracy import within
from orchestrate.analysis.configuration import Configuration
from orchestrate.analysis.frame import Frame
from orchestrate.analysis.job import MeasuredJob, Process, flat
from orchestrate.analysis.predicted import elsewhere
from orchestrate.analysis.reading import Excluded
from orchestrate.analysis.records import Missing, Study
from orchestrate.analysis.table import CONFIGURATION, by_process, tidy
from orchestrate.report import predicted_rows, profile_rows, text
from orchestrate.report.absent import Absent

Frames = dict[str, Frame]
Ask = Callable[[list[landscape.Question]], list[tuple[landscape.Question, landscape.Landscape]]]
PLAIN_QUANTITIES = ("latency", "macs", "params", "accuracy", "energy")
MANY = 1000  # rows: for fewer no other process is worth its start
DRIFT_JOBS = 300  # jobs whose course over time is kept on the page: those that moved most


@dataclass(frozen=True)
class Report:
    """The study, its datasets, and the answers to the claims."""

    study: Study
    frames: Frames
    answers: list[claims.Answer]
    configurations: list[Configuration]
    unasked: list[claims.Claim]  # about a kind of processor that no device here has
    absent: tuple[Absent, ...] = ()  # planned, without a record
    apart: tuple[str, ...] = ()  # predictions that are not compared, and why


def build(
    study: Study, stated: list[claims.Claim], absent: tuple[Absent, ...] = (), ask: Ask | None = None
) -> Report:
    """Compute all that a page or a terminal shows; claims are about methods, so own files meet none."""
    stated = [] if own_only(study) else stated
    table = tidy(study)
    configurations = [configuration for configuration, _ in efficiency.configurations(table)]
    with forking.beside(lambda: claims.answers(table, stated), worth=len(table) > MANY) as answers:
        frames = _frames(study, table, configurations, ask)
    found = answers()
    frames["claims"] = Frame.of_rows([_answer(answer) for answer in found])
    answered = {answer.claim.id for answer in found}
    unasked = [claim for claim in stated if claim.id not in answered]
    return Report(study, frames, found, configurations, unasked, absent, elsewhere(table))


def _frames(study: Study, table: Frame, configurations: list[Configuration], ask: Ask | None) -> Frames:
    """Every dataset but the claims'."""
    paired = {c.key: pairs.of(table, c) for c in pairs.COMPARISONS}
    predicted = predicted_rows.frame(table)
    questions = landscape.questions(table) if ask else []
    landscapes = landscape.frames(ask(questions) if ask and questions else [])
    left_out = [e._asdict() for e in (*study.excluded, *study.replaced)]
    return {
        "jobs": _numbered(table, configurations),
        "pairs": _numbered(_all_pairs(paired), configurations),
        "means": _means(paired, configurations),
        "slopes": _labelled(efficiency.slopes(table)),
        **{load: under_load.frame(study.loaded, load) for load in (loads.OFFLINE, loads.PACED)},
        "excluded": Frame.of_rows(left_out, [name for name in Excluded._fields if name != "inputs"]),
        **profile_rows.frames(study.jobs),
        "predicted": _numbered(predicted, configurations),
        "predicted_error": _numbered(prediction_error.by_architecture(predicted), configurations),
        **{
            name: _numbered(frame, configurations).without(CONFIGURATION)
            for name, frame in landscapes.items()
        },
        "missing": Frame.of_rows([each._asdict() for each in study.missing], Missing._fields),
    }


def names(study: Study) -> dict[str, str]:
    """Return what each model is called on the page, by its id, valid or not."""
    valid = [*(job.model for job in study.jobs), *(job.model for job in study.loaded)]
    others = [each.job.partition("--")[0] for each in study.excluded]
    return same_jobs.file_names([model["id"] for model in valid] + others)


def own_only(study: Study) -> bool:
    """Return whether all models are the user's own files; where no record counts, all those left out."""
    if counting := study.counting():
        return not any(job.model.get("architecture") for job in counting)
    return bool(study.excluded) and all(same_jobs.is_own(each.job) for each in study.excluded)


def _numbered(frame: Frame, configurations: list[Configuration]) -> Frame:
    """The frame with `config`, the position of each row's configuration."""
    if not len(frame):
        return frame
    position = {tuple(c.values()): index for index, c in enumerate(configurations)}
    return frame.having({"config": [position[key] for key in frame.keys(CONFIGURATION)]})


def _all_pairs(paired: Frames) -> Frame:
    parts = [frame.having({"comparison": [key] * len(frame)}) for key, frame in paired.items() if len(frame)]
    return Frame.stacked(parts)


ASKED = [(quantity, "") for quantity in PLAIN_QUANTITIES] + [
    (quantity, name) for quantity in pairs.OF_MEMORY for name in memory.DEFINITIONS
]


def _means(paired: Frames, configurations: list[Configuration]) -> Frame:
    """Mean ratio of every quantity in every comparison and configuration, under every memory definition."""
    columns = [pairs.column(quantity, name) for quantity, name in ASKED]
    found = []
    for key, frame in paired.items():
        parts = efficiency.split_by_configuration(frame)
        for index, configuration in enumerate(configurations):
            if (rows := parts.get(tuple(configuration.values()))) is None:
                continue
            rows = pairs.decided(rows)
            where = {"comparison": key, "config": index, "device": configuration["device"]}
            where["how"] = text.running(configuration)
            sources = _sources(rows)
            for (quantity, name), mean in zip(ASKED, pairs.means(rows, columns), strict=True):
                if mean.n:
                    source = sources if quantity.startswith("accuracy") else ""
                    asked = {"quantity": quantity, "accuracy_from": source, "definition": name}
                    found.append({**where, **asked, **_figures(mean)})
    return Frame.of_rows(found)


def _sources(rows: Frame) -> str:
    """Where the accuracies of these pairs come from."""
    apart = np.nanmax(rows["accuracy_apart"], initial=0.0)
    return "; ".join(sorted(set(rows["accuracy_from"]) - {""})) + within(float(apart))


def _figures(mean: statistics.Estimate) -> dict[str, float]:
    return {
        "value": mean.value,
        "value_low": mean.low,
        "value_high": mean.high,
        "n": mean.n,
        "architectures": mean.groups,
    }


def _answer(answer: claims.Answer) -> dict[str, Any]:
    estimate = answer.estimate
    return {
        "claim": answer.claim.id,
        "text": answer.claim.text,
        "device": answer.configuration["device"],
        "how": text.running(answer.configuration),
        "verdict": answer.verdict,
        "claimed": answer.claim.claimed,
        "value": estimate.value,
        "value_low": estimate.low,
        "value_high": estimate.high,
        "n": estimate.n,
        "architectures": estimate.groups,
        "widening": answer.widening,
        "stand_ins": answer.stand_ins.n,
        "of_one": answer.of_one,
        "beside": "; ".join(f"{label}: {text.ratio(mean)}" for label, mean in answer.beside),
        "together": "stands" if answer.together else "",
        "settle": answer.settle,
        "ranking": answer.definitions,
    }


def _labelled(frame: Frame) -> Frame:
    return frame.having({"how": [text.running(row) for row in frame.rows()]})


def details(report: Report) -> dict[str, Any]:
    """Per job, in the order of `jobs`: latency quantiles (s), ladder steps (bytes); course of some (s)."""
    jobs = list(report.frames["jobs"]["source"])
    kept = sorted(np.argsort(_drift(jobs), kind="stable")[::-1][:DRIFT_JOBS].tolist())
    return {
        "quantiles": [list(job.quantiles) for job in jobs],
        "steps": [list(job.steps) for job in jobs],
        "course": {index: [_course(p) for p in jobs[index].processes] for index in kept},
        "course_of": [len(kept), len(jobs)],
    }


def _drift(jobs: Sequence[MeasuredJob]) -> NDArray[np.float64]:
    """The largest over the smallest block of that process of each job in which they are furthest apart."""
    if not jobs:
        return np.zeros(0)
    blocks = by_process([process.blocks for job in jobs for process in job.processes])
    apart = np.fmax.reduce(blocks, axis=1) / np.fmin.reduce(blocks, axis=1)
    counts = np.array([len(job.processes) for job in jobs])
    found: NDArray[np.float64] = np.maximum.reduceat(apart, np.cumsum(counts) - counts)
    return found


def _course(process: Process) -> list[float]:
    """Order, length and DRIFT_BLOCKS medians: NaN for those that a process of fewer samples does not have."""
    lacking = latency.DRIFT_BLOCKS - len(process.blocks)
    return [process.order, process.length, *process.blocks, *[math.nan] * lacking]


def environment(report: Report) -> dict[str, dict[str, list[str]]]:
    """Return device -> what could explain its figures -> every value seen there."""
    found: dict[str, dict[str, dict[str, None]]] = {}
    distinct = {(job.device, id(job.environment)): job for job in report.study.jobs}  # which many jobs share
    for job in distinct.values():
        for key, value in flat({key: facts for key, facts in job.environment.items() if key != "spans"}):
            found.setdefault(job.device, {}).setdefault(key, {})[value] = None
    return {
        device: {key: list(values) for key, values in sorted(facts.items())}
        for device, facts in sorted(found.items())
    }


def title(runs: tuple[str, ...], devices: list[str]) -> str:
    """Return what the page is about, in a few words."""
    return f"{', '.join(runs)} on {', '.join(devices)}" if devices else ", ".join(runs)


def synthetic(study: Study) -> bool:
    """Return whether any record states that it was invented."""
    return any(job.environment.get("synthetic") for job in study.jobs)

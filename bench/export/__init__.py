"""Models of an experiment, and a user's own, to a bundle that devices measure."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from bench.export.errors import ExportError
from bench.export.own.request import OwnRequest, Prepared, check_names

if TYPE_CHECKING:  # every file of one's own is read by a process of its own, which needs neither
    from bench.export.plan import Planned
    from bench.manifests.experiment import Experiment
    from bench.record.bundle import Bundle, PlannedExperiment
    from bench.record.types import Measure, Model

__all__ = ["ExportError", "OwnFiles", "export"]

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class OwnFiles:
    """A user's ONNX files, what the user stated about them, and the seconds that reading one may take."""

    paths: Sequence[Path] = ()
    request: OwnRequest = field(default_factory=OwnRequest)
    seconds: float | None = None


def export(
    out: Path,
    experiment: tuple[Experiment, str] | None,
    own: OwnFiles | None = None,
    batches: Sequence[int] = (),
    cache_folder: Path | None = None,
    weights: Path | None = None,
    data: str | None = None,
    progress: Progress = lambda name, done, total: None,
) -> Bundle:
    """Write a bundle to `out` and return its contents (docs/formats.md).

    `experiment` comes with the SHA-256 of its file; `weights` is where `bench train` left its models, `data`
    where the data sets lie, should the experiment want a test set.
    Each model is made for every size of `batches`; without any, for the experiment's.
    `progress` receives the model at hand, how many are done, and of how many. Interrupted, it leaves no
    bundle.json; run again, it takes what is done from the cache. A file of `own` that cannot be measured is
    in the bundle's `refused`. Raises DataError, and ExportError where nothing is left to measure.
    """
    from bench.export import bundle
    from bench.export.plan import plan

    sizes: Sequence[int | None] = list(batches) or [None]
    plans = [plan(experiment[0], size, weights) for size in sizes] if experiment else []
    planned = [each for found, _ in plans for each in found]
    own_models, refused = _begin(out, own or OwnFiles(), sizes, bool(planned), progress)
    test_set = experiment[0].test_set if experiment else False
    contents: Bundle = {
        "experiment": _experiment(*experiment) if experiment else None,
        "models": _make(out, planned, test_set, data, cache_folder, progress) + own_models,
        "skipped": [missing.entry() for _, found in plans for missing in found],
        "refused": [{"file": path.name, "reason": reason} for path, reason in refused],
    }
    bundle.finish(out, contents)
    return contents


def _begin(
    out: Path, own: OwnFiles, sizes: Sequence[int | None], more: bool, progress: Progress
) -> tuple[list[Model], list[tuple[Path, str]]]:
    """Begin the bundle with the user's own models; their entries, and the files that cannot be measured.

    Raises ExportError, before `out` is touched, where all files are refused and no `more` models follow.
    """
    from bench.export import bundle

    asked = [(path, replace(own.request, batch=size)) for path in own.paths for size in sizes]
    with tempfile.TemporaryDirectory(dir=out.parent if out.parent.is_dir() else None) as scratch:
        users, refused = _prepare(asked, own.seconds, Path(scratch), progress)
        if refused and not (users or more):
            raise ExportError("\n".join(f"{path}: {reason}" for path, reason in refused))
        bundle.begin(out)
        return [bundle.add_own(out, user, _onnxruntime()) for user in users], refused


def _make(
    out: Path,
    planned: Sequence[Planned],
    test_set: bool | int,
    data: str | None,
    cache_folder: Path | None,
    progress: Progress,
) -> list[Model]:
    """Build the planned models, or take them from the cache, into the bundle; their entries."""
    from bench.export import bundle, cache, testset
    from bench.export.make import make

    folder = cache_folder or cache.default_folder()
    tests = testset.add(out, planned, test_set, data)
    models: list[Model] = []
    for wanted in planned:
        name = wanted.request.id
        progress(name, len(models), len(planned))
        described = wanted.entry()
        if name in tests:
            described["test_set"] = tests[name]
        models.append(bundle.add(out, name, make(wanted, folder), described))
    progress("", len(planned), len(planned))
    return models


def _experiment(experiment: Experiment, sha256: str) -> PlannedExperiment:
    measure = cast("Measure", experiment.measure.model_dump())
    return {"name": experiment.name, "sha256": sha256, "measure": measure}


def _prepare(
    asked: Sequence[tuple[Path, OwnRequest]], seconds: float | None, folder: Path, progress: Progress
) -> tuple[list[Prepared], list[tuple[Path, str]]]:
    """The user's models, made ready in `folder`, and the files that cannot be measured, each with its reason.

    Raises ExportError as `check_names`.
    """
    from bench.export import bundle
    from bench.export.own import labelled, process

    refused, found = [], dict[str, Prepared]()
    for number, (path, request) in enumerate(asked):
        progress(path.name, number, len(asked))
        place = folder / str(number)
        place.mkdir()
        try:
            model = _read(path, request, place, seconds or process.SECONDS)
            bundle.check_own(model)
            found[model.id] = labelled.add(model, request, place)
        except ExportError as error:
            refused.append((path, str(error).removeprefix(f"{path}: ")))
    models = list(found.values())
    if models and not refused:
        check_names(asked[0][1], models)
    return models, list(dict.fromkeys(refused))  # a file may be refused for the same reason at every batch


def _read(path: Path, request: OwnRequest, folder: Path, seconds: float) -> Prepared:
    from bench.export.own import process

    try:
        return process.read(path, request, folder, seconds)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"{path}: interrupted while it was read and tried") from None


def _onnxruntime() -> str:
    from importlib.metadata import version

    return f"onnxruntime {version('onnxruntime')}"

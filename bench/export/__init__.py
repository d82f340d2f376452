"""Models of an experiment, and a user's own, to a bundle that devices measure."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from bench.export.errors import ExportError
from bench.export.own.request import Prepared, Request, check_names
from bench.manifests.experiment import Experiment

__all__ = ["ExportError", "export"]

Progress = Callable[[str, int, int], None]


def export(
    out: Path,
    experiment: tuple[Experiment, str] | None,
    own: Sequence[Path] = (),
    request: Request | None = None,
    own_seconds: float | None = None,
    batches: Sequence[int] = (),
    cache_folder: Path | None = None,
    weights: Path | None = None,
    data: str | None = None,
    progress: Progress = lambda name, done, total: None,
) -> dict[str, Any]:
    """Write a bundle to `out` and return its contents (docs/formats.md).

    `experiment` comes with the SHA-256 of its file; `weights` is where `bench train` left its models, `data`
    where the data sets lie, should the experiment want a test set.
    Each model is made for every size of `batches`; without any, for the experiment's.
    `request` is for the user's `own` files, each of which may take `own_seconds`.
    `progress` receives the model at hand, how many are done, and of how many. Interrupted, it leaves no
    bundle.json; run again, it takes what is done from the cache. A file of `own` that cannot be measured is
    in the bundle's `refused`. Raises DataError, and ExportError where nothing is left to measure.
    """
    from bench.export import bundle, cache, testset
    from bench.export.make import make
    from bench.export.plan import plan

    sizes: Sequence[int | None] = list(batches) or [None]
    plans = [plan(experiment[0], size, weights) for size in sizes] if experiment else []
    planned = [each for found, _ in plans for each in found]
    skipped = [each for _, found in plans for each in found]
    request = request or Request()
    asked = [(path, replace(request, batch=size)) for path in own for size in sizes]
    with tempfile.TemporaryDirectory(dir=out.parent if out.parent.is_dir() else None) as scratch:
        users, refused = _own(asked, own_seconds, Path(scratch), progress)
        if refused and not (users or planned):
            raise ExportError("\n".join(f"{path}: {reason}" for path, reason in refused))
        bundle.begin(out)
        own_models = [bundle.add_own(out, user, _onnxruntime()) for user in users]
    folder = cache_folder or cache.default_folder()
    models: list[dict[str, Any]] = []
    total = len(planned)
    tests = testset.add(out, planned, experiment[0].test_set if experiment else False, data)
    for wanted in planned:
        progress(wanted.request.id, len(models), total)
        name = wanted.request.id
        described = wanted.entry() | ({"test_set": tests[name]} if name in tests else {})
        models.append(bundle.add(out, name, make(wanted, folder), described))
    progress("", total, total)
    contents = {
        "experiment": _experiment(*experiment) if experiment else None,
        "models": models + own_models,
        "skipped": [asdict(missing) for missing in skipped],
        "refused": [{"file": path.name, "reason": reason} for path, reason in refused],
    }
    bundle.finish(out, contents)
    return contents


def _experiment(experiment: Experiment, sha256: str) -> dict[str, Any]:
    return {"name": experiment.name, "sha256": sha256, "measure": experiment.measure.model_dump()}


def _own(
    asked: Sequence[tuple[Path, Request]], seconds: float | None, folder: Path, progress: Progress
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
            model = process.read(path, request, place, seconds or process.SECONDS)
            bundle.check_own(model)
            found[model.id] = labelled.add(model, request, place)
        except ExportError as error:
            refused.append((path, str(error).removeprefix(f"{path}: ")))
    models = list(found.values())
    if models and not refused:
        check_names(asked[0][1], models)
    return models, list(dict.fromkeys(refused))  # a file may be refused for the same reason at every batch


def _onnxruntime() -> str:
    from importlib.metadata import version

    return f"onnxruntime {version('onnxruntime')}"

"""Models of an experiment, and a user's own, to a bundle that devices measure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.export.errors import ExportError
from bench.manifests.experiment import Experiment

__all__ = ["ExportError", "export"]

Progress = Callable[[str, int, int], None]


def export(
    out: Path,
    experiment: tuple[Experiment, str] | None,
    own: Sequence[Path] = (),
    dims: Mapping[str, int] | None = None,
    batch: int | None = None,
    cache_folder: Path | None = None,
    weights: Path | None = None,
    data: str | None = None,
    progress: Progress = lambda name, done, total: None,
) -> dict[str, Any]:
    """Write a bundle to `out` and return its contents (docs/formats.md).

    `experiment` comes with the SHA-256 of its file; `weights` is where `bench train` left its models, `data`
    where the data sets lie, should the experiment want a test set.
    `progress` is told the model at hand, how many are done, and of how many. Interrupted, it leaves no
    bundle.json; run again, it takes what is done from the cache. Raises ExportError, DataError.
    """
    from bench.export import bundle, cache, testset
    from bench.export.make import make
    from bench.export.plan import plan

    planned, skipped = plan(experiment[0], batch, weights) if experiment else ([], [])
    users = _own(own, dims or {})
    bundle.begin(out)
    folder = cache_folder or cache.default_folder()
    total = len(planned) + len(users)
    models: list[dict[str, Any]] = []
    tests = testset.add(out, planned, experiment[0].test_set if experiment else False, data)
    for wanted in planned:
        progress(wanted.request.id, len(models), total)
        name = wanted.request.id
        described = wanted.entry() | ({"test_set": tests[name]} if name in tests else {})
        models.append(bundle.add(out, name, make(wanted, folder), described))
    for user in users:
        models.append(bundle.add_own(out, user, _onnxruntime()))
    progress("", total, total)
    contents = {
        "experiment": _experiment(*experiment) if experiment else None,
        "models": models,
        "skipped": [asdict(missing) for missing in skipped],
    }
    bundle.finish(out, contents)
    return contents


def _experiment(experiment: Experiment, sha256: str) -> dict[str, Any]:
    return {"name": experiment.name, "sha256": sha256, "measure": experiment.measure.model_dump()}


def _own(paths: Sequence[Path], dims: Mapping[str, int]) -> list[Any]:
    """The user's models; every file's problem is told, and so is a dimension that no file has."""
    if not paths:
        return []
    from bench.export import userfile

    problems, models, known = [], {}, set[str]()
    for path in paths:
        try:
            known |= userfile.dynamic_dims(path)
            model = userfile.read(path, dims)
            models[model.id] = model
        except ExportError as error:
            problems.append(str(error))
    if not problems and (unknown := sorted(set(dims) - known)):
        names = ", ".join(sorted(known)) or "none"
        problems.append(f"--dim {unknown[0]}: no file has this dynamic dimension; they have: {names}")
    if problems:
        raise ExportError("\n".join(problems))
    return list(models.values())


def _onnxruntime() -> str:
    from importlib.metadata import version

    return f"onnxruntime {version('onnxruntime')}"

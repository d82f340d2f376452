"""A bundle: the folder that a device needs and nothing else (docs/formats.md)."""

import json
from pathlib import Path
from typing import cast

from bench.export import files
from bench.export.cache import Artefact
from bench.export.errors import ExportError
from bench.export.own.request import Prepared
from bench.record import schema
from bench.record.bundle import Bundle
from bench.record.files import sha256_of
from bench.record.types import BundleFile, Model, ModelFacts, Reference, files_of

SCHEMA = 1
KIND = "orbitbench.bundle"
INDEX = "bundle.json"
PARTS = {INDEX, "models", "reference"}
UNKNOWN = (  # of a user's own model
    "architecture dataset classes method ratio ratio_of widths "
    "target_params target_macs align fit fit_quality fit_dataset fit_resolution weights accuracy"
)


def begin(folder: Path) -> None:
    """Make `folder` ready: new, empty, or an older bundle, which ceases to be one until `finish`.

    Raises ExportError for a folder that holds anything else, so that a slip of the pen deletes nothing.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        strangers = sorted(item.name for item in folder.iterdir() if item.name not in PARTS)
        if strangers:
            raise ExportError(f"{folder} is no bundle, it holds {strangers[0]}; give an empty or new folder")
        (folder / INDEX).unlink(missing_ok=True)
    except OSError as error:
        reason = "this is a file" if folder.is_file() else f"cannot be written: {error.strerror}"
        raise ExportError(f"{folder}: {reason}; give an empty or new folder") from None


def add(folder: Path, model_id: str, artefact: Artefact, described: ModelFacts) -> Model:
    """Put a model of the cache into the bundle; returns its entry."""
    files.place(artefact.model, folder / _model(model_id))
    files.place(artefact.reference, folder / _reference(model_id))
    facts = artefact.facts
    reference: Reference = {
        "file": _reference(model_id),
        "sha256": artefact.reference_sha256,
        "tolerance": facts["tolerance"],
        "made_by": facts["made_by"],
    }
    return _entry(model_id, folder, artefact.sha256, reference, {**described, "inputs": facts["inputs"]})


def add_own(folder: Path, own: Prepared, made_by: str) -> Model:
    """Put a user's own model into the bundle; returns its entry."""
    files.place(own.model, folder / _model(own.id))
    files.place(own.reference, folder / _reference(own.id))
    described = {**dict.fromkeys(UNKNOWN.split()), **own.entry}
    if metric := described.pop("metric", None):
        described["test_set"] = {**_test_set(folder, own), "metric": metric}
    reference: Reference = {
        "file": _reference(own.id),
        "sha256": sha256_of(str(folder / _reference(own.id))),
        "tolerance": described.pop("tolerance"),
        "made_by": made_by,
    }
    sha256 = sha256_of(str(folder / _model(own.id)))
    return _entry(own.id, folder, sha256, reference, cast("ModelFacts", described))


def _test_set(folder: Path, own: Prepared) -> BundleFile:
    assert own.test_set  # it has a metric
    sha256 = sha256_of(str(own.test_set))
    name = f"reference/test-own-{sha256[:8]}.npz"
    files.place(own.test_set, folder / name)
    return {"file": name, "sha256": sha256}


def check_own(own: Prepared) -> None:
    """Refuse, as an ExportError, a model that no job list may hold: of too many inputs, dimensions, ..."""
    described = {key: value for key, value in own.entry.items() if key != "tolerance"}
    entry = {"id": own.id, "file": _model(own.id), "sha256": "0" * 64, **described}
    contents = {"experiment": None, "models": [entry], "skipped": []}
    for problem in schema.problems({"schema": SCHEMA, "kind": KIND, **contents}):
        what = problem.path.removeprefix("models[0].")
        raise ExportError(f"cannot be measured: {what} {problem.reason}")


def finish(folder: Path, contents: Bundle) -> Path:
    """Write bundle.json, which makes the folder a bundle, and remove models that it does not name."""
    named = {part["file"] for entry in contents["models"] for part in files_of(entry)}
    for path in [*folder.glob("models/*"), *folder.glob("reference/*")]:
        if path.relative_to(folder).as_posix() not in named:
            path.unlink()
    head = {"schema": SCHEMA, "kind": KIND}
    files.write(folder / INDEX, (json.dumps({**head, **contents}, indent=1) + "\n").encode())
    return folder / INDEX


def _entry(model_id: str, folder: Path, sha256: str, reference: Reference, described: ModelFacts) -> Model:
    path = folder / _model(model_id)
    return {
        "id": model_id,
        "file": _model(model_id),
        "sha256": sha256,
        "bytes": path.stat().st_size,
        "reference": reference,
        **described,
    }


def _model(model_id: str) -> str:
    return f"models/{model_id}.onnx"


def _reference(model_id: str) -> str:
    return f"reference/{model_id}.npz"

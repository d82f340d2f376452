"""What was exported once is not exported again: artefacts by the hash of everything that goes into them."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.export import files
from bench.record.files import sha256_of


@dataclass(frozen=True)
class Artefact:
    """A model file and its reference in the cache, with what their entries in a bundle hold."""

    model: Path
    reference: Path
    sha256: str
    reference_sha256: str
    facts: dict[str, Any]


def default_folder() -> Path:
    """$ORBITBENCH_CACHE, or orbitbench in the user's cache folder (XDG)."""
    if own := os.environ.get("ORBITBENCH_CACHE"):
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "orbitbench" / "export"


def key(inputs: Mapping[str, Any]) -> str:
    """Return the name under which the artefact of these inputs is kept."""
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


def get(folder: Path, name: str) -> Artefact | None:
    """Return the artefact, or None where there is none or its files are not what was stored."""
    home = folder / name
    try:
        stored = json.loads((home / "artefact.json").read_bytes())
        artefact = Artefact(home / "model.onnx", home / "reference.npz", **stored)
        intact = sha256_of(str(artefact.model)) == artefact.sha256
        intact = intact and sha256_of(str(artefact.reference)) == artefact.reference_sha256
    except (OSError, ValueError, TypeError):
        return None
    return artefact if intact else None


def put(folder: Path, name: str, model: bytes, reference: bytes, facts: dict[str, Any]) -> Artefact:
    """Store an artefact; another process may store the same one at the same time."""
    home = folder / name
    digests = {"sha256": _sha256(model), "reference_sha256": _sha256(reference)}
    folder.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{name[:8]}.", dir=folder))
    try:
        files.write(fresh / "model.onnx", model)
        files.write(fresh / "reference.npz", reference)
        files.write(fresh / "artefact.json", json.dumps({**digests, "facts": facts}).encode())
        if get(folder, name) is None:
            shutil.rmtree(home, ignore_errors=True)
            fresh.rename(home)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return Artefact(home / "model.onnx", home / "reference.npz", facts=facts, **digests)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()

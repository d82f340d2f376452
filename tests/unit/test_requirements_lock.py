"""`make setup` installs requirements.lock: what pyproject.toml asks for, by hash, naming no index."""

import itertools
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCK = (ROOT / "requirements.lock").read_text()
PINS = {
    canonicalize_name(name): version
    for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", LOCK, re.MULTILINE)
}
BY_VERSION_ONLY = "torch"  # its CPU and CUDA builds differ in hash


def wanted() -> list[Requirement]:
    project = PROJECT["project"]
    extras = project["optional-dependencies"]
    lines = itertools.chain(project["dependencies"], extras["bench"], extras["train"], extras["dev"])
    found = map(Requirement, lines)
    return [one for one in found if one.name not in {"orbitbench", BY_VERSION_ONLY}]


@pytest.mark.parametrize("requirement", wanted(), ids=str)
def test_what_pyproject_asks_for_is_locked(requirement):
    pinned = PINS.get(canonicalize_name(requirement.name))
    assert pinned is not None, f"requirements.lock lacks {requirement.name}: run `make lock`"
    assert pinned in requirement.specifier, (
        f"requirements.lock: {requirement} is not {pinned}: run `make lock`"
    )


def test_every_package_has_hashes_and_no_index_is_named():
    blocks = re.split(r"^(?=\w)", LOCK, flags=re.MULTILINE)[1:]
    assert len(blocks) == len(PINS)
    assert not [block for block in blocks if not re.search(r"^    --hash=sha256:[0-9a-f]{64}", block, re.M)]
    assert "://" not in LOCK
    assert "--index" not in LOCK


def test_torch_is_pinned_by_version_in_one_place():
    (pin,) = [
        line for line in PROJECT["project"]["optional-dependencies"]["bench"] if line.startswith("torch")
    ]
    (metadata,) = PROJECT["tool"]["uv"]["dependency-metadata"]
    assert pin == f"torch=={metadata['version']}"
    assert BY_VERSION_ONLY not in PINS
    assert not [name for name in PINS if name.startswith(("nvidia", "cuda", "triton"))], (
        "parts of one build of torch"
    )
    assert {canonicalize_name(Requirement(line).name) for line in metadata["requires-dist"]} <= PINS.keys()

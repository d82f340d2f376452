"""What a build sees: the Dockerfile, packages and our own code, the same bytes every time."""

from pathlib import Path

import pytest

from orchestrate.engine.image_store import split
from orchestrate.images import context
from orchestrate.images.actions import forward
from orchestrate.images.manifest import Project, open_project

SOURCES = ("__init__.py", "record/__init__.py", "record/x.py", "zoo/__init__.py", "record/__pycache__/x.pyc")


@pytest.fixture
def project(tmp_path: Path, root: Path) -> Project:
    """A checkout with only what is copied, and odd permissions."""
    for name in SOURCES:
        path = tmp_path / "bench" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# {name}\n")
    (tmp_path / "bench/record/x.py").chmod(0o640)
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "1"\n')
    return Project(tmp_path, open_project(root).images)


def files(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


def test_a_device_image_gets_only_the_parts_that_it_names(project: Project, tmp_path: Path) -> None:
    context.copy_code(project, project.target("pi4", "linux/arm64"), tmp_path / "out")
    assert files(tmp_path / "out") == {"bench/__init__.py", "bench/record/__init__.py", "bench/record/x.py"}


def test_the_training_image_gets_all_but_bytecode(project: Project, tmp_path: Path) -> None:
    context.copy_code(project, project.target("cuda", "linux/amd64"), tmp_path / "out")
    assert "bench/zoo/__init__.py" in files(tmp_path / "out")
    assert not any("__pycache__" in name for name in files(tmp_path / "out"))


def test_a_file_that_is_gone_from_the_source_is_gone_from_the_next_context(
    project: Project, tmp_path: Path
) -> None:
    target = project.target("pi4", "linux/arm64")
    context.copy_code(project, target, tmp_path / "out")
    (project.root / "bench/record/x.py").unlink()
    context.copy_code(project, target, tmp_path / "out")
    assert "bench/record/x.py" not in files(tmp_path / "out")


def test_neither_umask_nor_clock_gets_into_a_context(project: Project, tmp_path: Path) -> None:
    context.copy_code(project, project.target("pi4", "linux/arm64"), tmp_path / "out")
    context.settle(tmp_path / "out")
    for path in (tmp_path / "out").rglob("*"):
        status = path.stat()
        expected = (context.EPOCH, "755" if path.is_dir() else "644")
        assert (status.st_mtime, oct(status.st_mode)[-3:]) == expected


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("127.0.0.1:5000/x/pi4", ("127.0.0.1:5000/x/pi4", "latest")),
        ("127.0.0.1:5000/x/pi4:1-arm64", ("127.0.0.1:5000/x/pi4", "1-arm64")),
        ("python:3.11@sha256:ab", ("python", "sha256:ab")),
        ("python", ("python", "latest")),
    ],
)
def test_references_are_split_as_the_engine_wants_them(reference: str, parts: tuple[str, str]) -> None:
    assert split(reference) == parts


@pytest.mark.parametrize(
    ("registry", "forwards"),
    [
        ("127.0.0.1:5000/orbitbench", ("127.0.0.1:5000:127.0.0.1:5000",)),
        ("localhost:5001", ("127.0.0.1:5001:127.0.0.1:5001",)),
        ("ghcr.io/someone", ()),
        ("127.example.org/x", ()),
    ],
)
def test_only_a_registry_on_our_loopback_is_lent_to_a_board(registry: str, forwards: tuple[str, ...]) -> None:
    assert forward(registry) == forwards

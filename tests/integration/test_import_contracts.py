"""A module in a wrong room, or in none, fails `lint-imports`, which `make lint` runs."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources and the contracts."""
    folder = tmp_path_factory.mktemp("tree")
    for package in ("bench", "orchestrate"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def lint(tree: Path, files: dict[str, str]) -> str:
    """Return what lint-imports prints about the tree with `files` added; they are gone afterwards."""
    command = (
        "import sys; sys.path.insert(0, '.'); from importlinter.cli import lint_imports_command as c; c()"
    )
    for name, text in files.items():
        (tree / name).write_text(text)
    try:
        done = subprocess.run(
            [sys.executable, "-c", command, "--no-cache"],
            cwd=tree,
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        for name in files:
            (tree / name).unlink()
    assert done.returncode == (1 if files else 0), done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("files", "broken"),
    [
        ({"orchestrate/helpers.py": ""}, "the rooms of the orchestrator"),
        ({"bench/helpers.py": ""}, "the rooms of the workshop"),
        ({"bench/runtime/helpers.py": ""}, "the rooms of the runtime"),
        ({"orchestrate/runs/new.py": "import orchestrate.report.page"}, "the rooms of the orchestrator"),
        ({"bench/zoo/new.py": "import bench.scaling.fits"}, "the rooms of the workshop"),
        (
            {"bench/runtime/machine/new.py": "import bench.runtime.supervise.store"},
            "the rooms of the runtime",
        ),
        ({"orchestrate/runs/new.py": "import docker"}, "only the engine room imports docker"),
        (
            {
                "orchestrate/doctor/one.py": "import orchestrate.doctor.two",
                "orchestrate/doctor/two.py": "import orchestrate.doctor.one",
            },
            "in a circle",
        ),
    ],
)
def test_a_module_in_a_wrong_room_is_refused(tree: Path, files: dict[str, str], broken: str) -> None:
    lines = [line for line in lint(tree, files).splitlines() if line.endswith("BROKEN")]
    assert [line for line in lines if broken in line], lines  # an arrow upwards may close a circle too


def test_the_tree_as_it_is_passes(tree: Path) -> None:
    assert "0 broken" in lint(tree, {})

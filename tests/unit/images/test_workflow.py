"""The published workflow: pinned by commit, least permissions, the commands that users have."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

FOLDER = Path(__file__).parents[3] / ".github/workflows"
TEXT = (FOLDER / "ci.yml").read_text()
JOBS: dict[str, Any] = yaml.safe_load(TEXT)["jobs"]


def test_every_action_is_pinned_by_commit_with_its_version_beside_it() -> None:
    uses = re.findall(r"uses: (.*)", TEXT)
    assert uses
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", use) for use in uses)


def test_nothing_may_be_done_but_what_a_job_asks_for() -> None:
    assert yaml.safe_load(TEXT)["permissions"] == {}
    writers = {name for name, job in JOBS.items() if "write" in job["permissions"].values()}
    assert writers == {"images"}
    assert "startsWith(github.ref, 'refs/tags/v')" in JOBS["images"]["if"]


@pytest.mark.parametrize("name", JOBS)
def test_no_job_runs_for_ever_or_puts_what_others_wrote_into_a_shell(name: str) -> None:
    assert JOBS[name]["timeout-minutes"] <= 60
    for step in JOBS[name]["steps"]:
        assert "${{" not in step.get("run", "")


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yml")), ids=lambda path: path.name)
def test_every_container_is_pinned_by_digest(path: Path) -> None:
    images = re.findall(r"image: (.*)", path.read_text())
    assert images
    assert all(re.search(r"@sha256:[0-9a-f]{64}$", image) for image in images)


def test_all_supported_pythons_are_tested() -> None:
    assert JOBS["test"]["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]

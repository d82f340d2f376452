"""The pi4 image on Debian's packages: small, the same every time, and its runtime leaves records."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrate.engine.image_store import ImageEngine, ImageInfo, connected
from orchestrate.images import build
from orchestrate.images.manifest import OWN_BASE, Project, Target, open_project
from tests import models
from tests.conftest import ROOT
from tests.service import rootfs, trees
from tests.service.board import Board

pytestmark = pytest.mark.service
LIMIT = 220_000_000  # bytes uncompressed, on the Debian base


@pytest.fixture(scope="module")
def target() -> Target:
    return open_project(ROOT, "test.local/orbitbench").target("pi4", "linux/amd64", OWN_BASE)


@pytest.fixture(scope="module")
def here(engine: Board) -> Iterator[ImageEngine]:
    with pytest.MonkeyPatch.context() as patch, connected(engine.docker_host) as images:
        patch.setenv("ORBITBENCH_BUILDER", "classic")  # whatever this machine's docker command can do
        yield images


@pytest.fixture(scope="module")
def image(here: ImageEngine, target: Target) -> ImageInfo:
    """The image as `orchestrate images build pi4 --base base` makes it."""
    with rootfs.or_skip():
        rootfs.own_base()  # other tests make it, too
    built = build.build(open_project(ROOT, target.registry), target, here, lambda _line: None)
    return here.get(built.tag)


@pytest.fixture(scope="module")
def tree(engine: Board, image: ImageInfo) -> trees.Tree:
    return trees.of_image(engine, image.id)


def test_it_is_small_and_our_own_code_is_a_fraction_of_it(image: ImageInfo, tree: trees.Tree) -> None:
    own = sum(entry.size for name, entry in tree.items() if name.startswith("opt/bench/"))
    print(f"pi4 amd64 on Debian: {image.size / 1e6:.0f} MB, of which our own code {own / 1e6:.2f} MB")
    assert image.size <= LIMIT
    assert 10_000 < own < 1_000_000


def test_it_holds_the_runtime_and_its_records_but_nothing_of_torch_or_the_workshop(tree: trees.Tree) -> None:
    assert "opt/bench/bench/runtime/__main__.py" in tree
    assert "opt/bench/bench/record/schema.py" in tree
    for absent in ("opt/bench/bench/zoo", "opt/bench/bench/manifests", "opt/site/torch", "opt/site/sympy"):
        assert not any(name.startswith(absent) for name in tree)


def test_the_same_inputs_give_the_same_files(
    engine: Board, here: ImageEngine, target: Target, tree: trees.Tree, tmp_path: Path
) -> None:
    """Everything again, in another folder, under another umask, without any cache of the engine's."""
    for name in ("bench", "images", "manifests"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    subprocess.run(["chmod", "-R", "go-rwx", str(tmp_path)], check=True)
    project: Project = open_project(tmp_path, "again.local/orbitbench")
    again = project.target("pi4", "linux/amd64", OWN_BASE)
    built = build.build(project, again, here, lambda _line: None, cache=False)
    assert trees.differences(tree, trees.of_image(engine, built.tag)) == []


def test_its_runtime_leaves_records_as_an_ordinary_user_on_a_read_only_root(
    engine: Board, image: ImageInfo, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle"
    jobs = [models.job(bundle, models.cnn(bundle / "models/small.onnx"))]
    models.job_list(tmp_path / "jobs.json", bundle, jobs)
    engine.docker("volume", "create", "records")
    limits = [
        "--read-only",
        "--cap-drop",
        "ALL",
        "--network",
        "none",
        "--tmpfs",
        "/tmp",
        "-v",
        "records:/data",
    ]
    name = engine.docker("create", *limits, image.id, "/data/jobs.json", "/data/out").strip()
    try:
        for source in ("jobs.json", "bundle"):
            engine.docker("cp", str(tmp_path / source), f"{name}:/data/{source}")
        said = engine.docker("start", "-a", name, check=False)
        engine.docker("cp", f"{name}:/data/out", str(tmp_path / "out"))
    finally:
        engine.docker("rm", "-f", name)
        engine.docker("volume", "rm", "records")
    assert '"event": "end"' in said, said
    record = json.loads((tmp_path / f"out/records/{jobs[0]['id']}.json").read_text())
    assert record["status"] == "ok", record["error"]
    assert record["output_check"]["ok"]
    assert max(rung["rss"] for rung in record["memory"]["rungs"]) > 10_000_000


def test_it_carries_where_it_comes_from(image: ImageInfo) -> None:
    labels = image.labels
    assert labels["org.orbitbench.packages"] == "numpy==1.26.4 onnxruntime==1.23.2"
    assert labels["org.opencontainers.image.created"].endswith("Z")
    assert labels["org.opencontainers.image.revision"]
    assert labels["org.opencontainers.image.source"].startswith("https://")

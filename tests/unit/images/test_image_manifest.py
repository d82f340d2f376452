"""images.yaml, and the targets that follow from it."""

from pathlib import Path

import pytest

from orchestrate.errors import BadInput
from orchestrate.images import requirements
from orchestrate.images.manifest import Project, open_project

YAML = """
schema: 1
registry: registry.example/lab
images:
  base:
    about: own
    platforms: [linux/amd64, linux/arm64]
    python: "3.11"
    debian: {suite: bookworm, packages: [python3]}
  old:
    about: a board
    platforms: [linux/arm64]
    base: vendor/l4t:r32
    python: "3.6"
    code: [record]
    requires: {"3.6": [numpy==1.19.4], "3.11": [numpy==1.26.4]}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.delenv("ORBITBENCH_REGISTRY", raising=False)
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests/images.yaml").write_text(YAML)
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "orbitbench"\nversion = "1.2.3"\n')
    return open_project(tmp_path)


def test_the_shipped_manifest_describes_every_board(root: Path) -> None:
    known = open_project(root).images.images
    assert {"base", "pi4", "jetson-tx2", "jetson-xavier", "cuda"} <= set(known)
    for name, image in known.items():
        assert (root / "images" / (image.dockerfile or name) / "Dockerfile").is_file()


def test_device_images_hold_record_and_runtime_and_nothing_of_torch(root: Path) -> None:
    for name, image in open_project(root).images.images.items():
        if name not in ("base", "cuda"):
            assert image.code == ["record", "runtime"]
            assert not any("torch" in p for packages in image.requires.values() for p in packages)


def test_bases_of_images_that_can_be_pinned_are_pinned_by_digest(root: Path) -> None:
    unpinned = {n for n, i in open_project(root).images.images.items() if i.base and "@sha256:" not in i.base}
    # no public source names digests of these tags of NVIDIA's
    assert unpinned == {"jetson-tx2", "jetson-xavier-r32", "jetson-thor", "tensorrt"}


def test_a_target_is_named_after_image_version_and_architecture(project: Project) -> None:
    assert project.target("old", "linux/arm64").tag == "registry.example/lab/old:1.2.3-arm64"


def test_without_names_every_board_is_meant_but_not_the_own_base(project: Project) -> None:
    assert [target.key for target in project.targets()] == ["old-arm64"]


def test_on_the_own_base_an_image_takes_that_ones_python(project: Project) -> None:
    target = project.target("old", "linux/arm64", base="base")
    assert (target.python, target.base) == ("3.11", "registry.example/lab/base:1.2.3-arm64")
    assert target.lock_name == "requirements-cp311-arm64.lock"


def test_another_base_keeps_the_images_python(project: Project) -> None:
    target = project.target("old", "linux/arm64", base="vendor/l4t:r32.7")
    assert (target.python, target.base) == ("3.6", "vendor/l4t:r32.7")


def test_an_unknown_image_lists_the_known_ones(project: Project) -> None:
    with pytest.raises(BadInput, match=r"no image is called pi5 \(known: base, old\)"):
        project.target("pi5", "linux/arm64")


def test_a_platform_that_an_image_lacks_is_refused(project: Project) -> None:
    with pytest.raises(BadInput, match="old is not made for linux/amd64, only for linux/arm64"):
        project.target("old", "linux/amd64")
    with pytest.raises(BadInput, match="--platform linux/amd64: old is made for linux/arm64 only"):
        project.targets(["old"], "linux/amd64")


def test_the_registry_may_come_from_the_caller_or_the_environment(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORBITBENCH_REGISTRY", "10.0.0.1:5000/x")
    assert open_project(project.root).images.registry == "10.0.0.1:5000/x"
    assert open_project(project.root, "other/y/").images.registry == "other/y"


GOOD = "lab ghcr.io ghcr.io/me/lab localhost:5000 10.0.0.1:5000/x [::1]:5000/x Host.example/a_b-c.d/e__f"
WRONG = "https://ghcr.io/me|not a registry|ghcr.io/Me|ghcr.io//me|host:port/x|-host/x|host/x:1|host/x@y|/x"


@pytest.mark.parametrize("registry", GOOD.split())
def test_what_docker_takes_before_an_image_name_is_a_registry(project: Project, registry: str) -> None:
    assert open_project(project.root, registry).images.registry == registry


@pytest.mark.parametrize("registry", WRONG.split("|"))
def test_anything_else_is_refused_before_it_gets_to_the_engine(project: Project, registry: str) -> None:
    with pytest.raises(BadInput, match=r"registry '.*': give HOST\[:PORT\]/PATH"):
        open_project(project.root, registry)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("base: vendor/l4t:r32", ""), "needs either `base`"),
        (('"3.6": [numpy==1.19.4], ', ""), "no packages for its own Python 3.6"),
        (("linux/arm64]\n    base", "linux/riscv64]\n    base"), "linux/amd64"),
        (("about: a board", "abuot: a board"), "abuot"),
    ],
)
def test_a_mistake_is_told_with_its_line(project: Project, change: tuple[str, str], message: str) -> None:
    path = project.root / "manifests/images.yaml"
    path.write_text(YAML.replace(*change))
    with pytest.raises(BadInput, match=message) as caught:
        open_project(project.root)
    assert "images.yaml:" in str(caught.value)


def test_outside_a_checkout_nothing_is_built_and_it_says_so(root: Path, tmp_path: Path) -> None:
    project = Project(tmp_path, open_project(root).images)
    with pytest.raises(BadInput, match="images are built in a checkout"):
        requirements.read_lock(project, project.target("pi4", "linux/arm64"))

"""Locks of Python packages: pinned by hash, for the platform that the image is for."""

import tomllib
from pathlib import Path

import pytest

from orchestrate.errors import BadInput
from orchestrate.images import requirements
from orchestrate.images.manifest import OWN_BASE, Project, open_project

HASH = "--hash=sha256:" + "0" * 64
ROOT = Path(__file__).parents[3]
PROJECT = open_project(ROOT)
TARGETS = {t.context_name: t for base in (None, OWN_BASE) for t in PROJECT.targets(base=base)}


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_has_a_lock_that_matches_images_yaml(name: str) -> None:
    target = TARGETS[name]
    locked = {p.lower() for p in requirements.pins(requirements.read_lock(PROJECT, target))}
    assert locked >= {r.partition("==")[0] for r in target.image.requires[target.python]}


def test_a_device_image_has_no_more_packages_than_it_asks_for() -> None:
    for target in TARGETS.values():
        if not target.image.deps:
            locked = requirements.pins(requirements.read_lock(PROJECT, target))
            assert len(locked) == len(target.image.requires[target.python])


@pytest.mark.parametrize("line", ["numpy==1.26.4", f"numpy {HASH}", "numpy==1.26.4 --hash=md5:00"])
def test_a_lock_line_without_hash_or_version_is_refused(line: str) -> None:
    with pytest.raises(BadInput, match="make locks"):
        requirements.pins(line)


def test_comments_and_empty_lines_of_a_lock_mean_nothing() -> None:
    assert requirements.pins(f"# made by\n\nnumpy==1.26.4 {HASH}\n") == {"numpy": "1.26.4"}


def test_a_lock_that_no_longer_matches_is_refused_with_the_command_that_mends_it(tmp_path: Path) -> None:
    project = type(PROJECT)(tmp_path, PROJECT.images)
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "1"\n')
    target = project.target("pi4", "linux/arm64")
    (tmp_path / "images/pi4").mkdir(parents=True)
    path = requirements.lock_path(project, target)
    with pytest.raises(BadInput, match=r"requirements-cp311-arm64.lock is not there: run `make locks`"):
        requirements.read_lock(project, target)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"numpy==1.26.4 {HASH}\nonnxruntime==1.21.0 {HASH}\n")
    with pytest.raises(BadInput, match=r"does not hold onnxruntime==1.23.2: run `make locks`"):
        requirements.read_lock(project, target)


def test_wheels_for_the_tx2_fit_python_36_and_glibc_227() -> None:
    found = requirements.wheel_options(PROJECT.target("jetson-tx2", "linux/arm64"))
    assert {"--abi=cp36m", "--python-version=3.6", "--platform=manylinux_2_27_aarch64"} <= set(found)
    assert not any("manylinux_2_28" in option for option in found)


def test_wheels_for_the_pi_fit_debian_12_on_arm() -> None:
    found = requirements.wheel_options(PROJECT.target("pi4", "linux/arm64"))
    assert {"--abi=cp311", "--platform=manylinux_2_36_aarch64", "--platform=manylinux2014_aarch64"} <= set(
        found
    )
    assert not any("x86_64" in option for option in found)


@pytest.mark.parametrize("platform", ["linux/arm64", "linux/amd64"])
def test_onnxruntime_is_a_version_that_runs_on_a_cortex_a72_and_under_qemu_72(platform: str) -> None:
    lock = requirements.read_lock(PROJECT, PROJECT.target("pi4", platform))
    version = tuple(map(int, requirements.pins(lock)["onnxruntime"].split(".")))
    assert version != (1, 21, 0)  # SIGILL on a Cortex-A72
    assert version < (1, 28)  # crashes at import under qemu-user 7.2


def test_the_cuda_image_has_all_that_training_and_export_import() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    wanted = {
        w.partition(">")[0].partition("=")[0] for w in extras["bench"] + extras["train"] if "orbit" not in w
    }
    locked = requirements.pins(requirements.read_lock(PROJECT, PROJECT.target("cuda", "linux/amd64")))
    assert wanted <= {name.lower() for name in locked}


@pytest.fixture
def with_wheels(tmp_path: Path) -> Project:
    """The TX2's lock and, as a board would have made them, wheels beside it."""
    target = PROJECT.target("jetson-tx2", "linux/arm64")
    folder = tmp_path / "images/jetson-tx2"
    (folder / "wheels").mkdir(parents=True)
    (folder / target.lock_name).write_text(requirements.read_lock(PROJECT, target))
    for name in ("pycuda-2022.1-cp36-cp36m-linux_aarch64", "pytools-2022.1-py2.py3-none-any"):
        (folder / "wheels" / f"{name}.whl").write_bytes(b"")
    for name in ("pycuda-2022.2-cp38-cp38-linux_aarch64", "numpy-1.19.5-cp36-cp36m-linux_aarch64"):
        (folder / "wheels" / f"{name}.whl").write_bytes(b"")
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "1"\n')
    return Project(tmp_path, PROJECT.images)


def test_wheels_made_on_a_board_join_the_locked_ones_where_they_fit_and_replace_none(
    with_wheels: Project,
) -> None:
    target = with_wheels.target("jetson-tx2", "linux/arm64")
    found = [path.name.partition("-")[0] for path in requirements.local_wheels(with_wheels, target)]
    assert found == ["pycuda", "pytools"]
    assert requirements.absent(with_wheels, target) == []


def test_a_build_knows_which_wheels_are_still_to_be_made(with_wheels: Project) -> None:
    for path in (with_wheels.root / "images/jetson-tx2/wheels").glob("pycuda-*-cp36-*"):
        path.unlink()
    target = with_wheels.target("jetson-tx2", "linux/arm64")
    assert requirements.absent(with_wheels, target) == ["pycuda"]
    assert requirements.absent(PROJECT, PROJECT.target("jetson-tx2", "linux/arm64", OWN_BASE)) == []

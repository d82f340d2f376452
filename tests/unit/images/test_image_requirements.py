"""Locks of Python packages: pinned by hash, for the platform that the image is for."""

import dataclasses
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


@pytest.mark.parametrize(("python", "glibc"), [("3.10", 35), ("3.12", 39), ("3.13", 41)])
def test_wheels_for_the_boards_of_this_year_fit_their_python_and_glibc(python: str, glibc: int) -> None:
    target = dataclasses.replace(PROJECT.target("jetson-xavier", "linux/arm64"), python=python)
    found = requirements.wheel_options(target)
    abi = f"--abi=cp{python.replace('.', '')}"
    assert {abi, f"--platform=manylinux_2_{glibc}_aarch64"} <= set(found)
    assert f"--platform=manylinux_2_{glibc + 1}_aarch64" not in found


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
    """Locks of the images on JetPack 4 and 5 and, as two boards would have made them, wheels beside them."""
    for name in ("jetson-xavier", "jetson-xavier-r32"):
        target = PROJECT.target(name, "linux/arm64")
        path = tmp_path / "images/jetson-xavier" / target.lock_name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(requirements.read_lock(PROJECT, target))
    wheels = tmp_path / "images/jetson-xavier/wheels"
    for name in (
        "cp36/pycuda-2022.1-cp36-cp36m-linux_aarch64",
        "cp36/pytools-2022.1-py2.py3-none-any",
        "cp36/numpy-1.19.5-cp36-cp36m-linux_aarch64",
        "cp38/pycuda-2022.2-cp38-cp38-linux_aarch64",
        "cp38/pytools-2024.1-py3-none-any",
    ):
        path = wheels / f"{name}.whl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "1"\n')
    return Project(tmp_path, PROJECT.images)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("jetson-xavier-r32", ["pycuda-2022.1-cp36", "pytools-2022.1-py2.py3"]),
        ("jetson-xavier", ["pycuda-2022.2-cp38", "pytools-2024.1-py3"]),
    ],
)
def test_wheels_of_two_pythons_never_meet_and_replace_none_of_the_lock(
    name: str, wanted: list[str], with_wheels: Project
) -> None:
    target = with_wheels.target(name, "linux/arm64")
    found = ["-".join(path.name.split("-")[:3]) for path in requirements.local_wheels(with_wheels, target)]
    assert found == wanted


def test_a_wheel_outside_a_folder_of_its_python_is_refused_with_where_it_belongs(
    with_wheels: Project,
) -> None:
    stray = with_wheels.root / "images/jetson-xavier/wheels/pycuda-2022.1-cp36-cp36m-linux_aarch64.whl"
    stray.write_bytes(b"")
    target = with_wheels.target("jetson-xavier", "linux/arm64")
    with pytest.raises(BadInput, match=r"pycuda-2022.1-cp36.*move it to images/jetson-xavier/wheels/cp36"):
        requirements.local_wheels(with_wheels, target)


def test_two_releases_of_one_package_are_named_before_pip_gives_up_on_them(with_wheels: Project) -> None:
    (with_wheels.root / "images/jetson-xavier/wheels/cp38/pytools-2023.1-py3-none-any.whl").write_bytes(b"")
    target = with_wheels.target("jetson-xavier", "linux/arm64")
    with pytest.raises(BadInput, match=r"wheels/cp38 holds pytools-2023.*and pytools-2024.*: keep one"):
        requirements.local_wheels(with_wheels, target)


def test_every_image_that_measures_names_what_it_cannot_infer_without() -> None:
    for target in PROJECT.targets():
        if target.image.code != "all":
            assert "numpy" in target.image.finds, target.name

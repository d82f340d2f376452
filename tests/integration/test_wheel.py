"""The wheel, installed into a fresh environment and used in a folder that is no checkout."""

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration
PACKAGES = [path for path in sys.path if path.endswith("site-packages")]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel; its dependencies are those of this one, this checkout is not."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run(build, check=True)
    (wheel,) = folder.glob("*.whl")
    made = folder / "environment"
    venv.create(made, symlinks=True)
    python = made / "bin/python"
    install = ["--python", str(python), "install", "--no-compile", "--no-deps", "--no-index", str(wheel)]
    subprocess.run([*pip, *install], check=True)
    (site,) = made.glob("lib/python3.*/site-packages")
    (site / "layer.pth").write_text("\n".join(PACKAGES))
    return made


@pytest.fixture
def call(environment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    variables = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "ORBITBENCH", "XDG"))}

    def run(*command: str) -> str:
        words = [str(environment / "bin" / command[0]), *command[1:]]
        done = subprocess.run(
            words, capture_output=True, text=True, check=False, env={**variables, "HOME": str(tmp_path)}
        )
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    return run


def test_it_is_the_installed_code_with_its_manifests(call, environment):
    code = "import bench, orchestrate; from bench.manifests import search_path as s; "
    told = call("python", "-c", code + "print(bench.__file__, orchestrate.__file__, s.SHIPPED)")
    assert all(Path(path).is_relative_to(environment) for path in told.split())


def test_every_kind_of_manifest_is_found(call):
    assert "pi4" in call("orchestrate", "devices")
    assert "jetson-tx2" in call("orchestrate", "images", "list")
    arguments = ["--method", "neuralscale", "--ratio", "0.25", "--ratio-of", "params", "--json"]
    scaled = json.loads(call("bench", "scale", "vgg11", "--dataset", "cifar10", *arguments))
    assert abs(scaled["error"]) <= 0.005


def test_the_users_own_manifests_come_first(call, tmp_path):
    (tmp_path / ".config/orbitbench").mkdir(parents=True)
    devices = "schema: 1\ndevices:\n  mine: {transport: process, backend: onnxruntime}\n"
    (tmp_path / ".config/orbitbench/devices.yaml").write_text(devices)
    assert "mine" in call("orchestrate", "devices")


def test_a_run_measures_and_writes_into_the_current_folder(call, environment, tmp_path):
    def installed() -> set[Path]:
        return {path for path in environment.rglob("*") if "__pycache__" not in path.parts}

    before = installed()
    call("orchestrate", "run", "--device", "local", "--experiment", "smoke")
    assert list(tmp_path.glob("results/*/local/records/*.json"))
    assert list(tmp_path.glob("results/*/report/*.html"))
    assert installed() == before

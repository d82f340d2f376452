"""`bench export`: what lands in the folder, what is reported, and what an interruption leaves."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import onnxruntime
import pytest
import torch
from typer.testing import CliRunner

from bench import data
from bench.cli import build, main
from bench.export import cache
from bench.record.files import sha256_of
from bench.zoo import architecture, dataset
from tests.models import mlp

EXPERIMENT = """\
name: small
groups:
  - {architectures: [mobilenetv2], dataset: cifar10, methods: [uniform], ratios: [0.1], ratio_of: width}
  - {architectures: [vgg11], dataset: cifar10, methods: [neuralscale], ratios: [0.001], ratio_of: params}
  - {architectures: [resnet50], dataset: cifar100, methods: [neuralscale], ratios: [0.25], ratio_of: params}
measure: {processes: 2}
"""


@pytest.fixture(scope="module")
def setting(tmp_path_factory):
    """A folder with an experiment, and a cache that this module fills once."""
    folder = tmp_path_factory.mktemp("export")
    (folder / "small.yaml").write_text(EXPERIMENT)
    return folder


@pytest.fixture(autouse=True)
def own_cache(setting, monkeypatch):
    monkeypatch.setenv("ORBITBENCH_CACHE", str(setting / "cache"))


def run(*arguments):
    return CliRunner().invoke(build(), ["export", *map(str, arguments)])


@pytest.fixture(scope="module")
def bundle(setting):
    """One finished bundle of the experiment and one own file."""
    out, own = setting / "bundle", mlp(setting / "own.onnx", width=8, batch="N")
    os.environ["ORBITBENCH_CACHE"] = str(setting / "cache")
    result = run(setting / "small.yaml", "--onnx", own, "--out", out, "--json")
    assert result.exit_code == 0, result.output
    return out, json.loads(result.stdout)


def test_every_file_named_in_the_bundle_is_there_with_its_hash_and_answers_within_tolerance(bundle):
    out, contents = bundle
    assert json.loads((out / "bundle.json").read_text()).items() <= {
        **contents, "schema": 1, "kind": "orbitbench.bundle",
    }.items()  # fmt: skip
    for model in contents["models"]:
        assert sha256_of(out / model["file"]) == model["sha256"]
        assert (out / model["file"]).stat().st_size == model["bytes"]
        assert sha256_of(out / model["reference"]["file"]) == model["reference"]["sha256"]
        arrays = np.load(out / model["reference"]["file"])
        session = onnxruntime.InferenceSession(out / model["file"])
        (output,) = session.run(None, {model["inputs"][0]["name"]: arrays["input.0"]})
        assert np.abs(output - arrays["output.0"]).max() <= model["reference"]["tolerance"]


def test_the_bundle_says_what_each_model_is_and_that_nobody_measured_its_accuracy(bundle):
    zoo, fitted, own = bundle[1]["models"]
    assert (zoo["id"], zoo["method"], zoo["ratio_of"]) == (
        "mobilenetv2-cifar10-uniform-w0.1",
        "uniform",
        "width",
    )
    assert zoo["accuracy"] is None
    assert fitted["fit"] == "vgg11-cifar10"
    assert abs(fitted["params"] / fitted["target_params"] - 1) <= 0.005
    assert own["architecture"] is own["method"] is own["ratio"] is None
    assert own["inputs"][0]["shape"] == [1, 8]


def test_a_combination_without_a_fit_is_skipped_with_the_command_that_makes_one(bundle):
    assert bundle[1]["skipped"] == [
        {
            "id": "resnet50-cifar100-neuralscale-p0.25",
            "reason": "no fit for resnet50 on cifar100",
            "command": "bench search resnet50 --dataset cifar100",
        }
    ]


def test_the_experiment_is_named_with_the_hash_of_its_file_and_how_to_measure(setting, bundle):
    named = bundle[1]["experiment"]
    assert named["name"] == "small"
    assert named["sha256"] == sha256_of(setting / "small.yaml")
    assert named["measure"]["processes"] == 2
    assert named["measure"]["max_seconds"] == 3.0


def test_the_table_shows_sizes_and_says_what_is_missing(setting, bundle):
    result = run(setting / "small.yaml", "--out", setting / "table")
    assert result.exit_code == 0
    assert "mobilenetv2-cifar10-uniform-w0.1" in result.stdout
    assert "missing" in result.stdout
    assert "make one with: bench search resnet50 --dataset cifar100" in result.stdout


def test_a_second_export_takes_all_from_the_cache_without_torch(setting, bundle, monkeypatch):
    code = "import sys; sys.modules['torch'] = None; from bench.cli import main; main()"
    arguments = ["export", setting / "small.yaml", "--out", setting / "again"]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for model in ("mobilenetv2-cifar10-uniform-w0.1.onnx", "vgg11-cifar10-neuralscale-p0.001.onnx"):
        assert sha256_of(setting / "again" / "models" / model) == sha256_of(bundle[0] / "models" / model)


def test_own_files_need_no_torch_and_no_experiment(setting):
    own = mlp(setting / "alone.onnx", width=8)
    code = "import sys; sys.modules['torch'] = None; from bench.cli import main; main()"
    arguments = ["export", "--onnx", own, "--out", setting / "alone", "--json"]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    contents = json.loads(done.stdout)
    assert contents["experiment"] is None
    assert len(contents["models"]) == 1


def test_an_older_bundle_in_the_folder_is_replaced_with_all_its_files(setting, bundle):
    out = shutil.copytree(bundle[0], setting / "older")
    result = run("--onnx", setting / "own.onnx", "--out", out)
    assert result.exit_code == 0
    assert [p.name for p in (out / "models").iterdir()] == [
        p.name for p in (bundle[0] / "models").iterdir() if p.name.startswith("onnx-")
    ]


def test_a_folder_with_anything_else_in_it_is_left_alone(setting):
    out = setting / "precious"
    out.mkdir()
    (out / "thesis.tex").write_text("years of work")
    result = run("--onnx", mlp(setting / "own.onnx", width=8, batch="N"), "--out", out)
    assert result.exit_code == 2
    assert "is no bundle, it holds thesis.tex" in result.stderr
    assert [p.name for p in out.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "nothing to export: name an experiment, or give --onnx FILE"),
        (["nonsense"], "unknown experiment (allowed: "),
        (["--onnx", "own.onnx", "--dim", "N"], "--dim N: give NAME=SIZE"),
        (["--onnx", "own.onnx", "--dim", "N=0"], "--dim N=0: give NAME=SIZE"),
        (["--onnx", "own.onnx", "--dim", "M=2"], "--dim M: no file has such a dynamic dimension; known: N"),
        (["--onnx", "absent.onnx", "--onnx", "gone.onnx"], "gone.onnx: cannot be read"),
        (["--batch", "0", "smoke"], "--batch 0: give whole numbers from 1 to 1024"),
    ],
)
def test_bad_input_is_told_in_a_line_with_exit_code_2_and_makes_no_bundle(setting, arguments, expected):
    mlp(setting / "own.onnx", width=8, batch="N")
    placed = [setting / part if part.endswith(".onnx") else part for part in arguments]
    result = run(*placed, "--out", setting / "none")
    assert result.exit_code == 2
    assert expected in result.stderr
    assert "Traceback" not in result.stderr
    assert not (setting / "none").exists()


def test_a_target_that_no_widths_reach_names_the_model_before_anything_is_built(setting):
    text = EXPERIMENT.replace("[0.001]", "[0.000001]").replace("ratios: [0.1]", "ratios: [0.00001]")
    (setting / "far.yaml").write_text(text)
    result = run(setting / "far.yaml", "--out", setting / "none")
    assert result.exit_code == 2
    assert "mobilenetv2-cifar10-uniform-w1e-05: " in result.stderr
    assert "vgg11-cifar10-neuralscale-p1e-06: " in result.stderr
    assert not (setting / "none").exists()


class Interrupting:
    """Writes files, and is met by a Ctrl-C with the third model's reference half written."""

    def __init__(self, write):
        self.write, self.references = write, 0

    def __call__(self, path, data):
        self.references += path.name == "reference.npz"
        if self.references == 3:
            path.write_bytes(data[: len(data) // 2])
            signal.raise_signal(signal.SIGINT)
        self.write(path, data)


def test_interrupted_it_leaves_no_bundle_and_what_was_done_is_not_done_again(tmp_path, monkeypatch):
    text = EXPERIMENT.replace("ratios: [0.1]", f"ratios: {[0.05, 0.06, 0.07]}")
    (tmp_path / "long.yaml").write_text(text)
    out, store = tmp_path / "out", tmp_path / "cache"
    command = ["export", tmp_path / "long.yaml", "--out", out, "--cache", store]
    monkeypatch.setattr(sys, "argv", ["bench", *map(str, command)])
    writing = Interrupting(cache.files.write)
    monkeypatch.setattr(cache.files, "write", writing)
    with pytest.raises((SystemExit, KeyboardInterrupt)) as ended:
        main()
    assert getattr(ended.value, "code", None) == 130
    assert writing.references == 3
    assert not (out / "bundle.json").exists()
    kept = {path.name for path in store.iterdir()}  # a half-written one would lie in a hidden folder here
    assert len(kept) == 2
    assert all(cache.get(store, name) for name in kept)


def test_a_damaged_artefact_is_built_again(tmp_path):
    made = cache.put(tmp_path, "name", b"model", b"reference", {"tolerance": 1})
    assert cache.get(tmp_path, "name") == made
    made.model.write_bytes(b"modem")
    assert cache.get(tmp_path, "name") is None
    assert cache.put(tmp_path, "name", b"model", b"reference", {"tolerance": 1}) == made
    assert cache.get(tmp_path, "name") == made


def test_two_exports_at_once_share_a_cache(tmp_path):
    first = cache.put(tmp_path, "name", b"model", b"reference", {})
    stamp = first.model.stat().st_mtime_ns
    time.sleep(0.01)
    assert cache.put(tmp_path, "name", b"model", b"reference", {}) == first
    assert first.model.stat().st_mtime_ns == stamp  # whoever comes second leaves the first one's files
    assert [path.name for path in tmp_path.iterdir()] == ["name"]


def test_trained_weights_go_into_the_file_and_are_named_there(setting, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = "vgg11-digits-uniform-p0.0005"
    trained = CliRunner().invoke(
        build(), ["train", model, "--recipe", "reduced", "--epochs", "1", "--set", "batch=480", "--json"]
    )
    folder = tmp_path / json.loads(trained.stdout)["folder"]
    group = (
        "{architectures: [vgg11], dataset: digits, methods: [uniform], ratios: [0.0005], ratio_of: params}"
    )
    (tmp_path / "one.yaml").write_text(f"name: one\ngroups: [{group}]\n")
    result = run("one.yaml", "--out", "bundle", "--batch", "2", "--json")
    (entry,) = json.loads(result.stdout)["models"]
    assert entry["weights"] == f"trained seed 0 sha256 {sha256_of(folder / 'model.pt')}"
    assert entry["accuracy"]["source"] == "trained"
    images = data.load("digits", "test")[0][:2].numpy()
    session = onnxruntime.InferenceSession(tmp_path / "bundle" / entry["file"])
    module = architecture("vgg11").build(entry["widths"], dataset("digits")).eval()
    module.load_state_dict(torch.load(folder / "model.pt", weights_only=True)["state"])
    expected = module(torch.from_numpy(images)).detach().numpy()
    assert np.allclose(session.run(None, {"input": images})[0], expected, atol=1e-4)
    (folder / "model.pt").write_bytes(b"torn")
    assert run("one.yaml", "--out", "again").exit_code == 2

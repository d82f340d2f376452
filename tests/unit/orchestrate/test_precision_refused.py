"""Precisions and options that a device's backend does not perform are refused with file, line and choice."""

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrate.analysis import records
from orchestrate.console import make_console
from orchestrate.devices import Device, load_devices
from orchestrate.errors import BadInput
from orchestrate.execution import own_words, run
from orchestrate.execution.options import RunOptions
from orchestrate.runs import plan
from orchestrate.runs.folder import Run
from tests import synthetic
from tests.synthetic import Json, Study
from tests.unit.orchestrate import sample

HEAD = """schema: 1
devices:
  here:
    transport: process
    backend: {backend}
    {rest}
"""


def load(path: Path, backend: str, rest: str) -> dict[str, Device]:
    path.write_text(HEAD.format(backend=backend, rest=rest))
    return load_devices(path)


@pytest.mark.parametrize(
    ("backend", "rest", "said"),
    [
        (
            "onnxruntime",
            "precisions: [fp32, int8, fp16]",
            [
                "devices.yaml:6: devices.here.precisions[1]: backend onnxruntime does not run",
                "fp32 file as int8 (allowed: fp32)",
                "fp32 file as fp16 (allowed: fp32)",
            ],
        ),
        (
            "onnxruntime",
            "options:\n      arena: false\n      graph_levle: all",
            [
                "devices.yaml:8: devices.here.options.graph_levle: backend onnxruntime",
                "has no option 'graph_levle' (allowed: arena, config,",
            ],
        ),
        ("onnxruntime", "options: {graph_level: most}", ["must be one of disabled, basic, extended, all"]),
        ('"null"', "options: {x: 1}", ["backend null has no option 'x' (allowed: none)"]),
        ("tensorrt", "options: {tf32: 1}", ["option tf32 is 1, must be true or false"]),
        (
            "tensorrt",
            "options: {dla_core: 0}",  # with fp32, which is what a device runs that does not say
            ["devices.here.options.dla_core: option dla_core does not run fp32 (allowed: fp16, int8)"],
        ),
        (
            "onnxruntime",
            "options: {config: {session.dynamic_blok_base: 4}}",
            ["devices.here.options.config: option config has an unknown entry 'session.dynamic_blok_base'"],
        ),
        ("onnxrt", "precisions: [fp32]", ["devices.yaml:5: devices.here.backend: unknown value 'onnxrt'"]),
    ],
)
def test_what_a_backend_does_not_perform_is_refused_with_its_line(
    tmp_path: Path, backend: str, rest: str, said: list[str]
) -> None:
    with pytest.raises(BadInput) as caught:
        load(tmp_path / "devices.yaml", backend, rest)
    for text in said:
        assert text in str(caught.value)
    assert caught.value.exit_code == 2


def test_the_nested_config_of_onnxruntime_is_an_option_like_others(tmp_path: Path) -> None:
    rest = "options: {config: {session.dynamic_block_base: 4, session.intra_op.allow_spinning: false}}"
    device = load(tmp_path / "devices.yaml", "onnxruntime", rest)["here"]
    wanted = {"session.dynamic_block_base": 4, "session.intra_op.allow_spinning": False}
    assert device.options == {"config": wanted}


def planned(bundle: Any, known: dict[str, Device], typed: str) -> Any:
    return plan.plan(bundle, known, "1", own_words.sweep(None, typed, None).devices(known), typed=True)


@pytest.mark.parametrize("typed", ["fp32", "fp16", "fp32,int8"])
def test_a_typed_precision_is_real_or_refused_for_every_file(tmp_path: Path, typed: str) -> None:
    """An int8 file ran as int8, whatever was typed."""
    here = load(tmp_path / "devices.yaml", "onnxruntime", "")
    bundle = sample.bundle("net")
    bundle["models"][0]["precision"] = "int8"
    assert [job["precision"] for job in planned(bundle, here, "int8")["devices"]["here"]["jobs"]] == ["int8"]
    with pytest.raises(BadInput, match="here: net: the file is int8: it runs as int8, not as fp"):
        planned(bundle, here, typed)


def test_a_file_that_does_not_run_in_the_typed_precision_is_left_out_alone(tmp_path: Path) -> None:
    """It ended the whole run, where any other unsuitable file is left out with a line."""
    here = load(tmp_path / "devices.yaml", "tensorrt", "")
    bundle = sample.bundle("net", "quantized")
    bundle["models"][1]["precision"] = "int8"
    made = planned(bundle, here, "fp16")
    jobs = [(job["model"]["id"], job["precision"]) for job in made["devices"]["here"]["jobs"]]
    assert jobs == [("net", "fp16")]
    assert [plan.refusal(each) for each in made["refused"]] == [
        "quantized: refused on here: the file is int8: it runs as int8, not as fp16"
    ]


def test_a_run_leaves_it_out_and_ends_only_where_nothing_is_left(tmp_path: Path) -> None:
    def begun(name: str, *kinds: str) -> Run:
        def make(_options: RunOptions, out: Path, _held: int) -> Any:
            out.mkdir()
            bundle = sample.bundle(*kinds)
            for model in bundle["models"]:
                model["precision"] = model["id"]
            return bundle

        options = RunOptions(
            devices=["local"], results=tmp_path / name, sweep=own_words.sweep(None, "fp32", None)
        )
        return run.begin(options, make_console(), make)

    made = begun("a", "fp32", "int8")
    assert [plan.refusal(each) for each in made.plan["refused"]] == [
        "int8: refused on local: the file is int8: it runs as int8, not as fp32"
    ]
    with pytest.raises(BadInput, match="local: int8: the file is int8: it runs as int8, not as fp32"):
        begun("b", "int8")


def jobs(file: str | None, **device: Any) -> list[str]:
    model = {"id": "net", "precision": file} if file else {"id": "net"}
    settings = {"transport": "process", "backend": "tensorrt", **device}
    return [job["precision"] for job in plan.jobs_of([model], Device.model_validate(settings))]


def test_an_fp32_file_runs_in_all_precisions_and_any_other_as_what_it_is() -> None:
    asked = ["fp32", "fp16"]
    assert jobs(None, precisions=asked) == jobs("fp32", precisions=asked) == asked
    assert jobs("int8", precisions=asked) == ["int8"]
    assert jobs("mixed", backend="onnxruntime") == ["mixed"]


def test_a_file_that_the_backend_cannot_run_is_refused_by_name() -> None:
    with pytest.raises(BadInput, match="net: backend torch does not run a file that is fp16"):
        jobs("fp16", backend="torch")
    with pytest.raises(BadInput, match="net: backend onnxruntime does not run an fp32 file as int8"):
        jobs("fp32", backend="onnxruntime", precisions=["int8"])  # of a plan, or of an edited run


def test_an_option_that_does_not_run_the_precision_asked_for_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(BadInput, match="option dla_core does not run fp32"):
        jobs("fp32", options={"dla_core": 0}, precisions=["fp32"])
    assert jobs("fp32", options={"dla_core": 0}, precisions=["fp16"]) == ["fp16"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, None),
        ({"model": {"precision": "fp32"}}, "it is called int8, but backend onnxruntime does not run an fp32"),
        ({"options": {"graph_level": "basic"}}, "it is called int8, but with graph_level: basic a file that"),
        ({"backend": "one-of-another-package", "model": {"precision": "fp32"}}, None),
    ],
)
def test_a_record_of_a_precision_that_did_not_run_is_left_out_with_the_reason(
    tmp_path: Path, change: Json, said: str | None
) -> None:
    """Older runs took an fp32 file three times, and called two of the records fp16 and int8."""
    study = Study(architectures=("vgg11",), ratios=(1.0,), methods=("uniform",), precisions=("int8",))
    (record,) = synthetic.records(study)
    record["job"]["model"].update(change.get("model", {}))
    record["job"].update({key: value for key, value in change.items() if key != "model"})
    folder = tmp_path / "run" / "bench-a" / "records"
    folder.mkdir(parents=True)
    (folder / "a.json").write_text(json.dumps(record))
    found = records.read([tmp_path / "run"])
    assert len(found.jobs) == (said is None)
    if said:
        (left,) = found.excluded
        assert left.code == "unsupported_precision"
        assert left.reason.startswith(said)

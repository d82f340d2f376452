"""Memory under every definition, from rungs written by hand."""

import json
from pathlib import Path

from orchestrate.analysis import memory, records
from orchestrate.execution import summary
from tests import synthetic
from tests.synthetic import Study

MB = 1_000_000


def ladder(number: int, model: int, heap: int = 0, sharing: int = 0) -> memory.Rungs:
    """A process whose interpreter (8 MB) is shared, whose library (20 MB) is shared with `sharing`
    strangers' pages."""
    steps = [
        ("start", 10, 8),
        ("device_initialised", 40, 8 + sharing),
        ("steady", 40 + model + heap, 8 + sharing),
    ]
    steps.append(("steady_trimmed", 40 + model, 8 + sharing))
    return {
        name: {
            "process": number,
            "rung": name,
            "rss": rss * MB,
            "pss": (rss - shared) * MB,
            "uss": (rss - shared) * MB,
        }
        | {"peak_rss": rss * MB}
        for name, rss, shared in steps
    }


def test_memory_is_the_whole_process_and_the_model_above_the_initialised_device() -> None:
    found = memory.values(ladder(0, 22))
    assert found[memory.PROCESS] == (40 + 22 - 8) * MB
    assert found[memory.MODEL] == 22 * MB
    assert found[memory.PEAK] == 62 * MB


def test_every_other_definition_is_kept_so_that_a_ranking_can_be_checked_under_each() -> None:
    found = memory.values(ladder(0, 20, heap=15))
    kinds = [f"{k}_{when}" for k in ("own", "uss", "pss", "rss") for when in ("trimmed", "untrimmed")]
    assert {f"model_{each}" for each in kinds} | {f"process_{each}" for each in kinds} <= set(found)
    assert found["model_rss_untrimmed"] == 35 * MB
    assert found["model_rss_trimmed"] == 20 * MB


def test_a_stranger_that_maps_the_same_library_moves_the_kernels_uss_but_not_the_headline() -> None:
    alone, shared = memory.values(ladder(0, 20)), memory.values(ladder(0, 20, sharing=17))
    assert alone["process_uss_trimmed"] - shared["process_uss_trimmed"] == 17 * MB
    assert alone[memory.PROCESS] == shared[memory.PROCESS]


def test_where_only_rss_can_be_read_it_goes_by_its_own_name_and_never_as_the_headline() -> None:
    rungs = {name: {**rung, "uss": None, "pss": None} for name, rung in ladder(0, 20).items()}
    found = memory.values(rungs)
    assert found["process_rss_trimmed"] == 60 * MB
    assert memory.PROCESS not in found


def test_the_peak_holds_the_gpus_part_and_is_unknown_without_it() -> None:
    gpu = {"start": 0, "device_initialised": 100, "steady": 300, "steady_trimmed": 250}
    jetson = memory.values({name: {**rung, "nvmap": gpu[name] * MB} for name, rung in ladder(0, 22).items()})
    assert jetson[memory.PEAK] == (62 + 300) * MB
    assert jetson["peak_model"] == (62 + 300 - 40 - 100) * MB
    assert jetson["peak_rss"] == 62 * MB  # by its own name
    assert jetson[memory.PROCESS] == (40 + 22 - 8 + 250) * MB
    blind = memory.values({name: {**rung, "gpu_free": 8_000 * MB} for name, rung in ladder(0, 22).items()})
    assert not {memory.PEAK, "peak_model", memory.PROCESS} & blind.keys()
    assert blind["peak_rss"] == 62 * MB


def test_what_the_kernel_swaps_out_is_still_the_models_and_is_warned_of(tmp_path: Path) -> None:
    run = synthetic.write(Study(architectures=("vgg11",), ratios=(0.25,)), tmp_path)
    (before,) = {job.id: job for job in records.read([run]).jobs if "uniform" in job.id}.values()
    for path in run.glob("*/records/*.json"):
        record = json.loads(path.read_text())
        for rung in record["memory"]["rungs"]:
            if rung["rung"].startswith("steady") and "uniform" in path.name:
                rung.update({key: rung[key] - 20 * MB for key in ("rss", "pss", "uss")}, swap=20 * MB)
        path.write_text(json.dumps(record))
    found = {job.id: job for job in records.read([run]).jobs}
    moved = found.pop(before.id)
    assert moved.memory[memory.MODEL] == before.memory[memory.MODEL]
    assert moved.memory[memory.PROCESS] == before.memory[memory.PROCESS]
    assert "swapped" in moved.warnings
    assert not any("swapped" in job.warnings for job in found.values())


def test_a_model_that_seems_to_free_memory_is_warned_of(tmp_path: Path) -> None:
    run = synthetic.write(Study(architectures=("vgg11",), ratios=(0.25,), methods=("uniform",)), tmp_path)
    (path,) = run.glob("*/records/*.json")
    record = json.loads(path.read_text())
    for rung in record["memory"]["rungs"]:
        if rung["rung"] == "device_initialised":
            rung.update({key: rung[key] + 300 * MB for key in ("rss", "pss", "uss", "peak_rss")})
    path.write_text(json.dumps(record))
    (job,) = records.read([run]).jobs
    assert max(job.memory[memory.MODEL]) < 0
    assert "negative_memory" in job.warnings
    assert "negative_memory" in summary.notes([record])[0]

"""The figures of a record, from samples and rungs written by hand."""

from typing import Any

import pytest

from bench.record import figures, samples

MB = 1_000_000


def process(*milliseconds: float) -> dict[str, Any]:
    return {"samples": samples.encode([round(ms * 1e6) for ms in milliseconds])}


def ladder(number: int, model: int, heap: int = 0, sharing: int = 0) -> list[dict[str, Any]]:
    """A process whose interpreter (8 MB) is shared, whose library (20 MB) is shared with `sharing`
    strangers' pages."""
    steps = [
        ("start", 10, 8),
        ("device_initialised", 40, 8 + sharing),
        ("steady", 40 + model + heap, 8 + sharing),
    ]
    steps.append(("steady_trimmed", 40 + model, 8 + sharing))
    return [
        {
            "process": number,
            "rung": name,
            "rss": rss * MB,
            "pss": (rss - shared) * MB,
            "uss": (rss - shared) * MB,
        }
        | {"peak_rss": rss * MB}
        for name, rss, shared in steps
    ]


def test_latency_is_the_median_of_a_process_averaged_over_processes() -> None:
    found = figures.latency([process(1, 2, 30), process(4, 4, 4), process(3, 3, 3)])
    assert found is not None
    assert found["p50"] == pytest.approx(3e-3)
    assert found["n"] == 9
    assert found["min"] == pytest.approx(1e-3)
    assert found["mean"] == pytest.approx(6e-3)
    assert found["ci"][0] < 3e-3 < found["ci"][1]
    assert found["process_medians"] == pytest.approx([2e-3, 4e-3, 3e-3])


def test_a_tail_that_too_few_samples_cannot_show_is_not_shown() -> None:
    few, many = figures.latency([process(*[1.0] * 63)]), figures.latency([process(*[1.0] * 64)])
    assert few is not None
    assert few["p90"] is None
    assert many is not None
    assert many["p90"] == pytest.approx(1e-3)
    assert many["p99"] is None


def test_without_samples_or_rungs_there_is_no_figure() -> None:
    assert figures.latency([]) is None
    assert figures.memory([]) is None


def test_memory_is_the_whole_process_and_the_model_above_the_initialised_device() -> None:
    found = figures.memory(ladder(0, 20) + ladder(1, 22) + ladder(2, 24))
    assert found is not None
    assert found["definition"] == "own_trimmed"
    assert found["process"] == (40 + 22 - 8) * MB
    assert found["model"] == 22 * MB
    assert found["peak"] == 62 * MB


def test_every_other_definition_is_kept_so_that_a_ranking_can_be_checked_under_each() -> None:
    found = figures.memory(ladder(0, 20, heap=15))
    assert found is not None
    assert {
        f"{kind}_{when}" for kind in ("own", "uss", "pss", "rss") for when in ("trimmed", "untrimmed")
    } == set(found["definitions"])
    assert found["definitions"]["rss_untrimmed"]["model"] == 35 * MB
    assert found["definitions"]["rss_trimmed"]["model"] == 20 * MB


def test_a_stranger_that_maps_the_same_library_moves_the_kernels_uss_but_not_the_headline() -> None:
    alone, shared = figures.memory(ladder(0, 20)), figures.memory(ladder(0, 20, sharing=17))
    assert alone is not None
    assert shared is not None
    assert (
        alone["definitions"]["uss_trimmed"]["process"] - shared["definitions"]["uss_trimmed"]["process"]
        == 17 * MB
    )
    assert alone["process"] == shared["process"]


def test_where_only_rss_can_be_read_it_is_the_headline_and_says_so() -> None:
    rungs = [{**rung, "uss": None, "pss": None} for rung in ladder(0, 20)]
    found = figures.memory(rungs)
    assert found is not None
    assert found["definition"] == "rss_trimmed"
    assert found["process"] == 60 * MB

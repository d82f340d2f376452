"""Which timings count: pure rules, from facts to reasons that exclude and warnings that are shown."""

from typing import Any

import pytest

from bench.record import measure, schema
from bench.runtime.measure import validity

PLAN = {**measure.DEFAULTS}
ENTRY: dict[str, Any] = {"samples": {"n": 500}, "stopped_by": "target_ci", "drift": 0.0, "plan": PLAN}
FACTS: dict[str, Any] = {"span": 2.0, "cpu": 2.0, "waiting": 0.0, "others": 0.0, "steal": 0.0}
FACTS |= {"wall_gap": 0.0, "raw_gap": 0.0, "boot_gap": 0.0}
CLEAN: dict[str, Any] = {"emulated": None, "fake": False, "governors": ["performance"], "resumed": False}


def reading(**changes: Any) -> dict[str, Any]:
    return {"cpu_hz": 1_500_000_000, "throttled": 0, "temperature": 50.0, **changes}


def codes(
    entry: dict[str, Any] | None = None,
    facts: dict[str, Any] | None = None,
    sensors: list[dict[str, Any]] | None = None,
    environment: dict[str, Any] | None = None,
) -> tuple[set[str], set[str]]:
    verdict = validity.judge(
        {**ENTRY, **(entry or {})},
        {**FACTS, **(facts or {})},
        sensors or [reading()],
        {**CLEAN, **(environment or {})},
    )
    return {r["code"] for r in verdict.reasons}, {w["code"] for w in verdict.warnings}


def test_a_quiet_run_on_a_real_board_counts_without_a_word() -> None:
    assert codes() == (set(), set())


@pytest.mark.parametrize(
    ("code", "given"),
    [
        ("emulated_cpu", {"environment": {"emulated": "qemu-user"}}),
        ("fake_backend", {"environment": {"fake": True}}),
        ("too_few_samples", {"entry": {"samples": {"n": 10}}}),
        ("other_load", {"facts": {"waiting": 0.2}}),
        ("other_load", {"facts": {"steal": 0.1}}),
        ("clock_stepped", {"facts": {"raw_gap": 0.01}}),
        ("clock_stepped", {"facts": {"boot_gap": 5.0}}),
        ("throttled", {"sensors": [reading(throttled=0x0), reading(throttled=0x4)]}),
        ("throttled", {"sensors": [reading(throttled=0x50005)]}),
        ("throttled", {"sensors": [reading(throttled=0x0), reading(throttled=0x40000)]}),
        ("clock_changed", {"sensors": [reading(), reading(cpu_hz=600_000_000)]}),
        ("clock_changed", {"sensors": [reading(gpu_hz=10**9), reading(gpu_hz=5 * 10**8)]}),
    ],
)
def test_what_spoils_a_timing_is_a_reason_that_the_schema_knows(code: str, given: dict[str, Any]) -> None:
    reasons, _ = codes(**given)
    assert reasons == {code}
    assert code in schema.INVALID_CODES


@pytest.mark.parametrize(
    ("code", "given"),
    [
        ("drift", {"entry": {"drift": -0.06}}),
        ("max_time", {"entry": {"stopped_by": "max_time"}}),
        ("governor", {"environment": {"governors": ["ondemand"]}}),
        ("busy", {"facts": {"others": 1.0}}),
        ("clock_stepped", {"facts": {"wall_gap": 3600.0}}),
        ("resumed", {"environment": {"resumed": True}}),
        ("throttled_before", {"sensors": [reading(throttled=0x50000), reading(throttled=0x50000)]}),
    ],
)
def test_what_a_reader_should_know_is_a_warning_and_excludes_nothing(
    code: str, given: dict[str, Any]
) -> None:
    assert codes(**given) == (set(), {code})


def test_what_the_machine_cannot_tell_is_no_reason() -> None:
    unknown = {"waiting": None, "others": None, "steal": None}
    silent = {"cpu_hz": None, "throttled": None, "temperature": None}
    verdict = validity.judge(ENTRY, {"span": 2.0, "cpu": 2.0, **unknown}, [silent], CLEAN)
    assert verdict.reasons == []
    assert [warning["code"] for warning in verdict.warnings] == ["throttling_unknown"]

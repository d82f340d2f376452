"""A plan that no runtime would take is refused before there is a run, by the name of its model."""

import pytest

from orchestrate.errors import BadInput
from orchestrate.execution.run import check_jobs
from orchestrate.runs import plan
from tests.unit.orchestrate import sample


@pytest.mark.parametrize("wrong", [{"macs": -5}, {"inputs": [{"name": "x", "shape": [-1]}]}], ids=str)
def test_one_bad_model_is_named_and_there_is_no_run(wrong: dict[str, object]) -> None:
    bundle = sample.bundle("good", "bad")
    bundle["models"][1].update(wrong)
    planned = plan.plan(bundle, {"local": sample.device()}, "1")
    with pytest.raises(BadInput, match=r"^bad: cannot be measured \(jobs\[1\]\.model\."):
        check_jobs(planned)


def test_a_sound_plan_passes() -> None:
    check_jobs(plan.plan(sample.bundle("a", "b"), {"local": sample.device()}, "1"))

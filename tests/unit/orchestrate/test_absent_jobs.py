"""Jobs that were planned and left no record are named on top of the page, with the command that resumes."""

import json
import shlex
from pathlib import Path

from orchestrate.report.absent import absent, banner
from tests.unit.orchestrate import sample

JOBS = [f"{name}--onnxruntime-fp32-t1" for name in ("a", "b", "c")]


def test_a_lost_board_and_a_job_to_come_are_listed_with_one_command(tmp_path: Path) -> None:
    run = sample.run(tmp_path / "results", "a", "b", "c", devices=("local", "pi4"))
    run.devices["local"].save(JOBS[0], sample.encoded(sample.record(JOBS[0])))
    found = absent([run.path])
    assert [(each.device, each.jobs, each.planned) for each in found] == [
        ("local", (JOBS[1], JOBS[2]), 3),
        ("pi4", tuple(JOBS), 3),
    ]
    shown = banner(found)
    assert "local: 2 of 3 planned jobs without a record" in shown
    assert "pi4: no record of its 3 planned jobs" in shown
    assert shown.count("To finish:") == 1
    words = shlex.split(found[0].command)
    assert words[:4] == ["orchestrate", "run", "--resume", run.id]
    assert words[words.index("--results") + 1] == str(tmp_path / "results")


def test_a_finished_run_shows_nothing(tmp_path: Path) -> None:
    run = sample.run(tmp_path / "results", "a")
    run.devices["local"].save(JOBS[0], sample.encoded(sample.record(JOBS[0])))
    assert absent([run.path]) == ()
    assert banner(()) == ""


def test_a_strangers_folder_name_is_quoted_and_neutralised(tmp_path: Path) -> None:
    folder = sample.run(tmp_path, "a").path
    hostile = folder.with_name("$(id)<b>\x1b[2J")
    folder.rename(hostile)
    (found,) = absent([hostile])
    assert shlex.split(found.command)[3] == hostile.name
    shown = banner((found,))
    assert "<b>" not in shown
    assert "\x1b" not in shown


def test_a_damaged_plan_costs_nothing(tmp_path: Path) -> None:
    run = sample.run(tmp_path, "a")
    plan = json.loads((run.path / "plan.json").read_text())
    plan["devices"] = {"../../etc": plan["devices"]["local"]}
    (run.path / "plan.json").write_text(json.dumps(plan))
    assert absent([run.path, tmp_path / "nothing"]) == ()

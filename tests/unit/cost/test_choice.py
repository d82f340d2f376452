"""What is measured again: the network that a disturbed machine slowed, not one that is merely slow."""

import json
from pathlib import Path

from typer.testing import CliRunner

from bench.cli import build
from bench.cost import choice
from bench.cost.profile import Profile
from tests.unit.cost import synthetic_profile as synthetic


def slowed(index: int, factor: float) -> Profile:
    """The made-up profile, one of its measurements slowed as a whole."""
    data = synthetic.data()
    rows = [dict(row) for row in data["measurements"]]
    rows[index]["ratio"] *= factor
    return Profile.model_validate({**data, "measurements": rows})


def test_a_network_that_was_slowed_as_a_whole_surprises_most() -> None:
    wholes = [i for i, row in enumerate(synthetic.data()["measurements"]) if row["part"] is None]
    known = slowed(wholes[5], 1.5)
    found = choice.surprising(known, 3)
    assert len(set(found)) == 3
    assert found[0] == known.measurements[wholes[5]].item
    assert all(item.part is None for item in found)


def test_what_surprised_is_a_bundle_of_several_processes(tmp_path: Path) -> None:
    known = tmp_path / "measurements.json"
    known.write_text(json.dumps(synthetic.data()))
    words = ["cost", "design", "--out", str(tmp_path / "bundle"), "--again", "2"]
    refused = CliRunner().invoke(build(), words)
    assert refused.exit_code == 2
    done = CliRunner().invoke(build(), [*words, "--after", str(known), "--seconds", "0.1", "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    measured = [(row["part"], row["widths"]) for row in synthetic.data()["measurements"]]
    assert [(each["part"], each["tuned_widths"]) in measured for each in found["models"]] == [True, True]
    assert found["experiment"]["measure"]["processes"] == 3
    assert [each["against"]["seconds"] for each in found["models"]] == [0.1, 0.1]

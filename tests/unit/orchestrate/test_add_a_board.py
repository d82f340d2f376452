"""docs/add-a-board.md: its entries are read as they are printed, and its table misses no key."""

import re
from pathlib import Path

import pytest

from orchestrate.devices import Device, Limits, load_devices

PAGE = (Path(__file__).parents[3] / "docs/add-a-board.md").read_text()
ENTRIES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize(("text", "name"), zip(ENTRIES, ("pi5", "orin-nano", "minipc", "gpu"), strict=True))
def test_an_entry_to_copy_is_valid_as_it_is(text: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / "devices.yaml"
    path.write_text(text)
    (found,) = load_devices(path)
    assert found == name


def test_the_table_has_every_key_and_no_other() -> None:
    keys = set(re.findall(r"^\| `([\w.]+)` \|", PAGE, re.MULTILINE))
    assert keys == {*Device.model_fields, *(f"limits.{name}" for name in Limits.model_fields)}

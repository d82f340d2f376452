"""Files are written whole or not at all, and hostile JSON is refused in one line."""

import json
import os
from pathlib import Path

import pytest

from bench.record import files


def test_a_value_survives_and_no_temporary_file_remains(tmp_path: Path) -> None:
    files.write_json(str(tmp_path / "a.json"), {"x": [1, 2.5, None, "é"]})
    assert files.read_json(str(tmp_path / "a.json")) == {"x": [1, 2.5, None, "é"]}
    assert os.listdir(tmp_path) == ["a.json"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.json"
    files.write_json(str(path), 1)

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        files.write_json(str(path), 2)
    assert path.read_text() == "1\n"
    assert os.listdir(tmp_path) == ["a.json"]


def test_nan_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        files.write_json(str(tmp_path / "a.json"), float("nan"))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not JSON"),
        ('{"a": 1', "not JSON"),
        ("\xff\xfe", "not JSON"),
        ("[NaN]", "NaN is not a JSON number"),
        ("[-Infinity]", "-Infinity is not a JSON number"),
        ('{"a": 1, "a": 2}', "key 'a' appears twice"),
        ("[" * 60 + "]" * 60, "nested deeper than 40"),
        ("[" * 100_000, "nested deeper than 40"),
        ('{"a":' * 100_000, "nested deeper than 40"),
        ("[1e999]", "1e999 is out of any range"),
        ("[" + "9" * 10_000_000 + "]", "a number of 10000000 digits"),
        ('["\\ud800"]', "half of a surrogate pair"),
        ('{"\\uDFFF": 1}', "half of a surrogate pair"),
        ("[" + "{}," * 2_000_000 + "{}]", "more than 2000000 values"),
    ],
)
def test_what_is_not_sane_json_is_refused_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(files.BadFileError, match=message) as caught:
        files.read_json(str(tmp_path / "a.json"))
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


BRACKETS = ('"]"', '"}"', '"[["', r'"\"]"', '"","]",""', '"\u0394]"')


@pytest.mark.parametrize("text", BRACKETS)
def test_depth_is_that_of_the_lists_whatever_their_texts_hold(text: str) -> None:
    deep = [f"[{text}," * levels + "[]" + f",{text}]" * levels for levels in (39, 40)]
    assert files.parse_json(deep[0].encode(), "it")
    with pytest.raises(files.BadFileError, match="nested deeper than 40"):
        files.parse_json(deep[1].encode(), "it")


def test_a_long_row_of_digits_is_refused_as_a_number_and_not_in_text() -> None:
    digits = "7" * 31
    assert files.parse_json(f'["{digits}", {digits[2:]}]'.encode(), "it") == [digits, int(digits[2:])]
    with pytest.raises(files.BadFileError, match="a number of 31 digits"):
        files.parse_json(f'{{"a": ["{digits}", {digits}]}}'.encode(), "it")


def test_a_file_that_grows_or_shrinks_while_it_is_read_is_read_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 1000)
    with open(tmp_path / "a", "rb") as stream:
        for expected in (0, 10, 999, 1000, 5000):
            stream.seek(0)
            assert len(files._up_to(stream.fileno(), expected, 5000)) == 1000
            stream.seek(0)
            assert len(files._up_to(stream.fileno(), min(expected, 100), 100)) == 101  # too large


def test_a_missing_file_and_a_huge_one_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(files.BadFileError, match="No such file"):
        files.read_json(str(tmp_path / "none.json"))
    monkeypatch.setattr(files, "MAX_BYTES", 1000)
    (tmp_path / "big.json").write_text(json.dumps("x" * 2000))
    with pytest.raises(files.BadFileError, match="larger than"):
        files.read_json(str(tmp_path / "big.json"))


def test_only_regular_files_are_opened_and_nothing_is_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "real.json").write_text("1")
    (tmp_path / "link").symlink_to(tmp_path / "real.json")
    (tmp_path / "folder").mkdir()
    (tmp_path / "zero").symlink_to("/dev/zero")
    found = {"fifo": "is a FIFO", "link": "is a link", "folder": "is a folder", "zero": "is a link"}
    for name, message in found.items():
        with pytest.raises(files.BadFileError, match=f"{name}: {message}, not a regular file"):
            files.read_json(str(tmp_path / name))
    with pytest.raises(files.BadFileError, match="is a device or socket"):
        files.read_bytes("/dev/zero", 10)

"""An npz of a stranger: arrays come back, and what claims more than it holds is refused before it is read."""

import contextlib
import io
import pickle
import resource
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.record import npz


def header(shape: str, descr: str = "'<f4'") -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def zipped(path: Path, content: bytes, name: str = "a.npy") -> str:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return str(path)


def test_arrays_come_back_whole_or_those_that_are_wanted(tmp_path: Path) -> None:
    arrays = {"input.0": np.arange(6.0).reshape(2, 3), "output.0": np.array(7, np.int64)}
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "a.npz", **arrays)
        found = npz.load(np, str(tmp_path / "a.npz"))
        assert {name: value.tolist() for name, value in found.items()} == {
            name: value.tolist() for name, value in arrays.items()
        }
        assert list(npz.load(np, str(tmp_path / "a.npz"), lambda name: name.startswith("in"))) == ["input.0"]


@pytest.mark.parametrize(
    "content",
    [
        header("(1000000, 1000000)"),
        header("(2,)") + bytes(4),
        header("(-5,)"),
        header("(1,)", "'|O'") + pickle.dumps([1]),
        header("(99999999999999999999,)"),
        header("'x'"),
        header("(1,)", "'rubbish'"),
        b"\x93NUMPY\x02\x00\xff\xff\xff\xff",
        b"no array",
        b"",
    ],
)
def test_what_claims_more_than_it_holds_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        npz.load(np, zipped(tmp_path / "a.npz", content))
    assert "\n" not in str(caught.value)


def test_a_bomb_is_refused_by_its_own_directory(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("a.npy", "w", force_zip64=True) as f,
    ):
        for _ in range(64):
            f.write(bytes(1_000_000))
    data = path.read_bytes().replace((64_000_000).to_bytes(8, "little"), (5 * 10**9).to_bytes(8, "little"))
    path.write_bytes(data)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ValueError, match=r"."):
        npz.load(np, str(path))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB


@given(st.binary(max_size=400), st.integers(0, 10_000), st.integers(0, 255))
def test_damage_is_never_more_than_a_value_error(noise: bytes, position: int, value: int) -> None:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, a=np.arange(50), b=np.zeros((2, 2)))
    data = bytearray(buffer.getvalue())
    data[position % len(data)] = value
    for content in (noise, bytes(data)):
        with contextlib.suppress(ValueError):
            npz.load(np, io.BytesIO(content))

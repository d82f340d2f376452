"""Tar streams to boards and from them: what goes in comes out, and nothing else gets through."""

import contextlib
import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrate.engine import archive
from orchestrate.engine.errors import BadArchive
from orchestrate.errors import LinkLost, OrbitError

PARTS = st.text(alphabet="abcXYZ019._-", min_size=1, max_size=12).filter(lambda part: part not in (".", ".."))
NAMES = st.lists(PARTS, min_size=1, max_size=4).map("/".join)
FILES = st.dictionaries(NAMES, st.binary(max_size=3000), max_size=6).filter(
    lambda files: not any(a != b and b.startswith(f"{a}/") for a in files for b in files)
)


def received(data: bytes, file_limit: int = 10_000, total_limit: int | None = 100_000) -> dict[str, bytes]:
    chunks = [data[i : i + 777] for i in range(0, len(data), 777)]
    return dict(archive.read("board", chunks, file_limit=file_limit, total_limit=total_limit))


def tar(*entries: tuple[tarfile.TarInfo, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as made:
        for entry, content in entries:
            entry.size = len(content)
            made.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def entry(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, target
    return made


@given(FILES)
def test_what_is_sent_is_a_tar_that_unpacks_to_the_same(files):
    data = b"".join(archive.stream(files))
    with tarfile.open(fileobj=io.BytesIO(data)) as made:
        unpacked = {member.name: made.extractfile(member).read() for member in made if member.isfile()}
        assert all(member.uid == 0 and not member.mode & 0o022 for member in made)
    assert unpacked == files


@given(FILES)
def test_what_is_sent_below_one_folder_is_received_under_its_own_names(files):
    data = b"".join(archive.stream({f"records/{name}": content for name, content in files.items()}))
    assert received(data) == files


def test_progress_counts_every_byte_of_content(tmp_path):
    (tmp_path / "big").write_bytes(bytes(1_000_000))
    seen: list[int] = []
    for _ in archive.stream({"a/big": tmp_path / "big", "b": b"12345"}, seen.append):
        pass
    assert sum(seen) == 1_000_005
    assert len(seen) > 3


def test_a_file_that_shrinks_while_it_is_sent_is_an_error_not_a_short_file(tmp_path):
    path = tmp_path / "model"
    path.write_bytes(bytes(1_000_000))
    stream = archive.stream({"model": path})
    next(stream)
    path.write_bytes(b"")
    with pytest.raises(OrbitError, match="model: became shorter"):
        list(stream)


def test_a_file_that_is_gone_is_an_error_of_this_machine_not_of_the_link(tmp_path):
    with pytest.raises(OrbitError, match="No such file") as caught:
        list(archive.stream({"model": tmp_path / "gone"}))
    assert not isinstance(caught.value, LinkLost)


@pytest.mark.parametrize(
    "name",
    ["../evil", "records/../../evil", "/etc/passwd", "records\\..\\evil", "records/a\x1b[2Jb", "records/\n"],
)
def test_a_path_that_leads_elsewhere_is_refused(name):
    with pytest.raises(BadArchive, match="with the path"):
        received(tar((entry(name), b"x")))


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE]
)
def test_only_plain_files_are_received(kind):
    with pytest.raises(BadArchive, match="not a plain file"):
        received(tar((entry("records/a.json", kind, "/etc/passwd"), b"")))


def test_a_sparse_file_that_unfolds_to_terabytes_is_refused():
    sparse = entry("records/a.json")
    sparse.pax_headers = {
        "GNU.sparse.major": "0",
        "GNU.sparse.minor": "1",
        "GNU.sparse.name": "records/a.json",
    }
    sparse.pax_headers |= {
        "GNU.sparse.size": str(10**13),
        "GNU.sparse.numblocks": "0",
        "GNU.sparse.map": "0,0",
    }
    with pytest.raises(BadArchive):
        received(tar((sparse, b"")))


def test_a_file_larger_than_expected_is_refused_before_it_is_read():
    huge = entry("records/a.json")
    huge.size = 10**12
    with pytest.raises(BadArchive, match="1000000000000 bytes; at most 10000"):
        received(huge.tobuf(tarfile.GNU_FORMAT))


def test_many_files_are_refused_once_they_are_too_much_together():
    data = tar(*((entry(f"records/{i}"), bytes(9_000)) for i in range(30)))
    with pytest.raises(BadArchive, match="more than"):
        received(data)


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_header_of_megabytes_is_refused_before_it_is_read(kind):
    header = tarfile.TarInfo("x")
    header.type, header.size = kind, 5_000_000
    taken = []
    chunks = (
        taken.append(1) or chunk for chunk in [header.tobuf(tarfile.USTAR_FORMAT), *[bytes(4096)] * 2000]
    )
    with pytest.raises(BadArchive, match="a header of 5000000 bytes"):
        dict(archive.read("board", chunks, file_limit=10_000_000))
    assert len(taken) < 100


@pytest.mark.parametrize(
    "record", [b"30 mtime=not a number at all xx\n", b"0 a=b\n", b"\xff\xff\xff", b"9 size=-1\n"]
)
def test_a_malformed_extension_is_a_broken_archive(record):
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, len(record)
    data = header.tobuf(tarfile.USTAR_FORMAT) + record.ljust(512, b"\0") + tar((entry("r/a"), b"x"))
    with contextlib.suppress(BadArchive):
        assert set(received(data).values()) <= {b"x", b""}


def test_an_error_of_the_link_stays_the_links():
    def chunks():
        yield tar((entry("r/a"), bytes(2000)))[:1024]
        raise LinkLost("gone")

    with pytest.raises(LinkLost, match="gone"):
        dict(archive.read("board", chunks(), file_limit=10_000))


def test_a_header_that_asks_for_gigabytes_of_itself_is_cut_off():
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, 4 * 10**9
    endless = [header.tobuf(tarfile.USTAR_FORMAT), *[bytes(100_000)] * 100]
    with pytest.raises(BadArchive):
        dict(archive.read("board", endless, file_limit=1000))


@given(st.binary(max_size=3000))
def test_noise_is_refused_or_empty_and_never_anything_else(noise):
    with contextlib.suppress(BadArchive):
        assert received(noise) == {}


@given(FILES, st.integers(0, 20_000), st.integers(0, 255))
def test_a_damaged_archive_never_yields_more_than_the_limits(files, position, value):
    data = bytearray(b"".join(archive.stream({f"records/{name}": c for name, c in files.items()})))
    data[position % len(data)] = value
    try:
        got = received(bytes(data), file_limit=3000)
    except BadArchive:
        return
    assert all(len(content) <= 3000 and not name.startswith("/") for name, content in got.items())


def test_a_stream_that_ends_early_is_refused_and_not_a_shorter_record():
    data = tar((entry("records/a.json"), bytes(5000)))
    with pytest.raises(BadArchive):
        received(data[:3000])

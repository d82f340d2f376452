"""images.lock.yaml: whole or not at all, and never something that cannot be used."""

from pathlib import Path

import pytest

from orchestrate.errors import BadInput
from orchestrate.images import lockfile
from orchestrate.images.lockfile import Built, Lock

ID, DIGEST = "sha256:" + "a" * 64, "sha256:" + "b" * 64
BUILT = Built(content=ID, base="debian", revision="abc", size=5, tag="reg:5000/x/pi4:1-arm64")


def sized(size: int) -> Built:
    return BUILT.model_copy(update={"size": size})


def test_the_committed_lock_can_be_read(root: Path) -> None:
    lockfile.read(root / "manifests/images.lock.yaml")


def test_a_missing_lock_is_an_empty_one(tmp_path: Path) -> None:
    assert lockfile.read(tmp_path / "lock.yaml") == Lock()


def test_entries_are_kept_by_image_and_platform(tmp_path: Path) -> None:
    path = tmp_path / "new" / "lock.yaml"
    for platform, size in (("linux/arm64", 5), ("linux/amd64", 6), ("linux/arm64", 7)):
        lockfile.record(path, "pi4", platform, sized(size))
    lock = lockfile.read(path)
    assert lock.images == {"pi4": {"linux/arm64": sized(7), "linux/amd64": sized(6)}}
    assert lock.find("pi4", "linux/arm64") == sized(7)
    assert lock.find("pi4", "linux/riscv64") is None
    assert lock.find("tx2", "linux/arm64") is None


def test_what_was_pushed_is_named_by_digest_and_what_was_not_has_no_such_name() -> None:
    assert BUILT.by_digest is None
    assert BUILT.model_copy(update={"digest": DIGEST}).by_digest == f"reg:5000/x/pi4@{DIGEST}"


def test_a_write_that_fails_leaves_the_old_lock_and_no_rubbish(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "lock.yaml"
    lockfile.record(path, "pi4", "linux/arm64", BUILT)
    before = path.read_bytes()

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        lockfile.record(path, "pi4", "linux/arm64", sized(9))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("schema: 2\nimages: {}\n", "schema 2 is newer"),
        ("schema: 1\nimages: {pi4: {linux/arm64: {id: sha256:zz}}}\n", "lock.yaml:2"),
        ("images: [\n", "lock.yaml"),
    ],
)
def test_a_lock_that_cannot_be_used_is_refused_with_place_and_advice(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "lock.yaml"
    path.write_text(text)
    with pytest.raises(BadInput, match=message) as caught:
        lockfile.read(path)
    assert "restore it" in str(caught.value)

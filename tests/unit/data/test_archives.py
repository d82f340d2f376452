"""The official archives are read as their authors made them; an absent or altered one is reported."""

import io
import pickle
import tarfile
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch

from bench import data
from bench.data import cifar, tinyimagenet
from bench.record.files import sha256_of
from tests.conftest import require

RANDOM = np.random.default_rng(0)


def pixels(n, size=32):
    return RANDOM.integers(0, 256, (n, 3, size, size), dtype=np.uint8)


def python2_pickle(images, labels, key):
    """As the authors wrote them: protocol 2, keys of bytes."""
    return pickle.dumps({b"data": images.reshape(len(images), -1), key: labels}, protocol=2)


def tar(path, members):
    with tarfile.open(path, "w:gz") as file:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            file.addfile(entry, io.BytesIO(content))


def official(monkeypatch, registry, key, path):
    """Take this small archive for the official one: the rest of the code is as ever."""
    monkeypatch.setitem(registry, key, replace(registry[key], sha256=sha256_of(str(path))))


@pytest.fixture
def cifar10(tmp_path, monkeypatch):
    parts = {n: (pixels(4), [int(label) for label in RANDOM.integers(0, 10, 4)]) for n in range(1, 6)}
    members = {
        f"cifar-10-batches-py/data_batch_{n}": python2_pickle(*part, b"labels") for n, part in parts.items()
    }
    members["cifar-10-batches-py/test_batch"] = python2_pickle(*parts[3], b"labels")
    path = tmp_path / "cifar-10-python.tar.gz"
    tar(path, members)
    official(monkeypatch, cifar.ARCHIVES, "cifar10", path)
    return path, parts


def test_cifar10_joins_its_five_batches_in_order(cifar10):
    path, parts = cifar10
    images, labels = data.load_stored("cifar10", "train", path.parent)
    assert images.dtype == torch.uint8
    assert np.array_equal(images.numpy(), np.concatenate([part[0] for part in parts.values()]))
    assert labels.tolist() == [label for part in parts.values() for label in part[1]]


def test_load_gives_numbers_from_0_to_1_where_the_archive_has_bytes(cifar10):
    images, _ = data.load("cifar10", "test", cifar10[0])  # the file itself will do, too
    stored, _ = data.load_stored("cifar10", "test", cifar10[0])
    assert torch.equal(images, stored.float() / 255)


def test_cifar100_takes_the_fine_labels(tmp_path, monkeypatch):
    images = pixels(3)
    content = pickle.dumps(
        {b"data": images.reshape(3, -1), b"fine_labels": [99, 0, 7], b"coarse_labels": [1, 2, 3]}, protocol=2
    )
    path = tmp_path / "cifar-100-python.tar.gz"
    tar(path, {"cifar-100-python/train": content, "cifar-100-python/test": content})
    official(monkeypatch, cifar.ARCHIVES, "cifar100", path)
    assert data.load("cifar100", "test", tmp_path)[1].tolist() == [99, 0, 7]


def test_an_archive_that_would_run_code_is_refused(tmp_path, monkeypatch):
    class Evil:
        def __reduce__(self):
            return (print, ("I ran",))

    path = tmp_path / "cifar-100-python.tar.gz"
    tar(path, {"cifar-100-python/train": pickle.dumps(Evil(), protocol=2)})
    official(monkeypatch, cifar.ARCHIVES, "cifar100", path)
    with pytest.raises(data.DataError, match=r"it asks for \S+print, which CIFAR does not need"):
        data.load("cifar100", "train", tmp_path)


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """Two classes, listed out of order; a grey image among them."""
    try:
        from PIL import Image
    except ImportError:
        require(False, "Pillow")

    def jpeg(colour, mode="RGB"):
        buffer = io.BytesIO()
        Image.new(mode, (64, 64), colour).save(buffer, "JPEG")
        return buffer.getvalue()

    path = tmp_path / "tiny-imagenet-200.zip"
    with zipfile.ZipFile(path, "w") as file:
        top = "tiny-imagenet-200"
        file.writestr(f"{top}/wnids.txt", "n02\nn01\n")
        file.writestr(f"{top}/train/n02/images/n02_0.JPEG", jpeg((255, 0, 0)))
        file.writestr(f"{top}/train/n01/images/n01_0.JPEG", jpeg((0, 0, 255)))
        file.writestr(f"{top}/train/n01/images/n01_1.JPEG", jpeg(128, "L"))
        file.writestr(f"{top}/val/val_annotations.txt", "val_0.JPEG\tn02\t0\t0\t9\t9\n")
        file.writestr(f"{top}/val/images/val_0.JPEG", jpeg((0, 255, 0)))
    monkeypatch.setattr(tinyimagenet, "ARCHIVE", replace(tinyimagenet.ARCHIVE, sha256=sha256_of(str(path))))
    return path


def test_tinyimagenet_is_decoded_once_and_its_classes_are_in_order(tiny):
    images, labels = data.load_stored("tinyimagenet", "train", tiny.parent)
    assert images.shape == (3, 3, 64, 64)
    assert labels.tolist() == [0, 0, 1]
    assert images[0].float().mean((1, 2)).argmax() == 2  # n01_0 is blue
    assert images[1].float().std((0,)).max() == 0  # the grey one has three equal channels
    (kept,) = tiny.parent.glob("*.train.npz")
    stamp = kept.stat().st_mtime_ns
    assert torch.equal(data.load_stored("tinyimagenet", "train", tiny.parent)[0], images)
    assert kept.stat().st_mtime_ns == stamp


def test_tinyimagenet_tests_on_the_official_validation_split(tiny):
    images, labels = data.load_stored("tinyimagenet", "test", tiny.parent)
    assert labels.tolist() == [1]
    assert images[0].float().mean((1, 2)).argmax() == 1


@pytest.mark.parametrize("dataset", ["cifar10", "cifar100", "tinyimagenet"])
def test_an_absent_archive_is_told_with_its_address_size_and_folder(tmp_path, dataset):
    with pytest.raises(
        data.DataError, match=r"is not here: .*Download http\S+ \(\d+ MB\) into .*--data http"
    ):
        data.load(dataset, "train", tmp_path)


def test_an_altered_archive_is_refused(cifar10):
    path, _ = cifar10
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)
    with pytest.raises(data.DataError, match=r"is not the official cifar-10-python\.tar\.gz: its SHA-256 is"):
        data.load("cifar10", "train", path)


def test_a_url_is_fetched_once_into_the_data_folder(cifar10, tmp_path, monkeypatch):
    path, _ = cifar10
    monkeypatch.setenv("ORBITBENCH_DATA", str(tmp_path / "home"))
    images, _ = data.load("cifar10", "train", path.as_uri())
    assert len(images) == 20
    path.unlink()
    assert len(data.load("cifar10", "train", None)[0]) == 20
    assert [p.name for p in (tmp_path / "home").iterdir()] == ["cifar-10-python.tar.gz"]


def test_a_url_with_other_contents_leaves_nothing(cifar10, tmp_path, monkeypatch):
    monkeypatch.setenv("ORBITBENCH_DATA", str(tmp_path / "home"))
    other = tmp_path / "other.tar.gz"
    other.write_bytes(b"not it")
    with pytest.raises(data.DataError, match="is not the official"):
        data.load("cifar10", "train", other.as_uri())
    with pytest.raises(data.DataError, match="cannot be fetched"):
        data.load("cifar10", "train", (tmp_path / "nowhere").as_uri())
    assert list((tmp_path / "home").iterdir()) == []


def test_digits_come_with_the_library_and_their_splits_do_not_meet():
    train, test = data.load("digits", "train"), data.load("digits", "test")
    assert (len(train[0]), len(test[0])) == (1437, 360)
    assert train[0].shape[1:] == (3, 32, 32)
    assert train[0].min() >= 0
    assert train[0].max() <= 1
    seen = {image.numpy().tobytes() for image in train[0]}
    assert not any(image.numpy().tobytes() in seen for image in test[0])


def test_the_digest_tells_data_apart():
    images = torch.zeros(2, 3, 4, 4)
    assert data.digest(images) == data.digest(images.clone())
    assert data.digest(images) != data.digest(images.view(2, 3, 2, 8))
    assert data.digest(images) != data.digest(images + 1)


@pytest.mark.parametrize(("dataset", "split"), [("mnist", "train"), ("digits", "dev")])
def test_an_unknown_name_lists_the_known_ones(dataset, split):
    with pytest.raises(data.DataError, match="known: "):
        data.load(dataset, split)


@pytest.mark.parametrize("url", ["http://example.org/a.tar.gz", "ftp://example.org/a.tar.gz"])
def test_an_archive_is_fetched_over_https_only(url, monkeypatch, tmp_path):
    monkeypatch.setenv("ORBITBENCH_DATA", str(tmp_path))
    with pytest.raises(data.DataError, match="give an https:// address"):
        cifar.ARCHIVES["cifar10"].locate(url)
    assert not list(tmp_path.iterdir())

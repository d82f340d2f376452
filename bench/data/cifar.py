"""CIFAR-10 and CIFAR-100 (Krizhevsky, 2009) from their python archives: 32 x 32 RGB, 50,000 + 10,000."""

import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.data.archive import Archive
from bench.data.errors import DataError

SITE = "https://www.cs.toronto.edu/~kriz/"
ARCHIVES = {
    "cifar10": Archive(
        "cifar10", "cifar-10-python.tar.gz", SITE + "cifar-10-python.tar.gz",
        "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce", "170 MB",
    ),
    "cifar100": Archive(
        "cifar100", "cifar-100-python.tar.gz", SITE + "cifar-100-python.tar.gz",
        "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7", "169 MB",
    ),
}  # fmt: skip
MEMBERS = {
    ("cifar10", "train"): [f"cifar-10-batches-py/data_batch_{n}" for n in range(1, 6)],
    ("cifar10", "test"): ["cifar-10-batches-py/test_batch"],
    ("cifar100", "train"): ["cifar-100-python/train"],
    ("cifar100", "test"): ["cifar-100-python/test"],
}
LABELS = {"cifar10": b"labels", "cifar100": b"fine_labels"}


def load(dataset: str, split: str, root: Path | str | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    """Return images (N x 3 x 32 x 32, uint8) and labels (N, int64)."""
    path = ARCHIVES[dataset].locate(root)
    try:
        with tarfile.open(path) as archive:
            parts = [_unpickle(archive, member) for member in MEMBERS[dataset, split]]
    except (KeyError, tarfile.TarError, pickle.UnpicklingError, EOFError) as error:
        raise DataError(f"{path} cannot be read: {error}") from None
    images = np.concatenate([part[b"data"] for part in parts]).reshape(-1, 3, 32, 32)
    labels = [label for part in parts for label in part[LABELS[dataset]]]
    return torch.from_numpy(images), torch.tensor(labels, dtype=torch.int64)


class _ArraysOnly(pickle.Unpickler):
    """A pickle can run anything; these hold arrays, lists and text, so that is all they may build."""

    ALLOWED = frozenset({"_reconstruct", "ndarray", "dtype", "encode"})

    def find_class(self, module: str, name: str) -> Any:
        if module.split(".")[0] not in ("numpy", "_codecs") or name not in self.ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which CIFAR does not need")
        return super().find_class(module, name)


def _unpickle(archive: tarfile.TarFile, member: str) -> dict[bytes, Any]:
    file = archive.extractfile(member)
    if file is None:
        raise KeyError(f"{member} is no file")
    found: dict[bytes, Any] = _ArraysOnly(file, encoding="bytes").load()
    return found

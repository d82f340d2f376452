"""scikit-learn's handwritten digits: 1,797 grey images of 8 x 8 pixels, which come with the library.

They are enlarged to 32 x 32 (bilinear) and repeated on three channels. The last fifth is the test split: the
set is ordered by writer, so the test split holds writers that training has not seen.
"""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import interpolate

from bench.data.errors import DataError

SIZE = 32
TRAIN = 1437


def load(dataset: str, split: str, root: Path | str | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    """Return images (N x 3 x 32 x 32, float32 from 0 to 1) and labels (N, int64)."""
    pixels, labels = _read()
    part = slice(None, TRAIN) if split == "train" else slice(TRAIN, None)
    grey = torch.from_numpy(pixels[part]).float().div_(16)[:, None]
    images = interpolate(grey, size=(SIZE, SIZE), mode="bilinear", align_corners=False).clamp_(0, 1)
    return images.expand(-1, 3, -1, -1).contiguous(), torch.from_numpy(labels[part]).long()


def _read() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Pixels (N x 8 x 8, 0 to 16) and labels (N), from the library's file: importing the library takes as
    long as importing torch."""
    found = find_spec("sklearn")
    if found is None or found.origin is None:
        raise DataError("digits come with scikit-learn: pip install 'orbitbench[train]'")
    path = Path(found.origin).parent / "datasets/data/digits.csv.gz"
    if not path.exists():  # a release that keeps it elsewhere
        from sklearn.datasets import load_digits

        return load_digits().images, load_digits().target
    table = np.loadtxt(path, delimiter=",")
    return table[:, :-1].reshape(-1, 8, 8), table[:, -1]

"""scikit-learn's handwritten digits: 1,797 grey images of 8 x 8 pixels, which come with the library.

They are enlarged to 32 x 32 (bilinear) and repeated on three channels. The last fifth is the test split: the
set is ordered by writer, so the test split holds writers that training has not seen.
"""

from pathlib import Path

import torch
from torch.nn.functional import interpolate

from bench.data.errors import DataError

SIZE = 32
TRAIN = 1437


def load(dataset: str, split: str, root: Path | str | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    """Return images (N x 3 x 32 x 32, float32 from 0 to 1) and labels (N, int64)."""
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise DataError("digits come with scikit-learn: pip install 'orbitbench[train]'") from None
    digits = load_digits()
    part = slice(None, TRAIN) if split == "train" else slice(TRAIN, None)
    grey = torch.from_numpy(digits.images[part]).float().div_(16)[:, None]
    images = interpolate(grey, size=(SIZE, SIZE), mode="bilinear", align_corners=False).clamp_(0, 1)
    return images.expand(-1, 3, -1, -1).contiguous(), torch.from_numpy(digits.target[part]).long()

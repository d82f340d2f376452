"""What a place of a checkpoint is spoilt with, for the tests of whoever resumes from it."""

import torch

ODD = (None, "x", [], {}, float("nan"), -1, True, torch.zeros(2, 3, 5), [[]], {"": {}})

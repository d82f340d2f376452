"""Architectures as functions from width vectors to networks, each with its cost beside it.

    >>> from bench.zoo import architecture
    >>> architecture("vgg11").cost([64, 128, 256, 256, 512, 512, 512, 512], dataset("cifar10")).params
    9231114

Importing this package imports no torch: only `Architecture.build` does.
"""

from bench.zoo.architectures import ARCHITECTURES, Architecture, architecture
from bench.zoo.datasets import DATASETS, Dataset, dataset
from bench.zoo.errors import UnknownNameError, WidthError, ZooError
from bench.zoo.layers import Cost

__all__ = [
    "ARCHITECTURES",
    "DATASETS",
    "Architecture",
    "Cost",
    "Dataset",
    "UnknownNameError",
    "WidthError",
    "ZooError",
    "architecture",
    "dataset",
]

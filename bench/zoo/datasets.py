"""The data sets an architecture can be shaped for: image size, number of classes, training images."""

from dataclasses import dataclass as _dataclass

from bench.zoo.errors import UnknownNameError


@_dataclass(frozen=True)
class Dataset:
    """Shape of a classification task: square RGB images of `size` pixels a side, `classes` labels.

    `examples`: images of the training split.
    """

    name: str
    size: int
    classes: int
    examples: int


DATASETS = {
    entry.name: entry
    for entry in (
        Dataset("cifar10", 32, 10, 50_000),
        Dataset("cifar100", 32, 100, 50_000),
        Dataset("tinyimagenet", 64, 200, 100_000),
        Dataset(
            "digits", 32, 10, 1437
        ),  # scikit-learn's 8x8 digits, enlarged: the one that needs no download
    )
}


def dataset(name: str) -> Dataset:
    """The data set called `name`; UnknownNameError lists the known ones."""
    if name not in DATASETS:
        raise UnknownNameError("dataset", name, DATASETS)
    return DATASETS[name]

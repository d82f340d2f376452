"""The data sets an architecture can be shaped for: image size and number of classes, nothing else."""

from dataclasses import dataclass as _dataclass

from bench.zoo.errors import UnknownNameError


@_dataclass(frozen=True)
class Dataset:
    """Shape of a classification task: square RGB images of `size` pixels a side, `classes` labels."""

    name: str
    size: int
    classes: int


DATASETS = {
    entry.name: entry
    for entry in (
        Dataset("cifar10", 32, 10),
        Dataset("cifar100", 32, 100),
        Dataset("tinyimagenet", 64, 200),
        Dataset("digits", 32, 10),  # scikit-learn's 8x8 digits, enlarged: the one that needs no download
    )
}


def dataset(name: str) -> Dataset:
    """The data set called `name`; UnknownNameError lists the known ones."""
    if name not in DATASETS:
        raise UnknownNameError("dataset", name, DATASETS)
    return DATASETS[name]

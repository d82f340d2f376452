"""The data sets an architecture can be shaped for: image size, number of classes, training images."""

from dataclasses import dataclass as _dataclass

from bench.zoo.errors import UnknownNameError, ZooError

# Image sizes that each variant of the networks (stem and strides) is made for.
VARIANTS = {"cifar": range(1, 33), "tinyimagenet": range(33, 65), "imagenet": range(128, 321)}


@_dataclass(frozen=True)
class Dataset:
    """Shape of a classification task: square RGB images of `size` pixels a side, `classes` labels.

    `examples`: images of the training split. ZooError for a size that no variant of the networks fits.
    """

    name: str
    size: int
    classes: int
    examples: int

    def __post_init__(self) -> None:
        _ = self.variant

    @property
    def variant(self) -> str:
        """Which variant of the networks fits the images: a name of VARIANTS."""
        for name, sizes in VARIANTS.items():
            if self.size in sizes:
                return name
        allowed = ", ".join(f"{sizes[0]} to {sizes[-1]}" for sizes in VARIANTS.values())
        raise ZooError(
            f"dataset {self.name}: no network has stem and strides for {self.size} pixels; allowed: {allowed}"
        )


DATASETS = {
    entry.name: entry
    for entry in (
        Dataset("cifar10", 32, 10, 50_000),
        Dataset("cifar100", 32, 100, 50_000),
        Dataset("tinyimagenet", 64, 200, 100_000),
        Dataset("imagenet", 224, 1000, 1_281_167),  # ILSVRC-2012; no loader: to scale, export and measure
        # scikit-learn's 8x8 digits, enlarged: the one that needs no download
        Dataset("digits", 32, 10, 1437),
    )
}


def dataset(name: str) -> Dataset:
    """Return the data set called `name`; UnknownNameError lists the known ones."""
    if name not in DATASETS:
        raise UnknownNameError("dataset", name, DATASETS)
    return DATASETS[name]

"""The data sets that can be loaded, to train, search or test on: name -> the module of its loader.

`bench.data` imports the modules. A network of any other data set is scaled, exported and measured only, and
no command that trains on it or searches it is advised.
"""

LOADERS = {
    "cifar10": "bench.data.cifar",
    "cifar100": "bench.data.cifar",
    "tinyimagenet": "bench.data.tinyimagenet",
    "digits": "bench.data.digits",
}


def command(wanted: str, dataset: str) -> str:
    """Return the command `wanted`, which loads `dataset`; '' where no loader reads it."""
    return wanted if dataset in LOADERS else ""

"""Images and labels, whole data sets as two tensors. A leaf: search and training both load from here."""

from bench.data.errors import DataError
from bench.data.load import SPLITS, digest, load, load_stored, refuse_unloadable

__all__ = ["SPLITS", "DataError", "digest", "load", "load_stored", "refuse_unloadable"]

"""A bundle of parts and networks for a device's cost model, each beside a reference network."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bench.cost import design
from bench.cost.design import Item
from bench.export import bundle, files
from bench.export.operators import onnx_bytes
from bench.record.bundle import Bundle
from bench.record.files import sha256_of
from bench.record.types import Against, BundleFile, Measure, Model
from bench.zoo import architecture

REFERENCE = 0.28  # of the default widths, on multiples of 8: some milliseconds of a small board
TURN_SECONDS = 0.006
SECONDS = {True: 1.2, False: 0.6}  # of turns: whole networks, parts


def write(
    out: Path, items: Sequence[Item], name: str, seconds: float | None = None, processes: int = 1,
    progress: Callable[[str, int, int], None] = lambda name, done, total: None, profiled: bool = False,
    beside: Mapping[Item, Item] | None = None,
) -> Bundle:  # fmt: skip
    """Write the bundle of `items`; its contents. profiled: also where each one's time goes.

    beside: what an item takes turns with, where that is not the reference network of its architecture.
    """
    bundle.begin(out)
    partners = {item: (beside or {}).get(item) or _reference(item.architecture) for item in items}
    references = {each: _file(out, each, f"reference-{each.id}") for each in sorted(set(partners.values()))}
    models: list[Model] = []
    for number, item in enumerate(items):
        progress(item.id, number, len(items))
        against: Against = {
            **references[partners[item]],
            "turn_seconds": TURN_SECONDS,
            "seconds": seconds or SECONDS[item.part is None],
        }
        models.append({**_entry(out, item), "against": against})
    contents: Bundle = {
        "experiment": {"name": name, "measure": {**_measure(processes), "profile": profiled}},
        "models": models,
        "skipped": [],
    }
    bundle.finish(out, contents)
    return contents


def _reference(name: str) -> Item:
    """Return what networks of an architecture take turns with: a small one, slowed by what slows them."""
    widths = (max(8, round(REFERENCE * width / 8) * 8) for width in architecture(name).default_widths)
    return Item(name, "cifar10", None, tuple(widths))


def _measure(processes: int) -> Measure:
    """Return a tuning's measuring plan: its turns count, its plain samples are for the memory ladder."""
    return {
        "processes": processes, "warmup": 5, "warmup_seconds": 0.02, "min_samples": 20, "max_samples": 2000,
        "min_seconds": 0.02, "max_seconds": 0.3, "target_ci": 0.05, "timeout_seconds": 120,
        "repeats": 0, "max_waiting": 1.0, "cold_loads": 0,
    }  # fmt: skip


def _file(out: Path, item: Item, name: str) -> BundleFile:
    path = out / f"models/{name}.onnx"
    files.write(path, _bytes(item))
    return {"file": f"models/{name}.onnx", "sha256": sha256_of(str(path))}


def _bytes(item: Item) -> bytes:
    operators, _, image = design.operators(item)
    return onnx_bytes(operators, image, seed=1)


def _entry(out: Path, item: Item) -> Model:
    image = design.operators(item)[2]
    shape = [1, image.channels, image.size, image.size]
    placed = _file(out, item, item.id)
    return {
        "id": item.id,
        "file": placed["file"],
        "sha256": placed["sha256"],
        "bytes": (out / f"models/{item.id}.onnx").stat().st_size,
        "architecture": item.architecture,
        "dataset": item.dataset,
        "part": item.part,
        "tuned_widths": list(item.widths),
        "macs": int(design.macs(item)),
        "params": None,
        "precision": "fp32",
        "batch": 1,
        "reference": None,
        "accuracy": None,
        "inputs": [{"name": "v0", "shape": shape, "dtype": "float32"}],
    }

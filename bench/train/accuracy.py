"""From results to entries of `manifests/accuracy`: mean and spread over seeds, with provenance."""

from collections import defaultdict
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any

import yaml

from bench.manifests import accuracies
from bench.record.files import write_bytes
from bench.train.errors import TrainInputError
from bench.train.result import Result
from bench.train.run import RESULT, read_result

STATISTIC = "test accuracy after the last epoch, mean over seeds; best: after each seed's best epoch"
Entry = dict[str, Any]  # of a file of accuracies
KEYS = ("architecture", "dataset", "method", "ratio", "ratio_of")


def results(out: Path) -> list[Result]:
    """Return every finished training under `out`, by model and seed.

    TrainInputError for one that cannot be used.
    """
    found = [read_result(path) for path in out.glob(f"*/seed-*/{RESULT}")]
    return sorted(found, key=lambda result: (result["task"]["model"], result["task"]["seed"]))


def entries(found: list[Result]) -> list[Entry]:
    """Return one entry a model; TrainInputError where its seeds were trained with different settings."""
    groups: dict[str, list[Result]] = defaultdict(list)
    for result in found:
        groups[result["task"]["model"]].append(result)
    return [_entry(model, seeds) for model, seeds in sorted(groups.items())]


def publish(found: list[Result], path: Path) -> None:
    """Put the entries of `found` into the file at `path`, in place of the same models' older ones."""
    fresh = {_identity(entry): entry for entry in entries(found)}
    kept = [] if not path.is_file() else _existing(path)
    old = {_identity(entry): entry for entry in kept}
    content = {
        "schema": accuracies.Accuracies.SCHEMA,
        "name": path.stem,
        "source": "trained",
        "statistic": STATISTIC,
        "epoch": "last",
        "reference": "trained by `bench train` or `bench sweep`; each entry states how",
        "entries": [entry for _, entry in sorted({**old, **fresh}.items())],
    }
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=110, default_flow_style=None)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(str(path), text.encode())


def _existing(path: Path) -> list[Entry]:
    loaded = accuracies.load(path)
    if loaded.source != "trained":
        raise TrainInputError(f"{path} holds {loaded.source} accuracies; give another --accuracy file")
    return [entry.model_dump(exclude_none=True) for entry in loaded.entries]


def _entry(model: str, seeds: list[Result]) -> Entry:
    first, task = seeds[0], seeds[0]["task"]
    for other in seeds[1:]:
        mine, theirs = _settings(first), _settings(other)
        if mine != theirs or other["task"]["widths"] != task["widths"]:
            raise TrainInputError(
                f"{model}: seeds {task['seed']} and {other['task']['seed']} were not trained alike and have "
                "no mean; train one of them again with --restart"
            )
    values = [result["top1"] for result in seeds]
    best = [result["best_top1"] for result in seeds]
    training = {
        "seeds": [result["task"]["seed"] for result in seeds],
        "values": [round(value, 4) for value in values],
        "best_values": [round(value, 4) for value in best],
        "recipe": task["recipe"],
        "data_sha256": first["data"],
        "revision": first["revision"],
        "orbitbench": first["orbitbench"],
        "torch": first["torch"],
    }
    return {
        **{key: value for key, value in task.items() if key in KEYS},
        **_over_seeds(values),
        "best": _over_seeds(best),
        "seeds": len(seeds),
        "params": task["params"],
        "widths": task["widths"],
        "training": training,
    }


def _over_seeds(values: list[float]) -> dict[str, float]:
    """Mean and standard deviation; one seed has no spread."""
    spread = {"std": round(pstdev(values), 4)} if len(values) > 1 else {}
    return {"value": round(fmean(values), 4), **spread}


def _settings(result: Result) -> tuple[object, ...]:
    return result["task"]["recipe"], result["data"], result["torch"]


def _identity(entry: Entry) -> tuple[Any, ...]:
    return (*(entry[key] for key in KEYS), tuple(entry["widths"]))

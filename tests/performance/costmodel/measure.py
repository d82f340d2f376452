"""Measure again what bench_costmodel.py judges by: `python -m tests.performance.costmodel.measure`.

Networks held out, of all architectures and methods and with random odd widths, in four fresh processes each,
go to held_out.json. The profile beside it is what `orchestrate tune --device local --out x86.yaml` leaves.
Both want a machine that does nothing else. An interrupted run goes on.
"""

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.cost import design
from bench.export import tuning
from bench.manifests import search_path
from bench.scaling import ScalingError, fits, scale
from bench.zoo import ARCHITECTURES, architecture, dataset
from orchestrate.analysis import turns

HERE = Path(__file__).parent
WORK = HERE.parents[2] / "build" / "costmodel"
METHODS = {"uniform": None, "uniform8": 8, "neuralscale": None, "neuralscale8": 8}
RATIOS = (0.06, 0.1, 0.15, 0.25, 0.4, 0.5, 0.75)
MOST_MACS, ODD, PROCESSES, SECONDS = 400e6, 4, 4, 1.0
DRAWS = (1, 2)  # some 60 networks each
Choice = tuple[str, design.Item]


def allowed(item: design.Item) -> bool:
    limits = design.limits(architecture(item.architecture))
    inside = all(low <= w <= high for w, (low, high) in zip(item.widths, limits, strict=True))
    return inside and design.macs(item) <= MOST_MACS


def by_method(name: str, data: str, method: str, rng: random.Random) -> list[Choice]:
    """One network of a method, by one of the fits that there are."""
    known = [fit for fit in sorted(search_path.files(fits.KIND)) if fit.startswith(name)]
    for _ in range(20):
        fit = fits.load_named(rng.choice(known)) if method.startswith("neuralscale") else None
        words = (method.rstrip("8"), rng.choice(RATIOS), "params", fit, METHODS[method])
        try:
            scaled = scale(architecture(name), dataset(data), *words)
        except ScalingError:
            continue
        item = design.Item(name, data, None, tuple(scaled.widths))
        if allowed(item):
            return [(method, item)]
    return []


def odd(name: str, data: str, rng: random.Random) -> Choice:
    """A network with random odd widths."""
    net = architecture(name)
    while True:
        size = rng.uniform(0.15, 0.6)
        widths = [int(w * rng.uniform(size, min(1.1, 2 * size))) | 1 for w in net.default_widths]
        item = design.Item(name, data, None, tuple(widths))
        if allowed(item):
            return "odd", item


def choose(seed: int) -> list[Choice]:
    rng, found = random.Random(seed), []
    for name in ARCHITECTURES:
        for data in design.DATASETS:
            for method in METHODS:
                found += by_method(name, data, method, rng)
            found += [odd(name, data, rng) for _ in range(ODD)]
    return found


def jobs(contents: dict[str, Any]) -> dict[str, Any]:
    head = {"schema": 1, "kind": "orbitbench.jobs", "run": "held-out", "device": "local", "bundle": "bundle"}
    common = {"backend": "onnxruntime", "precision": "fp32", "threads": 1, "batch": 1}
    listed = [{"id": model["id"], "model": model, **common} for model in contents["models"]]
    return {**head, "seed": 7, "measure": contents["experiment"]["measure"], "board": {}, "jobs": listed}


def main() -> int:
    chosen = {item.id: (method, item) for seed in DRAWS for method, item in choose(seed)}
    items = [item for _, item in chosen.values()]
    contents = tuning.write(WORK / "bundle", items, "held-out", SECONDS, PROCESSES)
    (WORK / "jobs.json").write_text(json.dumps(jobs(contents)))
    command = [sys.executable, "-m", "bench.runtime", str(WORK / "jobs.json"), str(WORK / "out")]
    done = subprocess.run(command, env={**os.environ, "ORBITBENCH_LOCK_DIR": str(WORK)}, check=False)
    if done.returncode:
        return done.returncode
    lines = []
    for name, (method, _) in chosen.items():
        record = json.loads((WORK / f"out/records/{name}.json").read_text())
        kept = turns.measurement(record)
        row = {key: kept[key] for key in ("architecture", "dataset", "widths", "memory")}
        lines.append(json.dumps({**row, "method": method, "ratios": turns.ratios(record)}))
    (HERE / "held_out.json").write_text("[\n" + ",\n".join(lines) + "\n]\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Export: how long an experiment's models take from nothing, and from the cache."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

EXPERIMENT = "thesis"


def thesis() -> list[dict[str, Any]]:
    """The thesis's models, cold and warm; the peer is the time that importing torch takes."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "bench.cli", "export", EXPERIMENT, "--cache", f"{folder}/cache"]
        cold, warm = (_seconds([*command, "--out", f"{folder}/{name}"]) for name in ("cold", "warm"))
        models = len(list(Path(folder, "warm", "models").iterdir()))
        size = sum(path.stat().st_size for path in Path(folder, "warm", "models").iterdir()) / 1e6
    torch = _seconds([sys.executable, "-c", "import torch"])
    common = {"unit": "s", "peer": torch, "better": "lower"}
    detail = f"{models} models, {size:.0f} MB"
    return [
        {**common, "name": "export.cold", "value": cold, "target": f"< 60 s ({detail})", "ok": cold < 60},
        {
            **common,
            "name": "export.warm",
            "value": warm,
            "target": "< a fifth of cold",
            "ok": warm < cold / 5,
        },
    ]


def _seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


BENCHMARKS = [thesis]

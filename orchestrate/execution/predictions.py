"""Predictions of the workshop's cost models, asked for as a subprocess: this program imports none of them."""

import json
import subprocess
import sys
from typing import Any

from orchestrate.errors import BadInput, OrbitError
from orchestrate.execution import process_runner

Json = dict[str, Any]


def predict(networks: list[Json], profiles: list[str]) -> list[Json]:
    """What each profile predicts of each network that it was tuned for."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.cli", "predictions", *profiles],
        env=process_runner.environment(),
        input=json.dumps(networks),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode == 2:
        raise BadInput("nothing was predicted: see above")
    if done.returncode:
        raise OrbitError(f"bench predictions ended with code {done.returncode}: see above")
    found: list[Json] = json.loads(done.stdout)
    return found

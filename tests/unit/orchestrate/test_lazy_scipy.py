"""scipy is loaded where a quantile needs it: where few samples have no estimate, nothing of it is."""

import json
import math
import subprocess
import sys

from tests.conftest import PATIENCE

ASKED = """
import json, sys
from orchestrate.analysis import statistics
few = ["scipy" in sys.modules, statistics.t_quantile(0.975, float("nan")), statistics.discarded(458, 0.99)]
few.append("scipy" in sys.modules)
print(json.dumps([few, statistics.t_quantile(0.975, 3)]))
"""


def test_few_samples_load_no_scipy() -> None:
    words = [sys.executable, "-c", ASKED]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=PATIENCE)
    few, quantile = json.loads(done.stdout)
    assert few[::3] == [False, False]
    assert (math.isnan(few[1]), few[2]) == (True, 0)
    assert round(quantile, 6) == 3.182446

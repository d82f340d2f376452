"""Statistics come without the parts of numpy that nobody asks for; whoever does ask still gets them."""

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
first = statistics.t_quantile(0.975, 3)
waiting = ("f2py", "ma", "polynomial", "random", "testing")
loaded = [name for name in waiting if "numpy." + name in sys.modules]
import numpy
later = [getattr(numpy, name).__name__ for name in waiting]
from scipy import special, stats
quantiles = [special.stdtrit(3, 0.975), stats.t(3).ppf(0.975), first]
print(json.dumps([few, loaded, later, *quantiles]))
"""


def test_what_is_left_out_is_there_for_whoever_asks() -> None:
    words = [sys.executable, "-c", ASKED]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=PATIENCE)
    few, loaded, later, *quantiles = json.loads(done.stdout)
    assert few[::3] == [False, False]  # where few samples have no estimate, nothing of it is loaded
    assert (math.isnan(few[1]), few[2]) == (True, 0)
    assert loaded == []
    assert later == ["numpy.f2py", "numpy.ma", "numpy.polynomial", "numpy.random", "numpy.testing"]
    assert [round(each, 6) for each in quantiles] == [3.182446] * 3

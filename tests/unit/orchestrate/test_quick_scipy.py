"""Statistics come without the parts of numpy that nobody asks for; whoever does ask still gets them."""

import json
import subprocess
import sys

from tests.conftest import PATIENCE

ASKED = """
import json, sys
from orchestrate.analysis import statistics
waiting = ("f2py", "ma", "polynomial", "random", "testing")
loaded = [name for name in waiting if "numpy." + name in sys.modules]
import numpy
later = [getattr(numpy, name).__name__ for name in waiting]
from scipy import special, stats
quantiles = [special.stdtrit(3, 0.975), stats.t(3).ppf(0.975), statistics.t_quantile(0.975, 3)]
print(json.dumps([loaded, later, *quantiles]))
"""


def test_what_is_left_out_is_there_for_whoever_asks() -> None:
    words = [sys.executable, "-c", ASKED]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=PATIENCE)
    loaded, later, *quantiles = json.loads(done.stdout)
    assert loaded == []
    assert later == ["numpy.f2py", "numpy.ma", "numpy.polynomial", "numpy.random", "numpy.testing"]
    assert [round(each, 6) for each in quantiles] == [3.182446] * 3

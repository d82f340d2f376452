"""What stands in for scipy in a report is what scipy would have answered, and a report does not import it."""

import math
import subprocess
import sys
from pathlib import Path

import pytest
from scipy import special

from orchestrate.analysis import distributions, statistics
from tests import synthetic

PROBABILITIES = (0.5, 0.9, 0.975, 1 - 0.025 / 3, 1 - 0.025 / 7, 0.9999)


@pytest.mark.parametrize("probability", PROBABILITIES)
def test_quantiles_of_students_t_are_scipys(probability: float) -> None:
    for freedom in (*range(1, 40), *range(40, 1100, 53)):
        found = distributions.t_quantile(probability, freedom)
        assert found == pytest.approx(special.stdtrit(freedom, probability), rel=1e-11, abs=1e-15)


def test_far_out_and_between_whole_degrees_of_freedom_scipy_is_asked() -> None:
    for probability, freedom in ((1 - 1e-9, 3), (0.975, 2.5)):
        assert distributions.t_quantile(probability, freedom) == special.stdtrit(freedom, probability)
    assert math.isnan(distributions.t_quantile(0.975, math.nan))


@pytest.mark.parametrize("p", [0.9, 0.95, 0.99])
def test_as_many_samples_are_set_aside_as_by_scipys_binomial(p: float) -> None:
    for n in (*range(1, 800), 5_000, 24_576, 73_728, 1_000_000, 8_000_000):
        kept_back = statistics.discarded(n, p)
        if kept_back:
            assert special.bdtr(kept_back, n, 1 - p) <= 0.01
        assert special.bdtr(kept_back + 1, n, 1 - p) > 0.01


def test_a_report_does_not_wait_for_scipy(tmp_path: Path) -> None:
    run = synthetic.write(synthetic.Study(), tmp_path)
    code = """
import sys
from pathlib import Path
sys.modules["scipy"] = None  # importing it is an error
from orchestrate.report import render
render([Path(sys.argv[1])], Path(sys.argv[1], "report"))
"""
    subprocess.run([sys.executable, "-c", code, str(run)], check=True)
    assert (run / "report" / "index.html").is_file()

"""A pruning record gives the published alpha and beta; a bad record says where it is bad."""

import json
import math
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.scaling import RecordError, fits, scale
from bench.scaling.counts import counter
from bench.scaling.regression import read_record, regress
from bench.zoo import architecture, dataset

DATA = Path(__file__).parent / "data"
PUBLISHED = json.loads((DATA / "published_fits.json").read_text())


@pytest.mark.parametrize("row", PUBLISHED, ids=lambda row: row["record"])
def test_published_records_give_the_published_alpha_and_beta(row: dict) -> None:
    net, task = architecture(row["architecture"]), dataset(row["dataset"])
    record = read_record(DATA / row["record"], len(net.layers))
    found = regress(record, counter(net, task, "published"))
    assert found.rows == row["rows"]
    assert found.alpha == pytest.approx(row["alpha"], rel=1e-9)
    assert found.beta == pytest.approx(row["beta"], rel=1e-9)


@given(
    alpha=st.lists(st.floats(0.1, 50), min_size=8, max_size=8),
    beta=st.lists(st.floats(0.05, 0.8), min_size=8, max_size=8),
)
def test_a_known_power_law_is_recovered_exactly_from_real_widths(
    alpha: list[float], beta: list[float]
) -> None:
    """Rows are real numbers here, and the count is the tau they were drawn with: no noise, no error."""
    taus = {i: 1e4 * 1.3**i for i in range(12)}
    rows = [[i, *(a * tau**b for a, b in zip(alpha, beta, strict=True))] for i, tau in taus.items()]
    found = regress([row[1:] for row in rows], _replay(list(taus.values())))
    assert found.alpha == pytest.approx(alpha, rel=1e-6)
    assert found.beta == pytest.approx(beta, rel=1e-6)
    assert found.rmse < 1e-9


def test_a_noisy_power_law_is_recovered_within_the_noise() -> None:
    chance = random.Random(7)
    alpha, beta = [3.0, 0.5, 20.0], [0.2, 0.45, 0.1]
    taus = [1e6 * 0.97**i for i in range(200)]
    noise = 0.05
    rows = [
        [a * tau**b * math.exp(chance.gauss(0, noise)) for a, b in zip(alpha, beta, strict=True)]
        for tau in taus
    ]
    found = regress(rows, _replay(taus))
    spread = math.sqrt(math.fsum((math.log(t) - math.log(taus[0] * 0.97**99.5)) ** 2 for t in taus))
    for slope, true in zip(found.beta, beta, strict=True):
        assert abs(slope - true) < 4 * noise / spread
    assert found.rmse == pytest.approx(noise, rel=0.2)


def test_fewer_than_six_rows_mean_uniform_scaling() -> None:
    rows = [[40 - i, 60 - 2 * i] for i in range(5)]
    found = regress(rows, sum)
    assert (found.uniform, found.alpha, found.beta, found.rows) == (True, [40.0, 60.0], [0.0, 0.0], 5)
    assert not regress([*rows, [35, 50]], sum).uniform


def test_rows_of_one_size_mean_uniform_scaling() -> None:
    assert regress([[3, 4]] * 10, sum).uniform


MISTAKES = {
    "columns": ("1,2,3\n", r"r\.csv:1: 3 columns, but the architecture has 2 searchable layers"),
    "text": ("1,2\n1,two\n", r"r\.csv:2: column 2 holds 'two', not a whole number"),
    "fraction": ("1,2.5\n", r"r\.csv:1: column 2 holds '2\.5', not a whole number"),
    "zero": ("1,2\n\n0,2\n", r"r\.csv:3: column 1 is 0; a layer keeps at least one unit"),
    "empty": ("", r"r\.csv: the record is empty"),
    "blank": ("\n  \n", r"r\.csv: the record is empty"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_bad_record_is_refused_with_file_and_line(case: str, tmp_path: Path) -> None:
    text, message = MISTAKES[case]
    (tmp_path / "r.csv").write_text(text)
    with pytest.raises(RecordError, match=message) as caught:
        read_record(tmp_path / "r.csv", 2)
    assert "\n" not in str(caught.value)


def test_a_record_that_is_no_text_or_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(RecordError, match=r"r\.csv: not a text file"):
        read_record(tmp_path / "r.csv", 2)
    with pytest.raises(RecordError, match=r"none\.csv: cannot be read: No such file"):
        read_record(tmp_path / "none.csv", 2)
    with pytest.raises(RecordError, match="is a folder, not a regular file"):
        read_record(tmp_path, 2)


def _replay(values: list[float]):  # type: ignore[no-untyped-def]
    """A count that gives `values` one after another, whatever the row."""
    rest = iter(values)
    return lambda row: next(rest)


def test_our_own_resnet50_fit_follows_from_its_record(root: Path) -> None:
    """The committed fit is what `bench fit` makes of the committed record, and says that it is a stand-in."""
    net, task = architecture("resnet50"), dataset("digits")
    record = read_record(root / "tests/unit/search/data/resnet50-digits-reduced.csv", len(net.layers))
    found = regress(record, counter(net, task))
    fit = fits.load_named("resnet50-digits-reduced")
    assert fit.alpha == pytest.approx(found.alpha, rel=1e-9)
    assert fit.beta == pytest.approx(found.beta, rel=1e-9)
    assert fit.rows == found.rows
    assert "stand-in" in (fit.provenance.note or "")
    for ratio in (0.25, 0.5, 0.75, 1.0):
        scaled = scale(net, dataset("cifar100"), "neuralscale", ratio, "params", fit=fit)
        assert abs(scaled.error) <= 0.005

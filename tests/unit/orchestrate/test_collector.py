"""The collector of cyclic garbage rests during a report, and works again after it."""

import gc
from pathlib import Path

import pytest

from orchestrate import report
from orchestrate.analysis import collector
from orchestrate.errors import BadInput
from orchestrate.report import data, files
from tests import synthetic
from tests.synthetic import Study


def test_it_rests_in_the_block_and_is_as_before_after_it() -> None:
    with collector.paused():
        assert not gc.isenabled()
        with collector.paused():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()


def test_it_works_again_after_a_report_and_after_one_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    monkeypatch.setattr(
        data, "tidy", lambda study, real=data.tidy: (seen.append(gc.isenabled()), real(study))[1]
    )
    monkeypatch.setattr(files, "put", lambda *_: seen.append(gc.isenabled()))
    run = synthetic.write(Study(architectures=("vgg11",), ratios=(0.5,)), tmp_path)
    report.render([run], tmp_path / "out")
    assert set(seen) == {False}
    assert gc.isenabled()
    with pytest.raises(BadInput):
        report.build([tmp_path / "none"])
    assert gc.isenabled()

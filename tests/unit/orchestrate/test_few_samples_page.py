"""A slow model, valid with the fewest samples that count, is on the page beside one with many."""

import json
from pathlib import Path

from bench.record.measure import MIN_SAMPLES
from orchestrate import report
from orchestrate.report import page
from tests import synthetic
from tests.synthetic import Study


def test_the_course_of_a_process_of_few_samples_is_filled_with_null(tmp_path: Path) -> None:
    made = Study(architectures=("vgg11",), ratios=(1.0,), methods=("uniform",), samples=MIN_SAMPLES)
    run = synthetic.write(made, tmp_path)
    (path,) = run.glob("*/records/*.json")
    record = json.loads(path.read_text())
    longer = next(synthetic.records(Study(architectures=("vgg11",), ratios=(1.0,), samples=40)))
    record["latency"]["processes"][0] = longer["latency"]["processes"][0]
    path.write_text(json.dumps(record))
    course = json.loads(page.details(report.build([run])))["course"]
    assert [len(row) for row in course["0"]] == [14, 14, 14]
    assert [row.count(None) for row in course["0"]] == [0, 1, 1]
    assert [row[-1] for row in course["0"]][1:] == [None, None]

"""A page about files of one's own answers their owner: a card each, no claims about scaling methods."""

import json
import re
import shutil
from pathlib import Path

import pytest

from orchestrate import report
from orchestrate.analysis import same_jobs
from tests import synthetic


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two valid records of one's own files; only the first has load and first inference."""
    small = synthetic.Study(run="own", architectures=("vgg11",), samples=30)
    folder = synthetic.write(small, tmp_path_factory.mktemp("results"))
    first, second, *others = sorted(folder.glob("*/records/*.json"))
    for other in others:
        other.unlink()
    for path, name, load in ((first, "onnx-net-0123abcd", 0.25), (second, "onnx-br-0123abce", None)):
        record = json.loads(path.read_text())
        record["job"]["model"].update(id=name, architecture=None, method=None, dataset=None)
        record["job"]["id"] = record["job"]["model"]["id"] + "--onnxruntime-fp32-t1"
        for process in record["latency"]["processes"]:
            process.update({} if load is None else {"load_seconds": load, "first_seconds": load / 2})
        path.unlink()
        path.with_name(f"{record['job']['id']}.json").write_text(json.dumps(record))
    return folder


@pytest.fixture(scope="module")
def page(run: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    return report.render([run], tmp_path_factory.mktemp("out")).read_text()


def test_its_title_counts_models_and_names_devices(page: str) -> None:
    assert "<title>2 models on bench-a</title>" in page
    assert "thesis" not in re.sub(r"<script.*?</script>", "", page, flags=re.S)


def test_every_model_has_a_card_with_what_is_known_of_it(page: str) -> None:
    cards = re.findall(r'<article class="card own">.*?</article>', page)
    assert [re.findall(r"<h3>(.*?)</h3>", card) for card in cards] == [["net"], ["br"]]
    assert "<td>250 ms</td>" in cards[0]
    assert "<td>125 ms</td>" in cards[0]
    assert "Load" not in cards[1]


def test_it_is_small(page: str) -> None:
    assert len(page.encode()) < 1_500_000


def test_no_claim_is_asked(run: Path) -> None:
    built = report.build([run])
    assert (built.answers, built.unasked) == ([], [])


@pytest.mark.parametrize(
    ("models", "shown"),
    [
        (["onnx-net-0123abcd", "vgg11-cifar10", "onnx-a-b-0123abcd"], ["net", "vgg11-cifar10", "a-b"]),
        (["onnx-net-0123abcd", "onnx-net-0123abce"], ["net (0123abcd)", "net (0123abce)"]),
    ],
)
def test_a_file_is_called_by_its_name_and_by_its_hash_where_two_have_one(
    models: list[str], shown: list[str]
) -> None:
    assert same_jobs.file_names(models * 2) == dict(zip(models, shown, strict=True))


def test_a_card_draws_ladder_and_distribution(page: str) -> None:
    card = re.findall(r'<article class="card own">.*?</article>', page)[0]
    assert "Memory ladder (MB)" in card
    assert "Distribution of latency" in card
    assert "<td>valid" in card


def invalid(run: Path, folder: Path, count: int) -> Path:
    """A copy of a run in which the first `count` records do not count."""
    shutil.copytree(run, folder)
    for path in sorted(folder.glob("*/records/*.json"))[:count]:
        record = json.loads(path.read_text())
        reason = {"code": "throttled", "message": "<b>the clock</b> fell"}
        record["validity"] = {"valid": False, "reasons": [reason], "warnings": []}
        path.write_text(json.dumps(record))
    return folder


def test_a_page_on_which_no_record_counts_is_still_about_the_models(run: Path, tmp_path: Path) -> None:
    page = report.render([invalid(run, tmp_path / run.name, 99)], tmp_path / "out").read_text()
    heading = re.findall("<h1>(.*?)</h1>", page)
    assert heading == re.findall("<title>(.*?)</title>", page)[:1]  # plotly has titles of its own
    assert re.fullmatch(r"\d models? on [\w-]+", heading[0])
    assert "No record counts" in page
    assert "Does the scaling method" not in page
    assert '<nav aria-label="On this page" class="own nothing">' in page


def test_a_record_that_does_not_count_has_a_card_with_its_reason(run: Path, tmp_path: Path) -> None:
    folder = invalid(run, tmp_path / run.name, 1)
    page = report.render([folder], tmp_path / "out").read_text()
    left = re.findall(r'<article class="card own fails">.*?</article>', page)
    assert len(left) == 1
    assert "&lt;b&gt;the clock&lt;/b&gt; fell" in left[0]
    assert "throttled" in left[0]


def test_two_files_of_one_name_are_two_names_on_the_page(run: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(run, tmp_path / "run")
    (path,) = folder.glob("*/records/onnx-br-*.json")
    record = json.loads(path.read_text())
    record["job"]["model"]["id"] = "onnx-net-0123abce"
    path.write_text(json.dumps(record))
    page = report.render([folder], tmp_path / "out").read_text()
    assert re.findall(r'<article class="card own"><h3>(.*?)</h3>', page) == [
        "net (0123abcd)",
        "net (0123abce)",
    ]
    assert '"onnx-net-0123abce":"net (0123abce)"' in page

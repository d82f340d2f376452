"""What a finished training leaves in result.json, and what is read of it."""

from typing import Any, TypedDict

from bench.work.structure import Least, Many


class TaskData(TypedDict):
    """The task of a training, as plain data (TrainingTask.describe)."""

    model: str
    architecture: str
    dataset: str
    method: str
    ratio: float
    ratio_of: str
    widths: list[int]
    params: int
    macs: int
    seed: int
    recipe: dict[str, Any]


class Top1(TypedDict):
    """Percent on the test split after the last epoch and after the best one (the first of equals)."""

    top1: float
    best_top1: float
    best_epoch: int


class Result(Top1):
    """A finished training: seconds are of its last session."""

    schema: int
    kind: str
    task: TaskData
    history: list[dict[str, float]]
    normalisation: dict[str, list[float]]
    data: dict[str, str]
    revision: str | None
    orbitbench: str
    torch: str
    device: str
    seconds: float
    resumed_at: int
    finished: str


# What is read of a result; it has more.
STRUCTURE = Least(
    {
        **dict.fromkeys(("top1", "best_top1"), (float, int)),
        **dict.fromkeys(("data", "revision", "orbitbench", "torch"), object),
        "task": Least(
            {
                **dict.fromkeys(("model", "architecture", "dataset", "method", "ratio_of"), str),
                **dict.fromkeys(("seed", "params"), int),
                "ratio": (float, int),
                "widths": Many(int),
                "recipe": dict,
            }
        ),
    }
)

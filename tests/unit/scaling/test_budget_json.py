"""The JSON of measured budgets is JSON where a device or its profile holds no memory."""

import json
import math
from dataclasses import replace

from bench.budget.command import Asked, BudgetAnswer
from bench.budget.measuring import Measured
from bench.budget.rounds import BudgetRound
from bench.budget.text import as_data
from bench.cost import PredictedFigure
from bench.scaling.within import within
from bench.zoo import architecture, dataset


def test_what_nobody_knows_is_null() -> None:
    asked = Asked("vgg11", "cifar10", "uniform", {"params": 1e6})
    plain = within(architecture("vgg11"), dataset("cifar10"), "uniform", asked.limits)
    guess = replace(plain, figures={**plain.figures, "latency": 1e-3, "memory": math.nan})
    unknown = PredictedFigure(math.nan, math.nan, math.nan)
    measured = Measured(PredictedFigure(1e-3, 0.9e-3, math.inf), unknown)
    played = BudgetRound(guess, measured)
    data = as_data(asked, BudgetAnswer(guess, None, None, (played,), played))
    [found] = json.loads(json.dumps(data, allow_nan=False))["rounds"]
    assert found["guessed"] == {"latency": 1e-3, "memory": None}
    assert found["measured"]["memory"] == {"value": None, "low": None, "high": None}
    assert found["measured"]["latency"]["high"] is None
    assert found["p50"] is None

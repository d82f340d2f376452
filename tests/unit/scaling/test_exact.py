"""The path through stages is the best one within the limits: never worse than trying all, never over."""

from itertools import product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.scaling.exact import Path, Stage, cheapest, least

WIDTH = 3  # states between two stages


def problem(seed: int, stages: int, limits: int, tight: float) -> tuple[list[Stage], list[np.ndarray]]:
    """Random stages whose limits lie `tight` of the way from the least to the most costly path."""
    draw = np.random.default_rng(seed)
    made, states = [], 1
    for _ in range(stages):
        arcs = states * WIDTH * 2
        source, target = draw.integers(states, size=arcs), np.arange(arcs) % WIDTH
        source[: states * WIDTH] = np.repeat(np.arange(states), WIDTH)
        costs = draw.integers(1, 9, size=(arcs, limits)).astype(float)
        made.append(Stage(source, target, WIDTH, costs))
        states = WIDTH
    low = np.array([least(made, column)[0] for column in range(limits)])
    high = np.array([sum(s.costs[:, column].max() for s in made) for column in range(limits)])
    limit = low + tight * (high - low)
    scaled = [Stage(s.source, s.target, s.states, s.costs / limit) for s in made]
    return scaled, [draw.integers(0, 20, size=s.source.size).astype(float) for s in made]


def by_trying_all(stages: list[Stage], objective: list[np.ndarray]) -> float | None:
    best = None
    for arcs in product(*(range(s.source.size) for s in stages)):
        states = [0, *(int(s.target[a]) for s, a in zip(stages, arcs, strict=True))]
        if any(s.source[a] != at for s, a, at in zip(stages, arcs, states[:-1], strict=True)):
            continue
        if np.any(sum(s.costs[a] for s, a in zip(stages, arcs, strict=True)) > 1 + 1e-12):
            continue
        value = sum(float(o[a]) for o, a in zip(objective, arcs, strict=True))
        best = value if best is None else min(best, value)
    return best


def check(stages: list[Stage], objective: list[np.ndarray], found: Path) -> None:
    """A path is one, and its figures are of its arcs."""
    state = 0
    for stage, arc in zip(stages, found.arcs, strict=True):
        assert stage.source[arc] == state
        state = int(stage.target[arc])
    assert found.objective == sum(float(o[a]) for o, a in zip(objective, found.arcs, strict=True))
    assert np.all(found.costs <= 1 + 1e-12)
    assert found.gap == 0


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 3), st.integers(1, 3), st.floats(0, 0.9))
def test_the_path_is_the_best_of_all_within_the_limits(
    seed: int, stages: int, limits: int, tight: float
) -> None:
    made, objective = problem(seed, stages, limits, tight)
    found, best = cheapest(made, objective), by_trying_all(made, objective)
    assert (found is None) == (best is None)
    if found is not None:
        check(made, objective, found)
        assert found.objective == best


def test_none_is_returned_where_no_path_is_better_than_what_is_known() -> None:
    made, objective = problem(7, 3, 1, 0.3)
    found = cheapest(made, objective)
    assert found is not None
    assert cheapest(made, objective, below=found.objective) is None
    again = cheapest(made, objective, below=found.objective + 0.5)
    assert again is not None
    assert again.objective == found.objective


def test_a_limit_below_the_least_sum_has_no_path() -> None:
    made, objective = problem(3, 3, 1, 0.0)
    short = [Stage(s.source, s.target, s.states, s.costs * 1.01) for s in made]
    assert cheapest(made, objective) is not None
    assert cheapest(short, objective) is None

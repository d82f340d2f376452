"""`bench predictions`: what profiles predict of many networks, for `orchestrate recommend`."""

import json
import sys
from typing import Annotated, Any

import typer


def predictions(
    profiles: Annotated[list[str], typer.Argument(metavar="PROFILE...", help="names or files")],
) -> None:
    """Read a JSON list of networks (id, architecture, dataset, widths) on stdin; print one of predictions.

    A network beyond a profile's tuned range has no prediction there.
    """
    from bench.cost import CostModel, find

    networks = json.load(sys.stdin)
    models = [CostModel(find(name)) for name in profiles]
    typer.echo(json.dumps([row for model in models for network in networks for row in _row(model, network)]))


def _row(model: Any, network: dict[str, Any]) -> list[dict[str, Any]]:
    from bench import zoo
    from bench.cost import ExtrapolationError

    task = zoo.dataset(network["dataset"])
    try:
        found = model.predict(zoo.architecture(network["architecture"]), network["widths"], task)
    except ExtrapolationError:
        return []
    where = model.profile.environment.model_dump()
    kept = {key: where[key] for key in ("device", "backend", "version", "precision", "threads")}
    figures = {
        name: dict(zip(("value", "low", "high"), map(float, each), strict=True))
        for name, each in (("latency", found.latency), ("memory", found.process))
    }
    head = {"model": network["id"], "profile": model.profile.name, "emulated": model.profile.emulated}
    return [{**head, **kept, **figures}]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(hidden=True)(predictions)

"""`bench predictions`: what profiles predict of many networks, for `orchestrate recommend` and the report."""

import json
import sys
from typing import TYPE_CHECKING, Annotated, TypedDict

import typer

from bench.record.quantities import counted

if TYPE_CHECKING:
    from bench.cost import CostModel


class Network(TypedDict):
    """A network of the zoo, as the orchestrator knows it."""

    id: str
    architecture: str
    dataset: str
    widths: list[int]


def predictions(
    profiles: Annotated[list[str], typer.Argument(metavar="PROFILE", help="names or files")],
    landscape: Annotated[
        bool, typer.Option("--landscape", help="the cost of one layer over its channels instead")
    ] = False,
) -> None:
    """Read a JSON list of networks (id, architecture, dataset, widths) on stdin; print one of predictions.

    A network beyond a profile's tuned range has no prediction there; a line on stderr reports it.

    With --landscape: read a list of lists, each of one architecture and data set; print for each the
    costliest layer of its first network and where the others fall on it, null where the first has no
    prediction.
    """
    from bench.cost import CostModel, find_profile

    networks = json.load(sys.stdin)
    models = [CostModel(find_profile(name)) for name in profiles]
    if landscape:
        found = [_landscape(model, group) for model in models for group in networks]
    else:
        found = [row for model in models for row in _rows(model, networks)]
    typer.echo(json.dumps(found))


def _landscape(model: "CostModel", networks: list[Network]) -> dict[str, object] | None:
    """Networks after the first that cannot be predicted are left out."""
    from bench import zoo
    from bench.cost.landscape import landscape
    from bench.errors import InputError

    try:
        architecture = zoo.architecture(networks[0]["architecture"])
        task = zoo.dataset(networks[0]["dataset"])
        within = [each for each in networks if not model.outside(architecture, each["widths"], task)]
    except InputError:  # of somebody's records: not of this version's zoo
        return None
    if networks[0] not in within:
        return None
    found, marks = landscape(model, architecture, [each["widths"] for each in within], task)
    placed = [{"model": each["id"], "channels": at} for each, at in zip(within, marks, strict=True)]
    named = {"architecture": architecture.name, "dataset": task.name}
    return {**_where(model), **named, **found._asdict(), "networks": placed}


def _where(model: "CostModel") -> dict[str, object]:
    """The profile, and the environment that it is of."""
    named = {"profile": model.profile.name, "emulated": model.profile.emulated}
    return {**named, **model.profile.environment.model_dump()}


def _rows(model: "CostModel", networks: list[Network]) -> list[dict[str, object]]:
    """The predictions of a profile; one line on stderr is about those that it does not make."""
    from bench.errors import InputError
    from bench.record.printable import first_line

    found: list[dict[str, object]] = []
    refused: list[str] = []
    for network in networks:
        try:
            found.append(_row(model, network))
        except InputError as error:  # beyond the tuned range, or somebody's record: not of this version's zoo
            refused.append(str(error))
    if refused:
        text = f"profile {model.profile.name} predicts {len(found)} of {counted(len(networks), 'network')}"
        why = first_line(refused[0]).partition("; --extrapolate")[0]
        typer.echo(f"{text}; of the others the first: {why}", err=True)
    return found


def _row(model: "CostModel", network: Network) -> dict[str, object]:
    """One prediction; the numbers of memory are null where the profile holds none."""
    from bench import zoo

    architecture, task = zoo.architecture(network["architecture"]), zoo.dataset(network["dataset"])
    found = model.predict(architecture, network["widths"], task)
    figures = {"latency": found.latency.data(), "memory": found.process.data()}
    return {"model": network["id"], **_where(model), **figures}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(hidden=True)(predictions)

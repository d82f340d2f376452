"""`orchestrate recommend`: which model fits the limits of a board."""

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli_app import options_of
from orchestrate.commands import complete
from orchestrate.commands.report import Runs
from orchestrate.commands.run import Results

if TYPE_CHECKING:
    from orchestrate.analysis.frame import Frame
    from orchestrate.analysis.predicted import Predicted
    from orchestrate.analysis.recommend import Candidate, ModelLimits, Recommendation

NEXT = 5  # other candidates that are listed


@dataclass(frozen=True)
class RecommendOptions:
    """What the command line asks for."""

    runs: Runs
    device: Annotated[
        list[str],
        typer.Option(
            metavar="NAME[,NAME]",
            help="only these; may be repeated [default: all devices of the runs]",
            autocompletion=complete.several_devices,
        ),
    ] = field(default_factory=list)
    max_memory: Annotated[str | None, typer.Option(metavar="SIZE", help="of the process, such as 64MB")] = (
        None
    )
    max_latency: Annotated[
        str | None, typer.Option(metavar="TIME", help="of one inference, such as 20ms")
    ] = None
    min_accuracy: Annotated[str | None, typer.Option(metavar="PERCENT", help="such as 70")] = None
    max_energy: Annotated[
        str | None,
        typer.Option(
            metavar="ENERGY", help="of one inference, such as 5mJ; known where a board has a power sensor"
        ),
    ] = None
    memory_is: Annotated[
        str | None,
        typer.Option(
            metavar="DEFINITION",
            help="what counts as memory, such as peak (default: process_own_trimmed)",
        ),
    ] = None
    profile: Annotated[
        list[str],
        typer.Option(
            metavar="NAME|FILE",
            help="of a device (`orchestrate tune`); may be repeated: the runs' networks are ranked by what "
            "it predicts, apart from what was measured",
        ),
    ] = field(default_factory=list)
    results: Results = Path("results")
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False


@options_of(RecommendOptions)
def recommend(options: RecommendOptions) -> None:
    """Name the best model, device and runtime within the limits, and why the next ones lost.

    Only what was measured is recommended; exit code 1 where nothing of that fits.
    """
    from orchestrate.analysis import recommend as recommending
    from orchestrate.analysis import records, table
    from orchestrate.runs.folder import find_run

    limits = limits_of(options)
    rows = table.tidy(records.read([find_run(run, options.results) for run in options.runs]))
    answers = recommending.recommend(rows_of(rows, options.device), limits)
    predicted = predictions(rows, [answer.dataset for answer in answers], options.profile, limits)
    if options.as_json:
        data = [as_data(answer, limits) for answer in answers]
        if options.profile:
            data = [
                {**each, "predicted": predicted_data(predicted[answer.dataset])}
                for each, answer in zip(data, answers, strict=True)
            ]
        typer.echo(json.dumps(data, indent=1))
    else:
        for answer in answers:
            show(answer, limits)
            show_predicted(predicted[answer.dataset])
    raise typer.Exit(0 if any(answer.best for answer in answers) else 1)


def limits_of(options: RecommendOptions) -> "ModelLimits":
    """Read the limits; BadInput for one that is no quantity, or that no profile predicts."""
    from orchestrate import quantities
    from orchestrate.analysis import memory
    from orchestrate.analysis.recommend import ModelLimits
    from orchestrate.errors import BadInput, listed

    definition = options.memory_is
    if definition is not None and definition not in memory.DEFINITIONS:
        raise BadInput(f"--memory-is {definition!r}: unknown; known: {listed(memory.DEFINITIONS)}")
    if options.profile and definition not in (None, memory.PROCESS):
        raise BadInput(f"profiles predict {memory.PROCESS} alone: give --memory-is or --profile, not both")
    return ModelLimits(
        memory=quantities.optional(options.max_memory, quantities.MEMORY, "--max-memory"),
        latency=quantities.optional(options.max_latency, quantities.TIME, "--max-latency"),
        accuracy=quantities.optional(options.min_accuracy, quantities.PERCENT, "--min-accuracy"),
        energy=quantities.optional(options.max_energy, quantities.ENERGY, "--max-energy"),
        definition=definition or memory.PROCESS,
    )


def predictions(
    rows: "Frame", datasets: list[str], profiles: list[str], limits: "ModelLimits"
) -> "dict[str, list[Predicted]]":
    """Return the networks of each dataset on every profile, ranked under the limits.

    None without profiles.
    """
    from orchestrate.analysis import predicted
    from orchestrate.execution.predictions import predict

    networks = predicted.networks(rows) if profiles else []
    found = predict(networks, list(dict.fromkeys(profiles))) if networks else []
    for name in sorted({row["profile"] for row in found if row["emulated"]}):
        text = "is of an emulated CPU: this is no figure of a board, and is left out"
        typer.echo(f"profile {name} {text}", err=True)
    known, data = predicted.accuracies(rows), {network["id"]: network["dataset"] for network in networks}
    return {
        dataset: predicted.rank([row for row in found if data[row["model"]] == dataset], limits, known)
        for dataset in datasets
    }


def show_predicted(found: "list[Predicted]") -> None:
    """The predicted ranking, marked."""
    from orchestrate.console import say
    from orchestrate.quantities import counted, number

    if found:
        say("  predicted, not measured: enters no verdict")
    for row, verdict in found[:NEXT]:
        latency, memory = row["latency"], row["memory"]["value"]
        say(
            f"  {verdict}: {row['model']} on {row['device']} ({row['backend']} {row['version']}, "
            f"{row['precision']}, {counted(row['threads'], 'thread')}): {number(latency['value'] * 1e3)} ms "
            f"({number(latency['low'] * 1e3)} to {number(latency['high'] * 1e3)}), "
            f"{'memory unknown' if memory is None else number(memory * 1e-6) + ' MB'}"
        )


def predicted_data(found: "list[Predicted]") -> list[dict[str, object]]:
    """Return the predicted ranking as JSON."""
    return [{**row, "verdict": verdict, "predicted": True} for row, verdict in found]


def rows_of(rows: "Frame", devices: list[str]) -> "Frame":
    """Return the rows of some devices, of all unless named; BadInput for one that has none."""
    from orchestrate.errors import BadInput, listed
    from orchestrate.quantities import words

    known = sorted(set(rows["device"]))
    if not known:
        raise BadInput("no valid record in these runs: `orchestrate report` shows why")
    devices = words("--device", *devices)
    for device in devices:
        if device not in known:
            raise BadInput(f"no valid record of device {device!r}; known here: {listed(known)}")
    wanted = set(devices or known)
    return rows.take([place for place, device in enumerate(rows["device"]) if device in wanted])


def figures_of(candidate: "Candidate", limits: "ModelLimits") -> str:
    """Describe the figures of a candidate in one line."""
    from orchestrate.analysis.recommend import FIGURES
    from orchestrate.analysis.table import STAND_IN
    from orchestrate.report import text

    values = {name: candidate.row[limits.column(figure)] for name, figure in FIGURES.items()}
    source = {"accuracy": f" ({candidate.row['accuracy_source']})"}
    figures = ", ".join(
        f"{limits.named(figure)} {text.number(values[name] * figure.scale)} {figure.unit}"
        + source.get(name, "")
        for name, figure in FIGURES.items()
        if not math.isnan(values[name])
    )
    return figures + ("; its fit is a stand-in" if candidate.row["fit_quality"] == STAND_IN else "")


def show(answer: "Recommendation", limits: "ModelLimits") -> None:
    """The answer in lines."""
    from orchestrate.console import say

    title = answer.dataset or "your own files"
    title += f", by {answer.judged_by}" if answer.judged_by else ""
    best = answer.best
    say(f"{title}: {best.name}: {figures_of(best, limits)}" if best else f"{title}: no model fits")
    say(f"  Pareto set: {', '.join(answer.front)}")
    for candidate in answer.others[:NEXT]:
        say(f"  not {candidate.name}: {candidate.lost}")


def as_data(answer: "Recommendation", limits: "ModelLimits") -> dict[str, object]:
    """Return the answer as JSON; base units."""

    from orchestrate.analysis.table import headlines

    def one(candidate: "Candidate") -> dict[str, object]:
        row = candidate.row
        named = {
            key: row[key]
            for key in ("model", "job", "device", "backend", "precision", "threads", "batch", "setup")
        }
        figures = {
            key: None if math.isnan(row[key]) else row[key] for key in ("latency", "accuracy", "energy")
        }
        size = row[limits.definition]
        state = {"memory": None if math.isnan(size) else size, "verdict": candidate.verdict}
        state |= {key: row[key] or None for key in ("accuracy_source", "fit_quality")}
        return {
            **named,
            **figures,
            **state,
            "figures": headlines(row),
            "pareto": candidate.pareto,
            "why_not": candidate.lost or None,
        }

    return {
        "dataset": answer.dataset,
        "judged_by": answer.judged_by or None,
        "memory_definition": limits.definition,
        "best": one(answer.best) if answer.best else None,
        "pareto": list(dict.fromkeys(candidate.row["model"] for candidate in answer.pareto)),
        "others": [one(candidate) for candidate in answer.others],
    }


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("recommend")(recommend)

"""`orchestrate run`: plan, export, run on the devices, report."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated

import typer
from typer.models import OptionInfo

from bench.cli_app import experiments, options_of
from orchestrate.commands import complete
from orchestrate.commands.devices import DEVICES
from orchestrate.execution.options import StatedOptions

REPORT: OptionInfo = typer.Option("--report/--no-report", help="write the page at the end")
RESULTS: OptionInfo = typer.Option(metavar="DIR", envvar="ORBITBENCH_RESULTS", help="the folder of all runs")
TRUST: OptionInfo = typer.Option(
    "--trust-run", help="go on though the run was planned with other settings than devices.yaml has now"
)
Report = Annotated[bool, REPORT]
Results = Annotated[Path, RESULTS]
Trust = Annotated[bool, TRUST]


@dataclass(frozen=True)
class Typed(StatedOptions):
    """The options as they are typed: these besides need to be read."""

    threads: str | None = None
    precision: str | None = None
    processes: int | None = None
    profile: bool = False
    batch: str | None = None
    load: str | None = None
    streams: str | None = None
    rate: str | None = None
    as_json: bool = False


OPTIONS: dict[str, OptionInfo] = {
    "devices": typer.Option(
        "--device",
        metavar="NAME[,NAME]",
        help="of devices.yaml, as `orchestrate devices` lists; may be repeated",
        autocompletion=complete.several_devices,
    ),
    "everything": typer.Option("--all", help="all devices of your own files but `local`"),
    "experiment": typer.Option(
        metavar="NAME|FILE",
        help="in manifests/experiments, or a file (default: thesis; demo takes minutes)",
        autocompletion=experiments,
    ),
    "onnx": typer.Option(metavar="FILE", help="a model of your own; may be repeated"),
    "dims": typer.Option(
        "--dim", metavar="NAME=SIZE", help="size of a dynamic dimension of --onnx: symbol or INPUT.AXIS"
    ),
    "inputs": typer.Option("--input", metavar="FILE.npz", help="arrays for the inputs of --onnx"),
    "values": typer.Option("--value", metavar="INPUT=NUMBER", help="a constant for an input of --onnx"),
    "test_set": typer.Option(
        metavar="FILE.npz|FOLDER", help="labelled inputs of --onnx: the device measures accuracy"
    ),
    "metric": typer.Option(help="of --test-set"),
    "pixels": typer.Option(
        help="of a folder of images: 0 to 1, -1 to 1, ImageNet's mean and deviation, 0 to 255"
    ),
    "accuracies": typer.Option(
        "--accuracy", metavar="[NAME=]PERCENT", help="what a file of --onnx reaches, as you state it"
    ),
    "names": typer.Option(
        "--name",
        metavar="[FILE=]NAME",
        help="name of a model of --onnx, by which `compare` pairs its versions",
    ),
    "threads": typer.Option(metavar="N[,N]", help="instead of the device's threads, such as 1,2,4"),
    "precision": typer.Option(
        metavar="NAME[,NAME]", help="instead of the device's precisions, such as fp32,int8"
    ),
    "processes": typer.Option(metavar="N", help="fresh processes a job, instead of the experiment's"),
    "profile": typer.Option(
        "--profile", help="where the time goes, by operator: one more process a job, never a timed one"
    ),
    "batch": typer.Option(
        metavar="N[,N]", help="images an inference, such as 1,8, instead of the experiment's"
    ),
    "load": typer.Option(
        metavar="SHAPE[,SHAPE]", help="single-stream (the default), offline (throughput), paced"
    ),
    "streams": typer.Option(metavar="N[,N]", help="of --load offline: inferences side by side"),
    "rate": typer.Option(metavar="N/s", help="of --load paced: requests a second, such as 10/s"),
    "resume": typer.Option(
        metavar="RUN",
        help="finish this run (an id, the beginning of one, latest, or a path): only what is missing",
        autocompletion=complete.runs,
    ),
    "resume_last": typer.Option(
        "--resume-last", help="finish the newest unfinished run of this very plan, if there is one"
    ),
    "retry": typer.Option(help="with --resume: measure again what failed, or what is not valid"),
    "detach": typer.Option(
        "--detach", help="start the devices and leave them at work; fetch later with --resume or `collect`"
    ),
    "break_lock": typer.Option("--break-lock", help="take a board from a run that is dead on it"),
    "require_valid": typer.Option("--require-valid", help="exit code 1 also where a record is not valid"),
    "trust_run": TRUST,
    "patience": typer.Option(metavar="SECONDS", help="how long to wait for a lost board", min=0),
    "report": REPORT,
    "results": RESULTS,
    "manifest": DEVICES,
    "as_json": typer.Option("--json", help="print a JSON summary, progress on stderr"),
}


@options_of(Typed, OPTIONS)
def run(typed: Typed) -> None:
    """Measure an experiment, or your own ONNX files, on devices.

    orchestrate run --device local --experiment demo
    """
    from orchestrate.execution import run as study
    from orchestrate.execution.options import RunOptions
    from orchestrate.execution.own_words import sweep, whole

    swept = sweep(
        typed.threads,
        typed.precision,
        typed.processes,
        typed.load,
        typed.streams,
        typed.rate,
        typed.profile,
    )
    batches = whole("--batch", typed.batch, 1, 1024, "1,8")
    stated = {each.name: getattr(typed, each.name) for each in fields(StatedOptions)}
    raise typer.Exit(study.main(RunOptions(sweep=swept, batches=batches, **stated), typed.as_json))


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("run")(run)

"""`orchestrate run`: plan, export, run on the devices, report."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from orchestrate.commands import complete
from orchestrate.commands.devices import File

Report = Annotated[bool, typer.Option("--report/--no-report", help="write the page at the end")]
Results = Annotated[
    Path, typer.Option(metavar="DIR", envvar="ORBITBENCH_RESULTS", help="the folder of all runs")
]
Trust = Annotated[
    bool,
    typer.Option(
        "--trust-run", help="go on though the run was planned with other settings than devices.yaml has now"
    ),
]


def run(
    device: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[,NAME]",
            help="of devices.yaml, as `orchestrate devices` lists; may be repeated",
            autocompletion=complete.devices,
        ),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="all devices of your own files but `local`")
    ] = False,
    experiment: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="in manifests/experiments, or a file (default: thesis; demo takes minutes)",
            autocompletion=complete.experiments,
        ),
    ] = None,
    onnx: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="a model of your own; may be repeated")
    ] = None,
    dim: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=SIZE", help="size of a dynamic dimension of --onnx: symbol or INPUT.AXIS"),
    ] = None,
    inputs: Annotated[
        Path | None, typer.Option("--input", metavar="FILE.npz", help="arrays for the inputs of --onnx")
    ] = None,
    value: Annotated[
        list[str] | None, typer.Option(metavar="INPUT=NUMBER", help="a constant for an input of --onnx")
    ] = None,
    test_set: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.npz|FOLDER", help="labelled inputs of --onnx: the device measures accuracy"
        ),
    ] = None,
    metric: Annotated[Literal["top1", "top5"], typer.Option(help="of --test-set")] = "top1",
    pixels: Annotated[
        Literal["unit", "signed", "imagenet", "raw"] | None,
        typer.Option(help="of a folder of images: 0 to 1, -1 to 1, ImageNet's mean and deviation, 0 to 255"),
    ] = None,
    accuracy: Annotated[
        list[str] | None,
        typer.Option(metavar="[NAME=]PERCENT", help="what a file of --onnx reaches, as you state it"),
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option(metavar="[FILE=]NAME", help="what a file of --onnx is called, so that versions compare"),
    ] = None,
    threads: Annotated[
        str | None, typer.Option(metavar="N[,N]", help="instead of the device's threads, such as 1,2,4")
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(metavar="NAME[,NAME]", help="instead of the device's precisions, such as fp32,int8"),
    ] = None,
    processes: Annotated[
        int | None, typer.Option(metavar="N", help="fresh processes a job, instead of the experiment's")
    ] = None,
    profile: Annotated[
        bool,
        typer.Option(
            "--profile", help="where the time goes, by operator: one more process a job, never a timed one"
        ),
    ] = False,
    batch: Annotated[
        str | None,
        typer.Option(metavar="N[,N]", help="images an inference, such as 1,8, instead of the experiment's"),
    ] = None,
    load: Annotated[
        str | None,
        typer.Option(
            metavar="SHAPE[,SHAPE]", help="single-stream (the default), offline (throughput), paced"
        ),
    ] = None,
    streams: Annotated[
        str | None, typer.Option(metavar="N[,N]", help="of --load offline: inferences side by side")
    ] = None,
    rate: Annotated[
        str | None, typer.Option(metavar="N/s", help="of --load paced: requests a second, such as 10/s")
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option(
            metavar="RUN",
            help="finish this run (an id, the beginning of one, latest, or a path): only what is missing",
            autocompletion=complete.runs,
        ),
    ] = None,
    resume_last: Annotated[
        bool,
        typer.Option(
            "--resume-last", help="finish the newest unfinished run of this very plan, if there is one"
        ),
    ] = False,
    retry: Annotated[
        Literal["failed", "invalid", "all"] | None,
        typer.Option(help="with --resume: again what failed, or what was measured but does not count"),
    ] = None,
    detach: Annotated[
        bool,
        typer.Option(
            "--detach",
            help="start the devices and leave them at work; fetch later with --resume or `collect`",
        ),
    ] = False,
    break_lock: Annotated[
        bool, typer.Option("--break-lock", help="take a board from a run that is dead on it")
    ] = False,
    require_valid: Annotated[
        bool, typer.Option("--require-valid", help="exit code 1 also where a record does not count")
    ] = False,
    trust_run: Trust = False,
    patience: Annotated[
        float, typer.Option(metavar="SECONDS", help="how long to wait for a lost board", min=0)
    ] = 600.0,
    report: Report = True,
    results: Results = Path("results"),
    devices: File = None,
    as_json: Annotated[bool, typer.Option("--json", help="print a JSON summary, progress on stderr")] = False,
) -> None:
    """Measure an experiment, or your own ONNX files, on devices.

    orchestrate run --device local --experiment demo
    """
    from orchestrate.execution import run as study
    from orchestrate.execution.options import RunOptions
    from orchestrate.execution.own_words import sweep, whole

    options = RunOptions(
        devices=[name.strip() for each in device or [] for name in each.split(",")],
        everything=everything,
        experiment=experiment,
        onnx=onnx or [],
        dims=dim or [],
        inputs=inputs,
        values=value or [],
        test_set=test_set,
        metric=metric,
        pixels=pixels,
        accuracies=accuracy or [],
        names=name or [],
        sweep=sweep(threads, precision, processes, load, streams, rate, profile),
        batches=whole("--batch", batch, 1, 1024, "1,8"),
        resume=resume,
        resume_last=resume_last,
        retry=retry,
        detach=detach,
        break_lock=break_lock,
        patience=patience,
        report=report,
        require_valid=require_valid,
        results=results,
        manifest=devices,
        trust_run=trust_run,
    )
    raise typer.Exit(study.main(options, as_json))


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("run")(run)

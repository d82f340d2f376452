"""A run from options to report: resolve, export, plan, create the folder, follow the devices, sum up."""

import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata, util
from pathlib import Path

from rich.console import Console

from bench.record import files, schema
from bench.record.bundle import Bundle
from bench.work.signals import Signals, terminated_is_interrupted
from orchestrate import device_files
from orchestrate.console import make_console
from orchestrate.devices import Device, choose_devices
from orchestrate.errors import BadInput, Interrupted, OrbitError
from orchestrate.execution import process_runner, progress, summary
from orchestrate.execution.follower import Follower, FollowPolicy, Runner, Stop, drive
from orchestrate.execution.options import RunOptions, check
from orchestrate.execution.own_words import with_accuracy, with_names
from orchestrate.execution.settings import Settings
from orchestrate.quantities import counted, words
from orchestrate.runs import confined, estimate, plan, staging
from orchestrate.runs.folder import DeviceFolder, Run, newest_unfinished, read_bundle
from orchestrate.runs.types import Plan

MakeBundle = Callable[[RunOptions, Path, int], Bundle]
FindRun = Callable[[Path, str], Run | None]
DESCRIPTORS = 32  # of a board at most: its tunnel, its engine's connections, commands on it


def main(options: RunOptions, as_json: bool = False) -> int:
    """Do what the options ask; return the exit code. Progress goes to stderr where a script reads stdout."""
    check(options)
    console = make_console(stderr=as_json)
    try:
        with terminated_is_interrupted():
            run = Run.open(options.results, options.resume) if options.resume else begin(options, console)
    except KeyboardInterrupt:
        raise Interrupted("interrupted before anything was run") from None
    announce(run, console, options.manifest)
    policy = FollowPolicy(watch=not options.detach, patience=options.patience)
    devices = Settings(options.manifest, options.trust_run)
    problems = execute(run, devices, console, policy, options.retry, options.break_lock)
    go_on = run.resume_command(options.manifest)
    if options.detach and not problems:
        console.print(f"at work without us; to go on: {go_on}", highlight=False, soft_wrap=True)
        return 0
    return summary.conclude(run, problems, go_on, console, as_json, options.report, options.require_valid)


def collect(run: Run, devices: Settings, as_json: bool = False, report: bool = True) -> int:
    """Fetch what devices have finished, starting nothing; the exit code."""
    console = make_console(stderr=as_json)
    problems = execute(run, devices, console, FollowPolicy(start=False, watch=False))
    return summary.conclude(run, problems, run.resume_command(devices.manifest), console, as_json, report)


# -- before anything runs ---------------------------------------------------------------------------------


def begin(
    options: RunOptions, console: Console, make: MakeBundle | None = None, known: FindRun = newest_unfinished
) -> Run:
    """Plan a new run and create its folder, or, with `resume_last`, go on with the `known` one of its plan.

    make: writes the bundle instead of `export`.
    """
    devices = resolve(options)
    with staging.draft(options.results) as (folder, held):
        bundle = (make or export)(options, folder / "bundle", held)
        for skipped in bundle["skipped"]:
            console.print(f"skipped {skipped['id']}: {skipped['reason']}; to make one: {skipped['command']}")
        sweep = options.sweep
        planned = plan.plan(
            bundle,
            devices,
            version(),
            sweep.devices(devices),
            sweep.load_shapes,
            typed=bool(sweep.precisions),
        )
        for refused in planned.get("refused", []):
            if "device" in refused:  # the others are in `bench export`'s output
                summary.say(console, plan.refusal(refused))
        jobs = sum(len(part["jobs"]) for part in planned["devices"].values())
        work = f"{counted(len(bundle['models']), 'model')}, {counted(jobs, 'job')} on {', '.join(devices)}"
        console.print(work, highlight=False)
        if options.resume_last and (run := known(options.results, planned["hash"])):
            console.print(f"resuming {run.id}")
            return run
        check_jobs(planned)
        for line in estimate.lines(planned):
            console.print(line, highlight=False, soft_wrap=True)
        return create(options.results, planned, folder)


def check_jobs(planned: Plan) -> None:
    """Refuse a plan whose job lists no runtime would take, before there is a run."""
    for device, part in planned["devices"].items():
        name = f"{time.strftime('%Y%m%d-%H%M%S')}-{planned['experiment']['name']}"
        for problem in schema.problems(plan.job_list(planned, name, device)):
            place = re.match(r"jobs\[(\d+)\]", problem.path)
            model = part["jobs"][int(place[1])]["model"]["id"] if place else device
            raise BadInput(
                f"{model}: cannot be measured ({problem.path} {problem.reason}); leave it out of the run"
            )


def resolve(options: RunOptions) -> dict[str, Device]:
    """Return the devices that the options name, in its order."""
    known, source = device_files.known(options.manifest), device_files.named(options.manifest)
    named = words("--device", *options.devices)
    names = [*device_files.own(options.manifest)] if options.everything else named
    if not names:
        raise BadInput(f"which device? --device NAME; {source} knows: {', '.join(sorted(known))}")
    return choose_devices(known, names, source)


def version() -> str:
    """Return the installed program's version; `source` where it runs from its sources."""
    try:
        return metadata.version("orbitbench")
    except metadata.PackageNotFoundError:
        return "source"


def export(options: RunOptions, out: Path, held: int) -> Bundle:
    """Have `bench export` make the bundle in `out`; its lines are for the user, its exit code is for us.

    The descriptor `held` goes to it: should we be killed, the draft is in use until it has ended too.
    """
    wanted = [options.experiment] if options.experiment else [] if options.onnx else ["thesis"]
    needed = ["torch", "onnx"] if wanted else ["onnx"]
    missing = [name for name in needed if util.find_spec(name) is None]
    if missing:
        raise BadInput(f"making the models needs {' and '.join(missing)}: pip install 'orbitbench[bench]'")
    command = [sys.executable, "-m", "bench.cli", "export", "--json", "--out", str(out)]
    command += [*_own_models(options), "--", *wanted]
    done = subprocess.run(
        command, env=process_runner.environment(), stdout=subprocess.DEVNULL, pass_fds=[held], check=False
    )
    if done.returncode == 2:
        raise BadInput("nothing was run: see above")
    if done.returncode and not (out / "bundle.json").exists():  # with one, files were refused: others remain
        raise OrbitError(f"bench export ended with code {done.returncode}: see above")
    bundle = bundle_of(out)
    if options.accuracies or options.names:
        refused = [each["file"] for each in bundle.get("refused", [])]
        models = with_accuracy(bundle["models"], options.accuracies, refused)
        bundle["models"] = with_names(models, options.names, refused)
        files.write_json(str(out / "bundle.json"), bundle)
    return bundle


def _own_models(options: RunOptions) -> Iterator[str]:
    """What `bench export` is to know of models of one's own, as it is typed."""
    stated: dict[str, Sequence[object]] = {
        "--onnx": options.onnx,
        "--dim": options.dims,
        "--value": options.values,
        "--input": [options.inputs],
        "--batch": [",".join(map(str, options.batches))],
        "--test-set": [options.test_set],
        "--metric": [options.metric if options.test_set else None],
        "--pixels": [options.pixels],
    }
    for name, values in stated.items():
        for value in filter(None, values):
            yield from (name, str(value))


def bundle_of(out: Path) -> Bundle:
    """Return the contents of a bundle that the workshop has just made."""
    return read_bundle(confined.Folder(out))


def create(results: Path, planned: Plan, folder: Path) -> Run:
    """Turn the draft, which has the bundle, into a run's folder: there whole, or not at all."""
    while True:
        now = time.gmtime()
        name = f"{time.strftime('%Y%m%d-%H%M%S', now)}-{planned['experiment']['name']}"
        for device in planned["devices"]:
            (folder / device).mkdir(exist_ok=True)
            files.write_json(str(folder / device / "jobs.json"), plan.job_list(planned, name, device))
        created = time.strftime("%Y-%m-%dT%H:%M:%SZ", now)
        files.write_json(str(folder / "plan.json"), plan.for_run(planned, name, created))
        try:
            folder.rename(results / name)
        except OSError:
            if not (results / name).exists():
                raise
            time.sleep(1.0 - time.time() % 1.0)  # two runs in one second: the next second names ours
            continue
        return Run(results / name)


def announce(run: Run, console: Console, manifest: Path | None) -> None:
    """Print which run it is; Interrupted, with the command that goes on, where nobody reads it (`| head`)."""
    try:
        console.print(f"run {run.id}: {run.path}", highlight=False, soft_wrap=True)
    except KeyboardInterrupt:
        raise _interrupted(run, manifest) from None


# -- while devices work -----------------------------------------------------------------------------------


def runner_of(run: Run, folder: DeviceFolder, devices: Settings, break_lock: bool = False) -> Runner:
    """Return where the device's job list runs, by its transport in today's devices.yaml."""
    device = devices.of(folder.name)
    if device.transport == "process":
        return process_runner.ProcessRunner(folder, device.keep_tactics)
    from orchestrate.execution.container_runner import BoardRunner  # imports docker

    return BoardRunner(run, folder, devices.known, break_lock)


def execute(
    run: Run,
    devices: Settings,
    console: Console,
    policy: FollowPolicy,
    retry: str | None = None,
    break_lock: bool = False,
    replaced: Sequence[str] = (),
) -> dict[str, str]:
    """Bring every missing record here; device -> what went wrong there. Interrupted states how to go on.

    retry: also those of this quality again (`failed`, `invalid`, `all`); replaced: and those of these jobs.
    """
    stop = Stop()
    again = {name: _again(folder, retry, replaced) for name, folder in run.devices.items()}
    folders = [f for f in run.devices.values() if _is_open(f, again[f.name], devices, policy)]
    if not folders:
        return {}
    devices.confirm(run, [folder.name for folder in folders], starts=policy.start)
    _allow_descriptors(len(folders))
    try:
        with (
            run.held(),
            terminated_is_interrupted() as signals,
            progress.view(console, [f.name for f in folders]) as view,
        ):
            followers = [
                Follower(runner, folder, view, stop, policy, again[folder.name])
                for folder in folders
                for runner in [runner_of(run, folder, devices, break_lock)]
            ]
            remote = [f.folder.name for f in followers if not f.runner.is_local]
            return drive(followers, view, stop, lambda: _ask(view, remote, signals))
    except KeyboardInterrupt:
        raise _interrupted(run, devices.manifest) from None


def _interrupted(run: Run, manifest: Path | None) -> Interrupted:
    """Return the error that states how to go on."""
    left = counted(sum(map(len, run.missing().values())), "record")
    return Interrupted(f"interrupted, {left} to come; to go on: {run.resume_command(manifest)}")


def _is_open(folder: DeviceFolder, again: list[str], devices: Settings, policy: FollowPolicy) -> bool:
    """Whether there is work for a device; collecting also frees boards of ours whose records are all here."""
    return bool(folder.missing() or again or (not policy.start and folder.name in devices.known))


def _again(folder: DeviceFolder, retry: str | None, replaced: Sequence[str]) -> list[str]:
    return [*(folder.to_retry(retry) if retry else []), *(job for job in folder.wanted if job in replaced)]


def _ask(view: progress.View, boards: list[str], signals: Signals) -> bool:
    """After Ctrl-C: whether the boards are to be stopped. Where nobody can answer, they are left at work."""
    if not boards:
        return False
    signals.hear_again()
    if not (sys.stdin.isatty() and view.console.is_terminal):
        return False
    view.pause()
    try:
        answer = input(f"\nStop the work on {', '.join(boards)} too? Otherwise it goes on without us. [y/N] ")
    except (KeyboardInterrupt, EOFError):
        return False
    return answer.strip().lower() in ("y", "yes")


def _allow_descriptors(devices: int) -> None:
    """Raise this process's own limit on open files for many boards, as far as the system lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 128 + DESCRIPTORS * devices
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))

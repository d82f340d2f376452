"""The outcome of a run: a table and a page for people, JSON for scripts, an exit code for both."""

import json
import math
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.record import loads
from bench.record.types import Json, Record
from orchestrate.console import first_line
from orchestrate.execution import loaded
from orchestrate.quantities import number
from orchestrate.runs import plan
from orchestrate.runs.folder import Run, record_quality

SELF_TEST = "self_test_failed"
LASTING = {"fake_backend", "emulated_cpu"}  # reasons that the next attempt would meet again
WIDE = 110  # columns from which a table has room for notes
SHOWN = 10  # errors of a device in lines; `--json` has all


def conclude(
    run: Run,
    problems: dict[str, str],
    resume: str,
    console: Console,
    as_json: bool,
    report: bool = True,
    require_valid: bool = False,
) -> int:
    """Print the outcome and write the report; 1 when a job failed or is missing, or a model was refused.

    `problems`: what went wrong on a device; `resume` is the command that finishes the run. With
    `require_valid` a record that does not count is a failure too.
    """
    records = {name: list(folder.stored()) for name, folder in run.devices.items()}
    devices = {
        name: counts(run.devices[name].wanted, found, problems.get(name)) for name, found in records.items()
    }
    page = (
        _write_report(run, console) if report and any(device["ok"] for device in devices.values()) else None
    )
    fatal = ("errors", "missing", "problem") + (("invalid", "skipped") if require_valid else ())
    refused = [plan.refusal(each) for each in run.plan.get("refused", [])]
    bad = bool(refused) or any(device[key] for device in devices.values() for key in fatal)
    measured = [record for found in records.values() for record in found if record["status"] == "ok"]
    if as_json:
        whole = {"run": run.id, "path": str(run.path), "devices": devices, "report": page and str(page)}
        print(
            json.dumps(
                {**whole, "refused": refused, "jobs": [figures(record) for record in measured]}, indent=1
            )
        )
    _show(measured, console)
    for line in refused + _lines(devices) + advice(devices, resume):
        say(console, line)
    if page:
        say(console, f"report: {page}")
    return 1 if bad else 0


def _show(measured: list[Record], console: Console) -> None:
    narrow = console.width < WIDE
    for made in tables(measured, notes=not narrow):
        console.print(made)
    for line in notes(measured) if narrow else []:
        say(console, line)


def advice(devices: dict[str, Json], resume: str) -> list[str]:
    """Return what to type next, for each thing that is not as it should be."""
    steps = (
        ("missing", "to go on", ""),
        ("errors", "to try what failed again", " --retry failed"),
        ("invalid", "to measure again what does not count", " --retry invalid"),
    )
    again = [{**device, "invalid": device["invalid"].keys() - LASTING} for device in devices.values()]
    wrong = [step for step in steps if any(device[step[0]] for device in again)]
    return [f"{words}: {resume}{option}" for _, words, option in wrong]


def counts(wanted: tuple[str, ...], records: list[Record], problem: str | None) -> Json:
    """Return one device as `--json` prints it: how many jobs ended how, and the errors of those that failed.

    Jobs skipped because the device failed its self-test are errors too; what a device cannot do is none.
    """
    count = Counter(record["status"] for record in records)
    errors = [
        {"job": record["job"]["id"], **error}
        for record in records
        if (error := record["error"]) and (record["status"] == "failed" or error["kind"] == SELF_TEST)
    ]
    invalid = Counter(r["validity"]["reasons"][0]["code"] for r in records if record_quality(r) == "invalid")
    ended = {status: count[status] for status in ("ok", "failed", "skipped")}
    missing = len(wanted) - len(records)
    valid = sum(record_quality(record) == "good" for record in records)
    ended = {"jobs": len(wanted), "valid": valid, **ended}
    return {**ended, "missing": missing, "invalid": dict(invalid), "problem": problem, "errors": errors}


def _write_report(run: Run, console: Console) -> Path | None:
    """Write the run's page; its path. A page that fails must not pass for a run that failed."""
    from orchestrate import report
    from orchestrate.execution.predictions import landscapes
    from orchestrate.report import files

    try:
        return report.render([run.path], files.own_folder(run.path), ask=landscapes)
    except Exception as error:
        say(console, f"no report ({type(error).__name__}: {error}); the records are whole, in {run.path}")
        return None


def tables(records: list[Record], notes: bool = True) -> list[Table]:
    """Return a table for each load shape that was measured; `notes`: a column of remarks on each job."""
    by_shape = {shape: [r for r in records if loads.of(r["job"]) == shape] for shape in loads.KINDS}
    made = [
        loaded.table(shape, by_shape[shape], _remark if notes else None)
        for shape in loaded.COLUMNS
        if by_shape[shape]
    ]
    single = by_shape[loads.SINGLE]
    return [*([table(single, notes)] if single else []), *made]


def notes(records: list[Record]) -> list[str]:
    """Return the remarks on each job, one line each, where a table has no room for it."""
    return [f"{record['job']['id']}: {text}" for record in records if (text := _remark(record))]


def table(records: list[Record], notes: bool = True) -> Table:
    """Return one row a record, in units for people. The page and its tables hold more.

    Device and way of running are the title where all rows share them, so that 80 columns have room.
    """
    rows = [_row(record) for record in records]
    shared = len({each[:1] + each[2:3] for each in rows}) == 1
    title = f"{rows[0][0]}, {rows[0][2]}" if shared else None
    made = Table(title=title and Text(title), title_justify="left", box=None, pad_edge=False)
    for name in ("model",) if shared else ("device", "model", "how"):
        made.add_column(name, overflow="fold")
    for name in ("latency ms", "± %", "load ms", "first ms", "model MB", "process MB"):
        made.add_column(name, justify="right", no_wrap=True)
    if notes:
        made.add_column("note", overflow="fold")
    for where, model, how, *figures in rows:
        names = [model] if shared else [where, model, how]
        made.add_row(*names, *(figures if notes else figures[:-1]))
    return made


def _computed(record: Record) -> Json | None:
    """Return the record's row of the report's table; None where its samples give no figure."""
    from orchestrate.analysis import job, table

    try:
        return table.row(job.build(record))
    except ValueError:
        return None


def _row(record: Record) -> tuple[str, ...]:
    """Return the cells of a record that was measured; one that does not count names its reason."""
    from orchestrate.analysis import memory

    job, found = record["job"], _computed(record)
    where = record["device"], job["model"]["id"], loaded.how(job)
    if found is None:
        return *where, "", "", "", "", "", "", _remark(record)
    spread = 50 * (found["latency_high"] - found["latency_low"]) / found["latency"]
    width = f"{spread:.1f}" if math.isfinite(spread) else ""
    shown = {"latency": 1e3, "load": 1e3, "first": 1e3, memory.MODEL: 1e-6, memory.PROCESS: 1e-6}
    latency, *others = (
        number(found[key] * scale) if math.isfinite(found[key]) else "" for key, scale in shown.items()
    )
    return *where, latency, width, *others, _remark(record)


def _remark(record: Record) -> str:
    """Return `does not count: other_load`, then the warnings."""
    validity = record["validity"]
    notes = [note["code"] for note in validity["warnings"]] + _seen_here(record)
    if record_quality(record) != "good":
        codes = dict.fromkeys(reason["code"] for reason in validity["reasons"])
        notes.insert(0, f"does not count: {', '.join(codes) or 'not valid'}")
    return ", ".join(dict.fromkeys(notes))


def _seen_here(record: Record) -> list[str]:
    """What the host's figures are warned of, beside what the device wrote."""
    from orchestrate.analysis import job, job_memory, under_load

    try:
        if loads.of(record["job"]) != loads.SINGLE:
            return [text for text in [under_load.build(record).figures["saturated"]] if text]
        return [code for code in job.build(record).warnings if code in job_memory.WARNED]
    except ValueError:
        return []  # its samples give no figure


def figures(record: Record) -> Json:
    """Return a measured record as `--json` prints it: base units, null where unknown."""
    from orchestrate.analysis.table import headlines

    job = record["job"]
    if loads.of(job) != loads.SINGLE:
        known = loaded.figures(record)
    else:
        known = headlines(found) if (found := _computed(record)) else None
    reasons = [reason["code"] for reason in record["validity"]["reasons"]]
    return {
        "device": record["device"],
        "job": job["id"],
        "model": job["model"]["id"],
        "valid": record_quality(record) == "good",
        "reasons": list(dict.fromkeys(reasons)),
        "load": loads.of(job),
        "figures": known,
    }


def _lines(devices: dict[str, Json]) -> list[str]:
    """Return counts by device, then the errors, each with what to do about it."""
    found = []
    for name, device in devices.items():
        numbers = [f"{device[key]} {key}" for key in ("ok", "failed", "skipped", "missing") if device[key]]
        found.append(f"{name}: {', '.join(numbers)}; {device['valid']} of {device['jobs']} valid")
        if device["invalid"]:
            reasons = ", ".join(f"{number} for {code}" for code, number in device["invalid"].items())
            found.append(f"  of these, do not count: {reasons}")
        found += [f"  {e['job']}: {e['message']}; {e['advice']}" for e in device["errors"][:SHOWN]]
        if len(device["errors"]) > SHOWN:
            found.append(f"  and {len(device['errors']) - SHOWN} more")
        if device["problem"]:
            found.append(f"  {device['problem']}")
    return found


def say(console: Console, line: str) -> None:
    """One line as it is: no colours, no wrapping, nothing that a record could do to the terminal."""
    console.print(first_line(line, 1000), markup=False, highlight=False, soft_wrap=True)

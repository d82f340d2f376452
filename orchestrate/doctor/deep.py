"""What the known network's records show of a board: the verdicts of `devices check --deep`."""

from collections.abc import Iterator, Sequence
from statistics import median

from bench.record import samples
from bench.record.measured import ProcessLatency
from bench.record.types import Environment, Error, OutputCheck, Record
from orchestrate.devices import Device
from orchestrate.doctor.checks import Check
from orchestrate.quantities import number, size

# The steps of a measuring process, each with the rung of the memory ladder that shows that it was reached.
STEPS = (
    ("start", "runtime"),
    ("backend_imported", "library"),
    ("device_initialised", "context"),
    ("model_loaded", "network"),
    ("first_run", "inference"),
    ("steady_trimmed", "timing"),
)
STEP_OF_ERROR = {
    "library_missing": "library",
    "device_missing": "context",
    "build_failed": "network",
    "model_missing": "network",
    "model_changed": "network",
    "model_unreadable": "network",
    "unsupported_operator": "network",
    "unsupported_precision": "network",
    "wrong_output": "output",
    "self_test_failed": "self-test",
}
SENSORS = {  # key of a reading -> what it is, for people
    "temperature": "temperature",
    "cpu_hz": "CPU clock",
    "gpu_hz": "GPU clock",
    "power": "power",
    "throttled": "throttling (firmware)",
    "undervoltage": "undervoltage",
    "over_current": "over-current events",
    "cooling": "cooling devices",
}
UNREMARKABLE = ("max_time",)  # three seconds are not meant to reach the interval of a run


def judge(device: Device, records: Sequence[Record], problem: str | None = None) -> list[Check]:
    """Return the verdicts on a device, of each precision too. problem: what kept records from coming."""
    found = [*_machine(device, records[0])] if records else []
    found += [check for record in records for check in _precision(record)]
    return [*found, *([Check("run", "fail", problem)] if problem else [])]


def _machine(device: Device, record: Record) -> Iterator[Check]:
    """Yield what does not depend on the precision."""
    environment, board = record["environment"], record["environment"].get("board") or {}
    if environment.get("python"):
        image = f", image {board['image_digest'][:19]}" if board.get("image_digest") else ""
        text = f"Python {environment['python']} on {environment['machine']}, kernel {environment['kernel']}"
        yield Check("runtime", "ok", f"starts: {text}{image}")
    test = environment.get("self_test")
    if test and test["ok"]:
        errors = f"memory {test['memory_error']:+.2%}, time {test['time_error']:+.2%}"
        yield Check("self-test", "ok", f"instruments are right: {errors}")
    if versions := environment.get("versions"):
        text = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
        yield Check("library", "ok", text)
    yield from _power(device, environment, board)
    yield from _sensors(record)


def _power(device: Device, environment: Environment, board: Environment) -> Iterator[Check]:
    """Yield the power settings under which it was measured, as the board reported them afterwards."""
    parts = []
    if board.get("power_mode"):
        parts.append(f"{board['power_mode']} ({board.get('power_mode_id')})")
    if governors := board.get("governors") or environment.get("governors"):
        parts.append(f"governor {', '.join(governors)}")
    if board.get("clocks_pinned") is not None:
        parts.append("clocks pinned" if board["clocks_pinned"] else "clocks may move")
    if parts or device.power:
        yield Check("power, measured", "ok", "; ".join(parts) or "not reported")


def _sensors(record: Record) -> Iterator[Check]:
    """Yield which sensors could be read where the network was measured."""
    readings = record["sensors"]
    if not readings:
        return
    there = {key for key in SENSORS if any(reading.get(key) is not None for reading in readings)}
    lists = [[text for key, text in SENSORS.items() if (key in there) is wanted] for wanted in (True, False)]
    text = f"readable: {', '.join(lists[0]) or 'none'}; not: {', '.join(lists[1]) or 'none'}"
    rails = sorted({name for reading in readings for name in reading.get("rails") or {}})
    yield Check("sensors", "ok" if there else "warn", text + (f"; rails {', '.join(rails)}" if rails else ""))


def _precision(record: Record) -> Iterator[Check]:
    """Yield how far the network came in one precision, and what it measured."""
    name = record["job"]["precision"]
    if error := record["error"]:
        yield Check(
            f"{_failed_step(record, error)} ({name})", "fail", error["message"], error.get("advice", "")
        )
        return
    entry = record["latency"]["processes"][0]
    yield Check(f"network ({name})", "ok", _loaded(record, entry))
    yield Check(f"output ({name})", "ok", _difference(record["output_check"]))
    seconds = samples.seconds(entry["samples"])
    text = f"median {number(median(seconds) * 1e3)} ms of {len(seconds):,} inferences"
    yield Check(f"timing ({name})", "ok", f"{text}, the first {number(entry['first_seconds'] * 1e3)} ms")
    yield _memory(record)
    notes = [*record["validity"]["reasons"], *record["validity"]["warnings"]]
    for note in notes:
        if note["code"] not in UNREMARKABLE:
            yield Check(f"{note['code'].replace('_', ' ')} ({name})", "warn", note["message"])


def _failed_step(record: Record, error: Error) -> str:
    """Return the step at which a record's process ended."""
    reached = {rung["rung"] for rung in record["memory"]["rungs"]}
    missing = (step for rung, step in STEPS if rung not in reached)
    return STEP_OF_ERROR.get(error["kind"]) or next(missing, "output")


def _loaded(record: Record, entry: ProcessLatency) -> str:
    """Return how the network was built and loaded, in words."""
    build = record["environment"].get("build") or {}
    parts = [f"loaded in {number(entry['load_seconds'])} s"]
    if build.get("seconds") is not None:
        parts.insert(0, f"engine built in {number(build['seconds'])} s")
    return ", ".join(parts + [f"{warning}" for warning in build.get("warnings") or []])


def _difference(check: OutputCheck | None) -> str:
    """Return how far the output was from the known one, in words."""
    if not check or check["max_abs_error"] is None:
        return "not compared: this backend computes nothing"
    allowed = check["tolerance"]
    bound = f"allowed {number(allowed, 2)}" if allowed is not None else "no bound in this precision"
    return f"off by {number(check['max_abs_error'], 2)} at most, {bound}"


def _memory(record: Record) -> Check:
    """Return what the process took, on a GPU as far as that can be read."""
    name = f"memory ({record['job']['precision']})"
    rung = next(each for each in record["memory"]["rungs"] if each["rung"] == "steady_trimmed")
    text = f"{size(rung['rss'])} resident" if rung["rss"] else "resident size unknown"
    if record["job"]["backend"] != "tensorrt":
        return Check(name, "ok", text)
    backend = rung.get("backend") or {}
    seen = [
        f"{label} {size(value)}"
        for label, value in (
            ("nvmap", rung.get("nvmap")),
            ("GPU free", rung.get("gpu_free") or backend.get("gpu_free")),
        )
        if value is not None
    ]
    if not seen:
        return Check(name, "warn", f"{text}; GPU memory cannot be read")
    return Check(name, "ok", f"{text}; {', '.join(seen)}")

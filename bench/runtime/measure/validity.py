"""Do these timings count? Pure rules from facts, sensors and samples to reasons (excluded) and warnings
(shown)."""

from typing import List, NamedTuple, Optional

from bench.record.measure import MAX_DRIFT, MIN_SAMPLES
from bench.record.measured import ProcessLatency
from bench.record.quantities import counted
from bench.record.readings import Reading, SpanFacts
from bench.record.types import Environment, Measure, Note, Part

MAX_STEAL = 0.02  # share of the span that a hypervisor took from the machine
WALL_STEP = 0.1  # s between the wall clock and the monotonic one: somebody set the time
CLOCK_RATE = 0.001  # s/s that the monotonic clock may differ from the raw one; NTP slews by 0.0005 at most
SUSPENDED = 0.01  # s by which the boot-time clock may run ahead: more means that the machine slept
CLOCK_MOVED = 0.9  # lowest over highest clock seen; a turbo that moves by less is drift, and shown as such
PI_NOW = 0xF  # get_throttled, bits 0-3: undervoltage, clock capped, throttled, soft temperature limit, now
PI_SINCE_BOOT = 0xF0000
EVIDENCE = ("throttled", "undervoltage", "over_current", "cooling")  # of a board that slows itself down

# What passes: worth measuring again. The rest would be the same the next time.
PASSING = ("other_load", "throttled", "clock_changed", "clock_stepped")


class Judged(ProcessLatency):
    """An entry of a record's `latency`, and the plan by which it was measured."""

    plan: Measure


Verdict = NamedTuple("Verdict", [("reasons", List[Note]), ("warnings", List[Note])])


def note(code: str, message: str) -> Note:
    """Return a reason or a warning."""
    return {"code": code, "message": message}


def disturbances(part: Part) -> List[str]:
    """Return the codes of what disturbed a part, when that is all that is wrong with it; else empty."""
    codes = [reason["code"] for reason in part["validity"]["reasons"]]
    return codes if part["error"] is None and set(codes) <= set(PASSING) else []


def judge(
    entry: Judged,
    facts: SpanFacts,
    sensors: List[Reading],
    environment: Environment,
    around: Optional[List[Reading]] = None,
) -> Verdict:
    """Return the verdict on one process. entry: its `latency`, with `plan` and `drift`; facts: of
    process.difference; sensors: readings during the samples; around: those and their neighbours."""
    verdict = Verdict([], [])
    _machine(verdict, environment)
    _samples(verdict, entry)
    _rivals(verdict, entry, facts)
    _clocks(verdict, facts)
    around = sensors if around is None else around
    _throttling(verdict, around)
    _cooling(verdict, around)
    host = environment.get("board", {}).get("throttled")
    if not any(reading.get("throttled") for reading in around) and host and host & PI_SINCE_BOOT:
        message = "the board was throttled before the run (vcgencmd on its host: {:#x})"
        verdict.warnings.append(note("throttled_before", message.format(host)))
    if not any(reading.get(key) is not None for reading in around for key in EVIDENCE):
        message = "this machine shows no sign by which throttling could be noticed"
        verdict.warnings.append(note("throttling_unknown", message))
    _moved(verdict, sensors, around)
    return _of_idle(verdict) if entry.get("response") else verdict


def _of_idle(verdict: Verdict) -> Verdict:
    """Between the requests of a paced job clocks fall by design: that is what it measures."""
    moved = [each for each in verdict.reasons if each["code"] == "clock_changed"]
    return Verdict([each for each in verdict.reasons if each not in moved], verdict.warnings + moved)


def _machine(verdict: Verdict, environment: Environment) -> None:
    if environment.get("emulated"):
        message = "the CPU is emulated by {}: its timings are those of the emulator"
        verdict.reasons.append(note("emulated_cpu", message.format(environment["emulated"])))
    if environment.get("fake"):
        verdict.reasons.append(note("fake_backend", "the backend computes nothing"))
    if environment.get("resumed"):
        verdict.warnings.append(
            note("resumed", "measured after an interruption: jobs ran in more than one session")
        )
    slow = [g for g in environment.get("governors", []) if g not in ("performance", "")]
    if slow:
        verdict.warnings.append(
            note("governor", "the CPU governor is {}: clocks may move".format(", ".join(slow)))
        )


def _samples(verdict: Verdict, entry: Judged) -> None:
    n, plan = entry["samples"]["n"], entry["plan"]
    if n < MIN_SAMPLES:
        message = "{}; {} are needed: raise timeout_seconds or max_seconds of the measure".format(
            counted(n, "sample"), MIN_SAMPLES
        )
        verdict.reasons.append(note("too_few_samples", message))
    if entry["stopped_by"] == "time_left":
        message = "a slow model: warm-up and samples ({}) were cut to end within timeout_seconds ({:g})"
        verdict.warnings.append(note("time_left", message.format(n, plan["timeout_seconds"])))
    if entry["stopped_by"] == "max_time":
        message = "stopped at {:g} s with {}, before the target interval was met"
        verdict.warnings.append(note("max_time", message.format(plan["max_seconds"], counted(n, "sample"))))
    drift = entry.get("drift")
    if drift is not None and abs(drift) > MAX_DRIFT:
        message = "the median moved by {:+.1%} from the first third to the last".format(drift)
        verdict.warnings.append(note("drift", message))


def _rivals(verdict: Verdict, entry: Judged, facts: SpanFacts) -> None:
    span, others = facts["span"], facts.get("others")
    waiting, steal = facts.get("waiting"), facts.get("steal")
    allowed = entry["plan"]["max_waiting"]
    if facts.get("oversubscribed"):
        if others is not None and others > allowed * span:
            message = "other processes used {:.2f} CPUs meanwhile; stop what else runs on the device"
            verdict.reasons.append(note("other_load", message.format(others / span)))
    elif waiting is not None and waiting > allowed * span:
        message = (
            "a thread waited for a CPU during {:.0%} of the measurement; stop what else runs on the device"
        )
        verdict.reasons.append(note("other_load", message.format(waiting / span)))
    elif steal is not None and steal > MAX_STEAL * span:
        message = "the hypervisor took {:.0%} of a CPU away".format(steal / span)
        verdict.reasons.append(note("other_load", message))
    elif others is not None and others > 0.25 * span:
        message = "other processes used {:.2f} CPUs meanwhile".format(others / span)
        verdict.warnings.append(note("busy", message))


def _clocks(verdict: Verdict, facts: SpanFacts) -> None:
    span = facts["span"]
    if abs(facts.get("raw_gap", 0.0)) > CLOCK_RATE * span + 1e-4:
        message = "the monotonic clock ran {:+.2%} off the hardware's".format(-facts["raw_gap"] / span)
        verdict.reasons.append(note("clock_stepped", message))
    elif facts.get("boot_gap", 0.0) > SUSPENDED:
        verdict.reasons.append(
            note("clock_stepped", "the machine slept for {:.2f} s".format(facts["boot_gap"]))
        )
    if abs(facts.get("wall_gap", 0.0)) > WALL_STEP:
        message = "the wall clock was set by {:+.1f} s; durations do not depend on it".format(
            facts["wall_gap"]
        )
        verdict.warnings.append(note("clock_stepped", message))


def _throttling(verdict: Verdict, sensors: List[Reading]) -> None:
    bits = [bits for bits in (each.get("throttled") for each in sensors) if bits is not None]
    if any(b & PI_NOW for b in bits):
        message = "the firmware throttled (get_throttled {:#x}): check power supply and cooling"
        verdict.reasons.append(note("throttled", message.format(max(bits))))
    elif bits and bits[-1] & PI_SINCE_BOOT & ~bits[0]:
        verdict.reasons.append(note("throttled", "the firmware throttled between two readings"))
    elif bits and bits[0] & PI_SINCE_BOOT:
        message = "the firmware has throttled since the board started (get_throttled {:#x})"
        verdict.warnings.append(note("throttled_before", message.format(bits[0])))


def _cooling(verdict: Verdict, around: List[Reading]) -> None:
    """What other boards than a Raspberry Pi with its own kernel show."""
    if any(reading.get("undervoltage") for reading in around):
        verdict.reasons.append(note("throttled", "undervoltage: use a stronger power supply"))
    counts = [count for count in (each.get("over_current") for each in around) if count is not None]
    if counts and counts[-1] > counts[0]:
        message = "{} over-current events: choose a lower power mode or a stronger power supply"
        verdict.reasons.append(note("throttled", message.format(counts[-1] - counts[0])))
    steps = {name for r in around for name, state in (r.get("cooling") or {}).items() if state > 0}
    if steps:
        message = "the kernel slowed the board down to cool it ({})".format(", ".join(sorted(steps)))
        verdict.reasons.append(note("throttled", message))


def _moved(verdict: Verdict, sensors: List[Reading], around: List[Reading]) -> None:
    """Clocks that did not stay: each policy whose clock is fixed, else the highest of all CPUs, as idle ones
    slow down by design."""
    fixed = [reading.get("clocks") or {} for reading in around]
    policies = sorted({name for clocks in fixed for name in clocks})
    series = [
        ("CPU ({})".format(name), [clocks[name] for clocks in fixed if name in clocks]) for name in policies
    ]
    series += [] if policies else [("CPU", [hz for hz in (s.get("cpu_hz") for s in sensors) if hz])]
    series += [("GPU", [hz for hz in (s.get("gpu_hz") for s in sensors) if hz])]
    for name, clocks in series:
        if clocks and min(clocks) < CLOCK_MOVED * max(clocks):
            message = "the {} clock moved between {:.0f} and {:.0f} MHz: pin it (governor, jetson_clocks)"
            verdict.reasons.append(
                note("clock_changed", message.format(name, min(clocks) / 1e6, max(clocks) / 1e6))
            )

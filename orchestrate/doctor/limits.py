"""What a board must meet before a run begins: the limits of its entry in devices.yaml, no throttling.

One rule and one wording, for `orchestrate devices check` and for the run that refuses to begin.
"""

from collections.abc import Iterator

from orchestrate.devices import Device
from orchestrate.doctor.checks import Check
from orchestrate.doctor.probe import Facts
from orchestrate.quantities import size

THROTTLE_BITS = {0: "undervoltage", 1: "clock capped", 2: "throttled", 3: "soft temperature limit"}
PROGRAMS_32_BIT = "the programs on the board are 32-bit"
INSTALL_64_BIT = "install the 64-bit system"


def unmet(facts: Facts, device: Device) -> list[str]:
    """Return why a run must not begin, a line each; what is unknown is not held against the board."""
    found = [*programs(facts), *checks(facts, device)]
    return [f"{each.name}: {each.message}; {each.advice}" for each in found if each.level == "fail"]


def checks(facts: Facts, device: Device) -> Iterator[Check]:
    """Judge every limit that the facts allow to judge."""
    yield from _room(facts, device)
    if not device.emulated:
        yield from _throttling(facts)
    yield from _temperature(facts, device)


def programs(facts: Facts) -> Iterator[Check]:
    """Judge whether programs and kernel are of one width, from the kernel's name alone."""
    if facts.bits == 32 and facts.kernel.endswith(("aarch64", "x86_64")):
        yield Check("architecture", "fail", f"its kernel is 64-bit, {PROGRAMS_32_BIT}", INSTALL_64_BIT)


def throttling(bits: int) -> tuple[list[str], list[str]]:
    """Return what a Raspberry Pi's firmware does now, and what it did since the bits were last cleared."""
    now = [text for bit, text in THROTTLE_BITS.items() if bits >> bit & 1]
    return now, [text for bit, text in THROTTLE_BITS.items() if bits >> (16 + bit) & 1]


def _room(facts: Facts, device: Device) -> Iterator[Check]:
    """Judge the room for the image, the results, and a model."""
    least = device.limits
    for name, free, wanted, advice in (
        ("disk", facts.disk_free, least.min_free_disk, "`docker system prune` there frees some"),
        ("memory", facts.memory_available, least.min_free_memory, "stop what uses it (a desktop?)"),
    ):
        if free is not None:
            text = f"{size(free)} free, {size(wanted)} wanted"
            yield _judged(name, text, free >= wanted, f"{advice}, or lower min_free_{name} of its limits")


def _temperature(facts: Facts, device: Device) -> Iterator[Check]:
    degrees, limit = facts.temperature, device.limits.max_temperature
    if degrees is not None:
        advice = "let it cool, cool it better, or raise max_temperature of its limits"
        yield _judged("temperature", f"{degrees:.0f} °C, limit {limit:.0f} °C", degrees <= limit, advice)


def _throttling(facts: Facts) -> Iterator[Check]:
    """Judge a Raspberry Pi's firmware: does it slow the board down, or has it since it started?"""
    if facts.throttled is None:
        return
    now, once = throttling(facts.throttled)
    weak = "undervoltage" in now + once
    advice = "use a stronger power supply and a short cable" if weak else "cool it: fan, heat sink"
    if now:
        yield Check("throttling", "fail", f"now: {', '.join(now)}", advice)
    elif once:
        since = f"since it started: {', '.join(once)}"
        yield Check("throttling", "warn", since, f"{advice}; a reboot clears this")
    else:
        yield Check("throttling", "ok", "none now; the kernel may have cleared what was before")


def _judged(name: str, text: str, met: bool, advice: str) -> Check:
    return Check(name, "ok", text) if met else Check(name, "fail", text, advice)

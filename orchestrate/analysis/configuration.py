"""How a figure's configuration is named: device, backend, precision, threads, batch, setup."""

from collections.abc import Mapping
from typing import TypedDict


class Configuration(TypedDict):
    """How models ran: figures of two configurations are never mixed. setup: '' unless there are several."""

    device: str
    processor: str
    backend: str
    precision: str
    threads: int
    batch: int
    setup: str


def configuration(of: Mapping[str, object]) -> str:
    """Return `tx2, tensorrt fp16, 1 thread`."""
    return f"{of['device']}, {running(of)}"


def running(of: Mapping[str, object]) -> str:
    """Return `tensorrt fp16, 1 thread`."""
    threads = (
        "threads: library's choice"
        if of["threads"] == 0
        else f"{of['threads']} thread{'s' * (of['threads'] != 1)}"
    )
    batch = f", batch {of['batch']}" if of["batch"] != 1 else ""
    setup = f", {of['setup']}" if of.get("setup") else ""
    return f"{of['backend']} {of['precision']}, {threads}{batch}{setup}"

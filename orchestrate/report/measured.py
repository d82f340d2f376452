"""'How this was measured', from the records themselves."""

from collections import Counter
from html import escape

from orchestrate.analysis.records import RULE
from orchestrate.console import printable
from orchestrate.quantities import counted
from orchestrate.report import data
from orchestrate.report.data import Report

MEANING = {
    "Latency": """One inference at a time, input in host memory to output in host memory, on a
        monotonic clock. No sample is deleted. The figure of a job is the geometric mean of the medians of
        its fresh processes; its interval is Student's over those processes; where
        processes share an engine, the mean of each engine counts once. p90 and p99 are MLPerf's
        early-stopping estimates.""",
    "Load and first inference": """Load: from the model's file to a session or engine that can run. First
        inference: the first one after that. Time to steady: from the start of the load to the first eleven
        inferences in a row whose median is within 5% of the latency. Geometric mean over fresh processes;
        the file is in the page cache. Cold: a further process of the job, the model's file dropped from
        the page cache before (the libraries stay cached); not given where the system does not show that it
        is gone.""",
    "Runtime memory": """Read in each fresh process at seven rungs. Own: RSS without what was shared at the
        start (interpreter, C library), which is the USS of a process that has its libraries for itself.
        Process: own memory after malloc_trim. Model: the same minus what stood when the device was ready.
        Peak: the highest VmHWM. On a Jetson each with the GPU memory of the process (nvmap), and unknown
        where a GPU's part is. Geometric mean over processes. 1 MB is 10⁶ bytes.""",
    "Ratios": """Two methods at the same architecture, dataset, ratio, device, backend, precision, threads,
        batch and setup (CPU, library version, backend options, power mode, clocks) make a pair; a pair of
        networks counts once. Means are geometric, each architecture counting
        alike; their intervals are Student's over the means of the architectures, on logarithms: networks of
        one architecture resemble each other. Fits that are stand-ins, and pairs in which both methods give
        the same network, enter no mean and no verdict.""",
    "Size": """Ratio: target size divided by the original's, of the parameters (params), of every width
        (width) or of the multiply-accumulates (macs). Widths: output channels of each searchable layer.""",
    "Fits": """The power laws of NeuralScale's widths. Published: by its authors; searched: on this data set
        with this program; stand-in: something small in place of a missing one, which decides nothing.""",
    "Rounding": """Aligned widths are multiples of 8, or of what the column Align states. Rounding alone moves
        latency, so NeuralScale is compared with uniform scaling as it comes and in multiples of 8, and
        aligned with equally aligned.""",
    "Accuracy": """Taken from its source, never filled in: measured on this device, trained here, or
        published. No pair mixes sources, unlike trainings, or an accuracy of the best
        epoch with one of the last.""",
    "Assumptions": """What the thesis' abstract leaves open, and what is assumed here: docs/assumptions.md of
        the repository. In short: which data sets and resolution, precision as each table states it,
        uniform's rounding (both shown), memory as defined above, means over architectures, and whose
        accuracy at which epoch (in the tables).""",
    "Several runs": f"{RULE.capitalize()}; disagreements are listed below.",
}

OF_METHODS = (
    "Ratios",
    "Size",
    "Fits",
    "Rounding",
    "Assumptions",
)  # no use on a page of own models


def anchor(name: str) -> str:
    """Return the id of a meaning, which tables and captions link to."""
    return f"m-{name.lower().replace(' ', '-')}"


def section(report: Report) -> str:
    """Return the section: meanings, merging, and per device every fact of its environment."""
    meaning = "".join(
        f'<dt id="{anchor(name)}">{name}</dt><dd>{escape(" ".join(words.split()))}</dd>'
        for name, words in MEANING.items()
        if name not in OF_METHODS or not data.own_only(report.study)
    )
    devices = "".join(_device(report, device, facts) for device, facts in data.environment(report).items())
    return f"<dl>{meaning}</dl>{_conflicts(report)}{devices}"


def _conflicts(report: Report) -> str:
    texts = (*report.study.conflicts, *report.apart)
    if not texts:
        return ""
    items = "".join(f"<li>{escape(printable(text))}</li>" for text in texts)
    return f"<h3>What disagrees</h3><ul>{items}</ul>"


def _device(report: Report, device: str, facts: dict[str, list[str]]) -> str:
    jobs = [job for job in report.study.jobs if job.device == device]
    warned = Counter(code for job in jobs for code in job.warnings)
    of = counted(len(jobs), "record")
    warnings = ", ".join(f"{code} ({count} of {of})" for code, count in sorted(warned.items())) or "none"
    processes = sum(len(job.processes) for job in jobs)
    first, last = min(job.started for job in jobs), max(p.started for job in jobs for p in job.processes)
    described = {
        "Records": f"{len(jobs)} of {counted(processes, 'fresh process')}, "
        f"{sum(job.n for job in jobs):,} samples",
        "Measured": f"{first} to {last}", "Warnings": warnings,
        **{key: _values(values) for key, values in facts.items()},
    }  # fmt: skip
    rows = "".join(
        f'<tr><th scope="row">{escape(printable(key))}</th><td>{escape(printable(value))}</td></tr>'
        for key, value in described.items()
    )
    return (
        f"<details><summary>{escape(device)}: board, image and libraries</summary>"
        f'<div class="scroll" tabindex="0" role="region" aria-label="Environment of {escape(device)}">'
        f"<table><caption>Environment of {escape(device)}</caption><tbody>{rows}</tbody></table>"
        "</div></details>"
    )


def _values(values: list[str]) -> str:
    shown = "; ".join(value[:200] for value in values[:3])
    return shown if len(values) <= 3 else f"{shown}; and {len(values) - 3} other values"

"""The figures of one record, from its raw samples and rungs alone. The runtime and the report share this
code."""

from typing import Any, Dict, List, Optional

from bench.record import samples, statistics

KINDS = ("own", "uss", "pss", "rss")
STEADY = {"trimmed": "steady_trimmed", "untrimmed": "steady"}
BASE = "device_initialised"  # what is there before a model is


def figures(record: Dict[str, Any]) -> Dict[str, Any]:
    """`latency` (seconds; None without samples) and `memory` (bytes; None without rungs) of a record."""
    return {"latency": latency(record["latency"]["processes"]), "memory": memory(record["memory"]["rungs"])}


def latency(processes: List[Dict[str, Any]]) -> Optional[Dict[str, Any]]:
    """n, min, mean, p50 with its 95 % interval, p90 and p99 where there are samples enough; all seconds but
    n.

    p50 is the median of a process, averaged over the processes. p90 and p99 are MLPerf's early-stopping
    estimates.
    """
    series = [samples.seconds(p["samples"]) for p in processes]
    series = [s for s in series if s]
    if not series:
        return None
    ordered = sorted(x for s in series for x in s)
    interval = statistics.median_interval(series)
    return {
        "n": len(ordered),
        "processes": len(series),
        "min": ordered[0],
        "mean": sum(ordered) / len(ordered),
        "p50": interval.estimate,
        "p90": statistics.early_stopping(ordered, 0.90),
        "p99": statistics.early_stopping(ordered, 0.99),
        "ci": [interval.low, interval.high],
        "process_medians": statistics.medians(series),
    }


def memory(rungs: List[Dict[str, Any]]) -> Optional[Dict[str, Any]]:
    """`process`, `model`, `peak` (bytes, median over processes) and the same under every other definition.

    `definitions` maps `own_trimmed`, ..., `rss_untrimmed` to `process` (the whole), `model` (above the
    initialised device) and `processes` ([process, model] of each). The headline is the first that could be
    read: `own_trimmed`.

    own: RSS without what was shared at the start (interpreter, C library). It is the USS of a process that
    has its libraries for itself. The kernel's USS drops by megabytes when an unrelated process maps the same
    library.
    """
    if not rungs:
        return None
    ladders = by_process(rungs)
    definitions = {}
    for when in STEADY:
        for kind in KINDS:
            found = [_definition(ladder, kind, STEADY[when]) for ladder in ladders]
            pairs = [pair for pair in found if pair is not None]
            if pairs:
                process, model = (statistics.median([pair[i] for pair in pairs]) for i in (0, 1))
                table = {"process": int(process), "model": int(model), "processes": pairs}
                definitions["{}_{}".format(kind, when)] = table
    peaks = [p for p in (_peak(ladder) for ladder in ladders) if p is not None]
    if not definitions:
        return None
    name = next(iter(definitions))
    head = definitions[name]
    peak = int(statistics.median(peaks)) if peaks else None
    return {
        "definition": name,
        "process": head["process"],
        "model": head["model"],
        "peak": peak,
        "definitions": definitions,
    }


def by_process(rungs: List[Dict[str, Any]]) -> List[Dict[str, Dict[str, Any]]]:
    """One {rung name: rung} a process, in the order of the processes."""
    ladders: Dict[int, Dict[str, Dict[str, Any]]] = {}
    for rung in rungs:
        ladders.setdefault(rung["process"], {})[rung["rung"]] = rung
    return [ladders[process] for process in sorted(ladders)]


def _definition(ladder: Dict[str, Dict[str, Any]], kind: str, rung: str) -> Optional[List[int]]:
    whole, base = value(ladder, kind, rung), value(ladder, kind, BASE)
    return None if whole is None or base is None else [whole, whole - base]


def value(ladder: Dict[str, Dict[str, Any]], kind: str, rung: str) -> Optional[int]:
    """Bytes of `own`, `uss`, `pss` or `rss` at a rung; None where it was not read."""
    if kind != "own":
        found: Optional[int] = ladder.get(rung, {}).get(kind)
        return found
    rss, start = ladder.get(rung, {}).get("rss"), ladder.get("start", {})
    if rss is None or start.get("rss") is None or start.get("uss") is None:
        return None
    return int(rss - (start["rss"] - start["uss"]))


def _peak(ladder: Dict[str, Dict[str, Any]]) -> Optional[int]:
    peaks = [rung["peak_rss"] for rung in ladder.values() if rung.get("peak_rss") is not None]
    return max(peaks) if peaks else None

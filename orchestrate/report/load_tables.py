"""The tables of load shapes, one for each: their figures are of different things and never pooled."""

from orchestrate.report.columns import MS, PLACE, RUNNING, SETUP, Table, count, names, plain, ranged

LOADED = (
    count("Processes", "processes"),
    count("Inferences", "samples"),
    *names(("Warnings", "warnings"), ("Job", "job"), ("Run", "run")),
)

TABLES = (
    Table(
        "offline",
        "Offline: throughput",
        "Everything is there at once and the streams work side by side. Throughput: images of all streams in "
        "the time of the slowest, geometric mean over fresh processes with its 95% interval. Never pooled "
        "with the latency of a single stream.",
        "offline",
        (
            *PLACE,
            count("Threads of each stream", "threads"),
            count("Batch", "batch"),
            *SETUP,
            count("Streams", "streams"),
            *names(("Model", "model")),
            ranged("Throughput", "throughput", "images/s"),
            plain("Inference p50", "latency", "ms", MS),
            plain("Inference p99", "p99", "ms", MS),
            *LOADED,
        ),
        optional=True,
    ),
    Table(
        "paced",
        "Paced: one request at a time, at a fixed rate",
        "Latency: the inference itself, after an idle wait. Response: from when the request was due to its "
        "answer, waiting for the last one and waking up included. Missed: answered after the next was due.",
        "paced",
        (
            *RUNNING,
            *SETUP,
            plain("Rate", "rate", "1/s"),
            *names(("Model", "model")),
            ranged("Latency p50", "latency", "ms", MS),
            ranged("Response p50", "response", "ms", MS),
            plain("Response p99", "p99", "ms", MS),
            count("Deadlines missed", "misses"),
            plain("Of all", "missed", "%", 100),
            *LOADED,
        ),
        optional=True,
    ),
)

"""The tables of profiles: the time of every layer, and of every kind of operator."""

from orchestrate.report.columns import MILLION, MS, RUNNING, SETUP, Table, count, names, plain

PROFILED = (
    plain("Share", "share", "%", 100),
    plain("Time", "seconds", "ms", MS),
    plain("MACs", "macs", "million", MILLION),
    plain("Rate", "rate", "GMAC/s", 1e-9),
    plain("Bytes", "bytes", "kB", 1e-3),
    count("Runs", "calls"),
    *names(("Model", "model")),
    *RUNNING,
    *SETUP,
)
TABLES = (
    Table(
        "layers",
        "Every layer's time",
        "By the library's own profiler, in a process that is not timed. Times are missing where their sum is "
        "more than 10 % off the latency measured without it: there shares alone say something. MACs: as "
        "executed, padding included; bytes: as far as the library reports them.",
        "layers",
        (*names(("Layer", "layer"), ("Operator", "operator")), *PROFILED),
        optional=True,
    ),
    Table(
        "operators",
        "Time by kind of operator",
        "The same, summed over all layers of one kind.",
        "operators",
        (*names(("Operator", "operator")), *PROFILED),
        optional=True,
    ),
)

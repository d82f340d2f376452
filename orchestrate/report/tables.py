"""The report's tables, in their order, and those of the study: which columns, in which unit, from which data.

The page, CSV, Markdown and LaTeX share them.
"""

from orchestrate.analysis import memory
from orchestrate.report import load_tables, profile_tables
from orchestrate.report.columns import MB, MILLION, MS, RUNNING, SETUP, Table, count, names, plain, ranged

MODEL = (
    *names(("Architecture", "architecture"), ("Dataset", "dataset")),
    plain("Ratio", "ratio"),
    *names(("Of", "ratio_of")),
)

TABLES = (
    Table(
        "models",
        "Every model measured",
        "Latency: median of one inference in each fresh process, geometric mean over processes with its 95% "
        "interval. Memory: own, after malloc_trim, whole process and what the model adds; peak: the "
        "highest VmHWM. On a Jetson each with the GPU memory of the process; unknown where a GPU's part is. "
        "MACs: of one inference, the whole batch.",
        "jobs",
        (
            *RUNNING,
            *SETUP,
            *MODEL,
            *names(("Method", "method"), ("Model", "model"), ("Fit", "fit_quality")),
            count("Align", "align"),
            plain("Parameters", "params", "million", MILLION),
            plain("MACs", "macs", "million", MILLION),
            ranged("Latency p50", "latency", "ms", MS),
            plain("p90", "p90", "ms", MS),
            plain("p99", "p99", "ms", MS),
            plain("Load", "load", "ms", MS),
            plain("Load, cold file", "cold_load", "ms", MS),
            plain("First inference", "first", "ms", MS),
            plain("First inference, cold file", "cold_first", "ms", MS),
            plain("Time to steady", "steady", "ms", MS),
            plain("Time to steady, cold file", "cold_steady", "ms", MS),
            ranged("Memory, process", memory.PROCESS, "MB", MB),
            ranged("Memory, model", memory.MODEL, "MB", MB),
            ranged("Memory, peak", memory.PEAK, "MB", MB),
            plain("Accuracy", "accuracy", "%"),
            *names(("Accuracy from", "accuracy_source")),
            count("Test images", "accuracy_images"),
            plain("Accuracy minus stated", "accuracy_difference", "points"),
            *names(("Stated by", "accuracy_stated_source")),
            count("Processes", "processes"),
            count("Samples", "samples"),
            *names(("Warnings", "warnings"), ("Job", "job"), ("Run", "run")),
        ),
    ),
    *load_tables.TABLES,
    Table(
        "pairs",
        "Every pair",
        "Each figure is the first method divided by the second, at the same architecture, dataset and "
        "ratio, on the same device in the same way. Latency: 95% interval over the processes of both "
        "(Student's t on logarithms, variance pooled). A stand-in fit, and a pair in which both methods give "
        "the same network, enter no mean and no verdict.",
        "pairs",
        (
            *names(
                ("Comparison", "comparison"),
            ),
            *RUNNING,
            *SETUP,
            *MODEL,
            count("Align", "align"),
            *names(("Fit", "fit_quality"), ("Left out", "left_out")),
            plain("Parameters", "params_ratio", "×"),
            plain("MACs", "macs_ratio", "×"),
            ranged("Latency", "latency_ratio", "×"),
            plain("Memory, process", f"{memory.PROCESS}_ratio", "×"),
            plain("Memory, model", f"{memory.MODEL}_ratio", "×"),
            plain("Accuracy", "accuracy_ratio", "×"),
            *names(("Accuracy from", "accuracy_from")),
            plain("Of networks within", "accuracy_apart", "%", 100),
            *names(("Accuracies not compared", "accuracy_unlike")),
            plain("Accuracy per MB", f"accuracy_per_mb:{memory.PROCESS}", "×"),
            plain("MB per parameter", f"mb_per_mparam:{memory.PROCESS}", "×"),
        ),
    ),
    Table(
        "claims",
        "Every verdict",
        "The ratio is a geometric mean, each architecture counting alike, with Student's 95% interval over "
        "architectures. A pair of networks counts once; left out are stand-in fits, and pairs of one and "
        "the same network.",
        "claims",
        (
            *names(("Claim", "text"), ("Device", "device"), ("How it ran", "how"), ("Verdict", "verdict")),
            plain("Claimed", "claimed", "×"),
            ranged("Measured", "value", "×"),
            count("Pairs", "n"),
            count("Architectures", "architectures"),
            plain("Times as wide as over independent pairs", "widening"),
            count("Stand-ins left out", "stand_ins"),
            count("Pairs of one network left out", "of_one"),
            *names(
                ("Other baselines", "beside"),
                ("All verdicts together", "together"),
                ("Memory definitions", "ranking"),
                ("What would settle it", "settle"),
            ),
        ),
    ),
    Table(
        "definitions",
        "Under every memory definition",
        "The same ratio, read in each way that memory can be read. 'Ranking flips' where two of them are "
        "beyond 1 on opposite sides.",
        "means",
        (
            *names(
                ("Comparison", "comparison"),
                ("Device", "device"),
                ("How it ran", "how"),
                ("Quantity", "quantity"),
                ("Accuracy from", "accuracy_from"),
                ("Memory definition", "definition"),
            ),
            ranged("Ratio", "value", "×"),
            count("Pairs", "n"),
        ),
    ),
    Table(
        "slopes",
        "Memory: floor and price of a parameter",
        "Least squares over models: memory = floor + slope × parameters. Every model pays the floor, so "
        "memory per parameter of a small model measures mostly the floor.",
        "slopes",
        (
            *names(
                ("Device", "device"),
                ("How it ran", "how"),
                ("Method", "method"),
                ("Memory definition", "definition"),
            ),
            ranged("Slope", "slope", "byte per parameter"),
            ranged("Floor", "intercept", "MB", MB),
            plain("R²", "r2"),
            count("Models", "models"),
        ),
    ),
    Table(
        "predicted",
        "Predicted against measured",
        "Networks whose widths were chosen on the profile of this device and runtime: what it predicts, with "
        "its 95% interval, and what was measured. Error: predicted / measured - 1. None enters a ratio.",
        "predicted",
        (
            *names(("Architecture", "architecture"), ("Method", "method")),
            count("Align", "align"),
            ranged("Predicted latency", "predicted", "ms", MS),
            ranged("Measured", "latency", "ms", MS),
            plain("Error", "error", "%", 100),
            ranged("Predicted memory", "predicted_memory", "MB", MB),
            plain("Measured memory", "memory", "MB", MB),
            plain("Memory error", "memory_error", "%", 100),
            *names(("Profile", "profile"), ("Model", "model")),
            *RUNNING,
            *SETUP,
        ),
        optional=True,
    ),
    Table(
        "predicted-error",
        "Error of the prediction by architecture",
        "Median of the latency's error, without its sign; the share of networks predicted within 10%; the "
        "share of networks whose measured latency lies inside their 95% prediction interval.",
        "predicted_error",
        (
            *names(("Architecture", "architecture")),
            plain("Median error", "median_error", "%", 100),
            plain("Within 10%", "within", "%", 100),
            plain("Inside the interval", "inside", "%", 100),
            count("Networks", "networks"),
            *names(("Profile", "profile")),
            *RUNNING,
            *SETUP,
        ),
        optional=True,
    ),
    *profile_tables.TABLES,
    Table(
        "excluded",
        "Left out, and why",
        "Records that enter no table, no plot and no ratio above.",
        "excluded",
        names(("Device", "device"), ("Job", "job"), ("Code", "code"), ("Reason", "reason"), ("Run", "run")),
    ),
    Table(
        "missing",
        "Missing, and what would make it",
        "Nothing is filled in.",
        "missing",
        names(("Model", "model"), ("What", "what"), ("Why", "reason"), ("Command", "command")),
    ),
)

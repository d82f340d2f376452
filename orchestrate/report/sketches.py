"""Small drawings of one job for its card: its memory ladder, and how its latencies are distributed."""

from html import escape

from orchestrate.analysis import memory
from orchestrate.analysis.job import MeasuredJob
from orchestrate.analysis.latency import QUANTILES
from orchestrate.report import text

WIDTH, EDGE = 300, 6  # drawing units
MB, MS = 1e-6, 1e3
COLOURS = ("#8a929b", "#b5bcc4", "#6c8ebf", "#0072b2", "#e69f00", "#cc6677", "#44aa99")  # as pair.js
NAMES = ("interpreter", "library", "device", "model", "first run", "steady", "given back")


def ladder(job: MeasuredJob) -> str:
    """Return what each rung adds to the process's own memory, as SVG and in words.

    '' where it was not read.
    """
    known = [
        (name, colour, step)
        for name, colour, step in zip(NAMES[: len(memory.ORDER)], COLOURS, job.steps, strict=False)
        if step is not None
    ]
    total = sum(step for *_, step in known if step > 0)
    if not total:
        return ""
    x, shapes, words = float(EDGE), [], []
    for name, colour, step in known:
        if step > 0:
            width = (WIDTH - 2 * EDGE) * step / total
            shapes.append(f'<rect x="{x:.1f}" y="3" width="{width:.1f}" height="14" fill="{colour}"/>')
            x += width
        if abs(step) >= total / 1000:
            words.append(
                f'<span class="key"><i style="background:{colour}"></i>{name} {text.number(step * MB)}</span>'
            )
    return _sketch("Memory ladder (MB)", "".join(shapes), 20, " ".join(words))


def distribution(job: MeasuredJob) -> str:
    """Draw from the 1st to the 99th percentile, the middle half as a box, the median as a line."""
    low, high = job.quantiles[0], job.quantiles[-1]
    if not high > low:
        return ""
    at = {
        q: EDGE + (WIDTH - 2 * EDGE) * (value - low) / (high - low)
        for q, value in zip(QUANTILES, job.quantiles, strict=True)
    }
    box = (
        f'<rect class="box" x="{at[0.25]:.1f}" y="4" width="{max(1, at[0.75] - at[0.25]):.1f}" height="12"/>'
    )
    line = f'<line class="axis" x1="{EDGE}" x2="{WIDTH - EDGE}" y1="10" y2="10"/>'
    middle = f'<line class="middle" x1="{at[0.5]:.1f}" x2="{at[0.5]:.1f}" y1="2" y2="18"/>'
    shown = [text.number(value * MS) for value in job.quantiles]
    words = f"1%: {shown[0]}, 25%: {shown[3]}, 50%: {shown[4]}, 75%: {shown[5]}, 99%: {shown[8]} ms"
    return _sketch(
        "Distribution of latency, samples of all processes together", line + box + middle, 20, words
    )


def _sketch(title: str, shapes: str, height: int, words: str) -> str:
    drawing = f'<svg class="bar" viewBox="0 0 {WIDTH} {height}" aria-hidden="true">{shapes}</svg>'
    return f'<div class="sketch"><h4>{escape(title)}</h4>{drawing}<p>{words}</p></div>'

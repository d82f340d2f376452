"""The page's section 'Where the time goes': bars in plain HTML; the tables below have every layer."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from orchestrate.analysis import profile, same_jobs
from orchestrate.analysis.job import MeasuredJob
from orchestrate.analysis.profile import Pair, ProfiledLayer, TimeProfile
from orchestrate.analysis.table import STAND_IN, fit_quality
from orchestrate.console import printable
from orchestrate.quantities import counted
from orchestrate.report import text

SHOWN = 24  # models or pairs that are drawn; the tables have all
NAMES = {"neuralscale": "NeuralScale"}
OF_STAND_IN = f" (its fit is a {STAND_IN})"
KINDS = 8  # kinds of operators of a model that are drawn


def section(jobs: Sequence[MeasuredJob]) -> str:
    """Return the whole section; nothing where no record has a profile."""
    pairs = profile.pairs(jobs)
    paired = {id(job) for pair in pairs for job in (pair.first, pair.second)}
    alone = [(job, found) for job in jobs if id(job) not in paired and (found := profile.of(job))]
    failed = _failures(jobs)
    if not (pairs or alone or failed):
        return ""
    names = same_jobs.file_names(job.model["id"] for job in jobs)
    drawn = [_pair(pair) for pair in pairs[:SHOWN]]
    drawn += [_model(job, found, names) for job, found in alone[:SHOWN]]
    return (
        '<section id="profile" aria-labelledby="h-profile"><h2 id="h-profile">Where the time goes</h2>'
        '<p class="sub">By the library\'s own profiler, in a process of its own that no figure comes from. '
        'Every layer: <a href="#table-layers">table</a>.</p>'
        f"{''.join(drawn)}{failed}</section>"
    )


def _model(job: MeasuredJob, found: TimeProfile, names: Mapping[str, str]) -> str:
    """One model by kind of operator."""
    kinds = profile.by_operator(found)
    largest = kinds[0].share
    rows = "".join(
        f'<tr><th scope="row">{_text(kind.name)}</th><td>{_bar("one", kind.share / largest)}</td>'
        f'<td class="number">{kind.share:.1%}</td><td class="number">{_seconds(found, kind)}</td>'
        f'<td class="number">{kind.calls}</td></tr>'
        for kind in kinds[:KINDS]
    )
    head = _head("Kind of operator", "", "share", "ms", "runs")
    method = f"{_method(job)}: " if job.model.get("method") else ""
    name = _target(job) if job.model.get("architecture") else names[job.model["id"]]
    return _figure(name, job, [method + _described(found)], f"{head}<tbody>{rows}</tbody>")


def _pair(pair: Pair) -> str:
    """Two networks, layer by layer."""
    sides = [_of(pair.first), _of(pair.second)]
    shares = any(side.distorts for side in sides)
    values = [(layer.share if shares else layer.seconds) for row in pair.layers for layer in row[1:] if layer]
    rows = "".join(_beside(name, first, second, max(values), shares) for name, first, second in pair.layers)
    names = [_method(job) for job in (pair.first, pair.second)]
    unit = "share" if shares else "ms"
    head = _head("Layer", f"{names[0]} above {names[1]}", f"{names[0]} ({unit})", f"{names[1]} ({unit})")
    sentences = [f"{name}: {_described(side)}" for name, side in zip(names, sides, strict=True)]
    return _figure(_target(pair.first), pair.first, sentences, f"{head}<tbody>{rows}</tbody>")


def _method(job: MeasuredJob) -> str:
    """`NeuralScale (its fit is a stand-in)`."""
    method = str(job.model.get("method"))
    return NAMES.get(method, method) + (OF_STAND_IN if fit_quality(job.model) == STAND_IN else "")


def _of(job: MeasuredJob) -> TimeProfile:
    found = profile.of(job)
    assert found  # `profile.pairs` takes only jobs that have one
    return found


def _beside(
    name: str, first: ProfiledLayer | None, second: ProfiledLayer | None, largest: float, shares: bool
) -> str:
    sides = [None if side is None else side.share if shares else side.seconds for side in (first, second)]
    bars = "".join(
        _bar(look, (side or 0.0) / largest) for look, side in zip(("one", "two"), sides, strict=True)
    )
    cells = "".join(
        f'<td class="number">{text.MISSING if side is None else f"{side:.1%}" if shares else _ms(side)}</td>'
        for side in sides
    )
    operator = (first or second or ProfiledLayer(name, "", 0, 0, 0, None, None)).operator
    return (
        f'<tr><th scope="row">{_text(name)} <small>{_text(operator)}</small></th><td>{bars}</td>{cells}</tr>'
    )


def _described(found: TimeProfile) -> str:
    """Return what a profile rests on, whether it distorts, and what padding adds, in words."""
    change = found.total / found.latency - 1
    sums = (
        f"the layers' times over {counted(found.runs, 'inference')} sum to {_ms(found.total)} ms, "
        f"an inference without the profiler takes {_ms(found.latency)} ms ({change:+.0%})"
    )
    if found.distorts:
        sums += ": profiling distorts, so only shares are shown"
    if found.padding and found.padding > 1.005:
        sums += (
            f"; with channels padded to the library's blocks, {found.padding:.2f} times the model's MACs run"
        )
    return sums + "."


def _failures(jobs: Iterable[MeasuredJob]) -> str:
    errors = [(job, error) for job in jobs if job.profile and (error := job.profile.get("error"))]
    items = "".join(
        f"<li>{_text(job.id)}: no profile: {_text(error['message'])}; {_text(error['advice'])}</li>"
        for job, error in errors[:SHOWN]
    )
    return f"<ul>{items}</ul>" if items else ""


def _target(job: MeasuredJob) -> str:
    """`mobilenetv2, cifar10, 0.25 of the params`."""
    model, ratio = job.model, text.number(job.model.get("ratio"))
    return f"{model['architecture']}, {model.get('dataset')}, {ratio} of the {model.get('ratio_of')}"


def _figure(name: str, job: MeasuredJob, sentences: list[str], table: str) -> str:
    how = text.running(
        {key: getattr(job, key) for key in ("backend", "precision", "threads", "batch", "setup")}
    )
    words = [f"{job.device}, {how}", *(sentence[0].upper() + sentence[1:] for sentence in sentences)]
    caption = f"{_text(name)} <span>{'<br>'.join(map(_text, words))}</span>"
    scroll = '<div class="scroll" tabindex="0" role="region" aria-label="Profile">'
    return (
        f'<figure class="profile"><figcaption>{caption}</figcaption>{scroll}<table>{table}</table></div>'
        "</figure>"
    )


def _head(*names: str) -> str:
    cells = "".join(
        f'<th scope="col"{" class=number" if place > 1 else ""}>{_text(name)}</th>'
        for place, name in enumerate(names)
    )
    return f"<thead><tr>{cells}</tr></thead>"


def _bar(look: str, length: float) -> str:
    return f'<span class="{look}" style="width:{min(1.0, max(0.0, length)):.1%}"></span>'


def _seconds(found: TimeProfile, layer: ProfiledLayer) -> str:
    return text.MISSING if found.distorts else _ms(layer.seconds)


def _ms(seconds: float) -> str:
    return text.number(seconds * 1e3)


def _text(value: object) -> str:
    return escape(printable(value))

"""The first screen: what the records show of each claim, for each device. Plain HTML, no script needed."""

import math
from collections import Counter
from collections.abc import Iterator
from html import escape

from orchestrate.analysis import claims, efficiency
from orchestrate.quantities import counted
from orchestrate.report import text
from orchestrate.report.data import Report, synthetic
from orchestrate.report.interval_bar import bar

MARK = {claims.HOLDS: ("holds", "✓"), claims.FAILS: ("fails", "✗"), claims.UNSETTLED: ("open", "?")}


def banner(report: Report) -> str:
    """Return a warning above everything where records were invented."""
    if not synthetic(report.study):
        return ""
    notice = "These records were invented to test the report. Nothing here was measured."
    return f'<p class="banner" role="note"><strong>Synthetic data.</strong> {notice}</p>'


def lede(report: Report) -> str:
    """Return what was read, in one paragraph."""
    study = report.study
    counting = study.counting()
    counted = [f"{len(counting):,} valid record{'s' * (len(counting) != 1)}"]
    for number, what, table in (
        (len(study.excluded), "left out", "excluded"),
        (len(study.replaced), "replaced by newer ones", "excluded"),
        (len(study.missing), "missing", "missing"),
    ):
        if number:
            counted.append(f'<a href="#table-{table}">{number:,} {what}</a>')
    devices = sorted({job.device for job in counting} | {each.device for each in study.excluded})
    where = f"from {_list(study.runs, 'run')} on {_list(devices, 'device')}"
    return f'<p class="lede">{", ".join(counted)}; {where}.</p>'


def _list(items: tuple[str, ...] | list[str], noun: str) -> str:
    shown = ", ".join(f"<code>{escape(item)}</code>" for item in items[:4])
    return shown if len(items) <= 4 else f"{len(items)} {noun}s ({shown}, …)"


def verdicts(report: Report) -> str:
    """Return the cards for the main configuration of each device, then how often verdicts err."""
    if without := without_figures(report):
        return without
    main = [answer for answer in report.answers if answer.main]
    if not main:
        return "<p>No claim is about the devices in these records.</p>"
    apart: dict[str, list[claims.Answer]] = {}
    for answer in sorted(main, key=lambda each: text.configuration(each.configuration)):
        apart.setdefault(text.configuration(answer.configuration), []).append(answer)
    groups = (_device(answers) for answers in apart.values())
    note = f'<p class="note">{escape(claims.multiplicity(report.answers))}</p>'
    return "".join(groups) + _unasked(report.unasked) + note


def _unasked(stated: list[claims.Claim]) -> str:
    """Return the claims that these devices cannot answer, so that nobody takes absence for an answer."""
    if not stated:
        return ""
    items = "".join(
        f"<li>{escape(claim.text)} Claimed {text.number(claim.claimed)}×; needs records of a "
        f"{escape(claim.processor.upper())}.</li>"
        for claim in stated
    )
    return f"<h3>Not answered by these devices</h3><ul>{items}</ul>"


def without_figures(report: Report) -> str:
    """Return why there is no figure of one inference at a time; '' where there is one."""
    if report.study.jobs:
        return ""
    return _loaded(report) if report.study.loaded else _nothing(report)


def _loaded(report: Report) -> str:
    """The message where all was measured under load: a claim is about one inference at a time."""
    count = counted(len(report.study.loaded), "record")
    return f'<p class="banner">{count} under load (offline, paced), <a href="#tables">in the tables</a>.</p>'


def _nothing(report: Report) -> str:
    """The message where no record counts."""
    codes = Counter(excluded.code for excluded in report.study.excluded)
    why = ", ".join(f"{escape(code)} ({count})" for code, count in sorted(codes.items()))
    reasons = '<a href="#table-excluded">each with its reason below</a>'
    return f'<p class="banner"><strong>No record counts.</strong> All were left out, {reasons}: {why}.</p>'


def _device(answers: list[claims.Answer]) -> str:
    """All main verdicts of one configuration."""
    of = answers[0].configuration
    how = escape(text.running(of))
    shown = "".join(card(answer) for answer in answers)
    return f'<h3>{escape(of["device"])} <span class="how">{how}</span></h3><div class="cards">{shown}</div>'


def card(answer: claims.Answer) -> str:
    """Return one claim: verdict, effect, interval, pairs, and what memory definitions do to it."""
    kind, mark = MARK[answer.verdict]
    estimate, claimed = answer.estimate, text.number(answer.claim.claimed)
    spread = text.interval(estimate)
    effect = f"{text.number(estimate.value)}×" if estimate.n else text.MISSING
    parts = [
        f'<p class="verdict"><span aria-hidden="true">{mark}</span> {answer.verdict}</p>',
        f"<h4>{escape(answer.claim.text)}</h4>",
        f'<p class="effect"><strong>{effect}</strong> measured{spread}, {claimed}× claimed</p>',
        bar(answer),
        f"<ul>{''.join(f'<li>{note}</li>' for note in _notes(answer))}</ul>",
    ]
    return f'<article class="card {kind}">{"".join(parts)}</article>'


def _notes(answer: claims.Answer) -> Iterator[str]:
    estimate = answer.estimate
    pairs = f"{estimate.n} pair{'s' * (estimate.n != 1)} of models"
    lacking = f"; {answer.lacking} more lack a figure" if answer.lacking else ""
    yield escape(answer.claim.ratio)
    yield pairs + lacking + (f"; {spread(answer)}" if estimate.known else "; no interval")
    yield from left_out(answer)
    for label, mean in answer.beside:
        yield f"{escape(label)}: {text.ratio(mean)}"
    if answer.verdict == claims.FAILS and _same_side(answer):
        yield "the direction is as claimed, the size is not"
    if not answer.ranking and answer.definitions:
        yield f'<a href="#definitions">{escape(answer.definitions)}</a>'
    if answer.ranking:
        yield f'<a href="#definitions">{escape(_ranking(answer.ranking))}</a>'
        verdicts = answer.verdicts_by_definition.values()
        other = sum(verdict != answer.verdict for verdict in verdicts)
        if other:
            yield f"another verdict under {other} of {len(verdicts)} memory definitions"
    if answer.settle:
        yield f"to settle it: {_with_code(answer.settle)}"


def spread(answer: claims.Answer) -> str:
    """Return what the interval is over, and what resemblance within an architecture costs."""
    over = f"95% interval over {counted(answer.estimate.groups, 'architecture')}"
    if math.isfinite(answer.widening):
        over += f", {text.number(answer.widening, 2)} times as wide as if its pairs were independent"
    return over


def left_out(answer: claims.Answer) -> Iterator[str]:
    """Yield the pairs that decide nothing, and what stand-in fits give."""
    if answer.stand_ins.n:
        stand_ins = counted(answer.stand_ins.n, "pair")
        yield f"left out: {stand_ins} whose fit is a stand-in, {text.ratio(answer.stand_ins)}"
    if answer.of_one:
        yield f"left out: {counted(answer.of_one, 'pair')} in which both methods give the same network"


def _ranking(ranking: efficiency.Ranking) -> str:
    up, down, unclear = map(len, ranking[1:])
    if ranking.verdict == efficiency.FLIPS:
        return f"{ranking.verdict}: above 1 under {up} memory definitions, below 1 under {down}"
    if ranking.verdict == efficiency.STABLE:
        return f"{ranking.verdict} under all {up + down} memory definitions"
    return f"{ranking.verdict}: beyond 1 under {up + down} of {up + down + unclear} memory definitions"


def _with_code(sentence: str) -> str:
    """The sentence with its command, if it ends in one, as code."""
    head, found, command = sentence.partition("orchestrate run")
    return escape(head) + (f"<code>{escape(found + command)}</code>" if found else "")


def _same_side(answer: claims.Answer) -> bool:
    """Whether what was measured is beyond 1 where the claim is; a spread is never below it."""
    claimed, estimate = answer.claim.claimed, answer.estimate
    if answer.claim.spread:
        return False
    return (claimed > 1 and estimate.low > 1) or (claimed < 1 and estimate.high < 1)

"""A claim as a little drawing on a logarithmic axis: where it would hold, one, and the interval measured."""

import math
from html import escape

from orchestrate.analysis import claims, pairs
from orchestrate.report import text

WIDTH, EDGE, MARGIN = 300, 6, 0.12  # drawing units, and natural logarithms beyond the outermost figure


class Axis:
    """Ratios to horizontal positions; what lies beyond the ends is drawn at the ends."""

    def __init__(self, ratios: list[float]) -> None:
        known = [math.log(ratio) for ratio in ratios if 0 < ratio < math.inf]
        self.low, self.high = min(known) - MARGIN, max(known) + MARGIN

    def at(self, ratio: float) -> float:
        """Return the position of `ratio`, which may be zero or infinite."""
        place = self.low if ratio <= 0 else self.high if ratio == math.inf else math.log(ratio)
        inside = min(max(place, self.low), self.high)
        return round(EDGE + (WIDTH - 2 * EDGE) * (inside - self.low) / (self.high - self.low), 1)


def bar(answer: claims.Answer) -> str:
    """Return the drawing as SVG, with the same in words; '' where nothing was measured."""
    claim, estimate = answer.claim, answer.estimate
    if not estimate.n:
        return ""
    axis = Axis([claim.holds_from, claim.holds_to, claim.claimed, 1.0, *estimate[:3]])
    left, right, one = axis.at(claim.holds_from), axis.at(claim.holds_to), axis.at(1)
    shapes = [
        f'<rect class="region" x="{left}" y="6" width="{right - left:.1f}" height="20" rx="3"/>',
        f'<line class="axis" x1="{EDGE}" x2="{WIDTH - EDGE}" y1="16" y2="16"/>',
        f'<line class="one" x1="{one}" x2="{one}" y1="4" y2="28"/>',
        f'<text x="{one}" y="41">1×</text>',
        _claimed(axis.at(claim.claimed), one, claim.claimed),
        _spread(axis, answer),
        f'<circle cx="{axis.at(estimate.value)}" cy="16" r="5"/>',
    ]
    label = escape(_words(answer))
    return (
        f'<svg class="bar" viewBox="0 0 {WIDTH} 44" role="img" aria-label="{label}">{"".join(shapes)}</svg>'
    )


def _spread(axis: Axis, answer: claims.Answer) -> str:
    if not answer.estimate.known:
        return ""
    low, high = axis.at(answer.estimate.low), axis.at(answer.estimate.high)
    return f'<line class="spread" x1="{low}" x2="{high}" y1="16" y2="16"/>'


def _claimed(x: float, one: float, claimed: float) -> str:
    """The label of the claimed ratio, unless it would touch that of one."""
    if abs(x - one) < 45:
        return ""
    return f'<text x="{min(max(x, 44), WIDTH - 44)}" y="41">claimed {text.number(claimed)}×</text>'


def _words(answer: claims.Answer) -> str:
    """Return what the drawing shows."""
    claim = answer.claim
    end = text.number(claim.holds_to) if claim.holds_to < math.inf else "any"
    region = f"the claim holds from {text.number(claim.holds_from)} to {end}"
    return f"{pairs.QUANTITIES[claim.quantity]}: measured {text.ratio(answer.estimate)}; {region}"

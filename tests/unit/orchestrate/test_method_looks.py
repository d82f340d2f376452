"""Each method of the page has a mark and a colour of its own, which is seen in both themes."""

import re

import pytest

from tests.conftest import ROOT

ASSETS = ROOT / "orchestrate" / "report" / "assets"
METHODS = ("uniform", "neuralscale", "device", "other")  # other: unknown ones and one's own files
READABLE = 4.5  # WCAG 2.2, 1.4.3: of text; marks need 3


def symbols() -> list[str]:
    """Of every method, of what is unknown, and of multiples."""
    return re.findall(r'symbol: "([a-z-]+)"', (ASSETS / "core.js").read_text())


def colours(theme: str) -> dict[str, str]:
    """Variable -> colour."""
    rule = re.search(rf":root{theme} \{{(.*?)\n\}}", (ASSETS / "style.css").read_text(), re.DOTALL)
    assert rule is not None
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", rule[1]))


def luminance(colour: str) -> float:
    """Relative luminance of sRGB (WCAG 2.2)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_no_two_methods_share_a_mark_and_each_is_in_the_key() -> None:
    assert len(symbols()) == len({*symbols()}) == 5
    shapes = re.search(r"const SHAPES = \{(.*?)\};", (ASSETS / "figures.js").read_text(), re.DOTALL)
    assert shapes is not None
    assert {*symbols()} <= {*re.findall(r'^ +"?([a-z-]+)"?:', shapes[1], re.MULTILINE)}


@pytest.mark.parametrize("theme", ["", r'\[data-theme="dark"\]'], ids=["light", "dark"])
def test_no_two_methods_share_a_colour_and_each_is_seen(theme: str) -> None:
    known = colours(theme)
    hues = [known[name] for name in (*METHODS, "accent", "good", "bad", "open")]
    assert len({*hues}) == len(hues)
    for name in METHODS:
        assert min(contrast(known[name], known[ground]) for ground in ("ground", "panel")) >= READABLE, name

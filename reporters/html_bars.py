"""Scores as bars: inline SVG whose numbers stand beside it as text, so that no meaning hangs on a colour."""

from __future__ import annotations

from typing import Final

from reporters.html_markup import Markup, el, join
from reporters.html_tally import WORDS, Score, State

_DRAWN: Final = (State.BLOCKING, State.FAIL, State.UNKNOWN, State.WAIVED, State.KNOWN, State.PASS)
"""What a bar is made of, from the left; what does not apply was not judged and takes no room."""
_WIDTH = 200
_LEAST = 3
"""The narrowest part of a bar that is still seen: one failure among 10,000 passes must be."""


def bar(score: Score) -> Markup:
    """The parts of a score, side by side; an empty track where nothing was judged."""
    total = sum(score[one] for one in _DRAWN)
    shown = {one: max(_LEAST, score[one] * _WIDTH / total) for one in _DRAWN if score[one]}
    scale = _WIDTH / sum(shown.values()) if shown else 0
    parts, left = [], 0.0
    for one, width in shown.items():
        wide = width * scale
        parts.append(el("rect", class_=css(one), x=f"{left:.2f}", y="0", width=f"{wide:.2f}", height="10"))
        left += wide
    return el(
        "svg",
        el("rect", class_="track", x="0", y="0", width=_WIDTH, height="10"),
        *parts,
        class_="bar",
        viewBox=f"0 0 {_WIDTH} 10",
        preserveAspectRatio="none",
        aria_hidden="true",
    )


def numbers(score: Score) -> Markup:
    """The same parts as text: `5 blocking, 12 passing`."""
    told = [el("li", el("b", f"{score[one]:,}"), f" {WORDS[one]}", class_=css(one)) for one in State if score[one]]
    return el("ul", *told, class_="numbers") if told else el("p", "no rows", class_="numbers soft")


def legend() -> Markup:
    """What the colours mean."""
    return el("ul", *(el("li", WORDS[one], class_=css(one)) for one in _DRAWN), class_="legend", aria_hidden="true")


def css(one: State) -> str:
    """The class of a state."""
    return f"s-{one.name.lower().replace('_', '-')}"


def both(score: Score) -> Markup:
    """Bar and numbers."""
    return join(bar(score), numbers(score))

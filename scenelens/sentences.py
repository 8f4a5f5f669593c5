"""Sentences computed from results: what a table says, with its n and its interval, in plain words.

A notebook shows other numbers for every study, so its prose must not state them. A `Sentences` is the prose
that does: text made from a table at the moment it is shown.
"""

from __future__ import annotations


class Sentences(str):
    """A piece of Markdown that a notebook shows as text, and that is an ordinary string elsewhere.

    Examples
    --------
    >>> Sentences("**12 of 20**.")._repr_markdown_()
    '**12 of 20**.'
    """

    __slots__ = ()

    def _repr_markdown_(self) -> str:
        return str(self)


def words(name: object) -> str:
    """A name as it is read: spaces for underscores.

    Examples
    --------
    >>> words("art_gallery")
    'art gallery'
    """
    return str(name).replace("_", " ")


def percent(share: float) -> str:
    """A fraction in 0..1 as whole per cent; an unknown (NaN) as a dash.

    Examples
    --------
    >>> percent(0.404), percent(float("nan"))
    ('40%', '–')
    """
    return "–" if share != share else f"{100 * share:.0f}%"


def number(value: float) -> str:
    """A measured value with about three digits, never in powers of ten above one.

    Examples
    --------
    >>> number(14), number(0.1234), number(1234.5), number(3.14159)
    ('14.0', '0.123', '1,234', '3.14')
    """
    size = abs(value)
    if size >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 10 else (f"{value:.2f}" if size >= 1 else f"{value:.3g}")


def interval(low: float, high: float) -> str:
    """An interval of two fractions.

    Examples
    --------
    >>> interval(0.31, 0.498)
    '31–50%'
    """
    return f"{100 * low:.0f}–{100 * high:.0f}%"


def share_text(share: float, low: float, high: float, n: int) -> str:
    """A share with its interval and its n.

    Examples
    --------
    >>> share_text(0.4, 0.31, 0.5, 100)
    '40% (95% interval 31–50%, n = 100)'
    """
    return f"{percent(share)} (95% interval {interval(low, high)}, n = {n:,})"


def against(ours: float, low: float, high: float, paper: float) -> str:
    """Whether a value of the paper lies inside our interval, above it or below it, in words.

    Examples
    --------
    >>> against(0.4, 0.31, 0.5, 0.47)
    "the paper's 47% lies inside our interval"
    >>> against(0.4, 0.31, 0.5, 0.78)
    "the paper's 78% is higher, outside our interval"
    """
    if low <= paper <= high:
        return f"the paper's {percent(paper)} lies inside our interval"
    side = "higher" if paper > high else "lower"
    return f"the paper's {percent(paper)} is {side}, outside our interval"


def apart(low_a: float, high_a: float, low_b: float, high_b: float) -> bool:
    """Whether two intervals leave a gap between them (a strict, simple sign of a difference).

    Examples
    --------
    >>> apart(0.1, 0.2, 0.3, 0.4), apart(0.1, 0.3, 0.2, 0.4)
    (True, False)
    """
    return high_a < low_b or high_b < low_a

"""Sentences that are computed from results: what a table says, with its n and its interval, in plain words.

The numbers differ from study to study, so the prose of a notebook must not state them. A notebook calls a
function ``describe_...``, which returns `Sentences`: text made from a table at the moment it is shown. This
module has the parts that all of them share, such as how a share, an interval or a comparison is written.

>>> scene, other = (0.31, 0.5), (0.55, 0.7)
>>> text = f"The scene network: {share_text(0.4, *scene, 100)}. {gap_text(scene, other)}."
>>> print(Sentences(text))
The scene network: 40% (95% interval 31–50%, n = 100). The intervals leave a gap.
"""

from __future__ import annotations


class Sentences(str):
    """A piece of Markdown: a notebook shows it as text, and elsewhere it is an ordinary string.

    Examples
    --------
    >>> Sentences("**12 of 20**.")._repr_markdown_()
    '**12 of 20**.'
    """

    __slots__ = ()

    def _repr_markdown_(self) -> str:
        return str(self)


def words(name: object) -> str:
    """Return a name as it is read: spaces in place of underscores.

    Parameters
    ----------
    name : object
        The name, such as a scene category's.

    Returns
    -------
    str
        The words.

    Examples
    --------
    >>> words("art_gallery")
    'art gallery'
    """
    return str(name).replace("_", " ")


def percent(share: float) -> str:
    """Return a share as whole per cent.

    Parameters
    ----------
    share : float
        In 0..1, or NaN where it is unknown.

    Returns
    -------
    str
        The per cent; a dash for NaN.

    Examples
    --------
    >>> percent(0.404), percent(float("nan"))
    ('40%', '–')
    """
    return "–" if share != share else f"{100 * share:.0f}%"


def number(value: float) -> str:
    """Return a measured value with about three digits; values of 1 and more never with an exponent.

    Parameters
    ----------
    value : float
        The value, in any unit.

    Returns
    -------
    str
        The number, with commas between thousands.

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
    """Return an interval of shares in per cent.

    Parameters
    ----------
    low : float
        The lower end, 0..1.
    high : float
        The upper end, 0..1.

    Returns
    -------
    str
        Both ends in whole per cent.

    Examples
    --------
    >>> interval(0.31, 0.498)
    '31–50%'
    """
    return f"{100 * low:.0f}–{100 * high:.0f}%"


def share_text(share: float, low: float, high: float, n: int) -> str:
    """Return a share with its interval and its n.

    Parameters
    ----------
    share : float
        In 0..1, or NaN.
    low : float
        The lower end of its 95% interval.
    high : float
        The upper end.
    n : int
        The number of cases that the share is of.

    Returns
    -------
    str
        All of it in words.

    Examples
    --------
    >>> share_text(0.4, 0.31, 0.5, 100)
    '40% (95% interval 31–50%, n = 100)'
    """
    return f"{percent(share)} (95% interval {interval(low, high)}, n = {n:,})"


def apart(low_a: float, high_a: float, low_b: float, high_b: float) -> bool:
    """Return whether two intervals leave a gap between them: a strict, simple sign of a difference.

    Parameters
    ----------
    low_a : float
        The lower end of one interval.
    high_a : float
        Its upper end.
    low_b : float
        The lower end of the other interval.
    high_b : float
        Its upper end.

    Returns
    -------
    bool
        False where they overlap or touch, and where an end is NaN.

    Examples
    --------
    >>> apart(0.1, 0.2, 0.3, 0.4), apart(0.1, 0.3, 0.2, 0.4)
    (True, False)
    """
    return high_a < low_b or high_b < low_a


def gap_text(
    one: tuple[float, float],
    other: tuple[float, float],
    gap: str = "",
    overlap: str = "",
    subject: str = "The intervals",
) -> str:
    """Say whether two intervals leave a gap or overlap, and what that means.

    Parameters
    ----------
    one : tuple of float
        The lower and the upper end of one interval.
    other : tuple of float
        Those of the other.
    gap : str, optional
        What a gap means, such as "the scene network has more detectors"; follows after a colon.
    overlap : str, optional
        What an overlap means, such as "no difference can be claimed from these images".
    subject : str, optional
        What the sentence begins with, such as "the intervals of their shares" within a longer sentence.

    Returns
    -------
    str
        The sentence, without a full stop.

    Examples
    --------
    >>> gap_text((0.1, 0.2), (0.3, 0.4), gap="the second is larger")
    'The intervals leave a gap: the second is larger'
    >>> gap_text((0.1, 0.3), (0.2, 0.4), overlap="no difference can be claimed")
    'The intervals overlap: no difference can be claimed'
    >>> gap_text((0.1, 0.3), (0.2, 0.4), subject="and the intervals of their shares")
    'and the intervals of their shares overlap'
    """
    verb, meaning = ("leave a gap", gap) if apart(*one, *other) else ("overlap", overlap)
    return f"{subject} {verb}" + (f": {meaning}" if meaning else "")

"""Sentences that are computed from results: what a table says, with its n and its interval, in plain words.

The numbers differ from study to study, so the prose of a notebook must not state them. A notebook calls a
function ``describe_...``, which returns `Sentences`: text made from a table at the moment it is shown. This
module has the parts that all of them share, such as how a share, an interval or a comparison is written.

Names of classes, objects, folders, files and people come from outside, and may contain anything. `one_line`
makes any of them one line of visible text, for figures and widgets too; `named` makes it text of a sentence,
and `Sentences` lets no HTML, link or formula through to the notebook.

>>> scene, other = (0.31, 0.5), (0.55, 0.7)
>>> text = f"The scene network: {share_text(0.4, *scene, 100)}. {gap_text(scene, other)}."
>>> print(Sentences(text))
The scene network: 40% (95% interval 31–50%, n = 100). The intervals leave a gap.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from scenelens.paper import PAIR

_LONGEST = 160  # characters of a name that are shown: all of any name that people would write
# Control characters and the separators of lines and paragraphs. They would end a line or a list.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
# Marks without a glyph that turn the direction of text around, or hide in it. Joiners stay: some scripts
# cannot be written without them.
_MARKS = re.compile("[\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")
_SURROGATES = re.compile("[\ud800-\udfff]")  # halves of characters, which no file can be written with

# What `named` marks with a backslash: emphasis, code, tables; a heading or a list at the beginning; and
# what makes an address a link.
_MARKUP = re.compile(r"[\\*`|~]|^[#+=-]|^\d+(?=[.)])|:(?=//)|(?<=www)\.|@", re.IGNORECASE)
# What `Sentences` never uses for itself: HTML, links, formulas, and underscores that do not stand within a
# word. A backslash of `named` stands before the character that it protects.
_ACTIVE = re.compile(r"\\([\\*`|~#+=:.@)-])|([&<>\[\]$\\])|((?<![^\W_])_|_(?![^\W_]))")


class Sentences(str):
    """A piece of Markdown: a notebook shows it as text, and elsewhere it is an ordinary string.

    Only bold and italic text, code, lists and paragraphs are markup here. HTML, links, images and formulas
    are shown as the characters they are written with, because names in a sentence come from outside.

    Examples
    --------
    >>> Sentences("**12 of 20**.")._repr_markdown_()
    '**12 of 20**.'
    >>> Sentences("**<b>**, [x](y)")._repr_markdown_()
    '**&lt;b&gt;**, &#91;x&#93;(y)'
    """

    __slots__ = ()

    def _repr_markdown_(self) -> str:
        return _ACTIVE.sub(_shown, _SURROGATES.sub("\ufffd", self))


def _shown(found: re.Match[str]) -> str:
    """A character that could be markup, as a character reference."""
    character = found[1] or found[0]
    if character in "&<>":
        return {"&": "&amp;", "<": "&lt;", ">": "&gt;"}[character]
    reference = f"&#{ord(character)};"
    # In an element of its own it cannot begin or end a formula: MathJax looks at whole runs of text.
    return f"<span>{reference}</span>" if character in "$\\" else reference


def one_line(text: object, longest: int = _LONGEST) -> str:
    """Return a text from outside as one line of visible characters.

    Parameters
    ----------
    text : object
        The text, such as the name of a file.
    longest : int, optional
        The largest number of characters (default 160); a longer text ends with an ellipsis.

    Returns
    -------
    str
        The line. Line breaks and control characters are spaces, marks that turn the direction of writing are
        left out, halves of characters are replaced.

    Examples
    --------
    >>> one_line("a\\nb\\u202ec")
    'a bc'
    """
    text = str(text)
    text = text if len(text) <= longest else f"{text[: longest - 1]}…"
    return _SURROGATES.sub("\ufffd", _MARKS.sub("", _CONTROLS.sub(" ", text)))


def named(name: object) -> str:
    """Return a name as a sentence says it: no character of it is Markdown.

    Parameters
    ----------
    name : object
        The name, such as that of an object, a network or an annotator.

    Returns
    -------
    str
        One line; characters that could be markup have a backslash in front. Most names stay as they are.

    Examples
    --------
    >>> named("art_gallery"), named("*x*")
    ('art_gallery', '\\\\*x\\\\*')
    """
    return _MARKUP.sub(lambda found: _protected(found[0]), one_line(name).strip())


def _protected(markup: str) -> str:
    return f"{markup}\\" if markup.isdigit() else f"\\{markup}"


def words(name: object) -> str:
    """Return a name as it is read: one line, with spaces in place of underscores.

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
    return one_line(name).replace("_", " ")


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


def networks_text(names: Iterable[str], of: str = "images") -> str:
    """Say how many scene and object networks are compared, and what their number leaves open.

    Parameters
    ----------
    names : iterable of str
        The networks' names in the study; "scene_2" is a second scene network.
    of : str, optional
        What the intervals are over, such as "images" (default) or "units".

    Returns
    -------
    str
        Sentences; empty without a network of both kinds.

    Examples
    --------
    >>> networks_text(["scene", "object", "untrained"]).split(" The ")[0]
    '**Networks compared: 1 scene network, 1 object network.**'
    >>> networks_text(["scene", "untrained"])
    ''
    """
    names = list(names)
    kinds = {kind: sum(bool(re.match(f"{kind}(?![a-z])", name)) for name in names) for kind in PAIR}
    if not all(kinds.values()):
        return ""
    listed = ", ".join(f"{n} {kind} network{'s' * (n > 1)}" for kind, n in kinds.items())
    text = f"**Networks compared: {listed}.** The intervals are over {of}, not over networks"
    if max(kinds.values()) > 1:
        return f"{text}: how far networks of one kind differ from each other is the spread to compare with."
    return f"{text}: another training of the same kind, from another start, could differ by more."

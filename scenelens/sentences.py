"""Sentences that are computed from results: what a table says, with its n and its interval, in plain words.

The numbers differ from study to study, so the prose of a notebook must not state them. A notebook calls a
function ``describe_...``, which returns `Sentences`: text made from a table at the moment it is shown. This
module has the parts that all of them share, such as how a share, an interval or a comparison is written.

Names of classes, objects, folders, files and people come from outside, and may contain anything. `one_line`
makes any of them one line of visible text, for figures and widgets too; `named` makes it text of a sentence,
and `Sentences` lets no HTML, link or formula through to the notebook.

>>> text = f"The scene network: {share_text(0.4, 0.31, 0.5, 100)}."
>>> print(Sentences(text))
The scene network: 40% (95% interval 31–50%, n = 100).
"""

from __future__ import annotations

import math
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
    """Return a share as whole per cent; "0%" and "100%" only where it is none or all.

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
    >>> percent(1995 / 2000), percent(1.0), percent(1 / 2000)
    ('99.8%', '100%', '0.05%')
    """
    if share != share:
        return "–"
    rest = min(abs(share), abs(1 - share))  # of nothing, or of all
    decimals = 0 if rest > 0.005 or rest < 1e-9 else math.ceil(-math.log10(100 * rest))
    return f"{100 * share:.{decimals}f}%"


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
    return f"{percent(low).removesuffix('%')}–{percent(high)}"


def share_text(share: float, low: float, high: float, n: int) -> str:
    """Return a share with its interval and its n; without one where all cases were counted.

    Parameters
    ----------
    share : float
        In 0..1, or NaN.
    low : float
        The lower end of its 95% interval; equal to the share where all cases there are were counted.
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
    >>> share_text(0.4, 0.4, 0.4, 100)
    '40% of all 100'
    """
    if low == share == high:
        return f"{percent(share)} of all {n:,}"
    return f"{percent(share)} (95% interval {interval(low, high)}, n = {n:,})"


def difference_text(
    first: float,
    second: float,
    interval: tuple[float, float],
    names: tuple[str, str] = ("the first", "the second"),
    n: int | tuple[int, int] | None = None,
    unit: str = "points",
    more: str = "higher",
    narrow: float | None = 0.05,
    brief: bool = False,
) -> str:
    """Say which of two numbers is higher and by how much, with the interval of their difference.

    The one function that words a comparison. A difference is claimed where its interval leaves out 0; the
    higher number is named first then. Where the interval holds 0, "no difference is shown": that is not yet
    equality. The two are called "about equal" only where the whole interval is nearer to 0 than `narrow`.

    Parameters
    ----------
    first : float
        The first number: in 0..1 where the unit is "points", else in that unit. NaN where it is unknown.
    second : float
        The second number.
    interval : tuple of float
        The 95% interval of first - second, in the numbers' own unit, as `intervals.difference_interval` and
        `intervals.paired_difference_interval` give it; NaN where there is none.
    names : tuple of str, optional
        What the two numbers are of, as it stands within a sentence, such as "the scene network".
    n : int or tuple of int, optional
        The number of cases: one for pairs, two for independent shares; left out of the text by default.
    unit : str, optional
        "points" (default: hundredths, for shares and whatever else lies in 0..1), such as "px", or "".
    more : str, optional
        What the higher number is: "higher" (default), "larger", "better".
    narrow : float, optional
        The smallest difference that matters, in the numbers' own unit (default 0.05, which is 5 points);
        None where nobody can say, and then nothing is called equal.
    brief : bool, optional
        Whether to leave out the two numbers and n, which stand beside the clause already (default False).

    Returns
    -------
    str
        A clause without a full stop. It begins in lower case, or as the first name does.

    Examples
    --------
    >>> both = "the scene network", "the object network"
    >>> print(difference_text(0.21, 0.53, (-0.43, -0.2), both, 128))  # doctest: +NORMALIZE_WHITESPACE
    the object network is 32 points higher than the scene network (53% against 21%, n = 128; 95% interval of
    the difference 20 to 43 points)
    >>> print(difference_text(0.53, 0.51, (-0.1, 0.14), both))  # doctest: +NORMALIZE_WHITESPACE
    no difference is shown between the scene network and the object network (53% against 51%; 95% interval of
    the difference −10 to 14 points)
    >>> difference_text(37.5, 37.9, (-1, 0.2), both, unit="px", narrow=2).split(" (")[0]
    'the scene network and the object network are about equal'
    """
    low, high = interval
    one, other = names
    if high < 0:
        first, second, low, high, one, other = second, first, -high, -low, other, one
    numbers = [percent(x) if unit == "points" else _amounts("", x) for x in (first, second)]
    shown = f"{numbers[0]} against {numbers[1]}" + (f" {unit}" if unit not in ("", "points") else "")
    shown = "" if brief else shown + ("; " if n is None else f", n = {_cases(n)}; ")
    if not low <= high:  # an end is NaN
        return f"{one} and {other} cannot be compared ({shown}too few cases for an interval)"
    if low > 0:
        said = f"{one} is {_amounts(unit, first - second)} {more} than {other}"
    elif narrow is not None and max(-low, high) < narrow:
        said = f"{one} and {other} are about equal"
    else:
        said = f"no difference is shown between {one} and {other}"
    return f"{said} ({shown}95% interval of the difference {_amounts(unit, low, high)})"


def _amounts(unit: str, *amounts: float) -> str:
    """Differences with their unit; as many digits as are needed to tell them from 0.

    >>> _amounts("points", -0.1, 0.004), _amounts("px", 27.4), _amounts("points", 0.01), _amounts("", -0.13)
    ('−10 to 0.4 points', '27.4 px', '1 point', '−0.13')
    """
    said = [_point(100 * each) if unit == "points" else number(each) for each in amounts]
    text = " to ".join(said).replace("-", "−")
    return f"{text} {'point' if text == '1' and unit == 'points' else unit}".rstrip()


def _point(points: float) -> str:
    return f"{points:.0f}" if abs(points) >= 0.95 or not points else f"{points:.1g}"


def _cases(n: int | tuple[int, int]) -> str:
    if isinstance(n, tuple):
        return f"{n[0]:,} each" if n[0] == n[1] else f"{n[0]:,} and {n[1]:,}"
    return f"{n:,}"


def networks_text(names: Iterable[str], of: str = "images") -> str:
    """Say how many scene and object networks are compared, and what their number leaves open.

    Parameters
    ----------
    names : iterable of str
        The networks' names in the study; "scene_2" is a second scene network.
    of : str, optional
        What the intervals are over: "images" (default) or "units".

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
    text = f"**Networks compared: {listed}.** "
    if of == "units":
        text += (
            "All units of a layer are counted, so a share of them has no interval. That of a difference is "
            "as if the units were drawn from all that such a training would make. "
        )
    text += f"The intervals are over {of}, not over networks"
    if max(kinds.values()) > 1:
        return f"{text}: how far networks of one kind differ from each other is the spread to compare with."
    return f"{text}: another training of the same kind, from another start, could differ by more."

"""Checks for the workbook's exercises: is an answer right? If it is wrong, they give a hint.

The right answer of an exercise nearly always depends on the study. The caller computes it from the results
that the notebook shows, and the check compares. A hint never contains the answer. A wrong answer of any type
gives a verdict and no exception.

How an answer is written does not matter: case, spaces, punctuation, British or American spelling, and the
form of a number are removed before the comparison (see `_plain`).
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable

from scenelens.errors import CannotAnswerError
from scenelens.sentences import Sentences, named

#: Words that may stand before an answer and add nothing to it.
_LEADS = {"a", "an", "the", "it", "because"}

#: American spellings and the British ones that they are read as. A pattern meets text without spaces.
_BRITISH = {
    "aluminum": "aluminium",
    "airplane": "aeroplane",
    "armor": "armour",
    "behavior": "behaviour",
    "catalog(?!ue)": "catalogue",
    "center": "centre",
    "color": "colour",
    "favorite": "favourite",
    "fiber": "fibre",
    "flavor": "flavour",
    "gray": "grey",
    "harbor": "harbour",
    "jewelry": "jewellery",
    "mold": "mould",
    "neighbor": "neighbour",
    "parlor": "parlour",
    "theater": "theatre",
}

#: Why there is no right answer where the study's own result is NaN.
_UNDEFINED = (
    "what it asks for is not defined here. A layer or unit that responds equally to all images is one cause; "
    "the notebook's table names it."
)

_PER_CENT = re.compile(r"\s*(%|per\s?cent)$")
_GROUPED = re.compile(r"[-+]?[1-9]\d{0,2}([,_' ])\d{3}(\1\d{3})*(\.\d+)?")  # 1,376 and 1 376.5
_DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+")
_DECIMAL = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?")
_UNIT = re.compile(r"(?:(?P<layer>.+?)\s*[:\s]\s*)?(?P<unit>\d+)")


class Verdict(Sentences):
    """What a check says: a text to show, and whether the answer was right.

    Attributes
    ----------
    right : bool
        Whether the answer was right; False for an exercise without an answer.
    """

    right: bool = False

    @classmethod
    def of(cls, right: bool, text: str) -> Verdict:
        """A verdict with its mark before the text.

        Parameters
        ----------
        right : bool
            Whether the answer was right.
        text : str
            What to say about it.

        Returns
        -------
        Verdict
            The text with ✅ or ❌ before it.
        """
        verdict = cls(("✅ " if right else "❌ ") + text)
        verdict.right = right
        return verdict

    @classmethod
    def unanswered(cls) -> Verdict:
        """The verdict on an exercise that the reader has not answered yet.

        Returns
        -------
        Verdict
            It says so; `right` is False.
        """
        return cls("✏️ Not answered yet: put your answer in place of the dots.")


def check_number(
    answer: object, expected: float, tolerance: float = 0.0, hint: str = "", share: bool = False
) -> Verdict:
    """Whether a number is right within a tolerance, which is in the number's own unit.

    Parameters
    ----------
    answer : object
        What the reader found: a number, or text that holds one, such as ``"1,376"`` or ``"35%"``. `...` or
        None counts as not answered yet.
    expected : float
        The right value.
    tolerance : float, optional
        The largest difference that still counts as right; 0 (the default) demands the exact value, up to
        rounding of floats.
    hint : str, optional
        Shown after a wrong answer.
    share : bool, optional
        Whether the answer is a fraction in 0..1. It is always taken for one if `expected` lies between 0 and
        1; an `expected` of 0 or 1 itself could be a count.

    Returns
    -------
    Verdict
        A fraction may be given in per cent if the answer says so, as ``"35%"`` does. A bare 35 is wrong, and
        the text says which form is expected.

    Examples
    --------
    >>> check_number(131, 131)
    '✅ Right: 131.'
    >>> check_number("35 %", 0.35).right
    True
    >>> check_number(35, 0.35)
    '❌ Nearly: 35 is in per cent. Give the fraction between 0 and 1, which is 0.35.'
    >>> check_number(67, 131, hint="Count the strides of all the layers below.").right
    False
    >>> check_number(..., 131)
    '✏️ Not answered yet: put your answer in place of the dots.'
    """
    if answer is None or answer is ...:
        return Verdict.unanswered()
    if not math.isfinite(expected):
        raise CannotAnswerError(_UNDEFINED)
    number = _number(answer)
    if number is None:
        return Verdict.of(False, f"The answer is a number, and {answer!r} is not one.")
    share = share or 0 < expected < 1
    if not share and isinstance(answer, str) and _PER_CENT.search(_trimmed(answer)):
        return Verdict.of(False, _with_hint("The answer is a plain number, not per cent.", hint))
    if _close(number, expected, tolerance):
        return Verdict.of(True, f"Right: {number:g}.")
    # 35 for 0.35 is the right number in the wrong form. The text says so, because a "too high" would mislead.
    if share and expected > 0 and _close(number / 100, expected, tolerance):
        form = f"Give the fraction between 0 and 1, which is {number / 100:g}."
        return Verdict.of(False, f"Nearly: {number:g} is in per cent. {form}")
    if share and 1 < number <= 100:
        form = f"The answer is a fraction between 0 and 1, not per cent; {number / 100:g}"
        return Verdict.of(False, _with_hint(f"{form} is {_side(number / 100, expected)}.", hint))
    return Verdict.of(False, _with_hint(f"{number:g} is {_side(number, expected)}.", hint))


def check_choice(answer: object, expected: object, choices: Iterable[object], hint: str = "") -> Verdict:
    """Whether the right one of a few names was chosen, however it is spelled (see `_plain`).

    Parameters
    ----------
    answer : object
        The name that the reader chose, with or without an article, "it" or "because" in front.
    expected : object
        The right one of the choices.
    choices : iterable of object
        All names to choose from, in any order. An answer that is none of them gets their list in alphabetical
        order: the caller's order may be a ranking, which would give the answer away.
    hint : str, optional
        Shown after a wrong choice.

    Returns
    -------
    Verdict
        Right, wrong, or a request to choose one of the names.

    Examples
    --------
    >>> check_choice("The Scene.", "scene", ["scene", "object"])
    '✅ Right: scene.'
    >>> check_choice("both", "scene", ["scene", "object"])
    '❌ Choose one of: object, scene.'
    >>> check_choice("object", "scene", ["scene", "object"], hint="Look at the deepest layer.")
    '❌ Not object. Look at the deepest layer.'
    """
    if answer is None or answer is ...:
        return Verdict.unanswered()
    # In this order: a name in full, then without "the" on the reader's side, then without it on the
    # exercise's side.
    names = {_plain(choice): str(choice) for choice in choices}
    shorter = {_without_lead(name): name for name in names.values()}
    name = names.get(_plain(answer)) or names.get(_without_lead(answer)) or shorter.get(_without_lead(answer))
    if name is None:
        listed = sorted(names.values(), key=lambda one: (one.casefold(), one))
        return Verdict.of(False, f"Choose one of: {', '.join(map(named, listed))}.")
    if _plain(name) == _plain(expected):
        return Verdict.of(True, f"Right: {named(name)}.")
    return Verdict.of(False, _with_hint(f"Not {named(name)}.", hint))


def _unit_number(answer: object, layer: str) -> int | None:
    """The unit of a layer that an answer names: 74, "74", "pool5:74", "unit 74" or ("pool5", 74).

    Parameters
    ----------
    answer : object
        What the reader gave.
    layer : str
        The layer that the exercise is about.

    Returns
    -------
    int or None
        The unit's number, from 0; None if the answer names no unit, or one of another layer.

    Examples
    --------
    >>> _unit_number("pool5:74", "pool5"), _unit_number(74.0, "pool5"), _unit_number("conv4:74", "pool5")
    (74, 74, None)
    """
    number = _number(answer)
    if number is not None:
        return int(number) if number.is_integer() and number >= 0 else None
    if isinstance(answer, (tuple, list)) and len(answer) == 2:
        answer = f"{answer[0]}:{answer[1]}"
    found = _UNIT.fullmatch(re.sub(r"\bunit\b\s*", "", _trimmed(answer)))
    if found is None or _plain(found["layer"] or layer) != _plain(layer):
        return None
    return int(found["unit"])


def _plain(answer: object) -> str:
    """An answer as text, without differences that do not matter.

    These are case, the encoding of accents, spaces, underscores, hyphens, quotation marks around it,
    punctuation after it, and British or American spelling. A number is the same as a number or as text, with
    thousands grouped or not, as a fraction or in per cent.

    Examples
    --------
    >>> _plain(" Art_gallery. "), _plain("One color"), _plain("Pool5 : 74")
    ('artgallery', 'onecolour', 'pool5:74')
    >>> _plain(5.0), _plain(" 5 "), _plain("1,376"), _plain("35 %"), _plain(0.35)
    ('5', '5', '1376', '0.35', '0.35')
    """
    number = _number(answer)
    if number is not None:
        return str(int(number)) if number.is_integer() else f"{number:.12g}"
    text = re.sub(r"[\s_-]", "", _trimmed(answer))
    for american, british in _BRITISH.items():
        text = re.sub(american, british, text)
    return text


def _without_lead(answer: object) -> str:
    """The plain form of an answer without the words before it that add nothing; at least one word stays."""
    words = re.split(r"[\s_-]+", _trimmed(answer))
    while len(words) > 1 and words[0] in _LEADS:
        words = words[1:]
    return _plain(" ".join(words)) if isinstance(answer, str) else _plain(answer)


def _trimmed(answer: object) -> str:
    """An answer's text in lower case, without quotation marks around it and punctuation after it."""
    # NFKC, because the same accented letter can be one character or two, depending on the keyboard.
    text = unicodedata.normalize("NFKC", str(answer)).casefold().replace("\N{MINUS SIGN}", "-")
    return text.strip().strip("\"'`“”‘’").rstrip(".,;:!?").strip().strip("\"'`“”‘’")


def _number(answer: object) -> float | None:
    """The finite number that an answer is or that its text holds, per cent as a fraction; otherwise None."""
    if isinstance(answer, (bool, bytes)):
        return None
    try:
        number = _number_in(answer) if isinstance(answer, str) else float(answer)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _number_in(answer: str) -> float:
    """The number in a text; ValueError if there is none."""
    text = _trimmed(answer)
    if _PER_CENT.search(text):
        return _number_in(_PER_CENT.sub("", text)) / 100
    if _GROUPED.fullmatch(text):
        text = re.sub(r"[,_' ]", "", text)
    elif _DECIMAL_COMMA.fullmatch(text):
        text = text.replace(",", ".")
    if not _DECIMAL.fullmatch(text):
        raise ValueError(f"no number: {answer!r}")
    return float(text)


def _close(number: float, expected: float, tolerance: float) -> bool:
    return math.isclose(number, expected, rel_tol=1e-9, abs_tol=max(tolerance, 1e-12))


def _side(number: float, expected: float) -> str:
    return "too high" if number > expected else "too low"


def _with_hint(text: str, hint: str) -> str:
    return f"{text} {hint}".strip()

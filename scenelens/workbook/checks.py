"""Checks for the workbook's exercises: right or wrong at once, with a hint that keeps the answer.

An exercise's answer is nearly always a number or a name that depends on the study, so a check gets the right
answer from the same results, computes nothing of its own, and compares. Answers that must not be read off the
notebook's page are kept as the SHA-256 of their plain form.

A check never raises on a wrong answer: it says so. It raises only where it cannot compare at all.

How an answer is written does not matter: every check reads it as `plain` does.
"""

from __future__ import annotations

import hashlib
import math
import re
import unicodedata
from collections.abc import Callable, Iterable

from scenelens.sentences import Sentences

#: Words that may stand in front of an answer and add nothing to it.
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

_PER_CENT = re.compile(r"\s*(%|per\s?cent)$")
_GROUPED = re.compile(r"[-+]?[1-9]\d{0,2}([,_' ])\d{3}(\1\d{3})*(\.\d+)?")  # 1,376 and 1 376.5
_DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+")
_DECIMAL = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?")
_UNIT = re.compile(r"(?:(?P<layer>.+?)\s*[:\s]\s*)?(?P<unit>\d+)")


class Verdict(Sentences):
    """What a check says: text to show, and `right`, whether the answer was right."""

    right: bool = False

    @classmethod
    def of(cls, right: bool, text: str) -> Verdict:
        """A verdict with its mark in front of the text."""
        verdict = cls(("✅ " if right else "❌ ") + text)
        verdict.right = right
        return verdict

    @classmethod
    def unanswered(cls) -> Verdict:
        """What an exercise says before the reader has touched it."""
        return cls("✏️ Not answered yet: put your answer in place of the dots.")


def check_number(
    answer: object, expected: float, tolerance: float = 0.0, hint: str = "", share: bool = False
) -> Verdict:
    """Whether a number is right to within a tolerance (in the number's own units).

    Parameters
    ----------
    answer : object
        What the reader found: a number, or text that holds one, such as ``"1,376"`` or ``"35%"``. `...` or
        None counts as not answered yet.
    expected : float
        The right value.
    tolerance : float
        How far off still counts; 0 asks for the exact value (up to rounding of floats).
    hint : str
        Shown beside a wrong answer.
    share : bool
        Whether a fraction in 0..1 is asked for. An `expected` between 0 and 1 is always taken for one; 0 and
        1 themselves could be counts.

    Returns
    -------
    Verdict
        A share may be given in per cent if the answer says so, as ``"35%"`` does. A bare 35 is refused, and
        told which form is expected.

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
    number = _number(answer)
    if number is None:
        return Verdict.of(False, f"A number is asked for, and {answer!r} is not one.")
    share = share or 0 < expected < 1
    if not share and isinstance(answer, str) and _PER_CENT.search(_trimmed(answer)):
        return Verdict.of(False, _with_hint("A plain number is asked for, not a per cent.", hint))
    if _close(number, expected, tolerance):
        return Verdict.of(True, f"Right: {number:g}.")
    if share and expected > 0 and _close(number / 100, expected, tolerance):
        form = f"Give the fraction between 0 and 1, which is {number / 100:g}."
        return Verdict.of(False, f"Nearly: {number:g} is in per cent. {form}")
    if share and 1 < number <= 100:
        form = f"A fraction between 0 and 1 is asked for, not a per cent; {number / 100:g}"
        return Verdict.of(False, _with_hint(f"{form} is {_side(number / 100, expected)}.", hint))
    return Verdict.of(False, _with_hint(f"{number:g} is {_side(number, expected)}.", hint))


def check_choice(answer: object, expected: object, choices: Iterable[object], hint: str = "") -> Verdict:
    """Whether one of a few names was chosen rightly, however it is spelled (see `plain`).

    Parameters
    ----------
    answer : object
        The name that the reader chose, with or without an article, "it" or "because" in front.
    expected : object
        The right one of the choices.
    choices : iterable of object
        All names to choose from, in any order. A refusal lists them in alphabetical order, so that nothing
        can be read off it when the caller's order is a ranking.
    hint : str
        Shown beside a wrong choice.

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
    names = {plain(choice): str(choice) for choice in choices}
    shorter = {_without_lead(name): name for name in names.values()}
    name = names.get(plain(answer)) or names.get(_without_lead(answer)) or shorter.get(_without_lead(answer))
    if name is None:
        listed = sorted(names.values(), key=lambda one: (one.casefold(), one))
        return Verdict.of(False, f"Choose one of: {', '.join(listed)}.")
    if plain(name) == plain(expected):
        return Verdict.of(True, f"Right: {name}.")
    return Verdict.of(False, _with_hint(f"Not {name}.", hint))


def check_hash(answer: object, digest: str, hint: str = "") -> Verdict:
    """Whether a word or a whole number is the one whose hash is given; the same for every study.

    Parameters
    ----------
    answer : object
        A word or a whole number, however it is spelled (see `plain`).
    digest : str
        `answer_hash` of the right answer.
    hint : str
        Shown beside a wrong answer.

    Examples
    --------
    >>> check_hash("Receptive field", answer_hash("receptive_field")).right
    True
    >>> check_hash(4, answer_hash(5), hint="Count again.")
    '❌ Not 4. Count again.'
    """
    if answer is None or answer is ...:
        return Verdict.unanswered()
    if answer_hash(answer) == digest:
        return Verdict.of(True, f"Right: {answer}.")
    return Verdict.of(False, _with_hint(f"Not {answer}.", hint))


def check_by(answer: object, accept: Callable[[object], bool], hint: str = "") -> Verdict:
    """Whether an answer has the property asked for, where many answers are right.

    Parameters
    ----------
    answer : object
        What the reader found.
    accept : callable
        Takes the answer; whether it is right. Of text that holds a number, the number is tried as well. One
        that fails on the answer (another type, out of range) counts it as wrong.
    hint : str
        Shown beside a wrong answer.

    Examples
    --------
    >>> check_by("14", lambda unit: unit % 7 == 0).right
    True
    >>> check_by("seven", lambda unit: unit % 7 == 0, hint="Give a number.")
    '❌ Not seven. Give a number.'
    """
    if answer is None or answer is ...:
        return Verdict.unanswered()
    number = _number(answer) if isinstance(answer, str) else None
    right = _accepted(answer, accept)
    if number is not None and not right:
        right = _accepted(int(number) if number.is_integer() else number, accept)
    return Verdict.of(right, f"Right: {answer}." if right else _with_hint(f"Not {answer}.", hint))


def _accepted(answer: object, accept: Callable[[object], bool]) -> bool:
    try:
        return bool(accept(answer))
    except Exception:
        return False


def answer_hash(answer: object) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of an answer's plain form, without a leading article.

    Examples
    --------
    >>> answer_hash("Art gallery") == answer_hash("the art_gallery")
    True
    """
    return hashlib.sha256(_without_lead(answer).encode()).hexdigest()[:16]


def unit_number(answer: object, layer: str) -> int | None:
    """The unit of a layer that an answer names: 74, "74", "pool5:74", "unit 74" or ("pool5", 74).

    Parameters
    ----------
    answer : object
        What the reader gave.
    layer : str
        The layer that the unit is asked for in.

    Returns
    -------
    int or None
        The unit's number, from 0; None if the answer names no unit, or one of another layer.

    Examples
    --------
    >>> unit_number("pool5:74", "pool5"), unit_number(74.0, "pool5"), unit_number("conv4:74", "pool5")
    (74, 74, None)
    """
    number = _number(answer)
    if number is not None:
        return int(number) if number.is_integer() and number >= 0 else None
    if isinstance(answer, (tuple, list)) and len(answer) == 2:
        answer = f"{answer[0]}:{answer[1]}"
    found = _UNIT.fullmatch(re.sub(r"\bunit\b\s*", "", _trimmed(answer)))
    if found is None or plain(found["layer"] or layer) != plain(layer):
        return None
    return int(found["unit"])


def plain(answer: object) -> str:
    """An answer without what does not matter in it.

    That is: case, the encoding of accents, spaces, underscores, hyphens, quotation marks around it and
    punctuation after it, and whether a word is spelled in the British or in the American way. A number is the
    same as a number or as text, with thousands grouped or not, as a fraction or in per cent.

    Examples
    --------
    >>> plain(" Art_gallery. "), plain("One color"), plain("Pool5 : 74")
    ('artgallery', 'onecolour', 'pool5:74')
    >>> plain(5.0), plain(" 5 "), plain("1,376"), plain("35 %"), plain(0.35)
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
    """The plain form of an answer without the words in front of it that add nothing; never empty by this."""
    words = re.split(r"[\s_-]+", _trimmed(answer))
    while len(words) > 1 and words[0] in _LEADS:
        words = words[1:]
    return plain(" ".join(words)) if isinstance(answer, str) else plain(answer)


def _trimmed(answer: object) -> str:
    """An answer's text in lower case, without what may stand around it."""
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
    """The number that a text holds. ValueError: it holds none."""
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

"""Checks for the workbook's exercises: right or wrong at once, with a hint that keeps the answer.

An exercise's answer is nearly always a number or a name that depends on the study, so a check gets the right
answer from the same results, computes nothing of its own, and compares. Answers that must not be read off the
notebook's page are kept as the SHA-256 of their plain form.

A check never raises on a wrong answer: it says so. It raises only where it cannot compare at all.
"""

from __future__ import annotations

import hashlib
import math
import unicodedata
from collections.abc import Callable, Iterable

from scenelens.readings import Reading


class Verdict(Reading):
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


def check_number(answer: object, expected: float, tolerance: float = 0.0, hint: str = "") -> Verdict:
    """Whether a number is right to within a tolerance (in the number's own units).

    Parameters
    ----------
    answer : what the reader found; `...` or None counts as not answered yet.
    expected : the right value.
    tolerance : how far off still counts; 0 asks for the exact value (up to rounding of floats).
    hint : shown beside a wrong answer.

    Examples
    --------
    >>> check_number(131, 131)
    '✅ Right: 131.'
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
    if math.isclose(number, expected, rel_tol=1e-9, abs_tol=max(tolerance, 1e-12)):
        return Verdict.of(True, f"Right: {number:g}.")
    if math.isclose(number, 100 * expected, abs_tol=max(100 * tolerance, 1e-9)) and 0 < expected < 1:
        return Verdict.of(False, "Nearly: that is in per cent; give the fraction between 0 and 1.")
    side = "too high" if number > expected else "too low"
    return Verdict.of(False, _with_hint(f"{number:g} is {side}.", hint))


def check_choice(answer: object, expected: object, choices: Iterable[object], hint: str = "") -> Verdict:
    """Whether one of a few names was chosen rightly; case, spaces and underscores do not matter.

    Examples
    --------
    >>> check_choice("Scene", "scene", ["scene", "object"])
    '✅ Right: scene.'
    >>> check_choice("both", "scene", ["scene", "object"])
    '❌ Choose one of: scene, object.'
    >>> check_choice("object", "scene", ["scene", "object"], hint="Look at the deepest layer.")
    '❌ Not object. Look at the deepest layer.'
    """
    names = {plain(choice): str(choice) for choice in choices}
    if answer is None or answer is ...:
        return Verdict.unanswered()
    if plain(answer) not in names:
        return Verdict.of(False, f"Choose one of: {', '.join(names.values())}.")
    if plain(answer) == plain(expected):
        return Verdict.of(True, f"Right: {names[plain(answer)]}.")
    return Verdict.of(False, _with_hint(f"Not {names[plain(answer)]}.", hint))


def check_hash(answer: object, digest: str, hint: str = "") -> Verdict:
    """Whether a word or a whole number is the one whose hash is given; the same for every study.

    Parameters
    ----------
    answer : a word or a whole number; case, spaces, underscores and hyphens do not matter.
    digest : `answer_hash` of the right answer.

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

    An `accept` that fails on the answer (another type, out of range) counts as a wrong answer.

    Examples
    --------
    >>> check_by(14, lambda unit: unit % 7 == 0).right
    True
    >>> check_by("seven", lambda unit: unit % 7 == 0, hint="Give a number.")
    '❌ Not seven. Give a number.'
    """
    if answer is None or answer is ...:
        return Verdict.unanswered()
    try:
        right = bool(accept(answer))
    except Exception:
        right = False
    return Verdict.of(right, f"Right: {answer}." if right else _with_hint(f"Not {answer}.", hint))


def answer_hash(answer: object) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of an answer's plain form.

    Examples
    --------
    >>> answer_hash("Art gallery") == answer_hash("art_gallery")
    True
    """
    return hashlib.sha256(plain(answer).encode()).hexdigest()[:16]


def plain(answer: object) -> str:
    """An answer without what does not matter: case, accents' encoding, spaces, underscores, hyphens.

    Examples
    --------
    >>> plain(" Art_gallery "), plain(5.0), plain(5)
    ('artgallery', '5', '5')
    """
    number = _number(answer)
    if number is not None and number.is_integer():
        return str(int(number))
    text = unicodedata.normalize("NFKC", str(answer)).casefold()
    return "".join(ch for ch in text if ch not in " _-\t\n")


def _number(answer: object) -> float | None:
    if isinstance(answer, (bool, str, bytes)):
        return None
    try:
        number = float(answer)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _with_hint(text: str, hint: str) -> str:
    return f"{text} {hint}".strip()

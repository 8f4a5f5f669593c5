"""What a claim of the paper is, what a study finds about it, and how a verdict follows from that.

A `_Claim` is a sentence of the paper with its numbers, a rule in words, and a function that applies the rule.
What the function finds is a `_Finding`: pairs of numbers, the paper's and ours, and the outcome by each rule
that was tried: True (the claim holds), False (it does not) or None (the data leave it open). The verdict
follows from the outcomes alone (`_verdict`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from scenelens.paper import PAIR
from scenelens.sentences import interval, number, percent

HOLDS, DIFFERS = "holds", "differs"
DEPENDS, UNTESTED = "depends on the rule", "cannot be tested here"
VERDICTS = (DIFFERS, DEPENDS, HOLDS, UNTESTED)  # what differs is said first

#: The section of claims that are not the paper's.
LATER = "later"
#: Units of the numbers: shares are kept as fractions, and shown in per cent.
SHARE, PIXELS, PLAIN = "share", "px", ""


@dataclass(frozen=True)
class _Number:
    """One number of the paper, and ours.

    Attributes: `what` it is of; `paper` (NaN where the paper gives none); `ours` with its 95% interval `low`
    and `high` (NaN where there is none); `unit`, one of SHARE, PIXELS and PLAIN; `n`, what it was counted on.
    """

    what: str
    paper: float
    ours: float
    low: float = math.nan
    high: float = math.nan
    unit: str = SHARE
    n: str = ""

    @property
    def inside(self) -> bool | None:
        """Whether the paper's number lies inside our interval; None without one of them."""
        if any(value != value for value in (self.paper, self.low, self.high)):
            return None
        return bool(self.low <= self.paper <= self.high)

    def shown(self, value: float) -> str:
        """A value in the number's unit, such as '40%'; '–' where there is none."""
        if value != value:
            return "–"
        if self.unit == SHARE:
            return percent(value)
        return f"{number(value)} px" if self.unit == PIXELS else f"{value:.2f}"

    @classmethod
    def of_share(cls, what: str, paper: float, row: Any, n: str) -> _Number:
        """A share with its interval, as the rows of tables have it: ``share``, ``low``, ``high``."""
        return cls(what, paper, row.share, row.low, row.high, SHARE, n)

    @property
    def between(self) -> str:
        """The interval, such as '31–50%'; '' where there is none."""
        if self.low != self.low or self.high != self.high or self.low == self.high:
            return ""
        if self.unit == SHARE:
            return interval(self.low, self.high)
        return f"{self.shown(self.low)} to {self.shown(self.high)}"


@dataclass(frozen=True)
class _Finding:
    """What a study says about a claim.

    Attributes: `outcomes`, rule in words -> True, False or None; `numbers`; `cases`, such as {"image": 500};
    `text`, a sentence on what the numbers do not say, such as what differs although the claim holds; `fair`
    and `why`: whether like is compared with like, and the reason; `untested`: why no outcome is given,
    although there are numbers.
    """

    outcomes: Mapping[str, bool | None]
    numbers: tuple[_Number, ...] = ()
    cases: Mapping[str, int] = field(default_factory=dict)
    text: str = ""
    fair: bool = True
    why: str = ""
    untested: str = ""


@dataclass(frozen=True)
class _Claim:
    """One claim of the paper.

    Attributes: `key`, a short name that never changes; `section` of the paper, or LATER; `about`, what it is
    about in a few words; `text`, the claim; `rule`, how the verdict is found; `look`, the notebook and its
    heading; `judge`, the function that finds; `networks`, the kinds whose trainings it is about ('the paper'
    for published data).
    """

    key: str
    section: str
    about: str
    text: str
    rule: str
    look: tuple[str, str]
    judge: Callable[[Any], _Finding]
    networks: tuple[str, ...] = PAIR

    @property
    def link(self) -> str:
        """Where to look: the address of a heading, which JupyterLab and the workbook's pages understand."""
        notebook, heading = self.look
        return f"{notebook}.ipynb#{heading.replace(' ', '-')}"

    @property
    def place_to_look(self) -> str:
        """The notebook's number and its heading, such as '03.1 What scenes keep'."""
        notebook, heading = self.look
        found = re.match(r"\d+(_\d+)?(?=_)", notebook)
        return f"{found[0].replace('_', '.') if found else notebook} {heading}"


def _n(count: float, what: str) -> str:
    """A count with its noun.

    >>> _n(1, "box"), _n(2, "box"), _n(4000, "image"), _n(24, "category")
    ('1 box', '2 boxes', '4,000 images', '24 categories')
    """
    if count != 1:
        what = f"{what[:-1]}ies" if what.endswith("y") else f"{what}{'es' if what.endswith('x') else 's'}"
    return f"{int(count):,} {what}"


def _verdict(outcomes: Iterable[bool | None]) -> str:
    """The verdict that follows from the outcomes by all rules.

    >>> _verdict([True, True]), _verdict([False])
    ('holds', 'differs')
    >>> _verdict([True, False]), _verdict([True, None])
    ('depends on the rule', 'depends on the rule')
    >>> _verdict([None]), _verdict([])
    ('cannot be tested here', 'cannot be tested here')
    """
    found = set(outcomes)
    if found <= {None}:
        return UNTESTED
    if len(found) > 1:
        return DEPENDS
    return HOLDS if found == {True} else DIFFERS


def _every(parts: Iterable[bool | None]) -> bool | None:
    """Whether all parts of a claim hold: False where one does not, else None where one is open.

    >>> _every([True, True]), _every([True, None]), _every([None, False])
    (True, None, False)
    """
    found = list(parts)
    if False in found:
        return False
    return None if None in found or not found else True


def _above_zero(low: float, high: float) -> bool | None:
    """Whether a difference is positive, by its interval: None where the interval contains 0 or is unknown.

    >>> _above_zero(0.1, 0.2), _above_zero(-0.2, -0.1), _above_zero(-0.1, 0.1), _above_zero(math.nan, 1.0)
    (True, False, None, None)
    """
    return True if low > 0 else False if high < 0 else None


def _all_inside(numbers: Iterable[_Number]) -> bool | None:
    """Whether the paper's number lies inside our interval, for all numbers that have both; None for none.

    >>> one = _Number("a", 0.5, 0.4, 0.3, 0.6)
    >>> _all_inside([one, _Number("b", math.nan, 0.4)]), _all_inside([one, _Number("c", 0.9, 0.4, 0.3, 0.6)])
    (True, False)
    """
    known = [one.inside for one in numbers if one.inside is not None]
    return all(known) if known else None


@dataclass(frozen=True)
class _Row:
    """A claim with what a study finds: a `finding`, or the `reason` why there is none.

    `trainings`: a table of further trainings, see `judge_claims`; None without any.
    """

    place: int
    claim: _Claim
    finding: _Finding | None
    reason: str = ""
    networks: Mapping[str, int] = field(default_factory=dict)
    trainings: pd.DataFrame | None = None

    @property
    def verdict(self) -> str:
        """One of VERDICTS."""
        return UNTESTED if self.finding is None else _verdict(self.finding.outcomes.values())

    @property
    def why_not(self) -> str:
        """Why the claim cannot be tested; '' where it can."""
        if self.verdict != UNTESTED:
            return ""
        if self.reason or not self.finding or self.finding.untested:
            return self.reason or (self.finding.untested if self.finding else "")
        return "these data leave it open: an interval on which the verdict rests allows for both answers."

    @property
    def cases(self) -> str:
        """On what the numbers rest: images, units and networks."""
        counts = dict(self.finding.cases) if self.finding else {}
        parts = [_n(n, what) for what, n in counts.items()]
        trained = {kind: self.networks.get(kind, 0) for kind in self.claim.networks}
        parts += [_n(n, f"{kind} network") for kind, n in trained.items() if n]
        if self.claim.networks == ("the paper",):
            parts.append("the paper's own networks, one of each kind")
        return ", ".join(parts)

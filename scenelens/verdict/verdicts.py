"""All verdicts on one study: the claims are judged one after the other, and shown as cards or as a table."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

from scenelens.errors import CannotAnswerError, SceneLensError, close_names
from scenelens.paper import PAIR
from scenelens.sentences import Sentences, one_line
from scenelens.studies import Study
from scenelens.verdict import section_2, section_3, section_4, section_later
from scenelens.verdict.claims import (
    DEPENDS,
    DIFFERS,
    HOLDS,
    LATER,
    PLAIN,
    UNTESTED,
    VERDICTS,
    _Claim,
    _Finding,
    _n,
    _Number,
    _Row,
)  # fmt: skip
from scenelens.verdict.results import _Results
from scenelens.verdict.sentences import _conclude, _describe
from scenelens.verdict.trainings import _checked, _of_package

_MARKS = {HOLDS: "✓", DIFFERS: "≠", DEPENDS: "⇄", UNTESTED: "–"}  # so that no verdict is a colour alone
_SECTIONS = {
    "2": "Two networks",
    "3.1": "Minimal images",
    "3.2": "Receptive fields",
    "3.3": "What a unit means",
    "4.1": "Which objects emerge",
    "4.2": "Localization",
    LATER: "Later studies by some of the same authors",
}
_CLAIMS: tuple[_Claim, ...] = tuple(
    sorted(
        (*section_2.CLAIMS, *section_3.CLAIMS, *section_4.CLAIMS, *section_later.CLAIMS),
        key=lambda claim: list(_SECTIONS).index(claim.section),
    )
)
_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("scenelens.verdict"), autoescape=True, trim_blocks=True, lstrip_blocks=True
)


def judge_claims(study: Study, trainings: pd.DataFrame | None = None) -> Verdicts:
    """Judge the paper's claims on a study, each by its own rule, from the results of the other notebooks.

    Nothing is measured here that another notebook does not show; what they have cached is read.

    Parameters
    ----------
    study : Study
        The open study.
    trainings : pandas.DataFrame, optional
        What further trainings gave, one row per network and claim: ``claim`` (a key of `Verdicts.table`),
        ``network`` ('scene' or 'object'), ``seed`` and ``value``. The card of that claim then says from where
        to where the values of each kind go. By default the tables that come with the package
        (`scenelens.seeds`) for the embedded study, and nothing for any other.

    Returns
    -------
    Verdicts
        One row per claim.

    Raises
    ------
    SceneLensError
        If `trainings` lacks a column, or names an unknown claim.
    """
    further = _of_package(study) if trainings is None else _checked(trainings, [one.key for one in _CLAIMS])
    results, counts = _Results.of(study), _networks(study)
    rows = []
    for place, claim in enumerate(_CLAIMS, start=1):
        own = further[further.claim == claim.key]
        finding, reason = _judged(claim, results)
        rows.append(_Row(place, claim, finding, reason, counts, own if len(own) else None))
    return Verdicts(study.title, tuple(rows))


def _judged(claim: _Claim, results: _Results) -> tuple[_Finding | None, str]:
    """What a claim's rule finds, or why it finds nothing."""
    try:
        return claim.judge(results), ""
    except CannotAnswerError as why:
        return None, str(why)


def _networks(study: Study) -> dict[str, int]:
    """How many networks of each kind the study has; "scene_2" is a second scene network."""
    return {kind: sum(bool(re.match(f"{kind}(?![a-z])", name)) for name in study.networks) for kind in PAIR}


@dataclass(frozen=True)
class Verdicts:
    """The verdict on each of the paper's claims, on one study; made by `judge_claims`.

    Attributes
    ----------
    study : str
        The study's title.
    rows : tuple
        One row per claim, in the order of the paper.
    """

    study: str
    rows: tuple[_Row, ...]

    @property
    def table(self) -> pd.DataFrame:
        """One row per claim.

        Columns: ``place`` (from 1), ``key``, ``section``, ``claim``, ``verdict``, ``fair`` (bool; None where
        nothing was compared), ``why`` (of `fair`), ``reason`` (why it cannot be tested, else ''), ``cases``,
        ``rule``, ``outcomes`` (rule -> True, False or None) and ``link``.
        """
        return pd.DataFrame([_as_record(row) for row in self.rows])

    @property
    def numbers(self) -> pd.DataFrame:
        """One row per number: ``place``, ``verdict``, ``what``, ``paper``, ``ours``, ``low``, ``high``,
        ``unit``, ``n``; shares are fractions."""
        names = ["place", "verdict", "what", "paper", "ours", "low", "high", "unit", "n"]
        found = [
            (row.place, row.verdict, one.what, one.paper, one.ours, one.low, one.high, one.unit, one.n)
            for row in self.rows
            if row.finding
            for one in row.finding.numbers
        ]
        return pd.DataFrame(found, columns=names)

    def count(self, verdict: str) -> int:
        """How many claims have a verdict.

        Parameters
        ----------
        verdict : str
            One of the four verdicts.

        Returns
        -------
        int
            Their number.
        """
        return sum(row.verdict == verdict for row in self.rows)

    def describe(self) -> Sentences:
        """Say which claims differ, depend on the rule, hold and were not tested; what differs first.

        Returns
        -------
        Sentences
            A list in Markdown.
        """
        return _describe(self.rows)

    def conclude(self) -> Sentences:
        """Say what the verdicts amount to, and what limits all of them.

        Returns
        -------
        Sentences
            One paragraph in Markdown.
        """
        return _conclude(self.rows)

    def cards(self, *sections: str) -> _Cards:
        """The claims as cards, grouped by section.

        Parameters
        ----------
        *sections : str
            Sections of the paper, such as '3.1' (default all).

        Returns
        -------
        _Cards
            What a notebook shows.

        Raises
        ------
        SceneLensError
            If no claim is of such a section.
        """
        for section in sections:
            if section not in _SECTIONS:
                raise SceneLensError(f"no section {section!r}; {close_names(section, _SECTIONS)}.")
        wanted = sections or tuple(_SECTIONS)
        return _Cards(tuple(row for row in self.rows if row.claim.section in wanted))


def _as_record(row: _Row) -> dict[str, Any]:
    finding, claim = row.finding, row.claim
    return {
        "place": row.place,
        "key": claim.key,
        "section": claim.section,
        "claim": claim.text,
        "verdict": row.verdict,
        "fair": finding.fair if finding else None,
        "why": finding.why if finding else "",
        "reason": row.why_not,
        "cases": row.cases,
        "rule": claim.rule,
        "outcomes": dict(finding.outcomes) if finding else {},
        "link": claim.link,
    }


@dataclass(frozen=True)
class _Cards:
    """Claims as cards: the paper's numbers beside ours, the verdict and the rule behind it.

    Attributes
    ----------
    rows : tuple
        The rows of some claims.
    """

    rows: tuple[_Row, ...]

    def _repr_html_(self) -> str:
        groups = [
            (_heading(section), [_card(row) for row in self.rows if row.claim.section == section])
            for section in _SECTIONS
        ]
        style = Path(__file__).with_name("cards.css").read_text(encoding="utf-8")
        page = _TEMPLATES.get_template("cards.html.j2")
        return page.render(style=Markup(style), groups=[group for group in groups if group[1]])

    def __str__(self) -> str:
        return "\n".join(line for row in self.rows for line in _lines(row))

    __repr__ = __str__


def _heading(section: str) -> str:
    return _SECTIONS[section] if section == LATER else f"Section {section} · {_SECTIONS[section]}"


def _card(row: _Row) -> dict[str, Any]:
    """What the template shows of a row; it escapes all of it."""
    finding = row.finding if row.verdict != UNTESTED or (row.finding and row.finding.numbers) else None
    outcomes = finding.outcomes if finding else {}
    return {
        "place": row.place,
        "kind": VERDICTS.index(row.verdict),
        "mark": _MARKS[row.verdict],
        "verdict": row.verdict,
        "claim": row.claim,
        "reason": one_line(row.why_not, 600),
        "numbers": [_cells(one) for one in finding.numbers] if finding else [],
        "with_paper": any(one.paper == one.paper for one in finding.numbers) if finding else False,
        "with_interval": any(one.between for one in finding.numbers) if finding else False,
        "text": one_line(finding.text, 600) if finding and row.verdict != UNTESTED else "",
        "fair": finding.fair if finding else None,
        "why": finding.why if finding else "",
        "cases": row.cases if finding else "",
        "outcomes": [(one_line(rule), _said(held)) for rule, held in outcomes.items()]
        if len(outcomes) > 1
        else [],
        "trainings": _trainings(row),
    }


def _cells(one: Any) -> tuple[str, str, str, str, str]:
    return one_line(one.what), one.shown(one.paper), one.shown(one.ours), one.between, one_line(one.n)


def _said(held: bool | None) -> str:
    return {True: "holds", False: "does not hold", None: "open"}[held]


def _trainings(row: _Row) -> str:
    """From where to where the values of further trainings go, kind by kind."""
    if row.trainings is None:
        return ""
    unit = row.finding.numbers[0].unit if row.finding and row.finding.numbers else PLAIN
    parts = []
    for kind, own in row.trainings.groupby("network", sort=False):
        ends = (
            _Number("", math.nan, value, unit=unit).shown(value)
            for value in (own.value.min(), own.value.max())
        )
        parts.append(f"{_n(own.seed.nunique(), f'{kind} network')} from {' to '.join(ends)}")
    return f"Further trainings, from other random starts: {', '.join(parts)}."


def _lines(row: _Row) -> Iterable[str]:
    """A row as plain lines."""
    card = _card(row)
    # One sentence with the claim's number in it: two claims may lack the same thing.
    because = f", because {card['reason']}" if card["reason"] else "."
    yield f"{row.place} ({row.claim.about}): {row.verdict}{because}"
    for what, theirs, ours, between, n in card["numbers"]:
        yield (
            f"  {what}: the paper {theirs}, here {ours}"
            + (f" ({between})" if between else "")
            + f" {n}".rstrip()
        )
    yield from (f"  {rule}: {said}." for rule, said in card["outcomes"])
    yield from (f"  {text}" for text in (card["text"], card["trainings"]) if text)

"""Claims about why detectors emerge and what units are for: the paper's *because*, and two later studies."""

from __future__ import annotations

import math

import pandas as pd

from scenelens import paper
from scenelens.errors import CannotAnswerError
from scenelens.intervals import bca_interval
from scenelens.interventions import ablation_curve, balanced_accuracies
from scenelens.retraining import because_tests
from scenelens.verdict.claims import LATER, PLAIN, SHARE, _above_zero, _Claim, _Finding, _n, _Number
from scenelens.verdict.results import _Results

_NOTEBOOK = "05_what_makes_them_emerge"
_FEWEST_CATEGORIES = 5
#: Question and measure of `because_tests` -> the rule and what it counts, in words.
_RULES = {
    ("diagnosticity", "units"): "units, when diagnosticity changes",
    ("diagnosticity", "ap"): "AP, when diagnosticity changes",
    ("difference", "units"): "units, more than by frequency",
    ("difference", "ap"): "AP, more than by frequency",
    ("objects", "detectors"): "detectors, where objects tell nothing",
    ("objects", "ap"): "mean AP, where objects tell nothing",
}


def _because(results: _Results) -> _Finding:
    tables = results.retrained()
    tests = because_tests(tables)
    known = tests[tests.n > 0]
    if known.empty:
        raise CannotAnswerError("no network of an edited world has been measured yet.")
    numbers = tuple(_comparison(row) for _, row in known.iterrows())
    missing = len(tests) - len(known)
    text = (
        "Changes in the direction that the claim expects: of an object in units or AP, or of all detectors."
    )
    if missing:
        text += f" {missing} of {len(tests)} comparisons are missing: their networks are not measured."
    return _Finding(
        outcomes={one.what: _above_zero(one.low, one.high) for one in numbers},
        numbers=numbers,
        cases={"network": len(tables.networks)},
        text=text,
        fair=False,
        why="the paper infers it from a correlation; here each cause is changed alone, in a small rendered "
        "world and networks of a quarter of the width",
    )


def _comparison(row: pd.Series) -> _Number:
    """One comparison of `because_tests`."""
    n = _n(row.n, "network" if row.question == "objects" else "object")
    unit = SHARE if row.measure == "detectors" else PLAIN
    return _Number(_RULES[row.question, row.measure], math.nan, row["mean"], row.low, row.high, unit, n)


def _single_units(results: _Results) -> _Finding:
    found = results.ablation()
    curve = ablation_curve(found)
    row = curve[(curve.way == "effect") & (curve.k == 1) & (curve.whose == "own")].iloc[0]
    lost = found.right.astype(float) - found.right_of[found.rows("single").index].mean(0)
    values = {
        "own class, without its most important unit": (row.change, row.low, row.high),
        "more than without another class's unit": (row.apart, row.apart_low, row.apart_high),
        "all classes, without any one unit": (lost.mean(), *bca_interval(lost)),
    }
    n = _n(row.n, "image")
    return _Finding(
        outcomes={"own class more than others": _above_zero(row.apart_low, row.apart_high)},
        numbers=tuple(_Number(what, math.nan, *ends, SHARE, n) for what, ends in values.items()),
        cases={"image": int(row.n), "unit": found.n_units, "category": int(row.categories)},
        text="By how much accuracy falls. Other images chose the units than those that judge.",
        fair=False,
        why="the study looks at the classes that fall farthest, of hundreds, and gives no mean over all",
    )


def _twenty_units(results: _Results) -> _Finding:
    found = results.ablation()
    table = balanced_accuracies(found)
    if len(table) < _FEWEST_CATEGORIES:
        raise CannotAnswerError(
            f"categories that can lose 20 units of {found.layer} are too few here for a mean ({len(table)})."
        )
    n, ends = (
        f"{len(table)} categories",
        {one: bca_interval(table[one].to_numpy()) for one in ("before", "after")},
    )
    without = _Number(
        "without the class's 20 units", paper.WITHOUT_TWENTY, table.after.mean(), *ends["after"], SHARE, n
    )
    whole = _Number("whole network", math.nan, table.before.mean(), *ends["before"], SHARE, n)
    own, theirs = 100 * 20 / found.n_units, 100 * 20 / paper.TWENTY_OF
    rest = f"{100 * table.rest.mean():.1f}".replace("-", "−")
    return _Finding(
        outcomes={"mean balanced accuracy": without.low <= paper.WITHOUT_TWENTY},
        numbers=(without, whole),
        cases={"image": len(found.images), "unit": found.n_units, "category": len(table)},
        text=f"Chance is 50%. The accuracy of all other images falls by {rest} points.",
        fair=False,
        why=f"20 units are {own:.0f}% of the layer here and {theirs:.0f}% in the study, of a network with "
        "365 classes",
    )


CLAIMS = (
    _Claim(
        "because", "4.1", "Why objects emerge",
        "Objects emerge because they tell scenes apart.",
        "Holds if each comparison's interval lies above 0: an object gains when it comes to tell a scene, by "
        "more than when its frequency changes, and there are fewer detectors where objects tell nothing.",
        (_NOTEBOOK, "What the interventions say"), _because, (),
    ),
    _Claim(
        "single-units", LATER, "Single units (Zhou et al. 2018)",
        "The loss of a single unit hurts some classes, and not the accuracy over all.",
        "Holds if images of a class lose more without its own most important unit than without that of "
        "another class, by the interval of the difference.",
        (_NOTEBOOK, "Whose units?"), _single_units, ("scene",),
    ),
    _Claim(
        "twenty-units", LATER, "Twenty units (Bau et al. 2020)",
        "Without the 20 units that matter most to a class, it is told from all others with a balanced "
        "accuracy of 53.0% on average, hardly above chance.",
        "Holds if our interval over classes reaches down to 53.0% or below it.",
        (_NOTEBOOK, "Whose units?"), _twenty_units, ("scene",),
    ),
)  # fmt: skip

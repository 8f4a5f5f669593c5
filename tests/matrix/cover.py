"""Which studies to try: a few in which every value of one factor meets every value of each other factor."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

#: What studies differ in -> the values that are tried; `small_studies` says what each of them means.
FACTORS: dict[str, tuple[str, ...]] = {
    "networks": ("two", "one", "three", "no object network"),
    "annotations": ("scenes", "flat", "none", "listed", "two sets"),
    "photographs": ("plain", "no objects", "one category", "flat folders", "12 images", "3 annotated"),
    "architecture": ("caffenet", "resnet18", "efficientnet_b0", "swin_t"),
}
#: Two values that cannot be in one study -> why.
IMPOSSIBLE: dict[frozenset[tuple[str, str]], str] = {
    frozenset({("annotations", "none"), ("photographs", "3 annotated")}): (
        "a study without annotations has no annotated photographs, not three"
    ),
}


def pairwise(
    factors: Mapping[str, Sequence[str]] = FACTORS,
    impossible: Mapping[frozenset[tuple[str, str]], str] = IMPOSSIBLE,
) -> list[dict[str, str]]:
    """Choose cases so that each value meets each value of every other factor in at least one of them.

    The greedy choice: as long as a pair of values is missing, the case with the most missing pairs is taken,
    the first one of equals. It is the same in every run.
    """
    cases = [
        dict(zip(factors, values, strict=True))
        for values in itertools.product(*factors.values())
        if not _pairs(dict(zip(factors, values, strict=True))) & set(impossible)
    ]
    missing = set().union(*map(_pairs, cases))
    chosen = []
    while missing:
        best = max(cases, key=lambda case: len(_pairs(case) & missing))
        chosen.append(best)
        missing -= _pairs(best)
    return chosen


def _pairs(case: Mapping[str, str]) -> set[frozenset[tuple[str, str]]]:
    return {frozenset(pair) for pair in itertools.combinations(case.items(), 2)}

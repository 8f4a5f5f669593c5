"""The verdicts in sentences: what differs first, and what all of it amounts to."""

from __future__ import annotations

from collections.abc import Sequence

from scenelens.sentences import Sentences, named, percent
from scenelens.verdict.claims import DEPENDS, DIFFERS, HOLDS, LATER, UNTESTED, _Row

_INTROS = {
    DIFFERS: "**Differs from the paper**",
    DEPENDS: "**Depends on the rule**",
    HOLDS: "**Holds**",
    UNTESTED: "**Not tested here**",
}


def _describe(all_rows: Sequence[_Row]) -> Sentences:
    """Which claims differ, depend on the rule, hold and were not tested; what differs first."""
    lines = []
    for verdict, intro in _INTROS.items():
        rows = [row for row in all_rows if row.verdict == verdict]
        if rows:
            listed = "; ".join(_in_a_word(row) for row in rows)
            lines.append(f"- {intro}, {len(rows)} of {len(all_rows)}: {listed}.")
    return Sentences("\n".join(lines))


def _in_a_word(row: _Row) -> str:
    """A claim's number and subject, with the pair of numbers that is farthest apart."""
    text = f"{row.place} {row.claim.about[:1].lower()}{row.claim.about[1:]}"
    pairs = [one for one in row.finding.numbers if one.paper == one.paper] if row.finding else []
    if row.verdict != DIFFERS or not pairs:
        return text
    outside = [one for one in pairs if one.inside is False] or pairs
    one = max(outside, key=lambda pair: abs(pair.paper - pair.ours))
    return f"{text} ({named(one.what)}: the paper {one.shown(one.paper)}, here {one.shown(one.ours)})"


def _conclude(rows: Sequence[_Row]) -> Sentences:
    """What the verdicts amount to, and what limits all of them."""
    counts = {verdict: sum(row.verdict == verdict for row in rows) for verdict in (HOLDS, DIFFERS, DEPENDS)}
    tested, total = sum(counts.values()), len(rows)
    if not tested:
        return Sentences(
            f"**None of the {total} claims can be tested here.** Each card says what is missing."
        )
    later = sum(row.claim.section == LATER for row in rows)
    whose = f"the paper's {total} claims" if not later else (
        f"{total} claims, {total - later} of the paper and {later} of later studies,"
    )  # fmt: skip
    fair = [row for row in rows if row.verdict in counts and row.finding and row.finding.fair]
    fair_holds = sum(row.verdict == HOLDS for row in fair)
    text = (
        f"**Of {whose} {tested} can be tested here: {counts[DIFFERS]} "
        f"differ{_s(counts[DIFFERS])}, {counts[DEPENDS]} depend{_s(counts[DEPENDS])} on the rule, and "
        f"{counts[HOLDS]} hold{_s(counts[HOLDS])}.** "
        f"In {len(fair)} of the {tested} like is compared with like, and of these {fair_holds} "
        f"hold{_s(fair_holds)}{f' ({percent(fair_holds / len(fair))})' if fair else ''}. {_limit(rows)}"
    )
    return Sentences(text)


def _s(count: int) -> str:
    """The ending of a verb after a count.

    >>> [f"{n} hold{_s(n)}" for n in (1, 2)]
    ['1 holds', '2 hold']
    """
    return "s" if count == 1 else ""


def _limit(rows: Sequence[_Row]) -> str:
    """How many networks the verdicts rest on, and what that leaves open."""
    counts = rows[0].networks
    listed = " and ".join(f"{n} {kind} network{'s' * (n != 1)}" for kind, n in counts.items() if n)
    further = sum(row.trainings.seed.nunique() for row in rows if row.trainings is not None)
    if further:
        return (
            f"The intervals are over the images or units of {listed}. Where further trainings were measured, "
            "their card says how far they spread, and a statement about training needs that spread."
        )
    if not listed:
        return "No network here is called 'scene' or 'object', so nothing is said about training on either."
    if max(counts.values()) > 1:
        return f"All of it rests on {listed}: compare the networks of one kind with each other first."
    return (
        f"All of it rests on {listed}, each trained once. The intervals are over images, units or objects. "
        "Another training of the same kind, from another start, could change a verdict, and no interval here "
        "says how easily. So these are verdicts about these networks, and hints about training on scenes."
    )

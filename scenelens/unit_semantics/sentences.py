"""Section 3.3 in sentences: what labels say, with n and interval, computed at the moment they are shown."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from scenelens.errors import CannotAnswerError, SceneLensError
from scenelens.intervals import (
    bootstrap_interval,
    difference_interval,
    wilson_interval,
)
from scenelens.labels import UNIT, Agreement, current, merge, score_student
from scenelens.sentences import (
    Sentences,
    difference_text,
    interval,
    named,
    networks_text,
    number,
    percent,
    share_text,
)
from scenelens.unit_semantics.sources import MEASURE_WORDS, LabelSet
from scenelens.unit_semantics.tables import counts_by_rule, level_counts


def describe_agreement(labels: LabelSet) -> Sentences:
    """How often people agree on the type of a unit, per network, with Krippendorff's alpha.

    Parameters
    ----------
    labels : LabelSet
        Answers of several people; the deepest layer of each network is used.

    Returns
    -------
    Sentences
        A list in Markdown.

    Raises
    ------
    CannotAnswerError
        If the set is empty.
    """
    labels.need()
    lines = []
    for network in labels.networks:
        found = Agreement.of(labels.of(network))
        if not found.n_units:
            lines.append(f"{named(network)} network: no unit has two answers yet.")
            continue
        agreed = round(found.unanimous * found.n_units)
        share = share_text(found.unanimous, *wilson_interval(agreed, found.n_units), found.n_units)
        alpha = f"Krippendorff's alpha {found.alpha:.2f} (95% interval {found.low:.2f} to {found.high:.2f})"
        where = f"{named(network)} network, {named(labels.deepest(network))}"
        lines.append(f"{where}: all agree on a unit's type in {share}; {alpha}.")
    head = (
        f"From {named(labels.name)}. Alpha is 1 where all agree, 0 where they agree no more than by chance."
    )
    return Sentences(head + "\n\n" + "\n".join(f"- {line}" for line in lines))


def describe_counts_by_rule(labels: LabelSet, kind: str = "object") -> Sentences:
    """How much the number of units of one type depends on the rule, and what holds by every rule.

    Parameters
    ----------
    labels : LabelSet
        Labels of two networks; the deepest layer of each is used.
    kind : str, optional
        The type (default 'object').

    Returns
    -------
    Sentences
        A list in Markdown.

    Raises
    ------
    SceneLensError
        If the type is unknown; CannotAnswerError if the set is empty or has one network only.
    """
    labels.need()
    if len(labels.networks) < 2:
        raise CannotAnswerError(
            f"{labels.name}: they are about one network only, {labels.networks[0]}, and a comparison needs "
            "two."
        )
    first, second = labels.networks[:2]
    table = counts_by_rule(labels, kind)
    if labels.labels.annotator.nunique() < 2:
        table = table[table.rule == "any"]  # with one answer per unit all rules give the same
    counts = table.pivot(index="rule", columns="network", values="n").loc[list(dict.fromkeys(table.rule))]
    lines = []
    for rule, row in counts.iterrows():
        name = f"by the rule *{rule}*: " if len(counts) > 1 else ""
        rows = table[table.rule == rule].set_index("network")
        compared = _units_compared(rows.loc[[first, second]])
        lines.append(
            f"- {name}**{row[first]}** in the {named(first)} network, **{row[second]}** in the "
            f"{named(second)} network; {compared}."
        )
    more = (counts[first] > counts[second]).sum()
    text = f"\n\nThe {named(first)} network has more by {more} of {len(counts)} rules."
    verdict = text if len(counts) > 1 else ""
    limit = networks_text((first, second), "units")
    verdict += f"\n\n{limit}" if limit else ""
    head = f"From {named(labels.name)}, units of the deepest layer that are of type {named(kind)}:\n\n"
    return Sentences(head + "\n".join(lines) + verdict)


def describe_levels(*sets: LabelSet, rule: str = "majority") -> Sentences:
    """Units of high meaning in the deepest layer, for several sources of labels.

    Parameters
    ----------
    *sets : LabelSet
        Labels to compare, such as those of this study and the paper's released answers.
    rule : str, optional
        How several answers become one, see `scenelens.labels.unit_types` (default 'majority').

    Returns
    -------
    Sentences
        A list in Markdown; sets that are empty are left out.

    Raises
    ------
    CannotAnswerError
        If all sets are empty.
    """
    lines = [_high(labels, rule) for labels in sets if labels]
    if not lines:
        raise CannotAnswerError(sets[0].missing)
    limit = networks_text(next(labels for labels in sets if labels).networks, "units")
    lines += [limit] if limit else []
    return Sentences("\n".join(f"- {line}" for line in lines))


def _high(labels: LabelSet, rule: str) -> str:
    """The share of units of high meaning in each network's deepest layer, and whether they differ."""
    table = level_counts(labels, rule)
    deepest = table[table.depth == table.groupby("network").depth.transform("max")]
    rows = deepest[deepest.level == "high"].set_index("network")
    shares = [
        f"{named(network)} network {share_text(row.share, row.low, row.high, int(row['of']))}"
        for network, row in rows.iterrows()
    ]
    name = named(labels.name)
    text = f"{name[:1].upper()}{name[1:]}, units of high meaning: {'; '.join(shares)}."
    if len(rows) > 1:
        compared = _units_compared(rows)
        text += f" {compared[:1].upper()}{compared[1:]}."
    return f"{text}{_counted_in_sample(labels, rule)} {labels.about}".strip()


def _units_compared(rows: pd.DataFrame) -> str:
    """By how much the first two networks' shares of units differ; a row, named so, has n and of."""
    (one, two), (k1, k2), (n1, n2) = rows.index[:2], rows.n.iloc[:2], rows["of"].iloc[:2]
    names = (f"the {named(one)} network", f"the {named(two)} network")
    ends = difference_interval(int(k1), int(n1), int(k2), int(n2))
    return difference_text(k1 / n1, k2 / n2, ends, names, (int(n1), int(n2)))


def _counted_in_sample(labels: LabelSet, rule: str) -> str:
    """What the same count would be on the images that chose the names, where these were not asked."""
    chosen = f"{labels.measure}_chosen"
    if chosen not in labels.labels:
        return ""
    before = labels.labels.assign(**{labels.measure: labels.labels[chosen]})
    table = level_counts(replace(labels, labels=before), rule)
    deepest = table[table.depth == table.groupby("network").depth.transform("max")]
    rows = deepest[deepest.level == "high"]
    shares = " and ".join(f"{percent(row.share)} ({named(row.network)})" for row in rows.itertuples())
    return f" On the images that chose the names it would be {shares}."


def describe_names(labels: LabelSet) -> Sentences:
    """How sure the names of automatic labels are, and what they are worth on other images, per network.

    Parameters
    ----------
    labels : LabelSet
        Of `automatic_set`; the deepest layer of each network is used.

    Returns
    -------
    Sentences
        A list in Markdown.

    Raises
    ------
    CannotAnswerError
        If the set is empty, or its labels are not automatic.
    """
    labels.need()
    if "same_name" not in labels.labels:
        raise CannotAnswerError(f"{labels.name}: no measure chose these names, so none can be judged again.")
    lines = [_sureness(labels, network) for network in labels.networks]
    return Sentences("\n".join(f"- {line}" for line in lines))


def _sureness(labels: LabelSet, network: str) -> str:
    """One network's line of `describe_names`."""
    rows, layer = labels.labels[labels.labels.network == network], labels.deepest(network)
    rows, of = rows[rows.layer == layer], labels.units[network, layer]
    if rows.empty:
        return f"{named(network)} network: no unit of {named(layer)} has a name."
    chosen, judged = rows[f"{labels.measure}_chosen"], rows[labels.measure]
    several = int((rows.names.map(len) > 1).sum())
    return (
        f"{named(network)} network, {named(layer)}, {len(rows)} of {of} units with a name: mean "
        f"{MEASURE_WORDS.get(labels.measure, labels.measure)} **{number(judged.mean())}** on images that did "
        f"not choose the name, {number(chosen.mean())} on those that did. Half of the images chooses the "
        f"same name as all of them in {percent(rows.same_name.mean())} of the cases. {several} of the "
        f"{len(rows)} have two or more names, because fewer than 95% of the halves agree on one."
    )


def compare_labels(
    people: LabelSet, machine: LabelSet, network: str = "scene", n: int = 8, seed: int = 0
) -> pd.DataFrame:
    """People's answers and automatic labels of the same units, for some random units of the deepest layer.

    Parameters
    ----------
    people : LabelSet
        People's answers.
    machine : LabelSet
        Automatic labels of the same units.
    network : str, optional
        'scene' (default) or 'object'.
    n : int, optional
        Number of units (default 8).
    seed : int, optional
        Seed of the random choice (default 0).

    Returns
    -------
    pandas.DataFrame
        One row per unit, one column per annotator, values "concept (type)".

    Raises
    ------
    CannotAnswerError
        If one of the sets is empty, or they are about different units.
    """
    people.need()
    machine.need()
    if people.about_paper != machine.about_paper:
        raise CannotAnswerError(
            f"{people.name} and {machine.name} are about different networks: a unit's number means another "
            "unit in each."
        )
    table = _side_by_side(people.of(network), machine.of(network))
    if table.empty:
        raise CannotAnswerError(f"{people.name} and {machine.name} are about different units.")
    drawn = table.sample(min(n, len(table)), random_state=seed).sort_index()
    return drawn.droplevel([0, 1]).droplevel("source", axis=1)


def describe_comparison(people: LabelSet, machine: LabelSet) -> Sentences:
    """How often an automatic label agrees with people's answers about the same unit, per network.

    Parameters
    ----------
    people : LabelSet
        People's answers.
    machine : LabelSet
        Automatic labels of the same units.

    Returns
    -------
    Sentences
        A list in Markdown.

    Raises
    ------
    CannotAnswerError
        If one of the sets is empty.
    """
    people.need()
    machine.need()
    lines = []
    for network in [name for name in people.networks if name in machine.networks]:
        own = machine.of(network)
        table = score_student(own, own.annotator[0], people.of(network))
        same = int((table.same_concept > 0).sum())
        share = share_text(same / len(table), *wilson_interval(same, len(table)), len(table))
        low, high = bootstrap_interval(table.shared.to_numpy())
        lines.append(
            f"{named(network)} network: the automatic concept shares a word with at least one person's in "
            f"{share}. Its type is that of {percent(table.shared.mean())} of the people "
            f"({interval(low, high)}); one person's is that of "
            f"{percent(table.expected.mean())} of the others."
        )
    return Sentences("\n".join(f"- {line}" for line in lines))


def describe_score(own: LabelSet, others: LabelSet, name: str = "", network: str = "") -> Sentences:
    """How one annotator's answers compare with others' about the same units.

    Parameters
    ----------
    own : LabelSet
        The set that contains the annotator's answers.
    others : LabelSet
        What they are compared with. If it is the same set, the annotator is compared with the others in it.
    name : str, optional
        The annotator's name. It may be left out where one person has answered.
    network : str, optional
        Compare only the deepest layer of this network, 'scene' or 'object' (default all labels).

    Returns
    -------
    Sentences
        Markdown; the reason where there are no answers to compare.

    Raises
    ------
    SceneLensError
        If a set has no labels of the network; CannotAnswerError if a set is empty.
    """
    own.need()
    others.need()
    mine, theirs = (one.of(network) if network else one.labels for one in (own, others))
    people = sorted(set(mine.annotator))
    if not name and len(people) > 1:
        several = ", ".join(map(named, people[:5])) + (" and others" if len(people) > 5 else "")
        return Sentences(f"Whose answers? {several} have answered: give the name that is in the form.")
    who = name or str(people[0])
    source = "the other annotators" if others is own else named(others.name)
    try:
        table = score_student(mine, who, theirs)
    except SceneLensError as error:
        return Sentences(f"Nothing to score: {error}")
    low, high = bootstrap_interval(table.shared.to_numpy())
    between = "" if high != high else f" ({interval(low, high)})"
    text = (
        f"**{named(who)}** compared with {source}, {len(table)} unit{'s' * (len(table) > 1)}: the type "
        f"agrees with {percent(table.shared.mean())} of the others' answers{between}"
    )
    if table.expected.notna().any():
        text += f"; one of them agrees with {percent(table.expected.mean())} of the rest"
    same = percent((table.same_concept > 0).mean())
    return Sentences(
        f"{text}. A word of the concept is shared with at least one of them in {same} of the units."
    )


def _side_by_side(*tables: pd.DataFrame) -> pd.DataFrame:
    """Compare the labels that several sources give the same units.

    Parameters
    ----------
    *tables : pandas.DataFrame
        Tables of answers; see `check_labels`.

    Returns
    -------
    pandas.DataFrame
        One row per unit that occurs in every table (index: network, layer, unit), one column per source and
        annotator. Values are "concept (type)", '' where a source has no answer.

    Examples
    --------
    >>> row = {"network": "scene", "layer": "pool5", "unit": 1, "concept": "bed", "type": "object"}
    >>> _side_by_side(pd.DataFrame([row | {"source": "A"}]), pd.DataFrame([row | {"source": "B"}])).shape
    (1, 2)
    """
    checked = [current(table) for table in tables]
    known = [set(zip(*(table[name] for name in UNIT), strict=True)) for table in checked]
    whole = merge(*checked)
    shared = [key in set.intersection(*known) for key in zip(*(whole[name] for name in UNIT), strict=True)]
    named = whole.assign(label=whole.concept + " (" + whole.type + ")")[np.array(shared, dtype=bool)]
    return named.pivot(index=UNIT, columns=["source", "annotator"], values="label").fillna("")

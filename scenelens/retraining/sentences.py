"""What networks of edited worlds and other tasks say, in sentences: what differs first, with n."""

from __future__ import annotations

import pandas as pd

from scenelens.errors import CannotAnswerError
from scenelens.installation import HERE
from scenelens.retraining.effects import because_tests, edit_effects, mean_effects, network_effects
from scenelens.retraining.plan import _plan
from scenelens.retraining.tables import RetrainingTables
from scenelens.sentences import Sentences, difference_text, named, percent, words

_CHANGED = {
    "diagnosticity": "Diagnosticity changed, frequency kept",
    "frequency": "Frequency changed, diagnosticity kept",
}
_TASKS = {
    "setting": "indoors or outdoors",
    "light": "time of day",
    "main_object": "object that covers most",
    "rotation": "how far it is turned",
    "scene": "scene category",
}
#: Measure -> what it is, in words, and the unit of its differences.
_OF_OBJECTS = {"units": ("units that detect the object", ""), "ap": ("AP of its best unit", "")}
_OF_NETWORKS = {"detectors": ("units that detect an object", "points"), "ap": ("mean AP of best units", "")}
_QUESTIONS = {
    "diagnosticity": "An object that comes to tell a scene gains, one that no longer tells it loses",
    "difference": "This is more than it gains or loses by its frequency",
    "objects": "Where objects tell nothing and something else tells the scenes, there are fewer detectors",
}


def _nothing_of(*kinds: str) -> str:
    """Why there is nothing to show of some kinds of networks.

    >>> _nothing_of("task").partition(".")[0]
    "no network of the kind 'task' has been measured"
    """
    listed = " or ".join(f"'{kind}'" for kind in kinds)
    command = HERE.call("interventions")
    return f"no network of the kind {listed} has been measured. {command} goes on with the rest."


def _name_of(network: pd.Series) -> str:
    """A network of a world with a cue, or of another task, in words."""
    return words(network.run) if network.kind == "cue" else _TASKS.get(network.task, words(network.task))


def describe_edits(tables: RetrainingTables) -> Sentences:
    """Say what the two interventions change of the edited objects.

    Parameters
    ----------
    tables : RetrainingTables
        Of `read_retraining`.

    Returns
    -------
    Sentences
        A list in Markdown.

    Raises
    ------
    CannotAnswerError
        If no edited world was measured.
    """
    effects = edit_effects(tables)
    if effects.empty:
        raise CannotAnswerError(_nothing_of(*_CHANGED))
    means = mean_effects(effects).set_index(["measure", "what"])
    lines = []
    for kind, text in _CHANGED.items():
        own = effects[effects.kind == kind]
        parts = [_edits_part(own[own.measure == one], means.loc[one, kind], one) for one in _OF_OBJECTS]
        if len(own):
            lines.append(f"**{text}**: {'; '.join(part for part in parts if part)}.")
    lines += [line for one in _OF_OBJECTS if (line := _more_of(means.loc[one, "difference"], one))]
    lines += [_noise(tables), *_missing(tables, *_CHANGED)]
    return Sentences("\n".join(f"- {line}" for line in lines))


def _edits_part(rows: pd.DataFrame, mean: pd.Series, measure: str) -> str:
    """One measure of one intervention: the mean change, and the objects that leave their band."""
    if rows.empty:
        return ""
    what, _ = _OF_OBJECTS[measure]
    text = f"{what}: {_moves(mean, measure)}"
    known = rows.dropna(subset=["low"])
    if len(known):
        outside = known[(known.value < known.low) | (known.value > known.high)]
        right = [named(words(one.object)) for one in outside.itertuples() if one.toward > 0]
        wrong = [named(words(one.object)) for one in outside.itertuples() if one.toward <= 0]
        text += f"; {len(outside)} of {len(known)} objects leave the band of the unchanged networks"
        listed = [f"as expected: {', '.join(right)}"] if right else []
        listed += [f"the other way: {', '.join(wrong)}"] if wrong else []
        text += f" ({'; '.join(listed)})" if listed else ""
    return text


def _moves(mean: pd.Series, measure: str) -> str:
    """By how much the objects move on average in the expected direction.

    >>> _moves(pd.Series({"mean": 1.5, "low": 0.5, "high": 2.5, "n": 6}), "units")
    'changed as expected, by 1.5 on average (95% interval 0.5 to 2.5, n = 6 objects)'
    """
    n = int(mean.n)
    size = _amount(mean["mean"], measure)
    if mean.low != mean.low:
        few = f"n = {n} object{'s' * (n != 1)}, too few for an interval"
        return f"changed by {size} in the expected direction ({few})"
    ends = f"95% interval {_amount(mean.low, measure)} to {_amount(mean.high, measure)}, n = {n} objects"
    if mean.low > 0:
        return f"changed as expected, by {size} on average ({ends})"
    if mean.high < 0:
        return f"changed against what is expected, by {size} on average ({ends})"
    return f"no change in the expected direction is shown, on average {size} ({ends})"


def _amount(value: float, measure: str) -> str:
    """A change with as many digits as its measure deserves, and a true minus, but none before zero.

    >>> _amount(-0.001, "ap"), _amount(-1.25, "units"), _amount(0.1, "detectors")
    ('0.00', '−1.2', '10')
    """
    digits, scale = {"units": (1, 1), "detectors": (0, 100)}.get(measure, (2, 1))
    text = f"{scale * value:.{digits}f}"
    return text.lstrip("-") if not float(text) else text.replace("-", "−")


def _more_of(mean: pd.Series, measure: str) -> str:
    """Whether diagnosticity moves the objects more than frequency does."""
    what, unit = _OF_OBJECTS[measure]
    if not mean.n:
        return ""
    if mean.low != mean.low:
        return f"**Which moves more** ({what}): one object has both interventions, too few for an interval."
    pair = ("changing diagnosticity", "changing frequency")
    said = difference_text(
        mean["mean"],
        0.0,
        (mean.low, mean.high),
        pair,
        int(mean.n),
        unit,
        more="more effective",
        narrow=None,
        brief=True,
    )
    return f"**Which moves more** ({what}, n = {int(mean.n)} objects, each with both interventions): {said}."


def _noise(tables: RetrainingTables) -> str:
    """What is compared with what, and how wide the bands are by their nature."""
    n = int((tables.networks.kind == "unchanged").sum())
    edited = int(tables.networks.kind.isin(list(_CHANGED)).sum())
    pair = f"{_counted(edited)} of edited worlds, one for each, and {_counted(n)} of the unchanged one"
    text = f"This rests on {pair}"
    if n < 2:
        return f"{text}. One network has no spread, so nothing says what chance alone changes."
    return (
        f"{text}, whose spread is the noise. From {n} networks of one kind a spread is known badly, so the "
        "bands are wide: a small effect on one object cannot be seen."
    )


def _counted(n: int) -> str:
    return f"{n} network{'s' * (n != 1)}"


def _missing(tables: RetrainingTables, *kinds: str) -> list[str]:
    """A line about the plan's networks that have not been measured; none where all were."""
    plan = [run for run in _plan() if run.kind in (*kinds, "unchanged")]
    left = [run.name for run in plan if run.name not in set(tables.networks.run)]
    if not left:
        return []
    return [
        f"Of the plan's {len(plan)} networks for this, {len(left)} {'is' if len(left) == 1 else 'are'} not "
        f"measured yet: {', '.join(map(named, left))}. {HERE.call('interventions')} goes on."
    ]


def describe_networks(tables: RetrainingTables, kind: str) -> Sentences:
    """Say how many detectors networks have whose world has another cue, or that were trained for another
    task.

    Parameters
    ----------
    tables : RetrainingTables
        Of `read_retraining`.
    kind : str
        'cue' or 'task', see `network_effects`.

    Returns
    -------
    Sentences
        A list in Markdown: what lies outside of the spread of the unchanged networks first.

    Raises
    ------
    CannotAnswerError
        If no network of this kind was measured.
    """
    effects = network_effects(tables, kind)
    if effects.empty:
        raise CannotAnswerError(_nothing_of(kind))
    own = tables.networks[tables.networks.kind == kind]
    lines = []
    for _, network in own.iterrows():
        rows = effects[effects.run == network.run].set_index("measure")
        apart = sum(bool(row.value < row.low or row.value > row.high) for row in rows.itertuples())
        lines.append((-apart, _network_line(network, rows)))
    first = _unchanged_line(effects)
    said = [line for _, line in sorted(lines, key=lambda pair: pair[0])]
    n = len(effects.before.iloc[0])
    limit = [] if n < 2 else [
        f"The range is a 95% prediction interval from {n} networks. It is wide, because so few say little "
        "about a spread."
    ]  # fmt: skip
    return Sentences("\n".join(f"- {line}" for line in [first, *said, *limit, *_missing(tables, kind)]))


def _unchanged_line(effects: pd.DataFrame) -> str:
    """What the networks of the unchanged world have, and where one more would lie."""
    rows = effects.drop_duplicates("measure").set_index("measure")
    n = len(rows.before.iloc[0])
    parts = []
    for measure, (what, _) in _OF_NETWORKS.items():
        if measure in rows.index:
            row = rows.loc[measure]
            more = (
                ""
                if row.low != row.low
                else f", one more would lie at {_value(row.low, measure)} to {_value(row.high, measure)}"
            )
            parts.append(f"{what} {_value(row.unchanged, measure)}{more}")
    return f"**Scenes of the unchanged world** ({_counted(n)}): {'; '.join(parts)}."


def _network_line(network: pd.Series, rows: pd.DataFrame) -> str:
    parts = []
    for measure, (what, _) in _OF_NETWORKS.items():
        if measure in rows.index:
            row = rows.loc[measure]
            chance = f", {_value(row.chance, measure)} by chance" if row.chance == row.chance else ""
            parts.append(f"{what} {_value(row.value, measure)} ({_where(row)}{chance})")
    right = network.held_out_right / network.held_out if network.held_out else float("nan")
    answers = f"; right {percent(right)} of {int(network.held_out):,}" if right == right else ""
    return f"**{named(_name_of(network))}**: {'; '.join(parts)}{answers}."


def _where(row: pd.Series) -> str:
    if row.low != row.low:
        return "no spread is known"
    if row.low <= row.value <= row.high:
        return "within the range"
    return "below the range" if row.value < row.low else "above the range"


def _value(value: float, measure: str) -> str:
    return percent(value) if measure == "detectors" else f"{value:.2f}"


def describe_because(tables: RetrainingTables) -> Sentences:
    """Say what the interventions say about the paper's sentence that objects emerge because they tell scenes.

    Parameters
    ----------
    tables : RetrainingTables
        Of `read_retraining`.

    Returns
    -------
    Sentences
        A list in Markdown, and a conclusion.
    """
    tests = because_tests(tables)
    lines, found = [], []
    for row in tests.to_dict("records"):
        if row["n"]:
            lines.append(_test_line(row))
            found.append(_answer(row))
    if not lines:
        raise CannotAnswerError(_nothing_of(*_CHANGED, "cue"))
    return Sentences("\n".join([*(f"- {line}" for line in lines), "", _conclusion(found, len(tests))]))


def _answer(row: dict) -> str:
    """Whether an interval speaks for or against the sentence, or leaves it open."""
    return "for" if row["low"] > 0 else "against" if row["high"] < 0 else "open"


def _test_line(row: dict) -> str:
    of_networks = row["question"] == "objects"
    what, unit = (_OF_NETWORKS if of_networks else _OF_OBJECTS)[row["measure"]]
    mean, low, high = (_amount(row[name], row["measure"]) for name in ("mean", "low", "high"))
    n = f"n = {row['n']} such networks" if of_networks else f"n = {row['n']} objects"
    ends = (
        f"95% interval {low} to {high}, {n}" if row["low"] == row["low"] else f"{n}, too few for an interval"
    )
    said = {"for": "yes", "against": "no, the opposite", "open": "not shown"}[_answer(row)]
    return f"{_QUESTIONS[row['question']]}: **{said}** ({what}: {mean} {unit}".rstrip() + f"; {ends})."


def _conclusion(found: list[str], planned: int) -> str:
    counts = {answer: found.count(answer) for answer in ("for", "against", "open")}
    said = (
        f"Of {len(found)} comparisons {counts['for']} speak{'s' * (counts['for'] == 1)} for the paper's "
        f"*because*, {counts['against']} against it, and {counts['open']} leave{'s' * (counts['open'] == 1)} "
        "it open."
    )
    if len(found) < planned:
        said += f" {planned - len(found)} more could not be made, since their networks are not measured."
    return f"**{said}** They are about this world and this size of network."

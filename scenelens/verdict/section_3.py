"""The claims of section 3: what an image is recognised by, what a unit sees, and what it stands for."""

from __future__ import annotations

import functools
import itertools
import math

import pandas as pd

from scenelens import paper
from scenelens.annotations import normalise_name
from scenelens.errors import CannotAnswerError
from scenelens.intervals import difference_interval
from scenelens.sentences import named, percent, words
from scenelens.unit_semantics import LabelSet, counts_by_rule, level_counts
from scenelens.verdict.claims import (
    PIXELS,
    SHARE,
    _above_zero,
    _all_inside,
    _Claim,
    _every,
    _Finding,
    _n,
    _Number,
)
from scenelens.verdict.results import _Results

_MINIMAL, _FIELDS, _MEANING = "03_1_minimal_images", "03_2_receptive_fields", "03_3_unit_semantics"
#: Rules by which a search for a minimal image ends, in words.
_STOPS = {"class": "class lost", "half": "half the score lost"}
_NEAR = 0.1  # share of the paper's number within which a whole layer's mean counts as the same
_THEORETICAL = {"pool1": 19, "pool2": 67, "conv4": 131, "pool5": 195}  # pixels, in the paper's networks
_SHOWN_CUTS = (0.5, 0.25, 0.1)  # of the shares at which a field may end, those whose sizes a card shows
_FEWEST = 5  # images with an object from which on its share is compared


# ---- 3.1


def _kept(results: _Results, category: str) -> _Finding:
    outcomes: dict[str, bool | None] = {}
    numbers: list[_Number] = []
    for rule, words_of_rule in _STOPS.items():
        found = _kept_numbers(results.retention(category, rule).table, category, words_of_rule)
        numbers += found
        outcomes[f"search ends with {words_of_rule}"] = _all_inside(found)
    if not numbers:
        raise CannotAnswerError(
            f"none of the paper's objects of this scene is on {_FEWEST} images here that the network "
            "recognises."
        )
    retention = results.retention(category, "class")
    blind = (
        retention.table.assign(name=_plain_names(retention.table)).drop_duplicates("name").set_index("name")
    )
    compared = list(dict.fromkeys(one.what.partition(",")[0] for one in numbers))
    missing = [name for name in paper.RETENTION[category] if name not in compared]
    said = ", ".join(f"{name} {percent(blind.by_chance[name])}" for name in compared)
    left = f" Not here, or on too few images: {', '.join(missing)}." if missing else ""
    return _Finding(
        outcomes=outcomes,
        numbers=tuple(numbers),
        cases={"image": len(retention.counted)},
        text=f"A random choice of as many segments would keep, by the first rule: {said}.{left}",
        why="the same count, on other images; only those that the network recognises",
    )


def _plain_names(table: pd.DataFrame) -> list[str]:
    return [normalise_name(one)[0] for one in table.object]


def _kept_numbers(table: pd.DataFrame, category: str, rule: str) -> list[_Number]:
    """The paper's objects that enough images show, by one rule of stopping."""
    named_rows = table.assign(name=_plain_names(table)).drop_duplicates("name").set_index("name")
    rows = {name: named_rows.loc[name] for name in paper.RETENTION[category] if name in named_rows.index}
    return [
        _Number.of_share(f"{name}, {rule}", paper.RETENTION[category][name], row, _n(row.n, "image"))
        for name, row in rows.items()
        if row.n >= _FEWEST
    ]  # fmt: skip


def _kept_claim(category: str) -> _Claim:
    place = words(category)
    shares = [f"the {name} in {percent(share)}" for name, share in paper.RETENTION[category].items()]
    return _Claim(
        f"kept-{category}", "3.1", f"What {place} images keep",
        f"Minimal images of the class {place} keep {', '.join(shares)}.",
        "Holds if each of the paper's shares lies inside our interval, for all objects on "
        f"{_FEWEST} images or more, by both rules of stopping.",
        (_MINIMAL, "What scenes keep"), functools.partial(_kept, category=category), ("scene",),
    )  # fmt: skip


# ---- 3.2


def _by_cut(results: _Results) -> dict[str, pd.DataFrame]:
    """Table 2 for each share of the maximum at which a field may end, the largest first."""
    table = results.sizes().sort_values(["network", "depth"], ascending=[False, True])
    return {f"ends at {percent(cut)}": rows for cut, rows in reversed(list(table.groupby("cut")))}


def _of_paper(rows: pd.DataFrame) -> pd.DataFrame:
    found = rows[rows.paper.notna()]
    if found.empty:
        raise CannotAnswerError("no layer here has the name and the geometry of one of the paper's Table 2.")
    return found


def _ends(row: pd.Series) -> tuple[float, float]:
    """The interval of a layer's mean size: of a layer whose units were all measured, the mean itself."""
    return (row["mean"], row["mean"]) if _whole(row) else (row.low, row.high)


def _whole(row: pd.Series) -> bool:
    return bool(row.n + row.silent >= row.units)


def _size(row: pd.Series) -> _Number:
    what = f"{row.layer}, ends at {percent(row.cut)}"
    return _Number(what, row.paper, row["mean"], *_ends(row), PIXELS, f"{row.n} of {_n(row.units, 'unit')}")


def _agrees(one: _Number) -> bool | None:
    """Whether a size agrees with the paper's: inside the interval, or, without one, near it."""
    if one.low == one.high:
        return bool(abs(one.ours - one.paper) <= _NEAR * one.paper)
    return one.inside


def _sizes(results: _Results) -> _Finding:
    tables = {rule: _of_paper(rows) for rule, rows in _by_cut(results).items()}
    numbers = {rule: [_size(row) for _, row in rows.iterrows()] for rule, rows in tables.items()}
    scene = [
        _size(row)
        for rows in tables.values()
        for _, row in rows[(rows.network == "scene") & rows.cut.isin(_SHOWN_CUTS)].iterrows()
    ]
    return _Finding(
        outcomes={rule: _every(map(_agrees, found)) for rule, found in numbers.items()},
        numbers=tuple(scene),
        cases={"unit": int(next(iter(tables.values())).n.sum())},
        text="The table shows the scene network, for three shares of the maximum at which a field may end.",
        fair=False,
        why="the paper does not say at which share of its maximum a field ends, and a smaller share "
        "gives larger fields",
    )


def _smaller(results: _Results) -> _Finding:
    outcomes, left = {}, []
    for rule, rows in _by_cut(results).items():
        ends = [_ends(row) for _, row in rows.iterrows()]
        parts = [
            _above_zero(row.theoretical - high, row.theoretical - low)
            for row, (low, high) in zip(rows.itertuples(), ends, strict=True)
        ]
        outcomes[rule] = _every(parts)
        left += [
            f"{named(row.layer)} of the {named(row.network)} network, if a field {rule}"
            for row, smaller in zip(rows.itertuples(), parts, strict=True)
            if smaller is False
        ]
    half = next(iter(_by_cut(results).values()))
    return _Finding(
        outcomes=outcomes,
        numbers=tuple(
            _Number(
                f"{row.layer}, {row.network} network", math.nan, row.share, unit=SHARE, n=_n(row.n, "unit")
            )
            for row in half.itertuples()
        ),
        cases={"unit": int(half.n.sum())},
        text=f"Mean size as a share of the theoretical one, if a field ends at {percent(half.cut.iloc[0])}."
        + (f" Larger than the theoretical size: {'; '.join(left)}." if left else ""),
        why="the same statement about other layers",
    )


def _falls(results: _Results) -> _Finding:
    outcomes: dict[str, bool | None] = {}
    texts: list[str] = []
    for rule, rows in _by_cut(results).items():
        parts = []
        for network, own in rows.groupby("network", sort=False):
            ends = [tuple(end / row.theoretical for end in _ends(row)) for _, row in own.iterrows()]
            parts += [
                _above_zero(low - after[1], high - after[0])
                for (low, high), after in itertools.pairwise(ends)
            ]
            if not outcomes:
                texts.append(f"{named(network)} network: {', '.join(percent(share) for share in own.share)}")
        if not parts:
            raise CannotAnswerError("one layer of each network is measured here, and a fall needs two.")
        outcomes[rule] = _every(parts)
    theirs = [paper.RF_SIZES[layer] / size for layer, size in _THEORETICAL.items()]
    return _Finding(
        outcomes=outcomes,
        cases={"unit": int(next(iter(_by_cut(results).values())).n.sum())},
        text=f"Shares from the first to the deepest layer, if a field {next(iter(outcomes))}: "
        f"{'; '.join(texts)}. In the paper: {', '.join(map(percent, theirs))}.",
        why="the order of the layers compares",
    )


def _alike(results: _Results) -> _Finding:
    results.need_pair()
    outcomes: dict[str, bool | None] = {}
    numbers: list[_Number] = []
    units = 0
    most = max(abs(paper.RF_SIZES[layer] - paper.RF_SIZES_OBJECT[layer]) for layer in paper.RF_SIZES)
    for rule, rows in _by_cut(results).items():
        table = _of_paper(rows).set_index(["network", "layer"])
        layers = [one for one in paper.RF_SIZES if all((name, one) in table.index for name in paper.PAIR)]
        if not layers:
            raise CannotAnswerError("no layer of the paper's Table 2 is measured in both networks here.")
        pairs = [[table.loc[(name, layer)] for name in paper.PAIR] for layer in layers]
        apart = [scene["mean"] - other["mean"] for scene, other in pairs]
        whole = all(_whole(row) for pair in pairs for row in pair)
        outcomes[rule] = max(map(abs, apart)) <= most if whole else None
        if not numbers:
            units = int(sum(row.n for pair in pairs for row in pair))
            numbers = [
                _Number(
                    f"{layer}, scene less object", scene.paper - other.paper, ours, unit=PIXELS,
                    n=_n(scene.n + other.n, "unit"),
                )
                for layer, (scene, other), ours in zip(layers, pairs, apart, strict=True)
            ]  # fmt: skip
    return _Finding(
        outcomes=outcomes,
        numbers=tuple(numbers),
        cases={"unit": units},
        text=f"The paper's largest difference is {most:.1f} px. The table is for a field that "
        f"{next(iter(outcomes))}.",
        why="the same cut for both networks",
        untested="only some units of each layer were measured, too few to compare means by a pixel."
        if set(outcomes.values()) == {None}
        else "",
    )


# ---- 3.3


def _high_meaning(results: _Results) -> _Finding:
    results.need_pair()
    live = results.live()
    live.need()
    deepest = _deepest_levels(live, "high")
    difference = difference_interval(*_counts(deepest.loc["scene"]), *_counts(deepest.loc["object"]))
    outcomes = {"automatic labels, IoU above 0.04": _above_zero(*difference)}
    released = results.released()
    rows = _deepest_levels(released, "high")
    theirs = {name: rows.share[name] for name in paper.PAIR}
    numbers = [
        _Number.of_share(f"high meaning, {name} network", theirs[name], row, _n(row["of"], "unit"))
        for name, row in ((name, deepest.loc[name]) for name in paper.PAIR)
    ]
    return _Finding(
        outcomes=outcomes,
        numbers=tuple(numbers),
        cases={"unit": int(deepest["of"].sum())},
        text="Units of objects and scenes in the deepest layer. The paper's are counted from its "
        "released answers.",
        fair=False,
        why="people named the paper's units; here a unit's label is the concept that it overlaps best",
    )


def _deepest_levels(labels: LabelSet, level: str) -> pd.DataFrame:
    table = level_counts(labels)
    rows = table[(table.level == level) & (table.depth == table.groupby("network").depth.transform("max"))]
    return rows.set_index("network")


def _counts(row: pd.Series) -> tuple[int, int]:
    return int(row.n), int(row["of"])


def _growth(results: _Results) -> _Finding:
    results.need_scene_network()
    live = results.live()
    live.need()
    table = level_counts(live)
    if table[table.network == "scene"].depth.nunique() < 2:
        raise CannotAnswerError("fewer than two layers of the scene network have labels here.")
    parts, numbers = [], []
    for network in [name for name in paper.PAIR if name in set(table.network)]:
        for level, sign in (("low", -1), ("high", 1)):
            rows = table[(table.network == network) & (table.level == level)].sort_values("depth")
            ends = [row for _, row in rows.iloc[[0, -1]].iterrows()]
            low, high = difference_interval(*_counts(ends[1]), *_counts(ends[0]))
            if network == "scene":
                parts.append(_above_zero(*sorted((sign * low, sign * high))))
            numbers += [
                _level_number(f"{level} meaning, {row.layer}, {network} network", row) for row in ends
            ]
    ends = table[(table.network == "scene") & (table.level == "low")].sort_values("depth")
    return _Finding(
        outcomes={"automatic labels, IoU above 0.04": _every(parts)},
        numbers=tuple(numbers),
        cases={"unit": int(ends["of"].iloc[0] + ends["of"].iloc[-1])},
        why="the direction compares; labels are automatic here",
    )


def _level_number(what: str, row: pd.Series) -> _Number:
    return _Number.of_share(what, math.nan, row, _n(row["of"], "unit"))


def _more_objects(results: _Results) -> _Finding:
    by_rule = counts_by_rule(results.released())
    outcomes, numbers = {}, []
    for rule, rows in by_rule.groupby("rule", sort=False):
        found = rows.set_index("network")
        low, high = difference_interval(*_counts(found.loc["scene"]), *_counts(found.loc["object"]))
        outcomes[f"{rule} of three answers"] = _above_zero(low, high)
        numbers += [
            _Number.of_share(f"{rule}, {name} network", math.nan, row, _n(row["of"], "unit"))
            for name, row in ((name, found.loc[name]) for name in paper.PAIR)
        ]
    return _Finding(
        outcomes=outcomes,
        numbers=tuple(numbers),
        cases={"unit": int(by_rule[by_rule.rule == by_rule.rule.iloc[0]]["of"].sum())},
        text="Units of pool5 that detect an object, counted from the released answers of three people.",
        why="the paper's own answers; it does not say which rule made one type of three",
    )


CLAIMS = (
    *(_kept_claim(category) for category in paper.RETENTION),
    _Claim(
        "field-smaller", "3.2", "Fields smaller than they could be",
        "Empirical receptive fields are smaller than the theoretical ones.",
        "Holds if in every layer the mean and its whole interval lie below the theoretical size, "
        "wherever a field is said to end (half to a tenth of its maximum).",
        (_FIELDS, "Table 2: all layers"), _smaller,
    ),
    _Claim(
        "field-sizes", "3.2", "Sizes of fields",
        "The fields of the scene network measure 17.8, 37.4, 60.0 and 72.0 pixels at pool1, pool2, conv4 "
        "and pool5 (object network: 17.9, 36.7, 60.4 and 70.3).",
        "Holds if the paper's means lie inside our intervals, wherever a field is said to end (half to a "
        "tenth of its "
        "maximum). A layer of which all units were measured has no interval: its mean has to be within 10%.",
        (_FIELDS, "Where does a field end?"), _sizes,
    ),
    _Claim(
        "field-share", "3.2", "Share of what a unit could see",
        "The deeper the layer, the smaller the share of the theoretical field that is used.",
        "Holds if the share falls at every step, in every network, wherever a field is said to end (half "
        "to a tenth of its maximum).",
        (_FIELDS, "Table 2: all layers"), _falls,
    ),
    _Claim(
        "field-alike", "3.2", "Fields of both networks",
        "The fields of the two networks are about equally large in every layer of Table 2.",
        "Holds if no layer's means differ by more than in the paper, wherever a field is said to end "
        "(half to a tenth of its maximum).",
        (_FIELDS, "Table 2: all layers"), _alike,
    ),
    _Claim(
        "levels", "3.3", "Meaning grows with depth",
        "In the scene network, early layers respond to simple things, deep layers to objects and scenes.",
        "Holds if from its first to its deepest layer low meaning falls and high meaning grows: the "
        "intervals of both differences leave out 0, as if the units were drawn from all that such a training "
        "can make.",
        (_MEANING, "Figure 7: how well names fit, and how much they mean"), _growth, ("scene",),
    ),
    _Claim(
        "high-meaning", "3.3", "High meaning",
        "The scene network has more units of high meaning than the object network.",
        "Holds if the interval of the difference at the deepest layer lies above 0, as if the units were "
        "drawn from all that such a training can make.",
        (_MEANING, "Figure 7: how well names fit, and how much they mean"), _high_meaning,
    ),
    _Claim(
        "released-objects", "3.3", "Object detectors, by people",
        "At pool5 the scene network has more object detectors than the object network, by people's answers.",
        "Holds if the interval of the difference lies above 0 by each of four rules that make one type "
        "of three answers.",
        (_MEANING, "The rule that makes one type of three answers"), _more_objects, ("the paper",),
    ),
)  # fmt: skip

"""The results of section 2 in sentences: Table 1, accuracies, preferences, and features that serve a task.

Every function takes a table of this room and returns text with its numbers.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from scenelens import paper
from scenelens.paper import CONTROL, PAIR, SOURCES
from scenelens.sentences import (
    Sentences,
    difference_text,
    named,
    networks_text,
    percent,
    share_text,
)
from scenelens.two_networks.svm_transfer import MIN_IMAGES
from scenelens.two_networks.tables import _lasting_gap


def describe_table_1(table: pd.DataFrame) -> Sentences:
    """Describe where a network's layers agree with the paper's Table 1 and where they do not.

    Parameters
    ----------
    table : pandas.DataFrame
        The table of `compare_with_table_1`.

    Returns
    -------
    Sentences
        Two sentences.
    """
    if "paper_units" not in table:
        text = "This is another architecture than the paper's Table 1: its layers have other names. "
        return Sentences(text + "The workbook treats it in the same way, early layers first.")
    known = table.dropna(subset=["paper_units"])
    maps = sum(tuple(a) == tuple(b) for a, b in zip(known["map"], known["paper_map"], strict=True))
    ratios = (known["units"] / known["paper_units"]).astype(float).round(4)
    text = f"**{maps} of {len(known)}** layers have exactly the paper's map size. "
    if (ratios == 1).all():
        return Sentences(text + "Every layer has the paper's number of units.")
    parts = [
        f"{ratio:g} times the paper's number in {', '.join(map(named, layers))}"
        for ratio, layers in known["layer"].groupby(ratios, sort=False)
    ]
    return Sentences(f"{text}Units: {'; '.join(parts)}.")


def describe_preference(table: pd.DataFrame) -> Sentences:
    """Describe which images the layers prefer, and compare with the paper, what differs from it first.

    Parameters
    ----------
    table : pandas.DataFrame
        The table of `layer_preference`.

    Returns
    -------
    Sentences
        A list: where two networks part and where their order is not the paper's, the first and the deepest
        layer, the untrained network where there is one, and the layers that the paper names.
    """
    deepest = table["depth"].max()
    lines = _describe_range(table)
    if table["n"].min() >= table["images"].min():
        return _listed(lines)
    lines += _describe_order(table)
    for depth in dict.fromkeys((0, deepest)):
        lines.append(_describe_depth(table[table["depth"] == depth], depth == deepest))
    control = table[(table["network"] == CONTROL) & (table["depth"] == deepest)]
    head = f"**The untrained control**{_other_architecture(table)} at the deepest layer"
    lines += [_describe_control(row, head) for row in _rows(control)]
    for row in _rows(table.dropna(subset=["paper", "share"])):
        compared = _against_paper(row["low"], row["high"], row["paper"])
        lines.append(f"{named(row['layer'])}, {named(row['network'])} network: {_share(row)}; {compared}.")
    if table["paper"].isna().all():
        lines.append(
            "No layer here has the name of one of the paper's layers. The paper found 55% (object network) "
            "against 47% (scene network) at its second pooling layer, pool2, and 78% against 24% at fc7, the "
            "last hidden layer."
        )
    limit = networks_text(table["network"].unique())
    return _listed([*lines, limit] if limit else lines)


def _describe_order(table: pd.DataFrame) -> list[str]:
    """In which layers two networks' order is not the paper's, and from which layer on they differ."""
    rows = _pairs(table)
    if rows.empty:
        return []
    reversed_order = rows[rows["difference"] < 0]
    lines = []
    if len(reversed_order):
        names = [f"{named(row.layer)}: {_difference_text(row)}" for row in reversed_order.itertuples()]
        lines.append(
            "**Not the paper's order**: the scene network's share is the larger one in "
            f"{len(reversed_order)} of {len(rows)} layers. {_sentence('; '.join(names))}."
        )
    start = _lasting_gap(table)
    names = rows.set_index("depth")["layer"]
    text = "in no run of layers that lasts to the deepest" if start is None else _from_on(names, start)
    before = rows[rows["depth"] < (np.inf if start is None else start)]
    single = [named(name) for name in before.loc[before["difference_low"] > 0, "layer"]]
    text += f" (and in {', '.join(single)}, but not in all layers after)" if single else ""
    lines.append(
        "**Where do they part?** The object network's share is the higher one, with an interval of the "
        f"difference above 0, {text}; in the paper the two differ from {paper.PARTS_FROM} on."
    )
    return [*lines, _describe_shared(rows)]


def _pairs(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of the object network that are compared with the scene network, with the latter's share."""
    if not set(PAIR) <= set(table["network"]) or "difference" not in table:
        return table.iloc[:0]
    scene = table[table["network"] == "scene"].set_index("depth")
    rows = table[(table["network"] == "object") & table["difference"].notna()].sort_values("depth")
    return rows.assign(layer=rows["depth"].map(scene["layer"]), scene_share=rows["depth"].map(scene["share"]))


def _difference_text(row: Any, brief: bool = False) -> str:
    ends = (row.difference_low, row.difference_high)
    names = ("the object network's share", "the scene network's")
    return difference_text(row.share, row.scene_share, ends, names, int(row.n), brief=brief)


def _describe_shared(rows: pd.DataFrame) -> str:
    """How many images both networks' lists have, layer by layer, against chance."""
    n = int(rows["n"].min())
    first, last = rows.iloc[0], rows.iloc[-1]
    counts = ", ".join(f"{named(row.layer)} {row.shared:.0f}" for row in rows.itertuples())
    text = (
        f"**Do early layers prefer the same images?** Of {n} images on either network's list, both have: "
        f"{counts}. By chance it would be {first['shared_by_chance']:.3g}."
    )
    if len(rows) < 2:
        return text
    falls = (np.diff(rows["shared"]) <= 0).all()
    more = first["shared"] > 2 * first["shared_by_chance"] and first["shared"] > last["shared"]
    if not more:
        return f"{text} The paper says that early layers prefer similar images for both: here that is not so."
    steps = "at every step" if falls else "though not at every step"
    return (
        f"{text} So early layers prefer similar images for both networks, as the paper says, and the number "
        f"falls with depth, {steps}."
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _from_on(names: pd.Series, start: int) -> str:
    layer = named(names[start])
    return f"only at {layer}, the deepest layer" if start == names.index.max() else f"from {layer} on"


def _other_architecture(table: pd.DataFrame) -> str:
    """A remark where the control's layers have other names than those of the first network."""
    main = table.loc[table["network"] != CONTROL, "network"].iloc[:1]
    names = [table.loc[table["network"] == name, "layer"].tolist() for name in (*main, CONTROL)]
    return ", which is of another architecture," if len(names) == 2 and names[0] != names[1] else ""


def _describe_range(table: pd.DataFrame) -> list[str]:
    """A sentence where so few images are ranked that the strongest of them are most, or all, of them."""
    row = table.loc[table["images"].idxmin()]
    n, images, of_objects = int(row["n"]), int(row["images"]), round(row["chance"] * row["images"])
    way_out = f"Rank fewer, as with `layer_preference(study, n={max(1, images // 4)})`, or add photographs."
    if n >= images:
        return [
            f"**The {n} strongest images are all {images}**, so every share equals chance, "
            f"{percent(row['chance'])}, and says nothing about a layer. {way_out}"
        ]
    least, most = max(0, n - (images - of_objects)) / n, min(n, of_objects) / n
    if least == 0 and most == 1:
        return []
    return [
        f"The {n} strongest are many of the {images} images: any share lies between {percent(least)} and "
        f"{percent(most)}, whatever a layer prefers. {way_out}"
    ]


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return table.to_dict("records")


def _describe_depth(rows: pd.DataFrame, deepest: bool) -> str:
    found = {row["network"]: row for row in _rows(rows) if row["network"] != CONTROL}
    head = f"**The {'deepest' if deepest else 'first'} layer compared**"
    if len(found) < 2:
        return _describe_control(next(iter(found.values()), rows.iloc[0]), head.replace(" compared", ""))
    # The object network first: it is expected to have the larger share.
    names = [name for name in ("object", "scene") if name in found]
    names += [name for name in found if name not in names]
    shares = ", ".join(f"{named(name)} network {_share(found[name])}" for name in names)
    text = f"{head.replace('compared**', 'compared:**')} {shares}. "
    if any(pd.isna(row["share"]) for row in found.values()):
        return text + (
            "A layer that responds equally to all images has no preference, so there is nothing to compare."
        )
    if _pairs(rows).empty:
        return text.strip()
    return f"{text}{_sentence(_difference_text(_pairs(rows).iloc[0], brief=True))}."


def _describe_control(row: Any, head: str) -> str:
    """Compare one network's share with chance."""
    text = f"{head}: {_share(row)}; "
    if pd.isna(row["share"]):
        return text + "a layer that responds equally to all images has no preference."
    chance = row["chance"]
    ends = (row["low"] - chance, row["high"] - chance)
    text += difference_text(row["share"], chance, ends, ("this share", "chance")) + "."
    if row["network"] != CONTROL or ends[0] <= 0 <= ends[1]:
        return text
    return text + (
        " So some preference comes from the images and the architecture alone, and a trained network has to "
        "be compared with this one too."
    )


def describe_accuracy(table: pd.DataFrame) -> Sentences:
    """Describe each network's accuracy, and quote the paper's.

    Parameters
    ----------
    table : pandas.DataFrame
        The table of `own_accuracy`.

    Returns
    -------
    Sentences
        A list with one entry per network, and one for what is not tested.
    """
    demo = (
        f"**Not tested here**: the {100 * paper.DEMO_TOP_FIVE:.1f}% that the paper reports for its scene "
        "network in the wild, with the right scene among the first five guesses."
    )
    return _listed([*map(_describe_accuracy_row, _rows(table)), demo])


def _describe_accuracy_row(row: dict[str, Any]) -> str:
    name = f"**The {named(row['network'])} network** has {row['classes']:,} classes"
    if not row["images"]:
        source = SOURCES[row["network"]]
        return f"{name}; this study has no {source} images, so it cannot be tested here."
    if not row["n"]:
        return (
            f"{name}; none of this study's categories is among them, so it cannot be tested here: give the "
            f"folders of images the names of classes.{_not_counted(row)}"
        )
    text = f"{name}; on this study's images of {row['categories']} of them it is right in {_share(row)}."
    quoted = {"scene": paper.SCENE_ACCURACY["scene"], "object": paper.OBJECT_ACCURACY["object"]}
    if row["network"] in quoted:
        text += f" The paper's, on its own test images: {100 * quoted[row['network']]:.1f}%."
    if row["network"] == "object":
        other = percent(paper.OBJECT_ACCURACY_IN_TEXT)
        text += f" So the published version and the slides; another version of the text says {other}."
    return text + _not_counted(row)


def _not_counted(row: Any) -> str:
    """Which categories do not count, and how to make them count."""
    text = ""
    if row.get("unknown"):
        text += f" Not among its classes, so not counted: {_few(row['unknown'])}."
    if row.get("shared"):
        folder, classes = next(iter(row["shared"].items()))
        say = f"'{named(folder)}' = '{named(classes[0])}'"
        text += (
            f" Not counted, because several of its classes have the name: {_few(row['shared'])}. In the "
            f"table [[images]], categories = {{ {say} }} says which is meant."
        )
    return text


def _few(names: Iterable[str], n: int = 5) -> str:
    shown = [named(name) for name in names]
    return ", ".join(shown[:n]) + (f" and {len(shown) - n} more" if len(shown) > n else "")


def describe_transfer(table: pd.DataFrame) -> Sentences:
    """Describe how well each network's features serve each task, and quote the paper's two numbers.

    Parameters
    ----------
    table : pandas.DataFrame
        The table of `transfer`.

    Returns
    -------
    Sentences
        A list with one entry per task, and one for the paper.
    """
    scene, other = (f"{100 * paper.SCENE_ACCURACY[name]:.1f}%" for name in PAIR)
    lines = [
        f"**The paper**, on 205 scene categories: {scene} for the scene network itself, "
        f"{other} for a linear SVM on the object network's features{_relative_loss(table)}."
    ]
    lines += [_describe_task(table[table["task"] == task], task) for task in PAIR]
    limit = networks_text(table["features"].unique())
    return _listed([*lines, *([limit] if limit else [])])


def _relative_loss(table: pd.DataFrame) -> str:
    """How much of the scene network's accuracy is lost with the object network's features, there and here."""
    theirs = 1 - paper.SCENE_ACCURACY["object"] / paper.SCENE_ACCURACY["scene"]
    text = f", a loss of {percent(theirs)} of the accuracy"
    rows = table[table["task"] == "scene"].set_index("features")
    shares = rows["share"]
    if not set(PAIR) <= set(shares.index) or not shares["scene"] > 0:
        return text
    lost = 1 - shares["object"] / shares["scene"]
    times = f", {lost / theirs:.1f} times as much" if lost > 1.5 * theirs else ""
    low, high = rows.loc["scene", ["difference_low", "difference_high"]]
    open_end = ", though no difference is shown" if low <= 0 <= high else ""
    return f"{text}; here {percent(abs(lost))} are {'lost' if lost >= 0 else 'gained'}{times}{open_end}"


def _describe_task(rows: pd.DataFrame, task: str) -> str:
    name = f"**Telling {task} categories apart**"
    if not rows["n"].all():
        return (
            f"{name} cannot be tried: this study has no two {task} categories of {MIN_IMAGES} images or more."
        )
    shares = [f"{named(row['features'])} network's features {_share(row)}" for row in _rows(rows)]
    first = rows.iloc[0]
    text = f"{name} ({first['categories']} of them, chance {percent(first['chance'])}): {'; '.join(shares)}. "
    if not set(PAIR) <= set(rows["features"]):
        return text.strip() + _describe_untrained(rows)
    return f"{text}{_describe_better(rows, task)}{_describe_untrained(rows)}"


def _describe_better(rows: pd.DataFrame, task: str) -> str:
    """Whose features serve a task better, and whether that is what the paper found."""
    scene, other = (rows[rows["features"] == network].iloc[0] for network in PAIR)
    ends = (scene["difference_low"], scene["difference_high"])
    names = ("an SVM on the scene network's features", "an SVM on the object network's features")
    n = int(scene["n"])
    text = _sentence(
        difference_text(scene["share"], other["share"], ends, names, n, more="better", brief=True)
    )
    if not (ends[0] > 0 or ends[1] < 0):
        return f"{text}."
    better = "scene" if ends[0] > 0 else "object"
    if better == task:
        return (
            f"{text}: {'as in the paper' if task == 'scene' else 'the features serve their own task better'}."
        )
    return f"{text}: not what the paper found."


def _describe_untrained(rows: pd.DataFrame) -> str:
    """How far the architecture alone gets, without any training."""
    control = rows[rows["features"] == CONTROL]
    if control.empty:
        return ""
    share, chance = control["share"].iloc[0], control["chance"].iloc[0]
    above = f", {share / chance:.1f} times chance" if share > chance else ", no more than chance"
    return (
        f" Features of the untrained network reach {percent(share)}{above}: so much comes without any "
        "training, from the images and the architecture."
    )


def _against_paper(low: float, high: float, paper: float) -> str:
    """Whether the paper's share lies inside our interval."""
    if low <= paper <= high:
        return f"the paper's {percent(paper)} lies inside our interval"
    side = "higher" if paper > high else "lower"
    return f"the paper's {percent(paper)} is {side}, outside our interval"


def _share(row: Any) -> str:
    if pd.isna(row["share"]):
        return "no preference"
    return share_text(row["share"], row["low"], row["high"], int(row["n"]))


def _listed(lines: list[str]) -> Sentences:
    return Sentences("\n".join(f"- {line}" for line in lines))

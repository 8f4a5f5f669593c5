"""The results of section 2 in sentences: Table 1, accuracies, preferences, and features that serve a task.

Every function takes a table of this room and returns text with its numbers.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from scenelens import paper
from scenelens.paper import PAIR
from scenelens.sentences import Sentences, gap_text, named, percent, share_text
from scenelens.two_networks.svm_transfer import MIN_IMAGES
from scenelens.two_networks.tables import CONTROL


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
    ratios = sorted({float(r) for r in (known["units"] / known["paper_units"]).round(4)})
    text = f"**{maps} of {len(known)}** layers have exactly the paper's map size. "
    if ratios == [1.0]:
        return Sentences(text + "Every layer has the paper's number of units.")
    parts = ", ".join(f"{ratio:g}" for ratio in ratios)
    return Sentences(
        text + f"The number of units is {parts} times the paper's: a slimmer network, the same geometry."
    )


def describe_preference(table: pd.DataFrame) -> Sentences:
    """Describe which images the first and the deepest layer prefer, and compare with the paper.

    Parameters
    ----------
    table : pandas.DataFrame
        The table of `layer_preference`.

    Returns
    -------
    Sentences
        A list: both layers, the untrained network where there is one, and the layers that the paper names.
    """
    deepest = table["depth"].max()
    lines = [_describe_depth(table[table["depth"] == depth], depth == deepest) for depth in (0, deepest)]
    control = table[(table["network"] == CONTROL) & (table["depth"] == deepest)]
    lines += [_describe_control(row) for row in control.to_dict("records")]
    for row in table.dropna(subset=["paper", "share"]).to_dict("records"):
        compared = _against_paper(row["low"], row["high"], row["paper"])
        lines.append(f"{named(row['layer'])}, {named(row['network'])} network: {_share(row)}; {compared}.")
    if table["paper"].isna().all():
        lines.append(
            "No layer here has the name of one of the paper's layers. The paper found 55% (object network) "
            "against 47% (scene network) at its second pooling layer, pool2, and 78% against 24% at fc7, the "
            "last hidden layer."
        )
    return _listed(lines)


def _describe_depth(rows: pd.DataFrame, deepest: bool) -> str:
    scene, other = (rows[rows["network"] == name].iloc[0] for name in PAIR)
    where = "deepest" if deepest else "first"
    if any(pd.isna(row["share"]) for row in (scene, other)):
        return (
            f"**The {where} layer compared:** object network {_share(other)}, scene network {_share(scene)}. "
            "A layer that responds equally to all images has no preference, so there is nothing to compare."
        )
    stronger = "object" if other["share"] > scene["share"] else "scene"
    meaning = gap_text(
        (scene["low"], scene["high"]),
        (other["low"], other["high"]),
        gap=f"the {stronger} network prefers object-centric images more",
        overlap="these images alone do not tell the two networks apart here",
    )
    return (
        f"**The {where} layer compared:** object network {_share(other)}, scene network {_share(scene)}. "
        f"{meaning}."
    )


def _describe_control(row: Any) -> str:
    text = f"**The untrained control** at the deepest layer: {_share(row)}; "
    if pd.isna(row["share"]):
        return text + "a layer that responds equally to all images has no preference."
    if row["low"] <= row["chance"] <= row["high"]:
        return text + f"chance, {percent(row['chance'])}, lies inside its interval: it shows no preference."
    more = "more" if row["share"] > row["chance"] else "fewer"
    return text + (
        f"{more} object-centric images than chance, {percent(row['chance'])}. So some preference comes from "
        "the images and the architecture alone, and a trained network has to be compared with this one too."
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
        A list with one entry per network.
    """
    quoted = {"scene": paper.SCENE_ACCURACY["scene"], "object": paper.OBJECT_ACCURACY["object"]}
    lines = []
    for row in table.to_dict("records"):
        name = f"**The {named(row['network'])} network** has {row['classes']:,} classes"
        if not row["n"]:
            lines.append(
                f"{name}; none of this study's categories is among them, so it cannot be tested here."
                f"{_not_counted(row)}"
            )
            continue
        text = f"{name}; on this study's images of {row['categories']} of them it is right in {_share(row)}"
        text = f"{text}. The paper's, on its own test images: {percent(quoted[row['network']])}."
        lines.append(text + _not_counted(row))
    return _listed(lines)


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
    lines = [_describe_task(table[table["task"] == task], task) for task in PAIR]
    scene, other = (f"{100 * paper.SCENE_ACCURACY[name]:.1f}%" for name in PAIR)
    lines.append(
        f"**The paper**, on 205 scene categories: {scene} for the scene network itself, "
        f"{other} for a linear SVM on the object network's features."
    )
    return _listed(lines)


def _describe_task(rows: pd.DataFrame, task: str) -> str:
    name = f"**Telling {task} categories apart**"
    if not rows["n"].all():
        return (
            f"{name} cannot be tried: this study has no two {task} categories of {MIN_IMAGES} images or more."
        )
    scene, other = (rows[rows["features"] == network].iloc[0] for network in PAIR)
    shares = [f"{row['features']} network's features {_share(row)}" for row in (scene, other)]
    chance = percent(scene["chance"])
    text = f"{name} ({scene['categories']} of them, chance {chance}): {shares[0]}; {shares[1]}. "
    if not (scene["high"] < other["low"] or other["high"] < scene["low"]):
        return text + "The intervals overlap: no difference can be claimed from these images."
    better = "scene" if scene["share"] > other["share"] else "object"
    if better == task:
        like = ", as in the paper" if task == "scene" else ""
        return text + f"The {better} network's features serve its own task better{like}."
    return text + f"The {better} network's features serve the other's task better: not what the paper found."


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

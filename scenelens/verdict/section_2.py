"""The claims of section 2: two networks of one architecture, trained on two sets of images."""

from __future__ import annotations

import math

import pandas as pd

from scenelens import paper
from scenelens.errors import CannotAnswerError
from scenelens.intervals import difference_interval, wilson_interval
from scenelens.sentences import named, percent
from scenelens.two_networks import compare_with_table_1
from scenelens.verdict.claims import SHARE, _above_zero, _all_inside, _Claim, _Finding, _n, _Number
from scenelens.verdict.results import _Results

_NOTEBOOK = "02_two_networks"
_CLASSES = {"scene": 205, "object": 1000}  # of the paper's networks


def _table_1(results: _Results) -> _Finding:
    results.need_scene_network()
    table = compare_with_table_1(results.study.networks["scene"])
    if "paper_units" not in table:
        raise CannotAnswerError("the scene network here is of another architecture than the paper's Table 1.")
    table = table.dropna(subset=["paper_units"])
    maps = sum(tuple(a) == tuple(b) for a, b in zip(table["map"], table["paper_map"], strict=True))
    units = int((table["units"] == table["paper_units"]).sum())
    ratios = (table["units"] / table["paper_units"]).astype(float)
    return _Finding(
        outcomes={"map sizes and units": maps == units == len(table)},
        cases={"layer": len(table)},
        text=f"{maps} of {len(table)} layers have the paper's map size, and {units} its number of units; the "
        f"numbers of units here are {ratios.min():g} to {ratios.max():g} times the paper's.",
        why="layers of the same names",
    )


def _accuracy(results: _Results) -> _Finding:
    quoted = {"scene": paper.SCENE_ACCURACY["scene"], "object": paper.OBJECT_ACCURACY["object"]}
    rows = {name: row for name in quoted if (row := results.accuracy(name)) is not None and row.n}
    if not rows:
        raise CannotAnswerError(
            "no image here has a category that is a class of a network trained on its kind of images."
        )
    numbers = [
        _Number.of_share(f"accuracy, {name} network", quoted[name], row, _n(row.n, "image"))
        for name, row in rows.items()
    ]
    fair = all(row.classes == _CLASSES[name] for name, row in rows.items())
    classes = " and ".join(f"{row.classes:,} (the paper: {_CLASSES[name]:,})" for name, row in rows.items())
    return _Finding(
        outcomes={"accuracy": _all_inside(numbers) if fair else None},
        numbers=tuple(numbers),
        cases={"image": sum(int(row.n) for row in rows.values())},
        fair=fair,
        why="as many classes as in the paper" if fair else f"numbers of classes: {classes}",
        untested=""
        if fair
        else "accuracies over other classes do not compare: a few clear classes are easier.",
    )


def _served(results: _Results) -> _Finding:
    table = results.served()
    rows = table[(table.task == "scene") & (table.n > 0)].set_index("features")
    if not set(paper.PAIR) <= set(rows.index):
        raise CannotAnswerError(
            "no classifier can be trained on scenes here: that takes two scene categories with several "
            "images each."
        )
    scene, other = rows.loc["scene"], rows.loc["object"]
    numbers = [
        _Number.of_share(f"scenes by the {name} network's features", row.paper, row, _n(row.n, "image"))
        for name, row in (("scene", scene), ("object", other))
    ]
    lost = {"the paper": 1 - other.paper / scene.paper, "here": 1 - other.share / scene.share}
    return _Finding(
        outcomes={"difference of the accuracies": _above_zero(scene.difference_low, scene.difference_high)},
        numbers=tuple(numbers),
        cases={"image": int(scene.n)},
        text=f"The object network's features lose {percent(lost['here'])} of the accuracy here, and "
        f"{percent(lost['the paper'])} in the paper.",
        why="the direction compares; the sizes are of other classes, and the paper's scene network was "
        "not tested by an SVM",
    )


def _pairs(results: _Results) -> pd.DataFrame:
    """Both networks' shares by depth, where the strongest images are not simply all images."""
    table = results.preference()
    if table["n"].min() >= table["images"].min():
        raise CannotAnswerError(
            f"with {int(table['images'].min())} images in all, the {int(table['n'].min())} strongest of a "
            "layer are all images, whatever it prefers."
        )
    return table[table.network.isin(paper.PAIR)].dropna(subset=["share"])


def _preferred(row: pd.Series) -> _Number:
    what = f"{row.layer}, {row.network} network"
    return _Number.of_share(what, row.paper, row, _n(row.n, "image"))


def _deepest(results: _Results) -> _Finding:
    table = _pairs(results)
    rows = table[table.depth == table.depth.max()].set_index("network", drop=False)
    if not set(paper.PAIR) <= set(rows.index):
        raise CannotAnswerError("the deepest layer of one network responds equally to all images.")
    scene, other = rows.loc["scene"], rows.loc["object"]
    return _Finding(
        outcomes={"difference of the shares": _above_zero(other.difference_low, other.difference_high)},
        numbers=(_preferred(other), _preferred(scene)),
        cases={"image": int(scene.images)},
        text=f"By chance {percent(scene.chance)} of the strongest images would show single objects.",
        why="the same count, on other images",
    )


def _parting(results: _Results) -> _Finding:
    table = _pairs(results)
    names = table[table.network == "scene"].sort_values("depth").set_index("depth").layer
    apart = {}
    for depth, rows in table.groupby("depth"):
        found = rows.set_index("network")
        if set(paper.PAIR) <= set(found.index):
            own = found.loc["object"]
            apart[depth] = _above_zero(own.difference_low, own.difference_high)
    if paper.PARTS_FROM not in set(names):
        raise CannotAnswerError(f"no layer of the scene network here is called {paper.PARTS_FROM}.")
    start = next((d for d in sorted(apart) if all(apart[e] for e in apart if e >= d)), None)
    here = "nowhere up to the deepest layer" if start is None else f"from {named(names[start])} on"
    reverse = [named(names[depth]) for depth, above in apart.items() if above is False]
    numbers = [_preferred(row) for _, row in table[table.layer == "pool2"].sort_values("network").iterrows()]
    return _Finding(
        outcomes={"the layer from which on the difference lasts": names.get(start) == paper.PARTS_FROM},
        numbers=tuple(numbers),
        cases={"image": int(table.images.iloc[0]), "layer": len(apart)},
        text=f"Here the two differ {here}"
        + (f"; in {', '.join(reverse)} the scene network has more single objects." if reverse else "."),
        why="the same count, on other images; the paper does not name its test",
    )


def _overlap(results: _Results) -> _Finding:
    _pairs(results)
    top, shared = results.strongest(), {}
    for depth, rows in top.groupby("depth"):
        lists = {name: set(own.image) for name, own in rows.groupby("network")}
        names = rows.groupby("network").layer.first()
        n = min(len(lists[name]) for name in paper.PAIR)
        shared[depth] = (str(names["scene"]), len(lists["scene"] & lists["object"]), n)
    numbers = [
        _Number(layer, math.nan, k / n, *wilson_interval(k, n), SHARE, _n(n, "image"))
        for layer, k, n in shared.values()
    ]
    (_, k_first, n_first), (_, k_last, n_last) = shared[min(shared)], shared[max(shared)]
    return _Finding(
        outcomes={
            "the first layer shares more than the deepest": _above_zero(
                *difference_interval(k_first, n_first, k_last, n_last)
            )
        },
        numbers=tuple(numbers),
        cases={"image": int(results.preference().images.iloc[0])},
        text="Share of the strongest images of a layer that both networks have in common.",
        why="the paper says it of the pictures and counts nothing",
    )


def _demo(results: _Results) -> _Finding:
    raise CannotAnswerError(
        "the paper's number comes from visitors of a web page, who judged the answers for their own "
        "photographs; a study has no such visitors."
    )


CLAIMS = (
    _Claim(
        "table-1", "2", "The architecture",
        "Both networks have the layers of Table 1.",
        "Holds if all layers have the paper's map sizes and its numbers of units.",
        (_NOTEBOOK, "Table 1: the layers"), _table_1, ("scene",),
    ),
    _Claim(
        "accuracy", "2", "Accuracy",
        "Places-CNN names 50.0% of the scenes right, ImageNet-CNN 57.4% of the objects (63% in another "
        "version of the text).",
        "Tested only with as many classes as the paper's; then it holds if the paper's numbers lie "
        "inside our intervals.",
        (_NOTEBOOK, "Do they work?"), _accuracy,
    ),
    _Claim(
        "demo", "2", "Photographs of visitors",
        "77.3% of the answers to visitors' own photographs are right among the first five.",
        "Would hold if 77.3% lay inside our interval.",
        (_NOTEBOOK, "Do they work?"), _demo, ("scene",),
    ),
    _Claim(
        "served", "2", "Features for the other's task",
        "For scenes, features of the object network (40.8%) serve less well than the scene network's own "
        "(50.0%).",
        "Holds if the 95% interval of the difference of the accuracies lies above 0.",
        (_NOTEBOOK, "How well do the features of one serve the other's task?"), _served,
    ),
    _Claim(
        "overlap", "2", "Early layers",
        "Early layers of both networks prefer similar images.",
        "Holds if the two networks share more of their strongest images in the first layer than in the "
        "deepest: the interval of the difference lies above 0.",
        (_NOTEBOOK, "Figure 1: what does a layer prefer?"), _overlap,
    ),
    _Claim(
        "deepest", "2", "What deep layers prefer",
        "Deep layers prefer what their network was trained on: at fc7, 78% of the object network's "
        "strongest images show single objects, 24% of the scene network's.",
        "Holds if the interval of the difference at the deepest layer lies above 0.",
        (_NOTEBOOK, "From three images to a hundred"), _deepest,
    ),
    _Claim(
        "parting", "2", "Where the two part",
        "The two networks differ significantly from conv4 on; at pool2 (55% and 47%) they do not yet.",
        "Holds if conv4 is the layer from which on, to the deepest, every interval of the difference "
        "lies above 0.",
        (_NOTEBOOK, "From three images to a hundred"), _parting,
    ),
)  # fmt: skip

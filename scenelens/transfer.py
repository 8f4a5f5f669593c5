"""Section 2's last question: how much does each network's last hidden layer know about the other one's task?

The paper takes the features of the object network, trains a linear SVM on them to tell scenes apart, and
gets 40.8% where the scene network itself gets 50.0%. Here every network's features are tried on every task,
with the same images for training and the same for testing, so that the rows of a task compare.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scenelens import paper
from scenelens.deep_features import svm_accuracy
from scenelens.paper import PAIR
from scenelens.readings import Reading, apart, percent, share_text
from scenelens.two_networks import SOURCES, layer_features, layer_pairs

if TYPE_CHECKING:
    from scenelens.studies import Study

MIN_IMAGES = 8  # of a category, so that both halves hold some


def transfer(study: Study, layers: list[str] | None = None, seed: int = 0) -> pd.DataFrame:
    """Accuracy of a linear SVM on each network's deepest compared layer, for scene and for object categories.

    Parameters
    ----------
    layers : as in `layer_pairs`; the last one is used. None takes each network's own.
    seed : draws which half of every category's images trains and which tests.

    Returns
    -------
    DataFrame: task ('scene' or 'object' categories), features (whose network), layer, categories, n_train, n,
    share, low, high (95% Wilson interval), chance (1 / categories), paper. A task for which the study has
    fewer than two categories of at least 8 images has n 0 and missing values.
    """
    deepest = layer_pairs(study, layers).iloc[-1]
    rows = []
    for task in PAIR:
        images = task_images(study, task)
        train = halves(images["category"].to_numpy(), seed)
        for network in PAIR:
            row = {"task": task, "features": network, "layer": str(deepest[network])}
            rows.append(row | _accuracy(study, network, row["layer"], images, train, seed))
    table = pd.DataFrame(rows)
    quoted = {("scene", name): value for name, value in paper.SCENE_ACCURACY.items()}
    table["paper"] = [quoted.get(key, np.nan) for key in zip(table["task"], table["features"], strict=True)]
    return table


def task_images(study: Study, task: str) -> pd.DataFrame:
    """The images of one task: of the network's own source, in categories of at least `MIN_IMAGES` images.

    Returns
    -------
    rows of study.images, keeping their index: the place of an image in the activation index.
    """
    images = study.images.reset_index(drop=True)
    images = images[images["source"] == SOURCES[task]]
    return images[images.groupby("category")["image"].transform("size") >= MIN_IMAGES]


def halves(categories: np.ndarray, seed: int = 0) -> np.ndarray:
    """Which images train: a random half of every category, the larger half where the number is odd.

    Returns
    -------
    bool array, one per image.

    Examples
    --------
    >>> halves(np.array(["a", "a", "a", "b", "b"])).sum()
    np.int64(3)
    """
    rng = np.random.default_rng(seed)
    train = np.zeros(len(categories), bool)
    for category in np.unique(categories):
        mine = rng.permutation(np.flatnonzero(categories == category))
        train[mine[: -(-len(mine) // 2)]] = True
    return train


def _accuracy(
    study: Study, network: str, layer: str, images: pd.DataFrame, train: np.ndarray, seed: int
) -> dict[str, Any]:
    categories = images["category"].nunique()
    unknown = {"categories": categories, "n_train": 0, "n": 0}
    if categories < 2:
        return unknown | {"share": np.nan, "low": np.nan, "high": np.nan, "chance": np.nan}
    features = layer_features(study, network, layer)[images.index]
    labels, read = images["category"].to_numpy(), ~np.isnan(features).any(axis=1)
    fit, test = train & read, ~train & read
    found = svm_accuracy(features[fit], labels[fit], features[test], labels[test], seed=seed)
    low, high = found.interval
    result = {"categories": categories, "n_train": int(fit.sum()), "n": int(test.sum())}
    return result | {"share": found.accuracy, "low": low, "high": high, "chance": 1 / categories}


def read_transfer(table: pd.DataFrame) -> Reading:
    """What the table says for each task, and what the paper's two numbers were."""
    lines = [_read_task(table[table["task"] == task], task) for task in PAIR]
    scene, other = (f"{100 * paper.SCENE_ACCURACY[name]:.1f}%" for name in PAIR)
    lines.append(
        f"**The paper**, on 205 scene categories: {scene} for the scene network itself, "
        f"{other} for a linear SVM on the object network's features."
    )
    return Reading("\n".join(f"- {line}" for line in lines))


def _read_task(rows: pd.DataFrame, task: str) -> str:
    name = f"**Telling {task} categories apart**"
    if not rows["n"].all():
        return (
            f"{name} cannot be tried: this study has no two {task} categories of {MIN_IMAGES} images or more."
        )
    scene, other = (rows[rows["features"] == network].iloc[0] for network in PAIR)
    said = [
        f"{row['features']} network's features {share_text(row['share'], row['low'], row['high'], row['n'])}"
        for row in (scene, other)
    ]
    text = (
        f"{name} ({scene['categories']} of them, chance {percent(scene['chance'])}): {said[0]}; {said[1]}. "
    )
    if not apart(scene["low"], scene["high"], other["low"], other["high"]):
        return text + "The intervals overlap: no difference can be claimed from these images."
    better = "scene" if scene["share"] > other["share"] else "object"
    if better == task:
        like = ", as in the paper" if task == "scene" else ""
        return text + f"The {better} network's features serve its own task better{like}."
    return (
        text + f"The {better} network's features serve better, on the other's task: not what the paper found."
    )

"""Section 2's last question: how much does each network's last hidden layer know about the other one's task?

The paper takes the features of the object network, trains a linear SVM on them to tell scenes apart, and
gets 40.8% where the scene network itself gets 50.0%. Here every network's features are tried on every task,
with the same images for training and the same for testing, so that the rows of a task compare.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from scenelens import paper
from scenelens.errors import SceneLensError
from scenelens.intervals import wilson_interval
from scenelens.paper import PAIR
from scenelens.studies import Study
from scenelens.two_networks.tables import SOURCES, layer_features, layer_pairs

#: MERGED DOC: Deep features under a linear SVM: how much of a task can be read off a layer with a straight cut.
#
# The paper (section 2) takes the object network's features to the scene task: a linear SVM on them reaches
# 40.8% where the scene network itself reaches 50.0%.
#


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


COSTS = (1e-4, 1e-3, 1e-2)  # tried by cross-validation; features are standardised, so small is right
FOLDS = 2


@dataclass(frozen=True)
class SVMResult:
    """What `svm_accuracy` found: the test images' count and share of right answers, and the chosen C."""

    right: int
    n: int
    cost: float

    @property
    def accuracy(self) -> float:
        """Share of test images named right, in 0..1."""
        return self.right / self.n

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95% interval of the accuracy: the test images' chance, not the training's."""
        return wilson_interval(self.right, self.n)


def svm_accuracy(
    features_train: np.ndarray,
    labels_train: np.ndarray,
    features_test: np.ndarray,
    labels_test: np.ndarray,
    seed: int = 0,
) -> SVMResult:
    """Train a linear SVM (one against the rest) on some images' features and test it on others'.

    Features are standardised by the training images' mean and deviation. The cost C is chosen from `COSTS` by
    cross-validation within the training images (of equals the smallest), and not at all where some class has
    fewer than two of them: then it is 0.01. Test images are seen once, at the end.

    Parameters
    ----------
    features_train, features_test : (n, d) finite numbers, e.g. an index's `values("fc7")`.
    labels_train, labels_test : (n,) class names.
    seed : shuffles the folds.

    Returns
    -------
    SVMResult: accuracy, interval, n, right, cost.

    Examples
    --------
    >>> x = np.array([[0.0, 0], [0, 1], [0, 2], [5, 0], [5, 1], [5, 2]])
    >>> svm_accuracy(x, list("aaabbb"), x + 0.1, list("aaabbb")).accuracy
    1.0
    """
    from sklearn.svm import LinearSVC

    train, known = _checked(features_train, labels_train, "training")
    test, wanted = _checked(features_test, labels_test, "test")
    if train.shape[1] != test.shape[1]:
        raise SceneLensError(
            f"training features have {train.shape[1]} columns, test features {test.shape[1]}."
        )
    if len(set(known.tolist())) < 2:
        raise SceneLensError("an SVM tells classes apart; the training labels hold fewer than two.")
    train, test = _standardised(train, test)
    # 0.1 is liblinear's own tolerance for this solver; 0.001 took 3 times as long for the same answers.
    model = LinearSVC(random_state=seed, tol=0.1, dual=True)
    cost = _best_cost(model, train, known, seed)
    model.set_params(C=cost).fit(train, known)
    return SVMResult(int((model.predict(test) == wanted).sum()), len(wanted), cost)


def _standardised(train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both sets by the training images' mean and deviation, and in no more dimensions than there are images.

    A linear SVM's weights are a sum of training images, so what lies outside their span cannot matter:
    turning the axes into the span changes no answer, and 4096 features of 500 images become 500.
    """
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(train)
    train, test = scaler.transform(train), scaler.transform(test)
    if train.shape[1] <= train.shape[0]:
        return train, test
    axes, inside = np.linalg.qr(train.T)
    return inside.T, test @ axes


def _best_cost(model, features: np.ndarray, labels: np.ndarray, seed: int) -> float:
    from sklearn.model_selection import GridSearchCV, StratifiedKFold

    rarest = int(np.unique(labels, return_counts=True)[1].min())
    if rarest < 2:
        return 1e-2
    folds = StratifiedKFold(min(FOLDS, rarest), shuffle=True, random_state=seed)
    search = GridSearchCV(model, {"C": list(COSTS)}, cv=folds, refit=False)
    return float(search.fit(features, labels).best_params_["C"])


def _checked(features: np.ndarray, labels: np.ndarray, which: str) -> tuple[np.ndarray, np.ndarray]:
    """Features as float32 (n, d) with as many labels; an unusable set is refused by name."""
    values, names = np.asarray(features, dtype=np.float32), np.asarray(labels)
    if values.ndim != 2 or len(values) != len(names) or len(values) == 0:
        raise SceneLensError(
            f"{which} features are (n, d) with a label each; got {values.shape} and {len(names)} labels."
        )
    if not np.isfinite(values).all():
        raise SceneLensError(f"{which} features hold numbers that are not finite; leave out unread images.")
    return values, names

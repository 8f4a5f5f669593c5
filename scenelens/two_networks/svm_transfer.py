"""Section 2's last question: how well do the features of each network serve the task of the other?

The paper takes the features of the object network, trains a linear SVM on them to tell scenes apart, and
reaches 40.8%, where the scene network itself reaches 50.0%. Here the features of each network, the responses
of its last hidden layer, are tried on both tasks. All features of a task are trained on the same images and
tested on the same other images, so that the rows of a task can be compared.

A linear SVM is used because it adds so little of its own: what it can tell apart, the features already hold
apart by straight cuts.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd

from scenelens import paper
from scenelens.caches import cached
from scenelens.errors import CannotAnswerError, SceneLensError
from scenelens.files import cache_key
from scenelens.intervals import paired_difference_interval, wilson_interval
from scenelens.paper import CONTROL, PAIR, SOURCES
from scenelens.studies import Study
from scenelens.two_networks.tables import layer_features, layer_pairs

MIN_IMAGES = 8  # of a category, so that both halves have some
_COSTS = (1e-4, 1e-3, 1e-2)  # tried by cross-validation; small, because features are standardised
_FOLDS = 2
_VERSION = 1  # of the cached accuracies: raise it when their rule changes


def transfer(study: Study, layers: list[str] | None = None, seed: int = 0) -> pd.DataFrame:
    """Return the accuracy of a linear SVM on each network's features, for scene and for object categories.

    Parameters
    ----------
    study : Study
        The open study.
    layers : list of str, optional
        As in `layer_pairs`; the last one is used. By default it is each network's deepest main layer.
    seed : int, optional
        Decides which half of each category's images trains and which tests.

    Returns
    -------
    pandas.DataFrame
        ``task`` ('scene' or 'object' categories), ``features`` (whose network), ``layer``, ``categories``,
        ``n_train``, ``n``, ``share`` with its 95% Wilson interval ``low`` and ``high``, ``chance``
        (1 / categories), ``difference_low`` and ``difference_high`` (95% interval of the accuracy with the
        scene network's features less that with the object network's, on the same test images; NaN without
        both), ``paper``. An untrained network's features are tried too, where the study has one. Where the
        study has fewer than two categories of at least 8 images for a task, n is 0 and values are missing.

    Raises
    ------
    CannotAnswerError
        If that is so for both tasks.
    SceneLensError
        If a layer is missing.
    """
    deepest = layer_pairs(study, layers).drop(columns="depth").iloc[-1].to_dict()
    if CONTROL in study.networks and CONTROL not in deepest:
        deepest |= layer_pairs(study, layers, [CONTROL]).drop(columns="depth").iloc[-1].to_dict()
    rows = []
    for task in PAIR:
        images = _task_images(study, task)
        train = _training_half(images["category"].to_numpy(), seed)
        found, right = {}, {}
        for network, layer in deepest.items():
            row, right[network] = _accuracy(study, network, layer, images, train, seed)
            found[network] = {"task": task, "features": network, "layer": layer} | row
        ends = dict(zip(("difference_low", "difference_high"), _difference_interval(right), strict=True))
        rows += [row | ends for row in found.values()]
    table = pd.DataFrame(rows)
    if not table["n"].any():
        raise CannotAnswerError(
            "no classifier can be trained on a layer's features: that takes two categories of scenes, or of "
            f"objects, with {MIN_IMAGES} images each, so add photographs in folders by category."
        )
    quoted = {("scene", name): value for name, value in paper.SCENE_ACCURACY.items()}
    table["paper"] = [quoted.get(key, np.nan) for key in zip(table["task"], table["features"], strict=True)]
    return table


def _task_images(study: Study, task: str) -> pd.DataFrame:
    """Return a task's images, in categories of at least `MIN_IMAGES`.

    They keep their place in ``study.images`` as the table's index: it is also their place in the activation
    index.
    """
    images = study.images.reset_index(drop=True)
    images = images[(images["source"] == SOURCES[task]) & (images["category"] != "")]
    return images[images.groupby("category")["image"].transform("size") >= MIN_IMAGES]


def _training_half(categories: np.ndarray, seed: int = 0) -> np.ndarray:
    """Return which images train, bool: a random half of every category, the larger one of an odd number.

    >>> _training_half(np.array(["a", "a", "a", "b", "b"])).sum()
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
) -> tuple[dict[str, Any], pd.Series]:
    """A network's row of the table, and which test images were named right, by their place in the study."""
    categories = images["category"].nunique()
    unknown = {"categories": categories, "n_train": 0, "n": 0}
    if categories < 2:
        row = unknown | {"share": np.nan, "low": np.nan, "high": np.nan, "chance": np.nan}
        return row, pd.Series(dtype=bool)
    features = layer_features(study, network, layer)[images.index]
    names, readable = images["category"].to_numpy(), ~np.isnan(features).any(axis=1)
    fit, test = train & readable, ~train & readable
    path = study.cache / "transfer" / f"svm-{_key(features, names, fit, test, seed)}.json"
    found = cached(
        path,
        lambda: _svm_accuracy(features[fit], names[fit], features[test], names[test], seed=seed),
        pack=lambda result: json.dumps([result.named_right.astype(int).tolist(), result.cost]).encode(),
        unpack=_unpack,
    )
    low, high = found.interval
    result = {"categories": categories, "n_train": int(fit.sum()), "n": int(test.sum())}
    row = result | {"share": found.accuracy, "low": low, "high": high, "chance": 1 / categories}
    return row, pd.Series(found.named_right, index=images.index[test])


def _difference_interval(right: dict[str, pd.Series]) -> tuple[float, float]:
    """The interval of the scene network's accuracy less the object network's, on images that both read."""
    if not set(PAIR) <= set(right):
        return np.nan, np.nan
    both = pd.DataFrame({name: right[name] for name in PAIR}).dropna().astype(float)
    return paired_difference_interval(both["scene"], both["object"])


def _key(features: np.ndarray, names: np.ndarray, fit: np.ndarray, test: np.ndarray, seed: int) -> str:
    """What an SVM's answers depend on: the features themselves, so networks and layers need not be named."""
    parts = [_VERSION, version("scikit-learn"), seed, list(_COSTS), _FOLDS, [str(name) for name in names]]
    arrays = b"".join(np.ascontiguousarray(one).tobytes() for one in (features, fit, test))
    return cache_key(parts, 20, more=arrays)


def _unpack(content: bytes) -> _SVMResult:
    right, cost = json.loads(content)
    return _SVMResult(np.asarray(right, dtype=bool), float(cost))


@dataclass(frozen=True, eq=False)
class _SVMResult:
    """Which test images were named right, (n,) bool, and the chosen cost C."""

    named_right: np.ndarray
    cost: float

    @property
    def n(self) -> int:
        """The number of test images."""
        return len(self.named_right)

    @property
    def right(self) -> int:
        """How many of them were named right."""
        return int(self.named_right.sum())

    @property
    def accuracy(self) -> float:
        """Share of the test images named right, 0..1."""
        return self.right / self.n

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95% interval of the accuracy: for other test images, not for other training images."""
        return wilson_interval(self.right, self.n)


def _svm_accuracy(
    features_train: np.ndarray,
    classes_train: np.ndarray,
    features_test: np.ndarray,
    classes_test: np.ndarray,
    seed: int = 0,
) -> _SVMResult:
    """Train a linear SVM (one class against the rest) on some images' features, and test it on others'.

    Features are (n, d) finite numbers, classes (n,) names. Features are standardised by the mean and
    deviation of the training images. The cost C is chosen from `_COSTS` by cross-validation among the
    training images (of ties the smallest). The test images are used once, at the end. `seed` shuffles the
    folds.

    >>> x = np.array([[0.0, 0], [0, 1], [0, 2], [5, 0], [5, 1], [5, 2]])
    >>> _svm_accuracy(x, list("aaabbb"), x + 0.1, list("aaabbb")).accuracy
    1.0
    """
    from sklearn.svm import LinearSVC  # scikit-learn takes a second to import; figures do not need it

    train, known = _checked(features_train, classes_train, "training")
    test, wanted = _checked(features_test, classes_test, "test")
    if train.shape[1] != test.shape[1]:
        raise SceneLensError(
            f"training features have {train.shape[1]} columns, but test features have {test.shape[1]}."
        )
    if len(set(known.tolist())) < 2:
        raise SceneLensError("an SVM tells classes apart; the training images have fewer than two.")
    train, test = _standardised(train, test)
    # 0.1 is liblinear's own tolerance for this solver; 0.001 took 3 times as long for the same answers.
    model = LinearSVC(random_state=seed, tol=0.1, dual=True)
    cost = _best_cost(model, train, known, seed)
    model.set_params(C=cost).fit(train, known)
    return _SVMResult(model.predict(test) == wanted, cost)


def _standardised(train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Standardise both sets, and reduce them to no more dimensions than there are training images.

    The weights of a linear SVM are a weighted sum of training images, so directions outside their span cannot
    matter. Turning the axes into the span changes no answer, and 4096 features of 500 images become 500.
    """
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(train)
    train, test = scaler.transform(train), scaler.transform(test)
    if train.shape[1] <= train.shape[0]:
        return train, test
    axes, inside = np.linalg.qr(train.T)
    return inside.T, test @ axes


def _best_cost(model, features: np.ndarray, classes: np.ndarray, seed: int) -> float:
    from sklearn.model_selection import GridSearchCV, StratifiedKFold

    rarest = int(np.unique(classes, return_counts=True)[1].min())
    if rarest < 2:  # a class with one image cannot be in both folds, so no cost can be tried
        return 1e-2
    folds = StratifiedKFold(min(_FOLDS, rarest), shuffle=True, random_state=seed)
    search = GridSearchCV(model, {"C": list(_COSTS)}, cv=folds, refit=False)
    return float(search.fit(features, classes).best_params_["C"])


def _checked(features: np.ndarray, classes: np.ndarray, which: str) -> tuple[np.ndarray, np.ndarray]:
    """Return features as float32 (n, d), and as many class names."""
    values, names = np.asarray(features, dtype=np.float32), np.asarray(classes)
    if values.ndim != 2 or len(values) != len(names) or len(values) == 0:
        raise SceneLensError(
            f"{which} features are (n, d) with one class each; got {values.shape} and {len(names)} classes."
        )
    if not np.isfinite(values).all():
        raise SceneLensError(
            f"{which} features contain NaN or infinity; leave out images that were not read."
        )
    return values, names

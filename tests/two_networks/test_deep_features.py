"""A linear SVM on features: what it can and cannot tell apart, and what raises."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from scenelens.errors import SceneLensError
from scenelens.intervals import wilson_interval
from scenelens.two_networks.svm_transfer import _svm_accuracy


def clusters(n: int, d: int, seed: int, apart: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Images of four classes whose features scatter round four fixed centres."""
    labels = np.arange(n) % 4
    centres = np.random.default_rng(99).normal(size=(4, d)) * apart
    return centres[labels] + np.random.default_rng(seed).normal(size=(n, d)), labels.astype(str)


@pytest.mark.parametrize("d", [10, 200])  # fewer and more features than images
def test_same_answers_as_a_plain_pipeline(d):
    train, test = clusters(80, d, 1, 0.4), clusters(60, d, 2, 0.4)
    found = _svm_accuracy(*train, *test)
    plain = make_pipeline(StandardScaler(), LinearSVC(C=found.cost, tol=1e-5, max_iter=20_000))
    expected = (plain.fit(*train).predict(test[0]) == test[1]).sum()
    assert abs(found.right - expected) <= 1
    assert found.n == 60
    assert 0.5 < found.accuracy <= 1


def test_noise_stays_at_chance():
    found = _svm_accuracy(*clusters(200, 20, 1, 0.0), *clusters(200, 20, 2, 0.0))
    assert found.interval == wilson_interval(found.right, 200)
    assert found.accuracy < 0.4


def test_one_image_of_a_class_is_enough_to_go_on():
    features, labels = clusters(5, 6, 1, 9.0)
    assert _svm_accuracy(features, labels, features, labels).cost == 1e-2


def test_the_same_seed_gives_the_same_answer():
    data = (*clusters(60, 30, 1, 0.3), *clusters(60, 30, 2, 0.3))
    assert _svm_accuracy(*data, seed=4) == _svm_accuracy(*data, seed=4)


def test_features_that_cannot_be_used():
    features, labels = clusters(8, 3, 1)
    with pytest.raises(SceneLensError, match="fewer than two"):
        _svm_accuracy(features, ["a"] * 8, features, labels)
    with pytest.raises(SceneLensError, match="3 columns, but test features have 2"):
        _svm_accuracy(features, labels, features[:, :2], labels)
    with pytest.raises(SceneLensError, match="test features are"):
        _svm_accuracy(features, labels, features[:0], labels[:0])
    with pytest.raises(SceneLensError, match="NaN or infinity"):
        _svm_accuracy(features * np.nan, labels, features, labels)

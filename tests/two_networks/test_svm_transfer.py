"""A linear SVM on features: what it can and cannot tell apart, what raises, and each network on each task."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from scenelens.errors import CannotAnswerError, SceneLensError
from scenelens.intervals import wilson_interval
from scenelens.studies.study import open_study
from scenelens.two_networks import sentences, svm_transfer
from scenelens.two_networks.svm_transfer import _svm_accuracy
from tests.tiny_study import write_tiny_study


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
    one, other = (_svm_accuracy(*data, seed=4) for _ in range(2))
    assert one.cost == other.cost
    assert one.named_right.tolist() == other.named_right.tolist()


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


@given(st.lists(st.sampled_from("abc"), max_size=40), st.integers(0, 99))
def test_halves_split_every_category_evenly(categories, seed):
    categories = np.array(categories, dtype=object)
    train = svm_transfer._training_half(categories, seed)
    for name in set(categories):
        mine = categories == name
        assert (train & mine).sum() == -(-mine.sum() // 2)


def test_halves_depend_on_the_seed_alone():
    categories = np.repeat(["a", "b"], 20)
    np.testing.assert_array_equal(
        svm_transfer._training_half(categories, 3), svm_transfer._training_half(categories, 3)
    )
    assert (svm_transfer._training_half(categories, 3) != svm_transfer._training_half(categories, 4)).any()


def test_too_few_images_are_said_to_be_too_few(tiny_study):
    with pytest.raises(CannotAnswerError, match="two categories of scenes, or of objects, with 8 images"):
        svm_transfer.transfer(tiny_study)  # four images per category


@pytest.fixture(scope="module")
def larger(tmp_path_factory):
    return open_study(write_tiny_study(tmp_path_factory.mktemp("larger"), per_category=10))


def test_each_task_is_tried_with_each_networks_features(larger):
    table = svm_transfer.transfer(larger)
    assert list(zip(table["task"], table["features"], strict=True)) == [
        ("scene", "scene"), ("scene", "object"), ("object", "scene"), ("object", "object"),
    ]  # fmt: skip
    assert list(table["categories"]) == [3, 3, 2, 2]
    assert list(table["n_train"]) == list(table["n"]) == [15, 15, 10, 10]
    assert list(table["paper"].fillna(0)) == [0.5, 0.408, 0, 0]
    assert (table["layer"] == "fc7").all()
    assert ((table["low"] <= table["share"]) & (table["share"] <= table["high"])).all()


def test_a_row_is_the_svm_on_these_images_and_no_others(larger):
    """Second way to the same number: the images picked by their paths."""
    table = svm_transfer.transfer(larger, seed=5).set_index(["task", "features"])
    rows = larger.images["image"].str.contains("object/").to_numpy()
    labels = larger.images["image"].str.split("/").str[-2].to_numpy()[rows]
    features = larger.index("scene").values("fc7")[rows]
    train = svm_transfer._training_half(labels, 5)
    expected = _svm_accuracy(features[train], labels[train], features[~train], labels[~train], seed=5)
    assert table.loc[("object", "scene"), "share"] == expected.accuracy


def table_of(scene, other):
    names = ["task", "features", "share", "low", "high", "n", "categories", "chance"]
    rows = [
        ("scene", "scene", *scene, 80, 4, 0.25),
        ("scene", "object", *other, 80, 4, 0.25),
        ("object", "scene", *other, 0, 1, np.nan),
        ("object", "object", *scene, 0, 1, np.nan),
    ]
    difference = scene[0] - other[0]
    ends = {"difference_low": difference - 0.15, "difference_high": difference + 0.15}
    return pd.DataFrame(rows, columns=names).assign(**ends)


@pytest.mark.parametrize(("scene", "other", "words"), [
    ((0.9, 0.8, 0.95), (0.5, 0.4, 0.6), "An SVM on the scene network's features is 40 points better than"),
    ((0.5, 0.4, 0.6), (0.9, 0.8, 0.95), "not what the paper found"),
    ((0.5, 0.4, 0.6), (0.6, 0.5, 0.7), "No difference is shown between an SVM on the scene network's"),
])  # fmt: skip
def test_the_sentence_follows_the_numbers(scene, other, words):
    text = sentences.describe_transfer(table_of(scene, other))
    assert words in text
    assert "4 of them, chance 25%" in text
    assert "50.0% for the scene network itself, 40.8% for a linear SVM" in text.splitlines()[0]


def test_what_the_architecture_alone_reaches_is_said():
    rows = table_of((0.9, 0.8, 0.95), (0.5, 0.4, 0.6))
    control = rows.iloc[[0]].assign(features="untrained", share=0.55)
    text = sentences.describe_transfer(pd.concat([rows, control]))
    assert "Features of the untrained network reach 55%, 2.2 times chance" in text
    none = sentences.describe_transfer(pd.concat([rows, control.assign(share=0.2)]))
    assert "reach 20%, no more than chance" in none


def test_an_untrained_networks_features_are_tried_where_there_is_one(tmp_path):
    path = write_tiny_study(tmp_path, per_category=10)
    control = (
        '[networks.untrained]\narchitecture = "caffenet"\nwidth = 0.125\nfc = 16\nseed = 3\nclasses = 3\n'
    )
    path.write_text(path.read_text().replace("[[images]]", control + "\n[[images]]", 1))
    study = open_study(path)
    table = svm_transfer.transfer(study)
    assert list(table["features"]) == ["scene", "object", "untrained"] * 2
    pair = svm_transfer.transfer(open_study(write_tiny_study(tmp_path / "pair", per_category=10)))
    both = table[table["features"] != "untrained"].reset_index(drop=True)
    pd.testing.assert_frame_equal(both, pair)  # the others' numbers stay as they are
    text = sentences.describe_transfer(table)
    assert text.count("Features of the untrained network reach") == 2


def test_the_two_features_are_compared_on_the_same_images():
    """Whichever images are hard are hard for both: each side alone says less than the pairs."""
    scene, other = pd.Series([True] * 60 + [False] * 40), pd.Series([True] * 50 + [False] * 50)
    low, high = svm_transfer._difference_interval({"scene": scene, "object": other.drop(99)})
    assert 0.03 < low < 10 / 99 < high < 0.18
    assert np.isnan(svm_transfer._difference_interval({"scene": scene})).all()


@pytest.mark.parametrize(("scene", "other", "said"), [
    (0.8, 0.4, "a loss of 18% of the accuracy; here 50% are lost, 2.7 times as much."),
    (0.5, 0.4, "a loss of 18% of the accuracy; here 20% are lost, though no difference is shown."),
    (0.5, 0.6, "a loss of 18% of the accuracy; here 20% are gained, though no difference is shown."),
    (0.0, 0.1, "a loss of 18% of the accuracy."),
    (np.nan, np.nan, "a loss of 18% of the accuracy."),
])  # fmt: skip
def test_the_loss_stands_beside_the_papers(scene, other, said):
    table = table_of((scene, 0.0, 1.0), (other, 0.0, 1.0))
    assert sentences._relative_loss(table) == f", {said.removesuffix('.')}"

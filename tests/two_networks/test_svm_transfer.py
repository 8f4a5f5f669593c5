import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenelens.studies.study import open_study
from scenelens.two_networks import sentences, svm_transfer
from scenelens.two_networks.svm_transfer import _svm_accuracy
from tests.tiny_study import write_tiny_study


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
    table = svm_transfer.transfer(tiny_study)  # four images per category
    assert (table["n"] == 0).all()
    assert sentences.describe_transfer(table).count("cannot be tried") == 2


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
    return pd.DataFrame(rows, columns=names)


@pytest.mark.parametrize(("scene", "other", "words"), [
    ((0.9, 0.8, 0.95), (0.5, 0.4, 0.6), "network's features serve its own task better, as in the paper."),
    ((0.5, 0.4, 0.6), (0.9, 0.8, 0.95), "not what the paper found"),
    ((0.5, 0.4, 0.6), (0.6, 0.5, 0.7), "The intervals overlap"),
])  # fmt: skip
def test_the_sentence_follows_the_numbers(scene, other, words):
    text = sentences.describe_transfer(table_of(scene, other))
    assert words in text
    assert "4 of them, chance 25%" in text
    assert "50.0% for the scene network itself, 40.8% for a linear SVM" in text

"""The best single object of every scene: by hand, by scikit-learn, and where nothing can be said."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from scenelens.emergence.informativeness import (
    _ap_of_presence,
    _presence_accuracy,
    _presence_information,
    informative_objects,
)
from scenelens.errors import SceneLensError
from scenelens.metrics import average_precision
from tests.presence import presence


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30))
def test_the_ap_of_a_presence_is_the_average_precision(cases):
    truth, shown = np.array(cases, bool).T
    ours = _ap_of_presence((truth & shown).sum(), shown.sum(), truth.sum(), len(truth))
    assert float(ours) == pytest.approx(average_precision(truth, shown), nan_ok=True)
    if truth.any():
        assert float(ours) == pytest.approx(average_precision_score(truth, shown))


def world(n: int = 20) -> list:
    """Dens have beds (all but two) and lamps, seas have boats and half of them lamps; a lamp says little."""
    dens = [("den", ("lamp",) if k < 2 else ("bed", "lamp")) for k in range(n)]
    return dens + [("sea", ("boat",) if k % 2 else ("boat", "lamp")) for k in range(n)]


def test_the_informative_object_wins_over_the_frequent_one():
    found = informative_objects(presence(world()))
    table = found.categories.set_index("category")
    assert table.object.to_dict() == {"den": "bed", "sea": "boat"}
    assert table.n_images.tolist() == [20, 20]
    assert table.n_with.tolist() == [18, 20]
    assert table.base.tolist() == [0.5, 0.5]
    assert (table.reason == "").all()
    assert table.ap["sea"] == 1.0
    assert table.low["den"] <= table.ap["den"] <= table.high["den"] <= 1
    assert found.objects.set_index("object").categories.to_dict() == {"boat": 1, "bed": 1, "lamp": 0}
    assert found.objects.set_index("object").ap["boat"] == 1.0


def test_the_ap_is_that_of_the_other_half():
    """With one of two halves known, the AP is worked out anew with scikit-learn."""
    seen = presence(world())
    found = informative_objects(seen, seed=4)
    rng = np.random.default_rng(4)
    judging = np.zeros(40, bool)
    for own in (np.arange(20), np.arange(20, 40)):
        judging[rng.permutation(own)[:10]] = True
    truth, bed = np.arange(40) < 20, seen.present[:, seen.objects.index("bed")]
    row = found.categories.set_index("category").loc["den"]
    assert row.ap == pytest.approx(average_precision_score(truth[judging], bed[judging]))
    assert row.ap_chosen == pytest.approx(average_precision_score(truth[~judging], bed[~judging]))


def test_choosing_and_testing_on_the_same_images_would_be_too_good():
    """Fifty objects placed at random: the best is good where it was chosen, and no better than chance where
    it is judged."""
    rng = np.random.default_rng(0)
    images = [("ab"[k % 2], tuple(f"o{j}" for j in range(50) if rng.random() < 0.3)) for k in range(40)]
    tables = [informative_objects(presence(images), seed=seed).categories for seed in range(8)]
    chosen, judged = (np.mean([table[name].mean() for table in tables]) for name in ("ap_chosen", "ap"))
    assert chosen > 0.65
    assert judged < 0.6
    assert any("no better than chance" in reason for table in tables for reason in table.reason)


def test_a_stable_choice_differs_from_a_lucky_one():
    rng = np.random.default_rng(1)
    images = [
        (place, (*own, *(f"o{j}" for j in range(9) if rng.random() < 0.4)))
        for _ in range(10)
        for place, own in (("den", ("bed",)), ("sea", ()), ("wood", ()))
    ]
    table = informative_objects(presence(images)).categories.set_index("category")
    assert table.stability["den"] == 1.0
    assert table.stability["wood"] < 0.9


def test_a_category_with_one_image_says_so_and_does_not_count():
    found = informative_objects(presence([*world(), ("cave", ("rock",)), ("loft", ("rock",)), ("loft", ())]))
    table = found.categories.set_index("category")
    assert table.reason["cave"].startswith("1 image: too few")
    assert table.reason["loft"].startswith("2 images: too few")
    assert np.isnan(table.ap["cave"])
    assert table.object["cave"] == ""
    assert found.counted.category.tolist() == ["den", "sea"]
    assert found.objects.set_index("object").categories["rock"] == 0


def test_a_single_category_does_not_count():
    found = informative_objects(presence(world()[:20]))
    assert found.categories.reason.tolist() == ["the only category: there is nothing to tell it from"]
    assert found.objects.categories.sum() == 0
    assert found.objects.ap.isna().all()


def test_images_without_a_category_take_no_part():
    found = informative_objects(presence([*world(), *[("", ("bed",))] * 30]))
    assert found.n_images == 40
    assert found.categories.category.tolist() == ["den", "sea"]
    with pytest.raises(SceneLensError, match="none of the annotated images has a scene category"):
        informative_objects(presence([("", ("bed",))] * 4))


def test_without_any_object():
    found = informative_objects(presence([("den", ())] * 4 + [("sea", ())] * 4))
    assert (found.categories.reason == "no object is annotated").all()
    assert found.objects.empty


def test_equally_good_objects_go_by_the_alphabet():
    images = [("den", ("bed", "axe"))] * 4 + [("sea", ())] * 4
    assert informative_objects(presence(images)).categories.object.tolist()[0] == "axe"


# ---- other readings of informativeness


def test_accuracy_and_information_of_a_wall_and_a_bed():
    """Four categories of 20 images: a wall in two of them, a bed in one; a lamp anywhere."""
    truth = np.repeat(np.eye(4, dtype=bool), 20, 0)
    lamp = np.arange(80) % 2 == 0
    present = np.stack([truth[:, :2].any(1), truth[:, 0], lamp], 1)
    test = np.arange(80) % 4 < 2
    assert _presence_accuracy(truth, present, test).tolist() == [0.5, 0.5, 0.25]
    bias = 3 / (2 * 80 * np.log(2))
    bed = 0.25 * np.log2(4) + 0.75 * np.log2(4 / 3)
    assert _presence_information(truth, present) == pytest.approx([1 - bias, bed - bias, 0])


@pytest.mark.parametrize("seed", range(4))
def test_information_against_entropies(seed):
    rng = np.random.default_rng(seed)
    kinds, present = rng.integers(0, 3, 50), rng.random((50, 1)) < 0.3 + 0.4 * rng.random()
    truth = kinds[:, None] == np.arange(3)

    def entropy(values):
        share = np.unique(values, return_counts=True)[1] / len(values)
        return -(share * np.log2(share)).sum()

    judge = entropy(kinds) + entropy(present[:, 0]) - entropy(2 * kinds + present[:, 0])
    judge -= 2 / (2 * 50 * np.log(2))
    assert _presence_information(truth, present)[0] == pytest.approx(max(judge, 0))


def test_readings_of_images_without_a_category():
    truth, present = np.zeros((4, 2), bool), np.ones((4, 1), bool)
    assert np.isnan(_presence_accuracy(truth, present, np.array([True, False] * 2))).all()
    assert np.isnan(_presence_information(truth, present)).all()

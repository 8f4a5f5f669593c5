"""Units chosen on one half and switched off on the other, compared with whole passes of the live network."""

import numpy as np
import pandas as pd
import pytest
import torch

import scenelens as sl
from scenelens.errors import CannotAnswerError, SceneLensError
from scenelens.interventions import ablation_effects, choices, effects, passes
from scenelens.interventions.choices import _Halves, _ranks_by_label
from scenelens.labels import deal_folds
from scenelens.studies import open_study
from tests.annotated_study import annotated_study
from tests.tiny_study import write_tiny_study

NUMBERS = (1, 3, 16)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return annotated_study(tmp_path_factory.mktemp("interventions"), 24)


@pytest.fixture(scope="module")
def found(study):
    return ablation_effects(study, numbers=NUMBERS, draws=2, progress=False)


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    return open_study(write_tiny_study(tmp_path_factory.mktemp("bare"), 8))


# ---- halves


def test_no_image_chooses_and_judges(study):
    halves = _Halves.of(study, "scene", most=100, seed=0)
    table = halves.images
    assert len(table) == 72
    assert set(table.category) == {"attic", "beach", "cave"}
    assert abs(table.judges.sum() - 36) < 8  # whole folds judge
    fold_of = deal_folds(list(study.annotations.images))
    chooses = [fold_of[study.annotated(image)] in halves.folds for image in table.image]
    assert (table.judges.to_numpy() == ~np.array(chooses)).all()
    assert set(halves.annotated.image) == {study.annotated(one) for one in table.image[~table.judges]}
    again, other = (_Halves.of(study, "scene", 100, seed) for seed in (0, 1))
    assert again.images.equals(table)
    assert not other.images.judges.equals(table.judges)


def test_a_category_has_at_most_so_many_images_in_either_half(study):
    table = _Halves.of(study, "scene", most=5, seed=0).images
    assert (table.groupby(["category", "judges"]).size() <= 5).all()
    assert table.groupby("judges").size().min() > 10


def test_images_that_are_not_annotated_are_split_within_their_category(bare):
    halves = _Halves.of(bare, "scene", most=100, seed=0)
    assert halves.folds == []
    assert halves.images.groupby(["category", "judges"]).size().tolist() == [4] * 6


def test_a_single_category_cannot_be_told_apart(bare):
    table = bare.images
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(bare.__dict__, "images", table[table.category == "attic"])
        with pytest.raises(CannotAnswerError, match="the images show one category that the scene network"):
            ablation_effects(bare)
        patch.setitem(bare.__dict__, "images", table.assign(category="nowhere"))
        with pytest.raises(CannotAnswerError, match="no category that the scene network"):
            ablation_effects(bare)


def test_a_category_with_one_image_cannot_choose_and_judge(bare):
    one_each = bare.images.groupby("category").head(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(bare.__dict__, "images", one_each)
        with pytest.raises(CannotAnswerError, match="no two categories of the scene network have two images"):
            ablation_effects(bare)


# ---- the answers of changed networks


def _whole(found, units, value):
    """Log-probabilities and names by whole passes of the live network."""
    network = found.study.networks[found.network]
    pictures = [found.study.load_image(image) for image in found.images.image]
    with sl.ablate(network, found.layer, units, value):
        scores = network(pictures).log_softmax(1)
    own = scores[torch.arange(len(scores)), torch.tensor(found.images["class"].to_numpy())]
    return own.numpy(), scores.argmax(1).numpy()


def test_every_run_is_a_network_with_these_units_changed(found):
    logp, named = _whole(found, [], 0)
    np.testing.assert_allclose(found.logp, logp, atol=1e-4)
    assert (found.named == named).all()
    rng = np.random.default_rng(0)
    for way, on in (
        ("label", False),
        ("label", True),
        ("random", True),
        ("effect", False),
        ("single", False),
    ):
        for k in rng.choice(found.rows(way, on).index, 2, replace=False):
            units = list(found.units[k])
            assert len(units) == found.runs.k[k]
            logp, named = _whole(found, units, found.high[units] if on else 0)
            np.testing.assert_allclose(found.logp_of[k], logp, atol=1e-4)
            assert (found.named_of[k] == named).mean() > 0.99  # two classes may have equal scores


def test_there_is_a_run_for_every_set(found):
    counted = found.runs.groupby(["way", "on"]).size().to_dict()
    named = found.ranks["label"].groupby("class").size()
    sets = sum(int((named >= k).sum()) for k in NUMBERS)
    assert counted == {
        ("single", False): found.n_units,
        ("effect", False): 3 * 3,
        ("label", False): sets, ("label", True): sets,
        ("random", False): 3 * 2, ("random", True): 3 * 2,
    }  # fmt: skip
    assert sets > 0
    for way in ("label", "effect"):
        for k in found.rows(way).index:
            rank = found.ranks[way]
            own = rank[rank["class"] == found.runs["class"][k]].sort_values("rank")
            assert found.units[k] == tuple(own.unit[: found.runs.k[k]])


def test_the_high_response_is_rarely_exceeded(found, study):
    network = study.networks["scene"]
    table = _Halves.of(study, "scene", 25, 0).images
    with sl.record(network, "pool5") as acts:
        network([study.load_image(image) for image in table.image])
    share = (acts["pool5"].transpose(0, 1).flatten(1).numpy() > found.high[:, None]).mean(1)
    assert (share <= 0.006).all()


def test_units_by_effect_are_chosen_on_the_half_that_does_not_judge(found, study):
    network = study.networks["scene"]
    table = _Halves.of(study, "scene", 25, 0).images
    chooses = table[~table.judges & (table["class"] == 1)]
    pictures = [study.load_image(image) for image in chooses.image]

    def mean():
        return float(network(pictures).log_softmax(1)[:, 1].mean())

    ranks = found.ranks["effect"]
    own = ranks[ranks["class"] == 1].sort_values("rank")
    before = mean()
    for row in (own.iloc[0], own.iloc[5], own.iloc[-1]):
        with sl.ablate(network, "pool5", int(row.unit)):
            assert row.score == pytest.approx(before - mean(), abs=1e-4)
    assert (np.diff(own.score) <= 0).all()


def test_whole_passes_say_the_same(found, study, monkeypatch):
    monkeypatch.setattr(passes._Passes, "_differs", lambda self: "of this test")
    monkeypatch.setattr(effects, "_VERSION", "of this test")
    plain = ablation_effects(study, numbers=(3,), draws=1, progress=False)
    assert plain.why_whole == "of this test"
    assert plain.images.equals(found.images)
    for way, on in (("label", True), ("effect", False)):
        one, other = plain.rows(way, on), found.rows(way, on)
        same = other[other.k == 3]
        assert [plain.units[k] for k in one.index] == [found.units[k] for k in same.index]
        np.testing.assert_allclose(plain.logp_of[one.index], found.logp_of[same.index], atol=1e-4)


def test_what_was_measured_is_kept_until_something_changes(found, study, monkeypatch):
    def measured(self, progress):
        raise AssertionError("measured again")

    monkeypatch.setattr(effects._Plan, "measured", measured)
    again = ablation_effects(study, numbers=NUMBERS, draws=2, progress=False)
    assert np.array_equal(again.logp_of, found.logp_of)
    assert again.ranks["effect"].equals(found.ranks["effect"])
    for changed in ({"seed": 1}, {"draws": 3}, {"numbers": (1, 3)}, {"layer": "conv4"}, {"most": 7}):
        with pytest.raises(AssertionError, match="measured again"):
            ablation_effects(study, **({"numbers": NUMBERS, "draws": 2, "progress": False} | changed))


# ---- by label


def test_the_cache_is_named_without_an_index(tmp_path):
    study = open_study(write_tiny_study(tmp_path, 8))
    plan, _ = effects._planned(study, "", "")
    path = plan.path
    assert not list((study.cache / "index").glob("*/images.json"))
    assert study.index("scene").folder.name == study.index_name("scene")
    assert plan.path == path


def test_a_unit_counts_by_its_iou_times_how_much_more_often_its_object_is_there(monkeypatch):
    more = pd.DataFrame({"bed": [0.5, -0.5], "boat": [-0.2, 0.2]}, index=[4, 9])
    monkeypatch.setattr(choices, "_more_often", lambda study, halves: more)
    names = pd.DataFrame({"unit": [0, 2, 5, 6], "object": ["bed", "boat", "bed", "cup"], "iou_chosen": 0.1})
    names.loc[2, "iou_chosen"] = 0.3
    ranks = _ranks_by_label(None, names, None)
    assert ranks[["class", "rank", "unit", "object"]].to_numpy().tolist() == [
        [4, 1, 5, "bed"],
        [4, 2, 0, "bed"],
        [9, 1, 2, "boat"],
    ]
    assert ranks.score.tolist() == pytest.approx([0.15, 0.05, 0.02])


def test_an_object_belongs_to_the_categories_that_show_it_more_often(study):
    more = choices._more_often(study, _Halves.of(study, "scene", 40, 0))
    # Each object is on all images of its categories and on no others; a lamp is on all.
    assert np.sign(more).astype(int).T.to_dict("index") == {
        "bed": {0: 1, 1: -1, 2: -1},
        "boat": {0: -1, 1: 1, 2: -1},
        "lamp": {0: 0, 1: 0, 2: 0},
        "rock": {0: -1, 1: -1, 2: 1},
        "sand": {0: -1, 1: 1, 2: -1},
        "window": {0: 1, 1: -1, 2: -1},
    }
    assert more.bed[0] == more.rock[2] == 1


def test_a_study_without_annotations_chooses_by_effect(bare):
    found = ablation_effects(bare, numbers=(2,), draws=1, progress=False)
    assert found.way == "effect"
    assert found.why_no_labels == "no image is annotated, so no unit has a name"
    assert found.rows("label").empty
    assert len(found.rows("effect")) == 3


@pytest.mark.parametrize("wrong", [{"numbers": (0,)}, {"numbers": ()}, {"draws": 0}, {"most": 0}])
def test_numbers_below_one_are_refused(study, wrong):
    with pytest.raises(SceneLensError, match="are 1 or more"):
        ablation_effects(study, **wrong)


def test_names_of_a_half_are_counted_on_its_images_alone(study):
    labels = study.automatic_labels("scene")
    folds = [0, 3, 4, 6, 9]
    table = labels.labels_by_half("pool5", folds, least_images=1)
    counts, pixels = labels.counts["pool5"].folds, labels.n_pixels // labels.n_images
    place = {name: k for k, name in enumerate(labels.concepts.concept)}
    assert pixels == 227 * 227
    for own, column in ((folds, "iou_chosen"), ([1, 2, 5, 7, 8], "iou")):
        for row in table.itertuples():
            k = place[row.concept]
            shared = sum(int(counts.shared[fold, row.unit, k]) for fold in own)
            either = (
                sum(int(counts.active[fold, row.unit] + labels.folds.pixels[fold, k]) for fold in own)
                - shared
            )
            assert getattr(row, column) == pytest.approx(shared / either)
    assert table.unit.is_unique
    strict = labels.labels_by_half("pool5", folds, types=["part"], least_images=1)
    assert strict.empty

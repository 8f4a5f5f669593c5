"""Names chosen on one half of the images and judged on the other, against plain loops over images."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenelens.errors import SceneLensError
from scenelens.labels.automatic import AutomaticLabels, LayerCounts
from scenelens.labels.halves import _FoldCounts, _Folds, _halves, _Judged, _overlap, deal_folds

PIXELS = 100  # of an image


def plain_ways(n):
    """All pairs of disjoint halves of n folds, each pair once."""
    folds = set(range(n))
    halves = [set(one) for one in itertools.combinations(sorted(folds), n // 2)]
    return [(one, folds - one) for one in halves if 0 in one]


def plain_iou(shared, active, truth):
    union = active + truth - shared
    return shared / union if union else np.nan


def plain_judge(counts, folds, unit, allowed):
    """Each half's choice by IoU, and the mean IoU and precision that the other halves give it."""
    choices, ious, precisions = [], [], []
    for pair in plain_ways(len(folds.n_images)):
        for own, other in (pair, pair[::-1]):

            def sums(half, concept, counts=counts):
                return (
                    sum(int(counts.shared[f, unit, concept]) for f in half),
                    sum(int(counts.active[f, unit]) for f in half),
                    sum(int(folds.pixels[f, concept]) for f in half),
                )

            best, value = -1, 0.0
            for concept in np.flatnonzero(allowed).tolist():
                found = plain_iou(*sums(own, concept))
                if found > value:
                    best, value = concept, found
            choices.append(best)
            ious.append(plain_iou(*sums(other, best)) if best >= 0 else 0.0)
            top = sum(int(counts.top[f, unit]) for f in other)
            if best < 0:
                precisions.append(0.0)
            elif top:
                precisions.append(sum(int(counts.fitting[f, unit, best]) for f in other) / top)
    return choices, np.nanmean(ious), np.mean(precisions) if precisions else np.nan


def made(seed, n_folds=4, units=3, concepts=4, quiet=0.3):
    """Counts that fit together: shared pixels are active and on the concept."""
    rng = np.random.default_rng(seed)
    active = rng.integers(1, 50, (n_folds, units)) * (rng.random((n_folds, units)) > quiet)
    truth = rng.integers(1, 50, (n_folds, concepts)) * (rng.random((n_folds, concepts)) > quiet)
    shared = rng.integers(0, 50, (n_folds, units, concepts))
    shared = np.minimum(shared, np.minimum(active[:, :, None], truth[:, None]))
    top = rng.integers(0, 4, (n_folds, units))
    fitting = np.minimum(rng.integers(0, 4, (n_folds, units, concepts)), top[:, :, None])
    ap = rng.random((2, units, concepts)).astype(np.float32)
    counts = _FoldCounts(active, shared.astype(np.int32), fitting, top, ap)
    return counts, _Folds(truth, (truth > 0).astype(int) * 3, np.full(n_folds, 6))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([2, 4, 6]))
def test_the_halves_are_those_of_plain_loops(seed, n_folds):
    counts, folds = made(seed, n_folds)
    allowed = np.array([True, True, False, True])
    found = _Judged.of(counts, folds, PIXELS, "iou", allowed)
    for unit in range(3):
        choices, iou, precision = plain_judge(counts, folds, unit, allowed)
        assert sorted(found.choices[:, unit].tolist()) == sorted(choices)
        assert found.values["iou"][unit] == pytest.approx(iou)
        assert found.values["precision"][unit] == pytest.approx(precision, nan_ok=True)


def test_two_folds_by_hand():
    """The first fold says bed, the second says red; each is judged by the other."""
    shared = np.array([[[8, 2]], [[1, 9]]])
    active, truth = np.array([[10], [10]]), np.array([[10, 12], [5, 10]])
    ap = np.zeros((2, 1, 2), np.float32)
    counts = _FoldCounts(active, shared, np.array([[[3, 1]], [[0, 4]]]), np.array([[5], [4]]), ap)
    folds = _Folds(truth, np.full((2, 2), 5), np.array([5, 5]))
    found = _Judged.of(counts, folds, PIXELS, "iou", np.ones(2, bool))
    assert found.choices.tolist() == [[0], [1]]
    # bed on the second fold: 1 of 10 + 5 - 1; red on the first: 2 of 10 + 12 - 2
    assert found.values["iou"][0] == pytest.approx((1 / 14 + 2 / 20) / 2)
    assert found.values["coverage"][0] == pytest.approx((1 / 10 + 2 / 10) / 2)
    assert found.values["precision"][0] == pytest.approx((0 / 4 + 1 / 5) / 2)
    assert found.same(np.array([1])).tolist() == [0.5]
    assert found.names(0) == [0, 1]


def test_there_are_126_ways_to_halve_ten_folds_and_each_fold_is_in_half_of_them():
    first, second = _halves(10)
    assert len(first) == 126
    assert len({tuple(one) for one in [*first, *second]}) == 252
    assert (first + second == 1).all()
    assert (np.concatenate([first, second]).mean(0) == 0.5).all()


def test_a_half_varies_around_all_as_all_vary_around_the_world():
    """The spread of the halves' means is the standard error: what makes `same_name` a measure of sureness."""
    values = np.random.default_rng(3).normal(size=10)
    means = np.concatenate(_halves(10)) @ values / 5
    assert means.std() == pytest.approx(values.std(ddof=1) / np.sqrt(10))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(max_size=5), unique=True, min_size=1, max_size=40), st.randoms())
def test_folds_are_equal_and_do_not_depend_on_the_order(images, shuffle):
    folds = deal_folds(images)
    mixed = list(images)
    shuffle.shuffle(mixed)
    assert deal_folds(mixed) == folds
    sizes = np.bincount(list(folds.values()))
    assert len(sizes) == max(1, min(10, len(images) // 2 * 2))
    assert sizes.max() - sizes.min() <= 1


def test_the_set_of_names_has_the_choice_of_95_per_cent_of_the_halves():
    choices = np.array([[4] * 90 + [2] * 5 + [7] * 5, [4] * 96 + [2] * 4 + [7] * 0, [-1] * 100]).T
    found = _Judged(choices, {})
    assert found.names(0) == [4, 2]
    assert found.names(1) == [4]
    assert found.names(2) == []
    assert found.same(np.array([4, 2, 0])).tolist() == [0.9, 0.04, 0]


def test_measures_of_pixels_are_those_of_the_libraries():
    rng = np.random.default_rng(1)
    active, truth = rng.random((2, 500)) < [[0.1], [0.3]]
    found = _overlap((active & truth).sum(), active.sum(), truth.sum(), 500)
    assert found["correlation"] == pytest.approx(np.corrcoef(active, truth)[0, 1])
    precision, recall = (active & truth).sum() / active.sum(), (active & truth).sum() / truth.sum()
    assert found["f1"] == pytest.approx(2 * precision * recall / (precision + recall))
    assert found["coverage"] == pytest.approx(precision)
    assert np.isnan(_overlap(np.array(0), np.array(0), np.array(5), 500)["coverage"])


def labelled(seed=0, n_folds=10, units=6, concepts=5):
    counts, folds = made(seed, n_folds, units, concepts, quiet=0.1)
    table = pd.DataFrame(
        {
            "concept": [f"thing {k}" for k in range(concepts)],
            "kind": "objects",
            "type": "object",
            "pixels": folds.pixels.sum(0),
            "images": folds.images.sum(0),
        }
    )
    totals = counts.active.sum(0), counts.shared.sum(0), counts.fitting.sum(0)
    ap = np.random.default_rng(seed).random((units, concepts))
    layer = LayerCounts(np.ones(units, np.float32), *totals, ap, counts)
    how = {"n_images": 60, "n_pixels": 60 * PIXELS, "n_top": 15, "quantile": 0.005}
    return AutomaticLabels("scene", table, {"pool5": layer}, folds=folds, **how)


def test_labels_say_what_chose_and_what_judged():
    found = labelled()
    table = found.labels().set_index("unit")
    iou = found.measures("pool5")["iou"]
    assert table.iou_chosen.to_dict() == pytest.approx(dict(enumerate(iou.max(1))))
    assert (table.difference == table.iou_chosen - table.iou).all()
    for unit, row in table.iterrows():
        choices, judged, _ = plain_judge(
            found.counts["pool5"].folds, found.folds, unit, found.concepts.images.to_numpy() >= 10
        )
        best = int(iou[unit].argmax())
        assert row.iou == pytest.approx(judged)
        assert row.concept == f"thing {best}"
        assert row.same_name == pytest.approx(np.mean([one == best for one in choices]))
        assert sum(f"thing {one}" in row.names for one in choices) >= 0.95 * len(choices)
        assert row.images == found.concepts.images[best]
        assert row.chance == row.images / 60


def test_a_concept_on_too_few_images_of_a_half_is_no_name():
    found = labelled()
    rare = replace(found, concepts=found.concepts.assign(images=[9, 9, 30, 9, 9]))
    assert set(rare.labels().concept) == {"thing 2"}
    assert rare.labels(least_images=4).concept.nunique() > 1
    assert replace(found, concepts=found.concepts.assign(images=9)).labels().empty
    assert replace(found, folds=None).labels().empty  # nothing judged


def test_f1_chooses_as_iou_does_and_correlation_and_ap_by_themselves():
    found = labelled(5)
    by = {name: found.labels(name).set_index("unit") for name in ("iou", "f1", "correlation", "ap")}
    assert (by["f1"].concept == by["iou"].concept).all()
    assert (by["f1"].same_name == by["iou"].same_name).all()
    ap = found.counts["pool5"].ap
    assert by["ap"].ap_chosen.to_dict() == pytest.approx(dict(enumerate(ap.max(1))))
    halves = found.counts["pool5"].folds.ap
    for unit, row in by["ap"].iterrows():
        one, other = halves[:, unit].argmax(1)
        assert row.ap == pytest.approx((halves[1, unit, one] + halves[0, unit, other]) / 2)
    correlation = found.measures("pool5")["correlation"]
    best = {f"thing {k}" for k in correlation.argmax(1)[by["correlation"].index]}
    assert set(by["correlation"].concept) == best


@pytest.mark.parametrize("by", ["precision", "coverage", "above_chance", "share_of_ceiling"])
def test_measures_that_do_not_notice_wrong_labels_never_choose(by):
    with pytest.raises(SceneLensError, match="may not choose a label"):
        labelled().labels(by)
    assert by in labelled().labels()

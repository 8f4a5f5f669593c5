"""Detectors judged by hand, then against full-size masks and scikit-learn on a study of a dozen images."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from scenelens.active_pixels import axis
from scenelens.detector_scores import Detector, judge
from scenelens.errors import SceneLensError
from scenelens.hooks import record
from scenelens.images import load_image
from scenelens.label_units import map_axes
from scenelens.score_pixels import BINS, _weights, count_scores, fires
from tests.annotated_study import annotated_study


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return annotated_study(tmp_path_factory.mktemp("annotated"), 4)


@pytest.fixture(scope="module")
def detectors(study):
    network, known = study.networks["scene"], study.annotations
    with record(network, "pool5") as acts:
        network([load_image(known.path(image)) for image in known])
    levels = np.quantile(acts["pool5"].transpose(0, 1).flatten(1).numpy(), 0.9, axis=1)

    def made(concept, how, *units):
        return Detector(concept, "objects", how, "pool5", units, tuple(float(levels[u]) for u in units))

    return [made("lamp", "unit", 3), made("bed", "union", 3, 7), made("dragon", "best unit", 2)]


@pytest.fixture(scope="module")
def scores(study, detectors):
    return judge(
        study.networks["scene"], study.annotations, detectors, study.annotations.images, progress=False
    )


def test_pixels_are_counted_by_hand():
    # scores 3, 1.5 and 0 along a row; the first pixel is the object's; 3 / 4, 1.5 / 2.5 of four bins
    bins = np.zeros((2, 4), np.int64)
    how = (axis(1, 1, 0, 1), axis(2, 3, 0, 2))
    assert count_scores(np.array([[3.0, 0.0]]), np.array([[True, False, False]]), how, bins, step=1) == (1, 2)
    assert bins.tolist() == [[1, 0, 1, 0], [0, 0, 0, 1]]


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 10**6))
def test_counting_is_as_with_whole_masks(h, w, seed):
    rng = np.random.default_rng(seed)
    values = np.maximum(rng.normal(0.3, 1, (h, w)), -1).astype(np.float32)
    mask, how = rng.random((30, 40)) < 0.4, (axis(h, 30, 2.5, 30 / h), axis(w, 40, 3.0, 40 / w))
    bins, step = np.zeros((2, BINS), np.int64), int(rng.integers(1, 5))
    shared, active = count_scores(values, mask, how, bins, step)
    whole = _weights(how[0], h) @ values @ _weights(how[1], w).T
    clear = np.abs(whole - 1) > 1e-5  # rounding may move a pixel over the threshold
    assert (whole[clear] > 1).sum() <= active <= (whole[clear] > 1).sum() + (~clear).sum()
    assert (whole[clear & mask] > 1).sum() <= shared <= (whole[clear & mask] > 1).sum() + (~clear).sum()
    for side, truth in zip(bins, (~mask, mask), strict=True):
        some = np.maximum(whole[::step, ::step][truth[::step, ::step]], 0)
        expected = np.bincount((BINS * some / (1 + some)).astype(int), minlength=BINS)
        assert side.sum() == len(some)
        assert np.abs(side.cumsum() - expected.cumsum()).max() <= 2  # rounding at the edges of bins


def test_a_detectors_numbers_are_those_of_its_masks(study, detectors, scores):
    network, known, one = study.networks["scene"], study.annotations, detectors[1]
    shared = active = truth = 0
    present, peaks = [], []
    for image in known:
        picture = load_image(known.path(image))
        mask = fires(network, one.layer, one.units, one.thresholds, network.show_input(picture))
        objects = known.masks(image, (227, 227)).get("bed", np.zeros((227, 227), bool))
        shared, active, truth = shared + (mask & objects).sum(), active + mask.sum(), truth + objects.sum()
        with record(network, one.layer) as acts:
            network(picture)
        values = acts[one.layer][0, list(one.units)].amax((1, 2)).numpy() / np.array(one.thresholds)
        peaks.append(values.max())
        present.append(objects.any())
    row = scores.table("union").iloc[0]
    assert row.jaccard == pytest.approx(shared / (active + truth - shared), rel=0.01)
    assert row.jaccard > 0
    assert row.ap == pytest.approx(average_precision_score(present, peaks), rel=1e-4)
    assert (row.n, row.images, row.units) == (len(known), 4, (3, 7))
    assert row.ap_low <= row.ap <= row.ap_high
    curve = scores.curve(1)
    assert np.sum(curve.precision * np.diff(curve.recall, prepend=0)) == pytest.approx(row.ap)


def test_every_image_shows_a_lamp_so_its_detector_cannot_fail(scores):
    row = scores.table("unit").iloc[0]
    assert (row.share, row.ap) == (1.0, 1.0)
    assert 0 < row.pixel_ap < 1
    pixels = scores.curve(scores.find("lamp", "unit"), "pixels")
    assert pixels.recall[-1] == pytest.approx(1)


def test_an_object_that_no_image_shows_has_no_ap(scores):
    row = scores.table("best unit").iloc[0]
    assert np.isnan(row.ap)
    assert np.isnan(row.ap_low)
    assert (row.images, row.jaccard) == (0, 0.0)


def test_where_annotators_were_not_asked_nothing_is_judged(scores):
    from dataclasses import replace

    pixels = scores.pixels.copy()
    pixels[:5, 0] = -1
    less = replace(scores, pixels=pixels)
    assert less.table("unit").n.tolist() == [len(scores.images) - 5]
    assert less.asked[:, 0].sum() == len(scores.images) - 5
    assert len(less.curve(0).recall) <= len(scores.images) - 5


def test_what_is_not_there_is_told(study, scores):
    with pytest.raises(SceneLensError, match=r"no unit was judged as a detector of 'lamb'.*lamp"):
        scores.find("lamb", "unit")
    with pytest.raises(SceneLensError, match="no detectors of kind 'worst'"):
        scores.table("worst")
    with pytest.raises(SceneLensError, match="no detector to judge"):
        judge(study.networks["scene"], study.annotations, [], [])


def test_the_deepest_positions_of_a_side_weigh_one():
    rows, columns = map_axes_of_small()
    assert np.allclose(_weights(rows, 6).sum(1), 1)
    assert np.allclose(_weights(columns, 6).sum(1), 1)


def map_axes_of_small():
    from scenelens.caffenet import CaffeNet
    from scenelens.networks import Network

    return map_axes(Network(CaffeNet(3, width=1 / 8, fc=16)), "pool5")

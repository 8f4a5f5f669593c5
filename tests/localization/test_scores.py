"""Detectors judged against full-size masks and scikit-learn, on a study of a dozen images."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from scenelens.errors import SceneLensError
from scenelens.images import load_image
from scenelens.localization.pixels import fires
from scenelens.localization.scores import Detector, judge
from scenelens.networks.hooks import record
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

"""Scores compared with full-size masks and scikit-learn, on a study of a dozen images."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score

from scenelens.errors import SceneLensError
from scenelens.images import load_image
from scenelens.localization.boxes import LabelledUnits
from scenelens.localization.scored_detector import ScoredDetector
from scenelens.localization.scores import DetectorScores
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
        return ScoredDetector(concept, "objects", how, "pool5", units, tuple(float(levels[u]) for u in units))

    return [made("lamp", "unit", 3), made("bed", "union", 3, 7), made("dragon", "best unit", 2)]


@pytest.fixture(scope="module")
def units(study):
    label = {"layer": ["pool5"], "unit": [3], "concept": ["lamp"], "type": ["object"], "network": ["scene"]}
    return LabelledUnits.prepare(study.networks["scene"], pd.DataFrame(label))


@pytest.fixture(scope="module")
def scores(study, units, detectors):
    known = study.annotations
    return DetectorScores.measure(units, known, detectors, known.images, progress=False)


def test_a_detectors_numbers_are_those_of_its_masks(study, units, detectors, scores):
    network, known, one = study.networks["scene"], study.annotations, detectors[1]
    shared = active = truth = 0
    present, peaks = [], []
    for image in known:
        picture = load_image(known.path(image))
        mask = one.active_pixels(network, network.show_input(picture), units.layers["pool5"])
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
    curve = scores.precision_recall(1)
    assert np.sum(curve.precision * np.diff(curve.recall, prepend=0)) == pytest.approx(row.ap)


def test_every_image_shows_a_lamp_so_its_detector_cannot_fail(scores):
    row = scores.table("unit").iloc[0]
    assert (row.share, row.ap) == (1.0, 1.0)
    assert 0 < row.pixel_ap < 1
    pixels = scores.precision_recall(scores.find("lamp", "unit"), "pixels")
    assert pixels.recall[-1] == pytest.approx(1)


def test_an_object_that_no_image_shows_has_no_ap(scores):
    row = scores.table("best unit").iloc[0]
    assert np.isnan(row.ap)
    assert np.isnan(row.ap_low)
    assert (row.images, row.jaccard) == (0, 0.0)


def test_images_whose_annotators_do_not_know_the_word_are_not_scored(scores):
    from dataclasses import replace

    pixels = scores.pixels.copy()
    pixels[:5, 0] = -1
    less = replace(scores, pixels=pixels)
    assert less.table("unit").n.tolist() == [len(scores.images) - 5]
    assert less.in_vocabulary[:, 0].sum() == len(scores.images) - 5
    assert len(less.precision_recall(0).recall) <= len(scores.images) - 5


def test_what_was_not_scored_raises(study, units, scores):
    with pytest.raises(SceneLensError, match=r"no unit was scored as a detector of 'lamb'.*lamp"):
        scores.find("lamb", "unit")
    with pytest.raises(SceneLensError, match="no detectors of kind 'worst'"):
        scores.table("worst")
    elsewhere = ScoredDetector("lamp", "objects", "unit", "conv4", (3,), (1.0,))
    with pytest.raises(SceneLensError, match=r"conv4 was not prepared.*pool5"):
        DetectorScores.measure(units, study.annotations, [elsewhere], [])
    with pytest.raises(SceneLensError, match="no detector to score"):
        DetectorScores.measure(units, study.annotations, [], [])

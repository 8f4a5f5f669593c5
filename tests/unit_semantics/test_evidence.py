"""The images behind an automatic label: the area is the one that was counted, and the verdict follows it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from scenelens.labels.concept_maps import ConceptMaps
from scenelens.networks.grid import interpolate
from scenelens.networks.hooks import responses
from scenelens.unit_semantics.evidence import _choose_units, _evidence, _fits
from scenelens.unit_semantics.sources import automatic_set
from tests.annotated_study import annotated_study


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return annotated_study(tmp_path_factory.mktemp("annotated"), per_category=10)


def evidence_of(study, label, n_images):
    """The evidence for one label, with what `collect_evidence` looks up once for all."""
    maps = ConceptMaps(study.annotations, study.networks[label.network])
    return _evidence(study, study.automatic_labels(label.network), maps, label, n_images)


def test_evidence_shows_the_units_top_images_and_judges_the_annotated_ones(study):
    labels = automatic_set(study).of("scene", "conv3")
    label = next(labels[labels.kind == "objects"].itertuples())
    whole = evidence_of(study, label, 6)
    shown = whole.images
    top = study.index("scene").top_images("conv3", label.unit, 6)
    assert [one.top.image for one in shown] == top.image.tolist()
    network, known = study.networks["scene"], set(study.annotations.images)
    threshold = study.automatic_labels("scene").counts["conv3"].thresholds[label.unit]
    for one in shown:
        values = responses(network, "conv3", label.unit, study.load_image(one.top.image))
        area = interpolate(values, network.axes("conv3")) > threshold
        np.testing.assert_array_equal(one.mask, area)
        assert (one.fits is None) == (one.top.image not in known or not area.any())
        if one.fits is not None:
            where = study.annotations.masks(one.top.image, network.input_size).get(label.concept)
            share = 0 if where is None else (where & area).sum() / area.sum()
            assert one.fits == (share > 0.5) or abs(share - 0.5) < 0.05  # resized by other means
    assert any(one.fits is not None for one in shown)
    assert whole.fitting <= whole.judged == sum(one.fits is not None for one in shown)


def test_a_scene_fits_its_whole_image(study):
    maps = ConceptMaps(study.annotations, study.networks["scene"])
    images = {study.annotations.scene(image): image for image in study.annotations.images}
    looked = {scene: maps.annotated_frame(image) for scene, image in images.items()}
    nowhere = np.zeros(study.networks["scene"].input_size, bool)
    nowhere[0, 0] = True
    assert _fits(looked["attic"], maps, nowhere, "scenes", "attic")
    assert not _fits(looked["attic"], maps, nowhere, "scenes", "beach")
    assert _fits(looked["attic"], maps, nowhere, "objects", "bed")  # the top left quarter
    assert not _fits(looked["attic"], maps, nowhere, "objects", "sand")
    assert not _fits(looked["attic"], maps, nowhere, "objects", "unheard of")


def test_images_without_annotations_are_not_judged(study):
    """Here only the scenes are annotated; a unit's top images come from everywhere."""
    label = next(automatic_set(study).of("object", "conv3").itertuples())
    shown = evidence_of(study, label, 15).images
    judged = {one.top.source for one in shown if one.fits is not None}
    assert judged == {"scene-centric"}
    assert {one.top.source for one in shown if one.fits is None} >= {"object-centric"}


def test_units_from_the_best_to_the_median():
    table = pd.DataFrame({"unit": range(9), "iou": [0.1, 0.9, 0.3, 0.2, 0.4, 0.8, 0.7, 0.6, 0.5]})
    assert _choose_units(table, "iou", 2).iou.tolist() == [0.9, 0.5]
    assert _choose_units(table, "iou", 3).iou.tolist() == [0.9, 0.7, 0.5]
    assert _choose_units(table[:1], "iou", 3).unit.tolist() == [0]

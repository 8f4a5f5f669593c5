"""What a detector looks at: the active region is the one that labels were counted with."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenelens.emergence.views import detector_views
from scenelens.labels.tally import Tally, count
from scenelens.networks.grid import axis, interpolate
from tests.annotated_study import annotated_study


@settings(max_examples=40, deadline=None)  # the first call compiles
@given(st.integers(0, 10_000), st.integers(1, 5), st.integers(1, 5), st.floats(0.0, 1.0))
def test_the_mask_has_the_pixels_that_labels_count(seed, h, w, threshold):
    """Against the counting that automatic labels are made with."""
    values = np.random.default_rng(seed).random((h, w)).astype(np.float32)
    axes = axis(h, 20, 1.5, 4.0), axis(w, 24, 2.0, 5.0)
    mask = interpolate(values, axes) > np.float32(threshold)
    assert mask.shape == (20, 24)
    tally = Tally.empty(1, 1, 1)
    codes = np.zeros((20, 24, 1), np.int32)
    slots = np.zeros(65, int)
    count(tally, values[None], np.float32([threshold]), codes, 0, slots, axes)
    assert abs(int(tally.active[0]) - int(mask.sum())) <= 1  # a pixel at the threshold, in other digits


def test_a_mask_by_hand():
    """One row of two positions, 0 at pixel 0 and 1 at pixel 4: above .4 from pixel 2 on."""
    mask = interpolate(np.array([[0.0, 1.0]]), (axis(1, 2, 0, 1), axis(2, 6, 0, 4))) > 0.4
    assert mask.tolist() == [[False, False, True, True, True, True]] * 2


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return annotated_study(tmp_path_factory.mktemp("views"), per_category=2)


def test_units_of_an_object_with_their_images(study):
    labels = study.automatic_labels("scene")
    layer = labels.layers[-1]
    rows = [(3, 0.1, "lamp"), (5, 0.3, "lamp"), (7, 0.2, "lamp"), (9, 0.4, "bed")]
    units = pd.DataFrame(rows, columns=["unit", "score", "object"]).assign(network="scene", layer=layer)
    views = detector_views(study, labels, units, ["lamp", "bed", "unicorn"], most=2, n=3)
    assert [[view.unit for view in views[name]] for name in ("lamp", "bed", "unicorn")] == [[5, 7], [9], []]
    pictures = views["bed"][0].pictures
    assert len(pictures) == 3
    assert {picture.shape for picture in pictures} == {(*study.networks["scene"].input_size, 3)}


def test_where_nothing_is_active_the_whole_picture_stays_light(study):
    labels = study.automatic_labels("scene")
    layer = labels.layers[-1]
    counts = labels.counts[layer]
    never = replace(labels, counts={layer: replace(counts, thresholds=np.full(len(counts.active), 1e9))})
    units = pd.DataFrame({"layer": layer, "unit": [3], "score": [0.1], "object": ["lamp"]})
    (view,) = detector_views(study, never, units, ["lamp"], n=1)["lamp"]
    image = study.index("scene").top_images(layer, 3, 1).image[0]
    frame = study.networks["scene"].show_input(study.load_image(image))
    assert (view.pictures[0] == frame).all()

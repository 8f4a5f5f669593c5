"""What a detector looks at: the active region is the one that labels were counted with."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenelens.emergence.study_emergence import measure_emergence
from scenelens.emergence.views import detector_views
from scenelens.labels.tally import Tally
from scenelens.networks.grid import Grid, interpolate
from tests.annotated_study import annotated_study


@settings(max_examples=40, deadline=None)  # the first call compiles
@given(st.integers(0, 10_000), st.integers(1, 5), st.integers(1, 5), st.floats(0.0, 1.0))
def test_the_mask_has_the_pixels_that_labels_count(seed, h, w, threshold):
    """Against the counting that automatic labels are made with."""
    values = np.random.default_rng(seed).random((h, w)).astype(np.float32)
    axes = Grid((1.5, 2.0), (4.0, 5.0)).axes((h, w), (20, 24))
    mask = interpolate(values, axes) > np.float32(threshold)
    assert mask.shape == (20, 24)
    tally = Tally.empty(1, 1, 1)
    codes = np.zeros((20, 24, 1), np.int32)
    slots = np.zeros(65, int)
    tally.count(values[None], np.float32([threshold]), codes, 0, slots, axes)
    assert abs(int(tally.active[0]) - int(mask.sum())) <= 1  # a pixel at the threshold, in other digits


def test_a_mask_by_hand():
    """One row of two positions, 0 at pixel 0 and 1 at pixel 4: above .4 from pixel 2 on."""
    mask = interpolate(np.array([[0.0, 1.0]]), Grid((0, 0), (1, 4)).axes((1, 2), (2, 6))) > 0.4
    assert mask.tolist() == [[False, False, True, True, True, True]] * 2


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return measure_emergence(
        annotated_study(tmp_path_factory.mktemp("views"), per_category=2), least_images=0
    )


def test_units_of_the_objects_with_most_units_and_their_images(found):
    rows = [(3, 0.1, "lamp"), (5, 0.3, "lamp"), (7, 0.2, "lamp"), (9, 0.4, "bed"), (1, 0.9, "sand")]
    units = pd.DataFrame(rows, columns=["unit", "score", "object"])
    units = units.assign(network="scene", layer=found.layers["scene"])
    views = detector_views(replace(found, units=units), "scene", n_objects=2, n_units=2, n_images=3)
    assert {name: [one.unit for one in shown] for name, shown in views.objects.items()} == {
        "lamp": [5, 7], "bed": [9],
    }  # fmt: skip
    assert list(views.objects) == ["lamp", "bed"]
    images = views.objects["bed"][0].images
    assert len(images) == 3
    assert {image.shape for image in images} == {(*found.study.networks["scene"].input_size, 3)}


def test_where_nothing_is_active_the_whole_image_stays_light(found):
    labels, layer = found.automatic["scene"], found.layers["scene"]
    counts = labels.counts[layer]
    never = replace(labels, counts={layer: replace(counts, thresholds=np.full(len(counts.active), 1e9))})
    row = {"network": "scene", "layer": layer, "unit": [3], "score": [0.1], "object": ["lamp"]}
    changed = replace(found, automatic={"scene": never}, units=pd.DataFrame(row))
    (view,) = detector_views(changed, n_images=1).objects["lamp"]
    image = found.study.index("scene").top_images(layer, 3, 1).image[0]
    frame = found.study.networks["scene"].show_input(found.study.load_image(image))
    assert (view.images[0] == frame).all()

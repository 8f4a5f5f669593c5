import numpy as np
import pytest

from scenelens.errors import SceneLensError
from scenelens.studies.ranking import TopImage, top_images
from scenelens.studies.study import open_study
from tests.tiny_study import write_tiny_study


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """One tiny study for the whole file: its index is built once."""
    return open_study(write_tiny_study(tmp_path_factory.mktemp("tiny")))


def test_a_view_agrees_with_the_index_and_the_input(study):
    found = study.index("scene").top_images("conv4", 3, 4)
    views = top_images(study, "scene", "conv4", 3, 4)
    assert [view.image for view in views] == list(found["image"])
    assert [view.peak for view in views] == pytest.approx(list(found["peak"]))
    network = study.networks["scene"]
    np.testing.assert_array_equal(views[0].frame, network.show_input(study.load_image(views[0].image)))
    for view, place in zip(views, found[["row", "col"]].to_numpy(), strict=True):
        assert view.center == (17 + 16 * place[0], 17 + 16 * place[1])  # conv4: first centre 17, stride 16


def test_the_center_is_where_the_unit_is_sensitive(study):
    """Second source: only pixels inside the box may change the unit's response at the peak's place."""
    import torch

    from scenelens.networks.hooks import record

    network = study.networks["scene"]
    view = top_images(study, "scene", "pool2", 5, 1)[0]
    place = study.index("scene").top_images("pool2", 5, 1).loc[0, ["row", "col"]]
    outside = view.frame.copy()
    top, left, bottom, right = (round(edge) for edge in view.box)
    outside[:] = 255 - outside
    outside[top:bottom, left:right] = view.frame[top:bottom, left:right]
    with record(network, ["pool2"]) as acts, torch.no_grad():
        network(np.stack([view.frame, outside]), framed=True)
    same, changed = acts["pool2"][:, 5, place["row"], place["col"]]
    assert same.item() == pytest.approx(view.peak, rel=1e-4)
    assert changed.item() == pytest.approx(view.peak, rel=1e-4)


def test_a_fully_connected_layer_has_no_position(study):
    view = top_images(study, "scene", "fc7", 0, 1)[0]
    assert view.center is None
    assert view.box is None
    assert view.ring is None


def test_no_ring_in_a_box_that_marks_the_position_by_itself():
    frame = np.zeros((100, 100, 3), np.uint8)
    shared = {"image": "a", "rank": 0, "peak": 1.0, "frame": frame, "source": "", "category": ""}
    assert TopImage(center=(50.0, 50.0), box=(45.0, 45.0, 56.0, 56.0), **shared).ring is None
    assert TopImage(center=(50.0, 50.0), box=(30.0, 30.0, 71.0, 71.0), **shared).ring == (50.0, 50.0)
    assert TopImage(center=(50.0, 50.0), box=None, **shared).ring == (50.0, 50.0)


@pytest.mark.parametrize(("network", "layer", "unit", "words"), [
    ("scen", "conv4", 0, "close names: scene"),
    ("scene", "cnov4", 0, "close names: conv4"),
    ("scene", "conv4", 48, "units 0 to 47, not 48"),
    ("scene", "conv4", -1, "units 0 to 47, not -1"),
])  # fmt: skip
def test_a_wrong_name_raises_with_the_close_names(study, network, layer, unit, words):
    with pytest.raises(SceneLensError, match=words):
        top_images(study, network, layer, unit, 1)


def test_a_layer_s_row_is_that_of_the_table(study):
    assert study.layer_row("object", "pool5")["units"] == 32

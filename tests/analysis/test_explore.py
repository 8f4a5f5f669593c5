"""The window of all that is known of units: what it answers, and that its buttons lead to units."""

import numpy as np
import pandas as pd
import pytest

import scenelens as sl
from scenelens.analysis.known import _Known
from scenelens.errors import SceneLensError
from scenelens.microscope.responding import _responding
from scenelens.studies import open_study
from tests.annotated_study import annotated_study
from tests.tiny_study import write_tiny_study


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return annotated_study(tmp_path_factory.mktemp("explored"), 16)


@pytest.fixture
def view(study):
    made = sl.explore(study)
    yield made
    made.close()


def buttons(view):
    """All buttons below the choice of parts."""
    found, rest = [], list(view.below.children)
    while rest:
        one = rest.pop(0)
        rest += list(getattr(one, "children", ()))
        found += [one] if type(one).__name__ == "Button" else []
    return found


# ---- what is known


def test_names_are_those_of_every_source(study):
    network = study.networks.main
    known, layer = _Known(study), sl.deepest_map_layer(study.networks[network])
    automatic = study.automatic_labels(network).labels(by="iou")
    row = automatic[(automatic.layer == layer) & automatic.iou.notna()].iloc[0]
    names = known.names(network, layer, int(row.unit))
    assert names.source.tolist()[:1] == ["automatic, by IoU"]
    assert names.score[0] == row.iou
    assert (row.concept in names.name[0]) or row.same_name < 0.95


def test_categories_are_shares_of_the_top_images_with_chance(study):
    network = study.networks.main
    layer = sl.deepest_map_layer(study.networks[network])
    found = _Known(study).categories(network, layer, 1)
    top = study.index(network).top_images(layer, 1, 60)["image"]
    category = study.images.set_index("image").category
    for row in found.itertuples():
        assert row.share == pytest.approx((category.loc[top] == row.category).mean())
        assert row.chance == pytest.approx((study.images.category == row.category).mean())
        assert row.low <= row.share <= row.high
    assert found.share.is_monotonic_decreasing


def test_units_that_respond_to_an_image_are_those_of_the_microscope(study):
    network = study.networks.main
    layer = sl.deepest_map_layer(study.networks[network])
    index, known = study.index(network), _Known(study)
    expected = _responding(index.peaks(layer), index.places(layer), 8)
    for place, image in enumerate(study.images.image):
        found = known.responding(network, layer, image)
        assert found.unit.tolist() == [row[0] for row in expected[place]]
        np.testing.assert_allclose(found.below, [row[4] for row in expected[place]], atol=5e-5)
    with pytest.raises(SceneLensError, match="has no image 'nowhere'"):
        known.responding(network, layer, "nowhere")


# ---- the window


def test_it_begins_with_the_names_of_the_first_unit(view):
    assert view.part.value == "names"
    assert view.status.value.startswith(f"{view.model.layer}:0 of the {view.model.network} network")
    assert "automatic, by IoU" in view.below.children[0].value
    assert "chance" in view.below.children[1].value


@pytest.mark.parametrize("part", ["similar units", "one image", "receptive field", "pins"])
def test_every_part_is_about_the_unit_that_is_looked_at(view, part):
    view.part.value = part
    assert not view.status.failed
    assert view.below.children
    view.model.choose(unit=3)
    assert not view.status.failed
    assert view.status.value.startswith(f"{view.model.layer}:3 ")
    if part == "receptive field":
        assert view.below.children[0].model.unit == 3


def test_a_similar_unit_is_one_click_away(view, study):
    view.part.value = "similar units"
    row = _Known(study).similar(view.model.network, view.model.layer, 0).iloc[0]
    first = buttons(view)[0]
    assert first.description.startswith(f"{row.layer}:{row.unit} ")
    assert first.description.endswith(f" · {row.r:.2f}")
    first.click()
    assert (view.model.network, view.model.layer, view.model.unit) == (row.network, row.layer, row.unit)


def test_a_unit_that_responds_to_an_image_is_one_click_away(view):
    view.part.value = "one image"
    chosen, picture, _ = view.below.children
    before = picture.value
    chosen.value = 2
    assert picture.value != before
    number = int(buttons(view)[1].description.split(" ")[0])
    buttons(view)[1].click()
    assert view.model.unit == number


def test_pinned_units_are_compared_until_they_are_unpinned(view):
    view.part.value = "pins"
    buttons(view)[0].click()
    view.model.choose(unit=2)
    buttons(view)[0].click()
    assert [place[2] for place in view.pins] == [0, 2]
    one = view.compared()
    assert one.shape[0] > 2 * 150
    assert buttons(view)[0].description == "Unpin this unit"
    buttons(view)[1].click()  # the first pin
    assert view.model.unit == 0
    buttons(view)[0].click()
    assert [place[2] for place in view.pins] == [2]
    assert view.compared().shape[0] == 150


def test_too_many_pins_are_one_sentence(view):
    view.pins = [(view.model.network, view.model.layer, unit) for unit in range(1, 9)]
    view.part.value = "pins"
    buttons(view)[0].click()
    assert view.status.failed
    assert "8 units are pinned: unpin one of them first." in view.status.value
    assert len(view.pins) == 8


def test_a_layer_without_a_map_has_no_field_and_says_so(view):
    view.part.value = "receptive field"
    with pytest.raises(SceneLensError, match="fc7"):
        view.model.choose(layer="fc7")
    assert view.status.failed
    view.part.value = "similar units"
    assert not view.status.failed


def test_what_is_no_longer_shown_is_closed(view):
    view.part.value = "similar units"
    before = buttons(view)
    view.part.value = "names"
    assert all(one.comm is None for one in before)


def test_names_from_outside_are_text(view, study, monkeypatch):
    hostile = "<img src=x onerror=alert(1)>"
    rows = _Known(study).similar(view.model.network, view.model.layer, 0)
    monkeypatch.setattr(_Known, "similar", lambda self, *place: rows.assign(network=hostile))
    monkeypatch.setattr(type(view), "_said_of", lambda self, *place: f"{hostile} (object)")
    view.part.value = "similar units"
    assert "<img" not in view.below.children[0].value
    assert "&lt;img" in view.below.children[0].value


def test_a_study_without_annotations(tmp_path):
    study = open_study(write_tiny_study(tmp_path))
    view = sl.explore(study)
    assert "No source names this unit." in view.below.children[0].value
    for part in view.part.options:
        view.part.value = part
        assert not view.status.failed
    assert isinstance(_Known(study).names("scene", "pool5", 0), pd.DataFrame)
    view.close()

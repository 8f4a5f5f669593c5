"""The explorer of fields without a browser: the model, the picture, and that view and model follow each
other."""

import asyncio
import io

import numpy as np
import pytest
from PIL import Image

import scenelens
from scenelens.errors import SceneLensError
from scenelens.receptive_fields import live, widget
from scenelens.receptive_fields.atlas import Atlas
from scenelens.receptive_fields.live import _FieldExplorer
from scenelens.receptive_fields.occlusion import records
from scenelens.receptive_fields.unit_segmentation import segment_unit
from scenelens.receptive_fields.widget import _GAP, _SIDE, _STRIP, _page, explore_fields
from scenelens.sentences import percent
from scenelens.studies.study import open_study
from scenelens.workbook.pictures import dimmed, heat
from scenelens.workbook.widgets.status import BUSY_CLASS
from tests.made_up_fields import MadeUp
from tests.tiny_study import write_tiny_study


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return open_study(write_tiny_study(tmp_path_factory.mktemp("tiny")))


@pytest.fixture
def atlas(study, monkeypatch, tmp_path):
    """An empty atlas whose fields are made up, and discrepancy maps of nothing but their middle."""
    monkeypatch.setattr("scenelens.receptive_fields.network_atlas.estimate_rf", MadeUp())
    monkeypatch.setattr(study, "cache", tmp_path)
    monkeypatch.setattr(live, "_QUICK", -1.0)
    made = Atlas(study, 3)
    monkeypatch.setattr(_FieldExplorer, "_make_map", _made_up_map)
    return made


def _made_up_map(self, network, layer, unit, image, variant):
    self.seconds[network, layer] = 4.0
    values = np.zeros((73, 73), np.float32)
    values[36, 30 + unit % 20] = 1.0
    return records.Discrepancy(values, unit, (0, 0), 1.0)


@pytest.fixture
def view(atlas):
    made = explore_fields(atlas, "scene", "pool2", atlas.part("scene").example("pool2"))
    yield made
    made.close()


def compute(view):
    view.controls["compute"].click()


def test_what_the_atlas_lacks_is_said_with_the_time_it_takes(view):
    assert "its average is not in the atlas: about 12 s to compute" in view.status.value
    assert not view.controls["compute"].disabled
    assert widget._panels(view.model)[2:] == [None, None]


def test_the_button_computes_and_keeps_it(view, atlas):
    before = view.picture.value
    compute(view)
    assert "px possible, from 3 images" in view.status.value
    assert view.controls["compute"].disabled
    assert view.picture.value != before
    assert list(Atlas(atlas.study, 3).part("scene").cached("pool2")) == [view.model.unit]


def test_the_panels_are_the_field_and_the_region(view, study):
    compute(view)
    model = view.model
    panels, field = widget._panels(model), model.field()
    np.testing.assert_array_equal(panels[2], heat(field.map))
    frame = model.top().frame
    mask = segment_unit(study.networks["scene"], field, frame, model.threshold).mask
    np.testing.assert_array_equal(panels[3], dimmed(frame, mask))
    shown = Image.open(io.BytesIO(view.picture.value))
    assert shown.size == (4 * (_SIDE + _GAP) - _GAP, _SIDE + _STRIP)


def test_a_lower_threshold_shows_more_of_the_image(view):
    compute(view)
    light = []
    for threshold in (0.95, 0.5, 0.05):
        view.controls["threshold"].value = threshold
        light.append(int(widget._panels(view.model)[3].astype(int).sum()))
    assert light == sorted(light)
    assert light[0] < light[-1]


@pytest.mark.parametrize(("control", "value", "words"), [
    ("network", "object", "of the object network"),
    ("layer", "conv4", "conv4:"),
    ("unit", 30, "pool2:30 of the scene network"),
    ("image", 2, "image 3, peak"),
])  # fmt: skip
def test_each_control_changes_what_is_seen(view, control, value, words):
    before = view.picture.value
    view.controls[control].value = value
    assert words in view.status.value
    assert view.picture.value != before
    assert getattr(view.model, control) == value


def test_the_arrows_step(view):
    first = view.model.unit
    view.controls["next"].click()
    assert view.model.unit == (first + 1) % 32
    view.controls["previous"].click()
    assert view.controls["unit"].value == first


def test_a_layer_without_a_map_is_not_offered(view):
    assert "fc7" not in view.controls["layer"].options
    assert {"pool1", "conv4", "pool5"} <= set(view.controls["layer"].options)


def test_what_is_quick_is_computed_unasked(view, monkeypatch):
    monkeypatch.setattr(live, "_QUICK", 60.0)
    view.controls["next"].click()
    assert view.model.field() is not None
    assert view.controls["compute"].disabled


def test_an_error_is_seen_and_raised(view, monkeypatch):
    def broken(*_):
        raise SceneLensError("the image attic/0.png cannot be read")

    with monkeypatch.context() as patch:
        patch.setattr(live, "top_images", broken)
        with pytest.raises(SceneLensError, match="attic/0"):
            view.controls["unit"].value = 3
        assert view.status.failed
    view.controls["unit"].value = 4
    assert not view.status.failed


@pytest.mark.parametrize(("wanted", "words"), [
    ({"network": "objekt"}, "close names: object"),
    ({"layer": "fc7"}, "has no map"),
    ({"layer": "pool2", "unit": 32}, "units 0 to 31, not 32"),
])  # fmt: skip
def test_a_wrong_beginning_is_told(atlas, wanted, words):
    with pytest.raises(SceneLensError, match=words):
        explore_fields(atlas, **wanted)


def test_panels_stand_beside_each_other():
    sheet = _page([np.zeros((9, 9, 3), np.uint8), None], side=40)
    assert (sheet[:40, :40] == 0).all()
    assert (sheet[:40, 40 : 40 + _GAP] == 255).all()
    assert (sheet[0, 40 + _GAP] == [238, 240, 242]).all()


def test_every_control_has_its_class(view):
    for name, control in view.controls.items():
        assert control._dom_classes == (f"sl-{name}",)
        assert control._model_module == "@jupyter-widgets/controls"


def test_what_has_to_be_computed_is_computed_behind_what_is_there(atlas):
    """In a kernel: ten clicks show ten units at once, and compute the map of the last."""
    made: list[int] = []

    async def click():
        view = explore_fields(atlas, "scene", "pool2", 5)
        computed = _FieldExplorer._make_map
        view.model._make_map = lambda *key: made.append(key[2]) or computed(view.model, *key)
        shown = []
        for _ in range(10):
            view.controls["next"].click()
            shown.append(view.status.value)
            assert BUSY_CLASS in view.status._dom_classes
        assert [f"pool2:{unit} of" in line for unit, line in zip(range(6, 16), shown, strict=True)] == [
            True
        ] * 10
        assert "computing what an occluder changes" in shown[0]
        before = view.picture.value
        assert made == []
        await asyncio.sleep(0.5)
        assert view.picture.value != before
        assert BUSY_CLASS not in view.status._dom_classes
        view.controls["previous"].click()
        view.controls["next"].click()  # known already: it is there at once
        assert BUSY_CLASS not in view.status._dom_classes
        view.close()

    asyncio.run(click())
    assert made == [15]


def test_the_code_shows_the_same_view(view, study):
    view.controls["image"].value, view.controls["threshold"].value = 2, 0.3
    scope = {"sl": scenelens, "study": study}
    exec(view.model.code(), scope)
    assert scope["view"].model.state() == view.model.state()
    scope["view"].close()


def test_the_status_names_threshold_and_share(view):
    compute(view)
    shares = {}
    for threshold in (0.95, 0.05):
        view.controls["threshold"].value = threshold
        share = view.model.region(view.model.field()).mean()
        shares[threshold] = share
        said = "less than 1%" if 0 < share < 0.01 else percent(share)
        assert f"{said} of the image is lit at {percent(threshold)} of the peak or more" in view.status.value
    assert shares[0.95] < shares[0.05]


def test_a_page_has_units_whose_field_is_there_at_some_thresholds(view, atlas, monkeypatch):
    monkeypatch.setattr(widget, "_PAGE_SECONDS", 8.5)  # two maps
    assert view.page_steps() == {}  # no field, and nobody waits for one
    compute(view)
    first = view.model.unit
    for unit in (3, 8):
        atlas.part("scene").field("pool2", unit, progress=False)
    steps = view.page_steps()
    assert steps == {"unit": sorted({first, 3, 8}), "threshold": [0.2, 0.35, 0.5, 0.65, 0.8]}
    monkeypatch.setattr(widget, "_PAGE_SECONDS", 3.9)
    assert view.page_steps()["unit"] == [first]
    picture, words = view.draw_step(8, 0.8)
    assert "pool2:8 of the scene network" in words
    assert "at 80% of the peak" in words
    assert (view.model.unit, view.model.threshold) == (first, 0.5)
    view.controls["unit"].value, view.controls["threshold"].value = 8, 0.8
    np.testing.assert_array_equal(picture, _page(widget._panels(view.model)))


def test_the_map_of_a_unit_is_computed_once_for_all_thresholds(view, monkeypatch):
    compute(view)
    made = []
    monkeypatch.setattr(_FieldExplorer, "_make_map", lambda *one: made.append(one[3]) or _made_up_map(*one))
    for threshold in (0.2, 0.5, 0.8):
        view.draw_step((view.model.unit + 1) % 20, threshold)
    assert len(made) == 1

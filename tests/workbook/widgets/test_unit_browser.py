"""The unit browser without a browser: the model, the picture, and that view and model follow each other."""

import asyncio
import html
import io
import time

import ipywidgets
import numpy as np
import pandas as pd
import pytest
from PIL import Image

import scenelens
from scenelens.errors import SceneLensError
from scenelens.studies.ranking import TopImage
from scenelens.studies.study import Study as RealStudy
from scenelens.studies.study import open_study
from scenelens.workbook.widgets.status import BUSY_CLASS
from scenelens.workbook.widgets.unit_browser import GAP, SIDE, STRIP, UnitBrowser, _mosaic, browse_units, tile
from scenelens.workbook.widgets.unit_view import encode
from tests.annotated_study import annotated_study
from tests.tiny_study import write_tiny_study


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return open_study(write_tiny_study(tmp_path_factory.mktemp("tiny")))


@pytest.fixture
def view(study):
    made = browse_units(study)
    yield made
    made.close()


def state(view):
    return {name: view.controls[name].value for name in ("network", "layer", "unit", "n")}


def test_it_begins_at_the_deepest_layer_with_a_map(view):
    assert state(view) == {"network": "scene", "layer": "pool5", "unit": 0, "n": 12}
    assert view.controls["unit"].max == 31
    assert view.controls["layer"].options == tuple(view.model.layers())
    assert view.status.value.startswith("pool5:0 of the scene network · 12 of 20 images · peaks from")


def test_the_picture_is_the_mosaic_of_the_units_top_images(view):
    shown = Image.open(io.BytesIO(view.picture.value))
    expected = Image.open(io.BytesIO(encode(_mosaic(view.model.tops()))))
    assert shown.size == (6 * (SIDE + GAP) - GAP, 2 * (SIDE + STRIP + GAP) - GAP)
    np.testing.assert_array_equal(np.asarray(shown), np.asarray(expected))


@pytest.mark.parametrize(("control", "value", "words"), [
    ("network", "object", "pool5:0 of the object network"),
    ("layer", "conv1", "conv1:0 of the scene network"),
    ("unit", 30, "pool5:30 of the scene network"),
    ("n", 6, "6 of 20 images"),
    ("layer", "fc7", "a peak has no place"),
])  # fmt: skip
def test_each_control_changes_the_picture(view, control, value, words):
    before = view.picture.value
    view.controls[control].value = value
    assert words in view.status.value
    assert view.picture.value != before
    assert getattr(view.model, control) == value


def test_the_arrows_end_where_the_slider_ends(view):
    view.controls["previous"].click()
    assert state(view)["unit"] == 0
    view.controls["next"].click()
    assert state(view)["unit"] == 1
    assert "pool5:1 " in view.status.value
    view.model.choose(unit=31)
    view.controls["next"].click()
    assert state(view)["unit"] == 31


def test_a_unit_beyond_a_smaller_layer_becomes_its_last(view):
    view.controls["layer"].value = "conv4"
    view.controls["unit"].value = 47
    view.controls["layer"].value = "conv1"
    assert state(view) == {"network": "scene", "layer": "conv1", "unit": 11, "n": 12}
    assert view.controls["unit"].max == 11


def test_the_view_follows_its_model(view):
    view.model.choose(network="object", layer="conv3", unit=5, n=6)
    assert state(view) == {"network": "object", "layer": "conv3", "unit": 5, "n": 6}
    assert "conv3:5 of the object network · 6 of 20" in view.status.value


def test_one_choice_draws_one_picture(view, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        "scenelens.workbook.widgets.unit_browser._mosaic",
        lambda tops: drawn.append(1) or np.zeros((8, 8, 3), np.uint8),
    )
    view.model.choose(network="object", layer="conv1", unit=3, n=6)
    assert len(drawn) == 1


def test_where_pictures_take_long_only_the_last_of_many_clicks_is_drawn(study, monkeypatch):
    drawn = []

    def slow(tops):
        time.sleep(0.15)
        drawn.append(view.model.unit)
        return np.zeros((8, 8, 3), np.uint8)

    async def click():
        for _ in range(5):
            view.controls["next"].click()
            await asyncio.sleep(0)
            assert "pool5:" in view.status.value
            assert view.controls["unit"].value == view.model.unit  # the controls follow at once
        assert "drawing" in view.status.value
        assert BUSY_CLASS in view.status._dom_classes
        await asyncio.sleep(0.5)

    view = browse_units(study)
    monkeypatch.setattr("scenelens.workbook.widgets.unit_browser._mosaic", slow)
    view.controls["unit"].value = 10  # one slow picture tells that pictures are slow
    asyncio.run(click())
    assert drawn == [10, 15]
    assert "pool5:15 " in view.status.value
    assert BUSY_CLASS not in view.status._dom_classes
    view.close()


def test_an_error_is_shown_and_raised_and_goes_away(view, monkeypatch):
    def broken(*_):
        raise SceneLensError("the image attic/0.png cannot be read")

    with monkeypatch.context() as patch:
        patch.setattr("scenelens.workbook.widgets.unit_browser.top_images", broken)
        with pytest.raises(SceneLensError, match="attic/0"):
            view.controls["unit"].value = 3
        assert view.status.failed
        assert "attic/0.png cannot be read" in view.status.value
    view.controls["unit"].value = 4
    assert not view.status.failed
    assert "pool5:4" in view.status.value


def test_other_layer_names_are_taken_at_the_same_depth():
    """A stand-in study whose two networks name their layers differently."""
    import pandas as pd

    class Net:
        def __init__(self, names):
            self.layers = pd.DataFrame({"layer": names, "units": 4, "map": [(3, 3)] * len(names)})

        def main_layers(self):
            return list(self.layers["layer"])

    class Study:
        layer_row = RealStudy.layer_row
        networks = {"scene": Net(["a", "b", "c"]), "object": Net(["f.0", "f.1", "f.2", "f.3", "f.4"])}

        def index(self, network):
            class Index:
                def top_images(self, *_):
                    return pd.DataFrame(columns=["rank", "image", "peak", "row", "col"])

            return Index()

        images = pd.DataFrame(columns=["image", "source", "category"])

    model = UnitBrowser(Study(), layer="b")
    model.choose(network="object")
    assert model.layer == "f.2"
    model.choose(network="scene")
    assert model.layer == "b"
    assert "no image of this study could be read" in model.sentence(model.tops())


@pytest.mark.parametrize(("wanted", "words"), [
    ({"network": "objekt"}, "close names: object"),
    ({"layer": "pol5"}, "close names: pool5"),
    ({"unit": 32}, "units 0 to 31, not 32"),
])  # fmt: skip
def test_a_wrong_start_raises(study, wanted, words):
    with pytest.raises(SceneLensError, match=words):
        browse_units(study, **wanted)


def top(center=(50.0, 20.0), box=(30.0, 0.0, 71.0, 41.0), value=128):
    frame = np.full((100, 100, 3), value, np.uint8)
    return TopImage("a", 0, 2.5, frame, center, box, "scene-centric", "attic")


def test_a_tile_is_marked_at_the_peak_and_nowhere_else():
    pixels = np.asarray(tile(top(), side=100)).astype(int)
    touched = np.argwhere(abs(pixels - 128).max(axis=2) > 10)
    on_ring = abs(np.hypot(touched[:, 0] - 50, touched[:, 1] - 20) - 4.5) < 2
    rows, columns = touched[:, 0], touched[:, 1]
    near = [abs(rows - 31) < 4, abs(rows - 70) < 4, columns < 4, abs(columns - 40) < 4]
    assert (on_ring | np.any(near, axis=0)).all()
    assert on_ring.sum() > 30
    assert pixels[50, 20].tolist() == [128] * 3  # what lies in the middle of the ring can be seen


def test_a_tile_without_a_position_is_the_plain_image():
    pixels = np.asarray(tile(top(center=None, box=None), side=50))
    assert (pixels == 128).all()


def test_a_mosaic_fills_its_rows_and_leaves_the_rest_white():
    page = _mosaic([top()] * 3, columns=2, side=50)
    assert page.shape == (2 * (50 + STRIP + GAP) - GAP, 2 * (50 + GAP) - GAP, 3)
    assert (page[50 + STRIP + GAP :, 50 + GAP :] == 255).all()


def test_every_control_has_its_class_and_only_core_widgets_are_used(view):
    names = {"network", "layer", "unit", "n", "previous", "next"}
    assert {f"sl-{name}" for name in names} == {view.controls[n]._dom_classes[0] for n in names}
    assert view.picture._dom_classes == ("sl-mosaic",)
    for widget in (*view.controls.values(), view.picture, view.status, view):
        assert isinstance(widget, ipywidgets.DOMWidget)
        assert widget._model_module == "@jupyter-widgets/controls"


def test_undo_and_reset_lead_back(view):
    tools, first = view.tools, state(view)
    assert tools.buttons["undo"].disabled
    assert tools.buttons["reset"].disabled
    view.controls["layer"].value = "conv4"
    view.controls["unit"].value = 40
    view.controls["n"].value = 6
    tools.buttons["undo"].click()
    assert state(view) == {"network": "scene", "layer": "conv4", "unit": 40, "n": 12}
    tools.buttons["undo"].click()
    assert state(view)["unit"] == 0
    assert "conv4:0 " in view.status.value
    tools.buttons["reset"].click()
    assert state(view) == first
    assert tools.buttons["reset"].disabled
    tools.buttons["undo"].click()  # a reset can be taken back
    assert state(view)["layer"] == "conv4"


def test_the_code_shows_the_same_view(view, study):
    view.model.choose(network="object", layer="conv3", unit=5, n=6)
    view.tools.buttons["code"].click()
    code = view.model.code()
    assert html.escape(code) in view.tools.text.value
    again = eval(code, {"sl": scenelens, "study": study})
    assert again.picture.value == view.picture.value
    again.close()
    view.model.choose(unit=6)
    assert view.tools.text.layout.display == "none"  # what it said is no longer shown


def test_picture_and_numbers_are_written_as_files(view, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    view.tools.buttons["png"].click()
    picture = np.asarray(Image.open(tmp_path / "scene pool5 0.png"))
    np.testing.assert_array_equal(picture, _mosaic(view.model.tops()))
    view.tools.buttons["csv"].click()
    table = pd.read_csv(tmp_path / "scene pool5 0.csv")
    assert table.image.tolist() == [top.image for top in view.model.tops()]
    np.testing.assert_allclose(table.peak, [top.peak for top in view.model.tops()], rtol=1e-6)
    assert str(tmp_path / "scene pool5 0.csv") in view.status.value


@pytest.fixture
def named(tmp_path):
    """A study of its own with an annotated world, cached labels, and answers of two people."""
    study = annotated_study(tmp_path, 12)
    study.automatic_labels("scene")
    for who, concept in (("Ada", "lamp shade"), ("Bob", "bed")):
        study.answers.add(
            network="scene", layer="pool5", unit=7, annotator=who, concept=concept, type="object",
            precision=0.9, n_images=12,
        )  # fmt: skip
    return study


def test_a_unit_is_found_by_its_concept_and_said_to_be_called_so(named):
    view = browse_units(named)
    view.controls["find"].value = "SHADE"
    assert [unit for _, unit in view.controls["found"].options] == [-1, 7]
    view.controls["found"].value = 7
    assert view.model.unit == 7
    assert "Ada: lamp shade (object) · Bob: bed (object)" in view.status.value
    table = named.labels
    automatic = table[(table.source == "automatic") & (table.network == "scene") & (table.layer == "pool5")]
    best = automatic.loc[automatic.iou.idxmax()]
    view.controls["find"].value, view.controls["order"].value = "", "IoU"
    found = view.controls["found"].options
    assert len(found) == 1 + view.model.units()
    assert found[1][1] == best.unit
    assert f"{best.concept} ({best.type}, IoU {best.iou:.2f})" in found[1][0]
    view.controls["show"].value = "object"
    units = {unit for _, unit in view.controls["found"].options} - {-1}
    assert units == set(automatic.unit[automatic.type == "object"]) | {7}
    view.controls["show"].value = "never active"
    peaks = np.asarray(named.index("scene").peaks("pool5"))
    assert {unit for _, unit in view.controls["found"].options} - {-1} == set(
        np.flatnonzero((peaks <= 0).all(0))
    )
    view.close()


def test_looking_for_names_computes_none(study, monkeypatch):
    monkeypatch.setattr(RealStudy, "automatic_labels", None)
    view = browse_units(study)
    view.controls["show"].value = "with a name"
    assert view.controls["found"].options == (("0 units", -1),)
    assert not view.status.failed
    view.close()


def test_all_widgets_on_screen_show_the_unit_that_was_chosen_last(study):
    one, other, hidden = browse_units(study), browse_units(study, "object"), browse_units(study, "object")
    one._view_count = other._view_count = 1  # as Jupyter counts
    assert other.model.network == "object"  # a new widget changes no other
    one.controls["unit"].value = 9
    assert (other.model.network, other.model.layer, other.model.unit) == ("scene", "pool5", 9)
    assert "pool5:9 of the scene network" in other.status.value
    assert hidden.model.network == "object"
    assert hidden.shared.description == "Show pool5:9 of scene"  # it is offered where it was not seen
    hidden.shared.click()
    assert (hidden.model.network, hidden.model.layer, hidden.model.unit) == ("scene", "pool5", 9)
    assert hidden.shared.layout.display == "none"
    other.controls["layer"].value = "conv3"
    assert (one.model.layer, one.model.unit) == ("conv3", 9)
    later = browse_units(study)
    assert (later.model.layer, later.model.unit) == ("pool5", 0)  # what its cell asks for
    assert later.shared.description == "Show conv3:9 of scene"
    later.close()
    for view in (one, other, hidden):
        view.close()


def test_a_page_shows_a_few_units_of_the_layer_and_the_chosen_one(view):
    view.model.choose(unit=17)
    units = view.page_steps()["unit"]
    assert len(units) == 5
    assert 17 in units
    assert (units[0], units[-1]) == (0, view.model.units() - 1)
    picture, words = view.draw_step(30)
    other = UnitBrowser(view.model.study, "scene", "pool5", 30)
    np.testing.assert_array_equal(picture, _mosaic(other.tops()))
    assert words.startswith("pool5:30 of the scene network")
    assert view.model.unit == 17

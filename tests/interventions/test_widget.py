"""Switching units by hand, without a browser: the model, its words, and how the view follows it."""

import numpy as np
import pandas as pd
import pytest

import scenelens as sl
from scenelens.errors import SceneLensError
from scenelens.interventions import ablation_effects, switch_units
from scenelens.interventions.widget import _bars, _button, _said
from tests.annotated_study import annotated_study


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    study = annotated_study(tmp_path_factory.mktemp("switched"), 24)
    return ablation_effects(study, numbers=(1, 4), draws=1, progress=False)


@pytest.fixture
def view(found):
    made = switch_units(found)
    yield made
    made.close()


def test_it_begins_with_all_units_on(view):
    assert view.model.off == ()
    assert all(button.value for button in view.buttons.values())
    assert "all units are on" in view.status.value
    assert view.first.max == len(view.buttons) == len(view.model.units) <= 20


def test_the_slider_switches_the_first_units_off(view):
    view.first.value = 3
    first = tuple(view.model.units.unit[:3])
    assert view.model.off == first
    assert [unit for unit, button in view.buttons.items() if not button.value] == list(first)
    assert "3 units off" in view.status.value


def test_the_scores_are_those_of_the_network_without_the_units(view, found):
    unit = next(iter(view.buttons))
    view.buttons[unit].value = False
    assert view.model.off == (unit,)
    assert view.first.value == 1
    assert "1 unit off" in view.status.value
    network, image = found.study.networks["scene"], found.study.load_image(view.model.image)
    with sl.ablate(network, "pool5", [unit]):
        wanted = network.predict(image).set_index("predicted").probability
    table = view.model.scores.set_index("class")
    whole = network.predict(image).set_index("predicted").probability
    for name in table.index:
        assert table.now[name] == pytest.approx(wanted[name], abs=1e-5)
        assert table.whole[name] == pytest.approx(whole[name], abs=1e-5)
    view.buttons[unit].value = True
    assert view.model.off == ()


def test_another_category_brings_its_own_units_and_images(view, found):
    view.first.value = 2
    other = view.model.targets[-1]
    view.target.value = other
    assert view.model.off == ()
    assert view.first.value == 0
    assert list(view.buttons) == view.model.units.unit.tolist()
    own = found.images.image[found.images["class"] == other].tolist()
    assert [image for _, image in view.image.options] == own
    view.image.value = own[-1]
    assert view.model.image == own[-1]


def test_a_minimal_image_is_searched_for_on_request_and_is_of_these_units(view):
    whole = np.asarray(view.model.picture())
    view.minimal.click()
    assert not view.status.failed
    assert (np.asarray(view.model.picture())[:, 410:] != whole[:, 410:]).any()
    assert view.model.minimal[:2] == (view.model.image, ())
    view.first.value = 1
    assert (np.asarray(view.model.picture()) == whole).all()  # none of the network without the unit
    assert "minimal image" not in view.status.value


def foreign(view) -> int:
    """A unit of the layer that the category does not offer, and where no widget begins."""
    return next(unit for unit in range(1, view.model.found.n_units) if unit not in view.buttons)


def test_what_is_off_is_struck_out_and_not_told_by_its_colour(view):
    unit = next(iter(view.buttons))
    view.buttons[unit].value = False
    assert "scenelens-off" in view.buttons[unit]._dom_classes
    assert view.buttons[unit].button_style == ""
    assert view.buttons[unit].description.startswith(f"▸ {unit}")  # it is looked at
    assert f"pool5:{unit}" in view.status.value
    assert " is off" in view.status.value
    view.buttons[unit].value = True
    assert "scenelens-off" not in view.buttons[unit]._dom_classes
    assert " is on" in view.status.value


def test_a_unit_of_another_category_is_found_by_its_number_and_gets_a_button(view, found):
    unit = foreign(view)
    view.finder.controls["order"].value = "name"  # all units of the layer
    assert len(view.finder.controls["found"].options) == 1 + found.n_units
    view.finder.controls["found"].value = unit
    assert list(view.buttons)[-1] == unit
    assert view.model.off == ()  # to look at a unit is not to switch it
    view.buttons[unit].value = False
    assert view.model.off == (unit,)
    view.target.value = view.model.targets[-1]
    assert list(view.buttons) == view.model.units.unit.tolist()
    assert view.finder.controls["found"].value == -1


def test_undo_and_reset_lead_back(view):
    buttons, first = view.tools.buttons, view.model.state()
    assert buttons["undo"].disabled
    view.first.value = 2
    before = view.picture.value, view.scores.value
    view.image.value = view.image.options[-1][1]
    view.target.value = view.model.targets[-1]
    for _ in range(2):
        buttons["undo"].click()
    assert (view.picture.value, view.scores.value) == before
    assert len(view.model.off) == view.first.value == 2
    buttons["reset"].click()
    assert view.model.state() == first
    assert buttons["reset"].disabled


def test_the_code_shows_the_same_view(view, found):
    view.target.value = view.model.targets[-1]
    view.model.look_at(foreign(view))
    view.buttons[view.model.unit].value = False
    view.image.value = view.image.options[1][1]
    scope = {"sl": sl, "found": found}
    exec(view.model.code(), scope)
    again = scope["view"]
    assert again.picture.value == view.picture.value
    assert again.scores.value == view.scores.value
    assert list(again.buttons) == list(view.buttons)
    again.close()


def test_picture_and_numbers_are_written_as_files(view, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    view.first.value = 2
    view.tools.buttons["png"].click()
    view.tools.buttons["csv"].click()
    (table,) = (pd.read_csv(path) for path in tmp_path.glob("*.csv"))
    assert len(list(tmp_path.glob("*2 units off.png"))) == 1
    np.testing.assert_allclose(table.now, view.model.scores.now, rtol=1e-6)
    assert set(table.off) == {" ".join(str(unit) for unit in view.model.off)}


def test_it_shares_its_unit_with_the_other_widgets(view, found):
    browser = sl.browse_units(found.study)
    browser._view_count = view._view_count = 1  # as Jupyter counts
    unit = foreign(view)
    browser.controls["unit"].value = unit
    assert view.model.unit == unit
    assert unit in view.buttons
    own = next(iter(view.buttons))
    view.buttons[own].value = False
    assert browser.model.unit == own
    browser.controls["unit"].value = unit
    view.target.value = view.model.targets[-1]
    assert view.shared.description == f"Show pool5:{unit} of scene"
    assert view.shared.layout.display == ""
    browser.close()


def test_what_is_refused_is_said_with_what_is_allowed(view, found):
    with pytest.raises(SceneLensError, match=f"pool5 has units 0 to {found.n_units - 1}, not 999"):
        view.model.look_at(999)
    with pytest.raises(SceneLensError, match=f"class 99 has no units.*allowed: {view.model.targets[0]}"):
        view.model.take(99)
    assert view.children.index(view.status) < view.children.index(view.picture)


def test_a_long_name_is_short_on_a_button_and_whole_in_its_tooltip(view):
    assert _said(7, "bed\nside " + "x" * 40, False) == "7 bed side xxxx…"
    assert _button(7, "bed\n" + "x" * 40, "62px").tooltip == "bed " + "x" * 40


def test_names_in_the_scores_are_text():
    shown = _bars([{"class": "<img src=x>", "now": 0.5, "whole": 0.25}])
    assert "<img" not in shown
    assert "with all units 25%" in shown

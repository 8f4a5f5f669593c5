"""Switching units by hand, without a browser: the model, its words, and how the view follows it."""

import numpy as np
import pytest

import scenelens as sl
from scenelens.interventions import ablation_effects, switch_units
from scenelens.interventions.widget import _bars
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
    before = view.picture.value
    view.minimal.click()
    assert not view.status.failed
    assert view.picture.value != before
    assert view.model.minimal[:2] == (view.model.image, ())
    view.first.value = 1
    assert np.asarray(view.model.picture())[:, 410:].min() == 255  # none of the network without the unit
    assert "minimal image" not in view.status.value


def test_names_in_the_scores_are_text():
    shown = _bars([{"class": "<img src=x>", "now": 0.5, "whole": 0.25}])
    assert "<img" not in shown
    assert "with all units 25%" in shown

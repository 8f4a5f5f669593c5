"""One unit for all widgets of a study: taken at once on screen, and offered by a button otherwise."""

from __future__ import annotations

import pytest

from scenelens.workbook.widgets.selection import SharedUnit
from scenelens.workbook.widgets.status import Status


class Study:
    """Anything that can be a key."""


class Widget:
    """A widget of one network that shows units of the layers it has."""

    def __init__(self, study, layers=("pool5",), follow=None):
        self.unit, self.seen, self.layers = None, True, layers
        self.shared = SharedUnit(study, self.has, self.take, Status(), lambda: self.seen, follow)

    def has(self, network, layer):
        return network == "scene" and layer in self.layers

    def take(self, network, layer, unit):
        self.unit = network, layer, unit
        self.shared.choose(network, layer, unit)

    @property
    def offered(self):
        return "" if self.shared.layout.display == "none" else self.shared.description


@pytest.fixture
def study():
    return Study()


def test_a_widget_on_screen_takes_what_was_chosen_elsewhere(study):
    one, other = Widget(study), Widget(study)
    one.take("scene", "pool5", 7)
    assert other.unit == ("scene", "pool5", 7)
    assert one.offered == other.offered == ""
    other.take("scene", "pool5", 8)
    assert one.unit == ("scene", "pool5", 8)


def test_a_widget_out_of_view_or_made_later_offers_it(study):
    one, hidden = Widget(study), Widget(study)
    hidden.seen = False
    hidden.shared.show("scene", "pool5", 1)
    one.take("scene", "pool5", 7)
    later = Widget(study)
    later.shared.show("scene", "pool5", 2)
    for widget in (hidden, later):
        assert widget.unit is None
        assert widget.offered == "Show pool5:7 of scene"
        widget.shared.click()
        assert widget.unit == ("scene", "pool5", 7)
        assert widget.offered == ""


def test_a_unit_that_a_widget_cannot_show_is_not_offered(study):
    one, other = Widget(study, ("pool5", "conv1")), Widget(study)
    one.take("scene", "conv1", 3)
    assert (other.unit, other.offered) == (None, "")
    one.take("scene", "pool5", 3)
    assert other.unit == ("scene", "pool5", 3)


def test_what_is_not_followed_is_offered(study):
    one, slow = Widget(study), Widget(study, follow=lambda *unit: None)
    one.take("scene", "pool5", 7)
    assert (slow.unit, slow.offered) == (None, "Show pool5:7 of scene")


def test_the_same_unit_again_does_not_call_the_others_back(study):
    one, other = Widget(study), Widget(study)
    one.take("scene", "pool5", 7)
    one.seen = False
    other.take("scene", "pool5", 9)
    one.shared.choose("scene", "pool5", 7)  # it shows what it showed, on another image, say
    assert other.unit == ("scene", "pool5", 9)
    assert one.offered == "Show pool5:9 of scene"


def test_other_studies_have_their_own(study):
    one, other = Widget(study), Widget(Study())
    one.take("scene", "pool5", 7)
    assert (other.unit, other.offered) == (None, "")


def test_a_name_is_one_short_line_on_the_button(study):
    widget = Widget(study, ("a\nlayer\u202e" + "x" * 200,))
    Widget(study, widget.layers).take("scene", widget.layers[0], 1)
    widget.shared.show()
    assert "\n" not in widget.offered
    assert "\u202e" not in widget.offered
    assert len(widget.offered) == 60

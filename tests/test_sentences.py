import math

import pytest

from scenelens.sentences import (
    Sentences,
    difference_text,
    interval,
    named,
    networks_text,
    one_line,
    percent,
    share_text,
    words,
)
from tests.hostile_names import HOSTILE, mixtures, visible
from tests.page_parts import rendered


def test_a_reading_is_markdown_to_a_notebook_and_text_to_everyone_else():
    assert Sentences("**a**") == "**a**"
    assert Sentences("**a**")._repr_markdown_() == "**a**"


@pytest.mark.parametrize(("share", "text"), [(0, "0%"), (1, "100%"), (0.404, "40%"), (math.nan, "–")])
def test_percent(share, text):
    assert percent(share) == text


def test_share_text_names_the_interval_and_n():
    assert share_text(0.2, 0.133, 0.289, 1000) == "20% (95% interval 13–29%, n = 1,000)"
    assert interval(0.133, 0.289) == "13–29%"


def test_a_share_of_all_units_has_no_interval():
    assert share_text(0.53125, 0.53125, 0.53125, 128) == "53% of all 128"


BOTH = ("the scene network", "the object network")


def test_a_clear_difference_names_the_higher_one_first():
    told = (
        "the object network is 4 points higher than the scene network (7% against 3%, n = 512 each; "
        "95% interval of the difference 0.8 to 6 points)"
    )
    assert difference_text(16 / 512, 34 / 512, (-0.063, -0.0079), BOTH, (512, 512)) == told
    assert difference_text(34 / 512, 16 / 512, (0.0079, 0.063), BOTH[::-1], (512, 512)) == told


@pytest.mark.parametrize(("interval", "narrow", "said"), [
    ((-0.1, 0.2), 0.05, "no difference is shown between"),
    ((-0.049, 0.049), 0.05, "are about equal"),
    ((-0.049, 0.049), None, "no difference is shown between"),
    ((-0.05, 0.01), 0.05, "no difference is shown between"),
    ((0.0, 0.2), 0.05, "no difference is shown between"),
    ((0.001, 0.02), 0.05, "is 1 point higher than"),  # clear, however small
    ((math.nan, math.nan), 0.05, "cannot be compared"),
])  # fmt: skip
def test_what_an_interval_of_a_difference_shows(interval, narrow, said):
    text = difference_text(0.51, 0.5, interval, BOTH, narrow=narrow)
    assert said in text
    assert "51% against 50%" in text


def test_a_difference_in_other_units():
    text = difference_text(10.2, 37.5, (-31, -24.5), BOTH, (48, 1024), unit="px", more="larger")
    assert "is 27.3 px larger than the scene network (37.5 against 10.2 px, n = 48 and 1,024; " in text
    assert text.endswith("24.5 to 31.0 px)")
    text = difference_text(-0.13, 0.36, (-0.7, -0.3), ("a", "b"), 97, unit="")
    assert text == (
        "b is 0.49 higher than a (0.36 against −0.13, n = 97; 95% interval of the difference 0.3 to 0.7)"
    )


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_in_a_sentence_is_markup(name):
    shown = rendered(Sentences(f"- **The {named(name)} network**, conv5: by {named(words(name))}."))
    assert shown.tags <= {"ul", "li", "strong", "span"}
    assert shown.scripts == []


def test_no_mixture_of_names_is_markup():
    for name in mixtures(300):
        shown = rendered(Sentences(f"**{named(name)}**: 3 of 4.\n\n- {named(words(name))}, n = 4"))
        assert shown.tags <= {"p", "ul", "li", "strong", "span"}, name
        assert shown.tags >= {"p", "ul", "li"}, name
        assert shown.scripts == [], name


@pytest.mark.parametrize("name", HOSTILE)
def test_even_a_name_that_nobody_marked_does_nothing(name):
    shown = rendered(Sentences(f"{name}: {name}"))
    Sentences(name)._repr_markdown_().encode()  # raises for halves of characters, which no page can hold
    assert not shown.tags & {"script", "img", "iframe", "svg", "style", "meta", "body", "details"}
    assert shown.scripts == []


@pytest.mark.parametrize("name", ["http://x\ud800", "https://x/\udfff?", "www.x.y\ud800"])
def test_half_a_character_in_an_address_is_shown_as_unknown(name):
    assert "\ufffd" in rendered(Sentences(f"- {name}")).text


@pytest.mark.parametrize(
    "name", ["<b>x</b>", "[x](y)", "*x*", "`x`", "$x$", "a & b", r"\x", "__x__", "~~x~~"]
)
def test_a_name_is_shown_with_the_characters_it_is_written_with(name):
    assert rendered(Sentences(f"The {named(name)}.")).text.strip() == f"The {name}."


@pytest.mark.parametrize(
    "name", ["bed", "art_gallery", "tench, Tinca tinca", "T-shirt", "Çatalhöyük", "it's"]
)
def test_ordinary_names_stay_as_they_are(name):
    assert named(name) == one_line(name) == name
    assert Sentences(f"**{name}**: `make atlas`")._repr_markdown_() == f"**{name}**: `make atlas`"


@pytest.mark.parametrize("name", [*HOSTILE, *mixtures(100)])
def test_a_name_is_one_visible_line_of_bounded_length(name):
    assert visible(one_line(name))
    assert len(one_line(name)) <= 160
    one_line(name).encode()  # raises for halves of characters


def test_a_dollar_begins_no_formula_anywhere():
    # In an element of its own it is no delimiter for MathJax, which looks at runs of text.
    assert Sentences("$x$")._repr_markdown_() == "<span>&#36;</span>x<span>&#36;</span>"


@pytest.mark.parametrize(("names", "said"), [
    (["scene", "object"], "1 scene network, 1 object network.** The intervals are over images, not over "
     "networks: another training"),
    (["scene", "scene_2", "scene-3", "object", "scenery"], "3 scene networks, 1 object network.** The "
     "intervals are over images, not over networks: how far networks of one kind differ"),
    (["scene", "untrained"], ""), (["mine", "yours"], ""), ([], ""),
])  # fmt: skip
def test_the_number_of_networks_is_said(names, said):
    text = networks_text(names)
    assert said in text
    assert ("drawn from all that such a training would make" in networks_text(names, "units")) == bool(text)
    assert bool(text) == bool(said)

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from scenelens.errors import SceneLensError, close_names


def test_it_is_a_value_error():
    assert issubclass(SceneLensError, ValueError)


@given(st.text())
def test_the_sentence_is_one_line_of_what_was_said(text):
    said = str(SceneLensError(f"there is no {text}."))
    assert len(said.splitlines()) == 1
    assert not any(unicodedata.category(one) == "Cc" for one in said)
    assert not any(unicodedata.category(one) == "Cc" for one in text) or said != f"there is no {text}."
    if text.isprintable():
        assert said == f"there is no {text}."


def test_a_sentence_that_quotes_a_whole_file_keeps_both_its_ends():
    said = str(SceneLensError(f"a.ipynb is no notebook: {'x' * 50_000}; save it again."))
    assert len(said) < 1500
    assert said.startswith("a.ipynb is no notebook: xxx")
    assert said.endswith("xxx; save it again.")


def test_case_does_not_hide_a_close_name():
    assert close_names("POOL5", ["conv1", "pool5"]) == "close names: pool5"


def test_a_long_list_is_cut_and_counted():
    text = close_names("zzz", [f"layer{n}" for n in range(40)])
    assert text.endswith("... (40 in all)")
    assert text.count("layer") == 12


@given(st.text(min_size=1), st.lists(st.text(min_size=1), min_size=1))
def test_only_allowed_names_are_offered(name, allowed):
    text = close_names(name, allowed)
    assert any(one in text for one in allowed)


@given(st.lists(st.text("abcdef12", min_size=3), min_size=1, unique=True), st.data())
def test_a_right_name_is_its_own_closest(allowed, data):
    name = data.draw(st.sampled_from(allowed))
    assert close_names(name, allowed).startswith(f"close names: {name}")

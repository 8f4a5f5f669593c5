import math

import pytest

from scenelens.sentences import Sentences, apart, gap_text, interval, percent, share_text


def test_a_reading_is_markdown_to_a_notebook_and_text_to_everyone_else():
    assert Sentences("**a**") == "**a**"
    assert Sentences("**a**")._repr_markdown_() == "**a**"


@pytest.mark.parametrize(("share", "text"), [(0, "0%"), (1, "100%"), (0.404, "40%"), (math.nan, "–")])
def test_percent(share, text):
    assert percent(share) == text


def test_share_text_names_the_interval_and_n():
    assert share_text(0.2, 0.133, 0.289, 1000) == "20% (95% interval 13–29%, n = 1,000)"
    assert interval(0.133, 0.289) == "13–29%"


def test_apart_needs_a_gap():
    assert apart(0, 0.1, 0.2, 0.3)
    assert apart(0.2, 0.3, 0, 0.1)
    assert not apart(0, 0.2, 0.2, 0.3)


def test_the_sentence_about_two_intervals_says_what_each_case_means():
    how = {"gap": "they differ", "overlap": "nothing is known"}
    assert gap_text((0, 0.1), (0.2, 0.3), **how) == "The intervals leave a gap: they differ"
    assert gap_text((0.2, 0.3), (0, 0.1), **how) == "The intervals leave a gap: they differ"
    assert gap_text((0, 0.2), (0.2, 0.3), **how) == "The intervals overlap: nothing is known"
    assert gap_text((0, 0.2), (0.1, 0.3)) == "The intervals overlap"

"""Counts of objects, and Zipf's law, against cases worked by hand and numpy's own Zipf."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenelens.emergence.frequency import _Zipf, _zipf_exponent, _zipf_line, object_frequency
from tests.presence import presence

SEEN = presence([("den", ("bed", "bed", "lamp")), ("den", ("lamp",)), ("sea", ()), ("sea", ("boat",))])


def test_instances_images_and_area():
    """bed: twice on one of four images, .2 of it; lamp: once on two; boat: once on one."""
    table = object_frequency(SEEN)
    assert table.columns.tolist() == ["rank", "object", "instances", "images", "share", "area"]
    assert table.object.tolist() == ["bed", "lamp", "boat"]  # of equals in alphabetical order
    assert table["rank"].tolist() == [1, 2, 3]
    assert table.instances.tolist() == [2, 2, 1]
    assert table.images.tolist() == [1, 2, 1]
    assert table.share.tolist() == [0.25, 0.5, 0.25]
    assert table.area.tolist() == pytest.approx([0.2, 0.1, 0.1])


def test_an_object_that_no_image_contains_is_listed_with_zeros():
    table = object_frequency(SEEN, objects=["lamp", "unicorn"]).set_index("object")
    assert len(table) == 4
    row = table.loc["unicorn"]
    assert (row["rank"], row.instances, row.images, row.share) == (4, 0, 0, 0)
    assert math.isnan(row.area)


def test_images_without_any_object():
    table = object_frequency(presence([("den", ()), ("den", ())]))
    assert table.empty
    assert math.isnan(_Zipf.fitted(presence([("den", ()), ("den", ())])).exponent)


@pytest.mark.parametrize("exponent", [0.5, 1.0, 2.0])
def test_counts_that_follow_the_law_give_its_exponent(exponent):
    counts = 1e6 * np.arange(1, 51.0) ** -exponent
    assert _zipf_exponent(counts) == pytest.approx(exponent, abs=1e-4)
    assert _zipf_exponent(np.random.default_rng(0).permutation(counts)) == pytest.approx(exponent, abs=1e-4)


def test_the_exponent_is_the_likeliest():
    """By hand for two objects, three to one: p = 3/4 = 1 / (1 + 2**-s), so s = log2(3)."""
    assert _zipf_exponent([1, 3, 0]) == pytest.approx(math.log2(3), abs=1e-4)


def test_draws_from_the_law():
    """numpy draws from the law with infinitely many ranks; cut at 30, what is left follows ours."""
    drawn = np.random.default_rng(3).zipf(2.0, 200_000)
    assert _zipf_exponent(np.bincount(drawn[drawn <= 30])[1:]) == pytest.approx(2.0, abs=0.02)


@given(st.lists(st.integers(1, 1000), min_size=2, max_size=20), st.integers(2, 9))
def test_the_scale_of_counts_does_not_matter(counts, factor):
    counts = np.array(counts)
    assert _zipf_exponent(factor * counts) == pytest.approx(_zipf_exponent(counts), abs=1e-3)


@pytest.mark.parametrize(("counts", "exponent"), [([], math.nan), ([5], math.nan), ([4, 4, 4], 0.0)])
def test_edges(counts, exponent):
    assert _zipf_exponent(counts) == pytest.approx(exponent, nan_ok=True)


def test_the_line_of_the_law_has_the_sum_of_the_counts():
    assert _zipf_line([6, 0, 3, 2], 1.0).tolist() == pytest.approx([6, 3, 2])


def test_the_interval_comes_from_drawing_images_anew():
    rng = np.random.default_rng(0)
    names = ("bed", "lamp", "boat", "rock")
    images = [("den", tuple(n for n, p in zip(names, (0.9, 0.5, 0.3, 0.2), strict=True) if rng.random() < p))
              for _ in range(200)]  # fmt: skip
    fit = _Zipf.fitted(presence(images))
    assert fit.low < fit.exponent < fit.high < fit.low + 0.5
    assert (fit.n_objects, fit.n_images) == (4, 200)
    assert _Zipf.fitted(presence(images)) == fit
    few = _Zipf.fitted(presence(images[:40]))
    assert few.high - few.low > fit.high - fit.low


def test_equal_counts_fit_without_a_slope():
    fit = _Zipf.fitted(presence([("den", ("bed", "lamp"))] * 3))
    assert (fit.exponent, fit.low, fit.high) == (0, 0, 0)
    assert math.isnan(fit.fit)  # nothing varies, so nothing can be explained


def test_the_share_is_of_the_images_whose_annotators_name_the_object():
    """Two of four images have annotators who know doors; one of these shows one. All know lamps."""
    seen = presence([("", ("door", "lamp")), ("", ("lamp",)), ("", ()), ("", ("lamp",))])
    known = np.array([[True, True], [True, True], [False, True], [False, True]])
    table = object_frequency(replace(seen, known=known)).set_index("object")
    assert table.share.to_dict() == {"lamp": 0.75, "door": 0.5}
    assert object_frequency(seen).set_index("object").share["door"] == 0.25

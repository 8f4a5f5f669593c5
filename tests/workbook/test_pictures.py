import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenelens.errors import SceneLensError
from scenelens.workbook.pictures import dimmed, heat, map_in_frame


def test_every_value_lies_on_its_occluders_centre():
    values = np.arange(73 * 73, dtype=float).reshape(73, 73)
    picture = map_in_frame(values, (227, 227), (11, 11), 3)
    for i, j in [(0, 0), (72, 72), (10, 41)]:
        assert picture[3 * i + 5, 3 * j + 5] == values[i, j]
        assert picture[3 * i + 4, 3 * j + 6] == values[i, j]
    assert np.isnan(picture[3]).all()
    assert np.isnan(picture[:, 223]).all()
    assert (~np.isnan(picture)).sum() == 219 * 219


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 9), st.integers(1, 6), st.integers(10, 40))
def test_any_occluder_and_stride_fit(size, stride, side):
    n = (side - size) // stride + 1
    values = np.arange(1.0, n * n + 1).reshape(n, n)
    picture = map_in_frame(values, (side, side), (size, size), stride)
    last = (n - 1) * stride + (size - 1) // 2
    assert picture[last, last] == values[-1, -1]
    assert np.nanmin(picture) == 1


def test_more_heat_is_lighter():
    light = heat(np.linspace(0, 1, 50)[None]).astype(int).sum(axis=2)[0]
    assert (np.diff(light) > 0).all()


def test_a_map_of_nothing_is_dark_not_an_error():
    assert heat(np.zeros((3, 3))).max() < 10
    assert (heat(np.full((2, 2), np.nan)) == 128).all()


def test_sizes_that_differ_raise():
    with pytest.raises(SceneLensError, match=r"\(3, 3\) and the image \(4, 4\); they must have one size"):
        dimmed(np.zeros((4, 4, 3), np.uint8), np.zeros((3, 3), bool))

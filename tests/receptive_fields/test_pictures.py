"""How a map is drawn over an image, and how a patch is cut from one."""

import numpy as np

from scenelens.receptive_fields.figures import _patch
from scenelens.receptive_fields.widget import _over


def test_a_map_of_zeros_leaves_a_darker_grey_image():
    assert _over(np.full((2, 2, 3), 100, np.uint8), np.zeros((2, 2))).tolist() == [[[60] * 3] * 2] * 2


def test_heat_over_an_image_shows_where_and_keeps_the_rest_grey():
    image = np.zeros((4, 4, 3), np.uint8)
    image[..., 0] = 150
    values = np.zeros((4, 4))
    values[1, 2] = 5.0
    shown = _over(image, values)
    assert shown[1, 2].max() > 180
    assert (shown[0, 0] == 30).all()


def test_a_patch_is_centred_and_padded_with_white():
    image = np.zeros((30, 30, 3), np.uint8)
    image[10, 20] = 200
    cut = _patch(image, (10, 20), 11)
    assert cut.shape == (11, 11, 3)
    assert cut[5, 5, 0] == 200
    corner = _patch(image, (29, 29), 11)
    assert (corner[:6, :6] == 0).all()
    assert (corner[6:] == 255).all()
    assert (_patch(image, (200, 200), 11) == 255).all()
    assert _patch(image, (5, 5), float("nan")).shape == (8, 8, 3)

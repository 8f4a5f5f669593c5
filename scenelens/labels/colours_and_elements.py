r"""Colours and simple elements, which no person outlines, measured in the pixels by written definitions.

Colours. The eleven basic colour terms of Berlin and Kay, decided by CIELAB lightness L (0..100), chroma C and
hue h (degrees):

- chroma below 10, or below 16 if it is darker than L = 20 or lighter than L = 90 (there the eye hardly
  distinguishes hues): black below L = 22, white from L = 82 on, grey between;
- otherwise by the hue: red 15-52, orange 52-84, yellow 84-112, green 112-212, blue 212-308, purple 308-340;
  340-15 is pink, or red where it is both dark (L below 55) and strong (C from 35 on);
- reds from L = 68 on are pink; reds of C below 40 and oranges are brown below L = 50, yellows below L = 42;
  purples from L = 70 on are pink.

Simple elements. The lightness L is smoothed by a Gaussian of sigma = 2 px; g is the gradient's length times
sigma, a and b the second derivatives along the two principal directions times sigma squared (|a| >= |b|), so
that all three are in units of L and do not depend on the scale. A pixel shows the element of the strongest
response, if that reaches 4 units of L:

- an edge: g; its direction is along the edge (across the gradient);
- a line: |a| - |b|, curved in one direction only; its direction is the one in which it is not curved;
- a blob: 1.5 |b| where a and b have the same sign, curved in both; light on dark (negative) or dark on light.

Directions are horizontal, vertical, and the diagonals rising (like /) and falling (like \), each within 22.5
degrees. Every pixel has one colour and at most one element.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from scenelens.annotations import LabelMap
from scenelens.errors import SceneLensError
from scenelens.networks import Preprocessing

_COLOURS = (
    "black",
    "grey",
    "white",
    "red",
    "orange",
    "brown",
    "yellow",
    "green",
    "blue",
    "purple",
    "pink",
)
_DIRECTIONS = ("horizontal", "rising", "vertical", "falling")
_ELEMENTS = (
    *(f"{direction} edge" for direction in _DIRECTIONS),
    *(f"{direction} line" for direction in _DIRECTIONS),
    "light blob",
    "dark blob",
)
_SIGMA = 2.0  # pixels
_WEAKEST = 4.0  # units of lightness
_STRIP = 16384  # pixels whose elements are decided at a time
_BITS = 5  # per channel, for the table in which colours are looked up


def _name_colours(rgb: np.ndarray) -> np.ndarray:
    """The number in `_COLOURS` of every colour, by the definition above.

    Takes uint8 (..., 3) and returns uint8 (...).

    >>> [_COLOURS[k] for k in _name_colours(np.array([[255, 0, 0], [139, 69, 19]], np.uint8))]
    ['red', 'brown']
    """
    rgb = np.asarray(rgb)
    if rgb.dtype != np.uint8 or rgb.ndim < 1 or rgb.shape[-1] != 3:
        raise SceneLensError(f"colours are uint8 (..., 3), 0..255; got {rgb.dtype} {rgb.shape}.")
    pixels = rgb.reshape(1, -1, 3).astype(np.float32) / 255
    light, a, b = np.moveaxis(cv2.cvtColor(pixels, cv2.COLOR_RGB2Lab)[0], -1, 0)
    chroma, hue = np.hypot(a, b), np.degrees(np.arctan2(b, a)) % 360
    found = np.where(_is_grey(light, chroma), _greys(light), _hues(light, chroma, hue))
    return found.reshape(rgb.shape[:-1]).astype(np.uint8)


def _is_grey(light: np.ndarray, chroma: np.ndarray) -> np.ndarray:
    return chroma < np.where((light < 20) | (light > 90), 16, 10)


def _greys(light: np.ndarray) -> np.ndarray:
    return np.select(
        [light < 22, light < 82], [_COLOURS.index("black"), _COLOURS.index("grey")], _COLOURS.index("white")
    )


def _hues(light: np.ndarray, chroma: np.ndarray, hue: np.ndarray) -> np.ndarray:
    """The colours that are not grey. The steps are in the definition's order: the first that holds counts."""
    red, orange, yellow = (hue >= 15) & (hue < 52), (hue >= 52) & (hue < 84), (hue >= 84) & (hue < 112)
    purple, rose = (hue >= 308) & (hue < 340), (hue >= 340) | (hue < 15)
    steps = [
        ("red", rose & (light < 55) & (chroma >= 35)),
        ("pink", rose | (red & (light >= 68)) | (purple & (light >= 70))),
        ("brown", (red & (chroma < 40) & (light < 50)) | (orange & (light < 50)) | (yellow & (light < 42))),
        ("red", red),
        ("orange", orange),
        ("yellow", yellow),
        ("green", hue < 212),
        ("blue", hue < 308),
    ]
    return np.select(
        [where for _, where in steps], [_COLOURS.index(name) for name, _ in steps], _COLOURS.index("purple")
    )


@lru_cache(maxsize=1)
def _colour_table() -> np.ndarray:
    """The number of every colour with 5 bits a channel: (32768,) uint8.

    CIELAB is too slow for every pixel of thousands of photographs. The table has the colour in the middle of
    each step.
    """
    steps = (np.arange(1 << _BITS) * 8 + 4).astype(np.uint8)
    return _name_colours(np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1).reshape(-1, 3))


def _colour_map(image: np.ndarray) -> LabelMap:
    """Every pixel's colour term.

    Parameters
    ----------
    image : numpy.ndarray
        (H, W, 3) uint8 RGB. Colours are distinguished in steps of 8 per channel.

    Returns
    -------
    LabelMap
        Codes 1 to 11, for black, grey, white, red, orange, brown, yellow, green, blue, purple and pink.

    Examples
    --------
    >>> _colour_map(np.full((1, 2, 3), 255, np.uint8)).masks()
    {'white': array([[ True,  True]])}
    """
    steps = Preprocessing.checked_image(image) >> (8 - _BITS)
    places = (
        (steps[..., 0].astype(np.int32) << 2 * _BITS)
        | (steps[..., 1].astype(np.int32) << _BITS)
        | steps[..., 2]
    )
    return LabelMap(_colour_table()[places].astype(np.int32) + 1, dict(enumerate(_COLOURS, start=1)))


def _element_map(image: np.ndarray) -> LabelMap:
    """Every pixel's simple element: an oriented edge or line, a blob, or nothing.

    Parameters
    ----------
    image : numpy.ndarray
        (H, W, 3) uint8 RGB.

    Returns
    -------
    LabelMap
        Codes 1 to 10: four directions of edges, four of lines, light and dark blobs. 0 where no response
        reaches 4 units of lightness.

    Examples
    --------
    >>> image = np.zeros((32, 32, 3), np.uint8); image[:, 16:] = 255
    >>> sorted(_element_map(image).masks())[:1]
    ['vertical edge']
    """
    pixels = Preprocessing.checked_image(image)
    light, codes = np.empty(pixels.shape[:2], np.float32), np.empty(pixels.shape[:2], np.int32)
    # Some rows at a time: what is made of them between stays in the processor's cache.
    step = max(1, _STRIP // max(1, pixels.shape[1]))
    strips = [slice(start, start + step) for start in range(0, len(pixels), step)]
    for rows in strips:
        light[rows] = cv2.cvtColor(pixels[rows].astype(np.float32) / 255, cv2.COLOR_RGB2Lab)[..., 0]
    smooth = cv2.GaussianBlur(light, (0, 0), _SIGMA, borderType=cv2.BORDER_REPLICATE)
    derivatives = [_derivative(smooth, *order) for order in ((1, 0), (0, 1), (2, 0), (0, 2), (1, 1))]
    for rows in strips:
        codes[rows] = _elements(*(one[rows] for one in derivatives))
    return LabelMap(codes, dict(enumerate(_ELEMENTS, start=1)))


def _elements(
    dx: np.ndarray, dy: np.ndarray, dxx: np.ndarray, dyy: np.ndarray, dxy: np.ndarray
) -> np.ndarray:
    """The code of each pixel's element, by the derivatives of the smoothed lightness there."""
    middle, half = (dxx + dyy) / 2, np.hypot((dxx - dyy) / 2, dxy)
    # The principal curvatures are middle + half and middle - half. So the larger absolute one is size + half,
    # the smaller is |size - half|, and the signs are equal where size > half.
    size = np.abs(middle)
    apart = size - half
    edge = _SIGMA * np.hypot(dx, dy)
    line = _SIGMA**2 * (size + half - np.abs(apart))
    blob = 1.5 * _SIGMA**2 * np.maximum(apart, 0)
    # Of ties the first: edge, line, blob. Directions are computed only for the pixels that need them.
    strongest = np.maximum(np.maximum(edge, line), blob)
    left = strongest >= _WEAKEST
    is_edge = left & (edge == strongest)
    left &= ~is_edge
    is_line = left & (line == strongest)
    is_blob = left & ~is_line
    codes = np.zeros(dx.shape, np.int32)
    codes[is_blob] = np.where(middle[is_blob] < 0, 9, 10)
    codes[is_edge] = 1 + _along_edge(dx[is_edge], dy[is_edge])
    codes[is_line] = 5 + _along_line(dxx[is_line], dyy[is_line], dxy[is_line])
    return codes


def _derivative(values: np.ndarray, across: int, down: int) -> np.ndarray:
    """A derivative by Sobel's 3x3 filter, per pixel."""
    weight = {(1, 0): 1 / 8, (0, 1): 1 / 8, (1, 1): 1 / 4, (2, 0): 1 / 4, (0, 2): 1 / 4}[across, down]
    border = cv2.BORDER_REPLICATE
    return cv2.Sobel(values, cv2.CV_32F, across, down, ksize=3, scale=weight, borderType=border)


def _along_edge(dx: np.ndarray, dy: np.ndarray) -> np.ndarray:
    """The number in `_DIRECTIONS` of the direction across the gradient; rows count downwards."""
    return _direction(np.arctan2(dx, dy))


def _along_line(dxx: np.ndarray, dyy: np.ndarray, dxy: np.ndarray) -> np.ndarray:
    """The number in `_DIRECTIONS` of the direction in which the surface is curved least."""
    turn = np.arctan2(2 * dxy, dxx - dyy) / 2  # of the larger signed curvature, x towards y (downwards)
    most_curved = np.where(dxx + dyy >= 0, turn, turn + np.pi / 2)  # of the larger absolute one
    # Rows count downwards and angles upwards, hence the sign.
    return _direction(-(most_curved + np.pi / 2))


def _direction(angle: np.ndarray) -> np.ndarray:
    """A direction's number: angle in radians, counted from the right upwards, modulo half a turn."""
    return np.round(angle / (np.pi / 4)).astype(np.int32) % 4


#: Kind of concept -> what measures it on an image, uint8 RGB (H, W, 3) -> `LabelMap`. It needs no annotation.
MEASURED_MAPS = {"colours": _colour_map, "elements": _element_map}

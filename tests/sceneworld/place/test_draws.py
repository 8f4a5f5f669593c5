"""Numbers drawn in kernels against the Random that would draw them; boxes in kernels against plain ones."""

import random

import numpy as np
from numba import njit

from scenelens.sceneworld.place import draws, spots
from scenelens.sceneworld.place.fits import ROOM, TAKEN, set_box
from scenelens.sceneworld.place.layout import Layout
from scenelens.sceneworld.place.stages import build_stage
from tests.sceneworld.place.plain_places import screen_box


@njit
def draw_all(source, kinds, out):
    for i, kind in enumerate(kinds):
        if kind == 0:
            out[i] = draws.uniform(source, -1.5, 2.0)
        elif kind == 1:
            out[i] = draws.gauss(source, 14.0)
        elif kind == 2:
            out[i] = draws.share(source)
        else:
            out[i] = draws.below(source, kind)


def drawn(rng, kind):
    if kind > 2:
        return rng.randrange(kind)
    return (lambda: rng.uniform(-1.5, 2.0), lambda: rng.gauss(0, 14), rng.random)[kind]()


def test_kernels_draw_what_the_random_would_draw():
    plain, source = random.Random(5), draws.Draws(random.Random(5))
    kinds = np.random.default_rng(0).choice([0, 1, 2, 3, 4, 5, 1 << 30], 900)
    for part in np.split(kinds, 9):  # calls go on where the last one stopped
        out = np.empty(len(part))
        draw_all(source.ready(64 * len(part)), part, out)
        assert out.tolist() == [drawn(plain, kind) for kind in part.tolist()]


@njit
def boxes(room, feet, taken, ahead):
    for i in range(len(feet)):
        x, z, w, d, c, s = feet[i]
        ahead[i] = set_box(room[0], (x, z, w, d, c, s), 0.2, 1.5, taken[i])


def test_boxes_in_kernels_are_those_of_plain_python():
    stage, rng = build_stage("indoor", 3), random.Random(1)
    feet = [
        spots.footprint(rng.uniform(-2, 2), rng.uniform(-2, 4), 1.2, 0.7, rng.uniform(0, 360))
        for _ in range(50)
    ]
    taken, there, room = np.zeros(50, TAKEN), np.empty(50, bool), Layout(stage, rng, 1)._room
    assert room.dtype == ROOM
    boxes(room, np.array(feet), taken, there)
    assert 10 < there.sum() < 50
    for foot, row, seen in zip(feet, taken, there, strict=True):
        box, ahead = screen_box(stage.view, foot, 0.2, 1.5)
        assert seen == (box is not None)
        assert not seen or (*box, ahead) == tuple(row[["left", "top", "right", "bottom", "ahead"]])

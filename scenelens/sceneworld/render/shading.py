"""The colour of every pixel: brush texture, pattern, warm light and cool shadow, as numba kernels.

Each output pixel covers 2x2 samples of the depth buffer. Label maps take the surface with most samples, the nearest
on a tie. Light changes slowly, paint does not: `blocks` of 2x2 pixels that show one surface are lit once, in their
middle, and `painting` gives each of their pixels its own paint under light read between the middles. The pixels of
`mixed` blocks are shaded sample by sample.
"""

from __future__ import annotations

import numpy as np

from scenelens.sceneworld.render.blocks import find_blocks, light_blocks
from scenelens.sceneworld.render.mixed import shade_mixed
from scenelens.sceneworld.render.noise import kernel
from scenelens.sceneworld.render.painting import MIXED, paint_image
from scenelens.sceneworld.render.patterns import ROWS

__all__ = ["ENVIRONMENT", "shade_image"]

# Numbers of the environment vector, by name.
NAMES = """lx ly lz lr lg lb skyr skyg skyb gndr gndg gndb fogr fogg fogb fog zenr zeng zenb cloud outdoor bias reach
seed"""
ENVIRONMENT = {name: i for i, name in enumerate(NAMES.split())}


@kernel
def name_pixels(shown, blocks, names, labels, fine):
    """The label maps, and the object of each sample of the blocks of one surface."""
    for y in range(shown.shape[0]):
        for x in range(shown.shape[0]):
            t = shown[y, x]
            for k in range(3):
                labels[k, y, x] = names[t, k]
            if blocks[y >> 1, (x >> 1) + 1] != MIXED:
                for k in range(4):
                    fine[2 * y + (k >> 1), 2 * x + (k & 1)] = names[t, 0]


def shade_image(drawn, meshes, traits, lens, sun, seen, names, middles, buffers, labels) -> None:
    """Fill the linear RGB image, the label maps (3, S, S), and the object of each sample.

    drawn: edges, owner and mesh face of each triangle, instance table, `primitive_frames`. meshes: kinds, low corners,
    inverse extents, vertices, normals, first vertex, faces and smooth sides. lens: view, focal length, middle. sun:
    environment, shadow map, light. seen: depth, triangle and openness of each sample. names: number of the surface of
    each triangle (triangles + 1) and its object, part and material (triangles + 1, 3); the last row is the sky's.
    middles (2, S, S): sample column and row of the middle of each pixel. buffers: image (3, S, S) and object of each
    sample (2S, 2S), to be filled, and working space (for these kernels allocate nothing): shown (S, S), the triangle
    that shows most in each pixel; lights (B, B + 2, 8), the same again (8, B, B + 2) and blocks (B, B + 2), B blocks of
    2x2 pixels a side and one column more at either side; work (25, 2B) float32.
    """
    depth, ids, open_ = seen
    keys, labelled = names
    image, fine, shown, lights, planes, blocks, work = buffers
    ints, floats, slots = np.empty((6, 4), np.int64), np.empty((4, 4)), np.empty((4, 16))
    find_blocks(len(shown), ids, keys, middles, np.empty(len(ids), np.int32), ints, floats, shown, blocks)
    for even in (True, False):
        light_blocks(even, shown, drawn, meshes, traits, lens, sun, open_, lights, blocks, slots[0])
    rows, places = np.empty((ROWS, work.shape[1])), np.empty(work.shape[1], np.int64)
    paint_image(shown, middles, drawn, meshes, traits, lens[1], lights, planes, blocks, work, rows, places, image)
    shade_mixed(
        ids, keys, labelled, middles, ints, floats, slots, drawn, meshes, traits, lens, sun, open_, depth, lights, blocks,
        shown, fine, image,
    )  # fmt: skip
    name_pixels(shown, blocks, labelled, labels, fine)

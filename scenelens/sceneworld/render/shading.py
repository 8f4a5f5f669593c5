"""The colour of every pixel and the label maps: the order of the shading stages.

Each pixel covers 2x2 samples of the depth buffer.  Light changes slowly from place to place, paint does not.  So `blocks` of
2x2 pixels that show one surface are lit once, in their middle, and `painting` gives each of their pixels its own paint,
under light interpolated between the middles of blocks.  The pixels of `mixed` blocks are shaded sample by sample.  Label
maps take the surface with most samples, of ties the nearest.
"""

from __future__ import annotations

import numpy as np

from scenelens.sceneworld.render.blocks import find_blocks, light_blocks
from scenelens.sceneworld.render.mixed import shade_mixed
from scenelens.sceneworld.render.noise import kernel
from scenelens.sceneworld.render.painting import MIXED, paint_image
from scenelens.sceneworld.render.patterns import ROWS

__all__ = ["ENVIRONMENT", "shade_image"]

# Numbers of the environment vector, by name: direction and colour of the light, light from sky and ground, colour of the
# horizon, haze per metre, colour of the zenith, clouds, whether outdoors, offset of shadows, reach of nearness, seed of clouds.
_NAMES = """lx ly lz lr lg lb skyr skyg skyb gndr gndg gndb fogr fogg fogb fog zenr zeng zenb cloud outdoor bias reach
seed"""
ENVIRONMENT = {name: i for i, name in enumerate(_NAMES.split())}


@kernel
def _name_pixels(shown, blocks, names, labels, fine):
    """Fill the label maps, and the object of each sample in blocks of one surface (`mixed` has done the others)."""
    for y in range(shown.shape[0]):
        for x in range(shown.shape[0]):
            t = shown[y, x]
            for k in range(3):
                labels[k, y, x] = names[t, k]
            if blocks[y >> 1, (x >> 1) + 1] != MIXED:
                for k in range(4):
                    fine[2 * y + (k >> 1), 2 * x + (k & 1)] = names[t, 0]


def shade_image(drawn, meshes, traits, lens, sun, seen, names, middles, buffers, labels) -> None:
    """Fill the linear RGB image, the label maps and the object of each sample.

    Kernels take plain arrays; arrays that always go together travel as tuples, under the names used here.

    Parameters
    ----------
    drawn : tuple of numpy.ndarray
        Weights, owner and mesh face of each triangle; instance table; `surfaces.primitive_frames`.
    meshes : tuple of numpy.ndarray
        Of the meshes: kinds, low corners, inverse extents, vertices, normals, first vertex, faces, smoothing groups.
    traits : numpy.ndarray
        `materials.MATERIAL_TABLE`.
    lens : tuple
        View (12 numbers), focal length in samples, middle of the picture in samples.
    sun : tuple of numpy.ndarray
        Environment vector, shadow map, frame of the light.
    seen : tuple of numpy.ndarray
        1 / depth and triangle of each sample, openness of each cell of 4x4 samples.
    names : tuple of numpy.ndarray
        Number of the surface of each triangle (triangles + 1,), and its object, part and material (triangles + 1, 3); the
        last row is the sky's.
    middles : numpy.ndarray
        (2, S, S) int16: sample column and row of the middle of each pixel.
    buffers : tuple of numpy.ndarray
        To be filled: image (3, S, S) and object of each sample (2S, 2S). Working space, since kernels allocate nothing:
        shown (S, S), the triangle that shows most in each pixel; lights (B, B + 2, 8), the same again (8, B, B + 2) and
        blocks (B, B + 2), for B blocks of 2x2 pixels along a side and one column more at either side, so that neighbours
        need no special case; work (25, 2B) float32.
    labels : numpy.ndarray
        (3, S, S) int16, to be filled: object, part and material of each pixel.
    """
    depth, ids, open_ = seen
    keys, labelled = names
    image, fine, shown, lights, planes, blocks, work = buffers
    ints, floats, slots = np.empty((6, 4), np.int64), np.empty((4, 4)), np.empty((4, 16))
    find_blocks(len(shown), ids, keys, middles, np.empty(len(ids), np.int32), ints, floats, shown, blocks)
    for even in (True, False):  # the blocks of the second pass take the mean of the first where they can
        light_blocks(even, shown, drawn, meshes, traits, lens, sun, open_, lights, blocks, slots[0])
    rows, places = np.empty((ROWS, work.shape[1])), np.empty(work.shape[1], np.int64)
    paint_image(shown, middles, drawn, meshes, traits, lens[1], lights, planes, blocks, work, rows, places, image)
    shade_mixed(
        ids, keys, labelled, middles, ints, floats, slots, drawn, meshes, traits, lens, sun, open_, depth, lights, blocks,
        shown, fine, image,
    )  # fmt: skip
    _name_pixels(shown, blocks, labelled, labels, fine)

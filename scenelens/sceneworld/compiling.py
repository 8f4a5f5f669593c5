"""Compiles the renderer's kernels in several processes at once, before the first picture needs them.

Numba compiles a kernel when it is first called, one after another. That takes half a minute, in which other cores have
nothing to do. Here each process compiles some of them and stores them in numba's cache, from which all processes then take
them. If the cache cannot be written, kernels are compiled when they are called, as ever.
"""

from __future__ import annotations

import numpy as np
from numba import b1, f4, f8, i2, i4, i8, typeof, u1, u4
from numba.types import Tuple

from scenelens.sceneworld.place.fits import HOST, ROOM, TAKEN, THING
from scenelens.sceneworld.place.tries import try_places
from scenelens.sceneworld.render import blocks, grade, mixed, nearness, painting, raster
from scenelens.sceneworld.workers import render_pool

__all__ = ["compile_kernels"]

_NUMBERS, _COUNTS, _INDICES, _FLAGS = f8[::1], i8[::1], i4[::1], b1[::1]
_TABLE, _PLANE, _WHERE, _NAMES, _ENDS = f8[:, ::1], f4[:, ::1], i4[:, ::1], i2[:, ::1], i8[:, ::1]
_PLANES, _LABELS = f4[:, :, ::1], i2[:, :, ::1]
_DRAWN = Tuple((_TABLE, _INDICES, _INDICES, _TABLE, _TABLE))
_MESHES = Tuple((_COUNTS, _TABLE, _TABLE, _TABLE, _TABLE, _COUNTS, _WHERE, _INDICES))
_LENS, _SUN = Tuple((_NUMBERS, f8, f8)), Tuple((_NUMBERS, _PLANE, _NUMBERS))
_LIGHT = _DRAWN, _MESHES, _TABLE, _LENS, _SUN, _PLANE
_SOLIDS = _TABLE, _COUNTS, _COUNTS, _WHERE, _FLAGS, _COUNTS, _TABLE
_RECORDS = tuple(typeof(np.empty(0, kind)) for kind in (ROOM, THING, HOST))
_DRAWS = Tuple((u4[::1], _COUNTS, _NUMBERS))
#: The types with which pictures call the slow kernels, slowest first. The other kernels take less than a second each.
_KERNELS = (
    (painting.paint_image, (_WHERE, _LABELS, _DRAWN, _MESHES, _TABLE, f8, _PLANES, _PLANES, _WHERE, _PLANE, _TABLE, _COUNTS,
                            _PLANES)),
    (mixed.shade_mixed, (_WHERE, _INDICES, _NAMES, _LABELS, _ENDS, _TABLE, _TABLE, *_LIGHT, _PLANE, _PLANES, _WHERE, _WHERE,
                         _NAMES, _PLANES)),
    (blocks.light_blocks, (b1, _WHERE, *_LIGHT, _PLANES, _WHERE, _NUMBERS)),
    (try_places, (i8, i8, *_RECORDS, _TABLE, typeof(np.empty(0, TAKEN)), i8, _DRAWS, _NUMBERS)),
    (grade.finish, (_PLANES, _NAMES, _PLANE, u1[::1], _NUMBERS, f8, f8, _PLANE, _LABELS, _WHERE, u1[:, :, ::1])),
    (nearness.openness, (_PLANE, f8, f8, f8, _PLANE, _PLANE, _PLANE, _PLANE, _WHERE)),
    (blocks.find_blocks, (i8, _WHERE, _INDICES, _LABELS, _INDICES, _ENDS, _TABLE, _WHERE, _WHERE)),
    (raster.setup_triangles, (*_SOLIDS, _NUMBERS, f8, f8, f8, _TABLE, _INDICES, _INDICES, _WHERE)),
    (raster.draw, (i8, _TABLE, _INDICES, _WHERE, _FLAGS, _PLANE, _WHERE, _ENDS, _NUMBERS)),
    (raster.draw_shadow, (*_SOLIDS, _PLANE, _ENDS, _NUMBERS)),
)  # fmt: skip


def compile_kernels(workers: int) -> None:
    """Compile the slow kernels, or find them in numba's cache.

    Parameters
    ----------
    workers : int
        Number of processes. With one, nothing is done: then nothing is gained.
    """
    if workers > 1:
        with render_pool(workers) as pool:
            list(pool.map(_compile, range(len(_KERNELS))))


def _compile(number: int) -> None:
    kernel, types = _KERNELS[number]
    kernel.compile(types)

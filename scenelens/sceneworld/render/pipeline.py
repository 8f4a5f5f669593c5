"""Render a world: image and label maps, 227 x 227, from one camera and one light; `render/__init__` explains the stages."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass

import numpy as np

from scenelens.sceneworld.materials import MATERIAL_NAMES, MATERIAL_TABLE
from scenelens.sceneworld.render import grade, nearness, raster, shading, surfaces
from scenelens.sceneworld.render.camera import Camera, look
from scenelens.sceneworld.render.lighting import Light
from scenelens.sceneworld.world import REGIONS, Placed, World, region_id

__all__ = ["SIZE", "Rendered", "render_world"]

SIZE = 227
_SHADOW = 400  # texels along a side of the shadow map
_SAMPLES = 2 * SIZE  # samples along a side of the picture
_memory = threading.local()  # working memory, see `_buffers`


@dataclass
class Rendered:
    """A picture and what is in it.

    Attributes
    ----------
    image : numpy.ndarray
        (227, 227, 3) uint8 RGB.
    object_ids : numpy.ndarray
        (227, 227) int16: index into `objects`; negative for background regions, see `region_id` (-1: sky).
    part_ids : numpy.ndarray
        (227, 227) int16: index into `parts`; -1: sky.
    material_ids : numpy.ndarray
        (227, 227) int16: index into `materials.MATERIAL_NAMES`; -1: sky.
    objects : list of Placed
        The objects of the world, visible or not.
    parts : list of tuple of str
        (object class or region, part).
    """

    image: np.ndarray
    object_ids: np.ndarray
    part_ids: np.ndarray
    material_ids: np.ndarray
    objects: list[Placed]
    parts: list[tuple[str, str]]

    def masks(self) -> dict[str, np.ndarray]:
        """Where each object class is visible.

        Returns
        -------
        dict of str to numpy.ndarray
            For each class that can be seen, in alphabetical order, bool (227, 227): the pixels of all its instances.
        """
        masks: dict[str, np.ndarray] = {}
        for placed in sorted(self.objects, key=lambda o: o.name):
            mask = self.object_ids == placed.id
            if mask.any():
                masks[placed.name] = masks[placed.name] | mask if placed.name in masks else mask
        return masks

    def region_masks(self) -> dict[str, np.ndarray]:
        """Where each background region is visible.

        Returns
        -------
        dict of str to numpy.ndarray
            For each region that can be seen, bool (227, 227).
        """
        seen = set(np.unique(self.object_ids).tolist())
        return {name: self.object_ids == region_id(name) for name in REGIONS if region_id(name) in seen}

    def material_masks(self) -> dict[str, np.ndarray]:
        """Where each material is visible.

        Returns
        -------
        dict of str to numpy.ndarray
            For each material that can be seen, bool (227, 227); the sky has none.
        """
        seen = np.flatnonzero(np.bincount(self.material_ids.ravel() + 1)[1:])
        return {MATERIAL_NAMES[i]: self.material_ids == i for i in seen}


def render_world(world: World, camera: Camera, light: Light, ink: float = 0.22, exposure: float = 1.0) -> Rendered:
    """Render a world.

    Parameters
    ----------
    world : World
        What is drawn.
    camera : Camera
        From where.
    light : Light
        In which light.
    ink : float, optional
        Darkness of the line where objects meet, 0..1 (default 0.22).
    exposure : float, optional
        Factor on all light (default 1).

    Returns
    -------
    Rendered
        Image and label maps; the same for the same world, camera and light.
    """
    table, library = world.table(), _library(world)
    traits = MATERIAL_TABLE[table[:, 13].astype(int)]
    lens = camera.view(), camera.focal(_SAMPLES), _SAMPLES / 2  # in samples, which all kernels count in
    offsets, placed = _place(table, library)
    depth, ids, shadow, reduced, fine, image, ends, level, *working = _buffers()
    edges, owner, face, keys, names = _find_visible(table, library, traits, offsets, placed, lens, (depth, ids, ends, level))
    sun = _shadow(world, table, library, offsets, placed, camera, light, (shadow, ends, level))
    cells = reduced.shape[1]
    nearness.openness(
        depth, *lens[1:], world.reach, *reduced, np.empty((9, cells), np.float32), np.empty((2, cells), np.int32)
    )  # fmt: skip
    labels, prims = np.empty((3, SIZE, SIZE), np.int16), np.empty((len(table), 22))
    surfaces.primitive_frames(table, library["extents"], traits, prims)
    shading.shade_image(
        (edges, owner, face, table, prims), _meshes(library), MATERIAL_TABLE, lens,
        (_environment(world, light, 1.0 / sun[11]), shadow, sun), (depth, ids, reduced[2]), (keys, names),
        grade.MIDDLES, (image, fine, *working), labels,
    )  # fmt: skip
    return Rendered(_finished(image, fine, light, exposure, ink), labels[0], labels[1], labels[2], world.objects, world.parts)


def _find_visible(table, library, traits, offsets, placed, lens, buffers) -> tuple[np.ndarray, ...]:
    """Fill the depth buffer; return weights, owner, face, surface number and names of the triangles.

    buffers: depth, triangle of each sample, and working space for the rows of a triangle.
    """
    depth, ids, ends, level = buffers
    view, focal, centre = lens
    most = library["count"][table[:, 12].astype(int)].sum() + 1  # one more: the last surface is the sky's
    edges, owner, face, box, keys, names = _triangle_arrays(most)
    n = raster.setup_triangles(
        table, library["start"], library["count"], library["faces"], library["closed"], offsets, placed, view, focal, centre, centre,
        edges, owner, face, box,
    )  # fmt: skip
    raster.name_triangles(n, owner, face, library["groups"], table, keys, names)
    raster.draw(n, edges, owner, box, traits[:, 7] > 0, depth, ids, ends, level)
    return edges, owner, face, keys[: n + 1], names[: n + 1]


def _finished(image: np.ndarray, fine: np.ndarray, light: Light, exposure: float, ink: float) -> np.ndarray:
    """The image, (227, 227, 3) uint8, from linear light and the object of each sample."""
    out = np.empty((SIZE, SIZE, 3), np.uint8)
    # A slight cast in the colour of the light, 6%: warm light makes the whole picture a little warmer.
    tint = np.array([0.94 + 0.06 * value / max(light.colour) for value in light.colour])
    grade.finish(
        image, fine, grade.PAPER, grade.SCREEN, tint, exposure, ink,
        np.empty((2, SIZE), np.float32), np.empty((5, 2, SIZE), np.int16), np.empty((3, SIZE), np.int32), out,
    )  # fmt: skip
    return out


def _buffers() -> tuple[np.ndarray, ...]:
    """Depth, triangle, shadow map, openness, object per sample, linear image, rows of a triangle, and those of shading.

    They are allocated once per thread and used for every picture: fresh memory has to be mapped page by page, which takes
    longer than filling it. Only the first three are cleared; all others are written before they are read.
    """
    if not hasattr(_memory, "buffers"):
        size, blocks, cells = _SAMPLES, SIZE // 2 + 1, _SAMPLES // 4 + 1
        shapes = (
            ((size, size), np.float32), ((size, size), np.int32), ((_SHADOW, _SHADOW), np.float32), ((3, cells, cells), np.float32),
            ((size, size), np.int16), ((3, SIZE, SIZE), np.float32), ((2, size), np.int64), ((size,), float),
            ((SIZE, SIZE), np.int32), ((blocks, blocks + 2, 8), np.float32), ((8, blocks, blocks + 2), np.float32),
            ((blocks, blocks + 2), np.int32), ((25, 2 * blocks), np.float32),
        )  # fmt: skip
        _memory.buffers = tuple(np.zeros(shape, kind) for shape, kind in shapes)
    raster.clear(*_memory.buffers[:3])
    return _memory.buffers


def _library(world: World) -> dict[str, np.ndarray]:
    """The meshes of this world joined into flat arrays."""
    meshes = world.meshes
    traits = np.frombuffer(b"".join([m.traits for m in meshes])).reshape(-1, 10)
    vertex_count, count, kinds = traits[:, [0, 1, 3]].T.astype(int)
    return {
        "vertices": _joined([m.vertices for m in meshes]),
        "normals": _joined([m.normals for m in meshes]),
        "faces": _joined([m.faces for m in meshes]),
        "groups": _joined([m.groups for m in meshes]),
        "vertex_count": vertex_count,
        "vertex_start": np.cumsum(vertex_count) - vertex_count,
        "count": count,
        "start": np.cumsum(count) - count,
        "closed": traits[:, 2] > 0,
        "kinds": kinds,
        "lows": traits[:, 4:7].copy(),
        "extents": traits[:, 7:].copy(),
    }


def _joined(arrays: list[np.ndarray]) -> np.ndarray:
    """As np.concatenate, in half the time; the arrays are contiguous, of one type and width."""
    return np.frombuffer(bytearray().join([array.data for array in arrays]), arrays[0].dtype).reshape(-1, *arrays[0].shape[1:])


def _meshes(library: dict[str, np.ndarray]) -> tuple[np.ndarray, ...]:
    """The arrays of `_library` that shading reads, in its order."""
    return (
        library["kinds"], library["lows"], 1 / library["extents"], library["vertices"], library["normals"], library["vertex_start"],
        library["faces"], library["groups"],
    )  # fmt: skip


def _place(table: np.ndarray, library: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Where each instance's vertices start (instances,), and the world positions of all vertices (vertices, 3)."""
    counts = library["vertex_count"][table[:, 12].astype(int)]
    offsets = np.cumsum(counts) - counts
    placed = np.empty((int(counts.sum()), 3))
    raster.place_vertices(table, library["vertex_start"], library["vertex_count"], library["vertices"], offsets, placed)
    return offsets, placed


def _triangle_arrays(n: int) -> tuple[np.ndarray, ...]:
    """Weights, owner, face, box, surface number and names of triangles, for at least n; allocated as `_buffers`.

    With a quarter to spare, so that a sequence of slowly growing worlds does not allocate each time.
    """
    if len(getattr(_memory, "triangles", ((),))[0]) < n:
        shapes = (((9,), float), ((), np.int32), ((), np.int32), ((4,), np.int32), ((), np.int32), ((3,), np.int16))
        _memory.triangles = tuple(np.empty((n + n // 4, *shape), kind) for shape, kind in shapes)
    return _memory.triangles


def _shadow(world, table, library, offsets, placed, camera: Camera, light: Light, shadow: tuple[np.ndarray, ...]) -> np.ndarray:
    """Fill the shadow map; return the light's frame (12 numbers, see raster.to_light).

    The map covers what the camera sees, and of that only what contains something that throws a shadow: the smaller the
    window, the finer the shadows.
    """
    axes = np.array(look((-light.direction).tolist()))
    corners = _seen_corners(camera, world.shadow_depth) @ axes.T
    low, high = corners.min(0)[:2].copy(), corners.max(0)[:2].copy()
    turned = np.empty_like(placed)
    raster.turn_vertices(placed, axes, turned)
    raster.fit_to_casters(table, library["vertex_count"], offsets, turned, low, high)
    side = max(0.5, float((high - low).max()))
    # A margin of 4 texels on every side, because shading reads a neighbourhood of each texel.
    sun = np.concatenate([axes.ravel(), (low + high - side) / 2, [(_SHADOW - 8) / side]])
    sun[9:11] -= 4 / sun[11]
    raster.to_texels(turned, sun)
    raster.draw_shadow(table, library["start"], library["count"], library["faces"], library["closed"], offsets, turned, *shadow)
    return sun


def _seen_corners(camera: Camera, depth: float) -> np.ndarray:
    """Corners of the pyramid that the camera sees up to a depth, (5, 3), cut to heights from -0.5 to 8 m."""
    half = camera.width_at(depth) / 2
    rays = np.array([(0, 0, 0), (-half, -half, depth), (-half, half, depth), (half, -half, depth), (half, half, depth)], float)
    corners = rays @ camera.axes() + np.array(camera.eye)
    corners[:, 1] = np.minimum(np.maximum(corners[:, 1], -0.5), 8.0)
    return corners


def _environment(world: World, light: Light, texel: float) -> np.ndarray:
    """The numbers of `shading.ENVIRONMENT`; `texel`: side of a texel of the shadow map in metres."""
    # The distance by which a shaded point is moved towards the light grows with the texels: a surface must not throw a
    # shadow on itself. The clouds' seed is the world's.
    values = (
        *light.direction, *light.colour, *light.sky, *light.ground, *light.horizon, world.fog, *light.zenith, light.clouds,
        0.0, 1.6 * texel + 0.006, world.reach, float(random.Random(world.seed).randrange(997)),
    )  # fmt: skip
    return np.array(values, np.float64)

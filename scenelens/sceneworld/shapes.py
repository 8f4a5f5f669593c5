"""Meshes of the primitives that objects are built of: few triangles, smooth normals, made once and cached.

Everything round is a lathe: a profile of (radius, height) points turned about the y axis.  A mesh is split into
smoothing groups (the side and the two caps of a cylinder).  Normals are averaged inside a group only, and the renderer
never mixes two groups into one pixel's shade.  Unit meshes stand on y = 0 and fill x, z in [-0.5, 0.5].
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

__all__ = ["Mesh", "blob", "box", "cushion", "lathe", "panel", "revolved", "sphere", "torus", "tube", "wedge"]

Points = tuple[tuple[float, ...], ...]
_CREASE = math.cos(math.radians(40))


@dataclass(frozen=True, eq=False)
class Mesh:
    """Triangles of one primitive, in its own frame (metres, or unit size to be scaled).

    Attributes
    ----------
    vertices : numpy.ndarray
        (V, 3) float64.
    normals : numpy.ndarray
        (V, 3) float64, unit length, outward.
    faces : numpy.ndarray
        (F, 3) int32, counter-clockwise about the outward normal.
    groups : numpy.ndarray
        (F,) int32, the smoothing group of each face, 0..63.
    closed : bool
        False: both sides are seen. True: the far side is never seen and need not be drawn.
    kind : int
        0: flat sides; 1: turned about y, so that patterns run round it; 2: a box, whose edges the shader rounds.
    """

    vertices: np.ndarray
    normals: np.ndarray
    faces: np.ndarray
    groups: np.ndarray
    closed: bool = True
    kind: int = 0

    @cached_property
    def low(self) -> np.ndarray:
        """Smallest corner of the bounding box, (3,)."""
        return self.vertices.min(0)

    @cached_property
    def extent(self) -> np.ndarray:
        """Sides of the bounding box, (3,), never zero."""
        return np.maximum(self.vertices.max(0) - self.vertices.min(0), 1e-6)

    @cached_property
    def traits(self) -> bytes:
        """Ten float64: numbers of vertices and faces, whether closed, kind (10 more if not closed), low, extent.

        As bytes, because the renderer joins those of all meshes of a picture, which is faster than joining arrays.
        """
        kind = self.kind + (0 if self.closed else 10)
        return np.array([len(self.vertices), len(self.faces), self.closed, kind, *self.low, *self.extent], float).tobytes()


def assemble(pieces: list[tuple[np.ndarray, np.ndarray]], closed: bool = True, kind: int = 0) -> Mesh:
    """Join pieces into one mesh; normals are averaged inside each piece.

    Parameters
    ----------
    pieces : list of tuple of numpy.ndarray
        (vertices, faces) of each piece, which is a smoothing group of its own.
    closed : bool, optional
        See `Mesh` (default True).
    kind : int, optional
        See `Mesh` (default 0).

    Returns
    -------
    Mesh
        The mesh.
    """
    vertices, normals, faces, groups, start = [], [], [], [], 0
    for group, (points, triangles) in enumerate(pieces):
        points = np.asarray(points, float)
        triangles = np.asarray(triangles, np.int32)
        cross = _crossed(points[triangles[:, 0]], points[triangles[:, 1]], points[triangles[:, 2]])
        # Triangles without area, as at the pole of a sphere, have no normal and show nothing.
        keep = (cross**2).sum(1) > 1e-24
        triangles, cross = triangles[keep], cross[keep]
        # The length of the cross product is twice the triangle's area: large triangles weigh more, as they should.
        corners, shares = triangles.T.ravel(), np.concatenate([cross] * 3)
        normal = np.stack([np.bincount(corners, shares[:, axis], len(points)) for axis in range(3)], 1).astype(float)
        normal /= np.maximum(np.sqrt((normal**2).sum(1, keepdims=True)), 1e-12)
        vertices.append(points)
        normals.append(normal)
        faces.append(triangles + start)
        groups.append(np.full(len(triangles), group % 64, np.int32))
        start += len(points)
    return Mesh(
        np.concatenate(vertices),
        np.concatenate(normals),
        np.concatenate(faces).astype(np.int32),
        np.concatenate(groups),
        closed,
        kind,
    )


def _crossed(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Cross products (b - a) x (c - a), (n, 3)."""
    p, q = (b - a).T, (c - a).T
    return np.stack([p[1] * q[2] - p[2] * q[1], p[2] * q[0] - p[0] * q[2], p[0] * q[1] - p[1] * q[0]], 1)


@lru_cache(maxsize=256)
def _grid_faces(rows: int, columns: int, wrap_rows: bool = False) -> np.ndarray:
    """Triangles of a (rows, columns) grid whose columns wrap around; outward when rows go up and columns turn."""
    i, j = np.mgrid[: rows if wrap_rows else rows - 1, :columns]
    k, below = (j + 1) % columns, ((i + 1) % rows) * columns
    a, b, c, d = i * columns + j, i * columns + k, below + k, below + j
    return np.stack([a, d, c, a, c, b], -1).reshape(-1, 3).astype(np.int32)


def _turn(profile: np.ndarray, segments: int) -> np.ndarray:
    """Points of a profile (P, 2) turned about y: (P * segments, 3)."""
    angle = np.arange(segments) * (2 * math.pi / segments)
    ring = np.stack([np.cos(angle), np.zeros(segments), np.sin(angle)], 1)
    points = profile[:, None, :1] * ring[None]
    points[..., 1] = profile[:, 1:]
    return points.reshape(-1, 3)


def _smooth_runs(profile: np.ndarray) -> list[np.ndarray]:
    """Cut a profile where it turns by more than 40 degrees."""
    step = np.diff(profile, axis=0)
    step /= np.maximum(np.linalg.norm(step, axis=1, keepdims=True), 1e-12)
    runs, start = [], 0
    for i in range(1, len(step)):
        if step[i] @ step[i - 1] < _CREASE:
            runs.append(profile[start : i + 1])
            start = i
    return [*runs, profile[start:]]


@lru_cache(maxsize=2048)
def lathe(profile: Points, segments: int = 14, closed: bool = True) -> Mesh:
    """Turn a profile about the y axis.

    Parameters
    ----------
    profile : tuple of tuple of float
        Points (radius, y), from bottom to top along the outside.
    segments : int, optional
        Number of segments round the axis (default 14).
    closed : bool, optional
        See `Mesh` (default True).

    Returns
    -------
    Mesh
        The mesh. Where the profile turns by more than 40 degrees it has an edge, elsewhere it is smooth.
    """
    runs = _smooth_runs(np.array(profile, float))
    pieces = [(_turn(run, segments), _grid_faces(len(run), segments)) for run in runs]
    return assemble(pieces, closed, kind=1)


@lru_cache(maxsize=512)
def revolved(r0: float, r1: float, segments: int = 14) -> Mesh:
    """A cylinder or truncated cone of unit height.

    Parameters
    ----------
    r0, r1 : float
        Radius at the bottom and at the top, 0..1.
    segments : int, optional
        Number of sides (default 14).

    Returns
    -------
    Mesh
        The mesh.
    """
    # A tip of radius 0 has no side normal.
    r0, r1 = max(r0, 1e-3), max(r1, 1e-3)
    return lathe(((0, 0), (r0, 0), (r1, 1), (0, 1)), segments)


@lru_cache(maxsize=64)
def sphere(segments: int = 14, part: float = 1.0) -> Mesh:
    """A sphere of radius 1 about the origin, or its upper part.

    Parameters
    ----------
    segments : int, optional
        Number of segments round the axis (default 14).
    part : float, optional
        Share of the angle from pole to pole (default 1); 0.5 is the upper half, closed below.

    Returns
    -------
    Mesh
        The mesh.
    """
    rings = max(3, int(segments * 0.5 * part + 1))
    angle = np.linspace(-math.pi / 2 + math.pi * (1 - part), math.pi / 2, rings + 1)
    profile = [(abs(math.cos(a)) if abs(a) < 1.5707 else 0.0, math.sin(a)) for a in angle]
    if part < 1:
        profile.insert(0, (0.0, profile[0][1]))
    return lathe(tuple(profile), segments)


@lru_cache(maxsize=64)
def capsule(ratio: float, segments: int = 12) -> Mesh:
    """A rod of unit height with round ends.

    Parameters
    ----------
    ratio : float
        Radius as a share of the height, at most 0.5.
    segments : int, optional
        Number of segments round the axis (default 12).

    Returns
    -------
    Mesh
        The mesh.
    """
    rise = np.linspace(0, math.pi / 2, 4)
    lower = [(ratio * math.sin(a), ratio - ratio * math.cos(a)) for a in rise]
    upper = [(r, 1 - y) for r, y in reversed(lower)]
    return lathe(tuple(lower + upper), segments)


@lru_cache(maxsize=64)
def cushion(power: float = 0.5, segments: int = 16) -> Mesh:
    """A pillow: a ball whose points are moved towards the box round it.

    Parameters
    ----------
    power : float, optional
        Exponent on the coordinates (default 0.5): 1 is a ball, 0.2 nearly a box.
    segments : int, optional
        Number of segments round the axis (default 16).

    Returns
    -------
    Mesh
        The mesh, of unit size on y = 0.
    """
    ball = sphere(segments)
    points = ball.vertices
    points = np.sign(points) * np.abs(points) ** power
    points = points * 0.5 / np.abs(points).max(0)
    points[:, 1] += 0.5
    return assemble([(points, ball.faces)])


@lru_cache(maxsize=64)
def blob(bumps: float = 0.2, variant: int = 0, segments: int = 14) -> Mesh:
    """A bumpy ball of radius about 1: foliage, a cloud, a rock.

    Parameters
    ----------
    bumps : float, optional
        Height of the bumps as a share of the radius (default 0.2).
    variant : int, optional
        Which arrangement of bumps (default 0); few variants, so that meshes can be cached.
    segments : int, optional
        Number of segments round the axis (default 14).

    Returns
    -------
    Mesh
        The mesh.
    """
    ball = sphere(segments)
    rng = np.random.default_rng(1000 + variant)
    directions = rng.normal(size=(14, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    near = np.clip(ball.vertices @ directions.T, 0, 1) ** 6
    swell = 1 + bumps * (near.max(1) - 0.55) * 1.6
    return assemble([(ball.vertices * swell[:, None], ball.faces)], kind=1)


@lru_cache(maxsize=128)
def torus(ratio: float, segments: int = 18, tube_segments: int = 8) -> Mesh:
    """A ring of radius 1 that lies flat about the origin.

    Parameters
    ----------
    ratio : float
        Radius of the cross-section as a share of the ring's radius.
    segments : int, optional
        Number of segments round the ring (default 18).
    tube_segments : int, optional
        Number of segments round the cross-section (default 8).

    Returns
    -------
    Mesh
        The mesh.
    """
    angle = np.arange(tube_segments) * (2 * math.pi / tube_segments)
    profile = np.stack([1 + ratio * np.cos(angle), ratio * np.sin(angle)], 1)
    return assemble([(_turn(profile, segments), _grid_faces(tube_segments, segments, wrap_rows=True))], kind=1)


@lru_cache(maxsize=1)
def box() -> Mesh:
    """A unit cube standing on y = 0."""
    pieces = []
    for axis in range(3):
        for side in (-1, 1):
            u, v = [i for i in range(3) if i != axis]
            corners = np.zeros((4, 3))
            corners[:, axis] = side * 0.5
            corners[:, u] = (-0.5, 0.5, 0.5, -0.5)
            corners[:, v] = (-0.5, -0.5, 0.5, 0.5)
            pieces.append(_facing(corners, np.eye(3)[axis] * side))
            corners[:, 1] += 0.5
    return assemble(pieces, kind=2)


def _facing(corners: np.ndarray, outward: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A flat convex face as a fan, wound so that its normal agrees with outward."""
    fan = np.array([(0, i, i + 1) for i in range(1, len(corners) - 1)], np.int32)
    normal = np.cross(corners[1] - corners[0], corners[2] - corners[0])
    return corners, fan if normal @ outward > 0 else fan[:, ::-1]


@lru_cache(maxsize=1)
def panel() -> Mesh:
    """A unit sheet in the plane z = 0 on y = 0, seen from both sides, facing -z."""
    corners = np.array([(-0.5, 0, 0), (0.5, 0, 0), (0.5, 1, 0), (-0.5, 1, 0)], float)
    return assemble([_facing(corners, np.array([0, 0, -1.0]))], closed=False)


@lru_cache(maxsize=16)
def wedge(ridge: float = 1.0, lean: float = 0.0) -> Mesh:
    """A roof of unit size, its ridge along x.

    Parameters
    ----------
    ridge : float, optional
        Length of the ridge, 0..1 (default 1: upright gables).
    lean : float, optional
        Where the ridge lies: 0 (default) over the middle, -1 over the front edge, 1 over the back edge.

    Returns
    -------
    Mesh
        The mesh.
    """
    r, z = ridge / 2, lean / 2
    p = np.array([(-0.5, 0, -0.5), (0.5, 0, -0.5), (0.5, 0, 0.5), (-0.5, 0, 0.5), (-r, 1, z), (r, 1, z)])
    centre = p.mean(0)
    sides = [(0, 1, 5, 4), (2, 3, 4, 5), (1, 2, 5), (3, 0, 4), (0, 1, 2, 3)]
    pieces = []
    for side in sides:
        corners = p[list(side)]
        normal = np.cross(corners[1] - corners[0], corners[2] - corners[0])
        outward = corners.mean(0) - centre
        pieces.append(_facing(corners, normal * np.sign(normal @ outward)))
    return assemble(pieces)


@lru_cache(maxsize=1024)
def tube(path: Points, radius: float, segments: int = 8, loop: bool = False) -> Mesh:
    """A tube along a path; its ends are closed.

    Parameters
    ----------
    path : tuple of tuple of float
        Points (x, y, z) in metres.
    radius : float
        Radius in metres.
    segments : int, optional
        Number of segments round the tube (default 8).
    loop : bool, optional
        Whether the last point is joined to the first (default False).

    Returns
    -------
    Mesh
        The mesh.
    """
    points = np.array(path, float)
    ahead = np.roll(points, -1, 0) - points if loop else np.gradient(points, axis=0)
    if loop:
        ahead = ahead + np.roll(ahead, 1, 0)
    ahead /= np.maximum(np.linalg.norm(ahead, axis=1, keepdims=True), 1e-9)
    # A direction that paths do not follow: nearly upright, but a little askew, because many paths are vertical.
    side = np.cross(ahead, (0.12, 0.99, 0.05))
    side /= np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-9)
    up = np.cross(side, ahead)
    angle = np.arange(segments) * (2 * math.pi / segments)
    ring = np.cos(angle)[None, :, None] * side[:, None] + np.sin(angle)[None, :, None] * up[:, None]
    grid = (points[:, None] + radius * ring).reshape(-1, 3)
    pieces = [(grid, _grid_faces(len(points), segments, wrap_rows=loop))]
    if not loop:
        for end, sign in ((0, -1.0), (-1, 1.0)):
            cap = points[end] + radius * ring[end]
            pieces.append(_facing(cap, ahead[end] * sign))
    return _outward(assemble(pieces))


def _outward(mesh: Mesh) -> Mesh:
    """Turn a closed mesh inside out if its signed volume is negative: the moving frame along a path may be left-handed."""
    a, b, c = (mesh.vertices[mesh.faces[mesh.groups == 0][:, i]] for i in range(3))
    centre = mesh.vertices.mean(0)
    if np.einsum("ij,ij->", a - centre, np.cross(b - centre, c - centre)) >= 0:
        return mesh
    side = mesh.groups == 0
    faces = mesh.faces.copy()
    faces[side] = faces[side][:, ::-1]
    normals = mesh.normals.copy()
    normals[np.unique(faces[side])] *= -1
    return Mesh(mesh.vertices, normals, faces, mesh.groups, mesh.closed, mesh.kind)

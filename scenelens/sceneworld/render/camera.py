"""A pin-hole camera in a world of metres: x right, y up, z away from the viewer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

__all__ = ["Camera", "look"]

Point = tuple[float, float, float]


def look(ahead: Point) -> tuple[Point, Point, Point]:
    """Unit vectors right, up, ahead of someone who looks along `ahead` with a level head."""
    x, y, z = ahead
    k = 1.0 / math.sqrt(x * x + y * y + z * z)
    x, y, z = x * k, y * k, z * k
    k = 1.0 / max(1e-9, math.hypot(x, z))
    rx, rz = z * k, -x * k
    return (rx, 0.0, rz), (y * rz, z * rx - x * rz, -y * rx), (x, y, z)


@dataclass(frozen=True)
class Camera:
    """Where the eye is, what it looks at, and how wide it sees.

    Parameters
    ----------
    eye, target : points (x, y, z) in metres.
    fov : angle of view in degrees, the same in both directions (pictures are square).

    Examples
    --------
    >>> camera = Camera(eye=(0, 1, -5), target=(0, 1, 0))
    >>> [round(v, 1) for v in camera.project((0, 1, 0))]
    [113.5, 113.5, 5.0]
    """

    eye: Point
    target: Point
    fov: float = 50.0

    @cached_property
    def _axes(self) -> tuple[Point, Point, Point]:
        return look(tuple(b - a for a, b in zip(self.eye, self.target, strict=True)))  # type: ignore[arg-type]

    @cached_property
    def _spread(self) -> float:
        return math.tan(math.radians(self.fov) / 2)

    def axes(self) -> np.ndarray:
        """Rows right, up, ahead of the camera, (3, 3)."""
        return np.array(self._axes)

    def view(self) -> np.ndarray:
        """The 12 numbers kernels use: the three axes, then the eye."""
        return np.array([*self._axes[0], *self._axes[1], *self._axes[2], *self.eye], float)

    def focal(self, size: int) -> float:
        """Focal length in pixels of a picture `size` pixels wide."""
        return size / 2 / math.tan(math.radians(self.fov) / 2)

    def project(self, point: Point, size: int = 227) -> tuple[float, float, float]:
        """Column and row (pixels; centres at .5) where a point appears, and its depth in metres (<= 0: behind)."""
        x, y, z = (p - e for p, e in zip(point, self.eye, strict=True))
        right, up, ahead = (a * x + b * y + c * z for a, b, c in self._axes)
        scale = self.focal(size) / ahead if ahead else math.inf
        return size / 2 + right * scale, size / 2 - up * scale, ahead

    def ground_point(self, column: float, row: float, size: int = 227, height: float = 0.0) -> Point | None:
        """The point on the horizontal plane y = height seen at a pixel, or None above the horizon."""
        focal = self.focal(size)
        ray = self.axes().T @ ((column - size / 2) / focal, (size / 2 - row) / focal, 1.0)
        if ray[1] * (height - self.eye[1]) <= 0:
            return None
        x, y, z = np.asarray(self.eye) + ray * ((height - self.eye[1]) / ray[1])
        return float(x), float(y), float(z)

    def width_at(self, depth: float) -> float:
        """Metres seen from side to side at a depth in metres."""
        return 2 * depth * self._spread

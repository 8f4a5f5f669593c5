"""A pin-hole camera in a world of metres: x right, y up, z away from the viewer."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

__all__ = ["Camera"]

Point = tuple[float, float, float]


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

    def axes(self) -> np.ndarray:
        """Rows right, up, ahead of the camera, (3, 3)."""
        ahead = np.subtract(self.target, self.eye).astype(float)
        ahead /= np.linalg.norm(ahead)
        right = np.cross((0.0, 1.0, 0.0), ahead)
        right /= np.linalg.norm(right)
        return np.stack([right, np.cross(ahead, right), ahead])

    def view(self) -> np.ndarray:
        """The 12 numbers kernels use: the three axes, then the eye."""
        return np.concatenate([self.axes().ravel(), self.eye])

    def focal(self, size: int) -> float:
        """Focal length in pixels of a picture `size` pixels wide."""
        return size / 2 / math.tan(math.radians(self.fov) / 2)

    def project(self, point: Point, size: int = 227) -> tuple[float, float, float]:
        """Column and row (pixels; centres at .5) where a point appears, and its depth in metres (<= 0: behind)."""
        right, up, ahead = self.axes() @ (np.asarray(point, float) - self.eye)
        scale = self.focal(size) / ahead if ahead else math.inf
        return size / 2 + right * scale, size / 2 - up * scale, float(ahead)

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
        return 2 * depth * math.tan(math.radians(self.fov) / 2)

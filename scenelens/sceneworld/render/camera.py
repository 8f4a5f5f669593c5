"""A pinhole camera in a world of metres: x right, y up, z away from the viewer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

__all__ = ["Camera", "look"]

Point = tuple[float, float, float]


def look(ahead: Point) -> tuple[Point, Point, Point]:
    """Axes of a level view.

    Parameters
    ----------
    ahead : tuple of float
        Direction of the view, of any length.

    Returns
    -------
    tuple of tuple of float
        Unit vectors right, up and ahead; right is level.
    """
    x, y, z = ahead
    k = 1.0 / math.sqrt(x * x + y * y + z * z)
    x, y, z = x * k, y * k, z * k
    k = 1.0 / max(1e-9, math.hypot(x, z))
    rx, rz = z * k, -x * k
    return (rx, 0.0, rz), (y * rz, z * rx - x * rz, -y * rx), (x, y, z)


@dataclass(frozen=True)
class Camera:
    """Where the eye is, what it looks at, and how wide it sees.

    Attributes
    ----------
    eye : tuple of float
        Its place (x, y, z) in metres.
    target : tuple of float
        A point in the middle of the view, metres.
    fov : float
        Angle of view in degrees, the same in both directions: pictures are square (default 50).

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
        """The camera's axes, (3, 3): rows right, up, ahead."""
        return np.array(self._axes)

    def view(self) -> np.ndarray:
        """The view as kernels take it, (12,): the three axes, then the eye."""
        return np.array([*self._axes[0], *self._axes[1], *self._axes[2], *self.eye], float)

    def focal(self, size: int) -> float:
        """Focal length in pixels.

        Parameters
        ----------
        size : int
            Width of the picture in pixels.

        Returns
        -------
        float
            Focal length.
        """
        return size / 2 / math.tan(math.radians(self.fov) / 2)

    def project(self, point: Point, size: int = 227) -> tuple[float, float, float]:
        """Where a point appears in the picture.

        Parameters
        ----------
        point : tuple of float
            The point in metres.
        size : int, optional
            Width of the picture in pixels (default 227).

        Returns
        -------
        tuple of float
            Column and row in pixels (the first pixel's middle is 0.5), and depth in metres (not positive: behind).
        """
        x, y, z = (p - e for p, e in zip(point, self.eye, strict=True))
        right, up, ahead = (a * x + b * y + c * z for a, b, c in self._axes)
        scale = self.focal(size) / ahead if ahead else math.inf
        return size / 2 + right * scale, size / 2 - up * scale, ahead

    def ground_point(self, column: float, row: float, size: int = 227, height: float = 0.0) -> Point | None:
        """The point of a horizontal plane that is seen at a pixel.

        Parameters
        ----------
        column, row : float
            The pixel.
        size : int, optional
            Width of the picture in pixels (default 227).
        height : float, optional
            Height y of the plane in metres (default 0).

        Returns
        -------
        tuple of float or None
            The point; None if the ray does not meet the plane.
        """
        focal = self.focal(size)
        ray = self.axes().T @ ((column - size / 2) / focal, (size / 2 - row) / focal, 1.0)
        if ray[1] * (height - self.eye[1]) <= 0:
            return None
        x, y, z = np.asarray(self.eye) + ray * ((height - self.eye[1]) / ray[1])
        return float(x), float(y), float(z)

    def width_at(self, depth: float) -> float:
        """Width that is seen at a depth.

        Parameters
        ----------
        depth : float
            Depth in metres.

        Returns
        -------
        float
            Metres from side to side.
        """
        return 2 * depth * self._spread

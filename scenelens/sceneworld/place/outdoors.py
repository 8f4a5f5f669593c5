"""Where things go out of doors: at the distance where they are as large as is good to look at.

Each kernel draws a place for one thing: x, y, z, ry, no wall, no host.
"""

from __future__ import annotations

from scenelens.sceneworld.place.draws import exact, gauss, share, uniform
from scenelens.sceneworld.place.fits import NOWHERE

__all__ = ["in_sky", "stand_apart"]


@exact
def ashore(room, z, depth, nearest):
    """A distance outside the water: the near bank if it is nearer and far enough from the viewer, or the far one."""
    if room.water == 0.0 or not room.near_bank - depth / 2 < z < room.far_bank + depth / 2:
        return z
    near, far = room.near_bank - depth / 2 - 0.3, room.far_bank + depth / 2 + 0.5
    return near if near >= nearest and near > 0.7 * z else far + 0.3 * (z - room.near_bank)


@exact
def on_water(room, z, depth):
    """A distance on the water where there is some; boats are drawn up on land elsewhere."""
    return min(max(z, room.near_bank + depth / 2 + 0.3), room.far_bank - depth / 2) if room.water != 0.0 else z


@exact
def stand_apart(room, thing, draws, afloat, later):
    """Where the thing takes such a share of the picture; the foreground fills up, so later tries (0..1) go farther."""
    away = max(thing.height, 0.75 * thing.width) * room.focal / (uniform(draws, thing.low, thing.high) * 227)
    away = max(thing.nearest, away) * uniform(draws, 1.0, 1.2 + later)
    z = min(on_water(room, away, thing.depth) if afloat else ashore(room, away, thing.depth, thing.nearest), 58.0)
    x = uniform(draws, -0.5, 0.5) * (2 * z * room.spread) * 0.92
    ry = gauss(draws, thing.turn)
    if thing.extra != 0.0 and share(draws) < 0.5:  # a vehicle may go either way
        ry += 180.0
    return x, 0.0, z, ry, NOWHERE, -1


@exact
def in_sky(room, thing, draws):
    """In the air, above the horizon."""
    z = max(10.0, thing.full_height * room.focal / (uniform(draws, 0.12, 0.3) * 227))
    x = uniform(draws, -0.45, 0.45) * (2 * z * room.spread)
    y = room.ey + uniform(draws, 0.1, 0.32) * (2 * z * room.spread)
    return x, y, z, gauss(draws, 30.0), NOWHERE, -1

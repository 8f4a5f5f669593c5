"""Places outdoors: at a distance where the thing has a good size in the picture.

Each kernel draws a place for one thing: x, y, z, ry, no wall, no host.
"""

from __future__ import annotations

from scenelens.sceneworld.place.draws import exact, gauss, share, uniform
from scenelens.sceneworld.place.fits import NOWHERE

__all__ = ["in_sky", "stand_apart"]


@exact
def _ashore(room, z, depth, nearest):
    """Move a distance out of the water: to the near bank if it is not too near to the viewer, else to the far bank."""
    if room.water == 0.0 or not room.near_bank - depth / 2 < z < room.far_bank + depth / 2:
        return z
    # On the far bank a part of the distance beyond the water's edge is added, so that things do not stand in one line.
    near, far = room.near_bank - depth / 2 - 0.3, room.far_bank + depth / 2 + 0.5
    return near if near >= nearest and near > 0.7 * z else far + 0.3 * (z - room.near_bank)


@exact
def _on_water(room, z, depth):
    """Move a distance onto the water; without water it stays, and boats lie on land."""
    return min(max(z, room.near_bank + depth / 2 + 0.3), room.far_bank - depth / 2) if room.water != 0.0 else z


@exact
def stand_apart(room, thing, draws, afloat, later):
    """On the ground or the water, where the thing takes a random share of the picture's height.

    The share decides the distance, not the other way round: so a dog and a church can both be recognised. The foreground
    fills up, so later tries (`later` from 0 up) go farther away.
    """
    away = max(thing.height, 0.75 * thing.width) * room.focal / (uniform(draws, thing.low, thing.high) * 227)
    away = max(thing.nearest, away) * uniform(draws, 1.0, 1.2 + later)
    z = min(_on_water(room, away, thing.depth) if afloat else _ashore(room, away, thing.depth, thing.nearest), 58.0)
    # Almost the whole width that is seen there (0.92). Nothing is placed beyond 58 m: the horizon's hills begin at 78 m.
    x = uniform(draws, -0.5, 0.5) * (2 * z * room.spread) * 0.92
    ry = gauss(draws, thing.turn)
    if thing.extra != 0.0 and share(draws) < 0.5:  # vehicles drive either way
        ry += 180.0
    return x, 0.0, z, ry, NOWHERE, -1


@exact
def in_sky(room, thing, draws):
    """In the air, above the horizon."""
    z = max(10.0, thing.full_height * room.focal / (uniform(draws, 0.12, 0.3) * 227))
    x = uniform(draws, -0.45, 0.45) * (2 * z * room.spread)
    y = room.ey + uniform(draws, 0.1, 0.32) * (2 * z * room.spread)
    return x, y, z, gauss(draws, 30.0), NOWHERE, -1

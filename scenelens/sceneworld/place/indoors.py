"""Places in a room: against walls and on them, on the floor, on tables, under the ceiling.

Each kernel draws a place for one thing: x, y, z, ry, the wall it is at, and the number of its host (-1: none).
"""

from __future__ import annotations

import math

from scenelens.sceneworld.place.draws import below, exact, gauss, uniform
from scenelens.sceneworld.place.fits import BACK, CEILING, LEFT, NOWHERE, RIGHT

__all__ = ["against_wall", "next_to_table", "on_ceiling", "on_floor", "on_top", "on_wall"]


@exact
def _wall_place(room, draws, width, off):
    """Draw a wall, and x, z, ry of a thing whose middle lies `off` metres in front of it."""
    wall = below(draws, 4)  # the back wall is twice as likely: it is seen from the front
    wall = BACK if wall < 2 else LEFT if wall == 2 else RIGHT
    side = -1.0 if wall == LEFT else 1.0
    first, last = (room.left if wall == LEFT else room.right) + 0.2 * width, room.depth - width / 2 - 0.05
    # The visible part of a side wall can be too short for the thing; then the back wall takes it.
    if wall == BACK or first > last:
        return BACK, uniform(draws, -1.0, 1.0) * max(0.0, room.width - width - 0.06) / 2, room.depth - off, 0.0
    return wall, side * (room.width / 2 - off), uniform(draws, first, last), 90.0 * side


@exact
def against_wall(room, thing, draws):
    """On the floor, its back to a wall."""
    wall, x, z, ry = _wall_place(room, draws, thing.width, thing.depth / 2 + 0.03)
    return x, 0.0, z, ry, wall, -1


@exact
def on_wall(room, thing, draws):
    """On a wall, its middle at about eye height, below the ceiling in any case."""
    wall, x, z, ry = _wall_place(room, draws, thing.width, 0.01)
    low = min(uniform(draws, 1.5, 1.85) - thing.height / 2, room.height - thing.height - 0.12)
    return x, low, z, ry, wall, -1


@exact
def on_floor(room, thing, draws):
    """On the floor, anywhere in the room."""
    bulky = min(thing.full_width, thing.full_height, thing.full_depth) > 1.2  # a piano, drums
    # Bulky things stand in the back half and to one side, so that they do not hide everything else.
    z = uniform(draws, 0.5 * room.depth if bulky else 0.7, room.depth - 0.1 - thing.scale * thing.full_depth / 2)
    seen = 2 * max(0.5, z - room.ez) * room.spread / 2
    half = min(room.width / 2, 0.92 * seen) - 0.3 * thing.full_width
    if bulky:
        side = -half if below(draws, 2) == 0 else half
        x = side * uniform(draws, 0.4, 1.0)
    else:
        x = uniform(draws, -half, half)
    return x, 0.0, z, gauss(draws, thing.turn), NOWHERE, -1


@exact
def _turned(x, z, ry):
    """Where a point of an object's own ground lies after the object is turned by ry degrees."""
    c, s = math.cos(math.radians(ry)), math.sin(math.radians(ry))
    return x * c + z * s, z * c - x * s


@exact
def next_to_table(thing, hosts, draws):
    """On the floor next to a table, facing it; at a desk or a piano in front of it."""
    host = hosts[below(draws, hosts.size)]
    side = 0.0 if host.front != 0.0 else 90.0 * below(draws, 4)
    a = math.radians(side + gauss(draws, 10.0))
    # Distance from the middle of the table: half of its extent in that direction, and 36 cm.
    reach = 0.36 + (host.width * abs(math.sin(a)) + host.depth * abs(math.cos(a))) / 2 * host.scale
    x, z = _turned(reach * math.sin(a), -reach * math.cos(a), host.ry)
    facing = math.degrees(math.atan2(x, z)) + gauss(draws, 8.0)
    return host.x + x, 0.0, host.z + z, facing, NOWHERE, -1


@exact
def on_top(thing, hosts, used, draws):
    """On a table, a shelf or a cupboard; host -2: another thing is in the way there. used (n, 4): x, y, z, radius."""
    top = hosts[below(draws, hosts.size)]
    along = uniform(draws, -0.5, 0.5) * max(0.0, top.width - thing.width)
    spare = top.depth - thing.depth
    across = uniform(draws, -0.5, 0.5) * spare if thing.depth < top.depth else spare / 2
    x, z = _turned(along, across, top.ry)
    # 8 mm above the surface: two surfaces in one plane would compete for the same pixels.
    x, y, z = top.x + x, top.y + 0.008, top.z + z
    for i in range(used.shape[0]):
        if abs(y - used[i, 1]) < 0.3 and math.hypot(x - used[i, 0], z - used[i, 2]) < thing.extra + used[i, 3]:
            return x, y, z, 0.0, NOWHERE, -2
    return x, y, z, top.ry + gauss(draws, thing.turn), NOWHERE, int(top.number)


@exact
def on_ceiling(room, draws):
    """Under the ceiling."""
    x = uniform(draws, -0.35, 0.35) * room.width
    return x, room.height, uniform(draws, 1.8, room.depth - 0.8), 0.0, CEILING, -1

"""Whether a thing fits in a place: kernels, for hundreds of places are tried for a picture.

The plain arithmetic of `spots`, compiled; what a place is checked against lies in arrays of records.
"""

from __future__ import annotations

import math

import numpy as np

from scenelens.sceneworld.place import spots
from scenelens.sceneworld.place.draws import exact

__all__ = ["BACK", "CEILING", "HOST", "LEFT", "NOWHERE", "RIGHT", "ROOM", "TAKEN", "THING", "fits"]

NOWHERE, BACK, LEFT, RIGHT, CEILING = range(5)  # walls things hang on or stand at


def record(names: str) -> np.dtype:
    """A record of numbers with these names."""
    return np.dtype([(name, float) for name in names.split()])


# The stage. left, right: z from which on the walls are seen; water: whether there is some, and from where to where; tallest:
# pixels that what stands may take (at a wall); then the camera, see `Stage.view`, and half of what is seen at a distance of 1.
ROOM = record("""width depth height indoor left right water near_bank far_bank tallest tallest_wall
rx rz ux uy uz ax ay az ex ey ez focal spread""")
# What is asked of a place, see `layout`: size as it is tried and the usual one; how strict the round is; what is known of the
# thing. extra: radius that a thing on a top needs; of others, whether they may be turned round.
THING = record("""width height depth full_width full_height full_depth scale gap hidden frame stands hangs flat share solid turn
low high nearest extra""")
# What a thing may stand beside or on: number of its spot; middle, turn and size; front: whether one sits at its front only.
HOST = record("number x y z ry width depth scale front")
# A `spots.Spot`, flat. more: what a thing on trial would hide of it.
TAKEN = record("""left top right bottom ahead stands x z w d c s wall start low stop high flat solid hidden allowed more""")
footprint, overlap, covered, near = (exact(one) for one in (spots.footprint, spots.overlap, spots.covered, spots.near))


@exact
def foot_of(o):
    """The ground that something placed stands on."""
    return o.x, o.z, o.w, o.d, o.c, o.s


@exact
def box_of(o):
    """The box in the picture of something placed."""
    return o.left, o.top, o.right, o.bottom


@exact
def stretch_of(o):
    """The stretch of its wall that something hangs on."""
    return o.start, o.low, o.stop, o.high


@exact
def inside(room, foot, gap):
    """Whether a footprint lies in the room."""
    x, z, w, d, c, s = foot
    wide, deep = w * abs(c) + d * abs(s), w * abs(s) + d * abs(c)
    return abs(x) + wide + gap <= room.width / 2 and z + deep + gap <= room.depth


@exact
def free(taken, n, foot, flat, gap):
    """Whether nothing stands where a thing would stand; flat things and others do not see each other."""
    for i in range(n):
        o = taken[i]
        if o.stands != 0.0 and o.flat == flat and overlap(foot, foot_of(o), gap):
            return False
    return True


@exact
def set_box(room, foot, y, high, spot):
    """Fill the spot's box in the picture and its distance, as `spots.screen_box`; False for what is beside or behind."""
    x, z, w, d, c, s = foot
    dx, dy, dz = x - room.ex, y - room.ey, z - room.ez
    right, up = room.rx * dx + room.rz * dz, room.ux * dx + room.uy * dy + room.uz * dz
    ahead = room.ax * dx + room.ay * dy + room.az * dz
    wr, wu, wa = w * (room.rx * c - room.rz * s), w * (room.ux * c - room.uz * s), w * (room.ax * c - room.az * s)
    dr, du, da = d * (room.rx * s + room.rz * c), d * (room.ux * s + room.uz * c), d * (room.ax * s + room.az * c)
    left, low, wide, tall = math.inf, math.inf, -math.inf, -math.inf
    for k in range(4):
        p, q = 1.0 - 2.0 * (k >> 1), 1.0 - 2.0 * (k & 1)
        r, u, a = right + p * wr + q * dr, up + p * wu + q * du, ahead + p * wa + q * da
        top = a + room.ay * high
        if a < 0.4 or top < 0.4:
            return False
        left, wide = min(left, r / a, r / top), max(wide, r / a, r / top)
        low, tall = min(low, u / a, (u + room.uy * high) / top), max(tall, u / a, (u + room.uy * high) / top)
    spot.left, spot.top = 113.5 + room.focal * left, 113.5 - room.focal * tall
    spot.right, spot.bottom, spot.ahead = 113.5 + room.focal * wide, 113.5 - room.focal * low, ahead
    return True


@exact
def wall_free(taken, n, gap):
    """Whether nothing hangs where spot n would hang."""
    a = taken[n]
    for i in range(n):
        o = taken[i]
        if o.stands == 0.0 and o.wall == a.wall and near(stretch_of(a), stretch_of(o), gap):
            return False
    return True


@exact
def seen(taken, n, allowed, host):
    """Whether enough can be seen of spot n and of all it would stand before; if so, what it hides is noted.

    host : number of what it stands on, which does not hide it.
    """
    spot = taken[n]
    for i in range(n):
        o = taken[i]
        o.more = 0.0
        if i == host:
            continue
        if o.ahead < spot.ahead:
            spot.hidden += o.solid * covered(box_of(spot), box_of(o))
            if spot.hidden > spot.allowed:
                return False
        else:
            o.more = spot.solid * covered(box_of(o), box_of(spot))
            if o.more != 0.0 and o.hidden + o.more > max(o.allowed, allowed):
                return False
    for i in range(n):
        taken[i].hidden += taken[i].more
    return True


@exact
def stand(room, thing, taken, n, foot, wall):
    """Whether a thing may stand on a footprint, which then is noted as spot n's."""
    spot = taken[n]
    if room.indoor != 0.0 and not inside(room, foot, 0.03 if wall == NOWHERE else 0.0):
        return False
    spot.x, spot.z, spot.w, spot.d, spot.c, spot.s = foot
    spot.w *= thing.share
    spot.d *= thing.share
    return free(taken, n, foot_of(spot), thing.flat, thing.gap)


@exact
def fits(room, thing, taken, n, at, wall, host):
    """Whether the thing fits at a place (x, y, z, ry) at a wall or on a host (its number, or -1); then it is spot n.

    Cheap checks come first.
    """
    x, y, z, ry = at
    spot = taken[n]
    spot.stands, spot.wall, spot.flat, spot.solid, spot.hidden = thing.stands, wall, thing.flat, thing.solid, 0.0
    spot.start = spot.low = spot.stop = spot.high = 0.0
    foot = footprint(x, z, thing.width, thing.depth, ry)
    if thing.stands != 0.0 and not stand(room, thing, taken, n, foot, wall):
        return False
    if not set_box(room, foot, y - thing.height if thing.hangs != 0.0 else y, thing.height, spot):
        return False
    if covered(box_of(spot), spots.FRAME) < thing.frame:
        return False
    if thing.stands != 0.0 and spot.bottom - spot.top > (room.tallest if wall == NOWHERE else room.tallest_wall):
        return False
    spot.allowed = 0.85 if thing.flat != 0.0 else 0.75 if host >= 0 else thing.hidden
    if wall != NOWHERE and thing.stands == 0.0:
        along = x if wall == BACK else z
        spot.start, spot.stop, spot.low, spot.high = along - thing.width / 2, along + thing.width / 2, y, y + thing.height
        if not wall_free(taken, n, 0.05):
            return False
    return seen(taken, n, thing.hidden, host)

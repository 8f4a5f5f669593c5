"""Whether a thing fits in a place: compiled, because hundreds of places are tried for a picture.

The rectangles of `spots`, compiled, and the conditions for a place.  Stage, thing, hosts and taken places are records of
plain numbers: a kernel reads the fields of a record at full speed, but cannot read Python objects.
"""

from __future__ import annotations

import math

import numpy as np

from scenelens.sceneworld.place import spots
from scenelens.sceneworld.place.draws import exact

__all__ = ["BACK", "CEILING", "HOST", "LEFT", "NOWHERE", "RIGHT", "ROOM", "TAKEN", "THING", "fits"]

NOWHERE, BACK, LEFT, RIGHT, CEILING = range(5)  # walls things hang on or stand at


def _record(names: str) -> np.dtype:
    """The type of a record of float64 numbers. Flags are 0.0 or 1.0, so that a record is one row of numbers of one kind."""
    return np.dtype([(name, float) for name in names.split()])


# The stage. left, right: z from which on the side walls are seen. water: whether there is water, and its nearest and
# farthest z. tallest, tallest_wall: greatest height in pixels of what stands (at a wall). Then the camera, see `Stage.view`.
# spread: half of the width that is seen at a distance of 1 m.
ROOM = _record("""width depth height indoor left right water near_bank far_bank tallest tallest_wall
rx rz ux uy uz ax ay az ex ey ez focal spread""")
# A thing and the conditions for its place, see `layout`: its size in this round and its usual size; how strict the round is
# (gap, hidden, frame); then properties of the thing. extra: the radius that a thing on a top needs; for other things,
# whether they may face away.
THING = _record("""width height depth full_width full_height full_depth scale gap hidden frame stands hangs flat share solid turn
low high nearest extra""")
# What a thing may stand next to or on. number: its place in TAKEN; middle, turn and size. front: whether one sits at its
# front only.
HOST = _record("number x y z ry width depth scale front")
# A taken place. left to bottom: its box in the picture; ahead: its distance. stands: whether it takes ground; x to s: its
# footprint. wall and start to high: the wall that it hangs on, and its rectangle there. flat: others may stand on it.
# solid: share of its box that it fills. hidden: share that others hide; allowed: greatest such share. more: the share that
# a thing on trial would hide in addition; it counts only if the thing stays.
TAKEN = _record("""left top right bottom ahead stands x z w d c s wall start low stop high flat solid hidden allowed more""")
_footprint, _overlap, _covered, _near = (exact(one) for one in (spots.footprint, spots.overlap, spots.covered, spots.near))


@exact
def _foot_of(o):
    """The footprint of a taken place."""
    return o.x, o.z, o.w, o.d, o.c, o.s


@exact
def _box_of(o):
    """The box in the picture of a taken place."""
    return o.left, o.top, o.right, o.bottom


@exact
def _stretch_of(o):
    """The rectangle of a taken place on its wall."""
    return o.start, o.low, o.stop, o.high


@exact
def _inside(room, foot, gap):
    """Whether a footprint lies in the room. There is no front wall: the camera stands there."""
    x, z, w, d, c, s = foot
    wide, deep = w * abs(c) + d * abs(s), w * abs(s) + d * abs(c)
    return abs(x) + wide + gap <= room.width / 2 and z + deep + gap <= room.depth


@exact
def _free(taken, n, foot, flat, gap):
    """Whether no other thing stands on a footprint. A rug does not compete with a table, only with another rug."""
    for i in range(n):
        o = taken[i]
        if o.stands != 0.0 and o.flat == flat and _overlap(foot, _foot_of(o), gap):
            return False
    return True


@exact
def set_box(room, foot, y, high, spot):
    """Fill in a place's box in the picture and its distance; False for what is next to or behind the camera.

    The box surrounds the eight corners of a block `high` metres high over the footprint.
    """
    x, z, w, d, c, s = foot
    dx, dy, dz = x - room.ex, y - room.ey, z - room.ez
    right, up = room.rx * dx + room.rz * dz, room.ux * dx + room.uy * dy + room.uz * dz
    ahead = room.ax * dx + room.ay * dy + room.az * dz
    # The half sides of the block, (w c, -w s) and (d s, d c) on the ground, in camera axes: each corner then is the middle
    # plus or minus them, without turning every corner by itself.
    wr, wu, wa = w * (room.rx * c - room.rz * s), w * (room.ux * c - room.uz * s), w * (room.ax * c - room.az * s)
    dr, du, da = d * (room.rx * s + room.rz * c), d * (room.ux * s + room.uz * c), d * (room.ax * s + room.az * c)
    left, low, wide, tall = math.inf, math.inf, -math.inf, -math.inf
    for k in range(4):
        p, q = 1.0 - 2.0 * (k >> 1), 1.0 - 2.0 * (k & 1)
        r, u, a = right + p * wr + q * dr, up + p * wu + q * du, ahead + p * wa + q * da
        top = a + room.ay * high
        if a < 0.4 or top < 0.4:  # a corner less than 40 cm ahead: its projection would be huge or mirrored
            return False
        left, wide = min(left, r / a, r / top), max(wide, r / a, r / top)
        low, tall = min(low, u / a, (u + room.uy * high) / top), max(tall, u / a, (u + room.uy * high) / top)
    spot.left, spot.top = 113.5 + room.focal * left, 113.5 - room.focal * tall
    spot.right, spot.bottom, spot.ahead = 113.5 + room.focal * wide, 113.5 - room.focal * low, ahead
    return True


@exact
def _wall_free(taken, n, gap):
    """Whether nothing else hangs where place n would hang."""
    a = taken[n]
    for i in range(n):
        o = taken[i]
        if o.stands == 0.0 and o.wall == a.wall and _near(_stretch_of(a), _stretch_of(o), gap):
            return False
    return True


@exact
def _seen(taken, n, allowed, host):
    """Whether enough of place n can be seen, and of everything behind it; if so, what it hides is noted.

    Nearer things hide it by the share of its box that they cover, times how solid they are; shares add up. `host`: number
    of what it stands on, which neither hides it nor is hidden by it.
    """
    spot = taken[n]
    for i in range(n):
        o = taken[i]
        o.more = 0.0
        if i == host:
            continue
        if o.ahead < spot.ahead:
            spot.hidden += o.solid * _covered(_box_of(spot), _box_of(o))
            if spot.hidden > spot.allowed:
                return False
        else:
            o.more = spot.solid * _covered(_box_of(o), _box_of(spot))
            # `allowed` of this round counts too: in a stricter round the other thing may have been placed with a smaller share.
            if o.more != 0.0 and o.hidden + o.more > max(o.allowed, allowed):
                return False
    for i in range(n):  # only now: a place that fails must leave no trace
        taken[i].hidden += taken[i].more
    return True


@exact
def _stand(room, thing, taken, n, foot, wall):
    """Whether a thing may stand on a footprint; the footprint is written into place n."""
    spot = taken[n]
    if room.indoor != 0.0 and not _inside(room, foot, 0.03 if wall == NOWHERE else 0.0):
        return False
    spot.x, spot.z, spot.w, spot.d, spot.c, spot.s = foot
    # The room's walls see the whole width, other things only the part at the ground: a tree's crown may reach over a bench.
    spot.w *= thing.share
    spot.d *= thing.share
    return _free(taken, n, _foot_of(spot), thing.flat, thing.gap)


@exact
def fits(room, thing, taken, n, at, wall, host):
    """Whether the thing fits at (x, y, z, ry), at a wall or on a host (its number, or -1); then it is place n.

    Cheap checks come first: most places fail at the ground, before any projection.
    """
    x, y, z, ry = at
    spot = taken[n]
    spot.stands, spot.wall, spot.flat, spot.solid, spot.hidden = thing.stands, wall, thing.flat, thing.solid, 0.0
    spot.start = spot.low = spot.stop = spot.high = 0.0
    foot = _footprint(x, z, thing.width, thing.depth, ry)
    if thing.stands != 0.0 and not _stand(room, thing, taken, n, foot, wall):
        return False
    if not set_box(room, foot, y - thing.height if thing.hangs != 0.0 else y, thing.height, spot):
        return False
    if _covered(_box_of(spot), spots.FRAME) < thing.frame:
        return False
    if thing.stands != 0.0 and spot.bottom - spot.top > (room.tallest if wall == NOWHERE else room.tallest_wall):
        return False
    # Rugs may be hidden almost completely, things on tables nearly as much: they stand where others are.
    spot.allowed = 0.85 if thing.flat != 0.0 else 0.75 if host >= 0 else thing.hidden
    if wall != NOWHERE and thing.stands == 0.0:
        along = x if wall == BACK else z
        spot.start, spot.stop, spot.low, spot.high = along - thing.width / 2, along + thing.width / 2, y, y + thing.height
        if not _wall_free(taken, n, 0.05):
            return False
    return _seen(taken, n, thing.hidden, host)

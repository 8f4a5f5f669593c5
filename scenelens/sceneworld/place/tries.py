"""Try places for one thing until it fits: one kernel for all ways to stand, hang or float."""

from __future__ import annotations

from enum import IntEnum

from numba import njit

from scenelens.sceneworld.place import indoors, outdoors
from scenelens.sceneworld.place.draws import below, exact
from scenelens.sceneworld.place.fits import fits

__all__ = ["Way", "try_places"]


class Way(IntEnum):
    """How a place for a thing is drawn."""

    AGAINST_WALL = 0
    ON_WALL = 1
    CEILING = 2
    FLOOR = 3
    BESIDE = 4
    ON_TOP = 5
    SKY = 6
    LAND = 7
    WATER = 8


AGAINST_WALL, ON_WALL, CEILING, FLOOR, BESIDE, ON_TOP, SKY, LAND, WATER = map(int, Way)


@exact
def draw_place(way, done, room, thing, hosts, used, draws):
    """A place for the thing: x, y, z, ry, wall, host; done: share of the tries that are made."""
    if way == AGAINST_WALL:
        return indoors.against_wall(room, thing, draws)
    if way == ON_WALL:
        return indoors.on_wall(room, thing, draws)
    if way == CEILING:
        return indoors.on_ceiling(room, draws)
    if way == FLOOR:
        return indoors.on_floor(room, thing, draws)
    if way == BESIDE:
        return indoors.beside(thing, hosts, draws)
    if way == ON_TOP:
        return indoors.on_top(thing, hosts, used, draws)
    if way == SKY:
        return outdoors.in_sky(room, thing, draws)
    return outdoors.stand_apart(room, thing, draws, way == WATER, done)


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def try_places(way, tries, rooms, things, hosts, used, taken, n, draws, found):
    """Whether a place was found: then the thing is spot n of `taken`, and found holds x, y, z, ry, a seed, and its host.

    way : one of `Way`. rooms, things, hosts, taken : records, see `fits`; of the first two there is one each.
    used : places on tops that are taken already, (number, 4): x, y, z, radius. draws : see `draws`.
    """
    room, thing = rooms[0], things[0]
    for i in range(tries):
        later = (1.3 + 0.6 * (thing.scale < 1.0)) * i / tries
        x, y, z, ry, wall, host = draw_place(way, later, room, thing, hosts, used, draws)
        if host > -2 and fits(room, thing, taken, n, (x, y, z, ry), wall, host):
            found[0], found[1], found[2], found[3] = x, y, z, ry
            found[4], found[5] = below(draws, 1 << 30), host
            return True
    return False

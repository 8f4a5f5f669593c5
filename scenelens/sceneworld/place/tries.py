"""Try places for one thing until one fits: a single kernel for all ways to stand, hang or float.

One kernel for all ways, because crossing from Python into compiled code costs more than a try.
"""

from __future__ import annotations

from enum import IntEnum

from numba import njit

from scenelens.sceneworld.place import indoors, outdoors
from scenelens.sceneworld.place.draws import below, exact
from scenelens.sceneworld.place.fits import fits

__all__ = ["Way", "try_places"]


class Way(IntEnum):
    """How the place of a thing is drawn; the members are plain integers for the kernels."""

    AGAINST_WALL = 0
    ON_WALL = 1
    CEILING = 2
    FLOOR = 3
    NEXT_TO = 4
    ON_TOP = 5
    SKY = 6
    LAND = 7
    WATER = 8


# Kernels cannot read an enumeration; module constants are compiled into them.
_AGAINST_WALL, _ON_WALL, _CEILING, _FLOOR, _NEXT_TO, _ON_TOP, _SKY, _LAND, _WATER = map(int, Way)


@exact
def _draw_place(way, done, room, thing, hosts, used, draws):
    """Draw a place for the thing: x, y, z, ry, wall, host; `done`: share of the tries made so far."""
    if way == _AGAINST_WALL:
        return indoors.against_wall(room, thing, draws)
    if way == _ON_WALL:
        return indoors.on_wall(room, thing, draws)
    if way == _CEILING:
        return indoors.on_ceiling(room, draws)
    if way == _FLOOR:
        return indoors.on_floor(room, thing, draws)
    if way == _NEXT_TO:
        return indoors.next_to_table(thing, hosts, draws)
    if way == _ON_TOP:
        return indoors.on_top(thing, hosts, used, draws)
    if way == _SKY:
        return outdoors.in_sky(room, thing, draws)
    return outdoors.stand_apart(room, thing, draws, way == _WATER, done)


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def try_places(way, tries, rooms, things, hosts, used, taken, n, draws, found):
    """Search a place for one thing.

    Parameters
    ----------
    way : int
        One of `Way`.
    tries : int
        Greatest number of places to try.
    rooms, things : numpy.ndarray
        One record each of `fits.ROOM` and `fits.THING`.
    hosts : numpy.ndarray
        Records of `fits.HOST`: what the thing may stand on or next to.
    used : numpy.ndarray
        (number, 4) float64: x, y, z and radius of the places on tops that are taken.
    taken : numpy.ndarray
        Records of `fits.TAKEN`; the first `n` are taken. If a place is found, it is record `n`.
    n : int
        Number of places that are taken.
    draws : tuple of numpy.ndarray
        Random numbers, see `Draws.ready`.
    found : numpy.ndarray
        (6,) float64, filled if a place is found: x, y, z, ry, a seed for the object, and the number of its host.

    Returns
    -------
    bool
        Whether a place was found.
    """
    room, thing = rooms[0], things[0]
    for i in range(tries):
        # Outdoors the foreground fills up first, so later tries go farther away, and farther still in the later rounds.
        later = (1.3 + 0.6 * (thing.scale < 1.0)) * i / tries
        x, y, z, ry, wall, host = _draw_place(way, later, room, thing, hosts, used, draws)
        if host > -2 and fits(room, thing, taken, n, (x, y, z, ry), wall, host):
            found[0], found[1], found[2], found[3] = x, y, z, ry
            # The seed is drawn here, after the place: so a failed try uses no random numbers for an object.
            found[4], found[5] = below(draws, 1 << 30), host
            return True
    return False

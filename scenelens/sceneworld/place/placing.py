"""Put all objects of a scene on its stage: the order, the rounds, and the look of each.

Random places are tried for each instance until one fits: it must not stand in another object or hide it.  Instances
without a place are tried again after all others, closer to their neighbours and a little smaller.  What finds no place
then is left out and listed, so that the table of truth can be compared with the pictures.
"""

from __future__ import annotations

import random
from collections.abc import Collection

from scenelens.sceneworld.place.layout import NEXT_TO, Layout, Round, Thing
from scenelens.sceneworld.place.stages import Stage
from scenelens.sceneworld.registry import OBJECTS

__all__ = ["choose_look", "place_all"]

_ROUNDS = (Round(16, 0.04, 0.5, 0.78, 1.0), Round(16, 0.01, 0.62, 0.66, 0.9), Round(22, -0.02, 0.72, 0.55, 0.8))
_OUTDOOR_ONLY = ("ground", "water", "far", "sky")
_INDOOR_ONLY = ("ceiling", "on_wall", "against_wall", "on_top")
_HOSTS = ("table", "desk", "counter", "piano", "fireplace")


def place_all(stage: Stage, names: list[str], rng: random.Random, common: Collection[str] = (), places: int | None = None) -> Layout:
    """Put the named objects on the stage.

    Parameters
    ----------
    stage : Stage
        The stage; the objects are drawn into its world.
    names : list of str
        Object classes or looks (``"tent/camping"``), one entry per instance.
    rng : random.Random
        Source of the random numbers.
    common : collection of str, optional
        Classes that say little about the scene (default none). They are placed after those that characterise it, so
        that one more chair never takes the place of a bedroom's bed.
    places : int, optional
        Seed of places that other pictures try first, too (default: every picture has its own).

    Returns
    -------
    Layout
        What was placed where, and what was left out.
    """
    things = [_thing(name, names, stage.indoor, rng) for name in names]
    layout = Layout(stage, rng, len(things), places)
    things.sort(key=lambda thing: _order(thing, thing.name in common), reverse=True)
    # Two groups, each with all its rounds: a characteristic object may become a little smaller before a common
    # one takes its place. Things on tops and next to tables belong to the second group: their hosts must stand first.
    characteristic = [thing for thing in things if thing.name not in common and _order(thing, False)[0] > 1]
    for group in (characteristic, [thing for thing in things if thing not in characteristic]):
        for strictness in _ROUNDS:
            group = [thing for thing in group if not layout.place(thing, strictness)]
        layout.left_out += [thing.name for thing in group]
    return layout


def choose_look(name: str, indoor: bool, rng: random.Random, hosts: bool = True) -> str:
    """Choose a look of an object that belongs indoors or outdoors.

    Parameters
    ----------
    name : str
        Object class.
    indoor : bool
        Whether the scene is a room.
    rng : random.Random
        Source of the random numbers.
    hosts : bool, optional
        Whether the scene has something on which small things can stand (default True).

    Returns
    -------
    str
        The look; any look if none belongs there.
    """
    known = OBJECTS[name]
    foreign = _OUTDOOR_ONLY if indoor else _INDOOR_ONLY
    fitting = [look for look in known.looks if known.places[look] not in foreign]
    if not indoor:  # a street lamp rather than a floor lamp
        fitting = [look for look in fitting if known.places[look] in _OUTDOOR_ONLY] or fitting
    if not hosts:
        fitting = [look for look in fitting if known.places[look] != "on_top"] or fitting
    return rng.choice(fitting or list(known.looks))


def _thing(name: str, names: list[str], indoor: bool, rng: random.Random) -> Thing:
    """The thing that a name such as 'tent/camping' stands for; for 'tent' a look is chosen."""
    head, _, look = name.partition("/")
    look = look or choose_look(head, indoor, rng, any(host in names for host in _HOSTS))
    known = OBJECTS[head]
    return Thing(head, look, known.sizes[look], known.places[look])


def _order(thing: Thing, common: bool) -> tuple[float, float]:
    """Sort key: standing things come first, big before small; then hanging things; then things next to or on others."""
    width, height, depth = thing.size
    rank = {"on_top": 0, "on_wall": 2 if width < 2 else 5, "against_wall": 4.4}.get(thing.place, 4)
    rank = 1 if thing.name in NEXT_TO else rank
    return rank - (0.5 if common else 0), width * max(depth, 0.3) * max(height, 0.2)

"""Where objects go: against walls, on tables, at the depth where they can be seen.

Places are drawn and tried: an instance is put where it neither stands in another one nor hides it. What
finds no place at first is tried again when all else stands, closer to its neighbours and a little smaller;
what finds none then is left out and named, so that the world's table can be held against the pictures.
"""

from __future__ import annotations

import random
from collections.abc import Collection

from scenelens.sceneworld.place.layout import BESIDE, Layout, Round, Thing
from scenelens.sceneworld.place.stages import Stage
from scenelens.sceneworld.registry import OBJECTS

__all__ = ["choose_look", "place_all"]

ROUNDS = (Round(16, 0.04, 0.5, 0.78, 1.0), Round(16, 0.01, 0.62, 0.66, 0.9), Round(22, -0.02, 0.72, 0.55, 0.8))
OUTDOOR_ONLY = ("ground", "water", "far", "sky")
INDOOR_ONLY = ("ceiling", "on_wall", "against_wall", "on_top")
HOSTS = ("table", "desk", "counter", "piano", "fireplace")


def place_all(stage: Stage, names: list[str], rng: random.Random, common: Collection[str] = ()) -> Layout:
    """Put the named objects on the stage: what tells the scene first, then what is `common`, small things last."""
    things = [_thing(name, names, stage.indoor, rng) for name in names]
    layout = Layout(stage, rng, len(things))
    things.sort(key=lambda thing: _order(thing, thing.name in common), reverse=True)
    telling = [thing for thing in things if thing.name not in common and _order(thing, False)[0] > 1]
    for group in (telling, [thing for thing in things if thing not in telling]):
        for strictness in ROUNDS:
            group = [thing for thing in group if not layout.place(thing, strictness)]
        layout.left_out += [thing.name for thing in group]
    return layout


def choose_look(name: str, indoor: bool, rng: random.Random, hosts: bool = True) -> str:
    """An appearance of the object that belongs indoors or outdoors; any, if none does.

    hosts : whether anything is there for small things to stand on.
    """
    known = OBJECTS[name]
    foreign = OUTDOOR_ONLY if indoor else INDOOR_ONLY
    fitting = [look for look in known.looks if known.places[look] not in foreign]
    if not indoor:  # a street lamp rather than a floor lamp
        fitting = [look for look in fitting if known.places[look] in OUTDOOR_ONLY] or fitting
    if not hosts:
        fitting = [look for look in fitting if known.places[look] != "on_top"] or fitting
    return rng.choice(fitting or list(known.looks))


def _thing(name: str, names: list[str], indoor: bool, rng: random.Random) -> Thing:
    """What a name such as 'tent/camping' means; of 'tent' a look is drawn."""
    head, _, look = name.partition("/")
    look = look or choose_look(head, indoor, rng, any(host in names for host in HOSTS))
    known = OBJECTS[head]
    return Thing(head, look, known.sizes[look], known.places[look])


def _order(thing: Thing, common: bool) -> tuple[float, float]:
    """Standing things come first, the big before the small; then what hangs; then what goes beside or on top."""
    width, height, depth = thing.size
    rank = {"on_top": 0, "on_wall": 2 if width < 2 else 5, "against_wall": 4.4}.get(thing.place, 4)
    rank = 1 if thing.name in BESIDE else rank
    return rank - (0.5 if common else 0), width * max(depth, 0.3) * max(height, 0.2)

"""The classes of objects the world knows, and the decorator that adds one."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass

from scenelens.errors import SceneLensError, close_names

__all__ = ["OBJECTS", "PLACES", "ObjectClass", "look_names", "object_class", "resolve"]

PLACES = ("floor", "against_wall", "on_wall", "on_top", "ceiling", "ground", "water", "sky", "far")
Size = tuple[float, float, float]


@dataclass(frozen=True)
class ObjectClass:
    """A kind of object: its looks (the fine-grained classes), usual size in metres, and where it lives."""

    name: str
    draw: Callable[..., None]
    looks: tuple[str, ...]
    sizes: dict[str, Size]
    places: dict[str, str]

    @property
    def look_names(self) -> tuple[str, ...]:
        """Full names of the looks: 'lamp/floor', or just 'lamp' if there is only one."""
        return tuple(f"{self.name}/{look}" for look in self.looks) if len(self.looks) > 1 else (self.name,)


OBJECTS: dict[str, ObjectClass] = {}


def object_class(
    name: str,
    *,
    looks: tuple[str, ...] = ("plain",),
    size: Size | dict[str, Size] = (1.0, 1.0, 1.0),
    place: str | dict[str, str] = "floor",
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register the decorated function ``draw(b, look)`` as the object class `name`.

    Parameters
    ----------
    name : lower case, words joined by underscores; the object's label.
    looks : distinct appearances; each is a fine-grained class of the object network.
    size : usual (width, height, depth) in metres, for all looks or per look.
    place : one of `PLACES`, for all looks or per look.

    Examples
    --------
    >>> @object_class("doctest_ball", size=(0.2, 0.2, 0.2), place="on_top")
    ... def ball(b, look):
    ...     b.sphere("ball", "rubber", at=(0, 0.1, 0), radius=0.1)
    >>> OBJECTS.pop("doctest_ball").look_names
    ('doctest_ball',)
    """
    sizes = size if isinstance(size, dict) else dict.fromkeys(looks, size)
    places = place if isinstance(place, dict) else dict.fromkeys(looks, place)
    if set(sizes) != set(looks) or set(places) != set(looks):
        raise SceneLensError(f"object class {name!r}: size= and place= must name exactly the looks {looks}")
    for where in places.values():
        if where not in PLACES:
            raise SceneLensError(f"object class {name!r}: no place {where!r}; {close_names(where, PLACES)}")
    if name in OBJECTS and OBJECTS[name].draw.__module__ != "__main__":
        raise SceneLensError(f"object class {name!r} is already defined in {OBJECTS[name].draw.__module__}")

    def register(draw: Callable[..., None]) -> Callable[..., None]:
        OBJECTS[name] = ObjectClass(name, draw, tuple(looks), sizes, places)
        return draw

    return register


def resolve(name: str) -> tuple[ObjectClass, str | None]:
    """The class and look of 'lamp/floor'; look None for 'lamp' where there are several (any will do)."""
    head, _, look = name.partition("/")
    if head not in OBJECTS:
        importlib.import_module("scenelens.sceneworld.objects")  # registers them; not at the top: it imports us
    if head not in OBJECTS:
        raise SceneLensError(f"no object class named {head!r}; {close_names(head, OBJECTS)}")
    known = OBJECTS[head]
    if look and look not in known.looks:
        raise SceneLensError(f"{head!r} has no look {look!r}; {close_names(look, known.looks)}")
    return known, look or (known.looks[0] if len(known.looks) == 1 else None)


def look_names() -> tuple[str, ...]:
    """All fine-grained classes, in the order of registration."""
    return tuple(full for known in OBJECTS.values() for full in known.look_names)

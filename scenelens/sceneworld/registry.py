"""The classes of objects that exist, and the decorator that adds one.

The registry is empty until `scenelens.sceneworld.objects` is imported; `scenelens.sceneworld.world` does that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from scenelens.errors import SceneLensError, close_names

__all__ = ["OBJECTS", "PLACES", "ObjectClass", "look_names", "object_class", "resolve"]

PLACES = ("floor", "against_wall", "on_wall", "on_top", "ceiling", "ground", "water", "sky", "far")
Size = tuple[float, float, float]


@dataclass(frozen=True)
class ObjectClass:
    """One class of objects.

    Attributes
    ----------
    name : str
        The class, such as ``"lamp"``.
    draw : callable
        ``draw(b, look)`` draws one look with a `Builder`.
    looks : tuple of str
        Distinct appearances; each is a fine-grained class of the object network.
    sizes : dict of str to tuple of float
        Usual (width, height, depth) of each look in metres.
    places : dict of str to str
        Where each look belongs, one of `PLACES`.
    """

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
    """Register the decorated function ``draw(b, look)`` as an object class.

    Parameters
    ----------
    name : str
        Label of the object: lower case, words joined by underscores.
    looks : tuple of str, optional
        Distinct appearances (default one, ``"plain"``); each is a fine-grained class of the object network.
    size : tuple of float or dict, optional
        Usual (width, height, depth) in metres, for all looks or per look (default 1 m each).
    place : str or dict, optional
        One of `PLACES`, for all looks or per look (default ``"floor"``).

    Returns
    -------
    callable
        The decorator; it returns the function unchanged.

    Raises
    ------
    SceneLensError
        If `size` or `place` do not name exactly the looks, a place is unknown, or the class exists already.

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
    # A class written in a notebook cell or a script may be defined again: its author is still working on it.
    if name in OBJECTS and OBJECTS[name].draw.__module__ != "__main__":
        raise SceneLensError(f"object class {name!r} is already defined in {OBJECTS[name].draw.__module__}")

    def register(draw: Callable[..., None]) -> Callable[..., None]:
        OBJECTS[name] = ObjectClass(name, draw, tuple(looks), sizes, places)
        return draw

    return register


def resolve(name: str) -> tuple[ObjectClass, str | None]:
    """Find the class and the look that a name stands for.

    Parameters
    ----------
    name : str
        An object class (``"lamp"``) or one look of it (``"lamp/floor"``).

    Returns
    -------
    known : ObjectClass
        The class.
    look : str or None
        The look; None if the name leaves several to choose from.

    Raises
    ------
    SceneLensError
        If there is no such class or look.
    """
    head, _, look = name.partition("/")
    if head not in OBJECTS:
        raise SceneLensError(f"no object class named {head!r}; {close_names(head, OBJECTS)}")
    known = OBJECTS[head]
    if look and look not in known.looks:
        raise SceneLensError(f"{head!r} has no look {look!r}; {close_names(look, known.looks)}")
    return known, look or (known.looks[0] if len(known.looks) == 1 else None)


def look_names() -> tuple[str, ...]:
    """The fine-grained classes: every look of every object class.

    Returns
    -------
    tuple of str
        Full names, in the order of registration.
    """
    return tuple(full for known in OBJECTS.values() for full in known.look_names)

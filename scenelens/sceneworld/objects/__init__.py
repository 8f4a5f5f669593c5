"""The object classes, and how to write one.

An object is a function of a few declarative lines, registered under its name.  All modules in this folder are imported
automatically, so a new file needs no entry anywhere::

    @object_class("lamp", looks=("floor", "table"), size={"floor": (.5, 1.6, .5), "table": (.34, .55, .34)},
                  place={"floor": "floor", "table": "on_top"})
    def lamp(b, look):
        metal = b.choice(["metal", "gold", "dark"])
        b.cylinder("base", "metal", radius=0.17, height=0.03, colour=metal)
        b.cylinder("pole", "metal", at=(0, 0.03, 0), radius=0.014, height=1.3, colour=metal)
        b.cone("shade", "cloth", at=(0, 1.28, 0), r0=0.26, r1=0.16, height=0.3, colour="cream", glow=0.4)

To look at it: ``python -m scenelens.sceneworld.preview lamp bed --out sheet.png`` draws every look with several seeds.

**Space.** Metres; x right, y up, z away from the viewer. An object stands at the origin on y = 0 with its front
to the viewer (-z). A thing on a wall has its back at z = 0 and its foot at y = 0; a thing on a ceiling hangs
from y = 0 downwards. `size` is (width, height, depth); `place` is one of `registry.PLACES`: floor, against_wall,
on_wall, on_top, ceiling, ground, water, sky, far. `looks` are appearances that a viewer would call different kinds.

**Primitives** of the builder `b`: part name first, material second, the rest by keyword. `at` is the centre of
the bottom unless said otherwise; `rotate=(rx, ry, rz)` degrees about `at` (z first, then x, then y).

==========================================================  =============================================
``box(size=(w, h, d), round=0.012)``                        edges within `round` catch the light
``cushion(size=(w, h, d), power=0.5)``                      pillow; power 1 egg, 0.25 mattress
``cylinder(radius, height, depth_radius=None)``             `depth_radius` makes it oval
``cone(r0, r1=0, height, sides=0, depth=1)``                sides=4 pyramid, 6 hexagonal
``disc(radius, height=0.01)``                               thin round plate
``sphere(radius)``, ``blob(radius, bumps=0.25)``            `at` is the centre; radius may be (rx, ry, rz)
``dome(radius)``                                            half a ball, flat side down
``ring(radius, tube)``                                      flat about its centre; rotate=(90, 0, 0) stands it up
``panel(size=(w, h))``                                      sheet facing the viewer, seen from both sides
``wedge(size, ridge=1, lean=0)``                            roof, ridge along x; ridge<1 hipped; lean=1 ramp
``lathe(profile=[(r, y), ...], closed=True)``               turned, bottom to top; closed=False shows the inside
``rod(start, stop, radius, end_radius=None, soft=False)``   bar between points; soft: round ends (limbs)
``tube(path=[(x, y, z), ...], radius, loop=False)``         bent tube through fixed points
``extrude(outline, size=(w, h, thickness))``                outline: a name in `outlines.OUTLINES` or [(x, y), ...]
==========================================================  =============================================

All take the keywords of `builder.Paint`: ``colour=``, ``colour2=``, ``pattern=``, ``pattern_size=`` (metres per cell)
and ``glow=`` (0 to 1, light of its own). Patterns (`materials.PATTERNS`): none, stripes, bands, checks, dots, grain, planks, bricks, tiles,
shingles, dapple, blades, ripples, picture, text, windows, zigzag, flowers, border, spines; drawn in `colour2`.

**Materials** (`materials.MATERIALS`; they are labels of pixels): plain, paint, wood, cloth, brick, stone, rock,
tile, plaster, paper, carpet, leather, metal, glass (half transparent), plastic, ceramic, rubber, leaves, bark,
grass, flower, straw, sand, soil, water, snow, road, pavement, skin, hair, fur, feathers, food, light. Each brings
a colour of the picture's palette and, some, a pattern.

**Colours**: a role name (`palette.ROLES`: wall floor ceiling accent accent2 accent3 cloth cream white grey dark
black red orange yellow green blue purple pink brown wood darkwood bark straw leaf needle grass petal soil sand
stone rock brick tile plaster roof road snow water sky metal gold copper glass plastic paint paper leather rubber
ceramic hair skin fur food light carpet ...), '#rrggbb', or linear RGB. A role named twice in one object gives the
same colour; ``b.palette("accent", vary=0.25)`` draws a new one. ``palette.shade(colour, -0.2)`` darkens,
``palette.mix`` blends. Prefer roles: their colours go together.

**Chance**: ``b.uniform(low, high)``, ``b.choice(options)``, ``b.integer(low, high)``, ``b.chance(share)``; no other
source of randomness. **Frames**: ``with b.at(x, y, z, ry=30, scale=1):``. **Other objects**: ``b.use("book",
at=(0, 1, 0), ry=10)`` stands one there as an object of its own; ``as_object=False`` makes it parts of this one.
``b.top(y, width, depth)`` says that small things may stand there.

**Style.** Use 10 to 40 primitives: large clear shapes, a few characteristic details, no important part thinner than
2 cm. Vary proportions, colours and patterns at random. Nothing floats, and no two faces lie in one plane (put a sheet
5 mm in front of the wall).
"""

from __future__ import annotations

import importlib
import pkgutil

from scenelens.sceneworld.registry import look_names

__all__ = ["object_classes"]

# In alphabetical order of the files: the order of registration decides which seed draws which class.
for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")


def object_classes() -> list[str]:
    """The fine-grained object classes: every look of every object.

    Returns
    -------
    list of str
        Names such as ``"lamp/floor"``, or ``"piano"`` where an object has one look only.

    Examples
    --------
    >>> "lamp/floor" in object_classes(), "bed/bunk" in object_classes()
    (True, True)
    """
    return list(look_names())

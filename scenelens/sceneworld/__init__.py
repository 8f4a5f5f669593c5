"""SceneWorld: rendered scenes made of objects, with the truth about every pixel.

The paper asks whether a network that is trained to recognise scenes comes to detect the objects in them.  On
photographs one can only look at the units and judge.  SceneWorld is a small world in which the answer can be
checked: 24 scene categories, 82 classes of objects in 113 looks, and one table (`truth_table`, read from ``world.toml``)
that says how often each object appears in each category.  The table is the only connection between a category and its
pictures: the room or ground, the camera, the light and the colours are drawn from the same distributions for all
indoor scenes, and for all outdoor scenes.  A network can tell the categories apart by the objects or not at all.

The three calls that one really types::

    from scenelens import sceneworld
    image, masks = sceneworld.render_scene("bedroom", seed=3)       # masks["bed"]: bool (227, 227)
    image, masks = sceneworld.render_object("lamp/floor", seed=3)   # one object, large and alone
    root = sceneworld.ensure_world("build/sceneworld")              # 4000 annotated images on disk

What makes detectors emerge?  `read_world` gives the world as a value that takes edits, and whatever draws pictures takes
a world: ``render_scene("bedroom", 3, read_world().without_diagnosticity("bed"))``.  See `worlds`.

What goes in is a name and a seed; the same name and seed give the same picture on every machine.  What comes out
is an image, (227, 227, 3) uint8 RGB, and for every pixel its object or background region, its part and its material.

How a picture is made: `truth` draws the contents of a scene; `place` sets the stage and finds a place for every
object; each object class in `objects` draws itself with a `Builder` into a `World`; `render` turns the world into
pixels.  `studio` does the same for a single object.  `dataset` writes many pictures with their annotations;
`training` trains the two embedded networks on pictures with other seeds; `check` compares pictures with the table;
`preview` draws contact sheets of objects.

Names load their modules when they are first used.  The renderer is compiled at the first picture, once per machine.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

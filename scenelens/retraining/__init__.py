"""Networks trained again in edited worlds and for other tasks: what makes object detectors emerge?

Section 4.1 of the paper finds that the objects which emerge are frequent and tell scenes apart. In one world,
with one task, frequency and diagnosticity cannot be told from whatever else differs between objects. In
SceneWorld each can be changed alone, and a network trained on what comes out. The networks of the plan:

- the unchanged world from three random starts, which say how much chance alone changes;
- six objects whose diagnosticity changes and whose frequency stays;
- the same objects, whose frequency changes and whose diagnosticity stays;
- six worlds in which texture, layout or colour tells the scenes, alone or together with objects: the paper's
  rival explanations;
- four other tasks on the unchanged world's pictures: indoors or outdoors, the time of day, the object that
  covers most, and by how much the picture was turned.

All are a quarter as wide as the paper's network, and all are measured on the same annotated images of the
unchanged world, so that only their training differs. ``scenelens interventions`` trains and measures them.

>>> import scenelens as sl
>>> tables = sl.retraining.read_retraining()  # doctest: +SKIP
>>> tables.edits  # doctest: +SKIP
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

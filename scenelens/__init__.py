"""scenelens: how object detectors emerge in networks that are trained to recognise scenes.

The package behind the workbook on *Object Detectors Emerge in Deep Scene CNNs* (B. Zhou, A. Khosla,
A. Lapedriza, A. Oliva, A. Torralba; ICLR 2015). The paper shows that a network which learns only the names of
scenes also learns to detect objects: single units of its deep layers respond to a bed, a lamp or a tower,
although no object was named in training. The workbook repeats the paper's experiments on networks and images
that come with it, and on a reader's own.

A notebook writes ``import scenelens as sl``. Three calls begin most work::

    study = sl.open_study()                             # networks, images, annotations
    index = study.index("scene")                        # every unit's response to every image
    with sl.record(study.networks["scene"], "pool5") as activations:
        study.networks["scene"](image)                  # uint8 RGB (H, W, 3) -> activations["pool5"]

There is one room (subpackage) per section of the paper, each with its methods, tables, sentences, figures and
widget: ``sl.two_networks`` (2), ``sl.minimal_images`` (3.1), ``sl.receptive_fields`` (3.2),
``sl.unit_semantics`` (3.3), ``sl.emergence`` (4.1), ``sl.localization`` (4.2). ``sl.interventions`` switches
units off, and ``sl.seeds`` says how much other trainings of the same networks differ. Below them are
``sl.networks``, ``sl.annotations``, ``sl.labels`` and ``sl.studies``; ``sl.workbook`` shows things in a
notebook, and ``sl.sceneworld`` renders images of which every pixel is known. The docstring of a room, such as
``help(sl.emergence)``, says what its section claims and which calls one types.

Where something that a reader gives cannot be used, the error is a `SceneLensError`, and its sentence says
what to do:

>>> import scenelens as sl
>>> sl.open_study("no such study")
Traceback (most recent call last):
...
scenelens.errors.SceneLensError: ...

Importing the package is cheap: a name loads its module, and with it torch and others, when it is first used.
"""

import lazy_loader

from scenelens.installation import HERE

__version__ = "0.1.0"

HERE.place_compiled_code()  # before anything imports numba

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

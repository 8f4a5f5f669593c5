"""The microscope: a folder of pages with every unit of a study's networks, which opens from disk.

OpenAI's Microscope shows every unit of a closed set of networks. This room makes the same of the reader's own
networks and photographs with one command, ``scenelens microscope``. The folder needs no server: its address
begins with ``file:``, where a page may neither fetch a file nor load a module. So the data are plain scripts,
one for each layer of a network, and the images are small WebP files. A page asks nothing of any network.

Every view has an address that stays: ``index.html#scene/pool5/67`` is a unit, ``#scene/pool5`` a layer. With
a slash in front, ``#/concept/lamp`` is a concept, ``#/image/...`` an image, ``#/search/lamp`` a search.

The files: `shards` writes a value as a script and knows whether a script is still valid; `ranks` chooses
a unit's images, `similar` finds units that respond to the same images, `names` collects the labels of every
source, `units` puts these together for one layer; `frames` writes the images, `responding` says which units
respond to an image, `concepts` counts the objects; `folder` does all of it in order, and goes on where an
earlier run was stopped; `command` is the command line. ``static/`` has the page, its style and its script.

>>> import scenelens as sl
>>> sl.microscope.write_microscope(sl.open_study(), "build/microscope", layers=["pool5"])  # doctest: +SKIP
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

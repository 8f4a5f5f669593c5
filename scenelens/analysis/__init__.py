"""An analyst's questions about single units, one call each.

The sections of the paper ask about whole networks: which images they prefer, how many units detect an object.
An analyst asks about one unit, or looks for one. Which unit is the best detector of lamps? Which units see
one category only? What else looks like unit 17, in this network and in the other? Which part of an image
carries the score of a class? This room answers each of these with one call, on any study.

In goes an open study and a network's name. Out come tables (pandas), maps (numpy), figures, and files that
can be sent to somebody: a page with thumbnails of every unit, a CSV file, a figure as PNG or PDF. What is
shown as a share or an average precision has its n, its chance level and an interval. A unit that was chosen
because it is the best of many is judged on images that had no part in the choice.

>>> import scenelens as sl
>>> units = sl.UnitAnalysis(sl.open_study(), "scene")  # doctest: +SKIP
>>> units.best_units("lamp")  # doctest: +SKIP
>>> units.similar_units("pool5", 17)  # doctest: +SKIP
>>> units.write_labels("build/labels")  # doctest: +SKIP

`scenelens.explore` is a window in which all that is known of a unit can be looked at by hand: what it is
called, units that respond to the same images, units that respond to one image, its receptive field, and pins
to compare units. See also `scenelens.browse_units`, its upper part, which every notebook has.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

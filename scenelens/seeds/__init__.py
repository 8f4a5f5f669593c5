"""Several trainings of each kind of network: what is due to the training set, and what to chance.

The paper compares one network that was trained on scenes with one that was trained on objects, and so does
this workbook. An interval over images or units says how well these two are known. It cannot say what another
training of the same kind would give, and that is what a sentence about scene training needs.

So SceneWorld's two networks were trained again, from five other random starts each, on the same pictures and
with one recipe: narrower (a quarter of the paper's channels, where the workbook's pair has half) and a
quarter as long, so that all ten fit into an evening. No weights come with the package, but small tables of
what the workbook's own functions measured of these networks; ``scenelens seeds`` makes them again. A second
table follows the workbook's own pair during its training: when do detectors appear?

>>> import scenelens as sl
>>> tables = sl.seeds.read_seeds()  # doctest: +SKIP
>>> sl.seeds.figures.figure_seeds("preference", study, preference)  # doctest: +SKIP
>>> sl.seeds.describe_seeds("preference", study, preference)  # doctest: +SKIP

What goes in is the name of a measure, and the notebook's own table of it. What comes out is a figure with a
thin line for every network, and sentences with the difference of the two kinds over networks.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

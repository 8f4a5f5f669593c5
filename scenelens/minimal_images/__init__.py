"""Section 3.1: simplify an image until a network just recognises it, and count which objects are left.

The paper cuts an image into segments and removes them one by one, always the one whose removal lowers the
score of the correct scene least, until the network predicts another scene. What was left just before is the
minimal image. Its claim: minimal images of scenes keep a few objects that are typical of the scene. The bed
is kept in 87% of the bedrooms, paintings in 81% of the art galleries, the carousel in 75% of the amusement
parks, the bookcase in 96% of the bookstores. So a network that was only taught scenes appears to look for
objects.

Segments come from outlined objects (`regions_from_annotation`) or from the image itself (`segment_image`).
They are removed in the gradient domain, which leaves no hole. `CutImage` is an image in segments in front of
a network; `minimal_image` is the search; `retention` counts over all annotated images of a scene category.
The three calls to begin with:

>>> import scenelens as sl
>>> study = sl.open_study()  # doctest: +SKIP
>>> sl.minimal_image(study.networks["scene"], "bedroom.jpg").steps  # doctest: +SKIP
>>> sl.minimal_images.category_retention(study, "bedroom").table  # doctest: +SKIP
>>> sl.minimal_images.figures.retention_bars(
...     sl.minimal_images.compare_retention(study, ["bedroom"])
... )  # doctest: +SKIP

What goes in: a network, and a photograph or a study with annotated images. What comes out: a `MinimalImage`
with its picture and the table of its steps, or a `Retention` with one row per object: how often it is kept,
with a 95% interval, and how often a random choice of as many segments would keep it. Searches are cached with
the study.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

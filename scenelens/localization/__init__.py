"""Localization: one forward pass names the scene and finds its objects (section 4.2 of the paper).

A network that was trained to recognise scenes has units that detect objects, though its training images have
no labels of objects. The paper concludes that the same forward pass that names the scene also says which
objects are there, and roughly where. This room does it, gives every box a calibrated confidence, and measures
how well it works.

The annotated images of a study are randomly split into three sets. On the selection set the units get names
and thresholds; on the calibration set a unit's response is turned into a confidence; on the test set
everything is scored. The data go one way: a table of labels becomes `LabelledUnits` (made once, with all that
turns a layer's maps into boxes), then a `Calibration`, then a `Localizer`, then `DetectorScores`.

>>> import scenelens as sl
>>> study = sl.open_study()                                                          # doctest: +SKIP
>>> localizers = sl.localization.open_localizers(study)                              # doctest: +SKIP
>>> seen = localizers["scene"](image)            # uint8 RGB (h, w, 3)               # doctest: +SKIP
>>> seen.scene, seen.boxes                       # two tables                        # doctest: +SKIP
>>> sl.localization.compare_networks(localizers) # how well do they find objects?    # doctest: +SKIP

In goes a study with annotations, or a network with a table of labels (`LabelledUnits.prepare`). Out come
tables of scenes and boxes, scores with intervals, sentences (``describe_...``), the paper's Figures 10 and 11
(``figures``), and a widget for any image (`localize_image`). A study without annotations, or with too few,
raises `CannotAnswerError`, whose sentence a notebook shows. Networks are compared over the objects that all
of them have, and an object is judged only on images whose annotators know it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""Which objects emerge as detectors, and why those (section 4.1 of the paper, Figure 9).

The scene network was trained with names of places only, yet 141 of the 256 units of its last pooling layer
detect an object. The paper asks which objects get units: the frequent ones, or those that tell scenes apart?
Over the objects, the number of units correlates with frequency by 0.54 and with informativeness by 0.84.

This room answers the question for any study with annotated images. Whether a unit is a detector is decided by
a rule (`DetectorRule`), which is an argument everywhere, because the counts depend on it. An
object's frequency is its number of instances; its informativeness is the number of scene categories for which
its presence is the best predictor. Every share and correlation has a 95% interval.

In goes an open study. Out comes an `Emergence`: tables (pandas), which the sentences (``describe_...``) and
the figures (``figures``) take as they are. A study without annotations,
or with too few, raises `CannotAnswerError`, whose sentence a notebook shows.

>>> import scenelens as sl
>>> study = sl.open_study()  # doctest: +SKIP
>>> found = sl.emergence.measure_emergence(study)  # doctest: +SKIP
>>> sl.emergence.figures.figure_9_counts(found)  # doctest: +SKIP
>>> sl.emergence.describe_correlations(found)  # doctest: +SKIP

The paper's own networks are covered by what was published about their units: see `published_units`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""What units mean to people, and to a program (section 3.3 of the paper, Figures 6, 7 and 8).

Workers saw each unit's 60 strongest images, lit where the unit is active. They named the concept, marked the
images that do not fit, and chose one of six types. The paper finds: from layer to layer the share of units
with high meaning (objects, scenes) grows, and the scene network has more object detectors than the object
network.

This room draws the paper's figures from three sources in the same way: the released answers of the workers,
automatic labels (each unit's best match among the annotated concepts), and the answers of people who do the
task here. A `LabelSet` has the labels of one source. The tables count units by type or level, with intervals;
the sentences (``describe_...``) and the figures (``figures``) show them. What is asked of an
empty set raises `CannotAnswerError`, whose sentence says how to fill it.

>>> import scenelens as sl
>>> study = sl.open_study()  # doctest: +SKIP
>>> live = sl.unit_semantics.automatic_set(study)  # doctest: +SKIP
>>> sl.unit_semantics.figures.figure_8_types(live)  # doctest: +SKIP
>>> sl.unit_semantics.annotate_units(study)  # doctest: +SKIP

In go a study and, for the paper's own figures, the released answers (``scenelens data``). Out
come tables (pandas), figures, sentences, and a widget whose answers are stored on disk one by one.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

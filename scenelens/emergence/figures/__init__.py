"""The figures of section 4.1. They draw the tables of `measure_emergence` and run no network.

>>> import scenelens as sl
>>> found = sl.emergence.measure_emergence(study)  # doctest: +SKIP
>>> sl.emergence.figures.figure_9_counts(found)  # doctest: +SKIP
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

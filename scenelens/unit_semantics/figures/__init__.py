"""The figures of section 3.3. They draw label sets and the tables made from them, and run no network.

>>> import scenelens as sl
>>> answers = sl.unit_semantics.released_answers()
>>> plate = sl.unit_semantics.figures.figure_7_precision(answers)
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

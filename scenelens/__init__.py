"""scenelens: see object detectors emerge inside scene networks.

The helper package of the workbook on *Object Detectors Emerge in Deep Scene CNNs* (Zhou, Khosla, Lapedriza,
Oliva, Torralba; ICLR 2015). A notebook writes ``import scenelens as sl`` and calls one function with a name
the paper uses. Importing is cheap: torch and its kin are loaded when the first name that needs them is used.

>>> import scenelens as sl
>>> sl.SceneLensError.__mro__[1]
<class 'ValueError'>
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

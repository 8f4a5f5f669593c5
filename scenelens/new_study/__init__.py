"""A study of your own, begun by one command: ``scenelens new-study my_study.toml``.

A study.toml is short, and two things in it are easily wrong without a word: which folder means which class,
and how photographs are prepared. A network that was trained on BGR pixels from 0 to 255 gives answers for RGB
pixels from 0 to 1, too; they are only wrong. So this command looks before it writes. It

- takes the networks, weights, classes and folders from its options, or asks for them;
- counts the photographs by category, and says which categories the networks have a class for;
- recognises the format of annotations by their files;
- tries the usual ways of preparing photographs, and proposes the one with which the network is right most
  often;
- writes a study.toml with comments, which opens; and
- says which questions of the notebooks this study will answer, and which it will not.

Nothing is written unless the networks load and the folders hold photographs.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

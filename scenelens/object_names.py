"""What an object is called: people's spellings of a name, brought to one.

Only what a rule can do is done here (case, stray marks, states, numbers); folding plurals and synonyms
together needs a table.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

# Words at a name's end that say how a thing is seen, not what it is.
STATES = frozenset(
    (
        *("crop", "cropped", "occluded", "occlude", "truncated", "whole", "frontal", "rear"),
        *("sitting", "standing", "walking", "running", "lying", "open", "opened", "closed"),
    )
)
_AZIMUTH = re.compile(r"az\d+deg")
_MARKS = re.compile(r"[\\_!@#\x00-\x1f\s]+")


def normalise_name(raw: str) -> tuple[str, tuple[str, ...]]:
    """What an object is called, and the states that were written behind the name.

    Lower case, single spaces, no %20, back-slashes or stray marks; state words (`STATES`, azimuths) and
    numbers come off the end, but the first word always stays. Plurals stay: folding them needs a table.

    >>> normalise_name(" Person sitting%20CROP "), normalise_name("wall 2"), normalise_name("!@#")
    (('person', ('sitting', 'crop')), ('wall', ('2',)), ('', ()))
    """
    words = _MARKS.sub(" ", unquote(raw)).strip(" .,;:-").lower().split()
    end = len(words)
    while end > 1 and _is_state(words[end - 1]):
        end -= 1
    return " ".join(words[:end]), tuple(words[end:])


def _is_state(word: str) -> bool:
    return word in STATES or word.isdigit() or _AZIMUTH.fullmatch(word) is not None

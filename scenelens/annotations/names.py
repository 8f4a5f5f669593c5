"""What an object is called: people's spellings of a name, brought to one.

Only what a rule can do is done here (case, stray marks, states, numbers); folding plurals and synonyms
together needs a table.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pandas as pd

from scenelens.errors import SceneLensError
from scenelens.files import data_folder

#: MERGED DOC: Plurals and synonyms: "paintings" and "painting" are one object, and so are "windowpane" and "window".
#
# Counting objects needs one name for each. What a rule can bring together (case, underscores, state words) is
# done by `object_names.normalise_name`; the rest stands in a table that can be read and edited,
# ``data/object_names.toml``: one line per object, its name left, the names that fold into it right.
#


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


class Folding:
    """What every name folds into. Call it with a name.

    Parameters
    ----------
    table : an object's name to the other names it goes by; case, underscores and state words do not matter.
    origin : where the table comes from, for errors.

    Raises
    ------
    SceneLensError : a name that would fold into two objects; both are named.

    Examples
    --------
    >>> fold = Folding({"painting": ["paintings"], "ferris wheel": ["big wheel"]})
    >>> fold("Paintings"), fold("ferris_wheel"), fold("person sitting crop"), fold("bed, wooden")
    ('painting', 'ferris wheel', 'person', 'bed')
    """

    def __init__(self, table: Mapping[str, Iterable[str]], origin: str = "the table of object names") -> None:
        self._homes: dict[str, str] = {}
        for name, others in table.items():
            home = _plain(name)
            for one in (name, *others):
                if self._homes.setdefault(_plain(one), home) != home:
                    raise SceneLensError(
                        f"{origin}: {one!r} stands under {self._homes[_plain(one)]!r} and under {name!r}; "
                        "a name folds into one object, so take it off one of the two lines."
                    )

    def __len__(self) -> int:
        return len(self._homes)

    def __call__(self, name: str) -> str:
        """The object that a name means: itself where the table does not know it. Of several names between
        commas the first that the table knows, else the first."""
        whole = _plain(name)
        if whole in self._homes or "," not in name:
            return self._homes.get(whole, whole)
        parts = [part for part in (_plain(one) for one in name.split(",")) if part]
        known = next((part for part in parts if part in self._homes), parts[0] if parts else whole)
        return self._homes.get(known, known)

    def concepts(self, labels: pd.DataFrame) -> pd.DataFrame:
        """A table of labels with its concepts folded, so that "tree" and "trees" count as one answer."""
        names = {name: self(str(name)) for name in labels.concept.unique()}
        return labels.assign(concept=labels.concept.map(names))


def _plain(name: str) -> str:
    return normalise_name(str(name))[0]


@cache
def read_folding(path: str | Path | None = None) -> Folding:
    """Read a table of object names.

    Parameters
    ----------
    path : a TOML file; without it the package's own, data/object_names.toml.

    Raises
    ------
    SceneLensError : no such file, no TOML (with the place), a line that is no list of names, a name on two
        lines.

    Examples
    --------
    >>> read_folding()("windowpane")
    'window'
    """
    file = Path(path) if path is not None else data_folder() / "object_names.toml"
    try:
        table: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SceneLensError(f"{file} cannot be read ({error.strerror}); it is a table of names.") from None
    except ValueError as error:  # TOML and text encoding alike
        raise SceneLensError(
            f"{file} is no TOML ({error}); write lines such as: painting = ['paintings']"
        ) from None
    for name, others in table.items():
        if not isinstance(others, list) or not all(isinstance(one, str) for one in others):
            raise SceneLensError(
                f"{file}: {name!r} must be a list of the names that fold into it, such as ['{name}s']."
            )
    return Folding(table, str(file))

"""Object names: different spellings of a name become one, and so do plurals and synonyms.

Two steps. `normalise_name` follows rules: case, underscores, stray marks, words for states. Plurals and
synonyms need a table (`Folding`), because no rule knows that a windowpane is a window. The package's table is
``data/object_names.toml``: one line per object, its name on the left, the other names for it on the right.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pandas as pd

from scenelens.errors import SceneLensError
from scenelens.installation import HERE

# Words at a name's end that say how an object is seen, not what it is.
_STATES = frozenset(
    (
        "closed",
        "crop",
        "cropped",
        "frontal",
        "lying",
        "occlude",
        "occluded",
        "open",
        "opened",
        "rear",
        "running",
        "sitting",
        "standing",
        "truncated",
        "walking",
        "whole",
    )
)
_AZIMUTH = re.compile(r"az\d+deg")
_LONGEST = 200  # characters of a name: annotators' names are shorter, and a table must stay readable
_MARKS = re.compile(r"[\\_!@#\x00-\x1f\s]+")


def normalise_name(raw: str) -> tuple[str, tuple[str, ...]]:
    """The name of an object, and the states that were written behind it.

    The name is in lower case, with single spaces and without %20, back-slashes and stray marks. Words for
    states ("sitting", "crop", azimuths) and numbers are taken off its end, but the first word always stays.
    Plurals stay too: they need a table, see `Folding`.

    Parameters
    ----------
    raw : str
        The name as an annotator wrote it.

    Returns
    -------
    name : str
        The name; '' where nothing is left of it.
    states : tuple of str
        The words that were taken off.

    Examples
    --------
    >>> normalise_name(" Person sitting%20CROP "), normalise_name("wall 2"), normalise_name("!@#")
    (('person', ('sitting', 'crop')), ('wall', ('2',)), ('', ()))
    """
    return _normalised(_plain_text(raw))


@lru_cache(maxsize=4096)  # a set of annotations has far more objects than names
def _normalised(raw: str) -> tuple[str, tuple[str, ...]]:
    words = _MARKS.sub(" ", unquote(raw)).strip(" .,;:-").lower().split()
    end = len(words)
    while end > 1 and _is_state(words[end - 1]):
        end -= 1
    return " ".join(words[:end]), tuple(words[end:])


def _plain_text(text: object, most: int = _LONGEST) -> str:
    """A text from a file as one that every page, table and file can hold.

    Parameters
    ----------
    text : object
        What the file has in the text's place. Only texts and numbers count.
    most : int, optional
        The number of characters after which the text is cut off (default 200).

    Returns
    -------
    str
        The text without half characters, which JSON can hold and UTF-8 cannot; '' for anything else.

    Examples
    --------
    >>> [_plain_text(value) for value in ("bed", 7, ["bed"], "\\ud800!")], _plain_text("carpet", 3)
    (['bed', '7', '', '?!'], 'car...')
    """
    if not isinstance(text, str | int | float) or isinstance(text, bool):
        return ""
    clean = str(text).encode("utf-8", "replace").decode()
    return clean if len(clean) <= most else clean[:most] + "..."


def _is_state(word: str) -> bool:
    return word in _STATES or word.isdigit() or _AZIMUTH.fullmatch(word) is not None


class Folding:
    """A table of synonyms that folds many names into one per object. Call it with a name.

    Parameters
    ----------
    table : mapping of str to iterable of str
        An object's name, and the other names for it. Case, underscores and words for states do not matter.
    origin : str, optional
        Where the table comes from, for errors.

    Raises
    ------
    SceneLensError
        If a name would fold into two objects; both are named.

    Examples
    --------
    >>> fold = Folding({"painting": ["paintings"], "ferris wheel": ["big wheel"]})
    >>> fold("Paintings"), fold("ferris_wheel"), fold("person sitting crop"), fold("bed, wooden")
    ('painting', 'ferris wheel', 'person', 'bed')
    """

    def __init__(self, table: Mapping[str, Iterable[str]], origin: str = "the table of object names") -> None:
        self._homes: dict[str, str] = {}
        for name, others in table.items():
            home = _without_states(name)
            for one in (name, *others):
                known = self._homes.setdefault(_without_states(one), home)
                if known != home:
                    raise SceneLensError(
                        f"{origin}: {one!r} stands under {known!r} and under {name!r}; "
                        "a name folds into one object, so remove it from one of the two lines."
                    )

    def __len__(self) -> int:
        return len(self._homes)

    def __call__(self, name: str) -> str:
        """The object that a name means; the name itself where the table does not contain it.

        Of several names between commas the first that the table contains counts, else the first.
        """
        whole = _without_states(name)
        if whole in self._homes or "," not in name:
            return self._homes.get(whole, whole)
        parts = [part for part in (_without_states(one) for one in name.split(",")) if part]
        known = next((part for part in parts if part in self._homes), parts[0] if parts else whole)
        return self._homes.get(known, known)

    def concepts(self, labels: pd.DataFrame) -> pd.DataFrame:
        """Fold the concepts of a table of labels, so that "tree" and "trees" count as one answer.

        Parameters
        ----------
        labels : pandas.DataFrame
            With a column ``concept``.

        Returns
        -------
        pandas.DataFrame
            The same table with folded concepts.
        """
        # Each name once: a table has far more rows than names.
        names = {name: self(str(name)) for name in labels.concept.unique()}
        return labels.assign(concept=labels.concept.map(names))

    @classmethod
    @cache
    def read(cls, path: str | Path | None = None) -> Folding:
        """Read a table of object names.

        Parameters
        ----------
        path : str or pathlib.Path, optional
            A TOML file (default: the package's own, data/object_names.toml).

        Returns
        -------
        Folding
            The table, to be called with a name.

        Raises
        ------
        SceneLensError
            If there is no such file, it is not valid TOML, a line is not a list of names, or a name is in two
            lines.

        Examples
        --------
        >>> Folding.read()("windowpane")
        'window'
        """
        file = Path(path) if path is not None else HERE.data / "object_names.toml"
        try:
            table: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8-sig"))
        except OSError as error:
            raise SceneLensError(
                f"{file} cannot be read ({error.strerror}); it is a table of names."
            ) from None
        except ValueError as error:  # TOMLDecodeError and UnicodeDecodeError alike
            raise SceneLensError(
                f"{file} is not valid TOML ({error}); write lines such as: painting = ['paintings']"
            ) from None
        for name, others in table.items():
            if not isinstance(others, list) or not all(isinstance(one, str) for one in others):
                raise SceneLensError(
                    f"{file}: {name!r} must be a list of the names that fold into it, such as ['{name}s']."
                )
        return cls(table, str(file))


def _without_states(name: str) -> str:
    return normalise_name(str(name))[0]

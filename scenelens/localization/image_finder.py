"""Which images of a study a reader of the widget looks for: by name, by category, by an annotated object."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from scenelens.sentences import one_line, percent, words
from scenelens.studies import Study

ALL, MINE = "all", "my photos"
SETS = ("selection", "calibration", "test")
SHOWN = (ALL, *SETS, MINE)
ORDERS = ("folder", "name", "size of the object")
_LONGEST = 90  # characters of a line in a list


class _ImageFinder:
    """The images of a study, to be found by what they are called and by what is annotated on them.

    Parameters
    ----------
    study : Study
        A study with annotations.
    paths : mapping of str to pathlib.Path
        Id -> file of all its images.
    """

    def __init__(self, study: Study, paths: Mapping[str, Path]) -> None:
        self._study, self._paths = study, paths
        categories = zip(study.images.image, study.images.category, strict=True)
        self._named = {str(image): _plain(f"{image} {category}") for image, category in categories}
        known = study.need_annotations()
        ids = {str(path): image for image, path in paths.items()}
        self._ids = {name: ids[str(known.path(name))] for name in known.images}  # by the annotations' own
        self._objects: pd.DataFrame | None = None

    def find(
        self,
        text: str,
        shown: str,
        order: str,
        sets: Mapping[str, Sequence[str]],
        uploads: Iterable[str],
    ) -> list[tuple[str, str]]:
        """The images that a reader looks for.

        Parameters
        ----------
        text : str
            A part of the image's id, of its category, or of the name of an object on it; '' for any.
        shown : str
            One of `SHOWN`.
        order : str
            One of `ORDERS`.
        sets : mapping of str to sequence of str
            Which images select, calibrate and test, by the annotations' ids.
        uploads : iterable of str
            The reader's own images.

        Returns
        -------
        list of tuple of str
            A line that names the image, with the object that was found on it, and the image's id.
        """
        asked, own = _plain(text), list(uploads)
        shares = self._shares(asked)
        among = own if shown == MINE else [*self._paths, *own]
        if shown in SETS:
            members = {self._ids[name] for name in sets[shown]}
            among = [image for image in among if image in members]
        found = [
            image for image in among if asked in self._named.get(image, _plain(image)) or image in shares
        ]
        if order == "name":
            found.sort(key=lambda image: _plain(Path(image).name))
        if order == "size of the object":
            found.sort(key=lambda image: -shares.get(image, ("", 0.0))[1])
        return [(_line(image, *shares.get(image, ("", 0.0))), image) for image in found]

    def _shares(self, asked: str) -> dict[str, tuple[str, float]]:
        """Image -> the object of that name which covers most of it, and its share of the pixels."""
        if not asked:
            return {}
        table = self._table()
        named = table[table.plain.str.contains(asked, regex=False)]
        sums = named.groupby(["image", "object"], sort=False).share.sum().reset_index()
        best = sums.sort_values("share", ascending=False, kind="stable").drop_duplicates("image")
        rows = [row for row in best.itertuples() if row.image in self._ids]
        return {self._ids[row.image]: (str(row.object), float(row.share)) for row in rows}

    def _table(self) -> pd.DataFrame:
        """All annotated objects, read at the first search; the annotations keep them in their cache."""
        if self._objects is None:
            table = self._study.need_annotations().objects()
            self._objects = table.assign(plain=table.object.map(_plain))
        return self._objects


def _plain(text: object) -> str:
    """A name as it is compared.

    >>> _plain("Traffic_Light ")
    'traffic light'
    """
    return str(text).replace("_", " ").strip().casefold()


def _line(image: str, thing: str, share: float) -> str:
    """The line of one image in the list.

    >>> _line("attic/3.png", "bed", 0.25)
    'attic/3.png · bed 25%'
    """
    name = one_line(image)[-_LONGEST // 2 :]
    return f"{name} · {words(one_line(thing))} {percent(share)}"[:_LONGEST] if thing else name

"""What the notebooks will be able to answer on a study, and what they will not: said before the first run."""

from __future__ import annotations

from collections.abc import Iterable

from scenelens.errors import SceneLensError
from scenelens.minimal_images import choose_categories
from scenelens.new_study.draft import _quoted
from scenelens.paper import SOURCES
from scenelens.sentences import one_line
from scenelens.studies import Study

_FEW = 100  # photographs: the top 100 of section 2 are then all of them
_PAIR = "a scene and an object network, and scene-centric and object-centric photographs"
_KNOWN = "photographs in folders that are named like the network's classes"


class _Outlook:
    """What a study has, and what the notebooks can answer on it, in sentences.

    Parameters
    ----------
    study : Study
        The open study.
    """

    def __init__(self, study: Study) -> None:
        self._study = study

    def photographs(self) -> list[str]:
        """Say what photographs a study has, and which of their categories its networks know.

        Returns
        -------
        list of str
            Sentences.
        """
        lines = []
        for source, images in self._study.images.groupby("source", sort=False):
            names = [name for name in images.category.unique() if name not in ("", ".")]
            where = f"in {len(names)} categories ({_counted(names)})" if names else "without categories"
            lines.append(f"{len(images):,} {source} photographs {where}.")
        for name in self._study.networks:
            lines += _matched(self._study, name)
        return lines

    def answers(self) -> list[tuple[bool, str]]:
        """Say for each notebook whether a study can answer its questions.

        Returns
        -------
        list of tuple
            (whether it can, a sentence), notebook after notebook.
        """
        pair = {"scene", "object"} <= set(self._study.networks) and self._study.images.source.nunique() == 2
        _, annotated = _annotated(self._study)
        objects = "annotations of objects"
        return [
            _said(pair, "02", "which images each network's layers prefer", _PAIR),
            _said(_knows_categories(self._study), "03_1", "minimal images", _KNOWN),
            (True, "03_2: receptive fields."),
            (True, "03_3: what people name units."),
            _said(annotated, "03_3", "automatic names of units", objects),
            _said(annotated, "04_1", "which objects emerge", objects),
            _said(annotated, "04_2", "finding objects in one pass", objects),
            _said(_knows_categories(self._study), "05", "what units are for", _KNOWN),
        ]

    def cautions(self) -> list[str]:
        """Say where answers will mean little, and which annotations cannot be read.

        Returns
        -------
        list of str
            Sentences; none where there is nothing to say.
        """
        n, (notes, _) = len(self._study.images), _annotated(self._study)
        few = f"02: with {n} photographs the top 100 are all of them: shares equal chance."
        return [*([few] if n < _FEW else []), *notes]


def _matched(study: Study, name: str) -> list[str]:
    """Which categories of its own kind of photographs a network has a class for."""
    own = study.images.source == SOURCES.get(name, "")
    images = study.images[own]
    names = [one for one in images.category.unique() if one not in ("", ".")]
    classes = study.networks[name].class_names
    if not names:
        return []
    unknown = [one for one in names if not classes.find(one)]
    shared = [one for one in names if len(classes.find(one)) > 1]
    known = len(names) - len(unknown) - len(shared)
    said = [f"The {name} network has a class for {known} of these {len(names)} categories."]
    if unknown:
        said.append(
            f"It has none for {_counted(unknown)}; if a class means one of these, say so by the key "
            f"categories of [[images]]. Its classes: {_counted(classes)}."
        )
    if shared:
        meant = f"{_quoted(shared[0])} = {_quoted(classes[classes.find(shared[0])[0]])}"
        said.append(
            f"Several of its classes have the name of {_counted(shared)}. The key categories = {{ {meant} }} "
            "of [[images]] says which is meant."
        )
    return said


def _said(can: bool, notebook: str, question: str, needs: str) -> tuple[bool, str]:
    return can, f"{notebook}: {question}." if can else f"{notebook}: not {question}, which needs {needs}."


def _knows_categories(study: Study) -> bool:
    """Whether section 3.1 finds a category to begin with, by its own rule."""
    try:
        return bool(choose_categories(study))
    except SceneLensError:
        return False  # no category, or annotations that cannot be read, which is said elsewhere


def _annotated(study: Study) -> tuple[list[str], bool]:
    """Notes about the annotations, and whether there are some."""
    try:
        known = study.annotations
    except SceneLensError as error:
        return [f"The annotations cannot be read: {error}"], False
    if known is None:
        return [], False
    n = len(known.images)
    few = f"Only {n} photographs are annotated; below about 100, intervals are wide: conclude little."
    return ([few] if n < _FEW else []), True


def _counted(names: Iterable[str], most: int = 5) -> str:
    """Name a few of many, as a part of a sentence.

    >>> _counted(["a", "b"]), _counted("abcd", most=2)
    ('a, b', 'a, b and 2 more')
    """
    known = [one_line(name) for name in names]
    more = f" and {len(known) - most} more" if len(known) > most else ""
    return ", ".join(known[:most]) + more

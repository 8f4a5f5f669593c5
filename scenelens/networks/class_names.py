"""The class names of a network: one for each output, and which of them a category of photographs means.

Two classes may have one name: ImageNet has a bird and a machine that are called crane. Such names get the
number of their class behind them, so that a name means one class wherever it is shown or compared.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from scenelens.networks.class_lists import _read_list
from scenelens.networks.torchvision_shim import load_torchvision

_WNID = re.compile(r"^(n\d{8})(?:[\s_-]+|$)")
# Characters that stand between words, and those that nobody sees, except the joiner within an emoji.
_BETWEEN = re.compile(r"[\s_/\\.,:;'\"()\[\]]")
_UNSEEN = re.compile("[\u200b\u200c\u200e\u200f\u2060\ufeff\ufe00-\ufe0f]")


class ClassNames(Sequence):
    """Names in the order of a network's outputs; those that two classes share have their number behind them.

    Parameters
    ----------
    names : iterable of str
        As they are written in the list. Places' letter (``/a/``) is taken off.
    wnids : iterable of str, optional
        ImageNet's number of each class, such as ``"n01440764"``; a folder may be named so.
    card : dict, optional
        The model card that the names stood in.
    note : str, optional
        How the list was understood, where that was not obvious.

    Examples
    --------
    >>> names = ClassNames(["crane", "great white shark, white shark", "crane"])
    >>> list(names)
    ['crane (0)', 'great white shark, white shark', 'crane (2)']
    >>> names.find("White_Shark"), names.find("crane"), names.find("crane (2)"), names.find("stork")
    ([1], [0, 2], [2], [])
    """

    def __init__(
        self,
        names: Iterable[str],
        wnids: Iterable[str] = (),
        card: dict[str, Any] | None = None,
        note: str = "",
    ) -> None:
        self.given = [re.sub(r"^/[a-z]/", "", str(name).strip()) for name in names]
        self.wnids, self.card, self.note = list(wnids), dict(card or {}), note
        self._unique = self._numbered()

    def _numbered(self) -> list[str]:
        shared = {key for key, numbers in self._by_name.items() if len(numbers) > 1}
        return [f"{name} ({n})" if _folded(name) in shared else name for n, name in enumerate(self.given)]

    def __getitem__(self, number: Any) -> Any:
        return self._unique[number]

    def __len__(self) -> int:
        return len(self._unique)

    def __iter__(self) -> Iterator[str]:
        return iter(self._unique)

    def __repr__(self) -> str:
        ends = f": {self[0]} ... {self[-1]}" if len(self) > 1 else f": {self[0]}" if self._unique else ""
        return f"{len(self):,} classes{ends}"

    @cached_property
    def _by_name(self) -> dict[str, list[int]]:
        return _numbers(enumerate(self.given))

    @cached_property
    def _by_unique_name(self) -> dict[str, list[int]]:
        return _numbers(enumerate(self._unique))

    @cached_property
    def _by_synonym(self) -> dict[str, list[int]]:
        parts = ((number, one) for number, name in enumerate(self.given) for one in name.split(","))
        return _numbers(parts)

    @cached_property
    def _by_wnid(self) -> dict[str, list[int]]:
        return _numbers(enumerate(self.wnids))

    def find(self, category: str) -> list[int]:
        """Return the numbers of the classes that a category means.

        Names are compared as they are written, in any script; upper and lower case are alike, and so are
        spaces, underscores, hyphens, slashes and the other marks between words. ImageNet's names list
        synonyms, separated by commas: any of them counts where no whole name fits.

        Parameters
        ----------
        category : str
            The category of an image, from its folder, its file's name or an annotation; it may be, or begin
            with, ImageNet's number.

        Returns
        -------
        list of int
            Empty where no class is meant, and several where classes share the name.
        """
        numbered = _WNID.match(category)
        if numbered and self.wnids:
            return self._by_wnid.get(numbered[1], [])
        name = _folded(_WNID.sub("", category) or category)
        for table in (self._by_unique_name, self._by_name, self._by_synonym):
            if name in table:
                return table[name]
        return []

    @classmethod
    def read(cls, path: str | Path) -> ClassNames:
        """Read the class names of a file.

        Parameters
        ----------
        path : str or Path
            A text file with one class a line: plain, Places' ``/a/abbey 0``, ImageNet's ``n01440764 tench,
            Tinca tinca``, or with a number before or behind each name; a CSV file; a JSON file or Python text
            with a list, a dict from number to name (or from name to number), or a model card with a key
            ``classes``. Numbers decide the order; they go from 0 or from 1. UTF-8 or UTF-16.

        Returns
        -------
        ClassNames
            The names: those of ImageNet without their number, which is kept in ``wnids``.

        Raises
        ------
        SceneLensError
            If the file is missing or empty, if its numbers leave one out or come twice, or if it cannot be
            told which part of a line is the name.

        Examples
        --------
        >>> import tempfile; file = Path(tempfile.mkdtemp()) / "classes.txt"
        >>> _ = file.write_text("2 den\\n0 abbey\\n1 bar\\n")
        >>> list(ClassNames.read(file))
        ['abbey', 'bar', 'den']
        """
        found = _read_list(Path(path))
        return cls(found.names, found.wnids, found.card, found.note)

    @classmethod
    def imagenet(cls) -> ClassNames:
        """Return the 1000 classes of ImageNet, by torchvision's names and with their numbers.

        Returns
        -------
        ClassNames
            In the order of the outputs of torchvision's and timm's networks.

        Notes
        -----
        The numbers are WordNet's of 2012, in the order of the challenge's classes: the same list as timm's
        (Apache License 2.0).
        """
        names = load_torchvision().models.SqueezeNet1_1_Weights.IMAGENET1K_V1.meta["categories"]
        wnids = Path(__file__).with_name("imagenet_wnids.txt").read_text("ascii").split()
        return cls(names, wnids)


def _numbers(pairs: Iterable[tuple[int, str]]) -> dict[str, list[int]]:
    """Folded name -> the numbers of the classes that have it."""
    found: dict[str, list[int]] = {}
    for number, name in pairs:
        if number not in found.setdefault(_folded(name), []):
            found[_folded(name)].append(number)
    return found


def _folded(name: str) -> str:
    """A name for comparison: letters of any script stay; case and what stands between words do not count.

    >>> _folded("Great_White-Shark"), _folded("厨房") == _folded("沙漠"), _folded("???")
    ('great white shark', False, '???')
    """
    plain = unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
    seen = _UNSEEN.sub("", plain)
    spaced = "".join(" " if _stands_between(one) else one for one in seen)
    return " ".join(spaced.split()) or plain.strip()


def _stands_between(character: str) -> bool:
    # Dashes, connectors and quotation marks of any script.
    return bool(_BETWEEN.match(character)) or unicodedata.category(character) in ("Pd", "Pc", "Pi", "Pf")

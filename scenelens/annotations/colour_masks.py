"""Annotations that are masks: in each mask a colour, or a number (an index), stands for a class."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from scenelens.annotations.instances import InstanceAnnotations
from scenelens.annotations.interface import Instance, LabelMap, Shape
from scenelens.annotations.names import _plain_text
from scenelens.annotations.sources import MOST_CODE, SourceFile
from scenelens.errors import SceneLensError

#: The name of a colour or a code that stands for nothing.
UNLABELLED = "unlabelled"
_MOST_UNKNOWN = 20  # unknown colours that the report names: a photograph in a mask's place has a million
#: What index masks use for pixels of no class, unless they are named.
EMPTY_CODES = (0, 255)
#: Folders in which masks are looked for, the first that is there.
MASK_FOLDERS = ("labels", "annotations", "masks", "SegmentationClassPNG", "SegmentationClass", "gt")
# Names for pixels of no class in lists of classes.
_NO_CLASS = re.compile(r"_*(unlabell?ed|background|void|ignored?|unannotated)_*", re.I)


class _CodedMasks(InstanceAnnotations):
    """Photographs with masks of the same name, .png, in which a code stands for a class.

    A class is one instance per image, because a mask does not say where one window ends and the next begins.
    Pixels of a code without a name are unlabelled, and counted in the report.
    """

    _reads_in_processes = True

    _what = "code"  # what stands for a class, for the report
    _span = MOST_CODE + 1  # codes that there may be
    _names: Mapping[int, str]  # of the codes; `UNLABELLED` for pixels of no class

    def _open(
        self,
        root: Path,
        cache: str | Path | None,
        images: str | Path | None,
        labels: str | Path | None,
        folders: Sequence[str],
    ) -> None:
        base = images or SourceFile.subfolder(root, "images", "JPEGImages")
        if base is None:
            raise SceneLensError(f"{root} has no folder of photographs, images; name it: images = '...'.")
        place = Path(labels or SourceFile.subfolder(root, *folders) or root / folders[0])
        notes: list[tuple[str, str, str]] = []
        found = self._photographs_below(Path(base), notes)
        sources = SourceFile.pairs(found, [place], ".png")
        if not sources:
            raise SceneLensError(
                f"{place} contains no mask of any photograph in {base}: a .png of the photograph's name."
            )
        missing = (image for image in found if image not in sources)
        notes += [(image, "not annotated", str((place / image).with_suffix(".png"))) for image in missing]
        super().__init__({image: found[image] for image in sources}, sources, cache, notes)

    def instances(self, image: str, shape: Shape | None = None) -> tuple[np.ndarray, list[Instance]]:
        """Which class each pixel shows.

        Parameters
        ----------
        image : str
            The image's id.
        shape : tuple of int, optional
            (H, W) of the result (default: the photograph's size).

        Returns
        -------
        ids : numpy.ndarray
            (H, W) int32; k + 1 where the k-th class is, 0 for none.
        instances : list of Instance
            One for each class, also for those that are not on the image.
        """
        named = {code: name for code, name in self._names.items() if name != UNLABELLED}
        names = list(dict.fromkeys(named.values()))
        numbers = {name: number for number, name in enumerate(names, start=1)}
        # A table of all codes: its pages are only touched where the mask has these codes.
        codes = np.zeros(self._span, np.int32)
        codes[list(named)] = [numbers[name] for name in named.values()]
        packed = self._packed(image)
        for rows in self._strips(packed):
            packed[rows] = codes[packed[rows]]
        found = LabelMap(packed, {}).resized(shape or self.size(image))
        return found.codes, [Instance(name, 0) for name in names]

    def repairs(self, image: str) -> list[tuple[str, str]]:
        """The colours or codes that have no name, and a mask whose size is not the photograph's.

        Parameters
        ----------
        image : str
            The image's id.

        Returns
        -------
        list of tuple of str
            ('unknown colour', the colour and its number of pixels) for the 20 colours of most pixels,
            ('more unknown colours', how many others), ('mask size', both sizes), ('turned', what was assumed
            about a photograph that is turned); of index masks 'code' stands for 'colour'.
        """
        packed, size = self._packed(image), self.size(image)
        known = np.zeros(self._span, bool)
        known[list(self._names)] = True
        counts, found = np.zeros(self._span, np.int64), [np.zeros(0, np.int64)]
        for rows in self._strips(packed):
            strange = packed[rows][~known[packed[rows]]]
            # The new codes of this strip; a search for them in `counts` would read 16 million numbers.
            found.append(np.unique(strange[counts[strange] == 0]))
            np.add.at(counts, strange, 1)
        unknown = np.sort(np.concatenate(found))
        most = np.sort(unknown[np.argsort(-counts[unknown], kind="stable")][:_MOST_UNKNOWN])
        notes = [(f"unknown {self._what}", f"{self._shown(v)} in {counts[v]} pixels") for v in most.tolist()]
        if len(unknown) > _MOST_UNKNOWN:
            rest = int(counts[unknown].sum() - counts[most].sum())
            others = f"{len(unknown) - len(most)} others in {rest} pixels"
            notes.append((f"more unknown {self._what}s", others))
        if packed.shape != size:
            notes.append(("mask size", f"the mask has {packed.shape}, the photograph {size}; it was resized"))
        return notes + SourceFile(self.sources[image]).mask_repairs(self._frame(image))

    def strange(self, image: str) -> str:
        """Whether not one pixel of a mask has a code that is named.

        Parameters
        ----------
        image : str
            The image's id.

        Returns
        -------
        str
            What is wrong, as a sentence; '' where some pixel has such a code.
        """
        found = np.unique(self._packed(image))
        if np.isin(found, list(self._names)).any():
            return ""
        some = ", ".join(str(self._shown(code)) for code in found[:5].tolist())
        return (
            f"no {self._what} that is named occurs in {self.sources[image]}, which has {some}; name these, "
            "or check the format."
        )

    def _packed(self, image: str) -> np.ndarray:
        """The mask with each pixel's code, int32; the caller may change it."""
        raise NotImplementedError

    def _shown(self, code: int) -> object:
        """A code as the report names it."""
        return code


class ColourMasks(_CodedMasks):
    """Photographs in root/images with masks in root/labels: the same name, .png, a colour for each class.

    A class is one instance per image, because a mask does not say where one window ends and the next begins.
    Pixels of a colour without a name are unlabelled, and counted in the report.

    Parameters
    ----------
    root : str or pathlib.Path
        The folder.
    colours : mapping of str to sequence of int
        The (R, G, B) of each class, 0..255. Name a colour 'unlabelled' if it stands for no class.
    cache : str or pathlib.Path, optional
        A folder for the table of objects (default: the table stays in memory only).
    images : str or pathlib.Path, optional
        The folder of the photographs (default: root/images).
    labels : str or pathlib.Path, optional
        The folder of the masks (default: the first of `MASK_FOLDERS` that is there).

    Raises
    ------
    SceneLensError
        If there is no class, a colour is wrong, two names have one colour, or no photograph has a mask.
    """

    _what, _span = "colour", 1 << 24

    def __init__(
        self,
        root: str | Path,
        colours: Mapping[str, Sequence[int]],
        cache: str | Path | None = None,
        images: str | Path | None = None,
        labels: str | Path | None = None,
    ) -> None:
        self.colours = _packed_colours(colours)
        if not set(self.colours) - {UNLABELLED}:
            raise SceneLensError(f"the masks of {root} need colours: the name and (R, G, B) of each class.")
        self._open(Path(root), cache, images, labels, MASK_FOLDERS)

    @property
    def _names(self) -> Mapping[int, str]:  # type: ignore[override]
        return {colour: name for name, colour in self.colours.items()}

    def _settings(self) -> object:
        return list(self.colours.items())

    def _packed(self, image: str) -> np.ndarray:
        """The mask with each pixel's colour as one number, R * 65536 + G * 256 + B."""
        self._check_image(image)
        mask = SourceFile(self.sources[image]).mask(self._frame(image), colours=True)
        packed = mask[..., 0].astype(np.int32)
        for channel in (1, 2):
            packed <<= 8
            packed |= mask[..., channel]
        return packed

    def _shown(self, code: int) -> object:
        return code >> 16, code >> 8 & 255, code & 255


class _IndexMasks(_CodedMasks):
    """Photographs with PNG masks in which a pixel's value, or its index in the palette, is a class.

    Values of 8 or 16 bits are read, from grey or palette PNGs; colours of the palette mean nothing. 0 and 255
    are pixels of no class unless `classes` names them; other values without a name are counted in the report.

    Parameters
    ----------
    root : str or pathlib.Path
        The folder, with photographs in images/ (or JPEGImages/) and masks in one of `MASK_FOLDERS`.
    classes : mapping, sequence, str or pathlib.Path
        The name of each value; see `class_table`.
    cache, images, labels
        As for `ColourMasks`.
    """

    def __init__(
        self,
        root: str | Path,
        classes: object,
        cache: str | Path | None = None,
        images: str | Path | None = None,
        labels: str | Path | None = None,
    ) -> None:
        self._given = _class_table(classes, root)
        self._open(Path(root), cache, images, labels, MASK_FOLDERS)

    @property
    def _names(self) -> Mapping[int, str]:  # type: ignore[override]
        return dict.fromkeys(EMPTY_CODES, UNLABELLED) | self._given

    def _settings(self) -> object:
        return sorted(self._given.items())

    def _packed(self, image: str) -> np.ndarray:
        self._check_image(image)
        return SourceFile(self.sources[image]).mask(self._frame(image))


def _class_table(given: object, root: str | Path) -> dict[int, str]:
    """The name of each code, from a table of a study, a list, or a file (text or JSON).

    A table maps codes to names, or names to codes. A list counts from 0 and needs the name of no class there
    ('background', say), because nothing else tells where it begins. A text file has a class a line: 'code
    name', or names alone, which is a list.
    """
    origin = "classes"
    if isinstance(given, str | Path):
        origin, given = str(given), _read_classes(Path(given))
    pairs = _pairs(given, origin)
    table: dict[int, str] = {}
    for code, name in pairs:
        name = UNLABELLED if _NO_CLASS.fullmatch(name) else " ".join(name.split())
        if not 0 <= code <= MOST_CODE or table.setdefault(code, name) != name or not name:
            raise SceneLensError(
                f"{origin}: the class {name!r} has the value {code}, which is outside 0..{MOST_CODE} "
                "or has another name, too; give each value one name."
            )
    if not set(table.values()) - {UNLABELLED}:
        raise SceneLensError(
            f"the masks of {root} need classes: a file, or a table such as "
            'classes = { 1 = "wall", 2 = "floor" }.'
        )
    return table


def _pairs(given: object, origin: str) -> list[tuple[int, str]]:
    """(code, name) of a mapping either way round, or of a list that says where it begins."""
    if isinstance(given, Mapping):
        codes = [(_whole(key), value) for key, value in given.items()]
        if all(code is not None and isinstance(name, str) for code, name in codes):
            return [(code, _plain_text(name)) for code, name in codes if code is not None]
        turned = [(_whole(value), _plain_text(key)) for key, value in given.items()]
        if all(code is not None for code, _ in turned):
            return [(code, name) for code, name in turned if code is not None]
    elif isinstance(given, list | tuple) and all(isinstance(name, str) for name in given):
        if not given or _NO_CLASS.fullmatch(given[0]):
            return list(enumerate(map(_plain_text, given)))
        raise SceneLensError(
            f"{origin}: nothing says whether {given[0]!r} is the value 0 or 1; write the value before each "
            f"name, such as '1 {given[0]}'."
        )
    raise SceneLensError(f"{origin}: expected a table of values and names, or a list of names.")


def _whole(value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return int(value) if isinstance(value, str) and re.fullmatch(r"\s*\d{1,6}\s*", value) else None


def _read_classes(path: Path) -> object:
    """What a file of classes says: a mapping or a list of names."""
    if path.suffix.lower() == ".json":
        value, certain = SourceFile(path).json("a table of classes")
    else:
        value, certain = SourceFile.decoded(SourceFile(path).read())
    if not certain:
        raise SceneLensError(f"the classes in {path} are in an unknown encoding; save the file as UTF-8.")
    if not isinstance(value, str):
        return value
    text = value
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    rows = [re.fullmatch(r"(\d{1,6})\s*[\s,;:=]\s*(.+)", line) for line in lines]
    if not all(rows):
        return lines
    codes = [int(row[1]) for row in rows if row]
    if len(set(codes)) < len(codes):
        raise SceneLensError(f"{path}: a value stands before two names; give each value one name.")
    return {int(row[1]): row[2].strip("\"' ") for row in rows if row}


def _packed_colours(colours: Mapping[str, Sequence[int]]) -> dict[str, int]:
    if not isinstance(colours, Mapping):
        raise SceneLensError(f"colours are a table of names and (R, G, B), not {colours!r}.")
    packed: dict[str, int] = {}
    owners: dict[int, str] = {}
    for name, colour in colours.items():
        packed[name] = _packed_colour(name, colour)
        owner = owners.setdefault(packed[name], name)
        if owner != name:
            raise SceneLensError(
                f"{owner!r} and {name!r} have the same colour {tuple(colour)}; a colour stands for one "
                "class, so change or remove one of the two."
            )
    return packed


def _packed_colour(name: str, colour: Sequence[int]) -> int:
    values = list(colour) if isinstance(colour, Sequence) else []
    if len(values) != 3 or not all(type(v) is int and 0 <= v <= 255 for v in values):
        raise SceneLensError(f"the colour of {name!r} is (R, G, B), whole numbers in 0..255, not {colour!r}.")
    return values[0] * 65536 + values[1] * 256 + values[2]

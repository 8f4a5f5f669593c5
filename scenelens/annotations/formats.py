"""The formats of annotations: what each reads, how it is named in a study.toml, and what a folder looks like.

One table, `ANNOTATION_FORMATS`, from which studies are opened, errors name formats, and the README's table is
made. Another format needs one more entry and nothing else.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

from scenelens.annotations.ade20k import ADE20K
from scenelens.annotations.coco import _Coco
from scenelens.annotations.colour_masks import MASK_FOLDERS, ColourMasks, _IndexMasks
from scenelens.annotations.interface import Annotations
from scenelens.annotations.labelme_json import _LabelmeJson
from scenelens.annotations.sources import SourceFile
from scenelens.annotations.sun import AnnotatedImages
from scenelens.annotations.voc import _Voc
from scenelens.errors import SceneLensError, close_names

_OF_EVERY_FORMAT = ("name", "root", "format", "images", "labels")  # keys of a table of any format


class _Format(NamedTuple):
    """One format.

    Attributes
    ----------
    name : str
        Its name in a study.toml.
    reads : str
        What it reads, as an entry of the README's table.
    make : callable
        Opens a folder: takes the folder, a folder to cache in or None, and `keys` by name.
    keys : tuple of str, optional
        Keys of the study's table besides root, format, name, images and labels.
    example : str, optional
        Such keys, as they are written in the file.
    needs_keys : bool, optional
        Whether `keys` must be given.
    """

    name: str
    reads: str
    make: Callable[..., Annotations]
    keys: tuple[str, ...] = ()
    example: str = ""
    needs_keys: bool = False

    def open(self, root: str | Path, cache: str | Path | None = None, **given: Any) -> Annotations:
        """Open a folder of this format.

        Parameters
        ----------
        root : str or pathlib.Path
            The folder.
        cache : str or pathlib.Path, optional
            A folder for the table of objects (default: the table stays in memory only).
        **given : object
            ``images`` and ``labels``, the folders of photographs and annotations where they are not found
            below `root`, and `keys`.

        Returns
        -------
        Annotations
            The annotated photographs.

        Raises
        ------
        SceneLensError
            If the folder is missing, has no annotations of this format (the sentence names the one that it
            looks like), a key is not one of this format's, or one that it needs is not given.
        """
        root = Path(root)
        self.check_keys(given)
        if not root.is_dir():
            what = "is a file and no folder" if root.exists() else "does not exist"
            unpack = "; unpack it first" if root.suffix.lower() in (".zip", ".gz", ".tar", ".tgz") else ""
            raise SceneLensError(f"the folder of annotations {root} {what}{unpack}.")
        try:
            found = self.make(root, cache=cache, **given)
            self._check_sources(list(getattr(found, "sources", {}).values())[:_FIRST])
            if self.name in ("index-mask", "colour-mask"):
                _check_masks(found)
            return found
        except SceneLensError as error:
            hint = _looks_like(Path(given.get("labels") or root), self.name)
            if not hint:
                raise
            raise SceneLensError(f"{error} {root} {hint}.") from error

    def check_keys(self, given: Mapping[str, Any]) -> None:
        """Raise if a key is not one of this format's, or one that it needs is missing.

        Parameters
        ----------
        given : mapping of str to object
            A study's table, or the arguments of `open`.

        Raises
        ------
        SceneLensError
            The sentence names the key.
        """
        for key in given:
            if key not in (*_OF_EVERY_FORMAT, *self.keys):
                raise SceneLensError(f"the format {self.name!r} takes no {key!r}; remove it.")
        for key in self.keys if self.needs_keys else ():
            if not given.get(key):
                raise SceneLensError(f"the format {self.name!r} needs {key}, such as {self.example}.")

    def row(self) -> str:
        """Its row of the README's table.

        Returns
        -------
        str
            Markdown: the name, what it reads, further keys.
        """
        example = f"`{self.example}`" if self.example else ""
        return f'| `"{self.name}"` | {self.reads} | {example} |'

    def _check_sources(self, paths: list[Path]) -> None:
        """Refuse files that have the names of this format's and are of another format."""
        kinds = {_kind(path) for path in paths}
        if len(kinds) == 1 and not kinds & {"", self.name} and {*kinds, self.name} - _OF_LABELME:
            raise SceneLensError(f"{paths[0]} is no annotation of the format {self.name}.")


class _Formats(dict[str, _Format]):
    """The formats by name."""

    def named(self, name: str, root: Path) -> _Format:
        """A format by its name.

        Parameters
        ----------
        name : str
            What a study names.
        root : pathlib.Path
            The set's folder, for the error.

        Returns
        -------
        _Format
            The format.

        Raises
        ------
        SceneLensError
            If there is none of this name: with close names, and the format that the folder looks like, or
            what converts it.

        Examples
        --------
        >>> ANNOTATION_FORMATS.named("snu", Path("nowhere"))
        Traceback (most recent call last):
        ...
        scenelens.errors.SceneLensError: format = 'snu' is unknown; close names: sun.
        """
        if name in self:
            return self[name]
        known = next((way for words, way in _CONVERTERS if re.fullmatch(words, name, re.I)), "")
        hint, close = known or _looks_like(root, name), close_names(name, self)
        said = close.startswith("close") and any(f'"{one}"' in hint for one in re.split("[ ,]+", close))
        more = f"; the folder {hint}" if hint and not said else ""
        raise SceneLensError(f"format = {name!r} is unknown; {close}{more}.")

    def guess(self, root: Path) -> str:
        """The format that a folder's files look like.

        Parameters
        ----------
        root : pathlib.Path
            The set's folder.

        Returns
        -------
        str
            The format's name.

        Raises
        ------
        SceneLensError
            If no file looks like annotations that are read; where there is a converter, it is named.
        """
        found = _found_in(root)
        if found in self:
            # The layouts of LabelMe's XML differ in their folders only.
            return (
                "labelme" if found == "sun" and SourceFile.subfolder(root, "Annotations") is None else found
            )
        known = dict(_CONVERTERS).get(found, "")
        reason = f"it {known}" if known else "none of its files looks like annotations"
        raise SceneLensError(f"the folder {root} cannot be used: {reason}; formats: {', '.join(self)}.")


#: Name of a format in a study.toml -> the format; ``ANNOTATION_FORMATS["coco"].open("photos")`` opens one.
ANNOTATION_FORMATS = _Formats(
    (one.name, one)
    for one in (
        _Format("sun", "LabelMe's XML in the SUN layout: `Images/` and `Annotations/`", AnnotatedImages),
        _Format(
            "labelme",
            "LabelMe's XML next to the photographs, or in a folder of its own (CVAT's export 'LabelMe 3.0')",
            AnnotatedImages,
        ),
        _Format(
            "labelme-json",
            "JSON of the program labelme: polygons, rectangles, circles, masks; points and lines are left "
            "out",
            _LabelmeJson,
        ),
        _Format("ade20k", "ADE20K's JSON (release of 2021): polygons and parts", ADE20K),
        _Format(
            "coco",
            "COCO's JSON, one file for all photographs: polygons, run-length masks, boxes; panoptic masks",
            _Coco,
            example='images = "coco/val2017"',
        ),
        _Format(
            "voc",
            "Pascal VOC: XML of boxes in `Annotations/`, and masks in `SegmentationClass/` and "
            "`SegmentationObject/` where there are some",
            _Voc,
            ("classes",),
            'classes = "classes.txt"',
        ),
        _Format(
            "index-mask",
            "PNG masks whose value (8 or 16 bits) or index in the palette is the class; 0 and 255 are no "
            "class unless they are named",
            _IndexMasks,
            ("classes",),
            'classes = { 1 = "wall", 2 = "floor" }',
            needs_keys=True,
        ),
        _Format(
            "colour-mask",
            "PNG masks in which a colour is the class",
            ColourMasks,
            ("colours",),
            "colours = { sky = [0, 128, 128] }",
            needs_keys=True,
        ),
    )
)


# Formats that are not read -> what converts them.
_CONVERT = "export it again as COCO (CVAT, Label Studio, Roboflow and FiftyOne do)"
_CONVERTERS = (
    (r"yolo.*", f"holds boxes of YOLO, which are not read: {_CONVERT}"),
    (r"via|vgg.*", f"holds VGG's VIA annotations, which are not read: {_CONVERT}"),
    (r"cvat.*", "holds CVAT's own XML, which is not read: export it as COCO 1.0 or LabelMe 3.0"),
    (r"cityscapes?", 'may be read as "index-mask" with labels = the folder of *_labelIds.png renamed'),
    (r"open.?images?.*", f"holds Open Images' tables, which are not read: {_CONVERT}"),
    (r"pascal.*|voc\d+", 'may be Pascal VOC: format = "voc"'),
)
_OF_LABELME = {"sun", "labelme", "voc"}  # one reader takes the files of all three
_HEAD = 65_536  # bytes that tell a file's kind
_FIRST = 3  # files of a set that are looked at before it counts as opened
_LOOK_AT = 2000  # files of a folder that are looked at


def _looks_like(root: Path, but: str) -> str:
    """Which format a folder looks like, as the rest of a sentence; '' for none, or for the format `but`."""
    found = _found_in(root)
    if found in ANNOTATION_FORMATS:
        same = found == but or {found, but} == {"sun", "labelme"}
        return "" if same else f'looks like another format: format = "{found}" reads it'
    return dict(_CONVERTERS).get(found, "")


def _found_in(root: Path) -> str:
    """A key of `ANNOTATION_FORMATS` or of `_CONVERTERS`, by the files of a folder; '' for none."""
    kinds = (_kind(path) for path in islice(_files(root), _LOOK_AT))
    return next(filter(None, kinds), "") or _masks_kind(root)


def _files(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        folders.sort()
        yield from (Path(folder, name) for name in sorted(names) if not name.startswith("."))


def _kind(path: Path) -> str:
    """The format of one file of text: a key of `ANNOTATION_FORMATS` or of `_CONVERTERS`, or ''."""
    ending = path.suffix.lower()
    if ending not in (".json", ".xml", ".txt") or not path.is_file():
        return ""
    try:
        with path.open("rb") as file:
            head = SourceFile.decoded(file.read(_HEAD))[0]
    except OSError:
        return ""
    return next((kind for kind, sign in _SIGNS[ending] if re.search(sign, head)), "")


# What the head of a file holds -> its format, by the file's ending. The patterns take time in proportion to
# the text, whatever it is.
_SIGNS = {
    ".json": (
        ("labelme-json", r'"shapes"\s{0,9}:\s{0,9}\['),
        ("ade20k", r'"annotation"\s{0,9}:\s{0,9}\{'),
        (r"via|vgg.*", r'"(_via_settings|region_attributes|shape_attributes)"'),
        ("coco", r'"(images|annotations|categories|licenses)"\s{0,9}:\s{0,9}\['),
    ),
    ".xml": (
        (r"cvat.*", r"<annotations>"),
        ("voc", r"<size>\s{0,99}<(width|height|depth)>"),
        ("sun", r"<annotation[ >]"),
    ),
    ".txt": ((r"yolo.*", r"\A\d{1,5}( [01](\.\d{1,20})?){4}"),),
}


def _check_masks(found: Annotations) -> None:
    """Refuse masks of which none of the first has a single pixel of a named class or of no class."""
    problems = []
    for image in found.images[:_FIRST]:
        try:
            problems.append(found.strange(image))  # type: ignore[attr-defined]
        except SceneLensError as error:
            problems.append(str(error))
    if problems and all(problems):
        raise SceneLensError(problems[0])


def _masks_kind(root: Path) -> str:
    """The kind of a folder's masks, by the first of them."""
    folder = SourceFile.subfolder(root, *MASK_FOLDERS)
    first = next((path for path in _files(folder) if path.suffix.lower() == ".png"), None) if folder else None
    if first is None or not first.is_file():
        return ""
    try:
        with Image.open(first, formats=("PNG",)) as mask:
            return "colour-mask" if mask.mode in ("RGB", "RGBA") else "index-mask"
    except Exception:  # whatever is wrong with it, it tells nothing
        return ""

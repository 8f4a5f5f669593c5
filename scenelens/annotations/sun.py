"""The SUN layout: Images/<folder>/x.jpg with Annotations/<folder>/x.xml in LabelMe's XML.

SceneWorld is written in this layout and read by the same code as SUN2012. Label maps that XML cannot hold
(each pixel's object part and material) may be added: Labels/<folder>/x_parts.png, and the names of all codes
in Labels/parts.json. One XML file is read by `scenelens.annotations.labelme`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from xml.sax.saxutils import escape

import cv2
import numpy as np

from scenelens.annotations.interface import LabelMap, Shape
from scenelens.annotations.labelme import parse_annotation
from scenelens.annotations.names import _plain_text
from scenelens.annotations.outlined import AnnotatedObject, Annotation, PolygonAnnotations
from scenelens.annotations.sources import MOST_CODE, SourceFile
from scenelens.errors import SceneLensError
from scenelens.files import replace_file

# Objects' masks, which some programs store next to photographs.
_MASK = re.compile(r"(^|/)Masks/[^/]*$", re.I)


def write_annotation(
    path: str | Path, filename: str, folder: str, size: Shape, objects: Iterable[AnnotatedObject]
) -> None:
    """Write one photograph's objects as LabelMe XML (an atomic write).

    An object in several pieces becomes several <object>s with the same <instance>. A reader that does not
    know this tag sees the pieces as separate objects, as SUN's annotators marked them.

    Parameters
    ----------
    path : str or pathlib.Path
        The XML's path, Annotations/<folder>/<stem>.xml.
    filename : str
        The photograph's file name.
    folder : str
        The photograph's folder within the data set.
    size : tuple of int
        (H, W) of the photograph in pixels.
    objects : iterable of AnnotatedObject
        They need a name and polygons; `mask_to_polygons` makes polygons of a mask.

    Raises
    ------
    SceneLensError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from scenelens.annotations import mask_to_polygons
    >>> bed = AnnotatedObject("bed", tuple(mask_to_polygons(np.ones((4, 4)))))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_annotation(f"{folder}/a.xml", "a.jpg", "bedroom", (4, 4), [bed])
    ...     parse_annotation(f"{folder}/a.xml").objects[0].name
    'bed'
    """
    things = list(objects)
    numbers = [k if one.instance is None else one.instance for k, one in enumerate(things)]
    pieces = [(one, number, p) for one, number in zip(things, numbers, strict=True) for p in one.polygons]
    # <ispartof> names an object by its id: that of the first piece of the whole.
    first = {number: k for k, (_, number, _) in reversed(list(enumerate(pieces)))}
    imagesize = _tags(nrows=size[0], ncols=size[1])
    texts = [_tags(filename=filename, folder=folder), f"<imagesize>{imagesize}</imagesize>"]
    for k, (one, number, polygon) in enumerate(pieces):
        about = _tags(
            name=one.raw_name or one.name, deleted=0, id=k, instance=number, attributes=one.attributes
        )
        whole = "" if one.part_of is None else f"<parts>{_tags(ispartof=first.get(one.part_of, ''))}</parts>"
        points = "".join(f"<pt><x>{x:.7g}</x><y>{y:.7g}</y></pt>" for x, y in np.asarray(polygon).tolist())
        texts.append(f"<object>{about}{whole}<polygon>{points}</polygon></object>")
    replace_file(path, f"<annotation>{''.join(texts)}</annotation>".encode())


def _tags(**texts: object) -> str:
    """XML elements with their texts, in this order; elements without text are left out."""
    return "".join(f"<{tag}>{escape(str(text))}</{tag}>" for tag, text in texts.items() if text != "")


def write_label_map(root: str | Path, image: str, kind: str, codes: np.ndarray) -> None:
    """Write a label map next to the annotations, as a PNG of 8 or 16 bits.

    Parameters
    ----------
    root : str or pathlib.Path
        The folder of the data set.
    image : str
        The image's id.
    kind : str
        The kind of label map, such as 'parts'.
    codes : numpy.ndarray
        (H, W) int, codes in 0..65535.

    Raises
    ------
    SceneLensError
        If the codes have another shape or range, or the file cannot be written.
    """
    codes = np.asarray(codes)
    if codes.ndim != 2 or codes.min() < 0 or codes.max() > MOST_CODE:
        raise SceneLensError(f"a label map is (H, W) with codes in 0..{MOST_CODE}; {image}'s {kind} are not.")
    png = cv2.imencode(".png", codes.astype(np.uint8 if codes.max() < 256 else np.uint16))[1]
    replace_file(_label_path(Path(root), image, kind), png.tobytes())


def write_legend(root: str | Path, kind: str, names: Mapping[int, str]) -> None:
    """Write what the codes of a kind of label map mean, for all images at once.

    Parameters
    ----------
    root : str or pathlib.Path
        The folder of the data set.
    kind : str
        The kind of label map, such as 'parts'.
    names : mapping of int to str
        The name of each code; 0 is unlabelled.

    Raises
    ------
    SceneLensError
        If the file cannot be written.
    """
    content = json.dumps({str(code): name for code, name in names.items()}, indent=1)
    replace_file(Path(root, "Labels", f"{kind}.json"), content.encode())


def _label_path(root: Path, image: str, kind: str) -> Path:
    return root / "Labels" / Path(image).parent / f"{Path(image).stem}_{kind}.png"


class AnnotatedImages(PolygonAnnotations):
    """Photographs with annotations in LabelMe's XML, in the SUN layout, in other folders, or in one.

    In the SUN layout photographs lie below root/Images and annotations at the same place below
    root/Annotations. Without such folders both lie below root, each XML file next to its photograph, as in
    what CVAT exports as LabelMe. Photographs without an annotation, and annotations without a photograph, are
    left out and named in the report. `Annotations` lists the methods.

    Parameters
    ----------
    root : str or pathlib.Path
        The folder with Images/ and Annotations/, and perhaps Labels/.
    cache : str or pathlib.Path, optional
        A folder for the table of objects (default: the table stays in memory only).
    images : str or pathlib.Path, optional
        The folder of the photographs (default: root/Images, or root).
    labels : str or pathlib.Path, optional
        The folder of the annotations (default: root/Annotations, or that of the photographs).

    Raises
    ------
    SceneLensError
        If no photograph has an annotation.
    """

    _reads_in_processes = True
    # Folders of photographs and of XML files, the first that is there.
    _folders: tuple[tuple[str, ...], tuple[str, ...]] = (("Images",), ("Annotations",))

    def __init__(
        self,
        root: str | Path,
        cache: str | Path | None = None,
        images: str | Path | None = None,
        labels: str | Path | None = None,
    ) -> None:
        self.root = Path(root)
        base = Path(images or SourceFile.subfolder(self.root, *self._folders[0]) or self.root)
        place = Path(labels or SourceFile.subfolder(self.root, *self._folders[1]) or base)
        notes: list[tuple[str, str, str]] = []
        photographs = self._photographs_below(base, notes)
        sources = self._found(photographs, place)
        if not sources:
            raise SceneLensError(f"{place} contains no annotation (.xml) of any image in {base}.")
        missing = (image for image in photographs if image not in sources and not _MASK.search(image))
        notes += [(image, "not annotated", str((place / image).with_suffix(".xml"))) for image in missing]
        known = set(sources.values())
        lone = (path for path in sorted(place.rglob("*.xml")) if path not in known)
        notes += [(path.name, "no photograph", str(path)) for path in lone]
        super().__init__({image: photographs[image] for image in sources}, sources, cache, notes)

    def _found(self, photographs: Mapping[str, Path], place: Path) -> dict[str, Path]:
        """The file of each photograph that is annotated."""
        return SourceFile.pairs(photographs, [place], ".xml")

    @property
    def kinds(self) -> tuple[str, ...]:  # type: ignore[override]
        """'objects', 'parts', and the kinds that have a legend in Labels/ that can be read."""
        legends = self._legends()
        found = dict.fromkeys(["objects", "parts", *sorted(legends)])
        return tuple(kind for kind in found if not isinstance(legends.get(kind), str))

    def annotation(self, image: str) -> Annotation:
        """One image's annotation.

        Parameters
        ----------
        image : str
            The image's id.

        Returns
        -------
        Annotation
            With a size that can be trusted; see `Annotation.drawn_on`.
        """
        self._check_image(image)
        source = self.sources[image]
        return self._placed(_parsed(source, SourceFile(source).stamp()), image)

    def label_map(self, image: str, kind: str = "objects", shape: Shape | None = None) -> LabelMap:
        """Objects, parts or materials. Parts come from Labels/ where it has them, else from polygons.

        Parameters
        ----------
        image : str
            The image's id.
        kind : str, optional
            One of `kinds` (default 'objects').
        shape : tuple of int, optional
            (H, W) of the map (default: the photograph's size).

        Returns
        -------
        LabelMap
            A code for each pixel, and the codes' names.

        Raises
        ------
        SceneLensError
            If there is no map of this kind, or its file is missing.
        """
        legend = self._legends().get(kind)
        if isinstance(legend, str):
            raise SceneLensError(legend)
        if legend is None:
            return super().label_map(image, kind, shape)
        self._check_image(image)
        frame = self._frame(image)
        codes = SourceFile(_label_path(self.root, image, kind)).mask(frame)
        return LabelMap(codes, legend).resized(shape or frame.size)

    def label_files(self) -> list[Path]:
        """The legends and label maps in Labels/.

        Returns
        -------
        list of pathlib.Path
            The files, legends first.
        """
        kinds = sorted(self._legends())
        legends = [self.root / "Labels" / f"{kind}.json" for kind in kinds]
        # As `_label_path`, but made from text: there may be tens of thousands.
        stems = [f"{self.root}/Labels/{image.rpartition('.')[0]}" for image in self.images]
        return legends + [Path(f"{stem}_{kind}.png") for stem in stems for kind in kinds]

    def _file_notes(self) -> list[tuple[str, str, str]]:
        notes = []
        for kind, legend in self._legends().items():
            if isinstance(legend, str):
                notes.append((f"Labels/{kind}.json", "unreadable", legend))
                continue
            for image in self.images:
                if note := self._label_note(image, kind):
                    notes.append((image, *note))
        return notes

    def _label_note(self, image: str, kind: str) -> tuple[str, str] | None:
        """What is wrong with a label map, by the header of its file."""
        path = _label_path(self.root, image, kind)
        try:
            frame = self._frame(image)
            size = SourceFile(path).mask_size(frame)
        except SceneLensError as error:
            return "no label map", str(error)
        if size == frame.size:
            return None
        return "mask size", f"{path.name} has {size}, the photograph {frame.size}; it is resized"

    def _legends(self) -> dict[str, dict[int, str] | str]:
        """The legend of each kind of label map; an error's sentence where it cannot be read."""
        paths = sorted((self.root / "Labels").glob("*.json"))
        return {path.stem: _legend(path, SourceFile(path).stamp()) for path in paths}


# An image's masks, parts and report are often read in a row, and several networks see the same images one
# after the other; reading an annotation takes longer than a network's forward pass. 4096 of about 30 kB each.
@lru_cache(maxsize=4096)
def _parsed(path: Path, changed: tuple[int, int]) -> Annotation:
    """The annotation in a file; `changed`, its `stamp`, makes sure that an edited file is read again."""
    return parse_annotation(path)


@lru_cache(maxsize=64)
def _legend(path: Path, changed: tuple[int, int]) -> dict[int, str] | str:
    """A legend, or the sentence that says why it cannot be read."""
    try:
        content = json.loads(SourceFile.decoded(SourceFile(path).read())[0])
        legend = {int(code): name for code, name in content.items()}
        if all(isinstance(name, str) for name in legend.values()):
            return {code: _plain_text(name) for code, name in legend.items()}
        error: object = "a name is not a text"
    except (ValueError, AttributeError, RecursionError, MemoryError) as found:
        error = found
    return f"{path} is not a legend ({error}): write a JSON object from codes to names, or use write_legend."

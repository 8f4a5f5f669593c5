"""The SUN layout: Images/<folder>/x.jpg with Annotations/<folder>/x.xml in LabelMe's XML.

SceneWorld is written in this layout and read by the same code as SUN2012. Label maps that XML cannot hold
(each pixel's object part and material) may be added: Labels/<folder>/x_parts.png, and the names of all codes
in Labels/parts.json. One XML file is read by `scenelens.annotations.labelme`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cached_property, lru_cache
from pathlib import Path
from xml.sax.saxutils import escape

import cv2
import numpy as np

from scenelens.annotations.interface import LabelMap, Shape
from scenelens.annotations.labelme import parse_annotation
from scenelens.annotations.outlined import AnnotatedObject, Annotation, PolygonAnnotations
from scenelens.errors import SceneLensError
from scenelens.files import replace_file
from scenelens.images import load_mask


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
    if codes.ndim != 2 or codes.min() < 0 or codes.max() > 65535:
        raise SceneLensError(f"a label map is (H, W) with codes in 0..65535; {image}'s {kind} are not.")
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
    """A folder of annotated photographs in the SUN layout.

    Photographs without an annotation, and annotations without a photograph, are left out and named in the
    report. `Annotations` lists the methods.

    Parameters
    ----------
    root : str or pathlib.Path
        The folder with Images/ and Annotations/, and perhaps Labels/.
    cache : str or pathlib.Path, optional
        A folder for the table of objects (default: the table stays in memory only).

    Raises
    ------
    SceneLensError
        If no photograph has an annotation.
    """

    def __init__(self, root: str | Path, cache: str | Path | None = None) -> None:
        self.root = Path(root)
        photographs = self._photographs_below(self.root / "Images")
        sources = {image: self._xml(image) for image in photographs}
        there = {image for image, path in sources.items() if path.exists()}
        if not there:
            raise SceneLensError(
                f"{self.root / 'Annotations'} contains no annotation of any image in Images."
            )
        notes = [(image, "not annotated", str(sources[image])) for image in photographs if image not in there]
        known = set(sources.values())
        lone = (path for path in sorted((self.root / "Annotations").rglob("*.xml")) if path not in known)
        notes += [(path.name, "no photograph", str(path)) for path in lone]
        super().__init__(
            {image: photographs[image] for image in there},
            {image: sources[image] for image in there},
            cache,
            notes,
        )

    @cached_property
    def kinds(self) -> tuple[str, ...]:  # type: ignore[override]
        """'objects', 'parts', and the kinds that have a legend in Labels/."""
        return tuple(dict.fromkeys(["objects", "parts", *sorted(self._legends)]))

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
        return self._placed(_parsed(source, source.stat().st_mtime_ns), image)

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
        if kind in self._legends:
            return self._stored(image, kind, shape)
        return super().label_map(image, kind, shape)

    def _stored(self, image: str, kind: str, shape: Shape | None) -> LabelMap:
        self._check_image(image)
        path = _label_path(self.root, image, kind)
        frame = self._frame(image)
        return LabelMap(load_mask(path, frame), self._legends[kind]).resized(shape or frame.size)

    def _xml(self, image: str) -> Path:
        return (self.root / "Annotations" / image).with_suffix(".xml")

    @cached_property
    def _legends(self) -> dict[str, dict[int, str]]:
        return {path.stem: _legend(path) for path in sorted((self.root / "Labels").glob("*.json"))}


# An image's masks, parts and report are often read in a row, and several networks see the same images one
# after the other; reading an annotation takes longer than a network's forward pass. 4096 of about 30 kB each.
@lru_cache(maxsize=4096)
def _parsed(path: Path, changed: int) -> Annotation:
    """The annotation in a file; `changed` (ns) makes sure that a file that was edited is read again."""
    return parse_annotation(path)


def _legend(path: Path) -> dict[int, str]:
    try:
        return {int(code): str(name) for code, name in json.loads(path.read_text()).items()}
    except (OSError, ValueError, AttributeError) as error:
        raise SceneLensError(
            f"{path} is not a legend ({error}): write a JSON object from codes to names, or use write_legend."
        ) from None

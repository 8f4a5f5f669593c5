"""The SUN layout: Images/<folder>/x.jpg beside Annotations/<folder>/x.xml, in LabelMe's XML.

SceneWorld is written in this layout and read back by the same code as SUN2012. Label maps that XML cannot
hold (each pixel's object part and material) may lie beside: Labels/<folder>/x_parts.png, with the names of
all codes in Labels/parts.json.

Sentences one file, with its traps, is `scenelens.annotations.labelme`'s work; `scenelens.annotations.polygons` knows what is inside an
outline.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cached_property, lru_cache
from pathlib import Path
from xml.sax.saxutils import escape

import cv2
import numpy as np

from scenelens.annotations.interface import LabelMap, Shape, photographs_below, resize_codes
from scenelens.annotations.labelme import parse_annotation
from scenelens.annotations.outlined import AnnotatedObject, Annotation, PolygonAnnotations
from scenelens.errors import SceneLensError
from scenelens.files import replace_file


def write_annotation(
    path: str | Path, filename: str, folder: str, size: Shape, objects: Iterable[AnnotatedObject]
) -> None:
    """Write one photograph's objects as LabelMe XML, atomically.

    A thing in several pieces becomes several <object>s that share one <instance>; a reader that does not know
    the tag sees the pieces as objects of their own, as SUN's annotators marked them.

    Parameters
    ----------
    path : of the XML, Annotations/<folder>/<stem>.xml.
    size : (H, W) of the photograph in pixels.
    objects : name and polygons are needed; `mask_to_polygons` makes polygons of a mask.

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
    """XML elements with text, in this order; those without text are left out."""
    return "".join(f"<{tag}>{escape(str(text))}</{tag}>" for tag, text in texts.items() if text != "")


def write_label_map(root: str | Path, image: str, kind: str, codes: np.ndarray) -> None:
    """Keep a label map beside the annotations: (H, W) codes in 0..65535 as a PNG of 8 or 16 bits."""
    codes = np.asarray(codes)
    if codes.ndim != 2 or codes.min() < 0 or codes.max() > 65535:
        raise SceneLensError(f"a label map is (H, W) with codes in 0..65535; {image}'s {kind} are not.")
    png = cv2.imencode(".png", codes.astype(np.uint8 if codes.max() < 256 else np.uint16))[1]
    replace_file(_label_path(Path(root), image, kind), png.tobytes())


def write_legend(root: str | Path, kind: str, names: Mapping[int, str]) -> None:
    """Write what the codes of a kind of label map mean, for all images at once; 0 is unlabelled."""
    content = json.dumps({str(code): name for code, name in names.items()}, indent=1)
    replace_file(Path(root, "Labels", f"{kind}.json"), content.encode())


def _label_path(root: Path, image: str, kind: str) -> Path:
    return root / "Labels" / Path(image).parent / f"{Path(image).stem}_{kind}.png"


class AnnotatedImages(PolygonAnnotations):
    """A folder in the SUN layout; see `scenelens.annotations.interface.Annotations` for what can be asked.

    Photographs without an annotation, and annotations without a photograph, are left out and named in the
    report.

    Parameters
    ----------
    root : the folder that holds Images/ and Annotations/, and perhaps Labels/.
    cache : where the table of objects is kept; None keeps it in memory.
    """

    def __init__(self, root: str | Path, cache: str | Path | None = None) -> None:
        self.root = Path(root)
        photographs = photographs_below(self.root / "Images")
        sources = {image: self._xml(image) for image in photographs}
        there = {image for image, path in sources.items() if path.exists()}
        if not there:
            raise SceneLensError(f"{self.root / 'Annotations'} holds no annotation of any image in Images.")
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
        """'objects', 'parts' (from polygons at least), and what there are legends for in Labels/."""
        return tuple(dict.fromkeys(["objects", "parts", *sorted(self._legends)]))

    def annotation(self, image: str) -> Annotation:
        """One image's annotation, with a size that can be trusted."""
        self._known(image)
        source = self._sources[image]
        return _parsed(source, source.stat().st_mtime_ns).drawn_on(self.size(image))

    def label_map(self, image: str, kind: str = "objects", shape: Shape | None = None) -> LabelMap:
        """Objects, parts or materials; parts come from Labels/ where they lie, else from polygons."""
        if kind in self._legends:
            return self._stored(image, kind, shape)
        return super().label_map(image, kind, shape)

    def _stored(self, image: str, kind: str, shape: Shape | None) -> LabelMap:
        self._known(image)
        path = _label_path(self.root, image, kind)
        codes = cv2.imread(str(path), cv2.IMREAD_UNCHANGED) if path.exists() else None
        if codes is None or codes.ndim != 2:
            raise SceneLensError(
                f"{path} is missing or no greyscale PNG; write it again with write_label_map."
            )
        return LabelMap(resize_codes(codes, shape or self.size(image)).astype(np.int32), self._legends[kind])

    def _xml(self, image: str) -> Path:
        return (self.root / "Annotations" / image).with_suffix(".xml")

    @cached_property
    def _legends(self) -> dict[str, dict[int, str]]:
        return {path.stem: _legend(path) for path in sorted((self.root / "Labels").glob("*.json"))}


@lru_cache(maxsize=4096)  # of about 30 kB each
def _parsed(path: Path, changed: int) -> Annotation:
    """The annotations last read: an image's masks, parts and report are often asked for in a row, and several
    networks one after the other look at the same images. To read one takes longer than to run a network."""
    return parse_annotation(path)


def _legend(path: Path) -> dict[int, str]:
    try:
        return {int(code): str(name) for code, name in json.loads(path.read_text()).items()}
    except (OSError, ValueError, AttributeError) as error:
        raise SceneLensError(f"{path} is no legend: a JSON object from codes to names ({error}).") from None

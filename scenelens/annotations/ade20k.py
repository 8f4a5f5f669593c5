"""ADE20K's annotations: JSON files of polygons, parts and depth order."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from scenelens.annotations.names import normalise_name
from scenelens.annotations.outlined import (
    AnnotatedObject,
    Annotation,
    PolygonAnnotations,
    Repair,
)
from scenelens.annotations.polygons import has_area
from scenelens.errors import SceneLensError


class ADE20K(PolygonAnnotations):
    """Photographs with ADE20K's JSON of polygons, parts and depth order.

    Photographs (.jpg) lie in root/images, or below root itself. The JSON of each lies next to it, as in the
    data set, or at the same place below root/annotations_full or root/annotations. Of a name's synonyms
    ("floor, flooring") the first is taken.

    Parameters
    ----------
    root : str or pathlib.Path
        The folder.
    cache : str or pathlib.Path, optional
        A folder for the table of objects (default: the table stays in memory only).

    Raises
    ------
    SceneLensError
        If no photograph has an annotation.

    Notes
    -----
    Objects are painted like LabelMe's (see `Annotation.paint`), not by the file's `depth_ordering_rank`. On
    20 images that order agreed with the data set's own masks in 89% to 99.6% of the pixels (98% on average),
    and the rank in as few as 65%.
    """

    def __init__(self, root: str | Path, cache: str | Path | None = None) -> None:
        root = Path(root)
        base = root / "images" if (root / "images").is_dir() else root
        found = {
            image: path for image, path in self._photographs_below(base).items() if path.suffix == ".jpg"
        }
        places = [base, root / "annotations_full", root / "annotations"]
        sources = {image: _first(place / image for place in places) for image in found}
        notes = [
            (image, "not annotated", str(found[image])) for image, source in sources.items() if not source
        ]
        there = {image: source for image, source in sources.items() if source}
        if not there:
            raise SceneLensError(
                f"{root} contains no ADE20K annotation: a .json of the same name as a photograph."
            )
        super().__init__({image: found[image] for image in there}, there, cache, notes)

    def scene(self, image: str) -> str:
        """The scene category: the last of the file's list ['indoor', 'home or hotel', 'bathroom'].

        Parameters
        ----------
        image : str
            The image's id.

        Returns
        -------
        str
            The category; the image's folder where the file has no list.
        """
        self._check_image(image)
        named = _ade_content(self.sources[image]).get("scene") or []
        return str(named[-1]) if named else super().scene(image)

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
        content = _ade_content(self.sources[image])
        notes: list[Repair] = []
        objects = (_ade_object(one, notes) for one in content["object"])
        things = tuple(one for one in objects if one.polygons)
        size = (int(content["imsize"][0]), int(content["imsize"][1])) if content.get("imsize") else None
        for one in things:
            label = f"object {one.instance} ({one.name})"
            notes += [Repair(kind, label) for kind in one.shape_repairs(size)]
        found = Annotation(Path(image).name, str(content.get("folder", "")), size, things, tuple(notes))
        return self._placed(found, image)


def _first(stems: Any) -> Path | None:
    """The first .json that exists among places without the right suffix."""
    return next((path for stem in stems if (path := stem.with_suffix(".json")).exists()), None)


@lru_cache(maxsize=2)  # an image's scene and annotation are usually read in a row
def _ade_content(path: Path) -> dict[str, Any]:
    """The file's `annotation`; some files of older versions are Latin-1."""
    try:
        data = path.read_bytes()
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            text = data.decode("latin-1")
        content = json.loads(text)["annotation"]
        content["object"] = list(content["object"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SceneLensError(
            f"{path} is not an ADE20K annotation ({type(error).__name__}: {error}); repair it or leave it "
            "out."
        ) from None
    return content


def _ade_object(item: dict[str, Any], notes: list[Repair]) -> AnnotatedObject:
    """One object. Where it has no area it gets no polygon, and that is noted."""
    raw = str(item.get("name") or item.get("raw_name") or "")
    name, states = normalise_name(raw.split(",")[0])
    polygon = _ade_polygon(item.get("polygon") or {})
    if not name:
        notes.append(Repair("no name", f"object {item.get('id')}"))
    if polygon is None:
        notes.append(Repair("no area", f"object {item.get('id')} ({raw})"))
    whole = (item.get("parts") or {}).get("ispartof")
    whole = whole[0] if isinstance(whole, list) and whole else whole
    return AnnotatedObject(
        name or "unnamed",
        () if polygon is None else (polygon,),
        str(item.get("raw_name") or raw),
        item.get("id"),
        whole if isinstance(whole, int) else None,
        (*states, "crop") if str(item.get("crop")) == "1" else states,
        ", ".join(map(str, item.get("attributes") or [])),
    )


def _ade_polygon(points: Mapping[str, Any]) -> np.ndarray | None:
    xs, ys = (np.atleast_1d(points.get(axis, [])) for axis in "xy")
    if len(xs) != len(ys) or not len(xs):
        return None
    polygon = np.column_stack([xs, ys]).astype(float)
    return polygon if np.isfinite(polygon).all() and has_area(polygon) else None

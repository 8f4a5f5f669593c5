"""What is where on a set of annotated photographs, whatever the format it was stored in.

`Annotations` is the interface that the rest of the package builds on; a format gives the pixels of one
image's instances (`instances`) and inherits the rest from `InstanceAnnotations`. Nothing is kept in memory
but the list of images and one table of objects: pixels are made when they are asked for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple, Protocol, runtime_checkable

import cv2
import numpy as np
import pandas as pd
from PIL import Image
from tqdm.auto import tqdm

from scenelens.errors import SceneLensError, close_names
from scenelens.files import replace_file
from scenelens.images import find_images

Shape = tuple[int, int]
_TABLE = ["image", "category", "object", "instance", "area", "share"]
_REPORT = ["image", "kind", "detail"]
_VERSION = 1  # of the table on disk: raise it when a rule of reading or painting changes
_FOUND = ("not annotated", "no photograph")  # kinds of notes that hold before any annotation is read


class Instance(NamedTuple):
    """One thing on an image: what it is, and its number among the image's things."""

    name: str
    instance: int


class LabelMap(NamedTuple):
    """A code per pixel, (H, W) int32 with 0 for unlabelled, and what the codes mean."""

    codes: np.ndarray
    names: Mapping[int, str]

    def masks(self) -> dict[str, np.ndarray]:
        """The bool (H, W) mask of every name that is there."""
        present = np.unique(self.codes)
        return {name: self.codes == code for code, name in self.names.items() if code in present}


@runtime_checkable
class Annotations(Protocol):
    """Annotated photographs; an image's id is its path below their folder, with forward slashes."""

    images: list[str]

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of label maps there are: 'objects', 'parts', 'materials'."""
        ...

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[str]: ...
    def path(self, image: str) -> Path:
        """Where the photograph lies."""

    def scene(self, image: str) -> str:
        """The scene category."""

    def size(self, image: str) -> Shape:
        """The photograph's (H, W)."""

    def masks(self, image: str, shape: Shape | None = None) -> dict[str, np.ndarray]:
        """Object name to bool (H, W) mask of its visible pixels, at the photograph's size or at `shape`."""

    def label_map(self, image: str, kind: str = "objects", shape: Shape | None = None) -> LabelMap:
        """One of the image's label maps; `kinds` says which there are ('objects', 'parts', 'materials')."""

    def objects(self) -> pd.DataFrame:
        """One row per instance: image, category, object, instance, area (visible pixels), share (0..1)."""

    def report(self) -> pd.DataFrame:
        """What was repaired, left out or unreadable: image, kind, detail."""


class InstanceAnnotations:
    """All of `Annotations` for a format that can say which pixels belong to which instance.

    Parameters
    ----------
    photographs : image id to path, only those that are annotated.
    sources : image id to the annotation's file (for the cache's key).
    cache : folder for the table of objects; None keeps it in memory only.
    notes : rows of the report that hold before any annotation is read, as (image, kind, detail).
    """

    kinds: tuple[str, ...] = ("objects",)

    def __init__(
        self,
        photographs: Mapping[str, Path],
        sources: Mapping[str, Path],
        cache: str | Path | None = None,
        notes: list[tuple[str, str, str]] | None = None,
    ) -> None:
        self._photographs, self._sources = dict(photographs), dict(sources)
        self.images = sorted(self._photographs)
        self._cache = None if cache is None else Path(cache)
        self._notes = list(notes or [])
        self._tables: tuple[pd.DataFrame, pd.DataFrame] | None = None

    def instances(self, image: str, shape: Shape | None = None) -> tuple[np.ndarray, list[Instance]]:
        """Which instance each pixel shows: (H, W) int32, k + 1 for the k-th of the list, 0 for none."""
        raise NotImplementedError

    def repairs(self, image: str) -> list[tuple[str, str]]:
        """What had to be repaired in one image's annotation, as (kind, detail)."""
        return []

    def __len__(self) -> int:
        return len(self.images)

    def __iter__(self) -> Iterator[str]:
        return iter(self.images)

    def path(self, image: str) -> Path:
        """Where the photograph lies."""
        self._known(image)
        return self._photographs[image]

    def scene(self, image: str) -> str:
        """The scene category: the image's folder, without a first folder of one letter, `scene` or `object`.

        SUN files `church/outdoor` under `c`; SceneWorld keeps its two kinds of images apart.
        """
        self._known(image)
        folders = list(Path(image).parts[:-1])
        filed = len(folders) > 1 and (len(folders[0]) == 1 or folders[0] in ("scene", "object"))
        return "/".join(folders[filed:])

    def size(self, image: str) -> Shape:
        """The photograph's (H, W), from its header alone."""
        path = self.path(image)
        try:
            with Image.open(path) as photograph:
                return photograph.height, photograph.width
        except OSError as error:
            raise SceneLensError(
                f"{path} is no readable image ({error}); replace it or leave it out."
            ) from None

    def masks(self, image: str, shape: Shape | None = None) -> dict[str, np.ndarray]:
        """Object name to bool (H, W) mask of the pixels that show it; instances of one name are joined."""
        return self.label_map(image, "objects", shape).masks()

    def label_map(self, image: str, kind: str = "objects", shape: Shape | None = None) -> LabelMap:
        """The image's objects as codes by name; formats with parts or materials add those kinds."""
        if kind not in self.kinds:
            raise SceneLensError(f"no label map {kind!r} here; {close_names(kind, self.kinds)}.")
        return by_name(*self.instances(image, shape))

    def objects(self) -> pd.DataFrame:
        """One row per instance with visible pixels: image, category, object, instance, area, share (0..1).

        The first call reads every annotation and may take a while; then it is kept (in `cache`, under a key
        that changes when the content of any annotation's file does; a copied folder has the same).
        """
        return self._survey()[0].copy()

    def report(self) -> pd.DataFrame:
        """What was repaired, left out or unreadable, one row each: image, kind, detail."""
        found = pd.DataFrame(self._notes, columns=_REPORT)  # of this folder as it is now: never kept
        tables = [table for table in (found, self._survey()[1]) if len(table)]
        return pd.concat(tables or [found], ignore_index=True)

    def _known(self, image: str) -> None:
        if image not in self._photographs:
            raise SceneLensError(f"no annotated image {image!r}; {close_names(image, self.images)}.")

    def _survey(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        if self._tables is None:
            kept = self._cache and self._cache / f"objects-{self._key()}.json"
            known = kept and _read_tables(kept)
            self._tables = known or (kept and self._kept_by_stamps(kept.parent)) or self._read_all()
            if kept and not known:
                content = [table.to_dict("split", index=False) for table in self._tables]
                replace_file(kept, json.dumps(content).encode())
        return self._tables

    def _key(self) -> str:
        """Names what the tables depend on: what is in the annotations' files, and how long the photographs'
        files are, for outlines are drawn at a photograph's size."""
        sources = sorted(self._sources.items())
        return self._hashed([(image, *_content(path, self._photographs[image])) for image, path in sources])

    def _kept_by_stamps(self, folder: Path) -> tuple[pd.DataFrame, pd.DataFrame] | None:
        """The tables as they used to be kept, by the files' time stamps: to look at these is quicker than to
        read annotations."""
        stats = [(image, path.stat()) for image, path in sorted(self._sources.items())]
        key = self._hashed([(image, stat.st_size, stat.st_mtime_ns) for image, stat in stats])
        old = _read_tables(folder / f"objects-{key}.json")
        return old and (old[0], old[1][~old[1].kind.isin(_FOUND)].reset_index(drop=True))

    def _hashed(self, listing: list[Any]) -> str:
        return hashlib.sha256(repr((type(self).__name__, _VERSION, listing)).encode()).hexdigest()[:16]

    def _read_all(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        rows, notes = [], []
        many = len(self) >= 100
        if many:
            print(f"Sentences {len(self)} annotations takes about {self._seconds():.0f} s.", flush=True)
        for image in tqdm(self.images, desc="reading annotations", unit="image", disable=not many):
            try:
                rows += self._rows(image)
                notes += [(image, *repair) for repair in self.repairs(image)]
            except SceneLensError as error:
                notes.append((image, "unreadable", str(error)))
        return pd.DataFrame(rows, columns=_TABLE), pd.DataFrame(notes, columns=_REPORT)

    def _seconds(self, sample: int = 5) -> float:
        """How long reading all annotations will take, going by a few spread over the list."""
        start = perf_counter()
        for image in self.images[:: max(1, len(self) // sample)][:sample]:
            with suppress(SceneLensError):
                self.instances(image)
        return (perf_counter() - start) / sample * len(self)

    def _rows(self, image: str) -> list[tuple[Any, ...]]:
        ids, things = self.instances(image)
        areas = np.bincount(ids.ravel(), minlength=len(things) + 1)[1:].tolist()
        scene = self.scene(image)
        return [
            (image, scene, thing.name, thing.instance, area, area / ids.size)
            for thing, area in zip(things, areas, strict=True)
            if area
        ]


def _content(source: Path, photograph: Path) -> tuple[str, int]:
    """The SHA-256 of an annotation's file and the photograph's length in bytes. What cannot be read is no
    reason to stop here: the report will name it."""
    try:
        return hashlib.sha256(source.read_bytes()).hexdigest(), photograph.stat().st_size
    except OSError:
        return "unreadable", 0


def _read_tables(path: Path) -> tuple[pd.DataFrame, pd.DataFrame] | None:
    """The two tables as they were kept, or None where there are none or they cannot be read."""
    try:
        objects, report = json.loads(path.read_text())
        return pd.DataFrame(objects["data"], columns=_TABLE), pd.DataFrame(report["data"], columns=_REPORT)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def by_name(ids: np.ndarray, things: list[Instance]) -> LabelMap:
    """The label map of instances by name: codes count the names in alphabetical order, from 1."""
    names = sorted({thing.name for thing in things})
    codes = np.array([0, *(names.index(thing.name) + 1 for thing in things)], dtype=np.int32)
    return LabelMap(codes[ids], dict(enumerate(names, start=1)))


def photographs_below(folder: Path) -> dict[str, Path]:
    """Image id to path for every photograph below a folder; an error when there is none."""
    return {path.relative_to(folder).as_posix(): path for path in find_images(folder)}


def resize_codes(codes: np.ndarray, shape: Shape | None) -> np.ndarray:
    """A label map at another size: every pixel takes the nearest one's code, so no new codes arise."""
    if shape is None or codes.shape == tuple(shape):
        return codes
    return cv2.resize(codes, (shape[1], shape[0]), interpolation=cv2.INTER_NEAREST_EXACT)

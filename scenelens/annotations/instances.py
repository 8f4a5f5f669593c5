"""All of `Annotations` for a format that says which pixels of an image belong to which object.

Only the list of images and one table of objects stay in memory. Pixels are computed on each call, because the
masks of thousands of photographs would not fit. The table is cached: making it reads every annotation.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from scenelens.annotations.interface import Instance, LabelMap, Shape
from scenelens.annotations.reader_processes import START, _helpers_for, _shared_out
from scenelens.annotations.sources import SourceFile
from scenelens.caches import cached
from scenelens.errors import SceneLensError, close_names
from scenelens.files import digest
from scenelens.images import ImageFrame, find_images
from scenelens.unfinished import Unfinished

_TABLE = ["image", "category", "object", "instance", "area", "share"]
_REPORT = ["image", "kind", "detail"]
_VERSION = 1  # of the table on disk: raise it when a rule of reading or painting changes
_PART = 16  # images that a helper reads at a time
_MANY = 100  # images from which reading is long enough for an estimate and a bar

_Tables = tuple[pd.DataFrame, pd.DataFrame]  # the table of objects, and the report
_Sizes = dict[str, Shape]  # of the photographs that can be read


class InstanceAnnotations:
    """All of `Annotations` for a format that says which pixels belong to which object.

    Parameters
    ----------
    photographs : mapping of str to pathlib.Path
        The file of each annotated image, by the image's id.
    sources : mapping of str to pathlib.Path
        The file of each image's annotation. The cached table is valid as long as these files are the same.
    cache : str or pathlib.Path, optional
        A folder for the table of objects (default: the table stays in memory only).
    notes : list of tuple of str, optional
        Rows of the report that are known before any annotation is read: (image, kind, detail).

    Attributes
    ----------
    images : list of str
        The ids of all annotated images, sorted.
    kinds : tuple of str
        The kinds of label maps.
    sources : dict of str to pathlib.Path
        The file of each image's annotation.
    """

    kinds: tuple[str, ...] = ("objects",)

    def __init__(
        self,
        photographs: Mapping[str, Path],
        sources: Mapping[str, Path],
        cache: str | Path | None = None,
        notes: list[tuple[str, str, str]] | None = None,
    ) -> None:
        self._photographs, self.sources = dict(photographs), dict(sources)
        self.images = sorted(self._photographs)
        self._cache = None if cache is None else Path(cache)
        self._notes = list(notes or [])
        self._tables: _Tables | None = None
        self._read_at: object = None  # what the files were like when the tables were made

    def instances(self, image: str, shape: Shape | None = None) -> tuple[np.ndarray, list[Instance]]:
        """Which instance each pixel shows. A format implements this.

        Parameters
        ----------
        image : str
            The image's id.
        shape : tuple of int, optional
            (H, W) of the result (default: the photograph's size).

        Returns
        -------
        ids : numpy.ndarray
            (H, W) int32; k + 1 where the k-th instance is visible, 0 for none.
        instances : list of Instance
            The instances on the image.
        """
        raise NotImplementedError

    def repairs(self, image: str) -> list[tuple[str, str]]:
        """What had to be repaired in an image's annotation. A format may implement this.

        Parameters
        ----------
        image : str
            The image's id.

        Returns
        -------
        list of tuple of str
            (kind, detail) of each repair.
        """
        return []

    def __len__(self) -> int:
        return len(self.images)

    def __iter__(self) -> Iterator[str]:
        return iter(self.images)

    def path(self, image: str) -> Path:
        """The photograph's file.

        Parameters
        ----------
        image : str
            The image's id.

        Returns
        -------
        pathlib.Path
            The file.
        """
        self._check_image(image)
        return self._photographs[image]

    def scene(self, image: str) -> str:
        """The scene category: the image's folder.

        A first folder of one letter, `scene` or `object` is not a part of the category: SUN files
        `church/outdoor` under `c`, and SceneWorld has one folder for each kind of image.

        Parameters
        ----------
        image : str
            The image's id.

        Returns
        -------
        str
            The category, such as 'church/outdoor'; '' for an image without a folder.
        """
        self._check_image(image)
        return _scene_of(image)

    def size(self, image: str) -> Shape:
        """The photograph's size, from the header of its file alone.

        Parameters
        ----------
        image : str
            The image's id.

        Returns
        -------
        tuple of int
            (H, W) in pixels.

        Raises
        ------
        SceneLensError
            If the photograph cannot be read.
        """
        return self._frame(image).size

    def _frame(self, image: str) -> ImageFrame:
        path = self.path(image)
        return _frame_of(path, Unfinished.stamp(path))

    def masks(self, image: str, shape: Shape | None = None) -> dict[str, np.ndarray]:
        """The visible pixels of each object. Instances of one name are joined.

        Parameters
        ----------
        image : str
            The image's id.
        shape : tuple of int, optional
            (H, W) of the masks (default: the photograph's size).

        Returns
        -------
        dict of str to numpy.ndarray
            A bool mask (H, W) for each object name.
        """
        return self.label_map(image, "objects", shape).masks()

    def label_map(self, image: str, kind: str = "objects", shape: Shape | None = None) -> LabelMap:
        """The image's objects as codes by name. Formats with parts or materials add these kinds.

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
            If there is no map of this kind.
        """
        if kind not in self.kinds:
            raise SceneLensError(f"no label map {kind!r} here; {close_names(kind, self.kinds)}.")
        return LabelMap.by_name(*self.instances(image, shape))

    def objects(self) -> pd.DataFrame:
        """All objects with visible pixels.

        The first call reads every annotation and may take a while. The table is then cached under a key that
        changes with the content of any annotation's file; a copy of the folder has the same key. A file that
        is edited while the annotations are open is read again at the next call.

        Returns
        -------
        pandas.DataFrame
            One row per instance: ``image``, ``category``, ``object`` (str), ``instance`` (int), ``area``
            (int, visible pixels), ``share`` (float, of the image, 0..1).
        """
        return self._survey()[0].copy()

    def report(self) -> pd.DataFrame:
        """What was repaired, left out or unreadable.

        Returns
        -------
        pandas.DataFrame
            One row per note: ``image``, ``kind``, ``detail`` (str).
        """
        # The notes on the list of files describe the folder as it is now, so they are never cached.
        found = pd.DataFrame([*self._notes, *self._file_notes()], columns=_REPORT)
        tables = [table for table in (found, self._survey()[1]) if len(table)]
        return pd.concat(tables or [found], ignore_index=True)

    @staticmethod
    def _photographs_below(folder: Path, notes: list[tuple[str, str, str]]) -> dict[str, Path]:
        """Image id to path of every photograph below a folder; an error where there is none.

        Images of formats that cannot be read become notes.
        """
        left_out: list[tuple[str, str]] = []
        found = find_images(folder, left_out)
        notes += [(image, "not read", why) for image, why in left_out]
        return {path.relative_to(folder).as_posix(): path for path in found}

    def _check_image(self, image: str) -> None:
        if image not in self._photographs:
            raise SceneLensError(f"no annotated image {image!r}; {close_names(image, self.images)}.")

    def _file_notes(self) -> list[tuple[str, str, str]]:
        """Rows of the report on files beside the annotations. A format with such files implements this."""
        return []

    def _settings(self) -> object:
        """What the reader set and the tables depend on. A format with such settings implements this."""
        return None

    def _table_files(self) -> list[Path]:
        """Files beside `sources` that the tables depend on. A format that has some implements this."""
        return []

    def label_files(self) -> list[Path]:
        """Files beside the annotations that label maps are read from. A format that has some implements this.

        Returns
        -------
        list of pathlib.Path
            The files, in an order that does not change.
        """
        return []

    def depends_on(self) -> bytes:
        """What label maps depend on beside the photographs and `sources`, for keys of cached results.

        Returns
        -------
        bytes
            Empty for a format without such files and settings.
        """
        settings = self._settings()
        return b"" if settings is None else digest(repr(settings)).encode()

    def _survey(self) -> _Tables:
        files = [*self.sources.values(), *self._photographs.values(), *self._table_files()]
        stamps = {path: Unfinished.stamp(path) for path in files}
        now = stamps, self._settings()
        if self._tables is None or now != self._read_at:
            frames = {} if self._cache is None else self._frames()
            sizes = {image: frame.size for image, frame in frames.items()}
            file = None if self._cache is None else self._cache / f"objects-{self._key(frames)}.json"
            self._tables = cached(
                file,
                lambda: self._read_all(Unfinished(file, "objects", stamps=stamps)),
                lambda tables: _pack_tables(tables, sizes),
                lambda content: _unpack_tables(content, sizes),
            )
            self._read_at = now
        return self._tables

    def _frames(self) -> dict[str, ImageFrame]:
        """The frame of every photograph that can be read: outlines are drawn at its size."""
        frames = {}
        for image in self.images:
            with suppress(SceneLensError):
                frames[image] = self._frame(image)
        return frames

    def _key(self, frames: Mapping[str, ImageFrame]) -> str:
        """A hash of what the tables depend on, except for the photographs' sizes, which are in the file.

        That is the content of the annotations' files, the lengths of the photographs' files (reading all
        photographs would take far longer), and how those that are turned are turned.
        """
        digests = {path: SourceFile(path).digest() for path in set(self.sources.values())}
        listing: list[Any] = []
        for image, path in sorted(self.sources.items()):
            found, (length, _) = digests[path], SourceFile(self._photographs[image]).stamp()
            # What cannot be read raises no error here, because the report will name it.
            known = ("unreadable", 0) if found is None or length < 0 else (found.hex(), length)
            listing.append((image, *known))
        turned = [(image, frame.orientation) for image, frame in frames.items() if frame.orientation != 1]
        besides = [(path.name, (SourceFile(path).digest() or b"").hex()) for path in self._table_files()]
        return self._hashed(listing + turned + besides)

    def _hashed(self, listing: list[Any]) -> str:
        settings = self._settings()
        # Formats without settings have the key that they had before there were any.
        parts = (type(self).__name__, _VERSION, listing)
        return digest(repr(parts if settings is None else (*parts, settings)))[:16]

    def _read_all(self, work: Unfinished) -> _Tables:
        rows = [tuple(row) for (some, _), _ in work.parts for row in some]
        notes = [tuple(note) for (_, some), _ in work.parts for note in some]
        kept, done = (len(rows), len(notes)), work.done
        many = len(self) >= _MANY
        helpers = self._announced() if many else 0
        with tqdm(total=len(self), desc="reading annotations", unit="image", disable=not many) as bar:
            bar.update(done)
            size = _PART if helpers else 1
            parts = [self.images[start : start + size] for start in range(done, len(self), size)]
            with _seldom_collected(), closing(_shared_out(self._read_part, parts, helpers)) as read:
                for part, (some_rows, some_notes) in zip(parts, read, strict=True):
                    rows += some_rows
                    notes += some_notes
                    done += len(part)
                    bar.update(len(part))
                    if work.due:
                        work.save(done, (None, {}), ([rows[kept[0] :], notes[kept[1] :]], {}))
                        kept = len(rows), len(notes)
        work.check_files()
        return pd.DataFrame(rows, columns=_TABLE), pd.DataFrame(notes, columns=_REPORT)

    def _announced(self) -> int:
        """Say how long reading all annotations will take; the number of further processes that help."""
        seconds = self._seconds()
        # A reader's own format may depend on what only this process has.
        own = not type(self).__module__.startswith("scenelens.")
        helpers = _helpers_for(seconds) if self._reads_in_processes and not own else 0
        # Until the helpers have begun, this process works alone.
        total = (seconds + helpers * START) / (helpers + 1)
        print(f"Reading {len(self)} annotations takes about {total:.0f} s.", flush=True)
        return helpers

    #: Whether other processes may read images. They get a copy of the object: it must be small, and all
    #: that reading needs.
    _reads_in_processes = False

    def __getstate__(self) -> dict[str, Any]:
        """What another process needs to read images."""
        return self.__dict__ | {"_tables": None, "_read_at": None, "_notes": []}

    def _read_part(self, images: Sequence[str]) -> tuple[list[Any], list[Any]]:
        """Rows of the table and of the report about some images."""
        rows, notes = list[Any](), list[Any]()
        for image in images:
            self._read_one(image, rows, notes)
        return rows, notes

    def _read_one(self, image: str, rows: list[Any], notes: list[Any]) -> None:
        """Add an image's rows of the table and of the report."""
        try:
            rows += self._rows(image)
            notes += [(image, *repair) for repair in self.repairs(image)]
        except SceneLensError as error:
            notes.append((image, "unreadable", str(error)))
        except Exception as error:  # readers write formats too, and one file must not stop the set
            notes.append((image, "unreadable", f"{type(error).__name__}: {error}"))

    def _seconds(self, sample: int = 20) -> float:
        """How long reading all annotations takes one process, from a few that are spread over the list."""
        spread = self.images[:: max(1, len(self) // sample)][:sample]
        self._read_part(spread[:1])  # the first one loads kernels
        start = perf_counter()
        self._read_part(spread[1:])
        return (perf_counter() - start) / len(spread[1:]) * len(self)

    def _rows(self, image: str) -> list[tuple[Any, ...]]:
        ids, instances = self.instances(image)
        counts = (np.bincount(ids[rows].ravel(), minlength=len(instances) + 1) for rows in self._strips(ids))
        areas = sum(counts, np.zeros(len(instances) + 1, np.int64))[1:].tolist()
        scene = self.scene(image)
        return [
            (image, scene, one.name, one.instance, area, area / ids.size)
            for one, area in zip(instances, areas, strict=True)
            if area
        ]

    @staticmethod
    def _strips(array: np.ndarray) -> Iterator[slice]:
        """Slices of an (H, W) array's rows, of about four million pixels each.

        NumPy turns indices into 64 bits, which for a whole photograph would take twice the memory of its map.
        """
        step = max(1, (4 << 20) // max(1, array.shape[1]))
        yield from (slice(start, start + step) for start in range(0, len(array), step))


@contextmanager
def _seldom_collected() -> Iterator[None]:
    """A block in which Python looks for garbage among new objects only.

    Reading makes so many objects, and keeps them, that it would look through all of memory again and again.
    Nothing is frozen for it: `gc.unfreeze` would also thaw what others have frozen, as the notebooks' kernels
    do with all that they share.
    """
    before = gc.get_threshold()
    gc.set_threshold(max(before[0], 10_000), 1_000_000)
    try:
        yield
    finally:
        gc.set_threshold(*before)


# An image's size is asked for several times in a row. `changed`, its stamp, makes sure that an edited file is
# read again.
@lru_cache(maxsize=4096)
def _frame_of(path: Path, changed: object) -> ImageFrame:
    return ImageFrame.of(path)


@lru_cache(maxsize=1 << 17)  # asked for all images again and again
def _scene_of(image: str) -> str:
    """The scene that an image's id names.

    >>> _scene_of("c/church/outdoor/1.jpg"), _scene_of("1.jpg")
    ('church/outdoor', '')
    """
    folders = list(Path(image).parts[:-1])
    has_prefix = len(folders) > 1 and (len(folders[0]) == 1 or folders[0] in ("scene", "object"))
    return "/".join(folders[has_prefix:])


def _pack_tables(tables: _Tables, sizes: _Sizes) -> bytes:
    objects, report = (table.to_dict("split", index=False) for table in tables)
    text = json.dumps([objects, report, sizes])
    return f"{text}\n{digest(text)}".encode()


def _unpack_tables(content: bytes, sizes: _Sizes) -> _Tables:
    """The tables of a cache file; a ValueError where it is about photographs of other sizes."""
    objects, report, seen = json.loads(content.decode().partition("\n")[0])
    if seen != {image: list(size) for image, size in sizes.items()}:
        raise ValueError("made for other photographs")
    return pd.DataFrame(objects["data"], columns=_TABLE), pd.DataFrame(report["data"], columns=_REPORT)

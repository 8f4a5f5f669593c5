"""The files of images, known by any of their names, the frames that are cut from them, and what is measured
on these."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np

from scenelens.annotations import LabelMap
from scenelens.image_folders import real_paths
from scenelens.labels.scratch_space import _ScratchSpace
from scenelens.networks import Network
from scenelens.unfinished import Unfinished


class _KnownFiles:
    """Some images' files as they are now. A change from now on shows.

    The study and its annotations may name one file differently, so a file is known by its real path.

    Parameters
    ----------
    images : iterable of pathlib.Path
        The files.
    """

    def __init__(self, images: Iterable[Path]) -> None:
        paths = list(images)
        self._real = dict(zip(map(str, paths), real_paths(paths), strict=True))
        self._stamps = {self.name(path): Unfinished.stamp(path) for path in paths}

    def __contains__(self, name: str) -> bool:
        """Whether a name, as `name` gives it, is one of these files."""
        return name in self._stamps

    def name(self, path: Path) -> str:
        """Return the file that a path means.

        Parameters
        ----------
        path : pathlib.Path
            Any path.

        Returns
        -------
        str
            Its real path.
        """
        text = str(path)
        if text not in self._real:
            (self._real[text],) = real_paths([path])
        return self._real[text]

    def unchanged(self, path: Path) -> bool:
        """Return whether a path means one of these files, and the file is what it was.

        Parameters
        ----------
        path : pathlib.Path
            Any path.

        Returns
        -------
        bool
            False for other files, and for files that were touched.
        """
        name = self.name(path)
        return name in self._stamps and Unfinished.stamp(path) == self._stamps[name]


class _KeptFrames:
    """Frames of images, and maps that are measured on them, in a scratch file for all networks that see the
    same frame.

    Parameters
    ----------
    files : _KnownFiles
        The images that are worth keeping.
    space : _ScratchSpace
        Where the frames are kept.
    """

    def __init__(self, files: _KnownFiles, space: _ScratchSpace) -> None:
        self._files, self._space = files, space
        self._places: dict[str, tuple[int, tuple[int, ...], tuple[int, int]]] = {}
        self._codes: dict[tuple[str, str], int] = {}
        self._names: dict[str, Mapping[int, str]] = {}

    def frame(
        self, image: Path, network: Network, load: Callable[[], np.ndarray]
    ) -> tuple[np.ndarray, tuple[int, int]]:
        """Return an image's frame, which is cut from the photograph once.

        Parameters
        ----------
        image : pathlib.Path
            The image's file.
        network : Network
            A network that sees this frame.
        load : callable
            Reads the photograph, uint8 RGB (h, w, 3), where its frame is not kept.

        Returns
        -------
        frame : numpy.ndarray
            uint8 RGB (H, W, 3).
        shape : tuple of int
            (h, w) of the photograph.
        """
        keep = self._files.unchanged(image)
        found = self._read(self._files.name(image)) if keep else None
        if found is None:
            photograph = load()
            found = network.show_input(photograph), (photograph.shape[0], photograph.shape[1])
            if keep:
                self._add(self._files.name(image), *found)
        return found

    def measured(
        self, image: Path, kind: str, frame: np.ndarray, measure: Callable[[np.ndarray], LabelMap]
    ) -> LabelMap:
        """Return a map of what needs no annotation, such as colours, which is measured once.

        Parameters
        ----------
        image : pathlib.Path
            The image's file.
        kind : str
            What the map shows, in `MEASURED_MAPS`.
        frame : numpy.ndarray
            uint8 RGB (H, W, 3), the image's `frame`.
        measure : callable
            Makes the map of the frame; its codes are at most 255, and their names the same for all images.

        Returns
        -------
        LabelMap
            The map.
        """
        keep, key = self._files.unchanged(image), (self._files.name(image), kind)
        codes = np.empty(frame.shape[:2], np.uint8)
        if keep and key in self._codes and self._space.read(self._codes[key], codes):
            return LabelMap(codes.astype(np.int32), self._names[kind])
        found = measure(frame)
        place = self._space.add(found.codes.astype(np.uint8)) if keep else None
        if place is not None:
            self._codes[key], self._names[kind] = place, found.names
        return found

    def _add(self, name: str, frame: np.ndarray, shape: tuple[int, int]) -> None:
        place = self._space.add(np.ascontiguousarray(frame))
        if place is not None:
            self._places[name] = place, frame.shape, shape

    def _read(self, name: str) -> tuple[np.ndarray, tuple[int, int]] | None:
        if name not in self._places:
            return None
        place, frame_shape, shape = self._places[name]
        frame = np.empty(frame_shape, np.uint8)
        return (frame, shape) if self._space.read(place, frame) else None

"""Layers' maps in a scratch file, so that images go through a network once for all that is made of them.

The activation index, the labels of units and the calibration of the localizers all need what a network makes
of the same images. While maps are kept (`_KeptMaps.open`), whoever runs the network first leaves the maps of
its main layers in a file without a name, and the others read them there. Reading a map takes a twentieth of
the time of computing it.

The file is only a shortcut. It disappears with its process, it has a largest size, and it is not used for an
image whose file has changed or for a network whose weights have. What is not in it is computed, and is the
same: how a batch is composed has no influence on an image's maps, unless a batch has very few images. (Then
the library may sum in another order, and the last digit of a number may differ.)
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from scenelens.errors import SceneLensError
from scenelens.networks import Network
from scenelens.progress import say_on_stderr
from scenelens.unfinished import Unfinished

_MOST = 8 << 30  # bytes of all files together
_LEAST_FREE = 2  # times as many bytes as are used must be free on the disk


class _KeptMaps:
    """The maps of one network's main layers, of some images.

    Parameters
    ----------
    network : Network
        The network.
    images : iterable of pathlib.Path
        The files of the images that are worth keeping.
    folder : pathlib.Path
        Where the scratch file is made.
    most : int, optional
        The file's largest size in bytes.
    frames : _KeptFrames, optional
        The frames of the same images, shared by the networks that see the same frame.

    Raises
    ------
    OSError
        If no file can be made there.
    """

    def __init__(
        self,
        network: Network,
        images: Iterable[Path],
        folder: Path,
        most: int = _MOST,
        frames: _KeptFrames | None = None,
    ) -> None:
        shapes = {layer: network.layer_shape(layer) for layer in network.main_layers()}
        self._shapes = {layer: shape for layer, shape in shapes.items() if shape[1:] != (1, 1)}
        self._about = network.weights_hash
        self._real: dict[str, str] = {}
        # Before any image is read: a change from now on shows.
        self._stamps = {self._name(path): Unfinished.stamp(path) for path in images}
        self._places: dict[tuple[str, str], int] = {}
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115  `_close` does
        self._end, self._most = 0, most
        self._frames, self._network = frames, weakref.ref(network)

    def frame(self, image: Path, load: Callable[[], np.ndarray]) -> tuple[np.ndarray, tuple[int, int]]:
        """Return an image's frame, which is cut from the photograph once for all networks that see the same.

        Parameters
        ----------
        image : pathlib.Path
            The image's file.
        load : callable
            Reads the photograph, uint8 RGB (h, w, 3), where its frame is not kept.

        Returns
        -------
        frame : numpy.ndarray
            uint8 RGB (H, W, 3).
        shape : tuple of int
            (h, w) of the photograph.
        """
        name, network = self._name(image), self._network()
        assert network is not None  # it was needed to find this object
        frames = self._frames if name in self._stamps else None
        unchanged = frames is not None and Unfinished.stamp(image) == self._stamps[name]
        found = frames.read(name) if frames is not None and unchanged else None
        if found is None:
            photograph = load()
            found = network.show_input(photograph), (photograph.shape[0], photograph.shape[1])
            if frames is not None and unchanged:
                frames.add(name, *found)
        return found

    def _name(self, path: Path) -> str:
        """The file that a path means: the study and its annotations may name one file differently."""
        text = str(path)
        if text not in self._real:
            self._real[text] = os.path.realpath(text)
        return self._real[text]

    @staticmethod
    def of(network: Network) -> _KeptMaps | None:
        """Return the maps that are kept of a network at the moment.

        Parameters
        ----------
        network : Network
            The network.

        Returns
        -------
        _KeptMaps or None
            None where no maps are kept, or where the weights have changed since.
        """
        kept = _OPEN.get(network)
        return kept if kept is not None and kept._about == network.weights_hash else None

    @staticmethod
    @contextlib.contextmanager
    def open(networks: Iterable[Network], images: Sequence[Path], folder: Path) -> Iterator[None]:
        """Keep the maps of some networks during a ``with`` block.

        Parameters
        ----------
        networks : iterable of Network
            The networks.
        images : sequence of pathlib.Path
            The files of the images that are worth keeping.
        folder : pathlib.Path
            Where the scratch files are made. Where that is impossible, nothing is kept.

        Yields
        ------
        None
            Meanwhile `_KeptMaps.of` finds them.
        """
        chosen = list(networks)
        with contextlib.ExitStack() as stack:
            with contextlib.suppress(OSError):
                folder.mkdir(parents=True, exist_ok=True)
                most = min(_MOST, shutil.disk_usage(folder).free // _LEAST_FREE) // (len(chosen) + 1)
                frames: dict[object, _KeptFrames] = {}
                for network in chosen:
                    seen = network.preprocessing.framing
                    if seen not in frames:
                        frames[seen] = _KeptFrames(folder, most)
                        stack.callback(frames[seen].close)
                    # A network without a map has nothing to keep; where a map is needed, that is said there.
                    with contextlib.suppress(SceneLensError):
                        _OPEN[network] = _KeptMaps(network, images, folder, most, frames[seen])
                        stack.callback(_close, network)
            yield

    def add(self, layer: str, values: torch.Tensor, images: Sequence[Path]) -> None:
        """Keep a batch's maps of one layer, as far as there is room.

        Parameters
        ----------
        layer : str
            A layer; those that are no main layer are ignored.
        values : torch.Tensor
            (N, units, h, w) float.
        images : sequence of pathlib.Path
            The N images' files. Those that are not worth keeping are left out.
        """
        if layer not in self._shapes:
            return
        size = 4 * int(np.prod(self._shapes[layer]))
        names = [self._name(path) for path in images]
        rows = [k for k, name in enumerate(names) if name in self._stamps]
        if not rows or self._end + size * len(rows) > self._most:
            return
        numbers = values.detach().float().cpu().contiguous().numpy()
        chosen = numbers if len(rows) == len(numbers) else numbers[rows]
        try:
            self._file.seek(self._end)
            if self._file.write(chosen.data.cast("B")) != chosen.nbytes:
                return
        except OSError as error:
            self._most = 0
            say_on_stderr(f"Layers' maps are computed again instead of kept ({error.strerror or error}).")
            return
        for place, k in enumerate(rows):
            self._places[names[k], layer] = self._end + place * size
        self._end += chosen.nbytes

    def has(self, image: Path, layers: Iterable[str]) -> bool:
        """Return whether some layers' maps of an image can be read.

        Parameters
        ----------
        image : pathlib.Path
            The image's file.
        layers : iterable of str
            The layers.

        Returns
        -------
        bool
            False also where the file has changed meanwhile.
        """
        name = self._name(image)
        if any((name, layer) not in self._places for layer in layers):
            return False
        return Unfinished.stamp(image) == self._stamps[name]

    def read(self, image: Path, into: Mapping[str, np.ndarray]) -> bool:
        """Read maps of an image.

        Parameters
        ----------
        image : pathlib.Path
            The image's file.
        into : mapping of str to numpy.ndarray
            Layer -> (units, h, w) float32, contiguous; filled in place.

        Returns
        -------
        bool
            Whether all of them were there. If not, what the arrays contain means nothing.
        """
        if not self.has(image, into):
            return False
        for layer, values in into.items():
            self._file.seek(self._places[self._name(image), layer])
            if self._file.readinto(values.data.cast("B")) != values.nbytes:
                return False
        return True


class _KeptFrames:
    """Frames of images in a scratch file, for all networks that see the same frame.

    Parameters
    ----------
    folder : pathlib.Path
        Where the file is made.
    most : int
        The file's largest size in bytes.
    """

    def __init__(self, folder: Path, most: int) -> None:
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115  see `close`
        self._places: dict[str, tuple[int, tuple[int, ...], tuple[int, int]]] = {}
        self._end, self._most = 0, most
        self._lock = threading.Lock()  # images are read ahead in threads
        self.close = self._file.close

    def add(self, name: str, frame: np.ndarray, shape: tuple[int, int]) -> None:
        """Keep a frame, where there is room."""
        with self._lock, contextlib.suppress(OSError):
            if self._end + frame.nbytes > self._most:
                return
            self._file.seek(self._end)
            if self._file.write(np.ascontiguousarray(frame).data.cast("B")) == frame.nbytes:
                self._places[name] = self._end, frame.shape, shape
                self._end += frame.nbytes

    def read(self, name: str) -> tuple[np.ndarray, tuple[int, int]] | None:
        """A frame and its photograph's size; None where they are not kept."""
        if name not in self._places:
            return None
        place, frame_shape, shape = self._places[name]
        frame = np.empty(frame_shape, np.uint8)
        with self._lock:
            self._file.seek(place)
            whole = self._file.readinto(frame.data.cast("B")) == frame.nbytes
        return (frame, shape) if whole else None


#: The maps that are kept at the moment.
_OPEN: weakref.WeakKeyDictionary[Network, _KeptMaps] = weakref.WeakKeyDictionary()


def _close(network: Network) -> None:
    kept = _OPEN.pop(network, None)
    if kept is not None:
        kept._file.close()

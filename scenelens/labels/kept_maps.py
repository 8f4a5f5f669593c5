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
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from scenelens.errors import SceneLensError
from scenelens.labels.kept_frames import _KeptFrames, _KnownFiles
from scenelens.labels.scratch_space import _ScratchSpace
from scenelens.networks import Network, ablated

_MOST = 8 << 30  # bytes of all files together
_LEAST_FREE = 2  # times as many bytes as are used must be free on the disk


class _KeptMaps:
    """The maps of one network's main layers, of some images.

    Parameters
    ----------
    network : Network
        The network.
    files : _KnownFiles
        The images that are worth keeping.
    space : _ScratchSpace
        Where the maps are kept.
    frames : _KeptFrames
        The frames of the same images, shared by the networks that see the same frame.

    Attributes
    ----------
    frames : _KeptFrames
        As given.

    Raises
    ------
    SceneLensError
        If the network has no map.
    """

    def __init__(
        self, network: Network, files: _KnownFiles, space: _ScratchSpace, frames: _KeptFrames
    ) -> None:
        shapes = {layer: network.layer_shape(layer) for layer in network.main_layers()}
        self._shapes = {layer: shape for layer, shape in shapes.items() if shape[1:] != (1, 1)}
        self._network, self._weights = network, network.weights_hash
        self._changed = ablated(network.module)
        self._files, self._space, self.frames = files, space, frames
        self._places: dict[tuple[str, str], int] = {}

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
            None where no maps are kept, or where the weights have changed since, or what `ablate` changes.
        """
        kept = _OPEN.get(network)
        if kept is None or kept._weights != network.weights_hash:
            return None
        return kept if kept._changed == ablated(network.module) else None

    @staticmethod
    @contextlib.contextmanager
    def open(networks: Iterable[Network], images: Iterable[Path], folder: Path) -> Iterator[None]:
        """Keep the maps of some networks during a ``with`` block.

        Parameters
        ----------
        networks : iterable of Network
            The networks.
        images : iterable of pathlib.Path
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

                def space(what: str) -> _ScratchSpace:
                    made = _ScratchSpace(folder, most, what)
                    stack.callback(made.close)
                    return made

                files, frames = _KnownFiles(images), {}
                for network in chosen:
                    seen = network.preprocessing.framing
                    if seen not in frames:
                        frames[seen] = _KeptFrames(files, space("Frames of photographs"))
                    # A network without a map has nothing to keep; where a map is needed, that is said there.
                    with contextlib.suppress(SceneLensError):
                        _OPEN[network] = _KeptMaps(network, files, space("Layers' maps"), frames[seen])
                        stack.callback(_OPEN.pop, network, None)
            yield

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
        return self.frames.frame(image, self._network, load)

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
        names = [self._files.name(path) for path in images]
        rows = [k for k, name in enumerate(names) if name in self._files]
        if not rows or not self._space.has_room(size * len(rows)):
            return
        numbers = values.detach().float().cpu().contiguous().numpy()
        place = self._space.add(numbers if len(rows) == len(numbers) else numbers[rows])
        if place is not None:
            self._places |= {(names[k], layer): place + size * n for n, k in enumerate(rows)}

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
        name = self._files.name(image)
        return all((name, layer) in self._places for layer in layers) and self._files.unchanged(image)

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
        name = self._files.name(image)
        return all(self._space.read(self._places[name, layer], values) for layer, values in into.items())


#: The maps that are kept at the moment.
_OPEN: dict[Network, _KeptMaps] = {}

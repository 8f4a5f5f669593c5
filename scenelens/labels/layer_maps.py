"""Layers' maps of many images, and the thresholds that only few of their responses exceed.

Counting active pixels needs the thresholds first, and the thresholds need the maps of the same images. So the
maps of the first images are cached in memory, as far as they fit, and the network need not run twice on them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from scenelens.annotations import Annotations
from scenelens.errors import SceneLensError
from scenelens.images import load_image
from scenelens.labels.kept_maps import _KeptMaps
from scenelens.networks import Network, record
from scenelens.progress import Announcer, read_ahead
from scenelens.unfinished import Packed, Unfinished

KEPT_BYTES = 256 << 20  # of maps in memory

_NOT_READ = np.zeros((0, 0, 3), np.uint8)

#: An array for each layer.
Maps = dict[str, np.ndarray]


class LayerMaps:
    """Layers' maps of images, from memory where they are cached, else from the network.

    Parameters
    ----------
    network : Network
        The network that is run.
    layers : list of str
        Its layers.
    say : Announcer
        Shows the progress.
    room : int, optional
        How many bytes of maps may be cached (default 256 MiB).

    Attributes
    ----------
    shapes : dict of str to tuple of int
        (units, h, w) of each layer.
    chosen : list of str
        The images whose maps are cached, or were until they were taken.
    """

    def __init__(self, network: Network, layers: list[str], say: Announcer, room: int = KEPT_BYTES) -> None:
        self.network, self.layers, self.say = network, layers, say
        self.shapes = {layer: network.layer_shape(layer) for layer in layers}
        self._cached: dict[str, Maps] = {}
        self.chosen: list[str] = []
        per_image = 4 * sum(int(np.prod(shape)) for shape in self.shapes.values())
        self._most = room // per_image

    #: Keep the maps of networks during a ``with`` block; the maps that are kept of a network.
    keep, kept = staticmethod(_KeptMaps.open), staticmethod(_KeptMaps.of)

    def maps(self, frames: Sequence[np.ndarray]) -> Maps:
        """Run the network.

        Parameters
        ----------
        frames : sequence of numpy.ndarray
            (H, W, 3) uint8 RGB each, of the network's input size.

        Returns
        -------
        dict of str to numpy.ndarray
            (N, units, h, w) float32 for each layer.
        """
        with record(self.network, self.layers, keep=_to_numpy) as acts, torch.no_grad():
            self.network(np.stack(frames), framed=True)
        return dict(acts)

    def of(self, paths: Sequence[Path], frames: Sequence[np.ndarray]) -> Maps:
        """Give images' maps: those that are kept, and others from the network; see `_KeptMaps`.

        Parameters
        ----------
        paths : sequence of pathlib.Path
            The images' files.
        frames : sequence of numpy.ndarray
            See `maps`. Those of images whose maps are kept are not looked at.

        Returns
        -------
        dict of str to numpy.ndarray
            (N, units, h, w) float32 for each layer.
        """
        kept = _KeptMaps.of(self.network)
        if kept is None:
            return self.maps(frames)
        n = len(paths)
        found = {layer: np.empty((n, *shape), np.float32) for layer, shape in self.shapes.items()}
        missing = [
            k
            for k, path in enumerate(paths)
            if not kept.read(path, {layer: values[k] for layer, values in found.items()})
        ]
        if missing:
            fresh = self.maps([self._frame(paths[k], frames[k]) for k in missing])
            for layer, values in fresh.items():
                kept.add(layer, torch.from_numpy(values), [paths[k] for k in missing])
                found[layer][missing] = values
        return found

    def _frame(self, path: Path, frame: np.ndarray) -> np.ndarray:
        """The frame, also where it was not read because the maps were kept, until the file changed."""
        return frame if frame.size else self.network.show_input(load_image(path))

    def take(
        self, images: Sequence[str], frames: Sequence[np.ndarray], annotations: Annotations
    ) -> Iterator[Maps]:
        """Give each image's maps, and remove those that were cached.

        Parameters
        ----------
        images : sequence of str
            The images' ids.
        frames : sequence of numpy.ndarray
            Their frames, for those whose maps are not cached.
        annotations : Annotations
            Where the photographs are.

        Yields
        ------
        dict of str to numpy.ndarray
            (units, h, w) float32 for each layer.
        """
        missing = [k for k, image in enumerate(images) if image not in self._cached]
        paths = [annotations.path(images[k]) for k in missing]
        found = self.of(paths, [frames[k] for k in missing]) if missing else {}
        for k, image in enumerate(images):
            cached = self._cached.pop(image, None)
            yield cached or {layer: values[missing.index(k)] for layer, values in found.items()}

    def activation_thresholds(
        self, annotations: Annotations, images: list[str], quantile: float, work: Unfinished | None = None
    ) -> Maps:
        """Each unit's threshold: the (1 - quantile) quantile of its responses. The maps are cached meanwhile.

        Parameters
        ----------
        annotations : Annotations
            Where the photographs are.
        images : list of str
            The images' ids. Images that cannot be read are left out.
        quantile : float
            The share of a unit's responses that lie above its threshold, 0..1.
        work : Unfinished, optional
            Keeps what was found so far. What an earlier process found is not computed again, and its maps are
            not cached; see `cache_again`.

        Returns
        -------
        dict of str to numpy.ndarray
            (units,) float32 for each layer.

        Raises
        ------
        SceneLensError
            If no image can be read.
        """
        work = work or Unfinished(None, "")
        highest = {layer: _Highest(shape, len(images), quantile) for layer, shape in self.shapes.items()}
        n_read = self._restore(work, highest)
        done = work.done

        def state() -> Packed:
            about = {"n_read": n_read, "chosen": self.chosen}
            return about, {str(k): one.values for k, one in enumerate(highest.values())}

        with self.say.bar(len(images), f"thresholds of {self.network.name}") as bar:
            bar.update(done)
            for names, frames, skipped in self._read(annotations, images[done:]):
                found = self.of([annotations.path(name) for name in names], frames) if names else {}
                for layer, values in found.items():
                    highest[layer].add(values)
                if _KeptMaps.of(self.network) is None:
                    self._cache(names, found)
                n_read += len(names)
                done += len(names) + len(skipped)
                bar.update(len(names) + len(skipped))
                if work.due:
                    work.save(done, state(), (None, {}))
        if not n_read:
            raise SceneLensError(f"none of the {len(images)} images could be read; look at their files.")
        return {layer: values.threshold(n_read) for layer, values in highest.items()}

    def _restore(self, work: Unfinished, highest: dict[str, _Highest]) -> int:
        """Take over what an earlier process found; return how many images it could read."""
        if not work.done:
            return 0
        about, arrays = work.total
        self.chosen = list(about["chosen"])
        for one, values in zip(highest.values(), arrays.values(), strict=True):
            one.values = values
        return int(about["n_read"])

    def cache_again(self, annotations: Annotations, images: list[str]) -> None:
        """Run the network again on the images whose maps an earlier process had cached.

        The batches are the same as then, because the last digits of a map depend on its batch.

        Parameters
        ----------
        annotations : Annotations
            Where the photographs are.
        images : list of str
            The images that `activation_thresholds` had, from the start of a batch on.
        """
        missing = set(self.chosen) - self._cached.keys()
        if missing.isdisjoint(images) or _KeptMaps.of(self.network) is not None:
            return
        for names, frames, _ in self._read(annotations, images):
            chosen = [k for k, name in enumerate(names) if name in missing]
            found = self.maps(frames) if chosen else {}
            for k in chosen:
                self._cached[names[k]] = {layer: values[k].copy() for layer, values in found.items()}

    def _read(
        self, annotations: Annotations, images: list[str]
    ) -> Iterator[tuple[list[str], list[np.ndarray], list[tuple[str, str]]]]:
        """The images' frames in batches; see `progress.read_ahead`. Those of kept maps are not read."""
        kept = _KeptMaps.of(self.network)

        def frame(image: str) -> np.ndarray:
            path = annotations.path(image)
            if kept is not None and kept.has(path, self.layers):
                return _NOT_READ
            return self.network.show_input(load_image(path))

        return read_ahead(frame, images)

    def _cache(self, names: list[str], found: Maps) -> None:
        """Cache a batch's maps as far as there is room."""
        for k, name in enumerate(names):
            if len(self.chosen) < self._most:
                # A copy: a view would keep the whole batch in memory.
                self._cached[name] = {layer: values[k].copy() for layer, values in found.items()}
                self.chosen.append(name)


def _to_numpy(layer: str, value: torch.Tensor) -> np.ndarray:
    return value.float().cpu().numpy().copy()


class _Highest:
    """Each unit's highest responses, as many as the quantile can need.

    Only a small share of the responses lies above a threshold, so all others can be dropped at once.
    """

    def __init__(self, shape: tuple[int, int, int], n_images: int, quantile: float) -> None:
        self.positions, self.quantile = shape[1] * shape[2], quantile
        # Two more than the quantile's share: it is interpolated between two responses, and rounding may
        # move its place by one.
        self.n = min(int(np.ceil(quantile * n_images * self.positions)) + 2, n_images * self.positions)
        self.values = np.zeros((shape[0], 0), np.float32)

    def add(self, values: np.ndarray) -> None:
        """Add some images' maps, (N, units, h, w) float32."""
        joined = np.concatenate([self.values, values.swapaxes(0, 1).reshape(len(self.values), -1)], 1)
        drop = joined.shape[1] - self.n
        self.values = np.partition(joined, drop, 1)[:, drop:] if drop > 0 else joined

    def threshold(self, n_images: int) -> np.ndarray:
        """As ``np.quantile(all, 1 - quantile)``, interpolated linearly between the two nearest responses."""
        last = n_images * self.positions - 1
        from_top = last * self.quantile
        at = int(np.floor(from_top))
        ranked = np.sort(self.values, 1)[:, ::-1].astype(np.float64)
        below = ranked[:, min(at + 1, ranked.shape[1] - 1)]
        return (ranked[:, at] + (below - ranked[:, at]) * (from_top - at)).astype(np.float32)

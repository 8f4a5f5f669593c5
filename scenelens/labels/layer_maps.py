"""Layers' maps of many images, read ahead; and the thresholds that few of their responses exceed.

The maps of the first images are kept until they are asked for again, as far as they fit in memory, so that
what needs a threshold before it can count need not run the network twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from scenelens.annotations import Annotations
from scenelens.errors import SceneLensError
from scenelens.images import load_image
from scenelens.networks import Network, record
from scenelens.progress import BATCH, Announcer, read_ahead

KEPT_BYTES = 256 << 20  # of maps in memory

Maps = dict[str, np.ndarray]


class LayerMaps:
    """The layers' maps of images; those of the sample are kept until they are used, as far as they fit into
    `room` bytes."""

    def __init__(self, network: Network, layers: list[str], say: Announcer, room: int = KEPT_BYTES) -> None:
        self.network, self.layers, self.say = network, layers, say
        self.shapes = {layer: network.layer_shape(layer) for layer in layers}
        self._kept: dict[str, Maps] = {}
        per_image = 4 * sum(int(np.prod(shape)) for shape in self.shapes.values())
        self._room = room // per_image

    def maps(self, frames: Sequence[np.ndarray]) -> Maps:
        """Layer to (N, units, h, w) float32."""
        with record(self.network, self.layers, keep=_to_numpy) as acts, torch.no_grad():
            self.network(np.stack(frames), framed=True)
        return dict(acts)

    def take(self, images: Sequence[str], frames: Sequence[np.ndarray]) -> Iterator[Maps]:
        """Each image's maps, layer to (units, h, w): kept ones, else computed now."""
        missing = [k for k, image in enumerate(images) if image not in self._kept]
        found = self.maps([frames[k] for k in missing]) if missing else {}
        for k, image in enumerate(images):
            kept = self._kept.pop(image, None)
            yield kept or {layer: values[missing.index(k)] for layer, values in found.items()}

    def activation_thresholds(self, annotations: Annotations, images: list[str], quantile: float) -> Maps:
        """Each unit's threshold, layer to (units,) float32: the (1 - quantile) quantile of its responses."""
        highest = {layer: Highest(shape, len(images), quantile) for layer, shape in self.shapes.items()}

        def load(image: str) -> np.ndarray:
            return self.network.show_input(load_image(annotations.path(image)))

        n_read = 0
        with self.say.bar(len(images), f"thresholds of {self.network.name}") as bar:
            for names, frames, _ in read_ahead(load, images):
                found = self.maps(frames) if names else {}
                for layer, values in found.items():
                    highest[layer].add(values)
                for k, name in enumerate(names):
                    if len(self._kept) < self._room:
                        self._kept[name] = {layer: values[k].copy() for layer, values in found.items()}
                n_read += len(names)
                bar.update(BATCH)
        if not n_read:
            raise SceneLensError(f"none of the {len(images)} images could be read; look at their files.")
        return {layer: values.threshold(n_read) for layer, values in highest.items()}


def _to_numpy(layer: str, value: torch.Tensor) -> np.ndarray:
    return value.float().cpu().numpy().copy()


class Highest:
    """Each unit's highest responses, as many as the quantile can need."""

    def __init__(self, shape: tuple[int, int, int], n_images: int, quantile: float) -> None:
        self.positions, self.quantile = shape[1] * shape[2], quantile
        self.n = min(int(np.ceil(quantile * n_images * self.positions)) + 2, n_images * self.positions)
        self.values = np.zeros((shape[0], 0), np.float32)

    def add(self, values: np.ndarray) -> None:
        """Take some images' maps, (N, units, h, w) float32."""
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

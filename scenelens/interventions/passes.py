"""Many passes of the same images with units changed: the layer is recorded once, and what follows runs again.

Where the first step behind the layer is linear, only what the changed units give to it is computed anew.
Where that is impossible, because the steps behind the layer cannot be followed, or where it does not give
what whole passes give, each pass is a whole one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from scenelens.errors import CannotAnswerError
from scenelens.networks import Network, Rest, Untraceable, ablate, record
from scenelens.progress import Announcer, read_ahead

_REST = 256  # images that go through the rest of the network together, at most
_TOGETHER = 1 << 22  # bytes of their values: more of them would not stay in the processor's cache
_MOST_BYTES = 1 << 30  # of recorded maps
_CLOSE = 1e-3  # share of the highest logit by which the two ways may differ


class _Passes:
    """A network and images, ready to be asked with units of one layer changed.

    Parameters
    ----------
    network : Network
        The network.
    layer : str
        The layer whose units are changed.
    images : sequence of str
        The images' ids.
    load : callable
        Id -> uint8 RGB (h, w, 3).
    most_whole : int
        How many images at most there may be where every pass is a whole one.
    progress : bool
        Whether a bar is shown.

    Attributes
    ----------
    images : list of int
        Which of the images were taken, by their place in the list.
    logits : numpy.ndarray
        (images, n_classes) float32 of the network as it is.
    high : numpy.ndarray
        (units,) float32, the response that only 0.5% of a unit's responses exceed.
    why : str
        Why every pass is a whole one; '' where only the rest of the network runs.
    """

    def __init__(
        self,
        network: Network,
        layer: str,
        images: Sequence[str],
        load: Callable[[str], np.ndarray],
        most_whole: int = 96,
        progress: bool = True,
    ) -> None:
        self.network, self.layer = network, layer
        self._ids, self._load = list(images), load
        size = 4 * int(np.prod(network.layer_shape(layer)))
        self.why = "the layer's maps need too much memory" if size * len(images) > _MOST_BYTES else ""
        self.images: list[int] = []
        self._begun: Tensor | None = None
        if not self.why:
            self._record(range(len(images)), progress)
            self.why = self._differs()
        if self.why:
            step = max(1, -(-len(images) // most_whole))
            self._record(range(0, len(images), step), progress, frames=True)

    def _record(self, places: Sequence[int], progress: bool, frames: bool = False) -> None:
        """Run the images whose places are given, and keep their maps, or the frames themselves."""
        announcer, place_of = Announcer(progress), {self._ids[k]: k for k in places}
        self.images, kept, maps, logits = [], [], [], []
        with announcer.bar(len(places), f"{self.layer} of {self.network.name}") as bar:
            move = announcer.pace(bar)
            for names, batch, skipped in read_ahead(self._frame, list(place_of)):
                if names:
                    with record(self.network, self.layer, stop=False) as acts:
                        found = self.network(np.stack(batch), framed=True)
                    logits.append(np.asarray(found.float().cpu()))  # type: ignore[union-attr]
                    maps.append(acts[self.layer].float().cpu())
                    kept += batch if frames else []
                    self.images += [place_of[name] for name in names]
                move(len(names) + len(skipped))
        if not logits:
            raise CannotAnswerError("none of the images can be read, so no accuracy can fall.")
        self.logits, self._maps = np.concatenate(logits), torch.cat(maps)
        self.high = _high_responses(self._maps)
        self._frames = np.stack(kept) if frames else None

    def _frame(self, image: str) -> np.ndarray:
        return self.network.show_input(self._load(image))

    def _differs(self) -> str:
        """Why the rest of the network alone is not run; '' where it gives what whole passes give."""
        try:
            self._rest = Rest(self.network, self.layer)
        except Untraceable as error:
            return str(error)
        found = self._in_parts(self._rest, self._maps)
        apart = np.abs(found - self.logits).max()
        if not apart <= _CLOSE * np.abs(self.logits).max():
            return f"what follows {self.layer} gives other scores when it is run alone."
        self._begun = self._begin()
        return ""

    def _begin(self) -> Tensor | None:
        """What the first step behind the layer gives, where it is linear and memory allows to keep it."""
        one = self._rest.begin(self._maps[:1].to(self.network.device))
        if one is None or 4 * one.numel() * len(self._maps) > _MOST_BYTES:
            return None
        parts = [self._rest.begin(part.to(self.network.device)) for part in self._maps.split(_REST)]
        return torch.cat([part for part in parts if part is not None])

    def _in_parts(self, run: Callable[..., Tensor], *values: Tensor) -> np.ndarray:
        """Run something for some images at a time, on the network's device."""
        device, one = self.network.device, max(4 * each[0].numel() for each in values)
        n = min(_REST, max(1, _TOGETHER // one))
        parts = [
            run(*(part.to(device) for part in some))
            for some in zip(*(each.split(n) for each in values), strict=True)
        ]
        return torch.cat(parts).float().cpu().numpy()

    def changed(self, units: Sequence[int], values: Sequence[float] | float, rows: np.ndarray) -> np.ndarray:
        """The logits of some images with units set to values.

        Parameters
        ----------
        units : sequence of int
            The units.
        values : float or sequence of float
            What each of them responds with everywhere.
        rows : numpy.ndarray
            (m,) int, places in `images`.

        Returns
        -------
        numpy.ndarray
            (m, n_classes) float32.
        """
        if self._frames is not None:
            with ablate(self.network, self.layer, units, values):
                found = self.network(self._frames[rows], framed=True)
            return found.float().cpu().numpy()  # type: ignore[union-attr]
        some, these = torch.as_tensor(rows), torch.as_tensor(list(units))
        wanted = torch.as_tensor(np.broadcast_to(np.asarray(values, np.float32), len(units)).copy())
        wanted = wanted.reshape(1, -1, *(1,) * (self._maps.ndim - 2))
        if self._begun is not None:
            difference = wanted - self._maps[some[:, None], these]
            return self._in_parts(
                lambda begun, part: self._rest.changed(begun, units, part), self._begun[some], difference
            )
        maps = self._maps[some]  # a copy
        maps[:, these] = wanted
        return self._in_parts(self._rest, maps)


def _high_responses(maps: Tensor) -> np.ndarray:
    """(units,) what 0.5% of the responses exceed: of (images, units, h, w), or (images, units)."""
    values = maps.transpose(0, 1).flatten(1).numpy()
    return np.quantile(values, 0.995, axis=1).astype(np.float32)

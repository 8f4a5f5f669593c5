"""An image cut into segments, shown to a network with any of them removed (section 3.1 of the paper).

Everything that asks "and what if this segment were gone?" goes through here: the greedy search for the
minimal image, its random counterpart, and a reader who removes segments by hand.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from scenelens.errors import SceneLensError, close_names
from scenelens.images import load_image
from scenelens.minimal_images.gradient_domain import GradientBases
from scenelens.minimal_images.regions import Regions, as_regions
from scenelens.minimal_images.segmentation import segment_image
from scenelens.networks import Network

BATCH = 32


class Standing(NamedTuple):
    """How one class stands in a network's answer to some pictures; arrays of one entry per picture.

    Attributes
    ----------
    log_score : float64, the natural logarithm of the class's probability: it tells 0.9999999 from 0.99999999.
    rank : int, 1 for the winner; of equal classes the first in the list is ahead.
    predicted : int, the number of the winning class.
    """

    log_score: np.ndarray
    rank: np.ndarray
    predicted: np.ndarray

    @property
    def score(self) -> np.ndarray:
        """The class's probability, 0..1."""
        return np.exp(self.log_score)


def standing(logits: np.ndarray, target: int) -> Standing:
    """How a class stands among logits (N, n_classes).

    Raises
    ------
    SceneLensError : logits that are not numbers.

    Examples
    --------
    >>> found = standing(np.array([[0.0, 0.0], [3.0, 1.0]]), 1)
    >>> found.score.round(3).tolist(), found.rank.tolist(), found.predicted.tolist()
    ([0.5, 0.119], [2, 2], [0, 0])
    """
    logits = np.asarray(logits, dtype=np.float64)
    if np.isnan(logits).any():
        raise SceneLensError(
            "the network's scores are NaN: its weights or its preprocessing are broken (network.predict on a "
            "plain photograph shows which)."
        )
    own = logits[:, target, None]
    ahead = (logits > own).sum(1) + (logits[:, :target] == own).sum(1)
    shifted = logits - logits.max(1, keepdims=True)
    log_score = shifted[:, target] - np.log(np.exp(shifted).sum(1))
    return Standing(log_score, ahead + 1, logits.argmax(1))


class CutImage:
    """One image in segments, before one network, with one class in mind.

    Parameters
    ----------
    network : a `scenelens.networks.network.Network`.
    image : uint8 RGB (h, w, 3) of any size, which the network frames; or the path of a photograph.
    regions : `Regions`, a label map, or masks; of the photograph's size or of the frame's. Without them
        `segment_image` finds some.
    target : the class's name or number; without it the one that the network predicts.
    ask : False if the network is to be asked about the whole frame only when `whole` is first wanted; who
        knows the answer from disk sets `whole`, and the network is not asked at all.

    Attributes
    ----------
    frame : uint8 RGB (H, W, 3), the picture the network sees.
    regions : `Regions` of the frame. bases : their `GradientBases`.
    target : the class's name; ``target_number`` in the network's list; ``wanted``, that number where the
        caller gave a target, else None. whole : the whole frame's `Standing`.

    Raises
    ------
    SceneLensError : regions of another size, an unknown class, scores that are NaN.

    Examples
    --------
    >>> from scenelens.networks import CaffeNet
    >>> from scenelens.networks import Network
    >>> net = Network(CaffeNet(3, width=1 / 8, fc=16), "scene", ["attic", "beach", "cave"])
    >>> image = np.random.default_rng(0).integers(0, 256, (8, 12, 3), dtype=np.uint8)
    >>> cut = CutImage(net, image, [[0] * 6 + [1] * 6] * 8, target="cave")
    >>> bool((cut.picture([True, True]) == cut.frame).all()), cut.look([True, False]).rank.shape
    (True, (1,))
    """

    def __init__(
        self,
        network: Network,
        image: np.ndarray | str | Path,
        regions: Any = None,
        target: str | int | None = None,
        *,
        ask: bool = True,
    ) -> None:
        photograph = load_image(image) if isinstance(image, str | Path) else image
        self.network = network
        self.frame = network.show_input(photograph)
        self.regions = _framed(network, np.shape(photograph)[:2], regions, self.frame)
        self.wanted = None if target is None else class_number(network, target)
        self._bases: GradientBases | None = None
        if ask:
            _ = self.whole

    @cached_property
    def whole(self) -> Standing:
        """How the class stands when nothing is removed."""
        logits = self._logits(self.frame[None])
        number = int(standing(logits, 0).predicted[0]) if self.wanted is None else self.wanted
        return standing(logits, number)

    @property
    def target_number(self) -> int:
        """The class's number in the network's list."""
        return int(self.whole.predicted[0]) if self.wanted is None else self.wanted

    @property
    def target(self) -> str:
        """The class's name."""
        return self.network.classes[self.target_number]

    @property
    def bases(self) -> GradientBases:
        """Made when first asked for: an image that is not classified correctly needs none."""
        if self._bases is None:
            self._bases = GradientBases(self.frame, self.regions.labels)
        return self._bases

    def picture(self, kept: Any) -> np.ndarray:
        """The frame with only some segments, (n,) bool -> uint8 RGB (H, W, 3)."""
        return self.bases.picture(np.asarray(kept, dtype=bool))

    def look(self, kept: Any) -> Standing:
        """How the class stands when only some segments are kept: (n,) or (N, n) bool -> N standings."""
        choices = np.atleast_2d(np.asarray(kept, dtype=bool))
        return self._stand(self.bases.pictures(part) for part in _parts(choices))

    def without(self, kept: np.ndarray, segments: np.ndarray, now: Standing | None = None) -> Standing:
        """How the class stands when each of some kept segments is removed too, one at a time.

        Parameters
        ----------
        kept : (n,) bool. segments : (N,) numbers of kept segments.
        now : the standing with all of `kept`, where it is known: it is also that without a segment that has
            no difference between its pixels, whose removal leaves the picture as it is.

        Returns
        -------
        Standing of N entries, in the order of `segments`.
        """
        alive = self.bases.alive[segments] if now is not None else np.ones(len(segments), bool)
        parts = _parts(segments[alive])
        seen = self._stand(self.bases.without(kept, part) for part in parts)
        if now is None or alive.all():
            return seen
        columns = (np.full(len(segments), old[0]) for old in now)
        found = Standing(*columns)
        for column, values in zip(found, seen, strict=True):
            column[alive] = values
        return found

    def _stand(self, batches: Any) -> Standing:
        logits = [self._logits(pictures) for pictures in batches]
        empty = np.zeros((0, len(self.network.classes)))
        return standing(np.concatenate(logits or [empty]), self.target_number)

    def _logits(self, pictures: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            logits = self.network(pictures, framed=True)
        if logits is None:
            raise SceneLensError("a cut image needs the whole network; use it outside of record(...).")
        return logits.float().cpu().numpy()


def _parts(rows: np.ndarray) -> list[np.ndarray]:
    return [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]


def class_number(network: Network, target: str | int) -> int:
    """A class's number in a network's list, by name or by number.

    Raises
    ------
    SceneLensError : no such class; close names are given.
    """
    if isinstance(target, str):
        if target in network.classes:
            return network.classes.index(target)
        close = close_names(target, network.classes)
        raise SceneLensError(f"network {network.name!r} knows no class {target!r}; {close}.")
    if not 0 <= int(target) < len(network.classes):
        raise SceneLensError(
            f"network {network.name!r} has classes 0 to {len(network.classes) - 1}, and no class {target}."
        )
    return int(target)


def _framed(network: Network, photograph: tuple[int, ...], regions: Any, frame: np.ndarray) -> Regions:
    """The regions at the frame's size."""
    if regions is None:
        return segment_image(frame)
    found = as_regions(regions)
    if found.shape == frame.shape[:2]:
        return found
    if found.shape == tuple(photograph):
        return found.within(network.preprocessing)
    raise SceneLensError(
        f"the regions are {found.shape} pixels; they have to be as large as the image, {tuple(photograph)}, "
        f"or as the frame that network {network.name!r} sees, {frame.shape[:2]}."
    )

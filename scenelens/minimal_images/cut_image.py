"""An image cut into segments, shown to a network with any of them removed (section 3.1 of the paper).

`CutImage` answers what the network predicts without some segments. The greedy search for the minimal image,
the search in random order and the widget, where a reader removes segments, all use it.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from scenelens.errors import SceneLensError, close_names
from scenelens.images import load_image
from scenelens.minimal_images.gradient_domain import _GradientBases
from scenelens.minimal_images.regions import Regions
from scenelens.minimal_images.segmentation import segment_image
from scenelens.networks import Network

BATCH = 32  # pictures that go through the network together


class _ClassScores(NamedTuple):
    """What a network says about one class on some pictures: arrays with one entry per picture.

    Attributes
    ----------
    log_score : numpy.ndarray
        float64, the natural logarithm of the class's probability. It tells 0.9999999 from 0.99999999, which
        the probability itself does less and less well near 1.
    rank : numpy.ndarray
        int, the place of the class, 1 for the most probable. Of ties the first in the list of classes leads.
    predicted : numpy.ndarray
        int, the number of the most probable class.
    """

    log_score: np.ndarray
    rank: np.ndarray
    predicted: np.ndarray

    @property
    def score(self) -> np.ndarray:
        """The probability of the class, 0..1."""
        return np.exp(self.log_score)

    def pick(self, n: int) -> _ClassScores:
        """Return the scores on one of the pictures.

        Parameters
        ----------
        n : int
            The number of the picture, from 0.

        Returns
        -------
        _ClassScores
            Arrays of one entry.
        """
        return _ClassScores(*(column[n : n + 1] for column in self))

    @classmethod
    def of_logits(cls, logits: np.ndarray, target: int) -> _ClassScores:
        """Return a class's scores among logits.

        Parameters
        ----------
        logits : numpy.ndarray
            (N, n_classes), the network's outputs before the softmax.
        target : int
            The number of the class.

        Returns
        -------
        _ClassScores
            Arrays of N entries.

        Raises
        ------
        SceneLensError
            If a logit is NaN.

        Examples
        --------
        >>> found = _ClassScores.of_logits(np.array([[0.0, 0.0], [3.0, 1.0]]), 1)
        >>> found.score.round(3).tolist(), found.rank.tolist(), found.predicted.tolist()
        ([0.5, 0.119], [2, 2], [0, 0])
        """
        logits = np.asarray(logits, dtype=np.float64)
        if np.isnan(logits).any():
            raise SceneLensError(
                "the network's scores are NaN: its weights or its preprocessing are broken (network.predict "
                "on a plain photograph shows which)."
            )
        own = logits[:, target, None]
        ahead = (logits > own).sum(1) + (logits[:, :target] == own).sum(1)
        # The largest logit is subtracted first, so that the exponential function cannot overflow.
        shifted = logits - logits.max(1, keepdims=True)
        log_score = shifted[:, target] - np.log(np.exp(shifted).sum(1))
        return cls(log_score, ahead + 1, logits.argmax(1))


class CutImage:
    """One image in segments, one network, and the class that the network has to recognise.

    Parameters
    ----------
    network : Network
        The network that looks at the image.
    image : numpy.ndarray, str or Path
        uint8 RGB (h, w, 3) of any size, which the network frames; or the path of a photograph.
    regions : Regions, array_like, mapping or sequence, optional
        The segments: `Regions`, a segment map, or masks; of the photograph's size or of the frame's. By
        default `segment_image` finds some in the frame.
    target : str or int, optional
        The class, by name or by number; by default the class that the network predicts.
    run_now : bool, optional
        True (the default) runs the network on the whole frame at once. False runs it when `whole_scores` is
        first used. Code that knows these scores from a cache sets the attribute, and the network never runs.

    Attributes
    ----------
    network : Network
        As given.
    frame : numpy.ndarray
        uint8 RGB (H, W, 3), the picture that the network sees.
    regions : Regions
        The segments of the frame.
    given_target : int or None
        The number of the class where the caller gave one, else None.

    Raises
    ------
    SceneLensError
        If the regions have another size, if there is no such class, or if the scores are NaN.

    Examples
    --------
    >>> from scenelens.networks import CaffeNet, Network
    >>> net = Network(CaffeNet(3, width=1 / 8, fc=16), "scene", ["attic", "beach", "cave"])
    >>> image = np.random.default_rng(0).integers(0, 256, (8, 12, 3), dtype=np.uint8)
    >>> cut = CutImage(net, image, [[0] * 6 + [1] * 6] * 8, target="cave")
    >>> bool((cut.picture([True, True]) == cut.frame).all()), cut.scores([True, False]).rank.shape
    (True, (1,))
    """

    def __init__(
        self,
        network: Network,
        image: np.ndarray | str | Path,
        regions: Any = None,
        target: str | int | None = None,
        *,
        run_now: bool = True,
    ) -> None:
        photograph = load_image(image) if isinstance(image, str | Path) else image
        self.network = network
        self.frame = network.show_input(photograph)
        self.regions = _framed(network, np.shape(photograph)[:2], regions, self.frame)
        self.given_target = None if target is None else self.class_number(network, target)
        if run_now:
            _ = self.whole_scores

    @staticmethod
    def class_number(network: Network, target: str | int) -> int:
        """Return the number of a class in a network's list.

        Parameters
        ----------
        network : Network
            The network.
        target : str or int
            The class, by name or by number.

        Returns
        -------
        int
            Its number, from 0.

        Raises
        ------
        SceneLensError
            If the network has no such class (close names are given), or several of that name.
        """
        if isinstance(target, str):
            found = network.class_names.find(target)
            if len(found) > 1:
                names = " or ".join(repr(network.classes[number]) for number in found)
                raise SceneLensError(
                    f"network {network.name!r} has several classes called {target!r}: write {names}."
                )
            if not found:
                close = close_names(target, network.classes)
                raise SceneLensError(f"network {network.name!r} has no class {target!r}; {close}.")
            return found[0]
        if not 0 <= int(target) < len(network.classes):
            raise SceneLensError(
                f"network {network.name!r} has classes 0 to {len(network.classes) - 1}, not {target}."
            )
        return int(target)

    @cached_property
    def whole_scores(self) -> _ClassScores:
        """The class's scores when nothing is removed."""
        logits = self._logits(self.frame[None])
        number = int(logits[0].argmax()) if self.given_target is None else self.given_target
        return _ClassScores.of_logits(logits, number)

    @property
    def target_number(self) -> int:
        """The number of the class in the network's list."""
        return int(self.whole_scores.predicted[0]) if self.given_target is None else self.given_target

    @property
    def target(self) -> str:
        """The name of the class."""
        return self.network.classes[self.target_number]

    @cached_property
    def bases(self) -> _GradientBases:
        """The segments' `_GradientBases`, made at first use: an image that is not recognised needs none."""
        return _GradientBases(self.frame, self.regions.segment_map)

    def picture(self, kept: Any) -> np.ndarray:
        """Return the frame with only some of its segments.

        Parameters
        ----------
        kept : array_like
            (n,) bool, which segments are kept.

        Returns
        -------
        numpy.ndarray
            uint8 RGB (H, W, 3).
        """
        return self.bases.picture(np.asarray(kept, dtype=bool))

    def scores(self, kept: Any) -> _ClassScores:
        """Return the class's scores when only some segments are kept.

        Parameters
        ----------
        kept : array_like
            (n,) or (N, n) bool: one choice of segments, or one per row.

        Returns
        -------
        _ClassScores
            One entry per choice.
        """
        choices = np.atleast_2d(np.asarray(kept, dtype=bool))
        return self._scores(self.bases.pictures(batch) for batch in _batches(choices))

    def scores_without(
        self, kept: np.ndarray, segments: np.ndarray, current: _ClassScores | None = None
    ) -> _ClassScores:
        """Return the class's scores when each of some kept segments is removed too, one at a time.

        Parameters
        ----------
        kept : numpy.ndarray
            (n,) bool, which segments are kept.
        segments : numpy.ndarray
            (N,) the numbers of the candidates, all of them among the kept segments.
        current : _ClassScores, optional
            The scores with all of `kept`, where they are known. A segment without any difference between its
            pixels then does not go through the network: its removal leaves the picture as it is.

        Returns
        -------
        _ClassScores
            One entry per candidate, in the order of `segments`.
        """
        changing = np.ones(len(segments), bool) if current is None else self.bases.has_gradient[segments]
        pictures = (self.bases.without(kept, batch) for batch in _batches(segments[changing]))
        computed = self._scores(pictures)
        if current is None or changing.all():
            return computed
        found = _ClassScores(*(np.full(len(segments), column[0]) for column in current))
        for column, values in zip(found, computed, strict=True):
            column[changing] = values
        return found

    def _scores(self, batches: Iterable[np.ndarray]) -> _ClassScores:
        logits = [self._logits(pictures) for pictures in batches]
        empty = np.zeros((0, len(self.network.classes)))
        return _ClassScores.of_logits(np.concatenate(logits or [empty]), self.target_number)

    def _logits(self, pictures: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            logits = self.network(pictures, framed=True)
        if logits is None:  # inside record(...) the forward pass stops at the deepest recorded layer
            raise SceneLensError("a cut image needs the whole network; use it outside of record(...).")
        return logits.float().cpu().numpy()


def _batches(rows: np.ndarray) -> list[np.ndarray]:
    return [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]


def _framed(network: Network, photograph: tuple[int, ...], regions: Any, frame: np.ndarray) -> Regions:
    """Return the regions at the frame's size."""
    if regions is None:
        return segment_image(frame)
    found = Regions.of(regions)
    if found.shape == frame.shape[:2]:
        return found
    if found.shape == tuple(photograph):
        return found.within(network.preprocessing)
    raise SceneLensError(
        f"the regions are {found.shape} pixels; they have to be as large as the image, {tuple(photograph)}, "
        f"or as the frame that network {network.name!r} sees, {frame.shape[:2]}."
    )

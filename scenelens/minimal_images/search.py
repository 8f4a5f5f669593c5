"""The least of an image that a network still recognises (section 3.1, Figure 2 of the paper).

An image is cut into segments. Again and again the segment goes whose removal lowers the correct class's score
least, until the network takes the image for something else; what was left just before is the minimal image.
The search is greedy and plain: every candidate's picture goes through the network, and nothing is estimated.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scenelens.errors import SceneLensError, close_names
from scenelens.files import digest, replace_file
from scenelens.minimal_images.cut_image import BATCH, CutImage, Standing
from scenelens.minimal_images.regions import Regions
from scenelens.networks import Network
from scenelens.studies import network_inputs

ORDERS = ("greedy", "random")
_VERSION = 1  # of the searches on disk: raise it when a rule of cutting or searching changes

#: Segments in the order of their removal, and the standing before all and after each.
Search = tuple[list[int], list[Standing]]


@dataclass(frozen=True)
class MinimalImage:
    """What is left of an image, and how it came to that.

    Attributes
    ----------
    image : uint8 RGB (H, W, 3), the minimal image; original : the frame it was made from.
    kept : (n,) bool, the segments that are left.
    steps : DataFrame, one row per removal and one before all: step (from 0), removed (a segment's number, -1
        at step 0), name (the segment's), score (the class's probability, 0..1), rank (of the class, from 1),
        predicted (the winning class), correct (bool), share (of the pixels whose segments are kept, 0..1).
        The last removal is the one too many, where there was one; the minimal image keeps that segment.
    target : the class that had to be recognised. score : its probability on the minimal image.
    reason : why nothing was simplified; empty where something was.
    order : 'greedy' or 'random'.
    provenance : network, weights, preprocessing, target, regions, order, seed.
    """

    image: np.ndarray
    original: np.ndarray
    kept: np.ndarray
    regions: Regions
    steps: pd.DataFrame
    target: str
    score: float
    reason: str
    order: str
    provenance: dict[str, Any] = field(repr=False)

    @property
    def simplified(self) -> bool:
        """Whether the network knew the whole image, so that there was something to simplify."""
        return not self.reason

    @cached_property
    def mask(self) -> np.ndarray:
        """(H, W) bool: the pixels of the kept segments."""
        return self.regions.mask(self.kept)

    @property
    def share(self) -> float:
        """Share of the pixels whose segments are kept, 0..1."""
        return float(self.regions.shares[self.kept].sum())

    def kept_after(self, step: int) -> np.ndarray:
        """(n,) bool: the segments that were left after a step of `steps`."""
        if not 0 <= step < len(self.steps):
            raise SceneLensError(f"step {step}: the removal has steps 0 to {len(self.steps) - 1}.")
        kept = np.ones(len(self.regions), bool)
        kept[self.steps.removed.to_numpy()[1 : step + 1]] = False
        return kept

    def __str__(self) -> str:
        if self.reason:
            return self.reason
        kept, n = int(self.kept.sum()), len(self.kept)
        return (
            f"{self.target}: {kept} of {n} segments, {self.share:.0%} of the pixels, score {self.score:.2f}"
        )


def minimal_image(
    network: Network,
    image: np.ndarray | str | Path,
    regions: Any = None,
    target: str | int | None = None,
    *,
    order: str = "greedy",
    seed: int = 0,
    cache: str | Path | None = None,
) -> MinimalImage:
    """Remove segments from an image, least harmful first, for as long as the network recognises it.

    Parameters
    ----------
    network : a `scenelens.networks.network.Network`.
    image : uint8 RGB (h, w, 3) of any size, which the network frames; or the path of a photograph.
    regions : `Regions` (see `segment_image` and `regions_from_annotation`), a label map (h, w), or masks; of
        the image's size or of the frame's. Without them `segment_image` finds some in the frame.
    target : the correct class, by name or number; without it the class that the network predicts.
    order : 'greedy'; or 'random', which removes in a random order and stops by the same rule.
    seed : of the random order.
    cache : folder in which the search is kept (which segments went, and the scores; a few kB): the same
        question, asked again, is answered without the network. Pictures are made anew.

    Returns
    -------
    MinimalImage. Where the network does not know the whole image, `simplified` is False, `reason` says so,
    and the image is the original.

    Raises
    ------
    SceneLensError : one region only, regions of another size, masks that overlap or leave pixels out, an
        unknown class or order, scores that are NaN.

    Notes
    -----
    Section 3.1. "The smallest decrease of the score" is taken of the logarithm of the class's probability,
    which orders pictures as the probability does but does not run out of digits near 1. Of equal ones the
    first segment goes. The search ends at the first removal after which another class wins, even if removing
    another segment would not have changed the winner: so has the paper.

    Examples
    --------
    >>> from scenelens.networks import CaffeNet
    >>> from scenelens.networks import Network
    >>> net = Network(CaffeNet(3, width=1 / 8, fc=16), "scene", ["attic", "beach", "cave"])
    >>> image = np.random.default_rng(0).integers(0, 256, (8, 12, 3), dtype=np.uint8)
    >>> found = minimal_image(net, image, [[0] * 4 + [1] * 4 + [2] * 4] * 8)
    >>> found.image.shape, found.mask.shape, found.steps.step[0], bool(found.steps.correct[0])
    ((227, 227, 3), (227, 227), np.int64(0), True)
    """
    return simplify(CutImage(network, image, regions, target, ask=cache is None), order, seed, cache)


def simplify(
    cut: CutImage, order: str = "greedy", seed: int = 0, cache: str | Path | None = None
) -> MinimalImage:
    """As `minimal_image`, for an image that is cut already."""
    if order not in ORDERS:
        raise SceneLensError(f"no order {order!r}; {close_names(order, ORDERS)}.")
    if len(cut.regions) < 2:
        raise SceneLensError(
            "the image has one region only, so there is nothing to choose: cut it finer (segment_image's "
            "n_regions), or outline more than one object."
        )
    search = _search(cut, order, seed) if cache is None else _kept_search(cut, order, seed, Path(cache))
    if cut.whole.rank[0] != 1:
        predicted = cut.network.classes[cut.whole.predicted[0]]
        reason = f"not classified as {cut.target} but as {predicted}: nothing to simplify"
        return _result(cut, *search, order, seed, reason)
    return _result(cut, *search, order, seed)


def _search(cut: CutImage, order: str, seed: int) -> Search:
    if cut.whole.rank[0] != 1:
        return [], [cut.whole]
    return _greedy(cut) if order == "greedy" else _random(cut, seed)


def _kept_search(cut: CutImage, order: str, seed: int, folder: Path) -> Search:
    """The search as it was kept, or a new one, which is kept then; `cut.whole` is known in either case."""
    path = folder / f"search-{_key(cut, order, seed)}.json"
    known = _read(path, cut)
    if known:
        cut.whole = known[1][0]
        return known
    removed, seen = _search(cut, order, seed)
    columns = {name: [getattr(one, name)[0].item() for one in seen] for name in Standing._fields}
    replace_file(path, json.dumps({"removed": removed, **columns}).encode())
    return removed, seen


def _key(cut: CutImage, order: str, seed: int) -> str:
    """Names everything that a search's outcome depends on."""
    pixels = [cut.frame.shape, hashlib.sha256(cut.frame.tobytes()).hexdigest()]
    question = [cut.regions.hash, cut.wanted, order, seed if order == "random" else 0]
    return digest(json.dumps([_VERSION, network_inputs(cut.network), pixels, question]))[:24]


def _read(path: Path, cut: CutImage) -> Search | None:
    """A search as it was kept, or None where there is none, or none that can be."""
    try:
        stored = json.loads(path.read_text())
        removed = [int(segment) for segment in stored["removed"]]
        log_score = np.array(stored["log_score"], np.float64)
        rank, predicted = (np.array(stored[name], np.int64) for name in ("rank", "predicted"))
    except (OSError, ValueError, TypeError, KeyError, OverflowError):
        return None
    if any(column.shape != (len(removed) + 1,) for column in (log_score, rank, predicted)):
        return None
    segments, classes = range(len(cut.regions)), range(len(cut.network.classes))
    target = predicted[0] if cut.wanted is None else cut.wanted
    sound = (
        len(set(removed)) == len(removed)
        and set(removed) <= set(segments)
        and set(predicted.tolist()) <= set(classes)
        and ((rank == 1) == (predicted == target)).all()
        and (log_score <= 0).all()  # which NaN is not
        and (rank[:-1] == 1).all()  # a search ends with the first error
    )
    if not sound:
        return None
    whole = Standing(log_score, rank, predicted)
    return removed, [_one(whole, n) for n in range(len(rank))]


def _greedy(cut: CutImage) -> Search:
    kept = np.ones(len(cut.regions), bool)
    removed: list[int] = []
    seen = [cut.whole]  # a chosen candidate's standing is the next step's own
    while kept.any() and seen[-1].rank[0] == 1:
        candidates = np.flatnonzero(kept)
        standings = cut.without(kept, candidates, now=seen[-1])
        best = int(np.argmax(standings.log_score))  # the first of equals
        kept[candidates[best]] = False
        removed.append(int(candidates[best]))
        seen.append(_one(standings, best))
    return removed, seen


def _random(cut: CutImage, seed: int) -> Search:
    order = np.random.default_rng(seed).permutation(len(cut.regions))
    seen = [cut.whole]
    for start in range(0, len(order), BATCH):
        ends = range(start + 1, min(len(order), start + BATCH) + 1)
        kept = ~np.array([np.isin(np.arange(len(order)), order[:end]) for end in ends])
        standings = cut.look(kept)
        seen += [_one(standings, n) for n in range(len(kept))]
        if (standings.rank != 1).any():
            break
    wrong = next((n for n, one in enumerate(seen) if one.rank[0] != 1), len(seen) - 1)
    return order[:wrong].tolist(), seen[: wrong + 1]


def _one(standings: Standing, n: int) -> Standing:
    return Standing(*(column[n : n + 1] for column in standings))


def _result(
    cut: CutImage, removed: list[int], seen: list[Standing], order: str, seed: int, reason: str = ""
) -> MinimalImage:
    kept, last = np.ones(len(cut.regions), bool), seen[-1].rank[0] == 1
    kept[removed if last else removed[:-1]] = False
    score = seen[-1] if last or reason else seen[-2]
    return MinimalImage(
        image=cut.frame if reason else cut.picture(kept),
        original=cut.frame,
        kept=kept,
        regions=cut.regions,
        steps=_steps(cut, removed, seen),
        target=cut.target,
        score=float(score.score[0]),
        reason=reason,
        order=order,
        provenance=_provenance(cut, order, seed),
    )


def _steps(cut: CutImage, removed: list[int], seen: list[Standing]) -> pd.DataFrame:
    shares, classes = cut.regions.shares, cut.network.classes
    gone = np.concatenate([[0.0], np.cumsum(shares[removed])])
    return pd.DataFrame(
        {
            "step": np.arange(len(seen)),
            "removed": [-1, *removed],
            "name": ["", *(cut.regions.names[segment] for segment in removed)],
            "score": [float(one.score[0]) for one in seen],
            "rank": [int(one.rank[0]) for one in seen],
            "predicted": [classes[one.predicted[0]] for one in seen],
            "correct": [bool(one.rank[0] == 1) for one in seen],
            "share": np.clip(1 - gone, 0, 1),
        }
    )


def _provenance(cut: CutImage, order: str, seed: int) -> dict[str, Any]:
    return {
        "network": cut.network.name,
        "weights": cut.network.weights_hash,
        "preprocessing": repr(cut.network.preprocessing),
        "target": cut.target,
        "regions": {"source": cut.regions.source, "n": len(cut.regions), "hash": cut.regions.hash},
        "order": order,
        **({"seed": seed} if order == "random" else {}),
    }

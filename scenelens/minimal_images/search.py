"""The least of an image that a network still recognises (section 3.1 and Figure 2 of the paper).

An image is cut into segments. At every step the segment is removed whose removal lowers the score of the
correct class least, until the network takes the image for something else. What was left just before that is
the minimal image. The search is greedy and exact: the picture of every candidate goes through the network,
and no score is estimated.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from scenelens.caches import cached
from scenelens.errors import SceneLensError, close_names
from scenelens.files import cache_key, digest
from scenelens.minimal_images.cut_image import BATCH, CutImage, _ClassScores
from scenelens.minimal_images.regions import Regions
from scenelens.networks import Network
from scenelens.sentences import percent
from scenelens.studies import network_inputs, variant_parts

_ORDERS = ("greedy", "random")
RULES = ("class", "half")  # when a search ends: see `minimal_image`
_VERSION = 1  # of the cached searches: raise it when a rule of cutting or searching changes


class _Search(NamedTuple):
    """Segments in the order of their removal, and the scores before all removals and after each."""

    removed: list[int]
    scores: _ClassScores


@dataclass(frozen=True)
class MinimalImage:
    """What is left of an image, and the steps that led to it.

    Attributes
    ----------
    image : numpy.ndarray
        uint8 RGB (H, W, 3), the minimal image.
    original : numpy.ndarray
        uint8 RGB (H, W, 3), the frame it was made from.
    kept : numpy.ndarray
        (n,) bool, the segments that are left.
    regions : Regions
        The segments.
    steps : pandas.DataFrame
        One row per removal and one before all: ``step`` (from 0), ``removed`` (a segment's number, missing at
        step 0), ``name`` (of the segment), ``score`` (the class's probability, 0..1), ``rank`` (of the class,
        from 1), ``predicted`` (the most probable class), ``correct`` (bool), ``share`` (of the pixels whose
        segments are kept, 0..1). If the last removal broke the rule, the minimal image keeps its segment.
    target : str
        The class that had to be recognised.
    score : float
        Its probability on the minimal image, 0..1.
    reason : str
        Why nothing was removed; empty where something was.
    order : str
        'greedy' or 'random'.
    provenance : dict
        ``network``, ``weights``, ``preprocessing``, ``target``, ``regions``, ``order``, ``rule``, ``seed``.
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
        """Whether the network recognised the whole image, so that there was something to simplify."""
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
        """Return the segments that were left after a step.

        Parameters
        ----------
        step : int
            A step of `steps`; 0 is the whole image.

        Returns
        -------
        numpy.ndarray
            (n,) bool.

        Raises
        ------
        SceneLensError
            If the search has no such step.
        """
        if not 0 <= step < len(self.steps):
            raise SceneLensError(f"there is no step {step}: the search has steps 0 to {len(self.steps) - 1}.")
        kept = np.ones(len(self.regions), bool)
        kept[self.steps.removed[1 : step + 1].to_numpy(int)] = False
        return kept

    def __str__(self) -> str:
        if self.reason:
            return self.reason
        kept, n, share = int(self.kept.sum()), len(self.kept), percent(self.share)
        return f"{self.target}: {kept} of {n} segments, {share} of the pixels, score {self.score:.2f}"


def minimal_image(
    network: Network,
    image: np.ndarray | str | Path,
    regions: Any = None,
    target: str | int | None = None,
    *,
    order: str = "greedy",
    seed: int = 0,
    cache: str | Path | None = None,
    rule: str = "class",
) -> MinimalImage:
    """Remove segments from an image, least harmful first, as long as the network recognises it.

    Parameters
    ----------
    network : Network
        The network that has to recognise the image.
    image : numpy.ndarray, str or Path
        uint8 RGB (h, w, 3) of any size, which the network frames; or the path of a photograph.
    regions : Regions, array_like, mapping or sequence, optional
        The segments: `Regions` (see `segment_image` and `regions_from_annotation`), a segment map (h, w), or
        masks; of the image's size or of the frame's. By default `segment_image` finds some in the frame.
    target : str or int, optional
        The correct class, by name or by number; by default the class that the network predicts.
    order : {'greedy', 'random'}, optional
        'random' removes segments in a random order and stops by the same rule.
    seed : int, optional
        Seed of the random order.
    cache : str or Path, optional
        Folder in which the search is cached (which segments were removed, and the scores; a few kB). The same
        search is then done without the network. Pictures are computed again.
    rule : {'class', 'half'}, optional
        The search ends with the first removal after which another class is more probable; or with the first
        after which the class has less than half of the probability that it has for the whole image.

    Returns
    -------
    MinimalImage
        The result. Where the network does not recognise the whole image, `simplified` is False, `reason` says
        so, and the image is the original.

    Raises
    ------
    SceneLensError
        If there is one region only, if regions have another size, if masks overlap or leave pixels out, if
        there is no such class, order or rule, or if scores are NaN.

    Notes
    -----
    Section 3.1. The paper removes the segment with "the smallest decrease of the score". Here the logarithm
    of the class's probability is compared. It orders pictures as the probability does, and still has digits
    left near 1. Of ties the first segment is removed. The search ends with the first removal after which
    another class is more probable, even if removing another segment would not have changed the class: so does
    the paper's. What is left then depends on what the network says to an empty picture, too: of an image of
    that class everything can go. The rule 'half' does not depend on other classes.

    Examples
    --------
    >>> from scenelens.networks import CaffeNet, Network
    >>> net = Network(CaffeNet(3, width=1 / 8, fc=16), "scene", ["attic", "beach", "cave"])
    >>> image = np.random.default_rng(0).integers(0, 256, (8, 12, 3), dtype=np.uint8)
    >>> found = minimal_image(net, image, [[0] * 4 + [1] * 4 + [2] * 4] * 8)
    >>> found.image.shape, found.mask.shape, found.steps.step[0], bool(found.steps.correct[0])
    ((227, 227, 3), (227, 227), np.int64(0), True)
    """
    cut = CutImage(network, image, regions, target, run_now=cache is None)
    return simplify(cut, order, seed, cache, rule)


def simplify(
    cut: CutImage,
    order: str = "greedy",
    seed: int = 0,
    cache: str | Path | None = None,
    rule: str = "class",
) -> MinimalImage:
    """Search for the minimal image of an image that is already cut into segments; see `minimal_image`.

    Parameters
    ----------
    cut : CutImage
        The image in segments.
    order : {'greedy', 'random'}, optional
        The order of removal.
    seed : int, optional
        Seed of the random order.
    cache : str or Path, optional
        Folder in which the search is cached.
    rule : {'class', 'half'}, optional
        When the search ends.

    Returns
    -------
    MinimalImage
        The result.

    Raises
    ------
    SceneLensError
        If there is one region only, if there is no such order or rule, or if scores are NaN.
    """
    if order not in _ORDERS:
        raise SceneLensError(f"no order {order!r}; {close_names(order, _ORDERS)}.")
    if rule not in RULES:
        raise SceneLensError(f"no rule {rule!r}; {close_names(rule, RULES)}.")
    if len(cut.regions) < 2:
        raise SceneLensError(
            "the image has one region only, so there is nothing to choose: cut it finer (segment_image's "
            "n_regions), or outline more than one object."
        )
    key = "" if cache is None else _key(cut, order, seed, rule, Path(cache))
    search = cached(
        None if cache is None else Path(cache) / f"search-{key}.json",
        lambda: _search(cut, order, seed, rule),
        _pack,
        lambda content: _unpack(content, cut, rule),
    )
    # The first scores are those of the whole frame. After a cached search the network need not run for them.
    cut.whole_scores = search.scores.pick(0)
    return _result(cut, search, order, seed, rule)


def _kept_by_rule(cut: CutImage) -> dict[str, np.ndarray]:
    """Return the segments that the minimal image keeps under every rule, from one search.

    Parameters
    ----------
    cut : CutImage
        An image in two segments or more, which the network recognises.

    Returns
    -------
    dict of str to numpy.ndarray
        Rule -> (n,) bool. The rules differ only in where the search ends.

    Raises
    ------
    SceneLensError
        If scores are NaN.
    """
    search = _greedy(cut, RULES)
    return {rule: _kept(cut, search, rule) for rule in RULES}


def _goes_on(scores: _ClassScores, rule: str) -> np.ndarray:
    """(N,) bool: for the whole image and the pictures after it, whether a search that sees one goes on."""
    if rule == "half":
        return scores.log_score >= scores.log_score[0] - np.log(2)
    return scores.rank == 1


def _search(cut: CutImage, order: str, seed: int, rule: str) -> _Search:
    if cut.whole_scores.rank[0] != 1:
        return _Search([], cut.whole_scores)
    return _greedy(cut, (rule,)) if order == "greedy" else _random(cut, seed, rule)


def _greedy(cut: CutImage, rules: Sequence[str]) -> _Search:
    """Search until no rule lets it go on."""
    kept = np.ones(len(cut.regions), bool)
    removed: list[int] = []
    history = [cut.whole_scores]
    while kept.any() and any(_goes_on(_joined([history[0], history[-1]]), rule)[-1] for rule in rules):
        candidates = np.flatnonzero(kept)
        # The scores of the candidate chosen before are those of the picture that this step starts from, so
        # this picture does not go through the network again.
        scores = cut.scores_without(kept, candidates, current=history[-1])
        best = int(np.argmax(scores.log_score))  # the first of ties
        kept[candidates[best]] = False
        removed.append(int(candidates[best]))
        history.append(scores.pick(best))
    return _Search(removed, _joined(history))


def _random(cut: CutImage, seed: int, rule: str) -> _Search:
    order = np.random.default_rng(seed).permutation(len(cut.regions))
    history = [cut.whole_scores]
    # The order is known beforehand, so a batch of steps goes through the network together. A random order
    # soon removes what matters: the first batch is usually enough.
    for start in range(0, len(order), BATCH):
        ends = range(start + 1, min(len(order), start + BATCH) + 1)
        history.append(cut.scores(~np.array([np.isin(np.arange(len(order)), order[:end]) for end in ends])))
        if not _goes_on(_joined(history), rule).all():
            break
    scores = _joined(history)
    wrong = np.flatnonzero(~_goes_on(scores, rule))
    last = int(wrong[0]) if len(wrong) else len(scores.rank) - 1
    return _Search(order[:last].tolist(), _ClassScores(*(column[: last + 1] for column in scores)))


def _kept(cut: CutImage, search: _Search, rule: str) -> np.ndarray:
    """(n,) bool: the segments that are left before the first removal that breaks the rule."""
    broken = np.flatnonzero(~_goes_on(search.scores, rule))
    n_removed = max(0, int(broken[0]) - 1) if len(broken) else len(search.removed)
    kept = np.ones(len(cut.regions), bool)
    kept[search.removed[:n_removed]] = False
    return kept


def _joined(history: list[_ClassScores]) -> _ClassScores:
    return _ClassScores(*(np.concatenate(columns) for columns in zip(*history, strict=True)))


def _key(cut: CutImage, order: str, seed: int, rule: str, folder: Path) -> str:
    """Return a key of everything that the outcome of a search depends on."""
    pixels = [cut.frame.shape, digest(cut.frame.tobytes())]
    question = [cut.regions.hash, cut.given_target, order, seed if order == "random" else 0]
    question += [] if rule == "class" else [rule]  # so files of earlier versions, which knew one, stay valid
    parts = [_VERSION, network_inputs(cut.network), pixels, question]
    return cache_key([*parts, *variant_parts(cut.network, folder)], digits=24)


def _pack(search: _Search) -> bytes:
    columns = {name: column.tolist() for name, column in search.scores._asdict().items()}
    return json.dumps({"removed": search.removed, **columns}).encode()


def _unpack(content: bytes, cut: CutImage, rule: str) -> _Search:
    """Read a cached search. A ValueError makes `cached` search again."""
    stored = json.loads(content)
    removed = [int(segment) for segment in stored["removed"]]
    log_score = np.array(stored["log_score"], np.float64)
    rank, predicted = (np.array(stored[name], np.int64) for name in ("rank", "predicted"))
    if any(column.shape != (len(removed) + 1,) for column in (log_score, rank, predicted)):
        raise ValueError("columns of different lengths")
    # A damaged file may still be valid JSON. It must not crash later, nor show an impossible search.
    target = predicted[0] if cut.given_target is None else cut.given_target
    found = _Search(removed, _ClassScores(log_score, rank, predicted))
    sound = (
        len(set(removed)) == len(removed)
        and set(removed) <= set(range(len(cut.regions)))
        and set(predicted.tolist()) <= set(range(len(cut.network.classes)))
        and ((rank == 1) == (predicted == target)).all()
        and (log_score <= 0).all()  # False for NaN
        and _goes_on(found.scores, rule)[:-1].all()  # a search ends once the rule is broken
        and (rank[0] == 1 or not removed)
    )
    if not sound:
        raise ValueError("not a search in this image")
    return found


def _result(cut: CutImage, search: _Search, order: str, seed: int, rule: str) -> MinimalImage:
    scores = search.scores
    reason = ""
    if scores.rank[0] != 1:
        predicted = cut.network.classes[scores.predicted[0]]
        reason = f"not classified as {cut.target} but as {predicted}: nothing to simplify"
    # The last removal is one too many where it broke the rule. It is taken back.
    kept = _kept(cut, search, rule)
    return MinimalImage(
        image=cut.frame if reason else cut.picture(kept),
        original=cut.frame,
        kept=kept,
        regions=cut.regions,
        steps=_steps(cut, search),
        target=cut.target,
        score=float(scores.score[int((~kept).sum())]),
        reason=reason,
        order=order,
        provenance=_provenance(cut, order, seed, rule),
    )


def _steps(cut: CutImage, search: _Search) -> pd.DataFrame:
    removed, scores = search
    gone = np.concatenate([[0.0], np.cumsum(cut.regions.shares[removed])])
    return pd.DataFrame(
        {
            "step": np.arange(len(gone)),
            "removed": pd.array([pd.NA, *removed], "Int64"),
            "name": ["", *(cut.regions.names[segment] for segment in removed)],
            "score": scores.score,
            "rank": scores.rank,
            "predicted": [cut.network.classes[number] for number in scores.predicted],
            "correct": scores.rank == 1,
            "share": np.clip(1 - gone, 0, 1),
        }
    )


def _provenance(cut: CutImage, order: str, seed: int, rule: str) -> dict[str, Any]:
    return {
        "network": cut.network.name,
        "weights": cut.network.weights_hash,
        "preprocessing": repr(cut.network.preprocessing),
        "target": cut.target,
        "regions": {"source": cut.regions.source, "n": len(cut.regions), "hash": cut.regions.hash},
        "order": order,
        "rule": rule,
        **({"seed": seed} if order == "random" else {}),
    }

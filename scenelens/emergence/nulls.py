"""How many units would "detect" an object with the annotations of another image: two nulls for each count.

A unit's overlap with an object can come from the object, from the kind of scene in which it is, or from the
place where such objects usually are. Annotations of any other image keep none of these. Annotations of
another image of the same category keep the last two. So the annotations are dealt out anew, among the images
of one source and among those of one scene category, while each unit is active where it was. The detectors
that remain need no right image.

The same shuffles give a p-value for each unit and each object: how often the annotations of other images of
the category overlap as well. Benjamini and Hochberg's procedure corrects for the number of pairs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numba import njit
from scipy.stats import false_discovery_control

from scenelens.caches import cached
from scenelens.emergence.detectors import OBJECTS, DetectorRule
from scenelens.emergence.overlaps import _count_overlaps, _Overlaps, _Pictures, _Shown
from scenelens.files import ArrayFile, cache_key, digest, file_name
from scenelens.labels import LABELS_VERSION, AutomaticLabels, check_labels, judged_iou, presence_ap
from scenelens.studies import Study, variant_parts

#: The two nulls: among which images annotations are shuffled.
NULLS = ("category", "source")
_VERSION = 2  # of the cached results
_SHUFFLES = 20  # for the counts of detectors
_PERMUTATIONS = 999  # for the p-values
_BATCH = 37  # of these are given to a thread at a time
_FEWEST = 5  # images of one category among which annotations can be shuffled
_LEVEL = 0.05  # of the adjusted p-values
_STRONGER = 1.5  # times the mean IoU with other images' annotations
_ARRAYS = ("iou", "judged", "ap", "p", "expected")  # of `_SceneCounts`
_GROUPED = 0.8  # the least share of images in categories that are so large


@dataclass(frozen=True)
class _SceneCounts:
    """One network's counted layer on the annotated images of scenes, and the same with shuffled annotations.

    Attributes
    ----------
    network : str
        The network's name in the study.
    layer : str
        The layer.
    concepts : pandas.DataFrame
        One row per concept: ``concept``, ``kind``, ``type``, ``pixels`` and ``images`` (of scenes).
    iou : numpy.ndarray
        (units, concepts) float, the IoU over the scenes; NaN where neither has a pixel.
    judged : numpy.ndarray
        (units,) float, the IoU on one half of the scenes of the concept that the other half chooses, on
        average over the halves; NaN with a single scene.
    ap : numpy.ndarray
        (units, concepts) float, the average precision of the unit's peak for the concept's presence.
    n_images : dict of str to int
        The number of images: of 'scenes', and of 'all'.
    passed : dict of str to numpy.ndarray
        For '<images> <null>', such as 'scenes category': (shuffles, units) float, the IoU of each unit's best
        concept where that is an object, else 0.
    p : numpy.ndarray
        (units, objects) float, how often other images' annotations overlap as well as the right ones; NaN
        where nothing could be shuffled.
    expected : numpy.ndarray
        (units, objects) float, the mean IoU with other images' annotations.
    objects : tuple of str
        The names of these objects, on enough scenes.
    why_not : dict of str to str
        For each of `NULLS` why it is missing, '' where it is not.
    """

    network: str
    layer: str
    concepts: pd.DataFrame
    iou: np.ndarray
    judged: np.ndarray
    ap: np.ndarray
    n_images: dict[str, int]
    passed: dict[str, np.ndarray]
    p: np.ndarray
    expected: np.ndarray
    objects: tuple[str, ...]
    why_not: dict[str, str]

    @property
    def null(self) -> str:
        """Which null the p-values come from: the stricter one, where it can be had; '' for none."""
        return next((one for one in NULLS if not self.why_not[one]), "")

    def labels(self, by: str = "iou", types: Sequence[str] = (), most_shown: float = 1.0) -> pd.DataFrame:
        """Each unit's best concept on scenes.

        Parameters
        ----------
        by : str, optional
            'iou' (default) or 'ap'.
        types : sequence of str, optional
            Only concepts of these types (default all).
        most_shown : float, optional
            A concept counts if at most this share of the scenes show it, 0..1 (default 1).

        Returns
        -------
        pandas.DataFrame
            As `AutomaticLabels.labels`, with the columns ``iou`` and ``ap``.
        """
        allowed = np.ones(len(self.concepts), bool)
        if types:
            allowed = self.concepts.type.isin(types).to_numpy()
        allowed = allowed & (self.concepts.images.to_numpy() <= most_shown * self.n_images["scenes"])
        values = self.iou if by == "iou" else self.ap
        scores = np.where(allowed & np.isfinite(values), values, -np.inf)
        best = scores.argmax(1) if scores.shape[1] else np.zeros(len(scores), int)
        active = np.nan_to_num(self.iou).max(1, initial=0.0) > 0
        units = np.flatnonzero((scores.max(1, initial=-np.inf) > 0) & active)
        table = self.concepts.iloc[best[units]][["concept", "kind", "type"]].reset_index(drop=True)
        who = {"network": self.network, "layer": self.layer, "annotator": f"automatic ({by})"}
        found = {name: one[units, best[units]] for name, one in (("iou", self.iou), ("ap", self.ap))}
        return check_labels(table.assign(**who, unit=units, source="automatic", **found))

    def tests(self) -> pd.DataFrame:
        """The p-values of all pairs of a unit and an object.

        Returns
        -------
        pandas.DataFrame
            One row per pair: ``unit``, ``object``, ``p``, ``adjusted`` (Benjamini-Hochberg over all pairs)
            and ``expected`` (the mean IoU with other images' annotations).
        """
        units, n = self.p.shape
        adjusted = np.full(self.p.shape, math.nan)
        if self.p.size and not np.isnan(self.p).any():
            adjusted = np.reshape(false_discovery_control(self.p.ravel()), self.p.shape)
        names = np.tile(np.array(self.objects, object), units)
        columns = {"p": self.p, "adjusted": adjusted, "expected": self.expected}
        pairs = pd.DataFrame({"unit": np.repeat(np.arange(units), n), "object": names})
        return pairs.assign(**{name: values.ravel() for name, values in columns.items()})

    def detectors(self, rule: DetectorRule) -> pd.DataFrame:
        """The units that a rule calls detectors on scenes.

        Parameters
        ----------
        rule : DetectorRule
            The rule.

        Returns
        -------
        pandas.DataFrame
            The rows of `labels` that it picks.
        """
        return rule.choose(self.labels())

    def by_chance(self, images: str, least: float) -> dict[str, float]:
        """How many units would be detectors with shuffled annotations.

        Parameters
        ----------
        images : str
            'scenes' or 'all'.
        least : float
            The IoU that a detector exceeds.

        Returns
        -------
        dict of str to float
            For each null the mean over the shuffles, the fewest and the most; NaN without it.
        """
        found: dict[str, float] = {}
        for null in NULLS:
            values = self.passed.get(f"{images} {null}")
            counts = np.array([math.nan]) if values is None else (values > least).sum(1)
            found |= {null: float(counts.mean()), f"{null}_low": float(counts.min())}
            found[f"{null}_high"] = float(counts.max())
        return found

    def tested(self, detectors: pd.DataFrame) -> dict[str, float]:
        """How many detectors overlap more with the right images' annotations than with others'.

        Parameters
        ----------
        detectors : pandas.DataFrame
            Of `detectors`.

        Returns
        -------
        dict of str to float
            ``tested`` pairs, and the detectors that ``remain`` or are ``stronger``, see `_chance_table`.
        """
        if not self.null:
            return {"tested": 0, "remain": math.nan, "stronger": math.nan}
        tests = self.tests()
        pairs = detectors.merge(tests, left_on=["unit", "concept"], right_on=["unit", "object"])
        remain = float((pairs.adjusted <= _LEVEL).sum())
        # No p is below 1 / (shuffles + 1). Where few pairs reach it, the correction leaves none in any case.
        least = self.p.min(initial=1.0)
        if least <= 1 / (1 + _PERMUTATIONS) and tests.adjusted.min() > _LEVEL:
            remain = math.nan
        return {
            "tested": self.p.size,
            "remain": remain,
            "stronger": int((pairs.iou >= _STRONGER * pairs.expected).sum()),
        }


def _scene_counts(
    study: Study, automatic: Mapping[str, AutomaticLabels], least_images: int, progress: bool = True
) -> dict[str, _SceneCounts]:
    """Count the units of every network on scenes, with the right annotations and with shuffled ones.

    Parameters
    ----------
    study : Study
        An open study with annotations.
    automatic : mapping of str to AutomaticLabels
        The labels of its networks.
    least_images : int
        Concepts on fewer images are not used.
    progress : bool, optional
        Whether a bar is shown (default True).

    Returns
    -------
    dict of str to _SceneCounts
        By network. From the study's cache where nothing has changed.
    """
    groups: dict[object, list[str]] = {}
    for name in automatic:
        groups.setdefault(study.networks[name].preprocessing.framing, []).append(name)
    found: dict[str, _SceneCounts] = {}
    for names in groups.values():
        part = {name: automatic[name] for name in names}
        path = _cache_path(study, part, least_images)

        def make(part: dict = part, path: Path = path) -> list[_SceneCounts]:
            return _made(study, part, least_images, path, progress)

        found |= {one.network: one for one in cached(path, make, _pack, _unpack)}
    return {name: found[name] for name in automatic}


def _chance_table(
    scenes: Mapping[str, _SceneCounts], rule: DetectorRule, automatic: Mapping[str, AutomaticLabels]
) -> pd.DataFrame:
    """How many units are detectors, and how many would be with other images' annotations.

    Parameters
    ----------
    scenes : mapping of str to _SceneCounts
        By network.
    rule : DetectorRule
        A rule by IoU; for any other there is no such count.
    automatic : mapping of str to AutomaticLabels
        The labels, which count all annotated images.

    Returns
    -------
    pandas.DataFrame
        One row per network, and a second one where close-ups are annotated, too: ``network``, ``layer``,
        ``images`` ('scenes' or 'all'), ``n_images``, ``n`` (units), ``detectors``, for scenes ``judged``
        (those whose label passes on scenes that did not choose it), and for both nulls
        ``category`` and ``source`` (the mean over the shuffles, NaN where nothing can be shuffled), with the
        fewest ``category_low`` and the most ``category_high``. For scenes also ``tested`` (pairs of a unit
        and an object), ``remain`` (detectors whose own pair has an adjusted p of at most 0.05; NaN where so
        few shuffles cannot tell) and
        ``stronger`` (those with 1.5 times the mean IoU of shuffled annotations, or more).
    """
    if rule.measure != "iou" or set(rule.types) != set(OBJECTS):
        return pd.DataFrame(columns=["network", "images"])
    rows = []
    for name, one in scenes.items():
        detectors = one.detectors(rule)
        head = {"network": name, "layer": one.layer, "n": len(one.iou)}
        about = {"images": "scenes", "n_images": one.n_images["scenes"], "detectors": len(detectors)}
        about["judged"] = int((one.judged[detectors.unit.to_numpy(int)] > rule.least).sum())
        rows.append(head | about | one.by_chance("scenes", rule.least) | one.tested(detectors))
        if one.n_images["all"] > one.n_images["scenes"]:
            every = _best_object(automatic[name].measures(one.layer)["iou"], automatic[name].concepts.type)
            about = {"images": "all", "n_images": one.n_images["all"]}
            about["detectors"] = int((every > rule.least).sum())
            rows.append(head | about | one.by_chance("all", rule.least))
    return pd.DataFrame(rows)


def _cache_path(study: Study, automatic: Mapping[str, AutomaticLabels], least_images: int) -> Path:
    """The cache file; its name has a key of all that the counts depend on."""
    folder, known = study.cache / "emergence", study.need_annotations()
    pictures = _Pictures.of(study)
    parts: list = [_VERSION, LABELS_VERSION, least_images, pictures.images]
    parts += [values.tolist() for values in pictures[1:]]
    for name, labels in automatic.items():
        network = study.networks[name]
        parts += [name, labels.layers[-1], str(network.weights_hash), network.preprocessing.key_text()]
        parts.append(digest(labels.counts[labels.layers[-1]].thresholds.tobytes()))
        parts += list(variant_parts(network, folder))

    def named(digests: bytes) -> Path:
        return folder / f"{file_name('-'.join(automatic))}-{cache_key(parts, 20, digests)}.npz"

    return AutomaticLabels.cache_path(known, named)


def _made(
    study: Study, automatic: Mapping[str, AutomaticLabels], least: int, path: Path, progress: bool
) -> list[_SceneCounts]:
    networks = {name: study.networks[name] for name in automatic}
    pictures, shown, overlaps = _count_overlaps(
        networks, automatic, study.need_annotations(), _Pictures.of(study), path, progress
    )
    return [_of_network(name, one, shown, pictures, least) for name, one in overlaps.items()]


def _of_network(name: str, one: _Overlaps, shown: _Shown, pictures: _Pictures, least: int) -> _SceneCounts:
    """All counts of one network."""
    scenes = pictures.scene
    images = shown.present[scenes].sum(0)
    kept = images >= least
    # Part 0 are close-ups; the folds of scenes are what remains.
    folds = one.active[1:], one.shared[1:], shown.pixels[1:]
    active, shared, pixels = (part.sum(0) for part in folds)
    concepts = shown.concepts.assign(pixels=pixels[1:], images=images)[kept].reset_index(drop=True)
    iou = _iou(shared, active, pixels)[:, kept]
    judged = _judged_on_scenes(folds, pictures, kept)
    ap = presence_ap(one.peaks[scenes], shown.present[scenes][:, kept])
    sample = _Sample(one, shown, pictures)
    why_not = {null: sample.groups(null)[1] for null in NULLS}
    rng = np.random.default_rng(0)
    passed: dict[str, np.ndarray] = {}
    for null in NULLS:
        if not why_not[null]:
            passed |= sample.passed(null, least, rng)
    objects = np.flatnonzero(kept & shown.concepts.type.isin(OBJECTS).to_numpy())
    null = next((each for each in NULLS if not why_not[each]), "")
    p, expected = sample.tested(null, objects, rng)
    n_images = {"scenes": int(scenes.sum()), "all": len(scenes)}
    names = tuple(shown.concepts.concept.iloc[objects])
    return _SceneCounts(
        name, one.layer, concepts, iou, judged, ap, n_images, passed, p, expected, names, why_not
    )


def _judged_on_scenes(
    folds: tuple[np.ndarray, np.ndarray, np.ndarray], pictures: _Pictures, kept: np.ndarray
) -> np.ndarray:
    """(units,) `judged_iou` of some concepts, from counts by fold whose column 0 is no concept."""
    active, shared, pixels = folds
    n_images = np.bincount(pictures.part[pictures.scene] - 1, minlength=len(active))
    used = n_images > 0  # few scenes are dealt into fewer folds
    concepts = np.flatnonzero(kept) + 1
    return judged_iou(active[used], shared[used][:, :, concepts], pixels[used][:, concepts], n_images[used])


def _iou(shared: np.ndarray, active: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """(units, concepts) IoU from counts whose column 0 is no concept; NaN where neither has a pixel."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return shared[:, 1:] / (active[:, None] + pixels[None, 1:] - shared[:, 1:])


def _best_object(iou: np.ndarray, types: pd.Series) -> np.ndarray:
    """(units,) the IoU of the best of the (units, concepts), if that concept is an object; else 0."""
    if not iou.shape[1]:
        return np.zeros(len(iou))
    values = np.nan_to_num(iou)
    return np.where(types.isin(OBJECTS).to_numpy()[values.argmax(1)], values.max(1), 0.0)


class _Sample:
    """The images on the grid of pixels, ready to be shuffled."""

    def __init__(self, one: _Overlaps, shown: _Shown, pictures: _Pictures) -> None:
        n = len(shown.places)
        self.one, self.shown = one, shown
        self.pictures = _Pictures(pictures.images[:n], *(values[:n] for values in pictures[1:]))
        self.parts = self.pictures.scene.astype(np.int64)
        lengths = np.diff(one.starts).reshape(n, -1)
        self.active = np.stack([lengths[self.parts == part].sum(0) for part in (0, 1)])
        self.pixels = np.stack([self._pixels(self.parts == part) for part in (0, 1)])

    def _pixels(self, chosen: np.ndarray) -> np.ndarray:
        """(concepts + 1,) the points of the grid that show each concept, on the chosen images."""
        n = len(self.shown.concepts) + 1
        rows = np.bincount(self.shown.places[chosen].ravel(), minlength=len(self.shown.members))
        found = np.bincount(self.shown.scenes[chosen], minlength=n) * self.shown.places.shape[1]
        for kind in self.shown.members.T:
            found = found + np.bincount(kind, rows, n).astype(np.int64)
        return found

    def groups(self, null: str) -> tuple[np.ndarray, str]:
        return _groups(self.pictures, null)

    def shared(self, partners: np.ndarray) -> np.ndarray:
        """(2, units, concepts + 1) points of close-ups and of scenes that are shared with the partners'."""
        one, shown = self.one, self.shown
        found = np.zeros((2, self.active.shape[1], len(shown.concepts) + 1), np.int64)
        _shared(
            one.points, one.starts, shown.places, shown.members, shown.scenes, partners, self.parts, found
        )
        return found

    def passed(self, null: str, least: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """For scenes and for all images, (shuffles, units): the best concept's IoU where it is an object."""
        groups, _ = self.groups(null)
        present, scene = self.shown.present, self.pictures.scene
        often = {"scenes": present[: len(scene)][scene].sum(0) >= least, "all": present.sum(0) >= least}
        found: dict[str, list[np.ndarray]] = {name: [] for name in often}
        shuffles = [_partners(groups, rng) for _ in range(_SHUFFLES)]
        for shared in _in_threads(self.shared, shuffles):
            for name, parts in (("scenes", slice(1, 2)), ("all", slice(0, 2))):
                counts = (values[parts].sum(0) for values in (shared, self.active, self.pixels))
                kept, iou = often[name], _iou(*counts)
                found[name].append(_best_object(iou[:, kept], self.shown.concepts.type[kept]))
        return {f"{name} {null}": np.array(values) for name, values in found.items()}

    def tested(
        self, null: str, objects: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """(units, objects) p-values, and the mean IoU with other images' annotations; NaN without a null."""
        units, one = self.active.shape[1], self.one
        if not null or not len(objects):
            return np.full((units, len(objects)), math.nan), np.full((units, len(objects)), math.nan)
        numbers = np.zeros(len(self.shown.concepts) + 1, np.int32)
        numbers[objects + 1] = np.arange(1, len(objects) + 1)
        codes = numbers[self.shown.members].max(1)[self.shown.places].astype(np.int32)
        groups, scenes = self.groups(null)[0], np.flatnonzero(self.pictures.scene)
        # Only scenes count; shuffled close-ups would only take time.
        own = np.zeros((units, len(objects) + 1), np.int64)

        def compared(partners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            reached, total = np.zeros_like(own), np.zeros_like(own)
            _reached(one.points, one.starts, codes, partners, own, scenes, reached, total)
            return reached, total

        own = compared(np.arange(len(codes))[None])[1]
        shuffles = [_partners(groups, rng) for _ in range(_PERMUTATIONS)]
        batches = [np.stack(shuffles[k : k + _BATCH]) for k in range(0, _PERMUTATIONS, _BATCH)]
        reached, total = (sum(parts) for parts in zip(*_in_threads(compared, batches), strict=True))
        pixels = self.pixels[1][np.append(0, objects + 1)]
        expected = _iou(total / _PERMUTATIONS, self.active[1], pixels)
        return (1 + reached[:, 1:]) / (1 + _PERMUTATIONS), expected


def _in_threads(count: Callable[[Any], Any], shuffles: Sequence[Any]) -> list[Any]:
    """What each shuffle gives, in their order. The kernels below let other threads run meanwhile."""
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        return list(pool.map(count, shuffles))


def _pack(found: list[_SceneCounts]) -> bytes:
    about: list[dict] = []
    arrays: dict[str, np.ndarray] = {}
    for k, one in enumerate(found):
        about.append(
            {
                "network": one.network,
                "layer": one.layer,
                "concepts": one.concepts.to_dict("list"),
                "n_images": one.n_images,
                "objects": one.objects,
                "why_not": one.why_not,
                "passed": list(one.passed),
            }
        )
        arrays |= {f"{k} {name}": getattr(one, name) for name in _ARRAYS}
        arrays |= {f"{k} passed {name}": values for name, values in one.passed.items()}
    return ArrayFile.pack(about, arrays)


def _unpack(content: bytes) -> list[_SceneCounts]:
    about, arrays = ArrayFile.unpack(content)
    found = []
    for k, head in enumerate(about):
        passed = {name: arrays[f"{k} passed {name}"] for name in head.pop("passed")}
        head["concepts"], head["objects"] = pd.DataFrame(head["concepts"]), tuple(head["objects"])
        values: dict[str, Any] = {name: arrays[f"{k} {name}"] for name in _ARRAYS}
        found.append(_SceneCounts(**head, **values, passed=passed))
    return found


@njit(cache=True, nogil=True)
def _shared(points, starts, places, members, scenes, partners, parts, shared):
    """Count the active points of every image on the concepts of its partner, in place.

    shared: (parts, units, concepts + 1) int64. A point shows one concept of each kind, and the whole image
    its scene; column 0 collects what is no concept.
    """
    units = shared.shape[1]
    for image in range(len(partners)):
        other, own = partners[image], shared[parts[image]]
        for unit in range(units):
            first, last = starts[image * units + unit], starts[image * units + unit + 1]
            own[unit, scenes[other]] += last - first
            for at in range(first, last):
                row = places[other, points[at]]
                for kind in range(members.shape[1]):
                    own[unit, members[row, kind]] += 1


@njit(cache=True, nogil=True)
def _reached(points, starts, codes, partners, own, images, reached, total):
    """How often other images' annotations share as many points with a unit's active ones, in place.

    codes: (images, points) int32, the object at each point, 0 for none. partners: (shuffles, images).
    own: (units, objects + 1), the points that are shared in the right images. images: those that count.
    reached, total: (units, objects + 1) int64, how many shuffles reach it, and the points shared in all.
    """
    units = own.shape[0]
    for shuffle in range(len(partners)):
        shared = np.zeros_like(own)
        for image in images:
            other = partners[shuffle, image]
            for unit in range(units):
                for at in range(starts[image * units + unit], starts[image * units + unit + 1]):
                    shared[unit, codes[other, points[at]]] += 1
        for unit in range(units):
            for one in range(own.shape[1]):
                reached[unit, one] += shared[unit, one] >= own[unit, one]
                total[unit, one] += shared[unit, one]


def _partners(groups: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """For each image the one whose annotations it gets: a random permutation within each group.

    >>> _partners(np.array([0, 1, 0, 2]), np.random.default_rng(1)).tolist()
    [2, 1, 0, 3]
    """
    # Sorting by group alone and by group and a random number lists the members of each group twice, once in
    # their order and once shuffled.
    found = np.empty(len(groups), np.int64)
    found[np.lexsort((np.arange(len(groups)), groups))] = np.lexsort((rng.random(len(groups)), groups))
    return found


def _groups(pictures: _Pictures, null: str) -> tuple[np.ndarray, str]:
    """The groups within which annotations are shuffled, and why they would say nothing ('' if they do)."""
    if null == "source":
        groups = pictures.source
        _, sizes = np.unique(groups[pictures.scene], return_counts=True)
        few = sizes.max(initial=0) < _FEWEST
        return groups, f"fewer than {_FEWEST} annotated images of scenes" if few else ""
    groups = pictures.category.copy()
    sizes = np.bincount(groups + 1)[groups + 1]
    small = (groups < 0) | (sizes < _FEWEST)
    groups[small] = groups.max(initial=0) + 1 + pictures.source[small]  # shuffled among each other
    grouped, n = int((~small & pictures.scene).sum()), int(pictures.scene.sum())
    if grouped < _GROUPED * n:
        return groups, (
            f"{grouped} of {n} annotated images of scenes belong to a category with {_FEWEST} of them or more"
        )
    return groups, ""

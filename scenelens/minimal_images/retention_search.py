"""Which objects the minimal images of a scene category keep (section 3.1 of the paper).

For all annotated images of a category: how often is an object still there in the minimal image? "For
instance, for bedroom, the minimal representations usually contained the region of the bed (87%)."
"""

from __future__ import annotations

import contextlib
import functools
import json
import math
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from scenelens import paper
from scenelens.annotations import Annotations, normalise_name
from scenelens.caches import cached, read_cached
from scenelens.errors import SceneLensError, close_names
from scenelens.files import cache_key, digest
from scenelens.images import load_image
from scenelens.intervals import wilson_interval
from scenelens.minimal_images.cut_image import BATCH, CutImage
from scenelens.minimal_images.regions import REST, Regions
from scenelens.minimal_images.search import RULES, _kept_by_rule, simplify
from scenelens.minimal_images.segmentation import regions_from_annotation
from scenelens.networks import Network
from scenelens.studies import variant_parts

_SAME_SHARE = 0.002  # of the pixels: segments of one name that differ more in size are different segments
LEAST = 5  # images that an object has to be in: of fewer, a share says next to nothing
_VERSION = 2  # of the cached searches: raise it when a rule of cutting or searching changes
_COLUMNS = [
    "object",
    "n",
    "kept",
    "share",
    "low",
    "high",
    "random",
    "random_low",
    "random_high",
    "by_chance",
    "area",
]


@dataclass(frozen=True)
class _ImageRetention:
    """Which segments of one image its minimal image keeps, in either order of removal.

    Attributes
    ----------
    image : str
        The image's id.
    reason : str
        Why the image does not count ('not classified as ...'); empty where it counts.
    names : tuple of str
        The object's name, for each segment.
    shares : tuple of float
        The share of the frame's pixels, 0..1, for each segment.
    greedy : tuple of bool
        Whether the minimal image keeps the segment, for each segment.
    random : tuple of bool
        The same for removal in random order.
    half : tuple of bool
        The same as `greedy` where the search ends once the score falls below half.
    empty : str
        The class that the network predicts when all segments are removed.
    """

    # The names of these fields are those in the cached files.
    image: str
    reason: str = ""
    names: tuple[str, ...] = ()
    shares: tuple[float, ...] = ()
    greedy: tuple[bool, ...] = ()
    random: tuple[bool, ...] = ()
    half: tuple[bool, ...] = ()
    empty: str = ""

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> _ImageRetention:
        """Return what a JSON file holds, where tuples have become lists.

        Parameters
        ----------
        stored : mapping
            The fields by name.

        Returns
        -------
        _ImageRetention
            The same with tuples.
        """
        columns: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in stored.items()}
        flags = {k: tuple(map(bool, columns.get(k, ()))) for k in ("greedy", "random", "half")}
        return cls(**columns | flags)

    def kept(self, rule: str) -> tuple[bool, ...]:
        """Return which segments the minimal image keeps.

        Parameters
        ----------
        rule : {'class', 'half'}
            When the search ends; see `minimal_image`.

        Returns
        -------
        tuple of bool
            One for each segment.
        """
        return self.half if rule == "half" else self.greedy

    def fits(self, regions: Regions) -> bool:
        """Return whether this is about given segments.

        Parameters
        ----------
        regions : Regions
            Segments of the frame.

        Returns
        -------
        bool
            True where names and sizes are the same.
        """
        # Stored shares are rounded, and another version of a library may place a border one pixel further.
        return self.names == regions.names and np.allclose(self.shares, regions.shares, atol=_SAME_SHARE)

    def keeps(self, name: str, kept: tuple[bool, ...]) -> bool:
        """Return whether any segment of a name is among the kept ones.

        Parameters
        ----------
        name : str
            The object's name.
        kept : tuple of bool
            `greedy`, `random` or `half`.

        Returns
        -------
        bool
            True where one is.
        """
        return any(here for one, here in zip(self.names, kept, strict=True) if one == name)

    def chance(self, name: str, rule: str = "class") -> float:
        """Return how probable it is that a random choice of segments contains the object.

        Parameters
        ----------
        name : str
            The object's name.
        rule : {'class', 'half'}, optional
            When the search ends.

        Returns
        -------
        float
            The probability, 0..1, for a choice of as many segments as the minimal image keeps.

        Examples
        --------
        >>> one = _ImageRetention("a", "", ("bed", "wall", "lamp"), (.5, .3, .2), (True, False, False))
        >>> one.chance("bed")
        0.33333333333333337
        """
        n, kept, own = len(self.names), sum(self.kept(rule)), self.names.count(name)
        # One minus the share of the choices that avoid all segments of the object.
        return 1 - math.comb(n - own, kept) / math.comb(n, kept)

    def area(self, name: str) -> float:
        """Return the object's share of the pixels.

        Parameters
        ----------
        name : str
            The object's name.

        Returns
        -------
        float
            The share, 0..1, of all segments of this name.
        """
        return sum(share for one, share in zip(self.names, self.shares, strict=True) if one == name)


@dataclass(frozen=True)
class Retention:
    """How often the minimal images of one scene category keep each object.

    Attributes
    ----------
    category : str
        The annotations' scene category.
    target : str
        The network's class.
    per_image : tuple of _ImageRetention
        One entry per annotated image of the category.
    provenance : dict
        Network, weights, preprocessing, rules, seed, number of images.
    rule : {'class', 'half'}
        When a search ends: once another class is more probable, or once the score falls below half.
    """

    category: str
    target: str
    per_image: tuple[_ImageRetention, ...]
    provenance: dict[str, Any] = field(repr=False)
    rule: str = "class"

    @property
    def counted(self) -> list[_ImageRetention]:
        """The images that the network classified correctly and that were simplified."""
        return [one for one in self.per_image if not one.reason]

    @property
    def table(self) -> pd.DataFrame:
        """One row per object: the share of the images with the object whose minimal image keeps it.

        An object is kept where any of its segments is. What no outline covers ('unlabelled') is no object.
        The objects kept most often come first, of ties the more frequent ones. All shares are 0..1. Columns:

        - ``object``, ``n`` (images that contain it), ``kept`` (images whose minimal image keeps it);
        - ``share`` with its 95% Wilson interval ``low`` and ``high``;
        - ``random``, ``random_low``, ``random_high``: the same under removal in random order, which stops
          earlier and so keeps more in all; NaN for the rule 'half';
        - ``by_chance``: the mean probability that a random choice of as many segments contains the object;
        - ``area``: the mean share of the pixels that it covers.
        """
        return _retention_table(self.counted, self.rule)

    @property
    def images(self) -> pd.DataFrame:
        """One row per image.

        Columns: ``image``, ``reason`` (why it does not count, or ''), ``segments``, ``kept``, ``kept_share``
        (of the pixels), ``by_chance`` (the share of the pixels that a random choice of as many segments has
        on average), ``random_kept`` and ``random_share`` (for removal in random order until another class is
        more probable), ``empty`` (the class predicted when all segments are removed).
        """
        rows = [
            {
                "image": one.image,
                "reason": one.reason,
                "segments": len(one.names),
                "kept": sum(one.kept(self.rule)),
                "kept_share": float(np.dot(one.shares, one.kept(self.rule))),
                # Every segment is as probable as any other, and all together are the whole image.
                "by_chance": sum(one.kept(self.rule)) / max(1, len(one.names)),
                "random_kept": sum(one.random),
                "random_share": float(np.dot(one.shares, one.random)),
                "empty": one.empty,
            }
            for one in self.per_image
        ]
        return pd.DataFrame(rows)

    def compare_with_paper(self, least: int = LEAST, n: int = 8) -> pd.DataFrame:
        """Return the objects kept most often, with the paper's shares.

        Parameters
        ----------
        least : int, optional
            An object counts if it is in at least so many images.
        n : int, optional
            How many objects at most; objects that the paper names are added if they count.

        Returns
        -------
        pandas.DataFrame
            Rows of `table` with one more column: ``paper`` (0..1, NaN where the paper has no number).
        """
        quoted = paper.RETENTION.get(self.category, {})
        table = self.table
        table["paper"] = [quoted.get(normalise_name(name)[0], np.nan) for name in table.object]
        table = table[table.n >= least]
        often = table.index.isin(table.index[:n])
        return table[often | table.paper.notna()].reset_index(drop=True)

    def __str__(self) -> str:
        n, n_all = len(self.counted), len(self.per_image)
        return f"{self.category}: {n} of {n_all} annotated images classified correctly and simplified"


def _retention_table(counted: Sequence[_ImageRetention], rule: str = "class") -> pd.DataFrame:
    """Return `Retention.table` for the images that count.

    >>> one = _ImageRetention("a", "", ("bed", "wall"), (.25, .75), (True, False), (True, True))
    >>> two = _ImageRetention("b", "", ("bed", "lamp"), (.75, .25), (True, False), (False, True))
    >>> _retention_table([one, two])[["object", "n", "kept", "share", "random", "by_chance", "area"]]
      object  n  kept  share  random  by_chance  area
    0    bed  2     2    1.0     0.5        0.5  0.50
    1   lamp  1     0    0.0     1.0        0.5  0.25
    2   wall  1     0    0.0     1.0        0.5  0.75
    """
    names = sorted({name for one in counted for name in one.names} - {REST})
    rows = [_row(name, [one for one in counted if name in one.names], rule) for name in names]
    table = pd.DataFrame(rows, columns=_COLUMNS)
    order = table.assign(by=-table.share, then=-table.n).sort_values(["by", "then", "object"]).index
    return table.loc[order].reset_index(drop=True)


def _row(name: str, images: list[_ImageRetention], rule: str) -> list[Any]:
    n = len(images)
    kept = sum(one.keeps(name, one.kept(rule)) for one in images)
    random = sum(one.keeps(name, one.random) for one in images)
    by_chance = float(np.mean([one.chance(name, rule) for one in images]))
    area = float(np.mean([one.area(name) for one in images]))
    in_random_order = [random / n, *wilson_interval(random, n)] if rule == "class" else [math.nan] * 3
    return [name, n, kept, kept / n, *wilson_interval(kept, n), *in_random_order, by_chance, area]


def retention(
    network: Network,
    annotations: Annotations,
    category: str,
    *,
    target: str | int | None = None,
    n_images: int | None = None,
    by: str = "instance",
    at_most: int = 60,
    seed: int = 0,
    cache: str | Path | None = None,
    known: Mapping[str, _ImageRetention] | None = None,
    progress: bool = True,
    rule: str = "class",
) -> Retention:
    """Count which objects minimal images keep, over the annotated images of a scene category.

    Parameters
    ----------
    network : Network
        The network that has to recognise the images.
    annotations : Annotations
        The annotations, such as ``study.annotations``.
    category : str
        One of their scene categories.
    target : str or int, optional
        The network's class that is correct; by default the class with the name of the category.
    n_images : int, optional
        How many images are used, spread evenly over those of the category; by default all.
    by : {'instance', 'name'}, optional
        How objects become segments; see `regions_from_annotation`.
    at_most : int, optional
        How many segments are wanted at most; see `regions_from_annotation`.
    seed : int, optional
        Seed of the random orders.
    cache : str or Path, optional
        Folder in which the search in each image is cached.
    known : mapping of str to _ImageRetention, optional
        Results from elsewhere, by image. One is used where its segments are those of the image, by name and
        size.
    progress : bool, optional
        Say how long the searches will take, and show a bar, where five or more are not yet known or cached.
    rule : {'class', 'half'}, optional
        When a search ends; see `minimal_image`. One search serves both rules.

    Returns
    -------
    Retention
        Its `table` has one row per object; its `images` one per image, with the reason for those that do not
        count: not classified correctly, one segment only, unreadable.

    Raises
    ------
    SceneLensError
        If there is no such category, class or rule (close names are given), or if scores are NaN.

    Notes
    -----
    Section 3.1. `Retention.table` describes the two baselines, removal in random order and a random choice.
    """
    if rule not in RULES:
        raise SceneLensError(f"no rule {rule!r}; {close_names(rule, RULES)}.")
    images = _images_of(annotations, category, n_images)
    name = network.classes[CutImage.class_number(network, category if target is None else target)]
    rules = {"by": by, "at_most": at_most, "seed": seed}
    # Earlier versions stored results by one rule only.
    known = {image: one for image, one in (known or {}).items() if one.half or rule == "class"}
    search = _RetentionSearch(
        network, annotations, name, rules, None if cache is None else Path(cache), known
    )
    found = {image: search.at_hand(image) for image in images}
    todo = [image for image, one in found.items() if one is None]
    show = progress and len(todo) >= 5
    if show:
        print(f"Simplifying {len(todo)} images takes up to about {search.seconds(todo):.0f} s.", flush=True)
    bar = tqdm(todo, desc=f"minimal images of {category}", unit="image", disable=not show)
    searched = {image: search.of_image(image) for image in bar}
    every = tuple(found[image] or searched[image] for image in images)
    return Retention(category, name, every, search.provenance(len(images)), rule)


def _images_of(annotations: Annotations, category: str, n: int | None = None) -> list[str]:
    """Return the annotated images of a scene category, or `n` of them, spread evenly."""
    if n is not None and n < 1:
        raise SceneLensError(f"n_images={n}: a share needs at least one image.")
    scenes = {image: annotations.scene(image) for image in annotations.images}
    images = [image for image, scene in scenes.items() if scene == category]
    if not images:
        known = sorted(set(scenes.values()))
        raise SceneLensError(f"no annotated image shows a {category!r}; {close_names(category, known)}.")
    count = min(len(images), n or len(images))
    return [images[k * len(images) // count] for k in range(count)]


@dataclass
class _RetentionSearch:
    """Searches for the minimal images of one category, one image after another, by the same rules."""

    network: Network
    annotations: Annotations
    target: str
    rules: dict[str, Any]
    cache: Path | None
    known: Mapping[str, _ImageRetention]
    load: Callable[[Path], np.ndarray] = load_image

    def at_hand(self, image: str) -> _ImageRetention | None:
        """What is known or cached of an image, or why it cannot be read; None where it must be searched."""
        try:
            photograph, regions = self._read(image)
        except SceneLensError as error:
            return _ImageRetention(image, f"unreadable: {error}")
        known = self.known.get(image)
        if known is not None and known.fits(regions.within(self.network.preprocessing)):
            return known
        path = self._path(image, photograph, regions)
        return None if path is None else read_cached(path, lambda content: _unpack(content, image))

    def of_image(self, image: str) -> _ImageRetention:
        """Search for the minimal image of an image that is not at hand."""
        try:
            photograph, regions = self._read(image)  # photographs are too large to keep all of them till now
        except SceneLensError as error:
            return _ImageRetention(image, f"unreadable: {error}")
        return cached(
            self._path(image, photograph, regions),
            make=lambda: self._search(image, photograph, regions),
            pack=lambda found: json.dumps(asdict(found)).encode(),
            unpack=lambda content: _unpack(content, image),
        )

    def _read(self, image: str) -> tuple[np.ndarray, Regions]:
        return self.load(self.annotations.path(image)), self._regions(image)

    def _search(self, image: str, photograph: np.ndarray, regions: Regions) -> _ImageRetention:
        cut = CutImage(self.network, photograph, regions, self.target)
        if len(cut.regions) < 2:
            return _ImageRetention(image, "one segment only")
        if cut.whole_scores.rank[0] != 1:
            return _ImageRetention(image, simplify(cut).reason)
        kept = {rule: tuple(map(bool, flags)) for rule, flags in _kept_by_rule(cut).items()}
        # Each image has its own random order. It depends on the image's id and not on its place in the list,
        # so that other images of the category can come or go.
        own_seed = zlib.crc32(f"{self.rules['seed']} {image}".encode())
        random = simplify(cut, "random", own_seed)
        nothing = cut.scores(np.zeros(len(cut.regions), bool))
        return _ImageRetention(
            image,
            "",
            cut.regions.names,
            tuple(cut.regions.shares.tolist()),
            kept["class"],
            tuple(map(bool, random.kept)),
            kept["half"],
            self.network.classes[nothing.predicted[0]],
        )

    def _regions(self, image: str) -> Regions:
        how = {name: self.rules[name] for name in ("by", "at_most")}
        return regions_from_annotation(self.annotations, image, **how)

    def _path(self, image: str, photograph: np.ndarray, regions: Regions) -> Path | None:
        """The file of one search, named by everything that the outcome depends on; None without a cache."""
        if self.cache is None:
            return None
        pixels = digest(photograph.tobytes())
        parts = [_VERSION, self.provenance(), image, photograph.shape, pixels, regions.hash]
        return self.cache / f"minimal-{cache_key([*parts, *self._more], digits=24)}.json"

    @functools.cached_property
    def _more(self) -> list[str]:
        """Parts of the key that are missing where there is no mean image and the network was not changed."""
        how = self.network.preprocessing
        mean = [] if how.mean_image is None else [digest(how.key_text())]
        return [*mean, *variant_parts(self.network, self.cache)]

    def provenance(self, n_images: int | None = None) -> dict[str, Any]:
        # The order of these entries is part of the cache key.
        return {
            "network": self.network.name,
            "weights": self.network.weights_hash,
            "preprocessing": repr(self.network.preprocessing),
            "target": self.target,
            **self.rules,
            **({} if n_images is None else {"n_images": n_images}),
        }

    def seconds(self, images: list[str], sample: int = 3) -> float:
        """Estimate how long all searches take at most, from one batch's time and a few images' segments."""
        frames = np.zeros((BATCH // 4, *self.network.input_size, 3), np.uint8)
        start = time.perf_counter()
        self.network(frames, framed=True)
        per_picture = (time.perf_counter() - start) / len(frames)
        counts = []
        for image in images[:: max(1, len(images) // sample)][:sample]:
            with contextlib.suppress(SceneLensError):  # an unreadable image is reported when its turn comes
                counts.append(len(self._regions(image)))
        # A search among n segments looks at n + (n - 1) + ... + 1 pictures, about n * n / 2.
        return per_picture * len(images) * float(np.mean(np.square(counts or [1]))) / 2


def _unpack(content: bytes, image: str) -> _ImageRetention:
    """Read a cached search. A ValueError makes `cached` search again."""
    found = _ImageRetention.from_json(json.loads(content))
    if found.image != image:
        raise ValueError("a search in another image")
    return found

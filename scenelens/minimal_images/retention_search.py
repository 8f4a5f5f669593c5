"""Which objects a network keeps of the scenes it recognises (section 3.1 of the paper).

Over all annotated images of a scene category: how often does an object survive in the minimal image? "For
instance, for bedroom, the minimal representations usually contained the region of the bed (87%)."
"""

from __future__ import annotations

import contextlib
import hashlib
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

from scenelens.annotations import Annotations
from scenelens.errors import SceneLensError, close_names
from scenelens.files import replace_file
from scenelens.images import load_image
from scenelens.intervals import wilson_interval
from scenelens.minimal_images.cut_image import BATCH, CutImage, class_number
from scenelens.minimal_images.regions import REST, Regions
from scenelens.minimal_images.search import MinimalImage, simplify
from scenelens.minimal_images.segmentation import regions_from_annotation
from scenelens.networks import Network

SAME_SHARE = 0.002  # of the pixels: a segment of another size is another segment
_VERSION = 1  # of the cached searches: raise it when a rule of cutting or searching changes
_COLUMNS = [
    *("object", "n", "kept", "share", "low", "high", "random", "random_low", "random_high"),
    *("by_chance", "area"),
]


@dataclass(frozen=True)
class Survival:
    """What became of one image's segments.

    Attributes
    ----------
    image : its id. reason : why it does not count ('not classified as ...'), empty where it does.
    names, shares : of the segments: the object's name, and the share of the frame's pixels.
    greedy, random : for each segment, whether the minimal image keeps it, in either order of removal.
    """

    image: str
    reason: str = ""
    names: tuple[str, ...] = ()
    shares: tuple[float, ...] = ()
    greedy: tuple[bool, ...] = ()
    random: tuple[bool, ...] = ()

    def of(self, regions: Regions) -> bool:
        """Whether these are the segments that the search was about, by name and size."""
        return self.names == regions.names and np.allclose(self.shares, regions.shares, atol=SAME_SHARE)

    def has(self, name: str, kept: tuple[bool, ...]) -> bool:
        """Whether any segment of this name is among the kept ones."""
        return any(here for one, here in zip(self.names, kept, strict=True) if one == name)

    def chance(self, name: str) -> float:
        """The probability that as many segments as the greedy search kept, drawn blindly, hold the object.

        >>> Survival("a", "", ("bed", "wall", "lamp"), (.5, .3, .2), (True, False, False)).chance("bed")
        0.33333333333333337
        """
        n, kept, own = len(self.names), sum(self.greedy), self.names.count(name)
        return 1 - math.comb(n - own, kept) / math.comb(n, kept)

    def area(self, name: str) -> float:
        """The object's share of the pixels."""
        return sum(share for one, share in zip(self.names, self.shares, strict=True) if one == name)


@dataclass(frozen=True)
class Retention:
    """How often minimal images of one scene category keep each object.

    Attributes
    ----------
    category : the annotations' scene category. target : the network's class.
    survivals : one `Survival` per annotated image of the category.
    provenance : network, weights, preprocessing, rules, seed, numbers.
    """

    category: str
    target: str
    survivals: tuple[Survival, ...]
    provenance: dict[str, Any] = field(repr=False)

    @property
    def counted(self) -> list[Survival]:
        """The images that the network classified correctly and that were simplified."""
        return [one for one in self.survivals if not one.reason]

    @property
    def table(self) -> pd.DataFrame:
        """See `retention_table`."""
        return retention_table(self.counted)

    @property
    def images(self) -> pd.DataFrame:
        """One row per image: image, reason (why it does not count, or ''), segments, kept, kept_share (of the
        pixels), random_kept, random_share."""
        rows = [
            {
                "image": one.image,
                "reason": one.reason,
                "segments": len(one.names),
                "kept": sum(one.greedy),
                "kept_share": float(np.dot(one.shares, one.greedy)),
                "random_kept": sum(one.random),
                "random_share": float(np.dot(one.shares, one.random)),
            }
            for one in self.survivals
        ]
        return pd.DataFrame(rows)

    def __str__(self) -> str:
        n, all_ = len(self.counted), len(self.survivals)
        return f"{self.category}: {n} of {all_} annotated images classified correctly and simplified"


def retention_table(survivals: Sequence[Survival]) -> pd.DataFrame:
    """Per object, the share of the images containing it whose minimal image keeps it.

    An object is kept where any of its segments is. What nobody outlined ('unlabelled') is no object.

    Parameters
    ----------
    survivals : images that count.

    Returns
    -------
    DataFrame, most often kept first, of equals the more frequent: object, n (images that contain it), kept,
    share with its 95% Wilson interval low and high; random with random_low and random_high, the same under
    random removal by the same rule (which stops earlier, so it keeps more in all); by_chance, the mean
    probability that as many segments as the greedy search kept, drawn blindly, hold the object; area, the
    mean share of the pixels it covers. All shares 0..1.

    Examples
    --------
    >>> one = Survival("a", "", ("bed", "wall"), (.25, .75), (True, False), (True, True))
    >>> two = Survival("b", "", ("bed", "lamp"), (.75, .25), (True, False), (False, True))
    >>> retention_table([one, two])[["object", "n", "kept", "share", "random", "by_chance", "area"]]
      object  n  kept  share  random  by_chance  area
    0    bed  2     2    1.0     0.5        0.5  0.50
    1   lamp  1     0    0.0     1.0        0.5  0.25
    2   wall  1     0    0.0     1.0        0.5  0.75
    """
    names = sorted({name for one in survivals for name in one.names} - {REST})
    rows = [_row(name, [one for one in survivals if name in one.names]) for name in names]
    table = pd.DataFrame(rows, columns=_COLUMNS)
    order = table.assign(by=-table.share, then=-table.n).sort_values(["by", "then", "object"]).index
    return table.loc[order].reset_index(drop=True)


def _row(name: str, there: list[Survival]) -> list[Any]:
    n = len(there)
    kept, random = (
        sum(one.has(name, one.greedy) for one in there),
        sum(one.has(name, one.random) for one in there),
    )
    intervals = [(k / n, *wilson_interval(k, n)) for k in (kept, random)]
    chance = float(np.mean([one.chance(name) for one in there]))
    return [
        name,
        n,
        kept,
        *intervals[0],
        *intervals[1],
        chance,
        float(np.mean([one.area(name) for one in there])),
    ]


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
    known: Mapping[str, Survival] | None = None,
    progress: bool = True,
) -> Retention:
    """Which objects minimal images keep, over a scene category's annotated images.

    Parameters
    ----------
    network : a `scenelens.networks.network.Network`.
    annotations : see `scenelens.annotations.interface.Annotations`. category : one of their scene categories.
    target : the network's class that is correct; without it the one called like the category.
    n_images : look at so many images only, spread evenly over the category's.
    by, at_most : how objects become segments, see `regions_from_annotation`.
    seed : of the random orders.
    cache : folder in which each image's search is kept: what is done is not done again.
    known : searches at hand from elsewhere, by image; one counts where its segments are still the image's, by
        name and size.
    progress : say how long it will take, and show a bar.

    Returns
    -------
    Retention : `.table`, one row per object; `.images`, one per image, with the reason for those that do not
    count: not classified correctly, one segment only, unreadable.

    Raises
    ------
    SceneLensError : no such category or class (close names are given), scores that are NaN.

    Notes
    -----
    Section 3.1; see `retention_table` for the baselines.
    """
    images = images_of(annotations, category, n_images)
    name = network.classes[class_number(network, category if target is None else target)]
    rules = {"by": by, "at_most": at_most, "seed": seed}
    one = _Search(network, annotations, name, rules, None if cache is None else Path(cache), known or {})
    todo = [image for image in images if image not in one.known]
    if progress and len(todo) >= 5:
        print(f"Simplifying {len(todo)} images takes up to about {one.seconds(todo):.0f} s.", flush=True)
    bar = tqdm(
        images, desc=f"minimal images of {category}", unit="image", disable=not progress or len(todo) < 5
    )
    return Retention(category, name, tuple(map(one.survival, bar)), one.provenance(len(images)))


def images_of(annotations: Annotations, category: str, n: int | None = None) -> list[str]:
    """The annotated images of a scene category, or `n` of them, spread evenly.

    Raises
    ------
    SceneLensError : no such category (close names are given), or fewer than one image asked for.
    """
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
class _Search:
    """One image after another, by the same rules."""

    network: Network
    annotations: Annotations
    target: str
    rules: dict[str, Any]
    cache: Path | None
    known: Mapping[str, Survival] = field(default_factory=dict)
    load: Callable[[Path], np.ndarray] = load_image

    def survival(self, image: str) -> Survival:
        try:
            photograph = self.load(self.annotations.path(image))
            regions = self._regions(image)
        except SceneLensError as error:
            return Survival(image, f"unreadable: {error}")
        told = self.known.get(image)
        if told is not None and told.of(regions.within(self.network.preprocessing)):
            return told
        kept = (
            None
            if self.cache is None
            else self.cache / f"minimal-{self._key(image, photograph, regions)}.json"
        )
        done = kept and _read(kept, image)
        if done:
            return done
        found = self._searched(image, photograph, regions)
        if kept:
            replace_file(kept, json.dumps(asdict(found)).encode())
        return found

    def _searched(self, image: str, photograph: np.ndarray, regions: Regions) -> Survival:
        cut = CutImage(self.network, photograph, regions, self.target)
        if len(cut.regions) < 2:
            return Survival(image, "one segment only")
        greedy = simplify(cut)
        if not greedy.simplified:
            return Survival(image, greedy.reason)
        own_seed = zlib.crc32(f"{self.rules['seed']} {image}".encode())  # another order for every image
        return _survival(image, greedy, simplify(cut, "random", own_seed))

    def _regions(self, image: str) -> Regions:
        how = {name: self.rules[name] for name in ("by", "at_most")}
        return regions_from_annotation(self.annotations, image, **how)

    def _key(self, image: str, photograph: np.ndarray, regions: Regions) -> str:
        """Names everything that a search's outcome depends on."""
        pixels = hashlib.sha256(photograph.tobytes()).hexdigest()
        about = [_VERSION, self.provenance(), image, photograph.shape, pixels, regions.hash]
        return hashlib.sha256(json.dumps(about).encode()).hexdigest()[:24]

    def provenance(self, n_images: int | None = None) -> dict[str, Any]:
        return {
            "network": self.network.name,
            "weights": self.network.weights_hash,
            "preprocessing": repr(self.network.preprocessing),
            "target": self.target,
            **self.rules,
            **({} if n_images is None else {"n_images": n_images}),
        }

    def seconds(self, images: list[str], sample: int = 3) -> float:
        """How long all takes at most, from a batch's time and the number of segments of a few images."""
        frames = np.zeros((BATCH // 4, *self.network.input_size, 3), np.uint8)
        start = time.perf_counter()
        self.network(frames, framed=True)
        each = (time.perf_counter() - start) / len(frames)
        few = images[:: max(1, len(images) // sample)][:sample]
        counts = []
        for image in few:
            with contextlib.suppress(SceneLensError):  # unreadable, which is said when its turn comes
                counts.append(len(self._regions(image)))
        return each * len(images) * float(np.mean(np.square(counts or [1]))) / 2


def _survival(image: str, greedy: MinimalImage, random: MinimalImage) -> Survival:
    columns = (greedy.regions.shares, greedy.kept, random.kept)
    return Survival(image, "", greedy.regions.names, *(tuple(column.tolist()) for column in columns))


def _read(path: Path, image: str) -> Survival | None:
    """A search as it was kept, or None where there is none that can be read."""
    try:
        found = survival_from(json.loads(path.read_text()))
        return found if found.image == image else None
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def survival_from(stored: Mapping[str, Any]) -> Survival:
    """A `Survival` as JSON kept it, with lists for tuples."""
    columns: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in stored.items()}
    return Survival(**columns)

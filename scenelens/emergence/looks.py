"""Does each unit of an object prefer one appearance of it? (section 4.1 of the paper)

"Each unit is a particular appearance", the paper says of several units that detect one object. In a generated
world the annotations name the look of each object: a lamp on the floor, on a table, at the ceiling. So one
can count which looks a unit's top images show. Few looks give a low entropy. What is low is told by chance:
as many looks, drawn from all images that show the object.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control

from scenelens.annotations import Folding
from scenelens.caches import cached
from scenelens.errors import CannotAnswerError
from scenelens.files import cache_key, file_name
from scenelens.sentences import Sentences, named, percent
from scenelens.studies import Study

_TOP = 60  # a unit's top images, as many as the paper's workers saw
_DRAWN = 60  # further images that show an object, for comparison
_SHUFFLES = 999
_FEWEST = 5  # top images that show a look: with fewer there is no preference to speak of
_PLAIN = "plain"  # a look that the annotations leave out
_LEVEL = 0.05  # of the adjusted p-values
_COLUMNS = ["object", "unit", "n", "looks", "most", "share", "entropy", "shuffled", "p", "adjusted", "differ"]


def _unit_looks(study: Study, network: str, layer: str, units: pd.DataFrame, base: Path) -> pd.DataFrame:
    """Which looks of their object the top images of a network's detectors show; see `Emergence.looks`.

    units: of `object_units`. base: the cache file of the counts that these come from.
    """
    table = study.truth_table()
    if table is None or "look" not in table:
        raise CannotAnswerError(
            "the annotations of this study do not say which of several looks an object has; those of a "
            "rendered world can."
        )
    key = cache_key([_TOP, _DRAWN, network, units.unit.tolist(), units.object.tolist(), base.stem], 20)
    path = base.with_name(f"looks-{file_name(network)}-{key}.json")

    def make() -> dict[str, Any]:
        return _Seen(study, network, layer).looks(units)

    rows = cached(path, make, pack=lambda looks: json.dumps(looks).encode(), unpack=json.loads)
    return _looks_table(rows["units"], rows["pools"])


class _Seen:
    """The looks on annotated images; each annotation is read once."""

    def __init__(self, study: Study, network: str, layer: str) -> None:
        self.study, self.network, self.layer = study, network, layer
        self.known: Any = study.need_annotations()
        self.fold = Folding.read()
        self._read: dict[str, list] = {}
        looks = study.truth_table()
        assert looks is not None  # `_unit_looks` has raised
        several = looks[looks.look != ""].groupby("object").look.nunique()
        self.several = {self.fold(name) for name in several[several > 1].index}

    def looks(self, units: pd.DataFrame) -> dict[str, Any]:
        """For each unit (object, unit, looks of its top images), and for each object the looks of others."""
        index, frames = self.study.index(self.network), self.study.networks[self.network].input_size
        field: Any = self.study.networks[self.network].field(self.layer)  # a counted layer has a map
        among = np.array([bool(self.study.annotated(image)) for image in self.study.images.image])
        found: dict[str, Any] = {"units": [], "pools": {}}
        for row in units[units.object.isin(self.several)].to_dict("records"):
            top = index.top_images(self.layer, int(row["unit"]), _TOP, among)
            looks = [
                self._look(one["image"], row["object"], field.center(one["row"], one["col"]), frames)
                for one in top.to_dict("records")
            ]
            found["units"].append([row["object"], int(row["unit"]), [look for look in looks if look]])
        for name in sorted({one[0] for one in found["units"]}):
            found["pools"][name] = self._pool(name)
        return found

    def _objects(self, annotated: str) -> list:
        if annotated not in self._read:
            self._read[annotated] = [
                (self.fold(one.name), one.attributes or _PLAIN, one.polygons)
                for one in self.known.annotation(annotated).wholes
            ]
        return self._read[annotated]

    def _look(self, image: str, name: str, centre: tuple[float, float], frame: Sequence[int]) -> str:
        """The look of the object's instance that is nearest to the unit's peak; '' where there is none."""
        annotated = self.study.annotated(image)
        height, width = self.known.size(annotated)
        place = (centre[1] * width / frame[1], centre[0] * height / frame[0])
        objects = self._objects(annotated)
        own = [(_inside(place, polygons), look) for one, look, polygons in objects if one == name]
        return max(own)[1] if own else ""

    def _pool(self, name: str) -> list[str]:
        """The looks of an object on images drawn at random from those that show it."""
        table = self.known.objects()
        images = table.image[table.object.map(self.fold) == name].unique()
        drawn = np.random.default_rng(0).permutation(images)[:_DRAWN]
        return [look for image in drawn for one, look, _ in self._objects(image) if one == name]


def _inside(place: tuple[float, float], polygons: Sequence[np.ndarray]) -> float:
    """How far a place lies inside of the nearest outline, in pixels; negative outside."""
    outlines = [np.ascontiguousarray(one, np.float32).reshape(-1, 1, 2) for one in polygons]
    return max((cv2.pointPolygonTest(one, place, True) for one in outlines), default=-math.inf)


def _entropy(counts: np.ndarray) -> np.ndarray:
    """Entropy in bits of (..., looks) counts.

    >>> _entropy(np.array([[2, 2], [4, 0]])).tolist()
    [1.0, 0.0]
    """
    share = counts / counts.sum(-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        return -np.where(share > 0, share * np.log2(share), 0.0).sum(-1) + 0.0


def _looks_table(units: list, pools: dict[str, list[str]], seed: int = 0) -> pd.DataFrame:
    """The table of `Emergence.looks`, from each unit's looks and those of all images."""
    rng, rows = np.random.default_rng(seed), []
    differ = {name: _differ([looks for one, _, looks in units if one == name], rng) for name in pools}
    for name, unit, looks in units:
        kinds = sorted({*pools[name], *looks})
        if len(looks) < _FEWEST or len(set(pools[name])) < 2:
            continue
        counts = np.array([looks.count(kind) for kind in kinds])
        pool = np.array([kinds.index(look) for look in pools[name]])
        # The looks are drawn with replacement: the images are a sample of all that show the object.
        drawn = rng.choice(pool, (_SHUFFLES, len(looks)))
        chance = _entropy((drawn[..., None] == np.arange(len(kinds))).sum(1))
        entropy, most = float(_entropy(counts)), int(counts.argmax())
        p = float((1 + (chance <= entropy + 1e-9).sum()) / (1 + _SHUFFLES))
        rows.append(
            {"object": name, "unit": unit, "n": len(looks), "looks": len(kinds), "most": kinds[most]}
            | {"share": counts[most] / len(looks), "entropy": entropy, "shuffled": float(chance.mean())}
            | {"p": p, "differ": differ[name]}
        )
    table = pd.DataFrame(rows, columns=[name for name in _COLUMNS if name != "adjusted"])
    adjusted = false_discovery_control(table.p) if len(table) else []
    table.insert(table.columns.get_loc("p") + 1, "adjusted", adjusted)
    return table


def _differ(looks: Sequence[Sequence[str]], rng: np.random.Generator) -> float:
    """p-value of several units having the same looks: looks are shuffled among them; NaN for one unit.

    The statistic is the sum of the units' entropies, each weighted by its number of images: the lower it is,
    the more a unit tells about the look.
    """
    looks = [own for own in looks if len(own) >= _FEWEST]
    if len(looks) < 2:
        return math.nan
    _, codes = np.unique(np.concatenate([np.array(own, str) for own in looks]), return_inverse=True)
    ends = np.cumsum([len(own) for own in looks])[:-1]

    def within(values: np.ndarray) -> float:
        parts = [np.bincount(part) for part in np.split(values, ends)]
        return sum(float(_entropy(part)) * part.sum() for part in parts)

    own = within(codes)
    reached = sum(within(rng.permutation(codes)) <= own + 1e-9 for _ in range(_SHUFFLES))
    return (1 + reached) / (1 + _SHUFFLES)


def describe_looks(looks: pd.DataFrame) -> Sentences:
    """Whether units prefer a look of their object, and whether units of one object prefer different ones.

    Parameters
    ----------
    looks : pandas.DataFrame
        Of `Emergence.looks`.

    Returns
    -------
    Sentences
        A list in Markdown.
    """
    if looks.empty:
        return Sentences("- No unit detects an object that has several looks.")
    prefer = looks[looks.adjusted <= _LEVEL]
    lines = [
        f"Of {len(looks)} units whose object has several looks, **{len(prefer)}** ha"
        f"{'s' if len(prefer) == 1 else 've'} top images with fewer looks than as many drawn at random "
        f"(false discovery rate 5%). Mean entropy: {looks.entropy.mean():.2f} bits, drawn "
        f"{looks.shuffled.mean():.2f}."
    ]
    if len(prefer):
        first = prefer.sort_values(["p", "entropy"], kind="stable").head(3)
        listed = (
            f"{named(one.object)} :{one.unit} {named(one.most)} ({percent(one.share)})"
            for one in first.itertuples()
        )
        lines.append(f"Strongest: {', '.join(listed)}.")
    several = looks.dropna(subset=["differ"]).drop_duplicates("object")
    if len(several):
        apart = several[several.differ <= _LEVEL]
        lines.append(
            f"Of {len(several)} object{'' if len(several) == 1 else 's'} with two units or more, "
            f"{len(apart)} ha{'s' if len(apart) == 1 else 've'} units that differ in the looks they prefer "
            f"(p at most {_LEVEL}, looks shuffled among the object's units)"
            + (f": {', '.join(named(name) for name in apart.object)}." if len(apart) else ".")
        )
    lines.append(
        "The paper says by eye that each unit is a particular appearance. A preference for a look can also "
        "come from where that look stands, and from its size."
    )
    return Sentences("\n".join(f"- {line}" for line in lines))

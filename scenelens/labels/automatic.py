"""What was measured of every unit and every concept, and the labels that follow from it."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd
from numba import njit

from scenelens.annotations import Annotations
from scenelens.errors import SceneLensError, close_names
from scenelens.files import replace_file
from scenelens.labels.table import check_labels

#: MERGED DOC: Automatic labels on disk: how they are packed, and what they depend on.
#: MERGED DOC: When is a unit an object detector? The rule decides how many there are, so it is an argument, never hidden.
#
# Two kinds of rules. By people: their answers name an object, and say that it fits most of the unit's top
# images. By a measure: of all annotated concepts an object suits the unit best, and well enough.
#


#: What a unit's label can be chosen by.
MEASURES = ("iou", "share_of_ceiling", "coverage", "above_chance", "precision", "ap")


@dataclass(frozen=True)
class LayerCounts:
    """One layer's raw counts, all of them over the same images.

    Attributes
    ----------
    thresholds : (units,) float32, the response that a unit exceeds where it is active.
    active : (units,) int64 active pixels.
    shared : (units, concepts) int64 of them that lie on each concept.
    fitting : (units, concepts) int64, in how many of the unit's top images the concept fits.
    ap : (units, concepts) float64, average precision of the unit's peak for the concept's presence.
    """

    thresholds: np.ndarray
    active: np.ndarray
    shared: np.ndarray
    fitting: np.ndarray
    ap: np.ndarray


@dataclass(frozen=True)
class AutomaticLabels:
    """All units beside all concepts.

    Attributes
    ----------
    network : the network's name.
    concepts : DataFrame, one row per concept: concept, kind, type, pixels, images (that show it).
    counts : layer to `LayerCounts`.
    n_images, n_pixels : seen in all; n_top : images that precision is a share of.
    quantile : share of a unit's responses that lie above its threshold.
    skipped : (image, reason) of the images that could not be read.
    provenance : how it was made, in a few words each.
    """

    network: str
    concepts: pd.DataFrame
    counts: Mapping[str, LayerCounts]
    n_images: int
    n_pixels: int
    n_top: int
    quantile: float
    skipped: tuple[tuple[str, str], ...] = ()
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def layers(self) -> list[str]:
        """The layers that were measured."""
        return list(self.counts)

    def measures(self, layer: str) -> dict[str, np.ndarray]:
        """Every measure of a layer's units by concepts, each (units, concepts) float.

        - iou : intersection over union of active and concept pixels, summed over all images; every pixel of
          every image counts, also where nothing is annotated. NaN where neither has a pixel.
        - ceiling : the highest IoU that these two areas allow, the smaller over the larger: a region of 0.5%
          of the pixels cannot cover a sky. share_of_ceiling : iou as a share of it.
        - coverage : share of the active pixels that lie on the concept (precision within the active area).
        - above_chance : coverage, less the concept's share of all pixels, rescaled: 0 is chance, 1 is all.
        - precision : share of the unit's top images that the concept fits, as people were asked: more than
          half of the active area lies on it.
        - ap : average precision of the unit's peak as a detector of the concept's presence in an image.
        """
        counts = self._layer(layer)
        truth = self.concepts.pixels.to_numpy()[None].astype(float)
        active = counts.active[:, None].astype(float)
        with np.errstate(divide="ignore", invalid="ignore"):
            iou = counts.shared / (active + truth - counts.shared)
            ceiling = np.minimum(active, truth) / np.maximum(active, truth)
            coverage = counts.shared / active
            chance = truth / self.n_pixels
            return {
                "iou": iou,
                "ceiling": ceiling,
                "share_of_ceiling": iou / ceiling,
                "coverage": coverage,
                "above_chance": (coverage - chance) / (1 - chance),
                "precision": counts.fitting / self.n_top,
                "ap": counts.ap,
            }

    def table(self, layer: str) -> pd.DataFrame:
        """All pairs of a layer's units and concepts: layer, unit, concept, kind, type, and every measure."""
        found = self.measures(layer)
        units, n = found["iou"].shape
        about = self.concepts.loc[np.tile(np.arange(n), units), ["concept", "kind", "type"]].reset_index(
            drop=True
        )
        pairs = about.assign(layer=layer, unit=np.repeat(np.arange(units), n))
        values = {name: value.ravel() for name, value in found.items()}
        return pairs[["layer", "unit", "concept", "kind", "type"]].assign(**values)

    def shown_often(self, least_images: int) -> AutomaticLabels:
        """The same labels without the concepts that fewer images show: a unit's overlap with what hardly any
        image shows would be chance. Network Dissection's Broden has 10 of each."""
        kept = (self.concepts.images >= least_images).to_numpy()
        counts = {
            layer: LayerCounts(
                one.thresholds, one.active, one.shared[:, kept], one.fitting[:, kept], one.ap[:, kept]
            )
            for layer, one in self.counts.items()
        }
        return replace(self, concepts=self.concepts[kept].reset_index(drop=True), counts=counts)

    def labels(self, by: str = "iou", least: float = 0.0, types: list[str] | None = None) -> pd.DataFrame:
        """Each unit's best concept, in the schema of `labels.COLUMNS` and with the measures behind it.

        Parameters
        ----------
        by : the measure that decides (`MEASURES`); Network Dissection's is the IoU.
        least : units whose best concept does not exceed this get no label (Network Dissection: IoU 0.04).
        types : only concepts of these semantic types may win.

        Returns
        -------
        DataFrame : annotator 'automatic (<measure>)' and source 'automatic': no person said any of it. Units
        that are never active have no row.

        Raises
        ------
        SceneLensError : a measure there is not.
        """
        if by not in MEASURES:
            raise SceneLensError(f"no measure named {by!r}; {close_names(by, MEASURES)}.")
        allowed = self.concepts.type.isin(types).to_numpy() if types else np.ones(len(self.concepts), bool)
        tables = [self._best(layer, by, least, allowed) for layer in self.layers]
        when = datetime.now(UTC).isoformat(timespec="seconds")
        who = {"network": self.network, "annotator": f"automatic ({by})", "source": "automatic", "when": when}
        return check_labels(pd.concat(tables, ignore_index=True).assign(**who, n_images=self.n_top))

    def _best(self, layer: str, by: str, least: float, allowed: np.ndarray) -> pd.DataFrame:
        found = self.measures(layer)
        scores = np.where(allowed & np.isfinite(found[by]), found[by], -np.inf)
        best = scores.argmax(1) if scores.shape[1] else np.zeros(len(scores), int)
        kept = np.flatnonzero((scores.max(1, initial=-np.inf) > least) & (self._layer(layer).active > 0))
        chosen = self.concepts.iloc[best[kept]][["concept", "kind", "type"]].reset_index(drop=True)
        values = {name: value[kept, best[kept]] for name, value in found.items()}
        return chosen.assign(layer=layer, unit=kept, **values)

    def _layer(self, layer: str) -> LayerCounts:
        if layer not in self.counts:
            raise SceneLensError(f"layer {layer!r} was not measured; {close_names(layer, self.counts)}.")
        return self.counts[layer]


def presence_ap(peaks: np.ndarray, starts: np.ndarray, shown: np.ndarray, n_concepts: int) -> np.ndarray:
    """Average precision of every unit's peak for every concept's presence, as `metrics.average_precision`.

    Parameters
    ----------
    peaks : (n_images, units) float.
    starts : (n_images + 1,) int, where each image's concepts start in `shown`.
    shown : int, the numbers from 0 of the concepts that the images show, image after image.

    Returns
    -------
    (units, n_concepts) float64 : NaN for a concept that no image shows.

    Examples
    --------
    >>> presence_ap(np.array([[3.0], [2.0]]), np.array([0, 0, 1]), np.array([0]), 2)
    array([[0.5, nan]])
    """
    positives = np.bincount(shown, minlength=n_concepts).astype(float)
    positives[positives == 0] = np.nan
    columns = (np.ascontiguousarray(peaks[:, unit]) for unit in range(peaks.shape[1]))
    rows = [_ap(values, np.argsort(-values, kind="stable"), starts, shown, n_concepts) for values in columns]
    return np.array(rows).reshape(-1, n_concepts) / positives


@njit(cache=True, nogil=True)
def _ap(values, order, starts, shown, n_concepts):
    """Sum over the steps of (precision times positives gained); images of one peak are one step."""
    hits, gained, total = np.zeros(n_concepts), np.zeros(n_concepts), np.zeros(n_concepts)
    i = 0
    while i < len(order):
        j = i
        while j < len(order) and values[order[j]] == values[order[i]]:
            for at in range(starts[order[j]], starts[order[j] + 1]):
                hits[shown[at]] += 1
                gained[shown[at]] += 1
            j += 1
        for k in range(i, j):
            for at in range(starts[order[k]], starts[order[k] + 1]):
                concept = shown[at]
                total[concept] += gained[concept] * hits[concept] / j
                gained[concept] = 0
        i = j
    return total


LABELS_VERSION = 3  # of what is kept: raise it when a rule of labelling changes its numbers
_COUNTS = ("thresholds", "active", "shared", "fitting", "ap")


def load_or_compute(
    paths: Mapping[str, Path], make: Callable[[list[str]], list[AutomaticLabels]]
) -> dict[str, AutomaticLabels]:
    """The labels in some files, by name; where none can be read, those that `make` gives for these names, and
    from then on they are kept."""
    kept = {name: _read(path) for name, path in paths.items()}
    found = {name: one for name, one in kept.items() if one is not None}
    missing = [name for name in paths if name not in found]
    for name, one in zip(missing, make(missing) if missing else (), strict=True):
        replace_file(paths[name], _packed(one))
        found[name] = one
    return found


def file_digests(annotations: Annotations) -> bytes:
    """SHA-256, 32 bytes a file, of the photographs and of what is annotated in them; read once for every set
    of annotations that is opened."""
    if annotations not in _DIGESTS:
        digests = (hashlib.sha256(path.read_bytes()).digest() for path in _files(annotations))
        _DIGESTS[annotations] = b"".join(digests)
    return _DIGESTS[annotations]


_DIGESTS: WeakKeyDictionary[Annotations, bytes] = WeakKeyDictionary()


def _files(annotations: Annotations) -> Iterable[Path]:
    """The photographs, and the files that their annotations are read from, where the format says which."""
    yield from (annotations.path(image) for image in annotations.images)
    for one in getattr(annotations, "sets", {"": annotations}).values():
        sources = getattr(one, "sources", {})
        yield from (sources[image] for image in one.images if image in sources)


def _packed(labels: AutomaticLabels) -> bytes:
    about = {
        "network": labels.network,
        "concepts": labels.concepts.to_dict("list"),
        "n_images": labels.n_images,
        "n_pixels": labels.n_pixels,
        "n_top": labels.n_top,
        "quantile": labels.quantile,
        "skipped": labels.skipped,
        "provenance": labels.provenance,
        "layers": labels.layers,
    }
    arrays = {
        f"{k}-{name}": getattr(one, name) for k, one in enumerate(labels.counts.values()) for name in _COUNTS
    }
    target = io.BytesIO()
    np.savez_compressed(target, about=np.frombuffer(json.dumps(about).encode(), np.uint8), **arrays)
    return target.getvalue()


def _read(path: Path) -> AutomaticLabels | None:
    """The labels as they were kept; None where there are none that can be read."""
    try:
        with np.load(path, allow_pickle=False) as file:
            about = json.loads(file["about"].tobytes())
            layers = about.pop("layers")
            counts = {
                layer: LayerCounts(*(file[f"{k}-{name}"] for name in _COUNTS))
                for k, layer in enumerate(layers)
            }
        about["concepts"] = pd.DataFrame(about["concepts"])
        about["skipped"] = tuple(tuple(one) for one in about["skipped"])
        return AutomaticLabels(counts=counts, **about)
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        return None


LEAST_IOU = 0.04  # above which Network Dissection counts a unit as a detector

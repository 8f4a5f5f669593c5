"""Automatic labels: what was measured for every unit and every concept, and the labels that follow.

A unit's label depends on the measure that chooses it and on the least value that counts. Both are arguments
of `AutomaticLabels.labels`, so the counts are computed once and cached, and labels by another rule cost
next to nothing. What a label is worth is measured on images that did not choose it; see `halves`.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd

from scenelens.annotations import Annotations, SourceFile
from scenelens.caches import keep, one_writer, read_cached
from scenelens.errors import SceneLensError, close_names
from scenelens.files import ArrayFile
from scenelens.labels.checks import _falls, _ideal_unit, _precision_falls, _real_units
from scenelens.labels.halves import _FoldCounts, _Folds, _Judged, _overlap
from scenelens.labels.table import check_labels
from scenelens.unfinished import Stamp, Unfinished

#: The version of cached labels: raise it when a rule of labelling changes its numbers.
LABELS_VERSION = 4
#: Images of a half that must show a concept: a unit's overlap with a rarer one would be chance.
LEAST_IMAGES = 5
#: Network Dissection counts a unit as a detector if the IoU of its label is above this.
LEAST_IOU = 0.04

#: The measures that may choose a label. Those that may not do not notice that labels are wrong; see `checks`.
_CHOOSING = ("iou", "f1", "correlation", "ap")
_MEASURES = (*_CHOOSING, "share_of_ceiling", "coverage", "above_chance", "precision")
_COUNTS = ("thresholds", "active", "shared", "fitting", "ap")  # the arrays of `LayerCounts`, in order
_FOLD_COUNTS = ("active", "shared", "fitting", "top", "ap")  # and of `_FoldCounts`
_FOLDS = ("pixels", "images", "n_images")  # and of `_Folds`


@dataclass(frozen=True)
class LayerCounts:
    """One layer's raw counts, all of them over the same images.

    Attributes
    ----------
    thresholds : numpy.ndarray
        (units,) float32, the response that a unit exceeds where it is active.
    active : numpy.ndarray
        (units,) int64, the active pixels.
    shared : numpy.ndarray
        (units, concepts) int64, the active pixels that lie on each concept.
    fitting : numpy.ndarray
        (units, concepts) int64, in how many of the unit's top images the concept fits.
    ap : numpy.ndarray
        (units, concepts) float64, average precision of the unit's peak for the concept's presence.
    folds : _FoldCounts, optional
        The same in each fold of the images; None where it was not counted.
    """

    thresholds: np.ndarray
    active: np.ndarray
    shared: np.ndarray
    fitting: np.ndarray
    ap: np.ndarray
    folds: _FoldCounts | None = None

    def only(self, kept: np.ndarray) -> LayerCounts:
        """The counts of some concepts.

        Parameters
        ----------
        kept : numpy.ndarray
            (concepts,) bool.

        Returns
        -------
        LayerCounts
            With the concepts that are kept.
        """
        one = self.folds
        folds = one and replace(
            one, shared=one.shared[..., kept], fitting=one.fitting[..., kept], ap=one.ap[..., kept]
        )
        columns = self.shared[:, kept], self.fitting[:, kept], self.ap[:, kept]
        return LayerCounts(self.thresholds, self.active, *columns, folds)


@dataclass(frozen=True)
class AutomaticLabels:
    """What was measured for all units of a network and all concepts.

    Attributes
    ----------
    network : str
        The network's name.
    concepts : pandas.DataFrame
        One row per concept: ``concept``, ``kind``, ``type`` (str), ``pixels`` (int), ``images`` (int, those
        that show it).
    counts : mapping of str to LayerCounts
        The counts of each layer.
    n_images : int
        How many images were used.
    n_pixels : int
        How many pixels these have in all.
    n_top : int
        How many images `precision` is a share of.
    quantile : float
        The share of a unit's responses that lie above its threshold, 0..1.
    skipped : tuple of tuple of str
        (image, reason) of the images that could not be read.
    provenance : dict
        How the counts were made: sample, placement, seed, weights, n_images, quantile.
    folds : _Folds, optional
        What the images of each fold show; None where it was not counted, and then no unit has a label.
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
    folds: _Folds | None = None

    #: The measures that may choose a label; for how many units a measure falls.
    CHOOSING: ClassVar[tuple[str, ...]] = _CHOOSING
    falls = staticmethod(_falls)

    @property
    def layers(self) -> list[str]:
        """The layers that were measured."""
        return list(self.counts)

    def measures(self, layer: str) -> dict[str, np.ndarray]:
        """Every measure of a layer's units and all concepts, over all images.

        - iou: intersection over union of active and concept pixels, summed over all images. Every pixel of
          every image counts, also where nothing is annotated. NaN where neither has a pixel.
        - f1: the harmonic mean of coverage and the share of the concept that is active, 2 iou / (1 + iou).
        - correlation: Pearson's r of "is active" and "lies on the concept" over all pixels, -1..1.
        - ceiling: the highest IoU that these two areas allow, the smaller over the larger. A region of 0.5%
          of the pixels cannot cover a sky.
        - share_of_ceiling: iou / ceiling.
        - coverage: the share of the active pixels that lie on the concept.
        - above_chance: coverage minus the concept's share of all pixels, rescaled: 0 is chance, 1 is perfect.
        - precision: the share of the unit's top images that the concept fits (more than half of the active
          area lies on it), as people were asked in section 3.3.
        - ap: average precision of the unit's peak as a detector of the concept's presence in an image. By
          chance it is the share of the images that show the concept.

        Parameters
        ----------
        layer : str
            One of `layers`.

        Returns
        -------
        dict of str to numpy.ndarray
            (units, concepts) float64 for each measure.

        Raises
        ------
        SceneLensError
            If the layer was not measured.
        """
        counts = self._layer(layer)
        truth = self.concepts.pixels.to_numpy()[None]
        found = _overlap(counts.shared, counts.active[:, None], truth, self.n_pixels)
        return found | {"precision": counts.fitting / self.n_top, "ap": counts.ap}

    def table(self, layer: str) -> pd.DataFrame:
        """All pairs of a layer's units and concepts.

        Parameters
        ----------
        layer : str
            One of `layers`.

        Returns
        -------
        pandas.DataFrame
            One row per pair: ``layer``, ``unit``, ``concept``, ``kind``, ``type``, ``images`` (those that
            show the concept), ``chance`` (their share, which is the AP of a random order), and every measure.
        """
        found = self.measures(layer)
        units, n = found["iou"].shape
        columns = ["concept", "kind", "type", "images"]
        about = self.concepts.loc[np.tile(np.arange(n), units), columns].reset_index(drop=True)
        pairs = about.assign(layer=layer, unit=np.repeat(np.arange(units), n))
        values = {name: value.ravel() for name, value in found.items()}
        pairs = pairs[["layer", "unit", *columns]].assign(chance=pairs.images / self.n_images)
        return pairs.assign(**values)

    def shown_often(self, least_images: int) -> AutomaticLabels:
        """The same labels without rare concepts.

        A unit's overlap with a concept that hardly any image shows would be chance. In Network Dissection's
        data set Broden each concept is on at least 10 images.

        Parameters
        ----------
        least_images : int
            A concept stays if at least this many images show it.

        Returns
        -------
        AutomaticLabels
            With the concepts that stay.
        """
        kept = (self.concepts.images >= least_images).to_numpy()
        folds = self.folds and replace(
            self.folds, pixels=self.folds.pixels[:, kept], images=self.folds.images[:, kept]
        )
        counts = {layer: one.only(kept) for layer, one in self.counts.items()}
        concepts = self.concepts[kept].reset_index(drop=True)
        return replace(self, concepts=concepts, counts=counts, folds=folds)

    def labels(
        self,
        by: str = "iou",
        least: float = 0.0,
        types: list[str] | None = None,
        least_images: int = LEAST_IMAGES,
    ) -> pd.DataFrame:
        """Each unit's best concept, with what other images say about it.

        All images together choose the name. What it is worth is measured on images that did not choose: the
        images are put into two halves in all 126 ways in which ten folds allow it, either half chooses a
        concept, and the other half judges that. The mean of all these is the measure's value; the value on
        the images that chose the name is in a column beside it. It is too high.

        Parameters
        ----------
        by : str, optional
            The measure that chooses: 'iou' (default, as Network Dissection), 'f1', 'correlation' or 'ap'.
        least : float, optional
            Units whose value does not exceed this on the images that judge get no label (default 0; Network
            Dissection takes an IoU of 0.04, on the images that chose).
        types : list of str, optional
            Only concepts of these semantic types are considered (default: all).
        least_images : int, optional
            A concept is considered from this many images on for each half, so from twice as many in all
            (default 5 and 10, as in Network Dissection).

        Returns
        -------
        pandas.DataFrame
            The columns `labels.COLUMNS`, then ``kind``; ``images`` (int, those that show the concept);
            ``same_name`` (the share of the halves that choose this name, 0..1); ``names`` (tuple of str, the
            smallest set that has the choice of at least 95% of the halves, the commonest first); all
            measures, as judged by the other half (``ap`` over all images, unless it chose); ``iou_chosen``
            (or by another measure: on all images, which chose), ``difference`` (chosen minus judged),
            ``precision_chosen``; ``chance`` (the share of the images that show the concept: the AP of a
            random order). Annotator is 'automatic (<measure>)' and source 'automatic'. Units that are never
            active have no row, nor have units for which no concept is on enough images.

        Raises
        ------
        SceneLensError
            If there is no such measure, or it does not notice wrong labels and so may not choose.

        Notes
        -----
        A half of the images varies around all of them as much as all of them vary around the world that they
        were drawn from (the delete-half jackknife), so ``same_name`` and ``names`` say how sure a name is.
        With `by` 'ap' there is a single way to make halves. The thresholds of units come from a sample of all
        images, without looking at what these show.
        """
        self._check_measure(by)
        often = self.concepts.images.to_numpy() >= 2 * least_images
        allowed = often & (self.concepts.type.isin(types).to_numpy() if types else True)
        tables = [self._best(layer, by, least, allowed) for layer in self.layers]
        when = datetime.now(UTC).isoformat(timespec="seconds")
        who = {"network": self.network, "annotator": f"automatic ({by})", "source": "automatic", "when": when}
        return check_labels(pd.concat(tables, ignore_index=True).assign(**who, n_images=self.n_top))

    def labels_by_half(
        self,
        layer: str,
        folds: Sequence[int],
        types: Sequence[str] | None = None,
        least_images: int = LEAST_IMAGES,
    ) -> pd.DataFrame:
        """Each unit's best concept by IoU on the images of some folds, and its IoU on those of the others.

        What is then measured on the other images had no part in the name.

        Parameters
        ----------
        layer : str
            One of `layers`.
        folds : sequence of int
            Which of the folds choose; see `deal_folds`.
        types : sequence of str, optional
            Only concepts of these semantic types are considered (default: all).
        least_images : int, optional
            A concept is considered if at least this many images show it in either part (default 5).

        Returns
        -------
        pandas.DataFrame
            One row per unit that gets a name: ``unit`` (int), ``concept``, ``type``, ``iou_chosen`` (on the
            images that chose), ``iou`` (on the others), ``images`` (int, those of the first that show it),
            ``ap`` (over all images).

        Raises
        ------
        SceneLensError
            If the layer was not measured, or the folds were not counted.
        """
        whole = self._layer(layer)
        counts = whole.folds
        if counts is None or self.folds is None:
            raise SceneLensError("these labels were counted without folds, so no half of the images chooses.")
        chooses = np.isin(np.arange(len(self.folds.n_images)), list(folds))
        pixels = self.n_pixels // max(1, self.n_images)
        iou, shown = [], []
        for part in (chooses, ~chooses):
            active, truth = counts.active[part].sum(0), self.folds.pixels[part].sum(0)
            n = int(self.folds.n_images[part].sum()) * pixels
            iou.append(_overlap(counts.shared[part].sum(0), active[:, None], truth[None], n)["iou"])
            shown.append(self.folds.images[part].sum(0))
        allowed = (np.minimum(*shown) >= least_images) & (
            self.concepts.type.isin(types).to_numpy() if types else True
        )
        scores = np.where(allowed, np.nan_to_num(iou[0]), 0.0)
        units = np.flatnonzero(scores.max(1, initial=0.0) > 0)
        best = scores[units].argmax(1) if len(units) else np.zeros(0, int)
        table = self.concepts.iloc[best][["concept", "type"]].reset_index(drop=True)
        table.insert(0, "unit", units)
        return table.assign(
            iou_chosen=iou[0][units, best],
            iou=iou[1][units, best],
            images=shown[0][best].astype(int),
            ap=whole.ap[units, best],
        )

    def check_measures(self, layer: str) -> pd.DataFrame:
        """Put every measure to two tests: half of the labels lost, as many false ones added; see `checks`.

        Parameters
        ----------
        layer : str
            One of `layers`; of its units those that are active, each with the concept of the highest IoU.

        Returns
        -------
        pandas.DataFrame
            One row per measure and test: ``measure``, ``test``; ``ideal`` (what the measure is after the
            test, where it was 1: for a unit that is active exactly where its concept is); ``n`` (units),
            ``before``, ``after`` (means over units), ``falls`` (the share of the units for which it falls).
            AP needs every image, so its real units are not in this table (n = 0).

        Raises
        ------
        SceneLensError
            If the layer was not measured.
        """
        counts, found = self._layer(layer), self.measures(layer)
        truth = self.concepts.pixels.to_numpy()
        # As many false labels as true ones need as many pixels without a label.
        allowed = (self.concepts.images.to_numpy() >= 2 * LEAST_IMAGES) & (2 * truth <= self.n_pixels)
        scores = np.where(allowed, np.nan_to_num(found["iou"]), 0.0)
        units = np.flatnonzero((counts.active > 0) & (scores.max(1, initial=0.0) > 0))
        best = scores[units].argmax(1) if len(units) else np.zeros(0, int)
        shared, active = counts.shared[units, best], counts.active[units]
        real = _real_units(shared, active, truth[best], self.n_pixels)
        return (
            _ideal_unit()
            .merge(
                pd.concat([real, _precision_falls(found["precision"][units, best])]),
                on=["measure", "test"],
                how="left",
            )
            .fillna({"n": 0})
            .astype({"n": int})
        )

    @staticmethod
    def _check_measure(by: str) -> None:
        if by in _MEASURES and by not in _CHOOSING:
            raise SceneLensError(
                f"{by} may not choose a label: it does not notice where a concept's labels are wrong. Take "
                f"one of {', '.join(_CHOOSING)}."
            )
        if by not in _MEASURES:
            raise SceneLensError(f"no measure named {by!r}; {close_names(by, _CHOOSING)}.")

    def _best(self, layer: str, by: str, least: float, allowed: np.ndarray) -> pd.DataFrame:
        found, counts = self.measures(layer), self._layer(layer)
        # Concepts that may not win get -inf, so a unit without any concept is left out below.
        scores = np.where(allowed & np.isfinite(found[by]), found[by], -np.inf)
        best = scores.argmax(1) if scores.shape[1] else np.zeros(len(scores), int)
        chosen = scores.max(1, initial=-np.inf)
        judged = self._judged(layer, by, allowed)
        kept = np.flatnonzero((chosen > 0) & (judged.values[by] > least) & (counts.active > 0))
        columns = ["concept", "kind", "type", "images"]
        table = self.concepts.iloc[best[kept]][columns].reset_index(drop=True)
        names = self.concepts.concept.to_numpy()
        values = {"ap": found["ap"][kept, best[kept]]}
        values |= {name: value[kept] for name, value in judged.values.items()}
        values |= {f"{by}_chosen": chosen[kept], "difference": (chosen - judged.values[by])[kept]}
        return table.assign(
            same_name=judged.same(best)[kept],
            names=[tuple(names[judged.names(unit)]) for unit in kept.tolist()],
            layer=layer,
            unit=kept,
            **values,
            precision_chosen=found["precision"][kept, best[kept]],
            chance=table.images / self.n_images,
        )

    def _judged(self, layer: str, by: str, allowed: np.ndarray) -> _Judged:
        """What the halves say; known for as long as this object lives."""
        key = (layer, by, allowed.tobytes())
        if key not in self._known:
            counts = self._layer(layer).folds
            if counts is None or self.folds is None:  # counts that someone made without folds
                units = len(self._layer(layer).active)
                unknown = {name: np.full(units, np.nan) for name in (*_MEASURES, "ceiling")}
                self._known[key] = _Judged(np.zeros((0, units), int), unknown)
            else:
                pixels = self.n_pixels // self.n_images
                self._known[key] = _Judged.of(counts, self.folds, pixels, by, allowed)
        return self._known[key]

    @cached_property
    def _known(self) -> dict[tuple[str, str, bytes], _Judged]:
        return {}

    def _layer(self, layer: str) -> LayerCounts:
        if layer not in self.counts:
            raise SceneLensError(f"layer {layer!r} was not measured; {close_names(layer, self.counts)}.")
        return self.counts[layer]

    @staticmethod
    def cached(paths: Mapping[str, Path]) -> dict[str, AutomaticLabels]:
        """Read labels from cache files, and compute none.

        Parameters
        ----------
        paths : mapping of str to pathlib.Path
            A file for each name.

        Returns
        -------
        dict of str to AutomaticLabels
            Without those that are missing or damaged.
        """
        return _read_labels(paths)

    @staticmethod
    def load_or_compute(
        paths: Mapping[str, Path], make: Callable[[list[str]], list[AutomaticLabels]]
    ) -> dict[str, AutomaticLabels]:
        """Read labels from cache files; compute those that cannot be read, all in one pass.

        Parameters
        ----------
        paths : mapping of str to pathlib.Path
            A file for each name. The file's name must contain a key of everything the labels depend on.
        make : callable
            Takes a list of names and returns their labels in this order. Called once, and only if some are
            missing.

        Returns
        -------
        dict of str to AutomaticLabels
            The labels of each name; those that were computed are now cached.
        """
        found = _read_labels(paths)
        missing = {name: path for name, path in paths.items() if name not in found}
        if not missing:
            return found
        with contextlib.ExitStack() as locks:
            for path in sorted(missing.values()):  # all in the same order, so that nobody waits in a circle
                locks.enter_context(one_writer(path))
            found |= _read_labels(missing)  # another process may have made them while this one waited
            names = [name for name in missing if name not in found]
            # All missing ones together: networks that see the same frame share one pass over the annotations.
            for name, one in zip(names, make(names) if names else (), strict=True):
                keep(paths[name], _pack(one))
                found[name] = one
        return found

    @staticmethod
    def cache_path(annotations: Annotations, named: Callable[[bytes], Path]) -> Path:
        """The cache file of something that depends on photographs, annotations and label maps.

        Parameters
        ----------
        annotations : Annotations
            The annotated images.
        named : callable
            Makes the file's path from bytes that change with any of these files, and with the reader's
            settings such as colours.

        Returns
        -------
        pathlib.Path
            The file to read or to write.
        """
        return named(_digests(annotations, _files(annotations)) + _besides(annotations))

    @staticmethod
    def stamps(annotations: Annotations) -> dict[Path, Stamp]:
        """What all files of annotated images looked like when a key was made of them.

        Parameters
        ----------
        annotations : Annotations
            The annotated images.

        Returns
        -------
        dict of pathlib.Path to tuple of int
            For `Unfinished`; see its `stamp`. Files that no key was made of are looked at now.
        """
        known = _DIGESTS.get(annotations, {})
        files = [*_files(annotations), *(path for one in _sets(annotations) for path in one.label_files())]
        return {path: known[path][0] if path in known else Unfinished.stamp(path) for path in files}


def _read_labels(paths: Mapping[str, Path]) -> dict[str, AutomaticLabels]:
    cached = {name: read_cached(path, _unpack) for name, path in paths.items()}
    return {name: one for name, one in cached.items() if one is not None}


def _besides(annotations: Annotations) -> bytes:
    """What label maps depend on besides photographs and sources: legends, label maps' files, colours."""
    parts = [_digests(annotations, one.label_files()) + one.depends_on() for one in _sets(annotations)]
    return b"".join(parts)


def _sets(annotations: Annotations) -> list[Any]:
    """The sets that know their files besides the photographs; formats that readers wrote may not."""
    found = getattr(annotations, "sets", {"": annotations}).values()
    return [one for one in found if hasattr(one, "label_files")]


def _digests(annotations: Annotations, paths: Iterable[Path]) -> bytes:
    """A SHA-256 for each file. A file is read again only where it was touched."""
    known = _DIGESTS.setdefault(annotations, {})
    digests = []
    for path in paths:
        now = Unfinished.stamp(path)  # before it is read: a change meanwhile shows, too
        if path not in known or known[path][0] != now:
            # A missing photograph is skipped and named by whoever reads it; here it only counts as missing.
            known[path] = now, SourceFile(path).digest() or hashlib.sha256(b"missing").digest()
        digests.append(known[path][1])
    return b"".join(digests)


# Weak keys: the digests go when the annotations do.
_DIGESTS: WeakKeyDictionary[Annotations, dict[Path, tuple[Stamp, bytes]]] = WeakKeyDictionary()


def _files(annotations: Annotations) -> Iterable[Path]:
    """The photographs, and the files of their annotations if the format names them (`sources`)."""
    yield from (annotations.path(image) for image in annotations.images)
    for one in getattr(annotations, "sets", {"": annotations}).values():
        sources = getattr(one, "sources", {})
        yield from (sources[image] for image in one.images if image in sources)


def _pack(labels: AutomaticLabels) -> bytes:
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
    arrays: dict[str, np.ndarray] = {}
    for k, one in enumerate(labels.counts.values()):
        arrays |= {f"{k}-{name}": getattr(one, name) for name in _COUNTS}
        if one.folds is not None:
            arrays |= {f"{k}-folds-{name}": getattr(one.folds, name) for name in _FOLD_COUNTS}
    if labels.folds is not None:
        arrays |= {f"folds-{name}": getattr(labels.folds, name) for name in _FOLDS}
    return ArrayFile.pack(about, arrays)


def _unpack(content: bytes) -> AutomaticLabels:
    about, arrays = ArrayFile.unpack(content)

    def part(kind: Any, start: str, names: tuple[str, ...]) -> Any:
        found = [arrays.get(f"{start}-{name}") for name in names]
        return None if any(one is None for one in found) else kind(*found)

    counts = {
        layer: replace(
            part(LayerCounts, f"{k}", _COUNTS), folds=part(_FoldCounts, f"{k}-folds", _FOLD_COUNTS)
        )
        for k, layer in enumerate(about.pop("layers"))
    }
    about["folds"] = part(_Folds, "folds", _FOLDS)
    about["concepts"] = pd.DataFrame(about["concepts"])
    about["skipped"] = tuple(tuple(one) for one in about["skipped"])
    return AutomaticLabels(counts=counts, **about)

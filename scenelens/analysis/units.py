"""One call for each question about single units; see `UnitAnalysis`."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scenelens.analysis.annotated_peaks import _AnnotatedPeaks
from scenelens.analysis.label_page import _write_label_page
from scenelens.errors import SceneLensError, close_names
from scenelens.files import replace_file
from scenelens.intervals import bootstrap_interval, wilson_interval
from scenelens.metrics import all_equal, average_precision
from scenelens.networks import interpolate, responses
from scenelens.receptive_fields import discrepancy_map
from scenelens.sentences import one_line, percent
from scenelens.studies import Study
from scenelens.workbook import Plate, deepest_map_layer, dimmed, heat, show_tile

_RESAMPLES = 500  # of the bootstrap
_SIDE = 2.3  # inches of one of the three pictures of an overlay
_FORMATS = ("png", "pdf", "svg", "jpg")


class UnitAnalysis:
    """Questions about the units of one network, each answered by one call.

    Parameters
    ----------
    study : Study
        The open study.
    network : str, optional
        A name in `Study.networks` (default 'scene').

    Attributes
    ----------
    study : Study
        The open study.
    name : str
        The network's name.
    network : Network
        The network.

    Raises
    ------
    SceneLensError
        If the study has no such network.
    """

    def __init__(self, study: Study, network: str = "scene") -> None:
        self.study, self.name, self.network = study, network, study.networks[network]

    def __repr__(self) -> str:
        return f"UnitAnalysis({self.study.name!r}, {self.name!r})"

    @cached_property
    def _annotated(self) -> _AnnotatedPeaks:
        return _AnnotatedPeaks(self.study, self.name)

    def _layer(self, layer: str | None) -> str:
        """A layer's name, checked; by default the deepest one with a map."""
        found = deepest_map_layer(self.network) if layer is None else layer
        self.study.layer_row(self.name, found)
        return found

    # ---- looking for units

    def best_units(self, concept: str, layer: str | None = None, n: int = 10, seed: int = 0) -> pd.DataFrame:
        """The units of a layer that detect an object best.

        A unit's score on an image is its peak. The images are split into two random halves: units are ranked
        on one and judged on the other, because the best of hundreds is partly lucky.

        Parameters
        ----------
        concept : str
            The object's name in the annotations.
        layer : str, optional
            A layer of the network (default: the deepest one with a map).
        n : int, optional
            How many units (default 10).
        seed : int, optional
            Seed of the split (default 0).

        Returns
        -------
        pandas.DataFrame
            One row per unit, the best of the first half first: ``layer``, ``unit``, ``ap`` (average precision
            on the second half, 0..1), ``low`` and ``high`` (its 95% bootstrap interval over images),
            ``chance`` (the AP of a random order: the share of images with the object), ``ap_chosen`` (on the
            first half), ``n`` (images of the second half), ``images`` (of these, with the object).

        Raises
        ------
        CannotAnswerError
            If the study has no annotations, or too few images with or without the object.
        SceneLensError
            If there is no such object or layer.
        """
        layer = self._layer(layer)
        present, chosen, judged = self._annotated.halves(concept, seed)
        peaks = self._annotated.of(layer)
        on_first = np.array([average_precision(present[chosen], one) for one in peaks[chosen].T])
        order = np.argsort(-on_first, kind="stable")[:n]
        shown = present[judged]
        about = {
            "layer": layer,
            "chance": shown.mean(),
            "n": len(judged),
            "images": int(shown.sum()),
        }
        rows = [
            about | {"unit": int(unit), "ap_chosen": on_first[unit]} | _judge(shown, peaks[judged, unit])
            for unit in order
        ]
        columns = ["layer", "unit", "ap", "low", "high", "chance", "ap_chosen", "n", "images"]
        return pd.DataFrame(rows, columns=columns)

    def pure_units(self, layer: str | None = None, n: int = 10, top: int = 60) -> pd.DataFrame:
        """The units whose top images belong to one category.

        Parameters
        ----------
        layer : str, optional
            A layer of the network (default: the deepest one with a map).
        n : int, optional
            How many units (default 10).
        top : int, optional
            How many top images count (default 60, as in section 3.3 of the paper).

        Returns
        -------
        pandas.DataFrame
            One row per unit, the purest first: ``layer``, ``unit``, ``category`` (the most frequent one),
            ``share`` of the top images, ``low`` and ``high`` (its 95% Wilson interval), ``chance`` (the
            category's share of all images), ``n`` (images counted). Units that respond equally to all images
            are left out.

        Raises
        ------
        SceneLensError
            If there is no such layer, or `top` is below 1.
        """
        layer, index = self._layer(layer), self.study.index(self.name)
        peaks, categories = index.peaks(layer), self.study.images.category
        rows = []
        for unit in range(peaks.shape[1]):
            if all_equal(peaks[:, unit]) or np.isnan(peaks[:, unit]).all():
                continue
            images = index.top_images(layer, unit, top)["image"]
            names = self._categories.loc[images]
            counts = names.value_counts(sort=False)
            category, count = counts.idxmax(), int(counts.max())
            low, high = wilson_interval(count, len(names))
            chance = float((categories == category).mean())
            rows.append((layer, unit, category, count / len(names), low, high, chance, len(names)))
        columns = ["layer", "unit", "category", "share", "low", "high", "chance", "n"]
        table = pd.DataFrame(rows, columns=columns)
        return table.sort_values("share", ascending=False, kind="stable").head(n).reset_index(drop=True)

    @cached_property
    def _categories(self) -> pd.Series:
        return self.study.images.set_index("image")["category"]

    def similar_units(
        self, layer: str, unit: int, n: int = 10, networks: Iterable[str] | None = None
    ) -> pd.DataFrame:
        """The units that respond to the same images as one unit, in this network and in the others.

        Parameters
        ----------
        layer : str
            The unit's layer.
        unit : int
            The unit, from 0.
        n : int, optional
            How many units of each network (default 10).
        networks : iterable of str, optional
            Names in `Study.networks` (default: all). Of each the main layers are searched.

        Returns
        -------
        pandas.DataFrame
            One row per unit, for each network the most similar first: ``network``, ``layer``, ``unit``, ``r``
            (Pearson correlation of the two units' peaks over the images, -1..1), ``n`` (images).

        Raises
        ------
        SceneLensError
            If there is no such layer, unit or network, or the unit responds equally to all images.
        """
        self.study.layer_row(self.name, layer, unit)
        own = self.study.index(self.name).peaks(layer)[:, unit].astype(float)
        if all_equal(own):
            raise SceneLensError(f"{layer}:{unit} responds equally to all images: nothing is similar to it.")
        names = list(self.study.networks) if networks is None else list(networks)
        found = [self._correlated(name, own) for name in names]
        table = pd.concat(found, ignore_index=True)
        itself = (table.network == self.name) & (table.layer == layer) & (table.unit == unit)
        table = table[~itself].dropna().sort_values("r", ascending=False, kind="stable")
        order = {name: place for place, name in enumerate(names)}
        best = table.groupby("network", sort=False).head(n)
        return best.sort_values("network", key=lambda one: one.map(order), kind="stable").reset_index(
            drop=True
        )

    def _correlated(self, name: str, own: np.ndarray) -> pd.DataFrame:
        """The correlation of every unit of a network's main layers with the responses given."""
        index, tables = self.study.index(name), []
        for layer in self.study.networks[name].main_layers():
            peaks = index.peaks(layer).astype(float)
            read = ~(np.isnan(own) | np.isnan(peaks).any(1))
            a, b = own[read] - own[read].mean(), peaks[read] - peaks[read].mean(0)
            scale = np.sqrt((a**2).sum() * (b**2).sum(0))
            # A unit that never changes correlates with nothing: NaN, which the caller leaves out.
            r = np.divide(a @ b, scale, out=np.full(b.shape[1], np.nan), where=scale > 0)
            about = {"network": name, "layer": layer, "n": int(read.sum())}
            tables.append(pd.DataFrame({"unit": range(len(r)), "r": r}).assign(**about))
        return pd.concat(tables)[["network", "layer", "unit", "r", "n"]]

    # ---- looking at one unit, or at one class

    def top_annotated(self, layer: str, unit: int, n: int = 12) -> pd.DataFrame:
        """A unit's top images among the annotated ones, and the objects on them.

        Parameters
        ----------
        layer : str
            A layer of the network.
        unit : int
            A unit of that layer, from 0.
        n : int, optional
            How many images (default 12).

        Returns
        -------
        pandas.DataFrame
            One row per image, the highest peak first: ``rank`` (from 0), ``image`` (its id in
            `Study.annotations`), ``peak``, ``scene`` (str), ``objects`` (names, in alphabetical order).

        Raises
        ------
        CannotAnswerError
            If the study has no annotations.
        SceneLensError
            If there is no such layer or unit.
        """
        self.study.layer_row(self.name, layer, unit)
        peaks, images = self._annotated.of(layer)[:, unit], self._annotated.images
        annotations = self.study.need_annotations()
        objects = (
            annotations.objects().groupby("image")["object"].agg(lambda names: ", ".join(sorted(set(names))))
        )
        order = [k for k in np.argsort(-peaks, kind="stable") if not np.isnan(peaks[k])][:n]
        rows = [
            (rank, images[k], float(peaks[k]), annotations.scene(images[k]), objects.get(images[k], ""))
            for rank, k in enumerate(order)
        ]
        return pd.DataFrame(rows, columns=["rank", "image", "peak", "scene", "objects"])

    def class_map(self, image: str, scene: str | int | None = None, **options: Any) -> np.ndarray:
        """Which part of an image carries the score of a class: its discrepancy map under occlusion.

        Parameters
        ----------
        image : str
            The image's id in `Study.images`.
        scene : str or int, optional
            A class of the network, by its name or its number (default: the class that the network predicts).
            Where two classes have one name, a number is needed.
        **options : object
            Passed to `scenelens.discrepancy_map`: ``occluder``, ``stride``, ``seed``.

        Returns
        -------
        numpy.ndarray
            float32 (n_y, n_x), at least 0: how much the class's score (before the softmax) changes when an
            occluder lies there.

        Raises
        ------
        SceneLensError
            If there is no such image or class, or two classes have that name.
        """
        photograph = self.study.load_image(image)
        number = self._class_number(photograph, scene)
        return discrepancy_map(self.network, self._class_layer(), number, photograph, **options)

    def _class_layer(self) -> str:
        """The last layer, whose units stand for the classes."""
        layers = self.network.layers
        last = layers[layers.units == len(self.network.classes)]
        if last.empty:
            raise SceneLensError(
                f"no layer of the {self.name} network has one unit for each of its "
                f"{len(self.network.classes)} classes; use sl.discrepancy_map with a layer and a unit."
            )
        return str(last.layer.iloc[-1])

    def _class_number(self, photograph: np.ndarray, scene: str | int | None) -> int:
        names = list(self.network.classes)
        if scene is None:
            return int(self.network(photograph)[0].argmax())
        if isinstance(scene, int):
            if not 0 <= scene < len(names):
                raise SceneLensError(
                    f"the {self.name} network has the classes 0 to {len(names) - 1}, not {scene}."
                )
            return scene
        numbers = [number for number, name in enumerate(names) if name == scene]
        if len(numbers) == 1:
            return numbers[0]
        if numbers:
            which = ", ".join(map(str, numbers))
            raise SceneLensError(
                f"{len(numbers)} classes are called {scene!r}: give a number, one of {which}."
            )
        raise SceneLensError(f"the {self.name} network has no class {scene!r}; {close_names(scene, names)}.")

    def overlay(self, layer: str, unit: int, image: str | None = None) -> Plate:
        """One unit on one image: the image, the unit's map over it, and the part where the unit is active.

        Parameters
        ----------
        layer : str
            A layer of the network whose units have a map.
        unit : int
            A unit of that layer, from 0.
        image : str, optional
            The image's id in `Study.images` (default: the unit's top image).

        Returns
        -------
        Plate
            The figure. The map is interpolated between its positions; active is what exceeds half of the
            unit's peak over all images of the study.

        Raises
        ------
        SceneLensError
            If there is no such layer, unit or image, or the layer has no map.
        """
        self.study.layer_row(self.name, layer, unit)
        if self.network.layer_shape(layer)[1:] == (1, 1):
            raise SceneLensError(
                f"units of {layer} have no map to lay over an image; take a layer that has one."
            )
        index = self.study.index(self.name)
        top = index.top_images(layer, unit, 1)
        name = str(top.image[0]) if image is None else image
        photograph = self.study.load_image(name)
        values = interpolate(responses(self.network, layer, unit, photograph), self.network.axes(layer))
        frame = self.network.show_input(photograph)
        return _overlay_plate(
            f"{layer}:{unit} of the {self.name} network", name, frame, values, float(top.peak[0])
        )

    # ---- files for others

    def write_overlay(self, path: str | Path, layer: str, unit: int, image: str | None = None) -> Path:
        """Write `overlay` to a file.

        Parameters
        ----------
        path : str or pathlib.Path
            The file. Its ending decides the format: .png, .pdf, .svg or .jpg.
        layer : str
            As for `overlay`.
        unit : int
            As for `overlay`.
        image : str, optional
            As for `overlay`.

        Returns
        -------
        pathlib.Path
            The file that was written.

        Raises
        ------
        SceneLensError
            If the ending is unknown, the file cannot be written, or `overlay` raises.
        """
        path = Path(path)
        kind = path.suffix.lower().lstrip(".").replace("jpeg", "jpg")
        if kind not in _FORMATS:
            raise SceneLensError(
                f"{path.name} should end in .png, .pdf, .svg or .jpg, which chooses the format."
            )
        content = io.BytesIO()
        self.overlay(layer, unit, image).savefig(content, format=kind, facecolor="white")
        replace_file(path, content.getvalue())
        return path

    def write_labels(
        self,
        folder: str | Path,
        labels: pd.DataFrame | None = None,
        layers: Sequence[str] | None = None,
        top: int = 6,
    ) -> Path:
        """Write a table of labels with thumbnails: a page (HTML) and the same table as CSV.

        Parameters
        ----------
        folder : str or pathlib.Path
            Where ``labels.html`` and ``labels.csv`` are written; made if it is missing.
        labels : pandas.DataFrame, optional
            Labels of this network, see `scenelens.labels.COLUMNS` (default: the automatic labels by IoU).
        layers : sequence of str, optional
            Only labels of these layers (default: all).
        top : int, optional
            Thumbnails per unit (default 6).

        Returns
        -------
        pathlib.Path
            The page. It needs no other file, and loads nothing from anywhere.

        Raises
        ------
        CannotAnswerError
            If no labels are given and the study has no annotations to make them from.
        SceneLensError
            If no label is left to write, or a file cannot be written.
        """
        if labels is None:
            labels = self.study.automatic_labels(self.name).labels()
        own = labels[labels.network == self.name]
        if layers is not None:
            own = own[own.layer.isin(list(layers))]
        if own.empty:
            raise SceneLensError(
                f"there is no label of the {self.name} network to write, of {len(labels)} given."
            )
        return _write_label_page(self.study, self.name, own, Path(folder), top)


def _judge(shown: np.ndarray, peaks: np.ndarray) -> dict[str, float]:
    """Average precision of one unit's peaks, with its interval over the images."""
    cases = np.stack([shown, peaks], 1)
    low, high = bootstrap_interval(
        cases, lambda one: average_precision(one[:, 0], one[:, 1]), n_resamples=_RESAMPLES
    )
    return {"ap": average_precision(shown, peaks), "low": low, "high": high}


def _overlay_plate(title: str, name: str, frame: np.ndarray, values: np.ndarray, peak: float) -> Plate:
    """Three pictures in a row: the frame, its map as colours over it, and the part that is active."""
    colours = (0.45 * frame + 0.55 * heat(np.maximum(values, 0), max(peak, 1e-12))).astype(np.uint8)
    active = (values > peak / 2) & (values > 0)
    caption = (
        f"{one_line(name)}: what the network sees; the unit's response, light where it is high; and the part "
        f"above half of the unit's peak ({peak:.3g}) over all images of the study, {percent(active.mean())} "
        "of the image."
    )
    plate = Plate(title, _SIDE, caption, photo=True)
    for k, picture in enumerate((frame, colours, dimmed(frame, active))):
        show_tile(plate.tile_at(0.08 + k * (_SIDE + 0.07), 0.0, _SIDE, _SIDE), picture)
    return plate

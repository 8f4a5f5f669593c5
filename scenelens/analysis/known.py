"""What is known of single units, as tables: what they are called, and which units and images go together."""

from __future__ import annotations

import contextlib

import numpy as np
import pandas as pd

from scenelens.analysis.units import UnitAnalysis
from scenelens.errors import SceneLensError
from scenelens.intervals import wilson_interval
from scenelens.labels import current, names_text
from scenelens.sentences import one_line
from scenelens.studies import Study

_MEASURES = {"iou": "IoU", "ap": "AP"}  # those that choose an automatic label here
_TOP = 60  # images whose categories are counted, as many as people were shown
_CATEGORIES = 6  # of these, the most frequent ones
_SIMILAR = 6  # units of each network
_RESPONDING = 8  # units of a layer


class _Known:
    """Answers about single units of a study.

    Parameters
    ----------
    study : Study
        The open study.
    """

    def __init__(self, study: Study) -> None:
        self.study = study

    def has_map(self, network: str, layer: str) -> bool:
        """Whether the units of a layer have a place in the image.

        Parameters
        ----------
        network : str
            A name in `Study.networks`.
        layer : str
            A layer of it.

        Returns
        -------
        bool
            False for a fully connected layer.
        """
        return self.study.networks[network].layer_shape(layer)[1:] != (1, 1)

    def names(self, network: str, layer: str, unit: int) -> pd.DataFrame:
        """What a unit is called, by whom.

        Parameters
        ----------
        network : str
            A name in `Study.networks`.
        layer : str
            A layer of it.
        unit : int
            A unit of the layer.

        Returns
        -------
        pandas.DataFrame
            One row per source: ``source``, ``name``, ``type``, ``score`` (of the measure that chose an
            automatic name, on images that did not), ``same_name`` (share of the halves of the images that
            choose it) and ``precision`` (share of the top images that fit). Automatic names first. Empty
            where nobody has named it.
        """
        place = {"network": network, "layer": layer, "unit": unit}
        rows = []
        if self.study.annotations is not None:
            with contextlib.suppress(SceneLensError):  # too few annotations: only people name units
                automatic = self.study.automatic_labels(network)
                for by, said in _MEASURES.items():
                    for one in _at(automatic.labels(by=by), place).to_dict("records"):
                        name = names_text([str(each) for each in one["names"]])  # one, where that is sure
                        rows.append(_row(f"automatic, by {said}", name, one, one[by], one["same_name"]))
        answers = current(_at(self.study.answers.labels(), place))
        rows += [_row(one["annotator"], one["concept"], one) for one in answers.to_dict("records")]
        columns = ["source", "name", "type", "score", "same_name", "precision"]
        found = pd.DataFrame(rows, columns=columns)
        found.attrs["units"] = {"same_name": "share"}
        return found

    def categories(self, network: str, layer: str, unit: int) -> pd.DataFrame:
        """The categories of a unit's top images.

        Parameters
        ----------
        network : str
            A name in `Study.networks`.
        layer : str
            A layer of it.
        unit : int
            A unit of the layer.

        Returns
        -------
        pandas.DataFrame
            One row per category, the most frequent first: ``category``, ``share`` of the top 60 images with
            its 95% Wilson interval ``low`` and ``high``, ``n`` (of how many), ``chance`` (the category's
            share of all images).
        """
        images = self.study.index(network).top_images(layer, unit, _TOP)["image"]
        n, everywhere = len(images), UnitAnalysis(self.study, network)._categories
        counts = everywhere.loc[images].value_counts().head(_CATEGORIES)
        rows = [
            (name, count / n, *wilson_interval(int(count), n), n, float((everywhere == name).mean()))
            for name, count in counts.items()
        ]
        return pd.DataFrame(rows, columns=["category", "share", "low", "high", "n", "chance"])

    def similar(self, network: str, layer: str, unit: int) -> pd.DataFrame:
        """The units that respond to the same images, see `UnitAnalysis.similar_units`.

        Parameters
        ----------
        network : str
            A name in `Study.networks`.
        layer : str
            A layer of it.
        unit : int
            A unit of the layer.

        Returns
        -------
        pandas.DataFrame
            Six units of each network; ``network``, ``layer``, ``unit``, ``r``, ``n``.
        """
        return UnitAnalysis(self.study, network).similar_units(layer, unit, _SIMILAR)

    def responding(self, network: str, layer: str, image: str) -> pd.DataFrame:
        """The units of a layer that respond most to an image.

        Peaks of different units cannot be compared: one unit's 3 is another's maximum. So units are ordered
        by the share of all images to which they respond less than to this one.

        Parameters
        ----------
        network : str
            A name in `Study.networks`.
        layer : str
            A layer of it.
        image : str
            The image's id in `Study.images`.

        Returns
        -------
        pandas.DataFrame
            At most eight rows: ``unit``, ``peak``, ``below`` (the share of the images with a lower peak,
            0..1). Of equal shares the unit whose peak is nearest to its own maximum comes first; units that
            do not respond are left out.

        Raises
        ------
        SceneLensError
            If the study has no such image, or it could not be read.
        """
        peaks = self.study.index(network).peaks(layer).astype(float)
        place = np.flatnonzero((self.study.images.image == image).to_numpy())
        read = ~np.isnan(peaks).any(1)
        if not len(place) or not read[place[0]]:
            raise SceneLensError(f"study {self.study.name!r} has no image {image!r} that could be read.")
        own, others = peaks[place[0]], peaks[read]
        below = (others < own).mean(0)
        highest = others.max(0)
        nearness = np.divide(own, highest, out=np.full(len(own), -1.0), where=highest > 0)
        order = [unit for unit in np.lexsort((-nearness, -below)) if own[unit] > 0][:_RESPONDING]
        return pd.DataFrame({"unit": order, "peak": own[order], "below": below[order]})


def _at(table: pd.DataFrame, place: dict[str, object]) -> pd.DataFrame:
    """The rows of one unit."""
    wanted = np.ones(len(table), bool)
    for name, value in place.items():
        wanted &= (table[name] == value).to_numpy()
    return table[wanted]


def _row(
    source: object, name: object, label: dict, score: float = np.nan, same: float = np.nan
) -> tuple[str, str, str, float, float, float]:
    return one_line(source), one_line(name), one_line(label["type"]), score, same, label["precision"]

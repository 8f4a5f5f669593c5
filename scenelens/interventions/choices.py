"""Which units stand for a scene category: chosen on one half of the images, so that the other half can judge.

There are two ways. By their labels: units that are named after objects which the category's images show more
often than other images do. By their effect: units whose absence alone costs the category most. The first asks
whether names say what units are for; the second needs no annotations.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import numpy as np
import pandas as pd

from scenelens.annotations import Folding
from scenelens.emergence import ObjectPresence
from scenelens.errors import CannotAnswerError, SceneLensError
from scenelens.labels import LEAST_IMAGES, deal_folds
from scenelens.networks import ClassNames
from scenelens.paper import SOURCES
from scenelens.studies import Study

_OBJECTS = ("object", "region or surface")  # what counts as an object, as in section 4.1


@dataclass(frozen=True)
class _Halves:
    """The images whose category the network knows, in a half that chooses units and one that judges.

    Attributes
    ----------
    images : pandas.DataFrame
        One row per image: ``image`` (id), ``category``, ``class`` (int, the network's class) and ``judges``
        (bool).
    annotated : pandas.DataFrame
        One row per annotated scene of the half that chooses: ``image`` (the annotations' id) and ``class``.
    folds : list of int
        The folds of the annotated images that choose; empty where there are no two.
    """

    images: pd.DataFrame
    annotated: pd.DataFrame
    folds: list[int]

    @classmethod
    def of(cls, study: Study, network: str, most: int, seed: int) -> _Halves:
        """Split a study's images.

        Parameters
        ----------
        study : Study
            The study.
        network : str
            The network's name in it.
        most : int
            At most this many images of each category in each half are used.
        seed : int
            Seed of the split.

        Returns
        -------
        _Halves
            Annotated images are split by the folds in which their labels were counted, others at random
            within their category.

        Raises
        ------
        CannotAnswerError
            If the study names no category that the network has a class for, or has only one such, or if no
            two have images in both halves.
        """
        rng = np.random.default_rng(seed)
        table = _known_images(study, network)
        chooses, folds = _choosing_images(study, rng)
        annotated = table.image.map(lambda image: study.annotated(image) if chooses else "")
        judges = ~annotated.isin(chooses).to_numpy()
        free = ~annotated.isin(study.annotations.images if chooses else ()).to_numpy()  # type: ignore[union-attr]
        for _, rows in table[free].groupby("class"):
            drawn = rng.permutation(rows.index.to_numpy())
            judges[table.index.get_indexer(drawn[: len(drawn) // 2])] = False
        table = table.assign(judges=judges, order=rng.permutation(len(table)))
        kept = table.sort_values("order").groupby(["class", "judges"]).head(most).sort_index()
        halved = kept.groupby("class").judges.nunique() == 2
        kept = kept[kept["class"].map(halved)]
        if halved.sum() < 2:
            raise CannotAnswerError(
                "units are chosen on some images of a category and judged on others, and no two categories "
                f"of the {network} network have two images: add images of the same categories."
            )
        by_class = _annotated_classes(study, network, chooses)
        return cls(kept.drop(columns="order").reset_index(drop=True), by_class, folds)


def _known_images(study: Study, network: str) -> pd.DataFrame:
    """The images of the network's kind of which one class is known."""
    images, names = study.images.reset_index(drop=True), study.networks[network].class_names
    if network in SOURCES:  # another network may be of either kind: its classes say which images count
        images = images[images["source"] == SOURCES[network]]
    classes = _classes(images.category.unique(), names)
    table = images[images.category.isin(classes)][["image", "category"]]
    if len(set(classes.values())) < 2:
        raise CannotAnswerError(
            f"the images show {'one category' if classes else 'no category'} that the {network} network has "
            "a class for, so no accuracy can fall: put the images of each class into a folder of its name."
        )
    return table.assign(**{"class": table.category.map(classes).astype(int)}).reset_index(drop=True)


def _classes(categories: object, names: ClassNames) -> dict[str, int]:
    """Category to the one class that it means."""
    found = {str(one): names.find(str(one)) for one in categories if one}  # type: ignore[attr-defined]
    return {name: numbers[0] for name, numbers in found.items() if len(numbers) == 1}


def _choosing_images(study: Study, rng: np.random.Generator) -> tuple[set[str], list[int]]:
    """The ids of the annotated images that choose, and their folds."""
    known = study.annotations
    if known is None or not len(known.images):
        return set(), []
    fold_of = deal_folds(list(known.images))
    n = 1 + max(fold_of.values())
    folds = sorted(rng.permutation(n)[: n // 2].tolist())
    return {image for image, fold in fold_of.items() if fold in folds}, folds


def _annotated_classes(study: Study, network: str, chooses: set[str]) -> pd.DataFrame:
    rows: list[tuple[str, int]] = []
    with contextlib.suppress(
        SceneLensError
    ):  # no annotations, or none of a scene: no unit is chosen by label
        categories = study.scene_categories()
        classes = _classes(set(categories.values()), study.networks[network].class_names)
        rows = [
            (image, classes[one]) for image, one in categories.items() if image in chooses and one in classes
        ]
    return pd.DataFrame(rows, columns=["image", "class"])


_RANKS = ["class", "rank", "unit", "object", "score"]


def _named_units(study: Study, network: str, layer: str, halves: _Halves) -> tuple[pd.DataFrame, str]:
    """What units are named after by the half that chooses; and why there are none, '' where there are some.

    Columns: ``unit``, ``object`` (folded name), and those of `labels.AutomaticLabels.labels_by_half`.
    """
    nothing = pd.DataFrame(columns=["unit", "object", "iou_chosen", "iou", "ap"])
    if study.annotations is None:
        return nothing, "no image is annotated, so no unit has a name"
    labels = study.automatic_labels(network)
    if layer not in labels.layers:
        return nothing, f"the units of {layer} have no labels"
    if not halves.folds or halves.annotated["class"].nunique() < 2:
        return nothing, "no two scene categories of the network are annotated"
    names = labels.labels_by_half(layer, halves.folds, _OBJECTS, LEAST_IMAGES)
    if names.empty:
        return nothing, f"no object is on {LEAST_IMAGES} images of either half, so no unit has a name"
    return names.assign(object=names.concept.map(Folding.read())), ""


def _ranks_by_label(study: Study, names: pd.DataFrame, halves: _Halves) -> pd.DataFrame:
    """Each category's units by their names, the best first.

    A unit counts for a category by the IoU with the object that it is named after, times how much more often
    the category's images show this object than the images of other categories.
    """
    parts = [pd.DataFrame(columns=_RANKS)]
    for number, row in _more_often(study, halves).iterrows() if len(names) else ():
        score = names.iou_chosen * names.object.map(row).fillna(0.0)
        part = pd.DataFrame({"class": number, "unit": names.unit, "object": names.object, "score": score})
        part = part[part.score > 0].sort_values(["score", "unit"], ascending=[False, True])
        parts.append(part.assign(rank=np.arange(1, len(part) + 1)))
    return pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)[_RANKS]


def _more_often(study: Study, halves: _Halves) -> pd.DataFrame:
    """(classes, objects): the share of the class's images that show an object less that of all others."""
    known = halves.annotated
    seen = ObjectPresence.of(study.need_annotations(), known.image)
    present, judged = seen.present.astype(float), seen.judged.astype(float)
    rows = {}
    for number in sorted(known["class"].unique()):
        own = (known["class"] == number).to_numpy()
        with np.errstate(invalid="ignore"):
            rows[number] = present[own].sum(0) / judged[own].sum(0) - present[~own].sum(0) / judged[~own].sum(
                0
            )
    return pd.DataFrame(rows, index=list(seen.objects)).T.fillna(0.0)


def _ranks_by_effect(fell: np.ndarray, classes: np.ndarray, units: np.ndarray) -> pd.DataFrame:
    """Each category's units by what their absence alone costs it, the most first.

    Parameters
    ----------
    fell : numpy.ndarray
        (units, images) by how much the log-probability of the image's class fell without the unit.
    classes : numpy.ndarray
        (images,) the images' classes.
    units : numpy.ndarray
        (units,) their numbers.

    Returns
    -------
    pandas.DataFrame
        ``class``, ``rank``, ``unit``, ``object`` (''), ``score``.

    Examples
    --------
    >>> fell = np.array([[0.0, 2.0], [1.0, 0.5]])
    >>> _ranks_by_effect(fell, np.array([4, 7]), np.array([10, 11])).unit.tolist()
    [11, 10, 10, 11]
    """
    parts = []
    for number in np.unique(classes):
        mean = fell[:, classes == number].mean(1)
        order = np.argsort(-mean, kind="stable")
        rank = np.arange(1, len(order) + 1)
        parts.append(
            pd.DataFrame(
                {"class": number, "rank": rank, "unit": units[order], "object": "", "score": mean[order]}
            )
        )
    return pd.concat(parts, ignore_index=True)

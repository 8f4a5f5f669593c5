"""Section 4.2 in tables and examples: compare networks with each other and with the paper."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from scenelens import paper
from scenelens.annotations import Annotations
from scenelens.errors import CannotAnswerError
from scenelens.images import load_image
from scenelens.intervals import bootstrap_interval, wilson_interval
from scenelens.localization.localizer import Localization
from scenelens.localization.scored_detector import ScoredDetector
from scenelens.localization.study_localizers import ENOUGH, StudyLocalizer
from scenelens.localization.truth import ImageConcepts
from scenelens.sentences import named, percent
from scenelens.studies import Study


def compare_networks(localizers: Mapping[str, StudyLocalizer]) -> pd.DataFrame:
    """Return how well the networks of a study find objects, one row per network, over the same objects.

    Parameters
    ----------
    localizers : mapping of str to StudyLocalizer
        By network, as `open_localizers` returns them.

    Returns
    -------
    pandas.DataFrame
        network, units (named after an object, IoU above 0.04), discovered (objects that gave a unit its
        name), objects (scored, in all networks), n (test images); ap and jaccard, means over the objects'
        best units, each with a 95% bootstrap interval over the objects (``_low``, ``_high``; NaN for one
        object); chance, the mean AP of detectors that respond at random.

    Raises
    ------
    CannotAnswerError
        If no object is on enough of the test images.
    """
    rows = []
    for name, table in _same_objects(localizers).items():
        one = localizers[name]
        how = one.scores.detectors.how
        row: dict[str, Any] = {"network": name, "units": int((how == "unit").sum())}
        row |= {"discovered": int((how == "union").sum()), "objects": len(table)}
        row["n"] = len(one.scores.images)
        for measure in ("ap", "jaccard"):
            values = table[measure].dropna().to_numpy()
            low, high = bootstrap_interval(values)
            row |= {measure: values.mean() if len(values) else math.nan}
            row |= {f"{measure}_low": low, f"{measure}_high": high}
        rows.append(row | {"chance": float(table.share.mean()) if len(table) else math.nan})
    return pd.DataFrame(rows)


def _same_objects(localizers: Mapping[str, StudyLocalizer]) -> dict[str, pd.DataFrame]:
    """Each network's `StudyLocalizer.objects`, of the objects that all networks have.

    An object at the edge of the photographs may lie outside of the frame that another network sees.
    """
    tables = {name: one.objects(intervals=False) for name, one in localizers.items()}
    same = set.intersection(*(set(table.concept) for table in tables.values()))
    if not same:
        raise next(iter(localizers.values())).too_few()
    return {name: table[table.concept.isin(same)] for name, table in tables.items()}


def compare_with_paper(localizer: StudyLocalizer, how: str = "best unit") -> pd.DataFrame:
    """Return the scores for the objects of the paper's Figure 11a that this study has too.

    Parameters
    ----------
    localizer : StudyLocalizer
        One network of a study.
    how : str, optional
        Which detectors: ``"unit"``, ``"best unit"`` (the default) or ``"union"``.

    Returns
    -------
    pandas.DataFrame
        concept, n (test images whose annotators know it), images (that show it); jaccard and ap, ours with
        95% intervals (``_low``, ``_high``) and the paper's (``_paper``); chance, the AP of a detector that
        responds at random.

    Raises
    ------
    CannotAnswerError
        If the study's annotations name none of these objects.
    """
    plain_name, concepts = ImageConcepts.plain_name, localizer.scores.detectors.concept
    known = [name for name in concepts if plain_name(name) in paper.SEGMENTATIONS]
    table = localizer.scores.table(how, concepts=known)
    table = table.assign(name=[plain_name(concept) for concept in table.concept]).set_index("name")
    rows = []
    for concept, (j, ap) in paper.SEGMENTATIONS.items():
        if concept in table.index:
            ours = table.loc[concept]
            pixels = (ours.jaccard, ours.jaccard_low, ours.jaccard_high, j)
            images = (ours.ap, ours.ap_low, ours.ap_high, ours.share, ap)
            rows.append((concept, ours.n, ours.images, *pixels, *images))
    if not rows:
        names = ", ".join(paper.SEGMENTATIONS)
        raise CannotAnswerError(
            f"none of the objects of the paper's Figure 11a is on a test image ({names}): annotations that "
            "name "
            "one of them could be compared."
        )
    columns = ["concept", "n", "images", "jaccard", "jaccard_low", "jaccard_high", "jaccard_paper"]
    return pd.DataFrame(rows, columns=[*columns, "ap", "ap_low", "ap_high", "chance", "ap_paper"])


def box_table(seen: Localization, n: int = 8) -> pd.DataFrame:
    """Return the most confident boxes of an image.

    Parameters
    ----------
    seen : Localization
        What one forward pass said, of a `StudyLocalizer`.
    n : int, optional
        Boxes at most (default 8).

    Returns
    -------
    pandas.DataFrame
        The most important columns of `Localization.boxes`.
    """
    columns = ["layer", "concept", "confidence", "images", "by_category"]
    columns += ["top", "left", "bottom", "right", "unit", "units"]
    table = seen.boxes.sort_values("confidence", ascending=False)[columns].head(n)
    table.attrs["units"] = {"by_category": "share", **dict.fromkeys(("top", "left", "bottom", "right"), "px")}
    return table


def _box_groups(boxes: pd.DataFrame, n_groups: int = 10) -> pd.DataFrame:
    """Return how often boxes are right, in groups by the estimated share.

    Parameters
    ----------
    boxes : pandas.DataFrame
        `DetectorScores.boxes`.
    n_groups : int, optional
        How many groups of equal width there are between 0 and 1 (default 10).

    Returns
    -------
    pandas.DataFrame
        One row per group that has a box, the lowest first: n, images; confidence, estimate, right and
        elsewhere (means over the boxes); low, high (95% interval of ``right`` over the images).
    """
    group = np.minimum((boxes.estimate * n_groups).astype(int), n_groups - 1)
    means = ["confidence", "estimate", "right", "elsewhere"]
    rows = []
    for _, own in boxes.groupby(group):
        low, high = _share_interval(own)
        row = {"n": len(own), "images": own.image.nunique(), **own[means].mean(), "low": low, "high": high}
        rows.append(row)
    return pd.DataFrame(rows, columns=["n", "images", *means, "low", "high"])


def compare_boxes(localizers: Mapping[str, StudyLocalizer], least: float = 0.5) -> pd.DataFrame:
    """Return how many boxes of each network are right, what was promised of them, and what chance would give.

    Parameters
    ----------
    localizers : mapping of str to StudyLocalizer
        By network, as `open_localizers` returns them.
    least : float, optional
        The confidence from which boxes have a row of their own (default 0.5).

    Returns
    -------
    pandas.DataFrame
        Three rows per network: all its boxes, those of its deepest layer, and those of that confidence.
        network, which, boxes, images, concepts (how many names they have); right (share), low and high (95%
        interval over the images); elsewhere (share that would be right on another test image of the same
        category); estimate and confidence (means). NaN where there is no box.
    """
    rows = []
    for name, one in localizers.items():
        boxes, deepest = one.scores.boxes, one.localizer.layers[-1]
        chosen = {"all": boxes, f"at {deepest}": boxes[boxes.layer == deepest]}
        chosen[f"confidence {percent(least)} or more"] = boxes[boxes.confidence >= least]
        for which, own in chosen.items():
            low, high = _share_interval(own) if len(own) else (math.nan, math.nan)
            row = {"network": name, "which": which, "boxes": len(own), "images": own.image.nunique()}
            row |= {"concepts": own.concept.nunique(), "right": own.right.mean(), "low": low, "high": high}
            rows.append(row | own[["elsewhere", "estimate", "confidence"]].mean().to_dict())
    table = pd.DataFrame(rows)
    table.attrs["units"] = dict.fromkeys(("right", "elsewhere", "estimate"), "share")
    return table


def _share_interval(boxes: pd.DataFrame) -> tuple[float, float]:
    """Return the 95% interval of the share of right boxes, over the images.

    Boxes of one image are no independent cases: they are a cluster of `wilson_interval`. Where all boxes or
    none are right, or all are on one image, an image is one case.

    Parameters
    ----------
    boxes : pandas.DataFrame
        Some rows of `DetectorScores.boxes`.

    Returns
    -------
    tuple of float
        (low, high); (0, 1) without a box.

    Examples
    --------
    >>> boxes = pd.DataFrame({"image": [0, 0, 0, 1], "right": True})
    >>> [round(end, 3) for end in _share_interval(boxes)]
    [0.342, 1.0]
    """
    images = boxes.groupby("image").right.agg(["sum", "size"])
    if len(images) < 2:
        return wilson_interval(float(boxes.right.mean()) * len(images) if len(images) else 0, len(images))
    return wilson_interval(images["sum"].to_numpy(float), images["size"].to_numpy(float))


def best_cases(study: Study, localizer: StudyLocalizer, n: int = 8) -> pd.DataFrame:
    """Return the test image of each object in which the region of the object's best unit fits best.

    This runs the network on each of these images.

    Parameters
    ----------
    study : Study
        The study.
    localizer : StudyLocalizer
        One of its networks.
    n : int, optional
        How many objects: those with the highest AP among the ones that units were named after (default 8).

    Returns
    -------
    pandas.DataFrame
        Rows of `DetectorScores.table`, best AP first, with network (its name), frame (uint8 RGB (H, W, 3),
        the image as the network saw it) and mask ((H, W) bool, where the unit is active).

    Raises
    ------
    CannotAnswerError
        If no unit was named after an object that enough of the test images show.
    """
    annotations, network = study.need_annotations(), localizer.localizer.network.name
    if localizer.objects(intervals=False).empty:
        raise localizer.too_few()
    best = localizer.named_objects().head(n)
    if best.empty:
        raise CannotAnswerError(
            f"no unit of the {named(network)} network has the name of an object that is on {ENOUGH} test "
            "images "
            f"and missing from {ENOUGH}: units of a trained network, or more annotated objects, would give "
            "one."
        )
    table = localizer.scores.table(concepts=list(best.concept)).sort_values("ap", ascending=False)
    cases = [_best_case(annotations, localizer, row) for row in table.itertuples()]
    frames, masks = [frame for frame, _ in cases], [mask for _, mask in cases]
    return table.assign(network=network, frame=frames, mask=masks)


def _best_case(
    annotations: Annotations, localizer: StudyLocalizer, row: Any
) -> tuple[np.ndarray, np.ndarray]:
    """The frame and the mask of the test image whose object a detector's region fits best."""
    scores, network = localizer.scores, localizer.localizer.network
    shared, active, truth = scores.pixels[:, scores.find(row.concept)].T.astype(float)
    fits = np.where(truth > 0, shared / np.maximum(active + truth - shared, 1), -1)
    frame = network.show_input(load_image(annotations.path(scores.images[int(fits.argmax())])))
    thresholds = localizer.automatic.counts[row.layer].thresholds[list(row.units)]
    detector = ScoredDetector(row.concept, row.kind, "best unit", row.layer, row.units, tuple(thresholds))
    return frame, detector.active_pixels(network, frame, localizer.units.layers[row.layer])

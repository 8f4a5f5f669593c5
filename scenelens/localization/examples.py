"""Which images Figure 10 shows: one by a rule that looks for success, one by a rule that looks for failure.

Both come from the calibration set, whose annotations say which boxes are right, so that no test image is
chosen by its result. How often either happens is counted on the same images.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from scenelens.errors import CannotAnswerError
from scenelens.images import load_image
from scenelens.localization.localizer import LEAST, Localization
from scenelens.localization.study_localizers import StudyLocalizer
from scenelens.localization.truth import ImageConcepts
from scenelens.studies import Study


class _Example(NamedTuple):
    """A calibration image that was chosen by a rule.

    Attributes
    ----------
    image : numpy.ndarray
        uint8 RGB (h, w, 3).
    right : pandas.Series
        bool, for each row of the boxes that one forward pass gives; NaN where nobody knows.
    holding : int
        On how many of the images that were looked at the rule's condition holds.
    n : int
        How many images were looked at.
    found : bool
        Whether it holds on this one.
    """

    image: np.ndarray
    right: pd.Series
    holding: int
    n: int
    found: bool


def example_images(study: Study, localizer: StudyLocalizer, n: int = 48) -> dict[str, _Example]:
    """Return an image on which localization succeeds, and one on which it fails.

    Parameters
    ----------
    study : Study
        The study.
    localizer : StudyLocalizer
        One of its networks.
    n : int, optional
        How many of the calibration images to look at (default 48).

    Returns
    -------
    dict of str to _Example
        ``"right"``: of the images on which the scene (where its category is known) is named rightly, and
        every box that the deepest layer shows (confidence 0.2 or more) is right, the one with the most
        confidence in total, each name counted once. ``"wrong"``: the image with the most confident wrong box
        of the deepest layer. Where no image meets a rule, the one that comes nearest.

    Raises
    ------
    CannotAnswerError
        If none of these images can be read.
    """
    annotations, ids = study.need_annotations(), localizer.splits["calibration"][:n]
    read = list(ImageConcepts.read(localizer.localizer.network, annotations, ids))
    if not read:
        raise CannotAnswerError(
            f"none of the first {len(ids)} calibration images can be read, so none can be shown: look at "
            "study.annotations.report()."
        )
    seen = localizer.localizer.several([one.annotated.frame for _, one in read], framed=True)
    judged, success, failure = [], [], []
    for (name, concepts), one in zip(read, seen, strict=True):
        judged.append(_judged(localizer, one.boxes, concepts))
        shown = _shown(one, judged[-1])
        success.append(_success(shown, _recognised(one, annotations.scene(name))))
        failure.append(_failure(shown))
    found = {}
    for rule, worth in (("right", success), ("wrong", failure)):
        best = max(range(len(worth)), key=worth.__getitem__)
        image, count = load_image(annotations.path(read[best][0])), sum(holds for holds, _ in worth)
        found[rule] = _Example(image, judged[best], count, len(worth), worth[best][0])
    return found


def _judged(localizer: StudyLocalizer, boxes: pd.DataFrame, concepts: ImageConcepts) -> pd.Series:
    """Whether each box is right; missing where the image's annotators never name its concept."""
    kinds = localizer.localizer.units.table.set_index(["layer", "unit"]).kind
    right = []
    for row in boxes.itertuples():
        cell = localizer.units.layers[row.layer].cell_around(row.row, row.col)
        known = concepts.in_vocabulary(row.concept)
        right.append(concepts.contains(row.concept, kinds[row.layer, row.unit], cell) if known else pd.NA)
    return pd.Series(right, boxes.index, "boolean")


def _recognised(seen: Localization, scene: str) -> bool:
    """Whether the scene is named rightly; where nobody knows its category, nothing is wrong."""
    named = ImageConcepts.plain_name(seen.scene.predicted[0])
    return not scene or named == ImageConcepts.plain_name(scene)


def _shown(seen: Localization, right: pd.Series) -> pd.DataFrame:
    """The boxes of the deepest layer that are shown, the best of each name, with ``is_right``."""
    boxes = seen.boxes.assign(is_right=right.to_numpy())
    sure = (boxes.layer == seen.layers[-1]) & (boxes.confidence >= LEAST) & boxes.is_right.notna()
    return boxes[sure].drop_duplicates("concept")


def _success(shown: pd.DataFrame, recognised: bool) -> tuple[bool, float]:
    """Whether the rule for success holds, and how well."""
    total = float(shown.confidence.where(shown.is_right.astype(bool), -shown.confidence).sum())
    return recognised and len(shown) > 0 and bool(shown.is_right.all()), total


def _failure(shown: pd.DataFrame) -> tuple[bool, float]:
    """Whether the rule for failure holds, and how clearly."""
    wrong = shown.confidence[~shown.is_right.astype(bool)]
    return len(wrong) > 0, float(wrong.max()) if len(wrong) else 0.0

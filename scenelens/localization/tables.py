"""Section 4.2 in tables and examples: compare networks with each other and with the paper."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from scenelens import paper
from scenelens.annotations import Annotations
from scenelens.images import load_image
from scenelens.intervals import bootstrap_interval
from scenelens.localization.localizer import Localization
from scenelens.localization.scored_detector import ScoredDetector
from scenelens.localization.study_localizers import StudyLocalizer
from scenelens.localization.truth import ImageConcepts
from scenelens.sentences import Sentences
from scenelens.studies import Study

#: What a cell of the notebook shows if a study has nothing to show.
NO_ANNOTATIONS = Sentences(
    "This study has no annotations, so no unit has a name, and there is nothing to show here."
)


def compare_networks(localizers: Mapping[str, StudyLocalizer]) -> pd.DataFrame:
    """Return how well the networks of a study find objects, one row per network.

    Parameters
    ----------
    localizers : mapping of str to StudyLocalizer
        By network, as `open_localizers` returns them.

    Returns
    -------
    pandas.DataFrame
        network, units (named after an object, IoU above 0.04), discovered (objects that gave a unit its
        name), objects (scored), n (test images); ap and jaccard, means over the objects' best units, each
        with a 95% bootstrap interval over the objects (``_low``, ``_high``); chance, the mean AP of detectors
        that respond at random.
    """
    rows = []
    for name, one in localizers.items():
        table, how = one.objects(intervals=False), one.scores.detectors.how
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


def compare_with_paper(
    localizer: StudyLocalizer | None, how: str = "best unit", decimals: int | None = None
) -> pd.DataFrame | Sentences:
    """Return the scores for the objects of the paper's Figure 11a that this study has too.

    Parameters
    ----------
    localizer : StudyLocalizer or None
        One network of a study; None if the study has no annotations.
    how : str, optional
        Which detectors: ``"unit"``, ``"best unit"`` (the default) or ``"union"``.
    decimals : int, optional
        Round to this number of decimals; by default not rounded.

    Returns
    -------
    pandas.DataFrame or Sentences
        concept, images (that show it); jaccard and ap, ours with 95% intervals (``_low``, ``_high``) and the
        paper's (``_paper``). Without annotations, a sentence that says so.
    """
    if localizer is None:
        return NO_ANNOTATIONS
    plain_name, concepts = ImageConcepts.plain_name, localizer.scores.detectors.concept
    named = [name for name in concepts if plain_name(name) in paper.SEGMENTATIONS]
    table = localizer.scores.table(how, concepts=named)
    table = table.assign(name=[plain_name(concept) for concept in table.concept]).set_index("name")
    rows = []
    for concept, (j, ap) in paper.SEGMENTATIONS.items():
        if concept in table.index:
            ours = table.loc[concept]
            pixels = (ours.jaccard, ours.jaccard_low, ours.jaccard_high, j)
            rows.append((concept, ours.images, *pixels, ours.ap, ours.ap_low, ours.ap_high, ap))
    columns = ["concept", "images", "jaccard", "jaccard_low", "jaccard_high", "jaccard_paper"]
    found = pd.DataFrame(rows, columns=[*columns, "ap", "ap_low", "ap_high", "ap_paper"])
    return found if decimals is None else found.round(decimals)


def example_image(study: Study, localizer: StudyLocalizer | None, n: int = 48) -> np.ndarray:
    """Return an image that shows well what localization does.

    Parameters
    ----------
    study : Study
        The study.
    localizer : StudyLocalizer or None
        One of its networks; None if the study has no annotations.
    n : int, optional
        How many of the test images to consider (default 48).

    Returns
    -------
    numpy.ndarray
        uint8 RGB (h, w, 3): a test image whose scene the network recognises, where there is one, on which
        every layer has a box, with many confident boxes at the deepest layer. Without annotations, the
        study's first image.
    """
    known = study.annotations
    if known is None or localizer is None:
        return study.load_image(study.images.image.iloc[0])
    ids = localizer.splits["test"][:n]
    images = [load_image(known.path(image)) for image in ids]
    found = localizer.localizer.several(images)
    deepest = localizer.localizer.layers[-1]
    worth = [_worth(one, deepest, known.scene(image)) for image, one in zip(ids, found, strict=True)]
    return images[int(np.argmax(worth))]


def _worth(seen: Localization, deepest: str, scene: str) -> float:
    boxes = seen.boxes.drop_duplicates(["layer", "concept"])
    sure = boxes.confidence[(boxes.layer == deepest) & (boxes.confidence >= 0.3)].sum()
    layers = boxes.layer[boxes.confidence >= 0.2].nunique()
    recognised = ImageConcepts.plain_name(seen.scene.predicted[0]) == ImageConcepts.plain_name(scene)
    return float(sure + 2 * layers + 3 * recognised)


def find_objects(localizer: StudyLocalizer | None, image: np.ndarray) -> Localization | None:
    """Name the scene and find objects in one image, if the study's units have names.

    Parameters
    ----------
    localizer : StudyLocalizer or None
        One network of a study; None if the study has no annotations.
    image : numpy.ndarray
        uint8 RGB (h, w, 3).

    Returns
    -------
    Localization or None
        The scene and the boxes; None without annotations.
    """
    return None if localizer is None else localizer.localizer(image)


def scene_table(seen: Localization | None) -> pd.DataFrame | Sentences:
    """Return the most probable scenes of an image.

    Parameters
    ----------
    seen : Localization or None
        What `find_objects` returned.

    Returns
    -------
    pandas.DataFrame or Sentences
        `Localization.scene`. Without annotations, a sentence that says so.
    """
    return NO_ANNOTATIONS if seen is None else seen.scene


def box_table(seen: Localization | None, n: int = 8) -> pd.DataFrame | Sentences:
    """Return the most confident boxes of an image.

    Parameters
    ----------
    seen : Localization or None
        What `find_objects` returned.
    n : int, optional
        Boxes at most (default 8).

    Returns
    -------
    pandas.DataFrame or Sentences
        The most important columns of `Localization.boxes`, rounded to two decimals. Without annotations, a
        sentence that says so.
    """
    if seen is None:
        return NO_ANNOTATIONS
    columns = ["layer", "concept", "confidence", "top", "left", "bottom", "right", "unit", "units"]
    return seen.boxes.sort_values("confidence", ascending=False)[columns].head(n).round(2)


def best_cases(study: Study, localizer: StudyLocalizer | None, n: int = 8) -> pd.DataFrame | None:
    """Return the test image of each object in which the region of the object's best unit fits best.

    This runs the network on each of these images.

    Parameters
    ----------
    study : Study
        The study.
    localizer : StudyLocalizer or None
        One of its networks; None if the study has no annotations.
    n : int, optional
        How many objects: those with the highest AP among the ones that units were named after (default 8).

    Returns
    -------
    pandas.DataFrame or None
        Rows of `DetectorScores.table`, best AP first, with network (its name), frame (uint8 RGB (H, W, 3),
        the image as the network saw it) and mask ((H, W) bool, where the unit is active). None without
        annotations. No rows if no unit was named after an object that the test images show.
    """
    if localizer is None or study.annotations is None:
        return None
    named, network = localizer.named_objects().head(n), localizer.localizer.network.name
    if named.empty:
        return named
    table = localizer.scores.table(concepts=list(named.concept)).sort_values("ap", ascending=False)
    cases = [_best_case(study.annotations, localizer, row) for row in table.itertuples()]
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

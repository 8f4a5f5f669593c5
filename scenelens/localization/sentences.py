"""Section 4.2 in sentences: the splits, calibration, and the comparison of networks with each other and the
paper."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from scenelens import paper
from scenelens.intervals import bootstrap_interval
from scenelens.localization.study_localizers import ENOUGH, StudyLocalizer
from scenelens.localization.tables import (
    NO_ANNOTATIONS,
    compare_networks,
    compare_with_paper,
)
from scenelens.metrics import reliability
from scenelens.sentences import Sentences, interval, named, percent
from scenelens.studies import Study


def describe_splits(study: Study, localizers: Mapping[str, StudyLocalizer]) -> Sentences:
    """Say how many annotated images each step uses, and how many units have names.

    Parameters
    ----------
    study : Study
        The study.
    localizers : mapping of str to StudyLocalizer
        By network, as `open_localizers` returns them; empty if the study has no annotations.

    Returns
    -------
    Sentences
        Markdown.
    """
    if not localizers:
        return Sentences(
            f"Study {named(study.name)} has no annotations: nothing says where its objects are, so no "
            "unit can get a name here. Open the study sceneworld to go through this notebook."
        )
    splits = next(iter(localizers.values())).splits
    sizes = {name: len(images) for name, images in splits.items()}
    first = (
        f"**{sum(sizes.values()):,} annotated scenes**, randomly split into three sets: "
        f"{sizes['selection']:,} to select the units' names, "
        f"{sizes['calibration']:,} to calibrate, {sizes['test']:,} to test."
    )
    rows = []
    for name, one in localizers.items():
        n, layers = len(one.localizer.labels), ", ".join(map(named, one.localizer.layers))
        rows.append(f"- {named(name)} network: {n:,} units named and calibrated ({layers}).")
    return Sentences("\n".join([first, "", *rows]))


def describe_passes(localizer: StudyLocalizer | None, image: np.ndarray) -> Sentences:
    """Count how many forward passes one image takes.

    Parameters
    ----------
    localizer : StudyLocalizer or None
        One network of a study; None if the study has no annotations.
    image : numpy.ndarray
        uint8 RGB (h, w, 3).

    Returns
    -------
    Sentences
        Markdown.
    """
    if localizer is None:
        return NO_ANNOTATIONS
    passes: list[int] = []
    module = localizer.localizer.network.module
    handle = module.register_forward_pre_hook(lambda *_: passes.append(1))
    try:
        seen = localizer.localizer(image)
    finally:
        handle.remove()
    text = f"{len(passes)} forward pass{'es' if len(passes) != 1 else ''}"
    return Sentences(f"**{text}** gave {len(seen.scene)} scenes and {len(seen.boxes)} boxes.")


def describe_calibration(localizers: Mapping[str, StudyLocalizer]) -> Sentences:
    """Say how far the confidence of boxes and the share of right boxes are apart.

    Parameters
    ----------
    localizers : mapping of str to StudyLocalizer
        By network, as `open_localizers` returns them.

    Returns
    -------
    Sentences
        Markdown.
    """
    lines = []
    for name, one in localizers.items():
        boxes = one.scores.boxes
        if boxes.empty:
            lines.append(f"- {named(name)} network: no box on the test images.")
            continue
        error = _calibration_error(boxes.confidence.to_numpy(), boxes.right.to_numpy())
        lines.append(
            f"- {named(name)} network: {len(boxes):,} boxes have a mean confidence of "
            f"{percent(boxes.confidence.mean())}, and {percent(boxes.right.mean())} of them are right; "
            f"bin by bin the two are {100 * error:.1f} points apart."
        )
    return Sentences("\n".join(lines) or "Nothing is annotated, so nothing could be calibrated.")


def describe_union(localizer: StudyLocalizer | None) -> Sentences:
    """Say whether all units of one name together do better than the best of them.

    Parameters
    ----------
    localizer : StudyLocalizer or None
        One network of a study; None if the study has no annotations.

    Returns
    -------
    Sentences
        Markdown.
    """
    if localizer is None:
        return NO_ANNOTATIONS
    both = localizer.named_objects().merge(localizer.objects("union", intervals=False), on="concept")
    several = both[[len(units) > 1 for units in both.units_y]]
    if several.empty:
        return Sentences("No object gave its name to two units, so there is no union to compare with.")
    ap, jaccard = (int((several[f"{m}_y"] > several[f"{m}_x"]).sum()) for m in ("ap", "jaccard"))
    return Sentences(
        f"{len(several)} objects have two units or more. All of them together have a higher AP than the best "
        f"one for {ap} of these objects, and a higher Jaccard index for {jaccard}."
    )


def describe_differences(study: Study, localizers: Mapping[str, StudyLocalizer]) -> Sentences:
    """Say whether the scene network finds objects better than the others; if not, what limits the comparison.

    Parameters
    ----------
    study : Study
        The study.
    localizers : mapping of str to StudyLocalizer
        By network, as `open_localizers` returns them.

    Returns
    -------
    Sentences
        Markdown.
    """
    table, measures = _network_differences(localizers), {"ap": "AP", "jaccard": "Jaccard index"}
    lines = [f"- {measures[row['measure']]}: {_difference(row)}" for row in table.to_dict("records")]
    if not lines:
        return Sentences("There is nothing to compare: the study has no annotations, or one network.")
    return Sentences("\n".join([*lines, "", *_limits(study, localizers, table)]))


def _network_differences(localizers: Mapping[str, StudyLocalizer], of: str = "scene") -> pd.DataFrame:
    """By how much one network finds objects better than each other network, object by object.

    A row has measure ("ap", "jaccard"), than (the other network), difference (the mean over the objects that
    both have), low, high (its 95% interval) and n (objects).
    """
    others = [name for name in localizers if of in localizers and name != of]
    tables = {name: _comparable(one) for name, one in localizers.items()}
    rows = []
    for measure in ("ap", "jaccard"):
        for name in others:
            both = tables[of].merge(tables[name], on="concept", suffixes=("", "_other"))
            found = _paired_difference(both[measure].to_numpy(), both[f"{measure}_other"].to_numpy())
            rows.append((measure, name, *found))
    return pd.DataFrame(rows, columns=["measure", "than", "difference", "low", "high", "n"])


def _comparable(localizer: StudyLocalizer) -> pd.DataFrame:
    """The rows of `StudyLocalizer.objects` in the order of the annotations, which is the same for all
    networks: the resamples of an interval must not depend on how a network ranks the objects."""
    table = localizer.scores.table(intervals=False)
    return table[table.concept.isin(localizer.objects(intervals=False).concept)]


def _difference(row: dict) -> str:
    if math.isnan(row["low"]):
        return f"the two networks have too few objects in common to be compared ({row['n']})."
    verdict = "more than"
    if row["low"] <= 0 <= row["high"]:
        verdict = "neither clearly more nor less than"
    elif row["high"] < 0:
        verdict = "less than"
    return (
        f"the scene network's best units reach {verdict} the {named(row['than'])} network's "
        f"({100 * row['difference']:+.1f} points, 95% interval {100 * row['low']:+.1f} to "
        f"{100 * row['high']:+.1f}, {row['n']} objects)."
    )


def _limits(study: Study, localizers: Mapping[str, StudyLocalizer], table: pd.DataFrame) -> list[str]:
    """What limits the comparison, where no advantage shows."""
    clear = table[(table.than == "object") & (table.low > 0)]
    if len(clear):
        return []
    known, one = study.annotations, next(iter(localizers.values()))
    scenes = {known.scene(image) for images in one.splits.values() for image in images} if known else set()
    objects, images = int(table.n.max()), len(one.scores.images)
    return [
        f"**No advantage of the scene network over the object network shows here.** The test is small: "
        f"{objects} objects that at least {ENOUGH} of {images} test images show and {ENOUGH} do not, in "
        f"{max(1, len(scenes))} kind{'s' if len(scenes) > 1 else ''} of scene. Objects that are in nearly "
        "every image do not help to tell scenes apart, so a scene network has no reason to find them better."
    ]


def describe_paper_comparison(localizer: StudyLocalizer | None) -> Sentences:
    """Compare the scores of the paper's objects with ours.

    Parameters
    ----------
    localizer : StudyLocalizer or None
        One network of a study; None if the study has no annotations.

    Returns
    -------
    Sentences
        Markdown.
    """
    table = compare_with_paper(localizer)
    if isinstance(table, Sentences):
        return table
    scored = table[table.images >= ENOUGH]
    if scored.empty:
        n = len(paper.SEGMENTATIONS)
        return Sentences(f"None of the paper's {n} objects is on {ENOUGH} of this study's test images.")
    higher = int((scored.ap > scored.ap_paper).sum())
    inside = int(((scored.ap_low <= scored.ap_paper) & (scored.ap_paper <= scored.ap_high)).sum())
    what = f"Of {len(scored)} object{'s' if len(scored) > 1 else ''} that the paper shows too"
    return Sentences(
        f"{what}, our AP is higher for {higher}; the paper's lies inside our interval for {inside}. Images "
        "and units are different: this compares data, not methods."
    )


def describe_networks(localizers: Mapping[str, StudyLocalizer]) -> Sentences:
    """Say what the table of `compare_networks` says.

    Parameters
    ----------
    localizers : mapping of str to StudyLocalizer
        By network, as `open_localizers` returns them.

    Returns
    -------
    Sentences
        Markdown.
    """
    lines = []
    for row in compare_networks(localizers).to_dict("records"):
        ap = f"{percent(row['ap'])} (95% interval {interval(row['ap_low'], row['ap_high'])})"
        lines.append(
            f"- {named(row['network'])} network: {row['units']} units have the name of one of "
            f"{row['discovered']} objects; mean AP {ap} over {row['objects']} objects and {row['n']} "
            f"images, by chance {percent(row['chance'])}."
        )
    return Sentences("\n".join(lines) or "Nothing is annotated, so no unit has a name.")


def _calibration_error(confidence: np.ndarray, right: np.ndarray, n_bins: int = 10) -> float:
    """Return the expected calibration error: the mean distance between confidence and share of right cases.

    Parameters
    ----------
    confidence : array_like
        (n,) float in 0..1.
    right : array_like
        (n,) bool: whether the case was right.
    n_bins : int, optional
        How many bins there are between 0 and 1; see `reliability`.

    Returns
    -------
    float
        In 0..1; NaN without a case.

    Examples
    --------
    >>> _calibration_error([.1, .1, .9, .9], [0, 0, 1, 0], 2).__round__(3)
    0.25
    """
    table = reliability(confidence, right, n_bins)
    if table.empty:
        return math.nan
    return float(np.average((table["confidence"] - table["right"]).abs(), weights=table["n"]))


def _paired_difference(
    ours: np.ndarray, theirs: np.ndarray, statistic: Callable[[np.ndarray], float] = np.mean, seed: int = 0
) -> tuple[float, float, float, int]:
    """Return by how much one network exceeds another in a measure, over the same objects.

    Edge cases: pairs in which either value is NaN are left out. With one pair the interval is NaN, with no
    pair the difference is NaN, too.

    Parameters
    ----------
    ours : numpy.ndarray
        (n_objects,) the measure of one network.
    theirs : numpy.ndarray
        (n_objects,) that of the other, in the same order.
    statistic : callable, optional
        What is taken of the differences; the mean by default.
    seed : int, optional
        Seed of the bootstrap over the objects.

    Returns
    -------
    difference : float
        The statistic of the differences.
    low : float
        The lower end of its 95% bootstrap interval.
    high : float
        The upper end.
    n : int
        The number of objects that both have.

    Examples
    --------
    >>> _paired_difference(np.array([.5, .7, np.nan]), np.array([.4, .4, .1]))[3]
    2
    """
    both = np.asarray(ours, float) - np.asarray(theirs, float)
    both = both[np.isfinite(both)]
    if not len(both):
        return math.nan, math.nan, math.nan, 0
    return (float(statistic(both)), *bootstrap_interval(both, statistic, seed), len(both))

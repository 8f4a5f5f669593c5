"""Section 4.2 in sentences: the splits, calibration, and the comparison of networks with each other and the
paper."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from scenelens import paper
from scenelens.errors import CannotAnswerError
from scenelens.intervals import bootstrap_interval
from scenelens.localization.study_localizers import ENOUGH, StudyLocalizer
from scenelens.localization.tables import _same_objects, compare_networks, compare_with_paper
from scenelens.metrics import reliability
from scenelens.sentences import Sentences, interval, named, percent
from scenelens.studies import Study

# Objects from which a difference can be told from chance: that six of six lie on one side has 1 chance in 32.
_FEWEST_OBJECTS = 6
_CONFIDENT = 0.5  # the least confidence of a box that is more likely right than wrong


def describe_splits(study: Study, localizers: Mapping[str, StudyLocalizer]) -> Sentences:
    """Say how many annotated images each step uses, and how many units have names.

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
        units = f"{n:,} unit{'' if n == 1 else 's'}"
        where = f" ({layers})" if n else ""
        rows.append(f"- {named(name)} network: {units} named and calibrated{where}.")
    left = [name for name in study.networks if name not in localizers]
    rows += [
        f"- {named(name)} network: left out, because none of its units can be calibrated." for name in left
    ]
    return Sentences("\n".join([first, "", *rows]))


def describe_passes(localizer: StudyLocalizer, image: np.ndarray) -> Sentences:
    """Count how many forward passes one image takes.

    Parameters
    ----------
    localizer : StudyLocalizer
        One network of a study.
    image : numpy.ndarray
        uint8 RGB (h, w, 3).

    Returns
    -------
    Sentences
        Markdown.
    """
    passes: list[int] = []
    module = localizer.localizer.network.module
    handle = module.register_forward_pre_hook(lambda *_: passes.append(1))
    try:
        seen = localizer.localizer(image)
    finally:
        handle.remove()
    text = f"{len(passes)} forward pass{'es' if len(passes) != 1 else ''}"
    boxes = f"{len(seen.boxes)} box{'' if len(seen.boxes) == 1 else 'es'}"
    scenes = f"{len(seen.scene)} scene{'' if len(seen.scene) == 1 else 's'}"
    return Sentences(f"**{text}** gave {scenes} and {boxes}.")


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
            f"- {named(name)} network: {len(boxes):,} boxes; mean confidence "
            f"{percent(boxes.confidence.mean())}, right {percent(boxes.right.mean())}, calibration error "
            f"{100 * error:.1f} points. {_deepest_boxes(boxes, one.localizer.layers[-1])}"
        )
    return Sentences("\n".join(lines))


def _deepest_boxes(boxes: pd.DataFrame, layer: str) -> str:
    """How many boxes of the deepest layer are right, and what the confident ones among them are named."""
    own = boxes[boxes.layer == layer]
    if own.empty:
        return f"No box is at {named(layer)}."
    text = f"At {named(layer)} alone {percent(own.right.mean())} of {len(own):,} are right"
    sure = own[own.confidence >= _CONFIDENT]
    if sure.empty:
        return f"{text}; none has a confidence of {percent(_CONFIDENT)} or more."
    names = sure.concept.value_counts()
    return (
        f"{text}; of the {len(sure):,} with a confidence of {percent(_CONFIDENT)} or more "
        f"{percent(sure.right.mean())}, and {names.iloc[0]:,} of these are named {named(names.index[0])}."
    )


def describe_union(localizer: StudyLocalizer) -> Sentences:
    """Say whether all units of one name together do better than the best of them.

    Parameters
    ----------
    localizer : StudyLocalizer
        One network of a study.

    Returns
    -------
    Sentences
        Markdown.
    """
    both = localizer.named_objects().merge(localizer.objects("union", intervals=False), on="concept")
    several = both[[len(units) > 1 for units in both.units_y]]
    if several.empty:
        return Sentences("No object gave its name to two units, so there is no union to compare with.")
    ap, jaccard = (int((several[f"{m}_y"] > several[f"{m}_x"]).sum()) for m in ("ap", "jaccard"))
    if len(several) == 1:
        return Sentences(
            f"One object, {named(several.concept.iloc[0])}, has two units or more. All of them together "
            "have a "
            f"{'higher' if ap else 'no higher'} AP than the best one, and a "
            f"{'higher' if jaccard else 'no higher'} Jaccard index."
        )
    return Sentences(
        f"{len(several)} objects have two units or more. All of them together have a higher AP than the best "
        f"one for {ap} of these objects, and a higher Jaccard index for {jaccard}."
    )


def describe_differences(study: Study, localizers: Mapping[str, StudyLocalizer]) -> Sentences:
    """Say whether the main network finds objects better than the others; if not, what limits the comparison.

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

    Raises
    ------
    CannotAnswerError
        If there is one network only, or no object is on enough of the test images.
    """
    main = study.networks.main
    if len(localizers) < 2:
        raise CannotAnswerError(
            f"the study has one network only, {main}, and a difference needs two: another table "
            "[networks.<name>] "
            "in its file would add one."
        )
    table, measures = _network_differences(localizers, main), {"ap": "AP", "jaccard": "Jaccard index"}
    lines = [f"- {measures[row['measure']]}: {_difference(row, main)}" for row in table.to_dict("records")]
    return Sentences("\n".join([*lines, "", *_limits(study, localizers, table)]))


def _network_differences(localizers: Mapping[str, StudyLocalizer], of: str) -> pd.DataFrame:
    """By how much one network finds objects better than each other network, object by object.

    A row has measure ("ap", "jaccard"), than (the other network), difference (the mean over the objects that
    all networks have), low, high (its 95% interval) and n (objects).
    """
    others = [name for name in localizers if name != of]
    same = set(_same_objects(localizers)[of].concept)
    tables = {name: _comparable(one, same) for name, one in localizers.items()}
    rows = []
    for measure in ("ap", "jaccard"):
        for name in others:
            both = tables[of].merge(tables[name], on="concept", suffixes=("", "_other"))
            found = _paired_difference(both[measure].to_numpy(), both[f"{measure}_other"].to_numpy())
            rows.append((measure, name, *found))
    return pd.DataFrame(rows, columns=["measure", "than", "difference", "low", "high", "n"])


def _comparable(localizer: StudyLocalizer, objects: set[str]) -> pd.DataFrame:
    """The rows of some of `StudyLocalizer.objects` in the order of the annotations, which is the same for all
    networks: the resamples of an interval must not depend on how a network ranks the objects."""
    table = localizer.scores.table(intervals=False)
    return table[table.concept.isin(objects)]


def _difference(row: dict, main: str) -> str:
    if row["n"] < _FEWEST_OBJECTS:
        points = f"{100 * row['difference']:+.1f} points over {row['n']} object{'' if row['n'] == 1 else 's'}"
        return (
            f"the {named(main)} and the {named(row['than'])} network differ by {points}, from which "
            "nothing follows: "
            f"below {_FEWEST_OBJECTS} objects chance could put them all on one side."
        )
    verdict = "more than"
    if row["low"] <= 0 <= row["high"]:
        verdict = "neither clearly more nor less than"
    elif row["high"] < 0:
        verdict = "less than"
    return (
        f"the {named(main)} network's best units reach {verdict} the {named(row['than'])} network's "
        f"({100 * row['difference']:+.1f} points, 95% interval {100 * row['low']:+.1f} to "
        f"{100 * row['high']:+.1f}, {row['n']} objects)."
    )


def _limits(study: Study, localizers: Mapping[str, StudyLocalizer], table: pd.DataFrame) -> list[str]:
    """What limits the comparison, where no advantage shows."""
    rows = table[table.than == "object"]
    if study.networks.main != "scene" or rows.empty or ((rows.low > 0) & (rows.n >= _FEWEST_OBJECTS)).any():
        return []
    known, one = study.need_annotations(), next(iter(localizers.values()))
    scenes = {known.scene(image) for images in one.splits.values() for image in images} - {""}
    kinds = f", in {len(scenes)} kind{'s' if len(scenes) > 1 else ''} of scene" if scenes else ""
    objects, images = int(table.n.max()), len(one.scores.images)
    return [
        f"**No advantage of the scene network over the object network shows here.** The test is small: "
        f"{objects} object{'s' if objects > 1 else ''} that at least {ENOUGH} of {images} test images show "
        "and "
        f"{ENOUGH} do not{kinds}. Objects that are in nearly "
        "every image do not help to tell scenes apart, so a scene network has no reason to find them better."
    ]


def describe_paper_comparison(localizer: StudyLocalizer) -> Sentences:
    """Compare the scores of the paper's objects with ours.

    Parameters
    ----------
    localizer : StudyLocalizer
        One network of a study.

    Returns
    -------
    Sentences
        Markdown.
    """
    table = compare_with_paper(localizer)
    enough = (table.images >= ENOUGH) & (table.n - table.images >= ENOUGH)
    scored, left = table[enough], _not_counted(table[~enough])
    if scored.empty:
        return Sentences(
            f"None of the paper's {len(paper.SEGMENTATIONS)} objects is on {ENOUGH} test images and "
            "missing from "
            f"{ENOUGH} others, so chance would decide the comparison.{left}"
        )
    higher, lower = int((scored.ap > scored.ap_paper).sum()), int((scored.ap < scored.ap_paper).sum())
    inside = int(((scored.ap_low <= scored.ap_paper) & (scored.ap_paper <= scored.ap_high)).sum())
    what = f"Of {len(scored)} object{'s' if len(scored) > 1 else ''} that the paper shows too"
    return Sentences(
        f"{what}, our AP is lower for {lower} and higher for {higher}; the paper's lies inside our interval "
        f"for {inside}. Images and units are different: this compares data, not methods.{left}"
    )


def _not_counted(table: pd.DataFrame) -> str:
    """Objects on nearly all images, whose AP is high by chance, and those on hardly any."""
    if table.empty:
        return ""
    rows = [f"{row.concept} (on {row.images} of {row.n})" for row in table.itertuples()]
    return f" Not counted: {', '.join(rows)}."


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
    lines, tables = [], _same_objects(localizers)
    for row in compare_networks(localizers).to_dict("records"):
        images = _judged_on(tables[row["network"]])
        one = row["objects"] == 1
        between = "" if one else f" (95% interval {interval(row['ap_low'], row['ap_high'])})"
        over = "1 object" if one else f"{row['objects']} objects"
        lines.append(
            f"- {named(row['network'])} network: {_names(row)}; {'' if one else 'mean '}AP "
            f"{percent(row['ap'])}{between} over {over} and {images}, by chance {percent(row['chance'])}."
        )
    return Sentences("\n".join(lines))


def _names(row: Mapping[str, Any]) -> str:
    if not row["units"]:
        return "no unit has the name of an object"
    units = "1 unit has" if row["units"] == 1 else f"{row['units']} units have"
    return f"{units} the name of {'one of ' if row['discovered'] > 1 else ''}{row['discovered']} object" + (
        "s" if row["discovered"] > 1 else ""
    )


def _judged_on(table: pd.DataFrame) -> str:
    """On how many images the objects of a table were judged: an object counts where its annotators know it.

    >>> _judged_on(pd.DataFrame({"n": [25, 38]}))
    '25 to 38 images'
    """
    least, most = int(table.n.min()), int(table.n.max())
    return f"{most} images" if least == most else f"{least} to {most} images"


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

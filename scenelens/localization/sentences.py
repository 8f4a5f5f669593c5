"""Section 4.2 in sentences: the splits, calibration, and the comparison of networks with each other and the
paper."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from scenelens import paper
from scenelens.annotations import Folding
from scenelens.emergence import informative_objects
from scenelens.errors import CannotAnswerError, SceneLensError
from scenelens.intervals import bca_interval
from scenelens.localization.examples import _Example
from scenelens.localization.localizer import LEAST
from scenelens.localization.study_localizers import ENOUGH, StudyLocalizer
from scenelens.localization.tables import (
    _same_objects,
    _share_interval,
    compare_networks,
    compare_with_paper,
)
from scenelens.metrics import reliability
from scenelens.sentences import Sentences, difference_text, interval, named, percent
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
    """Count how many forward passes one image takes, and how many of such boxes are right on the test images.

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
    return Sentences(f"**{text}** gave {scenes} and {boxes}. {_right_boxes(localizer)}")


def _right_boxes(localizer: StudyLocalizer) -> str:
    """How many boxes are right, of all and of the confident ones, and how many concepts these name."""
    boxes = localizer.scores.boxes
    if boxes.empty:
        return "On the test images there is no box, so nobody knows how many would be right."
    wrong, n = percent(1 - boxes.right.mean()), _plural(len(localizer.scores.images), "test image")
    sure = boxes[boxes.confidence >= _CONFIDENT]
    return f"How many boxes are wrong? On {n} {wrong} of {len(boxes):,}. {_confident(sure)}"


def _confident(sure: pd.DataFrame) -> str:
    """How many of the boxes with a high confidence are right, and what they are called."""
    if sure.empty:
        return f"No box has a confidence of {percent(_CONFIDENT)} or more."
    names, boxes = sure.concept.value_counts(), _plural(len(sure), "box", "boxes")
    images, between = _plural(sure.image.nunique(), "image"), interval(*_share_interval(sure))
    return (
        f"Of {boxes} with a confidence of {percent(_CONFIDENT)} or more, on {images}, "
        f"{percent(sure.right.mean())} are right (95% interval over the images {between}); they name "
        f"{_plural(len(names), 'concept')}, most often {named(names.index[0])} ({names.iloc[0]:,})."
    )


def _plural(n: int, one: str, several: str = "") -> str:
    return f"{n:,} {one if n == 1 else several or one + 's'}"


def describe_calibration(localizers: Mapping[str, StudyLocalizer]) -> Sentences:
    """Say how many boxes are right, how many of the confident ones, and what the category alone would give.

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
        error = _calibration_error(boxes.estimate.to_numpy(), boxes.right.to_numpy())
        sure = _confident(boxes[boxes.confidence >= _CONFIDENT])
        lines.append(
            f"- {named(name)} network: of {_plural(len(boxes), 'box', 'boxes')} "
            f"{percent(boxes.right.mean())} are right; the estimates are {100 * error:.1f} points off on "
            f"average. {sure}{_elsewhere(boxes)}{_earlier(boxes)}"
        )
    return Sentences("\n".join(lines))


def _elsewhere(boxes: pd.DataFrame) -> str:
    """How many of the boxes, or of the confident ones, would be right by the category alone."""
    known = boxes[boxes.elsewhere.notna()]
    if known.empty:
        return " What the category alone gives is not known: no two of these images are known to share one."
    sure = known[known.confidence >= _CONFIDENT]
    if sure.empty:
        share = percent(known.elsewhere.mean())
        return f" With the annotations of another image of the same category {share} of all would be right."
    weak = int((~(sure.confidence > sure.by_category)).sum())
    return (
        f" With the annotations of another image of the same category {percent(sure.elsewhere.mean())} of "
        f"these would be right too: so much the category gives. For {weak:,} of the {len(sure):,} the "
        "calibration images show no evidence beyond that."
    )


def _earlier(boxes: pd.DataFrame) -> str:
    """How much it says that a unit was never right on calibration images of the image's category."""
    known = boxes[(boxes.here >= 0) & (boxes.confidence >= LEAST)]
    never = known[known.here_right == 0]
    if not 0 < len(never) < len(known):
        return ""
    before = known[known.here_right > 0]
    return (
        f" Of all with {percent(LEAST)} or more, {len(never):,} are by units that were never right on a "
        f"calibration image of the same category: {percent(never.right.mean())} of these are right, and "
        f"{percent(before.right.mean())} of the other {len(before):,}."
    )


def describe_examples(examples: Mapping[str, _Example], how: str) -> Sentences:
    """Say by which rule an example was chosen, and how often the rule holds.

    Parameters
    ----------
    examples : mapping of str to _Example
        What `example_images` returned.
    how : str
        ``"right"`` or ``"wrong"``.

    Returns
    -------
    Sentences
        Markdown.
    """
    one = examples[how]
    what = {
        "right": "the scene, where its category is known, is named rightly, and every box that the deepest "
        "layer shows is right",
        "wrong": "the deepest layer shows a wrong box",
    }[how]
    best = {"right": "the most confidence in total", "wrong": "the most confident wrong box"}[how]
    often = f"That is so on {one.holding} of the first {one.n} calibration images"
    if not one.found:
        return Sentences(f"**No example of this.** Rule: {what}. {often}; the image shown comes nearest.")
    return Sentences(
        f"**Chosen by a rule:** {what} (confidence {percent(LEAST)} or more). {often}; this is the one with "
        f"{best}. It shows what can happen, not how often boxes are right."
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
    telling = _telling_differences(study, localizers, main)
    return Sentences("\n".join([*lines, "", *telling, *_limits(study, localizers, table)]))


def _network_differences(localizers: Mapping[str, StudyLocalizer], of: str) -> pd.DataFrame:
    """By how much one network finds objects better than each other network, object by object.

    A row has measure ("ap", "jaccard"), than (the other network), difference (the mean over the objects that
    all networks have), low, high (its 95% interval), n (objects), median (of the differences) and higher (for
    how many objects the network is better).
    """
    others = [name for name in localizers if name != of]
    same = set(_same_objects(localizers)[of].concept)
    tables = {name: _comparable(one, same) for name, one in localizers.items()}
    rows = []
    for measure in ("ap", "jaccard"):
        for name in others:
            both = tables[of].merge(tables[name], on="concept", suffixes=("", "_other"))
            found = _paired_difference(both[measure].to_numpy(), both[f"{measure}_other"].to_numpy())
            each = (both[measure] - both[f"{measure}_other"]).dropna()
            rows.append((measure, name, *found, each.median(), int((each > 0).sum())))
    columns = ["measure", "than", "difference", "low", "high", "n", "median", "higher"]
    return pd.DataFrame(rows, columns=columns)


def _telling_differences(study: Study, localizers: Mapping[str, StudyLocalizer], of: str) -> list[str]:
    """How the difference in AP is spread: over the objects that tell a scene best, and over the others.

    Which objects tell a scene is found on the selection images, so that no test image decides it.
    """
    images = next(iter(localizers.values())).splits["selection"]
    fold = Folding.read()
    try:
        found = informative_objects(study.need_annotations(), images, fold, n_resamples=1)
    except SceneLensError:
        return []
    telling = set(found.objects.object[found.objects.categories > 0])
    same = set(_same_objects(localizers)[of].concept)
    tables = {name: _comparable(one, same).set_index("concept").ap for name, one in localizers.items()}
    told = np.array([fold(concept) in telling for concept in tables[of].index], bool)
    if min(told.sum(), (~told).sum()) < _FEWEST_OBJECTS:
        return []
    rows = []
    for name in localizers:
        if name != of:
            both = tables[of] - tables[name].reindex(tables[of].index)
            ends = [f"{100 * both[part].mean():+.0f} points" for part in (told, ~told)]
            rows.append(f"{ends[0]} and {ends[1]} against the {named(name)} network")
    return [
        f"**Which objects?** The mean difference in AP on the {told.sum()} objects that tell a category of "
        f"scenes best, and on the other {(~told).sum()}: {'; '.join(rows)}.",
        "",
    ]


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
    names = (f"the {named(main)} network's mean", f"the {named(row['than'])} network's")
    ends = (row["low"], row["high"])
    text = difference_text(row["difference"], 0.0, ends, names, brief=True)
    return (
        f"over the best units for {row['n']} objects, {text}; median {100 * row['median']:+.1f}; more for "
        f"{row['higher']} of {row['n']} objects."
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
    higher, lower = scored[scored.ap > scored.ap_paper], scored[scored.ap < scored.ap_paper]
    inside = int(((scored.ap_low <= scored.ap_paper) & (scored.ap_paper <= scored.ap_high)).sum())
    what = f"Of {len(scored)} object{'s' if len(scored) > 1 else ''} that the paper shows too"
    return Sentences(
        f"{what}, our AP is lower for {len(lower)}{_against(lower)} and higher for {len(higher)}"
        f"{_against(higher)}; the paper's lies inside our interval for {inside}. Images and units are "
        f"different: this compares data, not methods.{left}"
    )


def _against(table: pd.DataFrame) -> str:
    """Objects of `compare_with_paper`, farthest from the paper first, with AP, the paper's, and chance."""
    far = (table.ap - table.ap_paper).abs().sort_values(ascending=False, kind="stable").index
    rows = [
        f"{named(row.concept)} {percent(row.ap)}, paper {percent(row.ap_paper)}, chance {percent(row.chance)}"
        for row in table.loc[far].itertuples()
    ]
    return f" ({'; '.join(rows)})" if rows else ""


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
        The lower end of its 95% interval (BCa bootstrap).
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
    return (float(statistic(both)), *bca_interval(both, statistic, seed), len(both))

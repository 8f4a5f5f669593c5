"""Section 4.2 in tables and sentences: networks side by side, the paper's numbers beside ours, honesty."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scenelens import paper
from scenelens.detection_metrics import calibration_error, paired_difference, reliability
from scenelens.images import load_image
from scenelens.metrics import bootstrap_interval
from scenelens.readings import Reading, interval, percent, words
from scenelens.seen_concepts import plain_name
from scenelens.study_localization import StudyLocalizer, study_localizer

if TYPE_CHECKING:
    from scenelens.localization import Localization, Localizer
    from scenelens.studies import Study

ENOUGH = 5  # images that show an object, and that do not: with fewer its AP is a matter of luck
Found = Mapping[str, StudyLocalizer]
#: What a cell shows where a study has nothing to show.
NOTHING = Reading("This study has no annotations, so no unit has a name, and there is nothing to show here.")


def localizers(study: Study) -> dict[str, StudyLocalizer]:
    """Every network of a study, ready to read pictures; none where nothing is annotated."""
    if study.annotations is None:
        return {}
    return {name: study_localizer(study, name) for name in study.networks}


def read_hands(study: Study, found: Found) -> Reading:
    """What was annotated, and who may look at which images."""
    if not found:
        return Reading(
            f"Study {study.name} has no annotations: nothing tells where its objects are, so no unit can get "
            "a name here. Open the study sceneworld to go through this notebook."
        )
    one = next(iter(found.values()))
    sizes = {name: len(images) for name, images in one.hands.items()}
    rows = [
        f"**{sum(sizes.values()):,} annotated scenes** in three hands, by lot: {sizes['choose']:,} choose "
        f"the units' names, {sizes['calibrate']:,} calibrate, {sizes['judge']:,} judge."
    ]
    for name, each in found.items():
        layers = ", ".join(each.localizer.layers)
        n = len(each.localizer.labels)
        rows.append(f"- {name} network: {n:,} units named and calibrated ({layers}).")
    return Reading("\n".join([rows[0], "", *rows[1:]]))


def read_picture(seen: Localization) -> Reading:
    """The scene and what was found, in two sentences."""
    best = seen.scene.iloc[0]
    scene = f"The scene: **{words(best.predicted)}** ({percent(best.probability)})."
    if seen.boxes.empty:
        return Reading(f"{scene} No unit is above its threshold: no box.")
    sure = seen.boxes.sort_values("confidence", ascending=False).drop_duplicates("concept").head(3)
    things = ", ".join(f"{words(row.concept)} ({percent(row.confidence)})" for row in sure.itertuples())
    return Reading(f"{scene} {len(seen.boxes)} boxes; the most confident: {things}.")


def reliability_tables(found: Found, n_bins: int = 10) -> pd.DataFrame:
    """`detection_metrics.reliability` of every network's boxes on the judging images: network first."""
    tables = [
        reliability(one.scores.boxes.confidence, one.scores.boxes.right, n_bins).assign(network=name)
        for name, one in found.items()
    ]
    table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=["network"])
    return table[["network", *(name for name in table if name != "network")]]


def read_calibration(found: Found) -> Reading:
    """How far promised and kept are apart."""
    lines = []
    for name, one in found.items():
        boxes = one.scores.boxes
        if boxes.empty:
            lines.append(f"- {name} network: no box on the judging images.")
            continue
        off = calibration_error(boxes.confidence.to_numpy(), boxes.right.to_numpy())
        lines.append(
            f"- {name} network: {len(boxes):,} boxes promise {percent(boxes.confidence.mean())} on average "
            f"and {percent(boxes.right.mean())} are right; bin by bin they are {100 * off:.1f} points apart."
        )
    return Reading("\n".join(lines) or "Nothing is annotated, so nothing could be calibrated.")


def objects_table(one: StudyLocalizer, how: str = "best unit", intervals: bool = True) -> pd.DataFrame:
    """`DetectorScores.table` of the objects that 5 judging images or more show and 5 do not, best first."""
    table = one.scores.table(how, intervals)
    return table[_enough(table)].sort_values("ap", ascending=False, ignore_index=True)


def named_objects(one: StudyLocalizer) -> pd.DataFrame:
    """The rows of `objects_table` whose objects units were named after (IoU above 0.04)."""
    detectors = one.scores.detectors
    named = set(detectors.concept[detectors.how == "union"])
    table = objects_table(one, intervals=False)
    return table[table.concept.isin(named)].reset_index(drop=True)


def read_union(one: StudyLocalizer) -> Reading:
    """Whether all the units of a name together do better than the best of them."""
    both = named_objects(one).merge(objects_table(one, "union", intervals=False), on="concept")
    several = both[[len(units) > 1 for units in both.units_y]]
    if several.empty:
        return Reading("No object has two units of its name, so there is no union to compare with.")
    ap, jaccard = (int((several[f"{m}_y"] > several[f"{m}_x"]).sum()) for m in ("ap", "jaccard"))
    return Reading(
        f"{len(several)} objects have two units or more. All of them together have a higher AP than the best "
        f"one for {ap} of these objects, and a higher Jaccard index for {jaccard}."
    )


def compare_networks(found: Found) -> pd.DataFrame:
    """One row per network: network, units (named after an object, IoU above 0.04), discovered (objects),
    objects (judged), n (images), ap and jaccard (mean over the objects' best units) with 95% bootstrap
    intervals over the objects, chance (the mean AP of a detector that knows nothing).
    """
    rows = []
    for name, one in found.items():
        table, how = objects_table(one, intervals=False), one.scores.detectors.how
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


def differences(found: Found, of: str = "scene") -> pd.DataFrame:
    """The scene network less each other one, object by object: measure, than, difference, low, high, n."""
    rows = []
    tables = {name: one.scores.table("best unit", intervals=False) for name, one in found.items()}
    for measure in ("ap", "jaccard"):
        for name in [name for name in found if of in found and name != of]:
            both = tables[of].merge(tables[name], on="concept", suffixes=("", "_other"))
            both = both[_enough(both) & _enough(both, "_other")]
            found_ = paired_difference(both[measure].to_numpy(), both[f"{measure}_other"].to_numpy())
            rows.append((measure, name, *found_))
    return pd.DataFrame(rows, columns=["measure", "than", "difference", "low", "high", "n"])


def read_differences(study: Study, found: Found) -> Reading:
    """Whether the scene network finds objects better, and why not where it does not."""
    table, lines, level = differences(found), [], {"ap": "AP", "jaccard": "Jaccard index"}
    for row in table.to_dict("records"):
        verdict = "more than"
        if row["low"] <= 0 <= row["high"]:
            verdict = "neither clearly more nor less than"
        elif row["high"] < 0:
            verdict = "less than"
        how = (
            f"the scene network's best units reach {verdict} the {row['than']} network's "
            f"({100 * row['difference']:+.1f} points, 95% interval {100 * row['low']:+.1f} to "
            f"{100 * row['high']:+.1f}, {row['n']} objects)."
        )
        if math.isnan(row["low"]):
            how = f"too few objects are in both to hold the networks against each other ({row['n']})."
        lines.append(f"- {level[row['measure']]}: {how}")
    if not lines:
        return Reading("There is nothing to compare: the study has no annotations, or one network.")
    return Reading("\n".join([*lines, "", *_why(study, found, table)]))


def _why(study: Study, found: Found, table: pd.DataFrame) -> list[str]:
    """What limits the comparison, where no advantage shows."""
    clear = table[(table.than == "object") & (table.low > 0)]
    if len(clear):
        return []
    known, one = study.annotations, next(iter(found.values()))
    scenes = {known.scene(image) for hand in one.hands.values() for image in hand} if known else set()
    objects = int(table.n.max())
    images = len(one.scores.images)
    return [
        f"**No advantage of the scene network over the object network shows here.** The test is small: "
        f"{objects} objects that at least {ENOUGH} of {images} judging images show and {ENOUGH} do not, in "
        f"{max(1, len(scenes))} kind{'s' if len(scenes) > 1 else ''} of scene. Objects that are in nearly "
        "every image tell no scene from another, so a scene network has no reason to find them better."
    ]


def beside_paper(one: StudyLocalizer, how: str = "best unit") -> pd.DataFrame:
    """The objects of the paper's Figure 11a that this study has too: concept, images, and J and AP, ours with
    their intervals, the paper's."""
    named = [name for name in one.scores.detectors.concept if plain_name(name) in paper.SEGMENTATIONS]
    table = one.scores.table(how, concepts=named)
    table = table.assign(name=[plain_name(concept) for concept in table.concept]).set_index("name")
    rows = []
    for concept, (j, ap) in paper.SEGMENTATIONS.items():
        if concept in table.index:
            ours = table.loc[concept]
            pixels = (ours.jaccard, ours.jaccard_low, ours.jaccard_high, j)
            rows.append((concept, ours.images, *pixels, ours.ap, ours.ap_low, ours.ap_high, ap))
    columns = ["concept", "images", "jaccard", "jaccard_low", "jaccard_high", "jaccard_paper"]
    return pd.DataFrame(rows, columns=[*columns, "ap", "ap_low", "ap_high", "ap_paper"])


def read_beside_paper(one: StudyLocalizer) -> Reading:
    """The paper's objects against ours, in a sentence."""
    table = beside_paper(one)
    judged = table[table.images >= ENOUGH]
    if judged.empty:
        n = len(paper.SEGMENTATIONS)
        return Reading(f"None of the paper's {n} objects is on {ENOUGH} of this study's judging images.")
    higher = int((judged.ap > judged.ap_paper).sum())
    inside = int(((judged.ap_low <= judged.ap_paper) & (judged.ap_paper <= judged.ap_high)).sum())
    what = f"Of {len(judged)} object{'s' if len(judged) > 1 else ''} that the paper shows too"
    return Reading(
        f"{what}, our AP is higher for {higher}; the paper's lies inside our interval for {inside}. Other "
        "pictures and other units: this compares worlds, not methods."
    )


def read_networks(found: Found) -> Reading:
    """The table of `compare_networks` in sentences."""
    lines = []
    for row in compare_networks(found).to_dict("records"):
        ap = f"{percent(row['ap'])} (95% interval {interval(row['ap_low'], row['ap_high'])})"
        lines.append(
            f"- {row['network']} network: {row['units']} units bear the name of one of {row['discovered']} "
            f"objects; mean AP {ap} over {row['objects']} objects and {row['n']} images, by chance "
            f"{percent(row['chance'])}."
        )
    return Reading("\n".join(lines) or "Nothing is annotated, so no unit has a name.")


def example(study: Study, found: Found, n: int = 48) -> np.ndarray:
    """A picture to begin with, uint8 RGB: of the first `n` judging images, one whose scene the scene network
    recognises where there is one, on which every layer has a box, with many confident ones at the deepest.

    Without annotations it is the study's first picture.
    """
    known = study.annotations
    if known is None or not found:
        return study.load_image(study.images.image.iloc[0])
    one = found.get("scene") or next(iter(found.values()))
    ids = one.hands["judge"][:n]
    pictures = [load_image(known.path(image)) for image in ids]
    seen = one.localizer.several(pictures)
    worth = [
        _worth(each, one.localizer.layers[-1], known.scene(i)) for i, each in zip(ids, seen, strict=True)
    ]
    return pictures[int(np.argmax(worth))]


def _worth(seen: Localization, deepest: str, scene: str) -> float:
    boxes = seen.boxes.drop_duplicates(["layer", "concept"])
    sure = boxes.confidence[(boxes.layer == deepest) & (boxes.confidence >= 0.3)].sum()
    telling = boxes.layer[boxes.confidence >= 0.2].nunique()
    recognised = plain_name(seen.scene.predicted[0]) == plain_name(scene)
    return float(sure + 2 * telling + 3 * recognised)


def read_passes(localizer: Localizer, picture: np.ndarray) -> Reading:
    """How many forward passes one picture takes: counted."""
    passes: list[int] = []
    handle = localizer.network.module.register_forward_pre_hook(lambda *_: passes.append(1))
    try:
        seen = localizer(picture)
    finally:
        handle.remove()
    text = f"{len(passes)} forward pass{'es' if len(passes) != 1 else ''}"
    return Reading(f"**{text}** gave {len(seen.scene)} scenes and {len(seen.boxes)} boxes.")


def _enough(table: pd.DataFrame, suffix: str = "") -> pd.Series:
    with_it, n = table[f"images{suffix}"], table[f"n{suffix}"]
    return (with_it >= ENOUGH) & (n - with_it >= ENOUGH)

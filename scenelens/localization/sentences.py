"""Section 4.2 in tables and sentences: networks side by side, the paper's numbers beside ours, honesty."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from scenelens import paper
from scenelens.localization.localizer import Localization, Localizer
from scenelens.localization.study_localizer import StudyLocalizer
from scenelens.localization.tables import (
    ENOUGH,
    Found,
    beside_paper,
    compare_networks,
    differences,
    named_objects,
    objects_table,
)
from scenelens.metrics import calibration_error
from scenelens.sentences import Sentences, interval, percent, words
from scenelens.studies import Study

#: What a cell shows where a study has nothing to show.
NOTHING = Sentences(
    "This study has no annotations, so no unit has a name, and there is nothing to show here."
)


def describe_splits(study: Study, found: Found) -> Sentences:
    """What was annotated, and who may look at which images."""
    if not found:
        return Sentences(
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
    return Sentences("\n".join([rows[0], "", *rows[1:]]))


def describe_picture(seen: Localization) -> Sentences:
    """The scene and what was found, in two sentences."""
    best = seen.scene.iloc[0]
    scene = f"The scene: **{words(best.predicted)}** ({percent(best.probability)})."
    if seen.boxes.empty:
        return Sentences(f"{scene} No unit is above its threshold: no box.")
    sure = seen.boxes.sort_values("confidence", ascending=False).drop_duplicates("concept").head(3)
    things = ", ".join(f"{words(row.concept)} ({percent(row.confidence)})" for row in sure.itertuples())
    return Sentences(f"{scene} {len(seen.boxes)} boxes; the most confident: {things}.")


def describe_calibration(found: Found) -> Sentences:
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
    return Sentences("\n".join(lines) or "Nothing is annotated, so nothing could be calibrated.")


def describe_union(one: StudyLocalizer) -> Sentences:
    """Whether all the units of a name together do better than the best of them."""
    both = named_objects(one).merge(objects_table(one, "union", intervals=False), on="concept")
    several = both[[len(units) > 1 for units in both.units_y]]
    if several.empty:
        return Sentences("No object has two units of its name, so there is no union to compare with.")
    ap, jaccard = (int((several[f"{m}_y"] > several[f"{m}_x"]).sum()) for m in ("ap", "jaccard"))
    return Sentences(
        f"{len(several)} objects have two units or more. All of them together have a higher AP than the best "
        f"one for {ap} of these objects, and a higher Jaccard index for {jaccard}."
    )


def describe_differences(study: Study, found: Found) -> Sentences:
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
        return Sentences("There is nothing to compare: the study has no annotations, or one network.")
    return Sentences("\n".join([*lines, "", *_why(study, found, table)]))


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


def describe_paper_comparison(one: StudyLocalizer) -> Sentences:
    """The paper's objects against ours, in a sentence."""
    table = beside_paper(one)
    judged = table[table.images >= ENOUGH]
    if judged.empty:
        n = len(paper.SEGMENTATIONS)
        return Sentences(f"None of the paper's {n} objects is on {ENOUGH} of this study's judging images.")
    higher = int((judged.ap > judged.ap_paper).sum())
    inside = int(((judged.ap_low <= judged.ap_paper) & (judged.ap_paper <= judged.ap_high)).sum())
    what = f"Of {len(judged)} object{'s' if len(judged) > 1 else ''} that the paper shows too"
    return Sentences(
        f"{what}, our AP is higher for {higher}; the paper's lies inside our interval for {inside}. Other "
        "pictures and other units: this compares worlds, not methods."
    )


def describe_networks(found: Found) -> Sentences:
    """The table of `compare_networks` in sentences."""
    lines = []
    for row in compare_networks(found).to_dict("records"):
        ap = f"{percent(row['ap'])} (95% interval {interval(row['ap_low'], row['ap_high'])})"
        lines.append(
            f"- {row['network']} network: {row['units']} units bear the name of one of {row['discovered']} "
            f"objects; mean AP {ap} over {row['objects']} objects and {row['n']} images, by chance "
            f"{percent(row['chance'])}."
        )
    return Sentences("\n".join(lines) or "Nothing is annotated, so no unit has a name.")


def describe_passes(localizer: Localizer, picture: np.ndarray) -> Sentences:
    """How many forward passes one picture takes: counted."""
    passes: list[int] = []
    handle = localizer.network.module.register_forward_pre_hook(lambda *_: passes.append(1))
    try:
        seen = localizer(picture)
    finally:
        handle.remove()
    text = f"{len(passes)} forward pass{'es' if len(passes) != 1 else ''}"
    return Sentences(f"**{text}** gave {len(seen.scene)} scenes and {len(seen.boxes)} boxes.")

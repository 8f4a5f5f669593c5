"""Section 4.2 in tables and sentences: networks side by side, the paper's numbers beside ours, honesty."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from scenelens import paper
from scenelens.images import load_image
from scenelens.intervals import bootstrap_interval, paired_difference
from scenelens.localization.localizer import Localization
from scenelens.localization.study_localizer import StudyLocalizer, study_localizer
from scenelens.localization.truth import plain_name
from scenelens.metrics import reliability
from scenelens.studies import Study

ENOUGH = 5  # images that show an object, and that do not: with fewer its AP is a matter of luck
Found = Mapping[str, StudyLocalizer]


def localizers(study: Study) -> dict[str, StudyLocalizer]:
    """Every network of a study, ready to read pictures; none where nothing is annotated."""
    if study.annotations is None:
        return {}
    return {name: study_localizer(study, name) for name in study.networks}


def reliability_tables(found: Found, n_bins: int = 10) -> pd.DataFrame:
    """`detection_metrics.reliability` of every network's boxes on the judging images: network first."""
    tables = [
        reliability(one.scores.boxes.confidence, one.scores.boxes.right, n_bins).assign(network=name)
        for name, one in found.items()
    ]
    table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=["network"])
    return table[["network", *(name for name in table if name != "network")]]


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


def _enough(table: pd.DataFrame, suffix: str = "") -> pd.Series:
    with_it, n = table[f"images{suffix}"], table[f"n{suffix}"]
    return (with_it >= ENOUGH) & (n - with_it >= ENOUGH)

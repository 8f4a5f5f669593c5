"""What is measured of a retrained network: its detectors and how well its units find each object.

Every number comes from the functions of sections 4.1 and 4.2, as in the notebooks.
"""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from scenelens.emergence import Emergence, measure_emergence
from scenelens.errors import CannotAnswerError
from scenelens.localization import StudyLocalizer, open_localizers
from scenelens.paper import PAIR
from scenelens.studies import Study

#: The network's name in the study that it is measured in, whatever it was trained to tell.
NETWORK = PAIR[0]

#: Table -> rows.
Rows = dict[str, list[dict[str, Any]]]


def _measure_network(study: Study) -> Rows:
    """Measure the one network of a study.

    Parameters
    ----------
    study : Study
        A study with annotations, whose network is called `NETWORK`.

    Returns
    -------
    dict of str to list of dict
        ``"networks"``: one row. ``"objects"``: one row for each object that a unit of the deepest layer with
        a map detects, or that enough test images show.
    """
    study.prepare()
    with study.maps_kept():  # all of this needs the same forward passes
        study.index(NETWORK)
        study.labels_of_networks(study.networks)
        localizer = _localizer(study)
        found = measure_emergence(study)
    scores = _scores(localizer)
    return {"networks": [_network_row(found, scores)], "objects": _object_rows(found, scores)}


def _localizer(study: Study) -> StudyLocalizer | None:
    """The localizer, or None where no unit can be named or calibrated."""
    try:
        return open_localizers(study, progress=False)[NETWORK]
    except CannotAnswerError:
        return None


def _scores(localizer: StudyLocalizer | None) -> pd.DataFrame:
    """By object, named as in the table of detectors: the AP of its best unit, and what chance gives."""
    columns = ["concept", "ap", "share", "images"]
    table = localizer.objects(intervals=False) if localizer is not None else pd.DataFrame(columns=columns)
    return table[columns].set_index("concept")


def _network_row(found: Emergence, scores: pd.DataFrame) -> dict[str, Any]:
    share = found.share(NETWORK)
    labels = found.labels[(found.labels.network == NETWORK) & (found.labels.layer == share.layer)]
    own = found.chance[(found.chance.network == NETWORK) & (found.chance.images == "scenes")]
    return {
        **{"network": NETWORK, "layer": share.layer, "units": int(share.n)},
        **{"detectors": int(share.detectors), "objects": int(share.objects)},
        "by_category": float(own.category.iloc[0]) if len(own) else math.nan,
        "mean_iou": float(labels.iou[labels.source == "automatic"].sum() / share.n),
        "ap": float(scores.ap.mean()),
        "ap_chance": float(scores.share.mean()),
        "ap_objects": len(scores),
    }


def _object_rows(found: Emergence, scores: pd.DataFrame) -> list[dict[str, Any]]:
    counts = found.of(NETWORK).groupby("object").size()
    rows = []
    for name in sorted({*counts.index, *scores.index}):
        score = scores.loc[name] if name in scores.index else {}
        row = {"object": name, "units": int(counts.get(name, 0))}
        row |= {"ap": float(score.get("ap", math.nan)), "ap_chance": float(score.get("share", math.nan))}
        rows.append(row | {"images": int(score["images"]) if len(score) else math.nan})
    return rows

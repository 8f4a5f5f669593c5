"""What the workbook measures of networks, as rows of small tables: one set of rows for each training.

Nothing is measured in a way of its own here. A study is made of the networks of one training and of the
images and annotations of another study, and every number comes from the functions that the notebooks call.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from scenelens.emergence import Emergence, measure_emergence
from scenelens.errors import CannotAnswerError, SceneLensError
from scenelens.localization import StudyLocalizer, compare_networks, open_localizers
from scenelens.paper import CONTROL
from scenelens.receptive_fields import open_atlas, table_2
from scenelens.studies import Study, StudyFile
from scenelens.two_networks import layer_preference, own_accuracy

#: Units of each layer whose fields are measured, the first in a random order, and images for each of them.
FIELD_UNITS, FIELD_IMAGES = 8, 10

#: Table -> rows.
Rows = dict[str, list[dict[str, Any]]]


def study_of(template: StudyFile, trained: Mapping[str, Path], cache: Path) -> Study:
    """Make a study of trained networks, with the images and annotations of another one.

    Parameters
    ----------
    template : StudyFile
        The study whose images and annotations are used.
    trained : mapping of str to pathlib.Path
        ``"scene"`` and ``"object"``, or one of them -> the network's model card, next to its weights.
    cache : pathlib.Path
        The folder for everything that can be computed again.

    Returns
    -------
    Study
        The study; nothing is loaded yet.

    Raises
    ------
    SceneLensError
        If a card cannot be read.
    """
    return _with_networks(template, {kind: _network_table(card) for kind, card in trained.items()}, cache)


def _control_of(template: StudyFile, card: Path, seed: int, cache: Path) -> Study:
    """Make a study of one untrained network, of the architecture and with the classes of a trained one.

    Parameters
    ----------
    template : StudyFile
        The study whose images and annotations are used.
    card : pathlib.Path
        The trained network's model card.
    seed : int
        The seed of the random weights.
    cache : pathlib.Path
        The folder for everything that can be computed again.

    Returns
    -------
    Study
        The study; nothing is loaded yet.
    """
    table = {key: value for key, value in _network_table(card).items() if key != "weights"}
    return _with_networks(template, {CONTROL: table | {"seed": seed}}, cache)


def _with_networks(template: StudyFile, networks: dict[str, Any], cache: Path) -> Study:
    own = {"name": f"{template.name}-seeds", "networks": networks, "cache": {"path": str(cache)}}
    return Study(StudyFile(template.path, template.data | own))


def _network_table(card: Path) -> dict[str, Any]:
    """A network of `scenelens train` as a table of a study.toml."""
    about = read_card(card)
    how = {"size": about["preprocessing"]["size"], "white": 255.0, "mean": about["preprocessing"]["mean"]}
    return {
        "architecture": "caffenet",
        "width": about["recipe"]["width"],
        "fc": about["recipe"]["fc"],
        "weights": str(card.with_suffix(".safetensors").absolute()),
        "classes": str(card.absolute()),
        "preprocessing": how,
    }


def read_card(path: Path) -> dict[str, Any]:
    """Read a network's model card.

    Parameters
    ----------
    path : pathlib.Path
        The file that `scenelens train` wrote next to the weights.

    Returns
    -------
    dict
        The card.

    Raises
    ------
    SceneLensError
        If there is no such file, or it is no model card.
    """
    try:
        card = json.loads(path.read_text("utf-8"))
        _ = (
            card["recipe"]["width"],
            card["recipe"]["seed"],
            card["weights_hash"],
            card["preprocessing"]["mean"],
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SceneLensError(f"{path} is no model card of a trained network ({error}).") from None
    return card


def _measure_study(study: Study) -> Rows:
    """Measure all networks of a study.

    Parameters
    ----------
    study : Study
        A study with annotations, such as `study_of` makes.

    Returns
    -------
    dict of str to list of dict
        ``"networks"`` (one row for each network), ``"layers"`` (for each layer), ``"objects"`` (for each
        object that units of the deepest layer with a map detect).
    """
    study.prepare()
    with study.maps_kept():  # all of this needs the same forward passes
        for name in study.networks:
            study.index(name)
        study.labels_of_networks(study.networks)
        localizers = _localizers(study)
        found = measure_emergence(study)
    return {
        "networks": _network_rows(study, found, localizers),
        "layers": _layer_rows(study, found),
        "objects": _object_rows(found),
    }


def _measure_fields(study: Study) -> Rows:
    """Measure the receptive fields of some units of each layer; this takes as long as all the rest.

    Parameters
    ----------
    study : Study
        A study with annotations, such as `study_of` makes.

    Returns
    -------
    dict of str to list of dict
        ``"fields"``, one row for each layer of which fields are measured.
    """
    atlas = open_atlas(study, FIELD_IMAGES)
    atlas.grow(FIELD_UNITS, sure=0)
    columns = ["network", "depth", "layer", "theoretical", "mean", "sd", "n", "units"]
    table: pd.DataFrame = table_2(atlas)[columns]
    return {"fields": table.to_dict("records")}


def _localizers(study: Study) -> dict[str, StudyLocalizer]:
    try:
        return open_localizers(study, progress=False)
    except CannotAnswerError:  # no unit can be named or calibrated, as early in a training
        return {}


def _network_rows(study: Study, found: Emergence, localizers: dict[str, StudyLocalizer]) -> list[dict]:
    accuracy = _accuracy(study)
    objects = _object_scores(localizers)
    rows = []
    for name in study.networks:
        share = found.share(name)
        labels = found.labels[(found.labels.network == name) & (found.labels.layer == share.layer)]
        labels = labels[labels.source == "automatic"]
        row = {"network": name, **accuracy[name], "layer": share.layer, "units": int(share.n)}
        row |= {"detectors": int(share.detectors), "objects": int(share.objects)}
        row |= _shuffled_row(found, name)
        row["mean_iou"] = float(labels.iou.sum() / share.n)  # a unit that is never active has no label: 0
        rows.append(
            row | objects.get(name, {}) | _box_row(localizers.get(name)) | _correlation_row(found, name)
        )
    return rows


def _shuffled_row(found: Emergence, network: str) -> dict[str, float]:
    """How many units would be detectors with the annotations of another scene of the same category."""
    own = found.chance[(found.chance.network == network) & (found.chance.images == "scenes")]
    return {"by_category": float(own.category.iloc[0])} if len(own) else {}


def _accuracy(study: Study) -> dict[str, dict[str, float]]:
    """Right answers on the study's images of each network's kind, which were not trained on."""
    return {
        row.network: {"images": int(row.n), "right": round(row.share * row.n) if row.n else 0}
        for row in own_accuracy(study).itertuples()
    }


def _object_scores(localizers: dict[str, StudyLocalizer]) -> dict[str, dict[str, float]]:
    """Mean AP of the objects' best units, and that of units that respond at random."""
    if not localizers:
        return {}
    try:
        table = compare_networks(localizers)
    except CannotAnswerError:  # no object is on enough of the test images
        return {}
    return {
        row.network: {
            "ap": row.ap,
            "ap_chance": row.chance,
            "ap_objects": int(row.objects),
            "ap_images": int(row.n),
        }
        for row in table.itertuples()
    }


def _box_row(localizer: StudyLocalizer | None) -> dict[str, int]:
    """Boxes on the test images, and the right ones among them: of all layers, and of the deepest alone."""
    if localizer is None:
        return {}
    boxes = localizer.scores.boxes
    deep = boxes[boxes.layer == localizer.automatic.layers[-1]]
    counts = {"boxes": len(boxes), "boxes_right": int(boxes.right.sum())}
    return counts | {"deep_boxes": len(deep), "deep_boxes_right": int(deep.right.sum())}


def _correlation_row(found: Emergence, network: str) -> dict[str, float]:
    """Pearson's r of the units per object with frequency and informativeness, over all objects."""
    all_r = found.correlations
    own = all_r[(all_r.network == network) & (all_r.objects == "all") & (all_r.measure == "pearson")]
    r = own.set_index("against").r
    known = {f"r_{name}": float(r.get(name, math.nan)) for name in ("frequency", "informativeness")}
    return known | {"r_objects": int(own.n.max()) if len(own) else 0}


def _layer_rows(study: Study, found: Emergence) -> list[dict]:
    """What each layer prefers, and how many of its units are detectors, where it has a map."""
    shares = found.shares.set_index(["network", "layer"])
    rows = []
    for row in layer_preference(study).to_dict("records"):
        own = {name: row[name] for name in ("network", "layer", "share", "n", "chance")}
        own = {"network": own["network"], "depth": int(row["depth"]), "layer": own["layer"],
               "object_centric": own["share"], "top": int(own["n"]), "chance": own["chance"]}  # fmt: skip
        place = (row["network"], row["layer"])
        if place in shares.index:
            own |= {"units": int(shares.loc[place].n), "detectors": int(shares.loc[place].detectors)}
        rows.append(own)
    return rows


def _object_rows(found: Emergence) -> list[dict]:
    counts = found.units.groupby(["network", "object"], sort=False).size()
    return [{"network": name, "object": one, "units": int(n)} for (name, one), n in counts.items()]

"""Section 4.2 for a study: which images choose names, which calibrate, which judge; all of it kept.

The annotated images of scenes are dealt by lot into three hands. On the first, half of them, units get their
names and thresholds. On the second, their responses are calibrated. On the third, everything is judged. No
image serves two purposes, or a unit would be praised for what it was chosen by.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd

from scenelens.errors import SceneLensError
from scenelens.files import replace_file, stable_text
from scenelens.labels import (
    LABELS_VERSION,
    LEAST_IOU,
    AutomaticLabels,
    file_digests,
    label_networks,
    load_or_compute,
)
from scenelens.localization.calibration import Calibration, Curve, calibrate
from scenelens.localization.localizer import Localizer
from scenelens.localization.scores import Detector, DetectorScores, judge
from scenelens.localization.truth import located_kinds
from scenelens.networks import Network
from scenelens.paper import PAIR
from scenelens.receptive_fields import open_atlas
from scenelens.studies import Study, scene_images

VERSION = 1  # of what is kept: raise it when a rule changes its numbers
READ = ("pool2", "conv4", "pool5")  # Figure 10
LIMITS = {"choose": 1000, "calibrate": 500, "judge": 500}  # images, at most


@dataclass(frozen=True)
class StudyLocalizer:
    """One network of a study, ready to read pictures, and how well it does.

    Attributes
    ----------
    localizer : reads pictures; `call` it with one.
    chosen : what was measured of its units on the images that chose their names.
    scores : of its detectors and boxes, on the images that judge.
    hands : 'choose', 'calibrate', 'judge' -> ids of images.
    """

    localizer: Localizer
    chosen: AutomaticLabels
    scores: DetectorScores
    hands: dict[str, list[str]]


def reading_layers(network: Network) -> list[str]:
    """Three layers to read a picture by: the paper's pool2, conv4 and pool5 where the network has them, else
    three of its main layers that have a map, up to the deepest."""
    main = [layer for layer in network.main_layers(6) if network.layer_shape(layer)[1:] != (1, 1)]
    if set(READ) <= set(network.layers.layer):
        return list(READ)
    places = np.linspace(min(1, len(main) - 1), len(main) - 1, min(3, len(main))).round().astype(int)
    return [main[k] for k in dict.fromkeys(places.tolist())]


def deal(study: Study, seed: int = 0) -> dict[str, list[str]]:
    """The annotated images of scenes in three hands: 'choose' (half), 'calibrate' and 'judge' (a quarter
    each), by lot; not more than 1,000, 500 and 500.

    Raises
    ------
    SceneLensError : the study has no annotations, or fewer than four annotated images of scenes.
    """
    scenes = scene_images(study)
    if len(scenes) < 4:
        raise SceneLensError(f"{len(scenes)} annotated scenes are too few to choose, calibrate and judge by.")
    several = len(study.annotation_sets) > 1
    hands: dict[str, list[str]] = {name: [] for name in LIMITS}
    for name in study.annotation_sets:  # each set by itself, so that every hand has some of it
        own = [image for image in scenes if not several or image.startswith(f"{name}/")]
        order = [own[k] for k in np.random.default_rng(seed).permutation(len(own))]
        half, quarter = len(order) // 2, len(order) // 4
        ends = {"choose": (0, half), "calibrate": (half, half + quarter), "judge": (half + quarter, None)}
        for hand, (first, last) in ends.items():
            hands[hand] += order[first:last]
    return {name: images[: LIMITS[name]] for name, images in hands.items()}


#: What is open of each study: network -> its localizer.
_OPEN: WeakKeyDictionary[Study, dict[str, StudyLocalizer]] = WeakKeyDictionary()


def study_localizer(study: Study, network: str = "scene", progress: bool = True) -> StudyLocalizer:
    """A network of a study ready to read pictures: chosen, calibrated and judged, or read from the cache.

    Takes about two minutes the first time where there are thousands of images; then the cache has it.

    Raises
    ------
    SceneLensError : no such network, or the study has no annotations.
    """
    opened = _OPEN.setdefault(study, {})
    if network not in opened:
        opened[network] = _opened(study, network, deal(study), progress)
    return opened[network]


def _opened(study: Study, network: str, hands: dict[str, list[str]], progress: bool) -> StudyLocalizer:
    net, known = study.networks[network], study.annotations
    assert known is not None  # `deal` has told
    chosen = _chosen(study, [network], hands, progress)[network]
    labels, fields = names_of_units(chosen), _fields(study, network)
    path = _kept_at(study, network, hands)
    kept = _read(path)
    if kept is None:
        calibration = calibrate(net, known, labels, hands["calibrate"], fields, progress)
        localizer = Localizer(net, labels, calibration, fields=fields)
        scores = judge(net, known, detectors(chosen), hands["judge"], localizer, progress)
        replace_file(path, _packed(calibration, scores))
        kept = calibration, scores
    return StudyLocalizer(Localizer(net, labels, kept[0], fields=fields), chosen, kept[1], hands)


def prepare_localizers(study: Study) -> None:
    """Make what notebook 04.2 needs and keep it; nothing where the study has no annotations."""
    if study.annotations is not None:
        _chosen(study, list(study.networks), deal(study), progress=True)
        for network in study.networks:
            study_localizer(study, network)


def names_of_units(chosen: AutomaticLabels) -> pd.DataFrame:
    """Each unit's best concept by IoU, among objects, parts and materials, with its threshold: of the units
    whose IoU is above 0.04, and of each layer's best unit where none is."""
    labels = chosen.labels("iou")
    best = labels.groupby("layer").iou.transform("max")
    labels = labels[(labels.iou > LEAST_IOU) | (labels.iou == best)].reset_index(drop=True)
    return with_thresholds(labels, chosen)


def with_thresholds(labels: pd.DataFrame, chosen: AutomaticLabels) -> pd.DataFrame:
    """Labels from any source, such as people's, with the response above which each unit fires.

    Rows of layers that were not measured are left out.

    Parameters
    ----------
    labels : in the schema of `labels.COLUMNS`. chosen : whose thresholds are taken.
    """
    own = labels[(labels.network == chosen.network) & labels.layer.isin(chosen.layers)].reset_index(drop=True)
    values = [chosen.counts[row.layer].thresholds[row.unit] for row in own.itertuples()]
    return own.assign(threshold=np.array(values, float))


def detectors(chosen: AutomaticLabels, layer: str | None = None) -> list[Detector]:
    """What is judged of a layer (the deepest without it): each unit under its object's name where the IoU is
    above 0.04, all the units of a name together, and for each object the layer's best unit."""
    layer = layer or chosen.layers[-1]
    objects = chosen.concepts.index[chosen.concepts.kind == "objects"].to_numpy()
    if not len(objects):
        raise SceneLensError("the annotations name no objects, so there is nothing to detect.")
    values = np.nan_to_num(chosen.measures(layer)["iou"][:, objects])
    names = chosen.concepts.concept.to_numpy()[objects]
    levels = chosen.counts[layer].thresholds
    own, best = values.argmax(1), values.argmax(0)

    def made(name: int, how: str, units: list[int]) -> Detector:
        return Detector(
            str(names[name]), "objects", how, layer, tuple(units), tuple(float(levels[u]) for u in units)
        )

    found = [int(unit) for unit in np.flatnonzero(values.max(1) > LEAST_IOU)]
    named = {
        name: [unit for unit in found if own[unit] == name] for name in sorted({int(own[u]) for u in found})
    }
    return [
        *(made(int(own[unit]), "unit", [unit]) for unit in found),
        *(made(name, "union", units) for name, units in named.items()),
        *(made(name, "best unit", [int(best[name])]) for name in range(len(names))),
    ]


def _chosen(
    study: Study, networks: list[str], hands: dict[str, list[str]], progress: bool
) -> dict[str, AutomaticLabels]:
    """Every unit of the layers to read by beside what can be located, on the first hand."""
    known = study.annotations
    assert known is not None  # `deal` has told

    def make(names: list[str]) -> list[AutomaticLabels]:
        nets = [study.networks[name] for name in names]
        layers = [reading_layers(net) for net in nets]
        return label_networks(
            nets, known, layers, hands["choose"], kinds=located_kinds(known), progress=progress
        )

    return load_or_compute({name: _kept_at(study, name, hands, "-names") for name in networks}, make)


def _kept_at(study: Study, network: str, hands: dict[str, list[str]], what: str = "") -> Path:
    key = _key(study, study.networks[network], hands)
    return study.cache / "localization" / f"{network}-{key}{what}.npz"


def _fields(study: Study, network: str) -> dict[str, Any]:
    """The empirical fields that the atlas holds of the layers read; nothing is computed for it."""
    if network not in PAIR:
        return {}
    part = open_atlas(study).part(network)
    return {layer: part.held(layer) for layer in reading_layers(study.networks[network])}


def _key(study: Study, network: Network, hands: dict[str, list[str]]) -> str:
    """Names everything that is kept depends on: weights, preprocessing, photographs, annotations, rules."""
    assert study.annotations is not None
    digest = hashlib.sha256(file_digests(study.annotations)).hexdigest()
    parts = [VERSION, LABELS_VERSION, str(network.weights_hash), stable_text(network.preprocessing)]
    text = json.dumps([*parts, digest, hands, reading_layers(network)])
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def _packed(calibration: Calibration, scores: DetectorScores) -> bytes:
    target = io.BytesIO()
    about = {
        "network": calibration.network,
        "weights": calibration.weights,
        "units": calibration.units.to_dict("list"),
        "detectors": scores.detectors.to_dict("list"),
        "images": scores.images,
        "boxes": scores.boxes.to_dict("list"),
    }
    ends = np.cumsum([len(one.response) for one in calibration.curves])
    curves = np.concatenate([np.stack(one) for one in calibration.curves], 1)
    merged = {f"merged-{layer}": np.stack(one) for layer, one in calibration.merged.items()}
    arrays = {name: getattr(scores, name) for name in ("peaks", "pixels", "bins")}
    text = json.dumps(about, default=_plain)
    everything: dict[str, Any] = {"ends": ends, "curves": curves, **merged, **arrays}
    np.savez_compressed(target, about=np.frombuffer(text.encode(), np.uint8), **everything)
    return target.getvalue()


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else list(value)


def _read(path: Path) -> tuple[Calibration, DetectorScores] | None:
    """What was kept; None where there is nothing that can be read."""
    try:
        with np.load(path, allow_pickle=False) as file:
            about = json.loads(file["about"].tobytes())
            parts = np.split(file["curves"], file["ends"][:-1], axis=1)
            arrays = {name: file[name] for name in ("peaks", "pixels", "bins")}
            merged = {
                name.removeprefix("merged-"): Curve(*file[name])
                for name in file
                if name.startswith("merged-")
            }
        table = pd.DataFrame(about["detectors"])
        table["units"] = [tuple(units) for units in table["units"]]
        boxes = pd.DataFrame(about["boxes"], columns=["layer", "concept", "confidence", "right"])
        curves = tuple(Curve(*part) for part in parts)
        calibration = Calibration(
            about["network"], about["weights"], pd.DataFrame(about["units"]), curves, merged
        )
        scores = DetectorScores(table, tuple(about["images"]), boxes=boxes, **arrays)
        return calibration, scores
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        return None

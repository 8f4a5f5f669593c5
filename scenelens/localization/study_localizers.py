"""Section 4.2 for a study: split the images, name the units, calibrate them, score them; all of it cached.

The annotated images of scenes are randomly split into three sets: selection, calibration, test. On the
selection set, half of the images, units get their names and thresholds. On the calibration set, their
responses are calibrated. On the test set, everything is scored. No image serves two purposes: a unit that was
chosen because it fits some images would be overrated on these very images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd

from scenelens.caches import cached
from scenelens.errors import CannotAnswerError
from scenelens.files import ArrayFile, cache_key, digest, file_name, stable_text
from scenelens.labels import (
    LABELS_VERSION,
    LEAST_IMAGES,
    LEAST_IOU,
    AutomaticLabels,
    label_networks,
)
from scenelens.localization.boxes import LabelledUnits
from scenelens.localization.calibration import Calibration, Curve
from scenelens.localization.localizer import Localization, Localizer
from scenelens.localization.scored_detector import ScoredDetector
from scenelens.localization.scores import BOX_COLUMNS, DetectorScores
from scenelens.localization.shared_frames import _SharedFrames
from scenelens.networks import Network
from scenelens.receptive_fields import EmpiricalRF, open_atlas
from scenelens.studies import Study, network_variant, variant_parts
from scenelens.unfinished import Unfinished

# Of the cached names of units, and of the other cached results: raise one when a rule changes its numbers.
_NAMES_VERSION, _VERSION = 1, 2
_NAMES = "-names"  # what the file of the units' names is called
_PAPER_LAYERS = ("pool2", "conv4", "pool5")  # Figure 10
_MOST = {"selection": 1000, "calibration": 500, "test": 500}  # images
ENOUGH = LEAST_IMAGES  # images that show an object, and that do not: with fewer, chance decides its AP
# Images of scenes from which on the test's quarter is enough: ENOUGH with an object and ENOUGH without.
_FEWEST = 1 + max(n for n in range(100) if n - n // 2 - n // 4 < 2 * ENOUGH)

#: Set of images ("selection", "calibration", "test") -> ids of images.
Splits = dict[str, list[str]]


@dataclass(frozen=True)
class StudyLocalizer:
    """One network of a study, ready to find objects in images, and how well it does.

    Attributes
    ----------
    localizer : Localizer
        Finds objects in an image when it is called with one.
    automatic : AutomaticLabels
        What was measured of the network's units on the selection set, which their names come from.
    scores : DetectorScores
        Of its detectors and boxes, on the test set.
    splits : dict of str to list of str
        ``"selection"``, ``"calibration"``, ``"test"`` -> ids of images.
    units : LabelledUnits
        All named units, also those that could not be calibrated.
    """

    localizer: Localizer
    automatic: AutomaticLabels
    scores: DetectorScores
    splits: Splits
    units: LabelledUnits

    def __call__(self, image: np.ndarray) -> Localization:
        """Name the scene and find objects in one image, in one forward pass.

        Parameters
        ----------
        image : numpy.ndarray
            uint8 RGB (h, w, 3).

        Returns
        -------
        Localization
            The scene and the boxes.
        """
        return self.localizer(image)

    def with_thresholds(self, labels: pd.DataFrame) -> pd.DataFrame:
        """Add thresholds to labels from any source, such as people's, so that they can be calibrated.

        Parameters
        ----------
        labels : pandas.DataFrame
            In the schema of ``labels.COLUMNS``.

        Returns
        -------
        pandas.DataFrame
            The labels of this network's layers that were measured, with a column ``threshold``: the response
            above which each unit is active.
        """
        return _with_thresholds(labels, self.automatic)

    def objects(self, how: str = "best unit", intervals: bool = True) -> pd.DataFrame:
        """Return the scores for the objects that enough test images show, and enough do not.

        Parameters
        ----------
        how : str, optional
            Which detectors: ``"unit"``, ``"best unit"`` (the default) or ``"union"``.
        intervals : bool, optional
            Whether to compute the intervals too, which takes a while (default True).

        Returns
        -------
        pandas.DataFrame
            Rows of `DetectorScores.table`, of the objects that at least five test images show and at least
            five do not show, best AP first.
        """
        table = self.scores.table(how, intervals)
        enough = (table.images >= ENOUGH) & (table.n - table.images >= ENOUGH)
        return table[enough].sort_values("ap", ascending=False, ignore_index=True)

    def named_objects(self) -> pd.DataFrame:
        """Return the rows of `objects` whose objects gave a unit its name (IoU above 0.04).

        Returns
        -------
        pandas.DataFrame
            Best AP first, without intervals.
        """
        detectors = self.scores.detectors
        named = set(detectors.concept[detectors.how == "union"])
        table = self.objects(intervals=False)
        return table[table.concept.isin(named)].reset_index(drop=True)

    def too_few(self) -> CannotAnswerError:
        """Why no object can be scored on the test images, and how many annotated images could be enough.

        Returns
        -------
        CannotAnswerError
            The sentence, for the caller to raise.
        """
        # An image counts only where its annotators know the object.
        n = int(self.scores.table(intervals=False).n.max())
        text = f"no object is on {ENOUGH} test images and missing from {ENOUGH}, so chance would decide how "
        if n < 2 * ENOUGH:
            return CannotAnswerError(
                f"{text}well it is found: no object is judged on more than {n} images. A quarter of the "
                "annotated "
                f"scenes is the test, so {_FEWEST} of one set of annotations are needed."
            )
        return CannotAnswerError(f"{text}well it is found: annotate scenes that differ in their objects.")

    @staticmethod
    def of(study: Study, network: str = "", progress: bool = True) -> StudyLocalizer:
        """Return one network of a study, ready to find objects in images.

        The first time this takes about two minutes where there are thousands of images; then it is read from
        the cache.

        Parameters
        ----------
        study : Study
            A study with annotations.
        network : str, optional
            The network's name in the study (default its main one, see `StudyNetworks.main`).
        progress : bool, optional
            Whether to show progress bars (default True).

        Returns
        -------
        StudyLocalizer
            Named, calibrated and scored.

        Raises
        ------
        SceneLensError
            If there is no such network; CannotAnswerError if the study has no annotations, or fewer than four
            annotated images of scenes.
        """
        name = network or study.networks.main
        return _open(study, [name], progress)[name]


#: What is open of each study, by network.
_OPEN: WeakKeyDictionary[Study, dict[tuple[str, str], StudyLocalizer]] = WeakKeyDictionary()


def open_localizers(study: Study, progress: bool = True) -> dict[str, StudyLocalizer]:
    """Return every network of a study, ready to find objects in images.

    Parameters
    ----------
    study : Study
        Any study.
    progress : bool, optional
        Whether to show progress bars (default True).

    Returns
    -------
    dict of str to StudyLocalizer
        By network. One whose units cannot be named or calibrated is left out, unless it is the main one.

    Raises
    ------
    SceneLensError
        CannotAnswerError if the study has no annotations, or fewer than four annotated images of scenes.
    """
    return _open(study, list(study.networks), progress)


def _open(study: Study, networks: Sequence[str], progress: bool) -> dict[str, StudyLocalizer]:
    opened = _OPEN.setdefault(study, {})
    variants = {name: network_variant(study.networks[name], _folder(study)) for name in networks}
    missing = [name for name, variant in variants.items() if (name, variant) not in opened]
    failed: dict[str, CannotAnswerError] = {}
    if missing:
        splits, frames = _split_images(study), _SharedFrames(study.need_annotations())
        for name, automatic in _automatic_labels(study, missing, splits, progress).items():
            try:
                opened[name, variants[name]] = _study_localizer(
                    study, name, splits, automatic, frames, progress
                )
            except CannotAnswerError as why:  # the other networks can still be looked at
                failed[name] = why
    if failed and (study.networks.main in failed or len(failed) == len(networks)):
        raise next(iter(failed.values()))
    return {name: opened[name, variant] for name, variant in variants.items() if name not in failed}


def _folder(study: Study) -> Path:
    return study.cache / "localization"


def _study_localizer(
    study: Study,
    name: str,
    splits: Splits,
    automatic: AutomaticLabels,
    frames: _SharedFrames,
    progress: bool,
) -> StudyLocalizer:
    network, annotations = study.networks[name], study.need_annotations()
    units = LabelledUnits.prepare(network, _named_units(automatic), _fields(study, name), automatic.layers)
    path = _cache_path(study, name, splits)

    def make() -> tuple[Calibration, DetectorScores]:
        stamps = AutomaticLabels.stamps(annotations)
        frames.expect(stamps)
        # The squares of measured fields decide which boxes merge, and are no part of the path's key.
        about = digest(stable_text([[one.squares for one in units.layers.values()], *splits.values()]))
        observing = Unfinished(path, "calibration", about, stamps)
        calibration = Calibration.fit(units, annotations, splits["calibration"], progress, observing, frames)
        localizer, detectors = Localizer(network, units, calibration), _detectors(automatic)
        counting = Unfinished(path, "scores", about, stamps)
        return calibration, DetectorScores.measure(
            units, annotations, detectors, splits["test"], localizer, progress, counting, frames
        )

    calibration, scores = cached(path, make, _pack, _unpack)
    return StudyLocalizer(Localizer(network, units, calibration), automatic, scores, splits, units)


def _split_images(study: Study, seed: int = 0) -> Splits:
    """The annotated images of scenes, randomly split: selection (half), calibration and test (a quarter
    each), but no more than 1,000, 500 and 500 images."""
    scenes = study.scene_images()
    several = len(study.annotation_sets) > 1
    splits: Splits = {name: [] for name in _MOST}
    for name in study.annotation_sets:  # each set by itself, so that each split has a part of it
        own = [image for image in scenes if not several or image.startswith(f"{name}/")]
        order = [own[k] for k in np.random.default_rng(seed).permutation(len(own))]
        half, quarter = len(order) // 2, len(order) // 4
        splits["selection"] += order[:half]
        splits["calibration"] += order[half : half + quarter]
        splits["test"] += order[half + quarter :]
    if not all(splits.values()):
        raise CannotAnswerError(
            f"{len(scenes)} annotated image{'' if len(scenes) == 1 else 's'} of scenes cannot be split "
            "into a "
            "selection, a calibration and a test set: at least 4 of one set of annotations are needed, and "
            f"{_FEWEST} before any object can be scored."
        )
    return {name: images[: _MOST[name]] for name, images in splits.items()}


def _layers(network: Network) -> list[str]:
    """Three layers in which to find objects: the paper's pool2, conv4 and pool5 where the network has them,
    else three of its main layers that have a map, up to the deepest."""
    if set(_PAPER_LAYERS) <= set(network.layers.layer):
        return list(_PAPER_LAYERS)
    main = [layer for layer in network.main_layers(6) if network.layer_shape(layer)[1:] != (1, 1)]
    if not main:
        raise CannotAnswerError(
            f"no layer of the {network.name} network has a map, so its units have no place."
        )
    # Not the very first layer: its units respond to edges and colours, which are no objects.
    places = np.linspace(min(1, len(main) - 1), len(main) - 1, min(3, len(main))).round().astype(int)
    return [main[k] for k in dict.fromkeys(places.tolist())]


def _automatic_labels(
    study: Study, networks: list[str], splits: Splits, progress: bool
) -> dict[str, AutomaticLabels]:
    """How well every unit of the chosen layers fits every concept that has a place, on the selection set."""
    annotations = study.need_annotations()

    def make(names: list[str]) -> list[AutomaticLabels]:
        nets = [study.networks[name] for name in names]
        layers, kinds = [_layers(net) for net in nets], _SharedFrames.kinds(annotations)
        # All networks at once, so that each image is decoded and its annotation is drawn only once.
        kept, images = [paths[name] for name in names], splits["selection"]
        return label_networks(nets, annotations, layers, images, kinds=kinds, progress=progress, keep_at=kept)

    paths = {name: _cache_path(study, name, splits, _NAMES) for name in networks}
    return AutomaticLabels.load_or_compute(paths, make)


def _named_units(automatic: AutomaticLabels) -> pd.DataFrame:
    """`_name_units`, or why there are none."""
    labels, name = _name_units(automatic), automatic.network
    if not (automatic.concepts.kind == "objects").any():
        raise CannotAnswerError(
            f"the annotations name no object on the {automatic.n_images} images by which units get their "
            "names: "
            "outline and name objects on more images."
        )
    if labels.empty:
        raise CannotAnswerError(
            f"no unit of the {name} network is active where anything is annotated, on those of the "
            f"{automatic.n_images} labelling images that did not choose its name, so none gets a name: "
            "annotate more images, or look at the network's weights and preprocessing."
        )
    return labels


def _name_units(automatic: AutomaticLabels) -> pd.DataFrame:
    """Each unit's best concept by IoU, among objects, parts and materials, with its threshold: of the units
    whose IoU is above 0.04 (Network Dissection's rule), and of each layer's best unit where none is."""
    labels = automatic.labels("iou", least_images=1)  # the test set will say what the names are worth
    best = labels.groupby("layer").iou.transform("max")
    labels = labels[(labels.iou > LEAST_IOU) | (labels.iou == best)].reset_index(drop=True)
    return _with_thresholds(labels, automatic)


def _with_thresholds(labels: pd.DataFrame, automatic: AutomaticLabels) -> pd.DataFrame:
    own = labels[(labels.network == automatic.network) & labels.layer.isin(automatic.layers)]
    own = own.reset_index(drop=True)
    values = [automatic.counts[row.layer].thresholds[row.unit] for row in own.itertuples()]
    return own.assign(threshold=np.array(values, float))


def _detectors(automatic: AutomaticLabels) -> list[ScoredDetector]:
    """The detectors of the deepest layer: each unit as detector of its best object where the IoU is above
    0.04, all these units of an object together, and for each object the best unit of the layer."""
    layer = automatic.layers[-1]
    objects = automatic.concepts.index[automatic.concepts.kind == "objects"].to_numpy()
    iou = np.nan_to_num(automatic.measures(layer)["iou"][:, objects])
    names = automatic.concepts.concept.to_numpy()[objects]
    levels = automatic.counts[layer].thresholds
    # The best object of each unit, and the best unit of each object: not the same pairs. A network is
    # compared with others by the second, which gives every object one detector in every network.
    own, best = iou.argmax(1), iou.argmax(0)

    def made(name: int, how: str, units: list[int]) -> ScoredDetector:
        thresholds = tuple(float(levels[unit]) for unit in units)
        return ScoredDetector(str(names[name]), "objects", how, layer, tuple(units), thresholds)

    found = [int(unit) for unit in np.flatnonzero(iou.max(1) > LEAST_IOU)]
    named = {
        name: [unit for unit in found if own[unit] == name] for name in sorted({int(own[u]) for u in found})
    }
    return [
        *(made(int(own[unit]), "unit", [unit]) for unit in found),
        *(made(name, "union", units) for name, units in named.items()),
        *(made(name, "best unit", [int(best[name])]) for name in range(len(names))),
    ]


def _fields(study: Study, network: str) -> dict[str, dict[int, EmpiricalRF]]:
    """The receptive fields that the atlas already has of the chosen layers; none is measured for this."""
    atlas = open_atlas(study)
    if network not in atlas.parts:
        return {}
    part = atlas.part(network)
    return {layer: part.cached(layer) for layer in _layers(study.networks[network])}


def _cache_path(study: Study, name: str, splits: Splits, what: str = "") -> Path:
    """The cache file of a network's results; its name has a key of all that they depend on.

    The measured fields are not part of it: they set the size of boxes, while the counts that are cached go by
    the strongest positions. (Which boxes merge depends on the fields a little; this is accepted.)
    """
    network = study.networks[name]
    assert study.annotations is not None  # `_split_images` has raised
    version = _NAMES_VERSION if what == _NAMES else _VERSION
    parts = [version, LABELS_VERSION, str(network.weights_hash), network.preprocessing.key_text()]
    # The sets were called by other names once. The key keeps them, so that files from then stay valid.
    images = dict(zip(("choose", "calibrate", "judge"), splits.values(), strict=True))
    variant = variant_parts(network, _folder(study))

    def named(digests: bytes) -> Path:
        key = cache_key([*parts, digest(digests), images, _layers(network), *variant], 20)
        return _folder(study) / f"{file_name(name)}-{key}{what}.npz"

    return AutomaticLabels.cache_path(study.annotations, named)


def _pack(results: tuple[Calibration, DetectorScores]) -> bytes:
    calibration, scores = results
    about = {
        "network": calibration.network,
        "weights": calibration.weights,
        "units": calibration.units.to_dict("list"),
        "scenes": calibration.scenes.to_dict("list"),
        "detectors": scores.detectors.to_dict("list"),
        "images": scores.images,
        "boxes": {name: scores.boxes[name].tolist() for name in ("layer", "concept")},
    }
    arrays = {
        # The curves have different lengths: one array, and where each of them ends in it.
        "ends": np.cumsum([len(one.response) for one in calibration.curves]),
        "curves": np.concatenate([one.points for one in calibration.curves], 1),
        **{f"box {name}": scores.boxes[name].to_numpy() for name in _numbers(scores.boxes)},
        **{name: getattr(scores, name) for name in ("peaks", "pixels", "bins")},
    }
    return ArrayFile.pack(about, arrays, default=_as_json)


def _numbers(boxes: pd.DataFrame) -> list[str]:
    return [name for name in BOX_COLUMNS if name not in ("layer", "concept")]


def _as_json(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else list(value)


def _unpack(content: bytes) -> tuple[Calibration, DetectorScores]:
    about, arrays = ArrayFile.unpack(content)
    parts = np.split(arrays["curves"], arrays["ends"][:-1], axis=1)
    units, scenes = pd.DataFrame(about["units"]), pd.DataFrame(about["scenes"])
    curves = tuple(Curve(*part) for part in parts)
    calibration = Calibration(about["network"], about["weights"], units, curves, scenes)
    detectors = pd.DataFrame(about["detectors"])
    detectors["units"] = [tuple(units) for units in detectors["units"]]
    columns = {name: arrays.get(f"box {name}", about["boxes"].get(name)) for name in BOX_COLUMNS}
    boxes = pd.DataFrame(columns)
    counts = {name: arrays[name] for name in ("peaks", "pixels", "bins")}
    return calibration, DetectorScores(detectors, tuple(about["images"]), boxes=boxes, **counts)

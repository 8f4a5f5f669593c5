"""Labels for all units without a person: each unit's active region beside every annotated concept.

Network Dissection's protocol: a unit is active where its interpolated map exceeds a threshold that only 0.5%
of its responses exceed; its label is the concept with which these pixels overlap best. Images stream through
the network once. Of each there remains what `active_pixels` counts, and one number per unit, the peak, which
waits in a temporary file for the detection AP. Memory does not grow with the number of images, but for a few
bytes each.

The thresholds must be known before anything can be counted, so they come first, from a seeded sample of the
images (all of them, where there are no more than the sample holds). The sample's maps are kept in memory as
far as they fit, and then need no second forward pass.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scenelens.active_pixels import Axis, axis
from scenelens.annotations import Annotations
from scenelens.automatic_labels import AutomaticLabels
from scenelens.concept_maps import ConceptMaps
from scenelens.errors import SceneLensError, close_names
from scenelens.label_pass import Peaks, ShownConcepts, UnitCounts, count_all
from scenelens.layer_maps import KEPT_BYTES, Announcer, LayerMaps

if TYPE_CHECKING:
    from scenelens.networks import Network

SAMPLE = 512  # images that the thresholds come from
TOP = 60  # images that people were shown; precision is a share of these


def label_units(
    network: Network,
    annotations: Annotations,
    layers: Sequence[str] | None = None,
    images: Sequence[str] | None = None,
    **how: Any,
) -> AutomaticLabels:
    """Measure every unit of some layers beside every concept that the images' annotations hold.

    Parameters
    ----------
    network, annotations : what is looked at, and through which truth.
    layers : without it, those of `network.main_layers()` that have maps.
    images : ids in `annotations`; without it all.
    how : quantile, kinds, sample, n_top, placement, seed, progress; see `label_networks`.

    Returns
    -------
    AutomaticLabels : all counts and measures; `.labels()` gives each unit's best concept.

    Raises
    ------
    SceneLensError : a layer without a map or that is not there, no readable image, a quantile outside 0..1.

    Notes
    -----
    Section 3.3 asks people; this is what Bau, Zhou, Khosla, Oliva and Torralba did later (CVPR 2017). One
    pass over the images; those of the sample whose maps did not fit in 256 MB go through the network a second
    time.

    Examples
    --------
    >>> label_units(None, None, quantile=5)
    Traceback (most recent call last):
    ...
    scenelens.errors.SceneLensError: quantile=5 is a share of the responses, above 0 ...
    """
    return label_networks([network], annotations, [layers], images, **how)[0]


def label_networks(
    networks: Sequence[Network],
    annotations: Annotations,
    layers: Sequence[Sequence[str] | None] | None = None,
    images: Sequence[str] | None = None,
    quantile: float = 0.005,
    kinds: Sequence[str] | None = None,
    sample: int = SAMPLE,
    n_top: int = TOP,
    placement: str = "receptive field",
    seed: int = 0,
    progress: bool = True,
) -> list[AutomaticLabels]:
    """`label_units` of several networks; those that see the same frame share one reading of the annotations,
    which takes longer than a network.

    Parameters
    ----------
    networks, annotations : what is looked at, and through which truth.
    layers : of each network; without it, those of its `main_layers()` that have maps.
    images : ids in `annotations`; without it all.
    quantile : share of a unit's responses, over all positions and images, that lie above its threshold.
    kinds : of concepts, see `ConceptMaps`; without it all there are.
    sample : images that the thresholds come from, chosen by `seed`.
    n_top : images of the highest peaks, over which `precision` is a share.
    placement : where a map's positions lie in the frame: 'receptive field', at the centres of their
        theoretical receptive fields; 'resize', evenly, as an image is resized (Network Dissection Lite).

    Returns
    -------
    list of AutomaticLabels, each what `label_units` gives for its network alone.

    Raises
    ------
    SceneLensError : as `label_units`.
    """
    if not 0 < quantile < 1:
        raise SceneLensError(
            f"quantile={quantile} is a share of the responses, above 0 and below 1, such as 0.005."
        )
    if min(sample, n_top) < 1:
        raise SceneLensError(f"sample={sample} and n_top={n_top} are numbers of images, 1 or more.")
    asked = layers or [None] * len(networks)
    chosen = [_layers(network, names) for network, names in zip(networks, asked, strict=True)]
    ids = _images(annotations, images)
    order = [ids[k] for k in np.random.default_rng(seed).permutation(len(ids))]
    how = {"sample": min(sample, len(order)), "placement": placement, "seed": seed}
    found: dict[int, AutomaticLabels] = {}
    for numbers in _same_frames(networks):
        shown = ShownConcepts(ConceptMaps(annotations, networks[numbers[0]], kinds))
        say, room = Announcer(progress), KEPT_BYTES // len(numbers)
        with tempfile.TemporaryDirectory(prefix="scenelens-") as folder:
            counts = []
            for k in numbers:
                forward = LayerMaps(networks[k], chosen[k], say, room)
                thresholds = forward.calibrate(annotations, order[:sample], quantile)
                axes = {layer: map_axes(networks[k], layer, placement) for layer in chosen[k]}
                peaks, n_kinds = Peaks(Path(folder) / str(k)), len(shown.concepts.kinds)
                counts.append(UnitCounts(forward, thresholds, axes, peaks, n_top, n_kinds))
            count_all(counts, shown, order)
            found |= {k: one.result(shown, quantile, how) for k, one in zip(numbers, counts, strict=True)}
    return [found[k] for k in range(len(networks))]


def _same_frames(networks: Sequence[Network]) -> list[list[int]]:
    """The networks' numbers, in groups that see the same frame of a photograph."""
    groups: dict[object, list[int]] = {}
    for k, network in enumerate(networks):
        groups.setdefault(network.preprocessing.framing, []).append(k)
    return list(groups.values())


def _layers(network: Network, layers: Sequence[str] | None) -> list[str]:
    names = list(network.main_layers() if layers is None else layers)
    flat = [name for name in names if network.layer_shape(name)[1:] == (1, 1)]
    if flat and layers is not None:
        raise SceneLensError(f"layer {flat[0]!r} has no map, so no region; take one whose map is not (1, 1).")
    chosen = [name for name in names if name not in flat]
    if not chosen:
        raise SceneLensError("no layer to label; name some that have maps, see network.layers.")
    return chosen


def _images(annotations: Annotations, images: Sequence[str] | None) -> list[str]:
    ids = list(annotations if images is None else images)
    known = set(annotations.images)
    for image in ids:
        if image not in known:
            raise SceneLensError(f"no annotated image {image!r}; {close_names(image, annotations.images)}.")
    if not ids:
        raise SceneLensError("there are no annotated images to label units with.")
    return ids


def map_axes(network: Network, layer: str, placement: str = "receptive field") -> tuple[Axis, Axis]:
    """Where a layer's positions lie in the frame, for rows and for columns; see `label_units`."""
    if placement not in ("receptive field", "resize"):
        raise SceneLensError(f"no placement {placement!r}; take 'receptive field' or 'resize'.")
    shape, size = network.layer_shape(layer)[1:], network.input_size
    strides = [length / n for length, n in zip(size, shape, strict=True)]
    starts = [(stride - 1) / 2 for stride in strides]
    if placement == "receptive field":
        row = network.layers.set_index("layer").loc[layer] if layer in set(network.layers.layer) else None
        if (
            row is not None and not np.isnan(np.atleast_1d(row.rf_stride)).any()
        ):  # else as an image is resized
            strides, starts = (np.broadcast_to(value, 2).tolist() for value in (row.rf_stride, row.rf_start))
    rows, columns = (axis(*place) for place in zip(shape, size, starts, strides, strict=True))
    return rows, columns

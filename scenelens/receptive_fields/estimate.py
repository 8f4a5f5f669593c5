"""Receptive fields: what of the image a unit uses, measured by occlusion (section 3.2 of the paper).

A discrepancy map says for one image where occluders change a unit's response. Units respond at different
places in different images, so each map is moved until the theoretical centre of its peak lies in the middle;
the average over the unit's top images is its empirical receptive field. `scenelens.networks.reach` says how large it
could be at most.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from torch import nn
from tqdm import tqdm

from scenelens.errors import SceneLensError
from scenelens.networks import Network, responses, theoretical_rf
from scenelens.receptive_fields.field import TABLE, EmpiricalRF
from scenelens.receptive_fields.occlusion.occlude import STRIDE, Occlusion
from scenelens.receptive_fields.occlusion.records import Discrepancy, Place

N_IMAGES = 25  # K in the paper


def estimate_rf(
    network: Network | nn.Module,
    layer: str,
    unit: int,
    images: Sequence[np.ndarray] | Iterable[np.ndarray],
    n_images: int = N_IMAGES,
    *,
    places: Sequence[Place] | None = None,
    occluder: np.ndarray | None = None,
    stride: int = STRIDE,
    seed: int = 0,
    progress: bool = False,
) -> EmpiricalRF:
    """A unit's empirical receptive field (Figure 3; its size is what Table 2 lists).

    Parameters
    ----------
    network, layer, unit : the unit.
    images : uint8 RGB (h, w, 3) each, the unit's top images, best first, as `ActivationIndex.top_images`
        names them. Of more than `n_images` those with the highest peaks are taken.
    n_images : how many images to average over.
    places : for each image the peak's (row, col) in the layer's map, where known (the index knows it).
    occluder, stride, seed : see `scenelens.discrepancy_map`.
    progress : show a bar.

    Returns
    -------
    EmpiricalRF : `.map` (H, W), `.size` in pixels with `.interval`, `.maps`, `.centers` and more. A unit
        that responds to none of the images has size NaN and says so in `.reason`.

    Raises
    ------
    SceneLensError : no image, an unknown layer or unit.

    Notes
    -----
    K in the paper is `n_images`. Images on which the unit's peak is exactly 0 are left out (`.images` names
    those kept). Of equal peaks in one image the first in reading order counts. The size is the side of the
    square of equal area to {map >= half of its maximum}.

    Examples
    --------
    >>> import torch
    >>> net = nn.Sequential(nn.Conv2d(3, 1, 5, bias=False), nn.ReLU())
    >>> _ = nn.init.ones_(net[0].weight)
    >>> images = torch.rand(4, 3, 33, 33)
    >>> rf = estimate_rf(net, "0", 0, images, occluder=np.zeros((1, 1, 3)), stride=1)
    >>> rf.map.shape, rf.theoretical.size
    ((33, 33), 5)
    """
    occlusion = Occlusion(network, layer, occluder, stride, seed)
    return _estimate(occlusion, unit, list(images), n_images, places, progress)


def estimate_rfs(
    network: Network | nn.Module,
    layer: str,
    units: Sequence[int],
    images_of: Callable[[int], Iterable[np.ndarray]],
    n_images: int = N_IMAGES,
    *,
    stride: int = STRIDE,
    seed: int = 0,
    progress: bool = True,
) -> dict[int, EmpiricalRF]:
    """The empirical receptive fields of several units of a layer: unit -> `EmpiricalRF`.

    Parameters
    ----------
    images_of : unit -> its top images, best first; called when the unit's turn comes.
    progress : a bar, and before it about how long it will take, measured on one image.

    Other parameters are `estimate_rf`'s; `rf_table` makes a table of the result.
    """
    occlusion, found = Occlusion(network, layer, None, stride, seed), {}
    for number, unit in enumerate(tqdm(units, desc=f"fields of {layer}", unit="unit", disable=not progress)):
        images = list(images_of(unit))
        if number == 0 and progress and images:
            began = time.perf_counter()
            occlusion.of(images[0], [unit])
            minutes = (time.perf_counter() - began) * n_images * len(units) / 60
            tqdm.write(f"{len(units)} units of {layer} on {n_images} images each: about {minutes:.1f} min")
        found[unit] = _estimate(occlusion, unit, images, n_images, None, False)
    return found


def rf_table(fields: Iterable[EmpiricalRF]) -> pd.DataFrame:
    """One row per unit: unit, n_images, size and its 95% interval low and high (pixels), theoretical
    (pixels), share (size / theoretical), peak (the highest over the images), reason (why size is NaN; else
    empty)."""
    return pd.DataFrame([field.row for field in fields], columns=TABLE)


def _estimate(
    occlusion: Occlusion,
    unit: int,
    images: list,
    n_images: int,
    places: Sequence[Place] | None,
    progress: bool,
) -> EmpiricalRF:
    if not images:
        raise SceneLensError(
            "a receptive field needs images: give the unit's top images, see index.top_images."
        )
    if places is not None and len(places) != len(images):
        raise SceneLensError(f"{len(places)} places for {len(images)} images: give one (row, col) for each.")
    if len(images) > n_images:
        chosen = _highest(occlusion, unit, images, n_images)
    else:
        chosen = list(range(len(images)))
        if len(images) < n_images:
            text = f"{n_images} images were asked for and {len(images)} given: the average is over these."
            warnings.warn(text, stacklevel=3)
    found = []
    for number in tqdm(chosen, desc=f"{occlusion.layer}:{unit}", unit="image", disable=not progress):
        place = None if places is None else places[number]
        found.append((number, occlusion.of(images[number], [unit], [place])[0]))
    return _field(occlusion, unit, images[0], [one for one in found if one[1].peak != 0], n_images)


def _field(
    occlusion: Occlusion, unit: int, image: Any, found: list[tuple[int, Discrepancy]], asked: int
) -> EmpiricalRF:
    network = occlusion.network
    size = tuple(image.shape[-2:]) if isinstance(network, nn.Module) else network.input_size
    field = theoretical_rf(network, occlusion.layer, size)
    seen = [one for _, one in found]
    n_y, n_x = ((size[axis] - occlusion.occluder.shape[axis]) // occlusion.stride + 1 for axis in (0, 1))
    return EmpiricalRF(
        layer=occlusion.layer,
        unit=int(unit),
        maps=np.stack([one.map for one in seen]) if seen else np.zeros((0, n_y, n_x), np.float32),
        places=np.array([one.place for one in seen], int).reshape(-1, 2),
        peaks=np.array([one.peak for one in seen], np.float32),
        centers=np.array([field.center(*one.place) for one in seen], float).reshape(-1, 2),
        images=np.array([number for number, _ in found], int),
        input_size=size,
        occluder=occlusion.occluder.shape[:2],
        stride=occlusion.stride,
        theoretical=field,
        asked=asked,
    )


def _highest(occlusion: Occlusion, unit: int, images: list, n: int) -> list[int]:
    """Which images have a unit's n highest peaks, highest first."""
    peaks = [float(responses(occlusion.network, occlusion.layer, unit, image).max()) for image in images]
    return [int(one) for one in np.argsort(-np.array(peaks), kind="stable")[:n]]

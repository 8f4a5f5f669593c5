"""Measure a unit's empirical receptive field by occlusion (section 3.2 of the paper).

A discrepancy map says for one image where occluders change a unit's response. Units respond at different
places in different images, so each map is moved until the theoretical centre of the peak lies in the middle.
The average over the unit's top images is its empirical receptive field. How large it could be at most is
computed by `scenelens.networks.theoretical_rf`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from torch import nn
from tqdm import tqdm

from scenelens.errors import SceneLensError
from scenelens.networks import RF, Network, responses, theoretical_rf
from scenelens.receptive_fields.field import DiscrepancyMaps, EmpiricalRF
from scenelens.receptive_fields.occlusion.occlude import STRIDE, Occlusion
from scenelens.receptive_fields.occlusion.records import Discrepancy, Place
from scenelens.unfinished import Packed, Unfinished

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
    work: Unfinished | None = None,
    measured: Callable[[int], Discrepancy] | None = None,
) -> EmpiricalRF:
    """Measure a unit's empirical receptive field (Figure 3; Table 2 lists its size).

    Parameters
    ----------
    network : Network or torch.nn.Module
        The network.
    layer : str
        The unit's layer.
    unit : int
        The unit's number, from 0.
    images : sequence or iterable of numpy.ndarray
        uint8 RGB (h, w, 3) each: the unit's top images, best first, as `ActivationIndex.top_images` names
        them. Of more than `n_images` those with the highest peaks are taken.
    n_images : int, optional
        How many images to average over, K in the paper (default 25).
    places : sequence of tuple of int, optional
        For each image the peak's (row, column) in the layer's map, where it is known (the index knows it). By
        default it is searched for.
    occluder : numpy.ndarray, optional
        uint8 (h, w, 3); by default 11x11 pixels of random noise.
    stride : int, optional
        Pixels between neighbouring occluders (default 3).
    seed : int, optional
        Seed of the random noise.
    progress : bool, optional
        Whether to show a progress bar.
    work : Unfinished, optional
        Keeps the images' maps so far, and has those that an earlier process measured of the same images.
    measured : callable, optional
        Gives the map of the image of a number, where several units are measured together. By default each is
        measured now.

    Returns
    -------
    EmpiricalRF
        ``.map`` (H, W), ``.mask`` (H, W), ``.size`` in pixels with its ``.interval``; and of the single
        images the ``.maps`` (n, n_y, n_x) and ``.centers`` (n, 2). A unit that responds to none of the images
        has size NaN and says why in ``.reason``.

    Raises
    ------
    SceneLensError
        If there is no image, or no such layer or unit.

    Notes
    -----
    Images on which the unit's peak is exactly 0 are left out; ``.images`` lists the others. Of ties within
    one image the first peak in reading order counts. The size is the side of the square of the same area as
    {map >= half of its maximum}.

    Examples
    --------
    >>> import torch
    >>> net = nn.Sequential(nn.Conv2d(3, 1, 5, bias=False), nn.ReLU())
    >>> _ = nn.init.ones_(net[0].weight)
    >>> images = torch.rand(4, 3, 33, 33)
    >>> rf = estimate_rf(net, "0", 0, images, n_images=4, occluder=np.zeros((1, 1, 3)), stride=1)
    >>> rf.map.shape, rf.theoretical.size
    ((33, 33), 5)
    """
    images = list(images)
    _check(images, places)
    size = tuple(images[0].shape[-2:]) if isinstance(network, nn.Module) else network.input_size
    # Before the work: an unknown layer, and one whose units have no place, are refused here.
    theoretical = _theoretical(network, layer, size)
    occlusion = Occlusion(network, layer, occluder, stride, seed)
    chosen = list(range(len(images)))
    if len(images) > n_images:
        chosen = _highest(occlusion, unit, images, n_images)
    elif len(images) < n_images:
        text = f"{n_images} images were wanted and {len(images)} given: the average is over these."
        warnings.warn(text, stacklevel=2)
    work = work or Unfinished(None, "")
    maps = _measured(work, unit)
    kept = len(maps)
    for number in tqdm(chosen[kept:], desc=f"{layer}:{unit}", unit="image", disable=not progress):
        place = None if places is None else places[number]
        one = measured(number) if measured else occlusion.of(images[number], [unit], [place])[0]
        maps.append(one)
        if work.due:
            work.save(len(maps), (None, {}), _packed(maps[kept:]))
            kept = len(maps)
    found = list(zip(chosen, maps, strict=True))
    # an image on which the unit is silent has no peak, so no place to centre its map at
    active = [one for one in found if one[1].peak != 0]
    return _field(occlusion, unit, theoretical, size, active, n_images)


def _packed(maps: list[Discrepancy]) -> Packed:
    return [(one.place, float(one.peak)) for one in maps], {"maps": np.stack([one.map for one in maps])}


def _measured(work: Unfinished, unit: int) -> list[Discrepancy]:
    """What an earlier process measured: `_packed` undone."""
    return [
        Discrepancy(values, unit, (int(row), int(col)), peak)
        for about, arrays in work.parts
        for values, ((row, col), peak) in zip(arrays["maps"], about, strict=True)
    ]


def _theoretical(network: Network | nn.Module, layer: str, size: tuple[int, int]) -> RF:
    """What a unit can see at most. Where a network's layer hides it, that is the whole image, and the
    positions of its map are taken as spread evenly."""
    if isinstance(network, nn.Module) or network.layer_shape(layer)[1:] == (1, 1):
        return theoretical_rf(network, layer, size)
    try:
        return theoretical_rf(network, layer, size)
    except SceneLensError:
        start, stride = network.grid(layer)
        return RF(size, stride, start, whole=True)


def _check(images: list, places: Sequence[Place] | None) -> None:
    if not images:
        raise SceneLensError(
            "a receptive field needs images: give the unit's top images, see index.top_images."
        )
    if places is not None and len(places) != len(images):
        raise SceneLensError(f"{len(places)} places for {len(images)} images: give one (row, col) for each.")


def _field(
    occlusion: Occlusion,
    unit: int,
    theoretical: RF,
    size: tuple[int, int],
    found: list[tuple[int, Discrepancy]],
    asked: int,
) -> EmpiricalRF:
    maps = [one.map for _, one in found]
    n_y, n_x = ((size[axis] - occlusion.occluder.shape[axis]) // occlusion.stride + 1 for axis in (0, 1))
    evidence = DiscrepancyMaps(
        maps=np.stack(maps) if maps else np.zeros((0, n_y, n_x), np.float32),
        centers=np.array([theoretical.center(*one.place) for _, one in found], float).reshape(-1, 2),
        input_size=size,
        occluder=occlusion.occluder.shape[:2],
        stride=occlusion.stride,
    )
    return evidence.field(
        occlusion.layer,
        int(unit),
        theoretical,
        places=np.array([one.place for _, one in found], int).reshape(-1, 2),
        peaks=np.array([one.peak for _, one in found], np.float32),
        images=np.array([number for number, _ in found], int),
        asked=asked,
    )


def _highest(occlusion: Occlusion, unit: int, images: list, n: int) -> list[int]:
    """Which images have a unit's n highest peaks, highest first."""
    peaks = [float(responses(occlusion.network, occlusion.layer, unit, image).max()) for image in images]
    return [int(one) for one in np.argsort(-np.array(peaks), kind="stable")[:n]]

"""What changes in a unit when an occluder moves over the image (section 3.2 of the paper), exactly and fast.

The plain way runs the whole network once per occluder, 5,329 times for an image of 227 px. Nearly all of
that repeats what is known already: an occluder of 11 px changes a small window of each map, and one unit at
one position looks at a small window of each map. Here only the intersection of the two is computed, many
occluders at a time; everything else comes from one pass over the image without occluder. The result is the
plain loop's up to float rounding.

`scenelens.networks.graph` says what the network's steps are, `occlusion_plan` where the windows are,
`occlusion_steps` computes a step on windows, `occlusion_windows` reads them, and `occlusion_run` goes
through the steps.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from scenelens.errors import SceneLensError
from scenelens.networks import Network, Step, Untraceable, checked_image, layer_step, module_of, record
from scenelens.receptive_fields.occlusion.plain import Wanted, exactly, peak_places, plain_discrepancies
from scenelens.receptive_fields.occlusion.records import Discrepancy, Patches, Place
from scenelens.receptive_fields.occlusion.run import Watch

SIZE, STRIDE = 11, 3  # the paper's occluders


class Occlusion:
    """A layer of a network, ready to be occluded: for many units or images, where `discrepancy_map` is for
    one.

    Parameters
    ----------
    network : a Network, or any torch module that takes one batch of images.
    layer : any layer; with a bare module a module path.
    occluder : uint8 (h, w, 3) RGB; without it 11x11 px of random noise. With a bare module a float array (h,
        w, C) in the module's own terms.
    stride : pixels between neighbouring occluders. The first stands at pixel 0; none is cut off at the far
        edge.
    seed : of the random noise.

    Raises
    ------
    SceneLensError : an unknown layer (close names are given), or an occluder of a wrong kind.

    Examples
    --------
    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(2))
    >>> seen = Occlusion(net, "2", np.zeros((5, 5, 3)), stride=2).of(torch.rand(3, 32, 32), units=[0, 3])
    >>> seen[1].unit, seen[1].map.shape
    (3, (14, 14))
    """

    def __init__(
        self,
        network: Network | nn.Module,
        layer: str,
        occluder: np.ndarray | None = None,
        stride: int = STRIDE,
        seed: int = 0,
    ) -> None:
        if stride < 1:
            raise SceneLensError(f"stride={stride}: occluders have to move on by at least 1 pixel.")
        self.network, self.layer, self.stride = network, layer, int(stride)
        self.occluder = noise_occluder(seed) if occluder is None else np.asarray(occluder)
        if self.occluder.ndim != 3 or 0 in self.occluder.shape:
            raise SceneLensError(f"an occluder is an array (height, width, 3); got {self.occluder.shape}.")
        self._watch = functools.lru_cache(maxsize=4)(self._make_watch)
        self._target = functools.lru_cache(maxsize=4)(self._find_target)
        self._black = functools.lru_cache(maxsize=1)(self._find_black)

    def of(
        self, image: np.ndarray | Tensor, units: Sequence[int], places: Sequence[Place | None] | None = None
    ) -> list[Discrepancy]:
        """The discrepancy of some units on one image.

        Parameters
        ----------
        image : uint8 RGB (H, W, 3) of any size, which the network frames; with a bare module float (C, H, W).
        units : unit numbers of the layer.
        places : for each unit the (row, col) to watch; None for the unit's peak. Of equal peaks the first in
            reading order.

        Returns
        -------
        list of Discrepancy, in the order of `units`.

        Raises
        ------
        SceneLensError : a unit or place that the layer does not have, or an occluder larger than the image.
        """
        with exactly(self._module):
            x, patches = self._prepared(image)
            target, shape = self._target(tuple(x.shape))
            wanted = _checked(self.layer, shape, units, places)
            if target is None:
                return plain_discrepancies(self.network, self.layer, x, patches, wanted)
            return self._windowed(x, patches, wanted)

    def _windowed(self, x: Tensor, patches: Patches, wanted: list[Wanted]) -> list[Discrepancy]:
        shape = tuple(x.shape)
        peaks, whole = self._peaks(x, sorted({unit for unit, place in wanted if place is None}))
        places = [(unit, place or peaks[unit]) for unit, place in wanted]
        found: dict[tuple[int, Place], Discrepancy] = {}
        for place in dict.fromkeys(place for _, place in places):
            watch = self._watch(shape, tuple(sorted({unit for unit, at in places if at == place})))
            originals = whole.get(watch) or watch.originals(x, place)
            found |= {
                (one.unit, place): one
                for one in _discrepancies(watch, originals, patches, place, patches.grid(x))
            }
        return [found[one] for one in places]

    def _peaks(self, x: Tensor, units: list[int]) -> tuple[dict[int, Place], dict[Watch, Any]]:
        """Where units peak; and the pass it took, which serves again if they all peak at one place."""
        if not units:
            return {}, {}
        watch = self._watch(tuple(x.shape), tuple(units))
        originals = watch.originals(x)
        return dict(zip(units, peak_places(watch.response(originals)), strict=True)), {watch: originals}

    @property
    def _module(self) -> nn.Module:
        return module_of(self.network)

    @property
    def _device(self) -> torch.device:
        return next(self._module.parameters(), torch.empty(0)).device

    def _prepared(self, image: np.ndarray | Tensor) -> tuple[Tensor, Patches]:
        """The image (C, H, W) and the occluders, both as the module takes them."""
        background = None
        if isinstance(self.network, nn.Module):
            x = torch.as_tensor(image, dtype=torch.float32)
            patch = torch.as_tensor(self.occluder, dtype=torch.float32)
        else:
            frame = self.network.show_input(np.asarray(image))
            x = self.network.prepare(frame[None], framed=True)[0]
            patch, background = self._black(frame.shape)
        if patch.shape[0] > x.shape[1] or patch.shape[1] > x.shape[2] or patch.shape[2] != x.shape[0]:
            raise SceneLensError(
                f"an occluder of {tuple(patch.shape)} does not fit into an image of {tuple(x.shape[1:])} "
                f"pixels and {x.shape[0]} channels: take a smaller one."
            )
        background = None if background is None else background.to(self._device)
        return x.to(self._device), Patches(patch.to(self._device), background, self.stride)

    def _find_black(self, shape: tuple[int, ...]) -> tuple[Tensor, Tensor | None]:
        """The prepared occluder (h, w, 3), and what preparing adds where it depends on the pixel (a mean
        image)."""
        network: Any = self.network
        height, width = self.occluder.shape[:2]
        if height > shape[0] or width > shape[1]:
            return torch.zeros(self.occluder.shape), None  # too large, which the caller says
        frames = np.zeros((2, *shape), np.uint8)
        frames[1, :height, :width] = checked_image(self.occluder)
        black, with_patch = network.prepare(frames, framed=True).permute(0, 2, 3, 1)
        patch = with_patch[:height, :width]
        if bool((black == black[0, 0]).all()):
            return patch, None
        return patch - black[:height, :width], black

    def _find_target(self, shape: tuple[int, ...]) -> tuple[Step | None, tuple[int, ...]]:
        """The step at which the layer is read, None where the network cannot be followed; and the layer's
        shape."""
        sample = torch.zeros(1, *shape, device=self._device)
        with record(self.network, self.layer) as acts:
            self._module(sample)
        layer_shape = tuple(acts[self.layer].shape[1:])
        try:
            return layer_step(self.network, self.layer, sample), layer_shape
        except Untraceable as error:
            _say_once(f"{error} Every occluder takes a whole forward pass.")
            return None, layer_shape

    def _make_watch(self, shape: tuple[int, ...], units: tuple[int, ...]) -> Watch:
        target, _ = self._target(shape)
        watch = Watch(target, np.array(units), shape[1:], shape[0])  # type: ignore[arg-type]
        for step in watch.steps:
            if step.kind == "unknown" and step.inputs:
                _say_once(f"{step.what} is not understood: from there on each occluder takes a whole pass.")
                break
        return watch


def discrepancy_map(
    network: Network | nn.Module,
    layer: str,
    unit: int,
    image: np.ndarray | Tensor,
    *,
    occluder: np.ndarray | None = None,
    stride: int = STRIDE,
    seed: int = 0,
    place: Place | None = None,
) -> np.ndarray:
    """By how much a unit's response changes when an occluder stands at each position of the image (Figure 3,
    left).

    Parameters
    ----------
    network, layer, unit : the unit, e.g. ``net, "pool5", 17``.
    image : uint8 RGB (H, W, 3); the network frames it.
    occluder : uint8 (h, w, 3); without it 11x11 px of random noise, one and the same for all positions.
    stride : pixels between neighbouring occluders; the first stands at pixel 0, none is cut off at the far
        edge.
    seed : of the random noise.
    place : (row, col) of the layer's map to watch; without it the unit's peak, the first in reading order of
        equals.

    Returns
    -------
    (n_y, n_x) float32, at least 0: (73, 73) for 11x11 px, stride 3 and 227 px. A value belongs to the
    occluder's centre, pixel ``stride * i + (size - 1) / 2``.

    Raises
    ------
    SceneLensError : an unknown layer or unit, an occluder larger than the image.

    Notes
    -----
    Section 3.2 of the paper: |original - occluded|, here at the peak's place in the original. "around 5000
    occluded images" in the paper are the 73 x 73 = 5,329 positions here. For several units or images at once
    use `Occlusion`.

    Examples
    --------
    A convolution that adds up 2x2 pixels, read at (0, 0): only occluders on these pixels change it.

    >>> net = nn.Sequential(nn.Conv2d(1, 1, 2, bias=False))
    >>> _ = nn.init.ones_(net[0].weight)
    >>> image = torch.tensor([[[1.0, 2, 0], [3, 4, 0], [0, 0, 0]]])
    >>> discrepancy_map(net, "0", 0, image, occluder=np.zeros((1, 1, 1)), stride=1)
    array([[1., 2., 0.],
           [3., 4., 0.],
           [0., 0., 0.]], dtype=float32)
    """
    return Occlusion(network, layer, occluder, stride, seed).of(image, [unit], [place])[0].map


def noise_occluder(seed: int = 0, size: int = SIZE) -> np.ndarray:
    """Random noise, uint8 (size, size, 3): each pixel's each channel uniform in 0..255.

    >>> noise_occluder().shape
    (11, 11, 3)
    """
    return np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)


def _discrepancies(
    watch: Watch, originals: Any, patches: Patches, place: Place, grid: tuple[int, int]
) -> list[Discrepancy]:
    peaks = watch.peaks(originals, place)
    changed = peaks.new_zeros(*grid, len(watch.units))
    for rows, columns, values in watch.responses(originals, patches, place):
        at = torch.from_numpy(rows)[:, None], torch.from_numpy(columns)[None]
        changed[at] = (values - peaks).abs_()
    maps = changed.permute(2, 0, 1).contiguous().cpu().numpy()
    return [Discrepancy(maps[n], int(unit), place, float(peaks[n])) for n, unit in enumerate(watch.units)]


def _checked(
    layer: str, shape: tuple[int, ...], units: Sequence[int], places: Sequence[Place | None] | None
) -> list[Wanted]:
    """Unit and place pairs, all of which the layer has."""
    size = shape[1:] if len(shape) == 3 else (1, 1)
    places = [None] * len(units) if places is None else places
    wanted: list[Wanted] = []
    for unit, place in zip(units, places, strict=True):
        if not 0 <= int(unit) < shape[0]:
            raise SceneLensError(f"layer {layer!r} has units 0 to {shape[0] - 1}, and no unit {unit}.")
        if place is not None and not (0 <= place[0] < size[0] and 0 <= place[1] < size[1]):
            raise SceneLensError(f"place {tuple(place)} lies outside {layer!r}'s map, {size[0]} x {size[1]}.")
        wanted.append((int(unit), None if place is None else (int(place[0]), int(place[1]))))
    return wanted


@functools.lru_cache(maxsize=256)
def _say_once(text: str) -> None:
    warnings.warn(text, stacklevel=2)

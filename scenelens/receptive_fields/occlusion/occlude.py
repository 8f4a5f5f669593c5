"""The entrance of the occlusion engine: prepares image and occluder, and chooses the way.

See `scenelens.receptive_fields.occlusion` for how the engine works.
"""

from __future__ import annotations

import contextlib
import functools
import math
import time
import warnings
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules import module as torch_module

from scenelens.errors import SceneLensError
from scenelens.networks import (
    Network,
    Preprocessing,
    Step,
    Untraceable,
    ablated,
    layer_step,
)
from scenelens.receptive_fields.occlusion.check import _difference, _marks
from scenelens.receptive_fields.occlusion.records import (
    Discrepancy,
    Patches,
    Place,
    Wanted,
)
from scenelens.receptive_fields.occlusion.run import _WindowedLayer
from scenelens.receptive_fields.occlusion.whole import _WholePasses

SIZE, STRIDE = 11, 3  # the paper's occluders, in pixels
# What windows cost where each sees the whole image, in whole passes: measured on resnet18 and vgg16.
_WINDOWS = 0.25


@dataclass
class _Way:
    """How a layer is occluded: its shape for one image; the fast way, and what it was made from; or why there
    is none. At first also the layer's values for the first image."""

    layer_shape: tuple[int, ...]
    fast: _WindowedLayer | None = None
    target: Step | None = None
    marks: list[Any] = field(default_factory=list)
    why: str = ""
    original: Tensor | None = None

    def still(self, module: nn.Module) -> bool:
        """Whether the network is still the one that this was found for."""
        if self.target is None or not self.target.still() or _intervention(module):
            return False
        return _marks(self.target.ancestors()) == self.marks


# Module -> (layer, shape of the image) -> the step and the weights that were checked, and why they failed.
_CHECKED: weakref.WeakKeyDictionary[nn.Module, dict[Any, tuple[Step | None, list[Any], str]]]
_CHECKED = weakref.WeakKeyDictionary()


class Occlusion:
    """A layer of a network, ready to be occluded: for many units or images, where `discrepancy_map` is for
    one.

    Parameters
    ----------
    network : Network or torch.nn.Module
        A `Network`, or any torch module that takes one batch of images.
    layer : str
        Any layer; with a bare module the path of a submodule.
    occluder : numpy.ndarray, optional
        uint8 (h, w, 3) RGB; by default 11x11 pixels of random noise. With a bare module a float array (h, w,
        channels) in the module's own terms.
    stride : int, optional
        Pixels between neighbouring occluders (default 3). The first lies at pixel 0; none is cut off at the
        far edge.
    seed : int, optional
        Seed of the random noise.

    Raises
    ------
    SceneLensError
        If there is no such layer (the message gives close names), or the occluder or stride is wrong.

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
        self.occluder = _noise_occluder(seed) if occluder is None else np.asarray(occluder)
        if self.occluder.ndim != 3 or 0 in self.occluder.shape:
            raise SceneLensError(f"an occluder is an array (height, width, 3); got {self.occluder.shape}.")
        self._ways: dict[tuple[int, ...], _Way] = {}  # images of one network nearly always have one size
        self._black = functools.lru_cache(maxsize=1)(self._find_black)

    def of(
        self, image: np.ndarray | Tensor, units: Sequence[int], places: Sequence[Place | None] | None = None
    ) -> list[Discrepancy]:
        """Occlude one image.

        Parameters
        ----------
        image : numpy.ndarray or torch.Tensor
            uint8 RGB (H, W, 3) of any size, which the network resizes and crops; with a bare module float
            (channels, H, W).
        units : sequence of int
            Unit numbers of the layer.
        places : sequence, optional
            For each unit the (row, column) of the layer's map to watch, or None for the unit's peak (the
            default for all). Of ties the first in reading order is the peak.

        Returns
        -------
        list of Discrepancy
            In the order of `units`.

        Raises
        ------
        SceneLensError
            If the layer has no such unit or place, or the occluder is larger than the image.
        """
        with _exactly():
            x, patches = self._prepared(image)
            way = self._way(x)
            wanted = _checked(self.layer, way.layer_shape, units, places)
            return self._trusted(way, x, patches, wanted).discrepancies(x, patches, wanted)

    def plainly(
        self, image: np.ndarray | Tensor, units: Sequence[int], places: Sequence[Place | None] | None = None
    ) -> list[Discrepancy]:
        """As `of`, but by one whole forward pass per occluder: slow, and what `of` is judged by.

        Parameters
        ----------
        image : numpy.ndarray or torch.Tensor
            As for `of`.
        units : sequence of int
            As for `of`.
        places : sequence, optional
            As for `of`.

        Returns
        -------
        list of Discrepancy
            Equal to those of `of` up to float rounding.
        """
        with _exactly():
            x, patches = self._prepared(image)
            whole = _WholePasses(self.network, self.layer)
            wanted = _checked(self.layer, tuple(whole.values([x[None]])[0].shape[1:]), units, places)
            whole.learn(x)
            return whole.discrepancies(x, patches, wanted)

    def estimate(self, image: np.ndarray | Tensor) -> float:
        """About how many seconds a map of one image takes, judged by one forward pass up to the layer.

        Parameters
        ----------
        image : numpy.ndarray or torch.Tensor
            As for `of`.

        Returns
        -------
        float
            Seconds; right within a factor of about three.

        Raises
        ------
        SceneLensError
            If the occluder is larger than the image.
        """
        with _exactly():
            x, patches = self._prepared(image)
            way, began = self._way(x), time.perf_counter()
            _WholePasses(self.network, self.layer).values([x[None]])
            seconds = (time.perf_counter() - began) * math.prod(patches.grid((x.shape[1], x.shape[2])))
        if way.fast is None:
            return seconds
        # Windows: the smaller the field, the fewer occluders touch it, and the less of a pass each needs.
        return _WINDOWS * seconds * self._part_seen((x.shape[1], x.shape[2])) ** 2

    def _part_seen(self, size: tuple[int, int]) -> float:
        """The share of an image's pixels whose occluders can change a unit's value."""
        field = None if isinstance(self.network, nn.Module) else self.network.field(self.layer)
        sides = size if field is None else np.broadcast_to(field.size, 2) + self.occluder.shape[:2]
        return math.prod(min(1.0, float(seen) / side) for seen, side in zip(sides, size, strict=True))

    def _way(self, x: Tensor) -> _Way:
        """How images of this size are occluded; found anew where the network has changed."""
        shape = tuple(x.shape)
        if shape not in self._ways or not self._ways[shape].still(_module_of(self.network)):
            self._ways[shape] = self._find_way(x)
        return self._ways[shape]

    def _find_way(self, x: Tensor) -> _Way:
        whole = _WholePasses(self.network, self.layer)
        original = whole.values([x[None]])[0][0]
        layer_shape = tuple(original.shape)
        module = _module_of(self.network)
        why = _intervention(module)
        if why:  # the windows apply the modules' own steps
            return _Way(layer_shape, why=why)
        try:
            target = layer_step(self.network, self.layer, x[None])
        except Untraceable as error:
            return _Way(layer_shape, why=str(error))
        steps = target.ancestors()
        why = next((step.unclear for step in steps if step.unclear), "")
        if why:
            return _Way(layer_shape, why=why)
        fast = _WindowedLayer(target, tuple(x.shape))
        return _Way(layer_shape, fast, target, _marks(steps), original=original)

    def _trusted(
        self, way: _Way, x: Tensor, patches: Patches, wanted: list[Wanted]
    ) -> _WindowedLayer | _WholePasses:
        """The fast way, if it is known and gives what whole passes give; else whole passes."""
        whole = _WholePasses(self.network, self.layer)
        why = way.why
        if way.fast is not None and wanted:
            known = _CHECKED.setdefault(whole.module, {})
            key = (self.layer, tuple(x.shape))
            if key not in known or known[key][0] is not way.target or known[key][1] != way.marks:
                known[key] = (way.target, way.marks, self._judged(way, x, patches, wanted[0]))
            why, way.original = known[key][2], None
        if way.fast is not None and not why:
            odd = [step.what for step in way.fast.geometry.steps if step.kind == "unknown" and step.inputs]
            if odd:
                _say_once(f"{odd[0]} is not understood: from there on each occluder takes a whole pass.")
            return way.fast
        reason = whole.learn(x) or why
        _say_once(f"{reason[:1].upper()}{reason[1:]} Every occluder takes a whole forward pass.")
        return whole

    def _judged(self, way: _Way, x: Tensor, patches: Patches, wanted: Wanted) -> str:
        """Why the fast way is not taken, in a sentence; empty where it gives what whole passes give."""
        whole, fast = _WholePasses(self.network, self.layer), way.fast
        if fast is None:
            return way.why
        if any(step.name not in fast.geometry.sizes for step in fast.geometry.steps):
            # such steps are run on many occluded images at once
            unusual = whole.learn(x)
            if unusual:
                return unusual
            whole.at_once = 1
        original = whole.values([x[None]])[0][0] if way.original is None else way.original
        return _difference(fast, whole, x, patches, wanted, original)

    @property
    def _device(self) -> torch.device:
        return next(_module_of(self.network).parameters(), torch.empty(0)).device

    def _prepared(self, image: np.ndarray | Tensor) -> tuple[Tensor, Patches]:
        """The image (channels, H, W) and the occluders, both as the module takes them."""
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
            return torch.zeros(self.occluder.shape), None  # too large: the caller raises
        # Preparing is linear in the pixels. So black pixels show what it adds to each pixel, and the rest of
        # the patch is the same wherever it lies.
        frames = np.zeros((2, *shape), np.uint8)
        frames[1, :height, :width] = Preprocessing.checked_image(self.occluder)
        black, with_patch = network.prepare(frames, framed=True).permute(0, 2, 3, 1)
        patch = with_patch[:height, :width]
        if bool((black == black[0, 0]).all()):
            return patch, None
        return patch - black[:height, :width], black


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
    """How much a unit's response changes when an occluder lies at each position of the image (Figure 3,
    left).

    Parameters
    ----------
    network : Network or torch.nn.Module
        The network.
    layer : str
        The unit's layer, e.g. ``"pool5"``.
    unit : int
        The unit's number, from 0.
    image : numpy.ndarray or torch.Tensor
        uint8 RGB (H, W, 3), which the network resizes and crops; with a bare module float (channels, H, W).
    occluder : numpy.ndarray, optional
        uint8 (h, w, 3); by default 11x11 pixels of random noise, the same at all positions.
    stride : int, optional
        Pixels between neighbouring occluders (default 3). The first lies at pixel 0; none is cut off at the
        far edge.
    seed : int, optional
        Seed of the random noise.
    place : tuple of int, optional
        (row, column) of the layer's map to watch; by default the unit's peak, of ties the first in reading
        order.

    Returns
    -------
    numpy.ndarray
        float32 (n_y, n_x), at least 0: (73, 73) for 11x11 pixels, stride 3 and an image of 227 pixels. A
        value belongs to the occluder's centre, pixel ``stride * i + (size - 1) / 2``.

    Raises
    ------
    SceneLensError
        If there is no such layer or unit, or the occluder is larger than the image.

    Notes
    -----
    Section 3.2 of the paper: |original - occluded|, here at the place of the original's peak. The paper's
    "around 5000 occluded images" are the 73 x 73 = 5,329 positions here. To occlude for several units or
    images use `Occlusion`.

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


def _module_of(network: Network | nn.Module) -> nn.Module:
    return network if isinstance(network, nn.Module) else network.module


def _noise_occluder(seed: int = 0, size: int = SIZE) -> np.ndarray:
    """Random noise, uint8 (size, size, 3): every channel of every pixel uniform in 0..255."""
    return np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)


def _checked(
    layer: str, shape: tuple[int, ...], units: Sequence[int], places: Sequence[Place | None] | None
) -> list[Wanted]:
    """Unit and place pairs, all of which the layer has."""
    size = shape[1:] if len(shape) == 3 else (1, 1)
    places = [None] * len(units) if places is None else places
    wanted: list[Wanted] = []
    for unit, place in zip(units, places, strict=True):
        if not 0 <= int(unit) < shape[0]:
            raise SceneLensError(f"layer {layer!r} has the units 0 to {shape[0] - 1}, not {unit}.")
        if place is not None and not (0 <= place[0] < size[0] and 0 <= place[1] < size[1]):
            raise SceneLensError(f"place {tuple(place)} lies outside {layer!r}'s map, {size[0]} x {size[1]}.")
        wanted.append((int(unit), None if place is None else (int(place[0]), int(place[1]))))
    return wanted


def _intervention(module: nn.Module) -> str:
    """Which hook or replaced method may change what modules do; empty where there is none."""
    if ablated(module):
        return "Units of the network are switched off or set to a value."
    hooks = [getattr(torch_module, f"_global_forward{name}_hooks") for name in ("", "_pre")]
    if any(hooks) or any(one._forward_hooks or one._forward_pre_hooks for one in module.modules()):
        return "The network has hooks."
    for path, one in module.named_modules():
        if isinstance(one, torch.jit.ScriptModule):
            return f"The module {path} is TorchScript, whose steps cannot be seen."
        replaced = [name for name in one.__dict__ if callable(getattr(type(one), name, None))]
        if replaced:
            return f"The method {replaced[0]} of {path or 'the network'} was replaced."
    return ""


@functools.lru_cache(maxsize=256)
def _say_once(text: str) -> None:
    warnings.warn(text, stacklevel=2)


@contextlib.contextmanager
def _exactly() -> Iterator[None]:
    """No gradients, and full float32 precision on GPUs, for the length of a with block."""
    cudnn = torch.backends.cudnn
    same = {name: getattr(cudnn, name) for name in ("enabled", "benchmark", "deterministic")}
    # TF32, which keeps 10 bits, would drown small differences. None leaves the limit as it is.
    with torch.inference_mode(), cudnn.flags(**same, benchmark_limit=None, allow_tf32=False):
        yield

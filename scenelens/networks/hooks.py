"""Record the values of a network's layers: ``with record(network, layers) as acts: network(images)``.

Three things easily go wrong with hooks that one writes oneself. Hooks stay on the module after an exception:
here they are always removed. ReLUs that work in place overwrite what was recorded: here it is copied. And the
whole network runs although only an early layer is wanted: here the pass stops after the deepest layer.

In the paper, a unit's response is the rectified one. So a convolution or a fully connected layer is recorded
behind its BatchNorm and its activation function, where these follow it directly; fc8, behind which nothing
follows, is recorded as it is. One forward pass shows which module follows which (see `trace`).
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from scenelens.errors import SceneLensError, close_names
from scenelens.networks.finite import NonFinite
from scenelens.networks.points import Point, _Traced
from scenelens.networks.tracing import TRACED, trace

_BATCH = 32  # frames of `unit_maps` that run together


class _Activations(dict):
    """What `record` gives: layer -> its value in the latest forward pass, (N, units, h, w) or (N, units)."""

    def __missing__(self, layer: str) -> Tensor:
        raise SceneLensError(
            f"nothing is recorded for {layer!r}: name it in record(network, layers), and run the network "
            f"inside the with block; recorded: {', '.join(self) or 'nothing yet'}."
        )


class _Stop(Exception):
    """Ends a forward pass after the deepest layer; `_replaced_forward` catches it."""


class _Recorder:
    """Holds the hooks of one `record` and what they record."""

    def __init__(
        self,
        module: nn.Module,
        paths: dict[str, str],
        points: Any,
        keep: Any,
        stop: bool = True,
        name: str = "network",
    ) -> None:
        self.name = name
        self.module, self.paths, self.keep, self.stop = module, paths, keep, stop
        self.points: dict[str, Point] | None = points
        self.traced: tuple[int, ...] = ()  # the shape of the image for which the points were found here
        self.acts = _Activations()
        self.handles: list[Any] = []
        self.wanted: dict[tuple[str, int], list[tuple[str, Point]]] = {}
        self.calls: dict[str, int] = {}
        self.last: tuple[str, int] | None = None
        self.done = False
        self.images: int | None = None  # of the pass that runs, where its input is one batch

    def begin(self, inputs: tuple, options: dict) -> None:
        shape = tuple(inputs[0].shape[1:]) if inputs and isinstance(inputs[0], Tensor) else ()
        if self.points is None or (self.traced and shape != self.traced):
            self.points, self.traced = trace(self.module, *inputs, **options), shape
            self.remove()
        if not self.handles:  # hooks are placed at the first pass, when the points are known, and then stay
            self._attach(self.points)
        self.calls, self.done = {}, False
        self.images = int(inputs[0].shape[0]) if shape else None
        self.acts.clear()

    def _attach(self, points: dict[str, Point]) -> None:
        for layer, path in self.paths.items():
            if path not in points:
                raise SceneLensError(f"layer {layer!r} gives no tensor in a forward pass: take another.")
            point = points[path]
            if not point.shape:
                raise point.refusal(layer)
            self.wanted.setdefault((point.path, point.call), []).append((layer, point))
        deepest = max((points[path] for path in self.paths.values()), key=lambda point: point.read)
        self.last = (deepest.path, deepest.call)
        for path in {path for path, _ in self.wanted}:
            module = self.module.get_submodule(path)
            self.handles.append(module.register_forward_hook(self._hook(path)))

    def _hook(self, path: str) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: tuple, output: Tensor) -> None:
            if id(self.module) in TRACED:  # a pass of `trace`, perhaps for another recorder
                return
            # A module may run several times in one pass (a shared ReLU); only one call is the layer's.
            call = self.calls[path] = self.calls.get(path, -1) + 1
            for layer, point in self.wanted.get((path, call), []):
                value = point.value(output.detach(), self.module)
                self._check(layer, len(value))
                units = NonFinite.rows(value, dim=1)
                if units:
                    raise NonFinite.error(self.name, layer, units, self.module)
                self.acts[layer] = self.keep(layer, value)
            if (path, call) == self.last:
                self.done = self.stop
                if all(one.done for one in ACTIVE_RECORDERS[self.module]):
                    raise _Stop

        return hook

    def _check(self, layer: str, rows: int) -> None:
        if self.images is not None and rows != self.images:
            raise SceneLensError(
                f"layer {layer!r} gives {rows} rows for {self.images} images: network {self.name!r} runs its "
                "images in pieces, or several together; take another layer, see network.layers."
            )

    def remove(self) -> None:
        for handle in self.handles:
            handle.remove()
        self.handles, self.wanted = [], {}


# The active recorders of each module. A forward pass stops only when every one of them has all of its layers.
ACTIVE_RECORDERS: weakref.WeakKeyDictionary[nn.Module, list[_Recorder]] = weakref.WeakKeyDictionary()


@contextlib.contextmanager
def _replaced_forward(module: nn.Module) -> Iterator[None]:
    """Replace module.forward inside a with block: it prepares the recorders, and ends quietly at their stop.

    The method is replaced on the instance only, so removing it brings back the class's own.
    """
    if ACTIVE_RECORDERS[module]:  # an outer `record` has replaced it already
        yield
        return
    original = module.forward
    own = module.__dict__.get("forward")  # somebody may have replaced the method on the instance before

    def forward(*inputs: Any, **options: Any) -> Any:
        if id(module) in TRACED:
            return original(*inputs, **options)
        for recorder in ACTIVE_RECORDERS[module]:
            recorder.begin(inputs, options)
        try:
            return original(*inputs, **options)
        except _Stop:
            return None

    module.__dict__["forward"] = forward
    try:
        yield
    finally:
        if own is None:
            del module.__dict__["forward"]
        else:
            module.__dict__["forward"] = own


def _copy(layer: str, value: Tensor) -> Tensor:
    """A copy, because a ReLU that works in place may overwrite the value later in the same pass."""
    return value.clone()


@contextlib.contextmanager
def record(
    network: _Traced | nn.Module,
    layers: str | Iterable[str],
    keep: Callable[[str, Tensor], Any] = _copy,
    stop: bool = True,
) -> Iterator[_Activations]:
    """Record layers' values inside a ``with`` block; stop each forward pass after the deepest of them.

    Parameters
    ----------
    network : Network or torch.nn.Module
        The network. Where a module is given, layers are module paths, as in ``named_modules()``.
    layers : str or iterable of str
        One layer's name, or several; see `Network.layers`.
    keep : callable, optional
        Called as ``keep(layer, value)`` with the layer's detached tensor; what it returns is recorded. By
        default a copy is recorded; where only a maximum or a sum is needed, this saves memory. It must not
        keep the tensor itself, because the network may overwrite it.
    stop : bool, optional
        Stop the forward pass after the deepest layer (default); the call of the network then returns None.
        False lets it go on and return its logits.

    Yields
    ------
    dict
        Layer -> float tensor (N, units, h, w), or (N, units) for fully connected layers, on the network's
        device; filled anew by every forward pass. Convolutions and fully connected layers are read behind
        their activation function.

    Raises
    ------
    SceneLensError
        If there is no such layer, if no layer is given, or if a layer gives no tensor; in the forward pass
        if a layer's numbers are not finite (the sentence names the units; see `Network.silence`).

    Notes
    -----
    Records of the same network may be nested. Where a module is given, the first call runs one image more, to
    see which module follows which.

    Examples
    --------
    >>> import torch
    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 9, 3))
    >>> with record(net, ["0", "2"]) as acts:
    ...     net(torch.zeros(5, 3, 8, 8))
    >>> acts["2"].shape, bool((acts["0"] >= 0).all())
    (torch.Size([5, 4, 3, 3]), True)
    """
    module, paths, points = _resolve(network, [layers] if isinstance(layers, str) else list(layers))
    recorder = _Recorder(module, paths, points, keep, stop, str(getattr(network, "name", "network")))
    active = ACTIVE_RECORDERS.setdefault(module, [])
    with _replaced_forward(module):
        active.append(recorder)
        try:
            yield recorder.acts
        finally:
            active.remove(recorder)
            recorder.remove()


def _resolve(network: Any, layers: list[str]) -> tuple[nn.Module, dict[str, str], dict[str, Point] | None]:
    """The module, layer -> module path, and the points where they are known already."""
    if not layers:
        raise SceneLensError("record needs at least one layer; see network.layers.")
    if not isinstance(network, nn.Module):
        return network.module, {layer: network.module_path(layer) for layer in layers}, network.points
    known = [path for path, _ in network.named_modules() if path]
    for layer in layers:
        if layer.partition("#")[0] not in known:
            raise SceneLensError(
                f"no layer named {layer!r}; {close_names(layer, known)}. See dict(module.named_modules())."
            )
    return network, {layer: layer for layer in layers}, None


def responses(network: _Traced | nn.Module, layer: str, unit: int, image: Any) -> np.ndarray:
    """Return one unit's responses to one image, over the layer's map.

    Parameters
    ----------
    network : Network or torch.nn.Module
        The network. Where a module is given, the layer is a module path.
    layer : str
        The layer's name.
    unit : int
        The unit's number in the layer.
    image : numpy.ndarray or torch.Tensor
        For a network, uint8 RGB (h, w, 3) of any size; for a module, its input (C, H, W).

    Returns
    -------
    numpy.ndarray
        float32 (h, w); (1, 1) for fully connected layers.

    Raises
    ------
    SceneLensError
        If there is no such layer or unit.
    """
    with torch.no_grad(), record(network, layer) as acts:
        network(
            torch.as_tensor(image, dtype=torch.float32)[None] if isinstance(network, nn.Module) else image
        )
    values = acts[layer][0]
    if not 0 <= unit < len(values):
        raise SceneLensError(f"layer {layer!r} has the units 0 to {len(values) - 1}, not {unit}.")
    return np.atleast_2d(values[unit].cpu().numpy())


def unit_maps(network: _Traced, layer: str, unit: int, frames: Sequence[np.ndarray]) -> np.ndarray:
    """Return one unit's responses to several frames.

    Parameters
    ----------
    network : Network
        The network.
    layer : str
        The layer's name.
    unit : int
        The unit's number in the layer.
    frames : sequence of numpy.ndarray
        uint8 RGB (H, W, 3), as `Network.show_input` cuts them. They run in batches of 32.

    Returns
    -------
    numpy.ndarray
        (N, h, w) float32; (N, 1, 1) for fully connected layers.

    Raises
    ------
    SceneLensError
        If the network has no such layer.
    """

    def keep(_: str, value: Tensor) -> np.ndarray:
        return value[:, unit].float().cpu().numpy().copy()  # one unit, not the whole layer

    found = []
    for start in range(0, len(frames), _BATCH):
        with torch.no_grad(), record(network, layer, keep=keep) as acts:
            network(np.stack(frames[start : start + _BATCH]), framed=True)
        found.append(np.asarray(acts[layer]))
    if not found:
        return np.zeros((0, 1, 1), np.float32)
    values = np.concatenate(found)
    return values.reshape(len(values), *(values.shape[1:] or (1, 1)))

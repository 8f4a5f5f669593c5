"""Switch units off, or set them to a value, while a network runs: ``with ablate(network, layer, units):``.

That a unit responds to beds says what it sees, not what the network makes of it. Switching the unit off does:
what changes then, changes because of the unit. The weights stay as they are. The values are changed during
the forward pass, at the point where `record` reads the layer, so that everything that runs the live network
(recording, occlusion, minimal images, the localizer) sees the changed one.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from scenelens.errors import SceneLensError
from scenelens.networks.hooks import _resolve
from scenelens.networks.points import Point, _Traced
from scenelens.networks.tracing import TRACED, trace

_ROUNDING = 1e-5  # share of a value by which an activation function may miss it


@dataclass(eq=False)
class _Ablation:
    """Some units of one layer, each with the value that it is set to."""

    layer: str
    path: str  # of the layer's module
    values: dict[int, float]
    point: Point | None = None  # of a bare module it is known in the first pass

    def place(self, points: dict[str, Point]) -> None:
        """Find where the layer's value is read, and check the units."""
        point = points.get(self.path)
        if point is None:
            raise SceneLensError(f"layer {self.layer!r} gives no tensor in a forward pass: take another.")
        if not point.shape:
            raise point.refusal(self.layer)
        strange = [unit for unit in self.values if not 0 <= unit < point.shape[0]]
        if strange:
            last = point.shape[0] - 1
            raise SceneLensError(f"layer {self.layer!r} has the units 0 to {last}, not {strange[0]}.")
        self.point = point

    def of(self, output: Tensor, point: Point, module: nn.Module) -> Tensor:
        """A copy of what the module at a point returned, with these units changed."""
        changed = output.clone()
        order = None if point.layout is None else point.layout.order
        # The dimension that counts the units. Where there is none, the whole tensor is one unit.
        dim = (order[1] if len(order) > 1 else None) if order else 1
        rows = changed[:, None] if dim is None else changed.movedim(dim, 1)
        wanted = torch.tensor(list(self.values.values())).to(changed)
        rows[:, list(self.values)] = wanted.reshape(-1, *(1,) * (rows.ndim - 2))
        if point.then is not None:  # the activation function follows as code, where no hook can be
            self._check(point.value(changed, module), wanted)
        return changed

    def _check(self, value: Tensor, wanted: Tensor) -> None:
        """Raise where the activation function makes something else of the values."""
        found = value.movedim(1, 0)[list(self.values)].flatten(1)
        # Without this, a ReLU would turn -1 into 0, and a sigmoid 0 into a half, without a word.
        apart = (found - wanted[:, None]).abs().amax(1) > _ROUNDING * wanted.abs().clamp(min=1)
        if bool(apart.any()):
            k = int(apart.nonzero()[0, 0])
            raise SceneLensError(
                f"unit {list(self.values)[k]} of layer {self.layer!r} cannot be set to {float(wanted[k]):g}: "
                "its activation function makes another value of it; take the layer before or behind it."
            )


class _Changes:
    """What is switched off in one module at the moment, and the hooks that do it.

    One hook for a submodule applies all changes in their order, so that of nested ones the inner comes last.
    """

    def __init__(self, module: nn.Module) -> None:
        self.module = weakref.ref(module)
        self.active: list[_Ablation] = []
        self.handles: list[Any] = []
        self.calls: dict[str, int] = {}

    def add(self, one: _Ablation) -> None:
        self.active.append(one)
        self._attach()

    def remove(self, one: _Ablation) -> None:
        self.active.remove(one)
        self._attach()

    def _attach(self) -> None:
        for handle in self.handles:
            handle.remove()
        self.handles = []
        module = self.module()
        if module is None or not self.active:
            return
        # Before all other hooks, also those of a `record` that has begun earlier: they see the changed value.
        first = module.register_forward_pre_hook(self._begin, prepend=True, with_kwargs=True)
        self.handles = [first]
        for path in {one.point.path for one in self.active if one.point is not None}:
            own = module.get_submodule(path)
            self.handles.append(own.register_forward_hook(self._hook(path), prepend=True))

    def _begin(self, module: nn.Module, inputs: tuple, options: dict) -> None:
        if id(module) in TRACED:  # a pass of `trace`, which finds out what the network itself does
            return
        self.calls = {}
        unknown = [one for one in self.active if one.point is None]
        if unknown:
            points = trace(module, *inputs, **options)
            for one in unknown:
                one.place(points)
            self._attach()

    def _hook(self, path: str) -> Callable[..., Tensor | None]:
        def hook(_: nn.Module, inputs: tuple, output: Any) -> Tensor | None:
            module = self.module()
            # torch.fx runs modules with stand-ins for tensors: what it follows is the network itself, too
            if module is None or id(module) in TRACED or not isinstance(output, Tensor):
                return None
            call = self.calls[path] = self.calls.get(path, -1) + 1
            changed: Tensor | None = None
            for one in self.active:
                at = one.point
                if one.values and at is not None and (at.path, at.call) == (path, call):
                    changed = one.of(output if changed is None else changed, at, module)
            return changed

        return hook


_CHANGES: weakref.WeakKeyDictionary[nn.Module, _Changes] = weakref.WeakKeyDictionary()


@contextlib.contextmanager
def ablate(
    network: _Traced | nn.Module,
    layer: str,
    units: int | Iterable[int],
    value: float | Sequence[float] | np.ndarray = 0.0,
) -> Iterator[None]:
    """Switch units off inside a ``with`` block, or set them to a value at all positions of their maps.

    Parameters
    ----------
    network : Network or torch.nn.Module
        The network. Where a module is given, the layer is a module path, as in ``named_modules()``.
    layer : str
        The layer's name; see `Network.layers`.
    units : int or iterable of int
        The units' numbers in the layer, from 0. Without any, nothing changes.
    value : float or array_like, optional
        What the units respond with, everywhere and to every image: one number, or (n,) one for each unit
        (default 0, switched off). It takes the place of what `record` reads, behind the activation function.

    Yields
    ------
    None
        Meanwhile the network is the changed one for everything that runs it: calls, `record`, occlusion,
        minimal images, localizers. Its weights and their hash stay the same, but caches tell it apart, see
        `ablated`.

    Raises
    ------
    SceneLensError
        If there is no such layer or unit, if a value is not finite or there is not one for each unit, or if
        the units' activation function cannot give it. Where a module is given, a wrong unit is found in the
        first pass.

    Notes
    -----
    Zhou, Sun, Bau and Torralba, "Revisiting the importance of individual units in CNNs via ablation" (2018),
    and Bau et al., "Understanding the role of individual units in a deep neural network" (PNAS 2020), switch
    units off in this way. Blocks may be nested; where two change the same unit, the inner one counts. When a
    block ends, also by an exception, all hooks are removed. The occlusion engine runs whole forward passes
    inside a block, which takes longer.

    Examples
    --------
    >>> net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.Conv2d(4, 2, 1, bias=False))
    >>> with torch.no_grad(), ablate(net, "0", range(4)):
    ...     bool((net(torch.rand(1, 3, 2, 2)) == 0).all())
    True
    """
    one = _checked(network, layer, [units] if isinstance(units, int | np.integer) else list(units), value)
    module = network if isinstance(network, nn.Module) else network.module
    changes = _CHANGES.setdefault(module, _Changes(module))
    changes.add(one)
    try:
        yield
    finally:
        changes.remove(one)


def _checked(network: _Traced | nn.Module, layer: str, units: list[Any], value: Any) -> _Ablation:
    for unit in units:
        if isinstance(unit, bool) or not isinstance(unit, int | np.integer):
            raise SceneLensError(f"a unit is a whole number, from 0; got {unit!r}.")
    try:
        values = np.asarray(value, float)
    except (TypeError, ValueError):
        raise SceneLensError(
            f"units are set to a number, or to one number for each unit; got {value!r}."
        ) from None
    if values.shape not in ((), (len(units),)):
        raise SceneLensError(
            f"value is one number, or one for each of the {len(units)} units; got shape {values.shape}."
        )
    if not np.isfinite(values).all():
        raise SceneLensError("units can only be set to finite numbers.")
    _, paths, points = _resolve(network, [layer])
    each = np.broadcast_to(values, len(units)).tolist()
    one = _Ablation(layer, paths[layer], dict(zip(map(int, units), each, strict=True)))
    if points is not None:
        one.place(points)
    return one


def ablated(module: nn.Module) -> str:
    """Return what `ablate` changes in a module at the moment, as a text; keys of cached results have it.

    Parameters
    ----------
    module : torch.nn.Module
        A network's module.

    Returns
    -------
    str
        Layers, units and their values in the order in which they apply; empty where nothing is changed.

    Examples
    --------
    >>> net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU())
    >>> with ablate(net, "0", [2]):
    ...     ablated(net)
    '0: 2=0.0'
    >>> ablated(net)
    ''
    """
    changes = _CHANGES.get(module)
    found = []
    for one in changes.active if changes else []:
        if one.values:
            units = ", ".join(f"{unit}={value!r}" for unit, value in sorted(one.values.items()))
            found.append(f"{one.layer}: {units}")
    return "; ".join(found)

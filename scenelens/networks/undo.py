"""Run a module and leave it as it was: a forward pass may change the module's own buffers and attributes."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

# What nn.Module itself keeps in an instance, without the buffers; and what `record` replaces for a while.
_OWN = set(nn.Module().__dict__) - {"_buffers"} | {"forward"}


def restoring(module: nn.Module) -> Callable[[], None]:
    """Return a function that puts a module's buffers and attributes back as they are now.

    Parameters
    ----------
    module : torch.nn.Module
        Any module, with all modules inside it.

    Returns
    -------
    callable
        It takes nothing, and may be called any number of times. Parameters, hooks and training flags are left
        alone.

    Examples
    --------
    >>> norm = nn.BatchNorm2d(3)
    >>> back = restoring(norm)
    >>> _ = norm(torch.ones(2, 3, 4, 4))
    >>> back()
    >>> norm.running_mean, int(norm.num_batches_tracked)
    (tensor([0., 0., 0.]), 0)
    """
    children = [_Kept(child) for child in module.modules()]

    def back() -> None:
        for child in children:
            child.restore()

    return back


class _Kept:
    """One module's attributes and buffers."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self.values = {name: value for name, value in module.__dict__.items() if name not in _OWN}
        holders = (list, dict, set)
        self.contents = [
            (value, copy.copy(value)) for value in self.values.values() if isinstance(value, holders)
        ]
        tensors = [*module._buffers.values(), *self.values.values()]
        self.tensors = [(one, one.clone()) for one in tensors if isinstance(one, Tensor)]

    def restore(self) -> None:
        own = self.module.__dict__
        for name in [name for name in own if name not in _OWN and name not in self.values]:
            del own[name]
        own.update(self.values)
        for value, content in self.contents:
            _refill(value, content)
        for tensor, before in self.tensors:
            # Not by their versions: torch does not count what a BatchNorm writes. And nothing is written that
            # is there already, so that a version that is counted stays the same.
            if not _same(tensor, before):
                with torch.no_grad():
                    tensor.copy_(before)


def _refill(value: Any, content: Any) -> None:
    value.clear()
    value.extend(content) if isinstance(value, list) else value.update(content)


def _same(one: Tensor, other: Tensor) -> bool:
    if one.is_meta:  # it has no numbers
        return True
    return torch.equal(one, other) or bool(((one == other) | (one.isnan() & other.isnan())).all())

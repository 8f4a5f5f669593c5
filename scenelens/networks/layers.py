"""The table of a network's layers: which modules count as layers, under which name, and of which shape.

The paper's layers are conv1 ... fc8. A module built like its networks (five convolutions, three poolings and
three fully connected layers in that order) gets these names; any other network keeps its module paths. Layers
are convolutions, poolings, fully connected layers, and blocks such as Fire, BasicBlock or Inception: modules
of several layers that stand directly in the network or in its Sequentials.
"""

from __future__ import annotations

import pandas as pd
from torch import nn

from scenelens.networks.tracing import Point

_POOLS = (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)
_PAPER = {  # the order of conv, pool and fully connected layers in the paper's networks -> their names
    "conv pool conv pool conv conv conv pool fc fc fc": (
        "conv1 pool1 conv2 pool2 conv3 conv4 conv5 pool5 fc6 fc7 fc8"
    ),
}
_MAIN = ("pool1", "pool2", "conv3", "conv4", "pool5", "fc7")
_COLUMNS = ["layer", "module", "units", "map", "rf_size", "rf_stride", "rf_start", "kind"]


def _kind_of(module: nn.Module) -> str | None:
    """'conv', 'pool' or 'fc'; None for any other module."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        return "conv"
    if isinstance(module, _POOLS):
        return "pool"
    return "fc" if isinstance(module, nn.Linear) else None


def _is_container(module: nn.Module) -> bool:
    # exactly Sequential: torchvision derives blocks such as Conv2dNormActivation from it
    return type(module) in (nn.Sequential, nn.ModuleList, nn.ModuleDict)


def _ancestors(path: str) -> list[str]:
    parts = path.split(".")
    return [".".join(parts[:n]) for n in range(1, len(parts))]


class LayerTable:
    """Makes the table of a module's layers, and chooses from it."""

    @staticmethod
    def find(module: nn.Module, points: dict[str, Point]) -> pd.DataFrame:
        """Return the layer table of a module, without receptive fields.

        Parameters
        ----------
        module : torch.nn.Module
            Any module.
        points : dict of str to Point
            What `trace` returned for it.

        Returns
        -------
        pandas.DataFrame
            One row per layer, in the order in which they run: ``layer`` (its name), ``module`` (its path),
            ``units`` (int), ``map`` (rows, columns), ``rf_size``, ``rf_stride``, ``rf_start`` (NaN) and
            ``kind`` (``'conv'``, ``'pool'``, ``'fc'`` or ``'block'``).
        """
        modules = dict(module.named_modules())
        rows: dict[str, str] = {}
        for path in points:
            kind = _kind_of(modules[path])
            if (
                kind is None
                or len(points[path].shape) not in (1, 3)
                or _keeps_map(path, kind, modules, points)
            ):
                continue
            for block in _blocks(path, modules, points):
                rows.setdefault(block, "block")
            rows[_outermost_alone(path, modules, points)] = kind
        ordered = sorted(rows, key=lambda path: (points[path].order, path))
        names = _paper_names(ordered, rows) or {path: path for path in ordered}
        return pd.DataFrame(
            [_row(names[path], path, rows[path], points[path].shape) for path in ordered], columns=_COLUMNS
        )

    @staticmethod
    def spread(table: pd.DataFrame, n: int = 6) -> list[str]:
        """Choose a few layers spread over the depth.

        These are the paper's six where they exist; otherwise layers that are not inside a block. The last
        layers, with as many units as there are classes, are left out, because these stand for the classes.

        Parameters
        ----------
        table : pandas.DataFrame
            The layers, from `find`.
        n : int, optional
            How many to choose (default 6).

        Returns
        -------
        list of str
            Names of layers, in the order in which they run.
        """
        if set(_MAIN) <= set(table.layer):
            return list(_MAIN)
        blocks = set(table.module[table.kind == "block"])
        outer = table[[not blocks & set(_ancestors(path)) for path in table.module]]
        inner = outer[
            (outer.units != outer.units.iloc[-1])[::-1].cummax()[::-1]
        ]  # up to the last that differs
        layers = list((inner if len(inner) else outer).layer)
        n = min(n, len(layers))
        return [layers[round(i * (len(layers) - 1) / max(1, n - 1))] for i in range(n)]


def _row(name: str, path: str, kind: str, shape: tuple[int, ...]) -> tuple:
    size = (shape[1], shape[2]) if len(shape) == 3 else (1, 1)
    return (name, path, shape[0], size, float("nan"), float("nan"), float("nan"), kind)


def _keeps_map(path: str, kind: str, modules: dict, points: dict[str, Point]) -> bool:
    """Whether it is an adaptive pooling that changes nothing here, as in torchvision's AlexNet at 224 px."""
    if kind != "pool" or not isinstance(modules[path], nn.AdaptiveAvgPool2d | nn.AdaptiveMaxPool2d):
        return False
    earlier = [one for one in points.values() if one.order < points[path].order and len(one.shape) == 3]
    return bool(earlier) and max(earlier, key=lambda one: one.order).shape == points[path].shape


def _blocks(path: str, modules: dict, points: dict[str, Point]) -> list[str]:
    """The outermost block around a layer: not a container, and directly in the network or in containers."""
    for ancestor in _ancestors(path):
        if not _is_container(modules[ancestor]):
            several = (
                sum(one.startswith(ancestor + ".") and _kind_of(modules[one]) is not None for one in points)
                > 1
            )
            fits = ancestor in points and len(points[ancestor].shape) in (1, 3)
            return [ancestor] if several and fits else []
    return []


def _outermost_alone(path: str, modules: dict, points: dict[str, Point]) -> str:
    """The path of a layer: that of the module around it, where this adds only a norm and an activation."""
    for ancestor in _ancestors(path):
        if ancestor not in points or _is_container(modules[ancestor]):
            continue
        inside = [one for one in points if one.startswith(ancestor + ".") and _kind_of(modules[one])]
        if inside == [path] and len(points[ancestor].shape) in (1, 3):
            return ancestor
    return path


def _paper_names(ordered: list[str], kinds: dict[str, str]) -> dict[str, str] | None:
    names = _PAPER.get(" ".join(kinds[path] for path in ordered))
    return dict(zip(ordered, names.split(), strict=True)) if names else None

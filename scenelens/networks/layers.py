"""The table of a network's layers: which modules count as layers, under which name, and of which shape.

The paper's layers are conv1 ... fc8. A module built like its networks (five convolutions, three poolings and
three fully connected layers in that order) gets these names; any other network keeps its module paths. Layers
are convolutions, poolings, fully connected layers, and blocks such as Fire, BasicBlock or Inception: modules
of several layers that stand directly in the network, in its Sequentials, or in a stage of several equal
blocks. A module that runs several times in one pass is a layer each time: ``pool``, ``pool#2``.
"""

from __future__ import annotations

import pandas as pd
from torch import nn

from scenelens.networks.points import Point

_POOLS = (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)
_PAPER = {  # the order of conv, pool and fully connected layers in the paper's networks -> their names
    "conv pool conv pool conv conv conv pool fc fc fc": (
        "conv1 pool1 conv2 pool2 conv3 conv4 conv5 pool5 fc6 fc7 fc8"
    ),
}
_MAIN = ("pool1", "pool2", "conv3", "conv4", "pool5", "fc7")
_WHOLE = 0.75  # a module with a larger share of all layers is the network itself in a wrapper, not a block
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


def _plain(key: str) -> str:
    """A module's path, without the number of its call."""
    return key.partition("#")[0]


def _ancestors(key: str) -> list[str]:
    parts = _plain(key).split(".")
    return [".".join(parts[:n]) for n in range(1, len(parts))]


class _LayerTable:
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
            One row per layer, in the order in which they run: ``layer`` (its name), ``module`` (its path, see
            `trace`), ``units`` (int), ``map`` (rows, columns), ``rf_size``, ``rf_stride``, ``rf_start`` (NaN)
            and ``kind`` (``'conv'``, ``'pool'``, ``'fc'`` or ``'block'``).
        """
        plan = _Plan(module, points)
        rows: dict[str, str] = {}
        for key, kind in plan.kinds.items():
            if not points[key].shape or plan.keeps_map(key, kind):
                continue
            for block in plan.blocks(key):
                rows.setdefault(block, "block")
            rows[plan.outermost_alone(key)] = kind
        ordered = sorted(rows, key=lambda path: (points[path].order, path))
        names = _paper_names(ordered, rows) or {path: path for path in ordered}
        return pd.DataFrame(
            [_row(names[path], path, rows[path], points[path].shape) for path in ordered], columns=_COLUMNS
        )

    @staticmethod
    def spread(table: pd.DataFrame, n: int = 6) -> list[str]:
        """Choose a few layers spread over the depth.

        These are the paper's six where they exist; otherwise layers that are not inside a block, among them
        the deepest one that has a map. The last layers, with as many units as there are classes, are left
        out, because these stand for the classes.

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
        layers = _LayerTable._outer(table)
        deepest = _LayerTable.deepest_map(table)
        last = layers.index(deepest) if deepest else len(layers) - 1
        n = min(n, len(layers))
        places = [round(i * (len(layers) - 1) / max(1, n - 1)) for i in range(n)]
        if last not in places:  # it takes the place of the nearest of them that has a map
            maps = set(table.layer[[tuple(size) != (1, 1) for size in table["map"]]])
            near = [k for k in range(n) if layers[places[k]] in maps] or range(n)
            places[min(near, key=lambda k: (abs(places[k] - last), k))] = last
        return [layers[place] for place in places]

    @staticmethod
    def deepest_map(table: pd.DataFrame) -> str | None:
        """Return the deepest layer whose units have a map; those that stand for the classes are left out.

        Parameters
        ----------
        table : pandas.DataFrame
            The layers, from `find`.

        Returns
        -------
        str or None
            The layer's name; None where no layer has a map.
        """
        sizes = dict(zip(table.layer, table["map"], strict=True))
        return next((one for one in reversed(_LayerTable._outer(table)) if tuple(sizes[one]) != (1, 1)), None)

    @staticmethod
    def _outer(table: pd.DataFrame) -> list[str]:
        """The layers that are not inside a block, up to the last that does not stand for the classes."""
        if table.empty:
            return []
        blocks = {_plain(one) for one in table.module[table.kind == "block"]}
        outer = table[[not blocks & set(_ancestors(path)) for path in table.module]]
        inner = outer[(outer.units != outer.units.iloc[-1])[::-1].cummax()[::-1]]
        return list((inner if len(inner) else outer).layer)


def _row(name: str, path: str, kind: str, shape: tuple[int, ...]) -> tuple:
    size = (shape[1], shape[2]) if len(shape) == 3 else (1, 1)
    return (name, path, shape[0], size, float("nan"), float("nan"), float("nan"), kind)


class _Plan:
    """Which of the modules that ran are layers and blocks."""

    def __init__(self, module: nn.Module, points: dict[str, Point]) -> None:
        self.modules, self.points = dict(module.named_modules()), points
        kinds = {key: _kind_of(self.modules[_plain(key)]) or point.kind for key, point in points.items()}
        self.kinds = {key: kind for key, kind in kinds.items() if kind}
        self.inside: dict[str, list[str]] = {}  # of a module: the layers that ran in it
        for key in self.kinds:
            for around in points[key].inside:
                self.inside.setdefault(around, []).append(key)

    def keeps_map(self, key: str, kind: str) -> bool:
        """Whether it is an adaptive pooling that changes nothing here, as in AlexNet at 224 px."""
        module, point = self.modules[_plain(key)], self.points[key]
        if kind != "pool" or not isinstance(module, nn.AdaptiveAvgPool2d | nn.AdaptiveMaxPool2d):
            return False
        earlier = [one for one in self.points.values() if one.order < point.order and len(one.shape) == 3]
        return bool(earlier) and max(earlier, key=lambda one: one.order).shape == point.shape

    def blocks(self, key: str) -> list[str]:
        """The outermost block around a layer: directly in the network, in containers or in stages."""
        for around in self.points[key].inside:
            if not self._holds_others(around):
                fits = around in self.points and bool(self.points[around].shape)
                return [around] if fits and len(self.inside[around]) > 1 else []
        return []

    def _holds_others(self, key: str) -> bool:
        """Whether a module is a container, a stage of several equal blocks, or nearly the whole network."""
        module = self.modules[_plain(key)]
        if _is_container(module) or len(self.inside[key]) > _WHOLE * len(self.kinds):
            return True
        return any(self._is_row(key, one) for one in (module, *filter(_is_container, module.children())))

    def _is_row(self, key: str, holder: nn.Module) -> bool:
        """Whether equal blocks stand in a holder, and the module returns what the last of them does."""
        blocks = [one for one in holder.children() if not _is_container(one) and _has_several(one)]
        if len(blocks) < 2 or len({type(one) for one in blocks}) > 1:
            return False
        last = [one for one in self.points.values() if self.modules[_plain(one.path)] is blocks[-1]]
        return key in self.points and any(one.made == self.points[key].made >= 0 for one in last)

    def outermost_alone(self, key: str) -> str:
        """The path of a layer: that of the module around it, where this adds only norm and activation."""
        for around in self.points[key].inside:
            if around not in self.points or _is_container(self.modules[_plain(around)]):
                continue
            if self.inside[around] == [key] and self.points[around].shape:
                return around
        return key


def _has_several(module: nn.Module) -> bool:
    return sum(_kind_of(one) is not None for one in module.modules()) > 1


def _paper_names(ordered: list[str], kinds: dict[str, str]) -> dict[str, str] | None:
    names = _PAPER.get(" ".join(kinds[path] for path in ordered))
    return dict(zip(ordered, names.split(), strict=True)) if names else None

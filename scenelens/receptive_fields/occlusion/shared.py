"""Several places of one map, occluded together: which occluders and which steps they share.

Units of one layer peak at different places of an image. What an occluder changes in the early maps is the
same for all of them. So the early steps are computed once, as far as any of the places needs them, and only
the later ones for each place alone. Where to change from one to the other is a question of work: windows that
serve several places are larger than those of one.

The occluders are sorted by the places that they can change. All that can change the same places form a cell,
a set of rows by a set of columns, and a cell is cut into blocks that fit into the caches near the cores.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from scenelens.receptive_fields.occlusion.plan import Span, _Axis, _AxisPlan, _Geometry
from scenelens.receptive_fields.occlusion.records import Place
from scenelens.receptive_fields.occlusion.watch import _Watch

#: Floats that the windows of one batch of occluders may take, together. On a CPU little enough to stay in the
#: caches near the cores; on a GPU as much as keeps it busy.
_FLOATS = {"cpu": 6_000_000, "cuda": 400_000_000}
_WORTHWHILE = 200_000  # floats of a block that starting another thread is worth
#: What else takes time, in multiply-adds that take as long: moving a float, and beginning a block.
_MOVE, _BEGIN = 60, 100_000_000


@dataclass
class _Part:
    """One side of a block: some occluders along one axis, and their windows.

    Attributes
    ----------
    occluders : numpy.ndarray
        (n,) indices into the grid of occluders along this axis.
    places : tuple of tuple of int
        The places that these occluders can change.
    shared : _AxisPlan or None
        The windows of the steps that the places share; None where they share none.
    own : dict
        Position of a place along this axis -> the windows of its other steps.
    """

    occluders: np.ndarray
    places: tuple[Place, ...]
    shared: _AxisPlan | None
    own: dict[int, _AxisPlan]


class _Layout:
    """How one image's occluders are cut into blocks for some places.

    Parameters
    ----------
    geometry : _Geometry
        The maps of the target and of all it depends on.
    watches : tuple of (tuple of int, _Watch)
        The places, and the units that are watched there.
    everyone : _Watch
        All these units.
    extent : tuple of int
        (height, width) of the occluder.
    starts : tuple of tuple of int
        First pixels of the rows and columns of occluders.
    device : str
        ``"cpu"`` or ``"cuda"``.
    threads : int
        How many blocks are computed at a time.

    Attributes
    ----------
    early : frozenset of str
        Names of the steps that the places share; empty for one place, and where sharing is no gain.
    blocks : list of tuple of _Part
        (rows, columns) of each block; for several places that share nothing there are none.
    """

    def __init__(
        self,
        geometry: _Geometry,
        watches: tuple[tuple[Place, _Watch], ...],
        everyone: _Watch,
        extent: tuple[int, ...],
        starts: tuple[tuple[int, ...], tuple[int, ...]],
        device: str,
        threads: int,
    ) -> None:
        self.geometry, self.everyone, self.threads = geometry, everyone, threads
        self.watches, self._extent, self._starts = dict(watches), extent, starts
        self.early: frozenset[str] = frozenset()
        self.blocks: list[tuple[_Part, _Part]] = []
        area = self._area(device)
        if not area:
            return
        cells = list(self._cells())
        if len(self.watches) > 1:
            self.early = self._worth_sharing(cells, area)
            if not self.early:
                return
        for places, rows, columns in cells:
            height = max(1, min(len(rows), round(area**0.5)))
            width = max(1, area // height)
            down = self._parts(0, rows, height, places)
            across = self._parts(1, columns, width, places)
            self.blocks += [(one, other) for one in down for other in across]

    def _axis(self, axis: int, places: Iterable[Place]) -> _Axis:
        return self.geometry.axis(axis, _spans(places)[axis], self._extent[axis], self._starts[axis])

    def _area(self, device: str) -> int:
        """How many occluders a block has.

        Blocks are small for three reasons: they have to fit in memory; neighbours' windows are hardly larger
        than each occluder's own; and all threads should have work.
        """
        axes = [self._axis(axis, self.watches) for axis in (0, 1)]
        n = len(axes[0].occluders) * len(axes[1].occluders)
        if not n:
            return 0
        # one plan for all occluders has the longest windows: an upper bound of what one occluder takes
        plans, watch = [axis.plan(axis.occluders) for axis in axes], self.everyone
        each = sum(plans[0].size[k] * plans[1].size[k] * len(c) for k, c in watch.channels.items())
        each += sum(watch.whole(step) for step in watch.steps if step.name not in watch.sizes)
        # two blocks per thread even out their lengths; below `_WORTHWHILE` a thread costs more than it saves
        share = max(_WORTHWHILE, each * n // (2 * self.threads)) if self.threads > 1 else each * n
        return max(1, int(min(_FLOATS.get(device, _FLOATS["cpu"]), share) / each))

    def _cells(self) -> Iterator[tuple[tuple[Place, ...], np.ndarray, np.ndarray]]:
        """Places, and the rows and columns of occluders that can change exactly these."""
        places = list(self.watches)
        sorted_by_place = []
        for axis in (0, 1):
            can = np.zeros((len(places), len(self._starts[axis])), bool)
            for row, place in zip(can, places, strict=True):
                row[self._axis(axis, [place]).occluders] = True
            kinds, number = np.unique(can, axis=1, return_inverse=True)
            of = [np.flatnonzero(number.ravel() == k) for k in range(kinds.shape[1])]
            sorted_by_place.append(list(zip(kinds.T, of, strict=True)))
        for (down, rows), (across, columns) in itertools.product(*sorted_by_place):
            both = down & across
            if both.any():
                yield tuple(itertools.compress(places, both)), rows, columns

    def _worth_sharing(self, cells: list, area: int) -> frozenset[str]:
        """The early steps that are best computed once for all places; none where that is no gain."""
        steps = [step for step in self.geometry.steps if step.name in self.geometry.sizes]
        if len(steps) < len(self.geometry.steps):
            return frozenset()
        own, alone, begun = np.zeros(len(steps)), 0.0, 0.0
        for place, watch in self.watches.items():
            axes = [self._axis(axis, [place]) for axis in (0, 1)]
            own += _work(steps, watch) * _positions(axes, [axis.occluders for axis in axes])
            alone += _BEGIN * -(-len(axes[0].occluders) * len(axes[1].occluders) // area)
        together = np.zeros(len(steps))
        for places, rows, columns in cells:
            axes = [self._axis(axis, places) for axis in (0, 1)]
            together += _work(steps, self.everyone) * _positions(axes, [rows, columns])
            begun += _BEGIN * -(-len(rows) * len(columns) // area) * (1 + len(places)) / 2
        costs = {k: together[: k + 1].sum() + own[k + 1 :].sum() + begun for k in _cuts(steps)}
        best = min(costs, key=lambda k: costs[k])
        if costs[best] >= own.sum() + alone:
            return frozenset()
        return frozenset(step.name for step in steps[: best + 1])

    def _parts(self, axis: int, occluders: np.ndarray, length: int, places: tuple[Place, ...]) -> list[_Part]:
        """Occluders along an axis in parts of about one length."""
        parts = []
        for some in np.array_split(occluders, -(-len(occluders) // length)):
            shared = None
            if self.early:
                shared = self._axis(axis, places).plan(some).only(self.early)
            own = {
                place[axis]: self._axis(axis, [place]).plan(some, shared)
                for place in {one[axis]: one for one in places}.values()
            }
            parts.append(_Part(some, places, shared, own))
        return parts


def _spans(places: Iterable[Place]) -> tuple[Span, Span]:
    """Rows and columns [low, high) that contain some places."""
    rows, columns = zip(*places, strict=True)
    return (min(rows), max(rows) + 1), (min(columns), max(columns) + 1)


def _work(steps: list, watch: _Watch) -> np.ndarray:
    """What one position of each step's map costs, in multiply-adds."""
    made = [watch.made.get(step.name) for step in steps]
    return np.array(
        [
            _MOVE * len(watch.channels[step.name]) + (one.work if one else 0)
            for step, one in zip(steps, made, strict=True)
        ],
        float,
    )


def _positions(axes: list[_Axis], occluders: list[np.ndarray]) -> np.ndarray:
    """How many positions of each step's map some occluders change, together."""
    down, across = (axis.widths[:, some].sum(axis=1) for axis, some in zip(axes, occluders, strict=True))
    return down * across.astype(float)


def _cuts(steps: list) -> list[int]:
    """After which steps all later ones read only the last: so far the steps can be shared."""
    last = {before.name: k for k, step in enumerate(steps) for before in step.inputs}
    cuts, open_until = [], -1
    for k, step in enumerate(steps):
        if open_until <= k:
            cuts.append(k)
        open_until = max(open_until, last.get(step.name, k))
    return cuts

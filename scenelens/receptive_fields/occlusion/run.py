"""The fast way to occlude: one pass without an occluder, then windows, a block of occluders at a time."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from torch import Tensor

from scenelens.networks import Step
from scenelens.receptive_fields.occlusion.block import _Block
from scenelens.receptive_fields.occlusion.plan import _Geometry
from scenelens.receptive_fields.occlusion.records import (
    Discrepancy,
    Patches,
    Place,
    Wanted,
)
from scenelens.receptive_fields.occlusion.shared import _Layout, _Part, _spans
from scenelens.receptive_fields.occlusion.watch import _Watch


class _WindowedLayer:
    """A layer whose steps are known, ready to be occluded by windows.

    Parameters
    ----------
    target : Step
        The step at which the layer's response is read.
    shape : tuple of int
        (channels, H, W) of the images.
    """

    def __init__(self, target: Step, shape: tuple[int, ...]) -> None:
        self.geometry = _Geometry(target.ancestors(), target.name, shape)
        # a watch depends on units and not on the image: images that follow each other share it
        self._watch = functools.lru_cache(maxsize=4)(
            lambda units: _Watch(target, np.array(units), self.geometry, shape)
        )
        # one place comes back, image after image; several do not, and would keep many weights
        self._layout = functools.lru_cache(maxsize=4)(functools.partial(_Layout, self.geometry))

    def discrepancies(self, x: Tensor, patches: Patches, wanted: list[Wanted]) -> list[Discrepancy]:
        """Occlude one image.

        Parameters
        ----------
        x : torch.Tensor
            The image, (channels, H, W), as the module takes it.
        patches : Patches
            The occluders.
        wanted : list of tuple
            (unit, place) for each result; place None for the unit's peak.

        Returns
        -------
        list of Discrepancy
            In the order of `wanted`.
        """
        peaks, whole = self._peaks(x, sorted({unit for unit, place in wanted if place is None}))
        places = [(unit, place or peaks[unit]) for unit, place in wanted]
        # units that are read at one place share all windows: the backward cone is the place's
        watches = {
            place: self._watch(tuple(sorted({unit for unit, at in places if at == place})))
            for place in sorted({place for _, place in places})
        }
        found = self._occluded(x, patches, watches, whole)
        return [found[one] for one in places]

    def _peaks(self, x: Tensor, units: list[int]) -> tuple[dict[int, Place], dict[_Watch, Any]]:
        """Where units peak; and the pass it took, which serves again if they all peak at one place."""
        if not units:
            return {}, {}
        watch = self._watch(tuple(units))
        originals = watch.originals(x)
        places = Discrepancy.peak_places(watch.response(originals))
        return dict(zip(units, places, strict=True)), {watch: originals}

    def _occluded(
        self, x: Tensor, patches: Patches, watches: dict[Place, _Watch], whole: dict[_Watch, Any]
    ) -> dict[tuple[int, Place], Discrepancy]:
        """How much the units of all places change, by unit and place."""
        everyone = self._everyone(watches)
        layout = self._arranged(x, patches, watches, everyone)
        if len(watches) > 1 and not layout.early:  # nothing that is worth sharing
            each = ({place: watch} for place, watch in watches.items())
            parts = [self._occluded(x, patches, one, whole) for one in each]
            return {key: value for part in parts for key, value in part.items()}
        run = _Run(x, patches, watches, everyone, layout, whole)
        return run.discrepancies()

    def _everyone(self, watches: dict[Place, _Watch]) -> _Watch:
        """A watch of the units of all places."""
        return self._watch(tuple(sorted({int(unit) for one in watches.values() for unit in one.units})))

    def _arranged(
        self, x: Tensor, patches: Patches, watches: dict[Place, _Watch], everyone: _Watch
    ) -> _Layout:
        device = patches.values.device.type
        threads = torch.get_num_threads() if device == "cpu" else 1
        extent = tuple(patches.values.shape[:2])
        arrange = self._layout if len(watches) == 1 else self._layout.__wrapped__
        starts = patches.starts((int(x.shape[1]), int(x.shape[2])))
        return arrange(tuple(watches.items()), everyone, extent, starts, device, threads)


class _Run:
    """One image under all occluders.

    Parameters
    ----------
    x : torch.Tensor
        The image, (channels, H, W), as the module takes it.
    patches : Patches
        The occluders.
    watches : dict
        Place -> the units that are watched there.
    everyone : _Watch
        All these units.
    layout : _Layout
        Which occluders are computed together, and which steps they share.
    whole : dict
        Watch -> the pass without an occluder, where it is there already.
    """

    def __init__(
        self,
        x: Tensor,
        patches: Patches,
        watches: dict[Place, _Watch],
        everyone: _Watch,
        layout: _Layout,
        whole: dict[_Watch, Any],
    ) -> None:
        self.patches, self.layout, early = patches, layout, layout.early
        self.size = (int(x.shape[1]), int(x.shape[2]))
        self.shared, begun = everyone.until(early), {}  # type: _Watch, dict[str, Any]
        if early:
            begun = self.shared.originals(x, _spans(watches))
        self.begun = begun
        self.watches = {place: watch.after(early, everyone) for place, watch in watches.items()}
        self.originals = {
            # what is there already has its own units' channels only
            place: (not early and whole.get(watches[place])) or watch.originals(x, _spans([place]), begun)
            for place, watch in self.watches.items()
        }

    def discrepancies(self) -> dict[tuple[int, Place], Discrepancy]:
        """How much the units change, by unit and place."""
        n_y, n_x = self.patches.grid(self.size)
        peaks = {place: watch.peaks(self.originals[place], place) for place, watch in self.watches.items()}
        # occluders that no block computes cannot change the units at this place: zero is exact for them
        changed = {place: peak.new_zeros(n_y, n_x, len(peak)) for place, peak in peaks.items()}
        threads = self.layout.threads
        for place, rows, columns, values in itertools.chain(
            *_at_once(self._block, self.layout.blocks, threads)
        ):
            at = torch.from_numpy(rows)[:, None], torch.from_numpy(columns)[None]
            changed[place][at] = (values - peaks[place]).abs_()
        found: dict[tuple[int, Place], Discrepancy] = {}
        for place, watch in self.watches.items():
            maps = changed[place].permute(2, 0, 1).contiguous().cpu().numpy()
            for n, unit in enumerate(watch.units):
                one = Discrepancy(maps[n], int(unit), place, float(peaks[place][n]))
                found[int(unit), place] = one
        return found

    def _block(self, block: tuple[_Part, _Part]) -> list[tuple[Place, np.ndarray, np.ndarray, Tensor]]:
        """For each place: its occluders' rows and columns, and the units' responses (n_y, n_x, units)."""
        rows, columns = block
        found: dict[str, Any] = {}
        if rows.shared is not None and columns.shared is not None:
            found = _Block(self.shared, self.begun, (rows.shared, columns.shared)).run(self.patches)
        results = []
        for place in rows.places:
            plans = rows.own[place[0]], columns.own[place[1]]
            one = _Block(self.watches[place], self.originals[place], plans, found)
            values = one.responses(self.patches, place)
            values = values.view(len(rows.occluders), len(columns.occluders), -1)
            results.append((place, rows.occluders, columns.occluders, values))
        return results


def _at_once(call: Callable[[Any], Any], blocks: Sequence[Any], threads: int) -> Iterator[Any]:
    """The calls' results in order; several blocks at a time, each in one thread, which suits small windows
    better than many threads to a block."""
    if threads < 2 or len(blocks) < 2:
        yield from map(call, blocks)
        return
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            # inference mode belongs to a thread, so each call enters it anew
            yield from pool.map(torch.inference_mode()(call), blocks)
    finally:
        torch.set_num_threads(threads)

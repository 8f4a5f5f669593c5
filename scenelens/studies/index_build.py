"""Building an index: images stream through the network, a block of them at a time, and only summaries stay.

Memory does not grow with the number of images: a few batches are decoded ahead, each layer's activations are
reduced to peak, place and sum while the forward pass runs, and a block's rows go to disk when the block is
full. A block is always cut into the same batches, so a run that was killed and started again computes the
very same bits.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from scenelens.errors import SceneLensError
from scenelens.networks import Network, record
from scenelens.progress import Pace
from scenelens.studies.index_files import IndexFiles, disk_errors

#: Decoding runs this many batches ahead, in this many threads.
AHEAD, DECODERS = 2, 1

Load = Callable[[str], np.ndarray]


@dataclass
class Batch:
    """Some images of one block, ready for the network.

    Attributes
    ----------
    block : number of the block.
    rows : rows within the block of the images that could be read.
    inputs : (len(rows), 3, H, W) float tensor, or None where no image could be read.
    skipped : (image id, reason) of the others.
    size : how many images the batch stands for, the unreadable ones included.
    """

    block: int
    size: int
    rows: list[int] = field(default_factory=list)
    inputs: torch.Tensor | None = None
    skipped: list[tuple[str, str]] = field(default_factory=list)


def summarise(activation: torch.Tensor) -> dict[str, np.ndarray]:
    """Peak, place and sum of every unit's map, in one image each.

    Parameters
    ----------
    activation : (N, units, h, w) float, on any device; or (N, units).

    Returns
    -------
    dict : for maps 'peak' (N, units) float32; 'place' (N, units) int32, the flat index row * w + col, the
        first one where several positions share the peak; 'sum' (N, units) float32, summed in float32. For
        (N, units) or (N, units, 1, 1): 'value' alone.

    Examples
    --------
    >>> found = summarise(torch.tensor([[[[0.0, 2.0], [1.0, 2.0]]]]))
    >>> [float(found["peak"][0, 0]), int(found["place"][0, 0]), float(found["sum"][0, 0])]
    [2.0, 1, 5.0]
    """
    maps = (
        activation.detach().float().flatten(2)
        if activation.ndim > 2
        else activation.detach().float()[..., None]
    )
    if maps.shape[2] == 1:
        return {"value": maps[..., 0].cpu().numpy().copy()}
    total = maps.sum(2)
    if maps.is_cuda:
        peak, place = (found.cpu().numpy() for found in maps.max(2))
    else:  # numpy's argmax is vectorised: a third of the time of torch's on the CPU
        values = maps.cpu().numpy()
        place = values.argmax(2)
        peak = np.take_along_axis(values, place[..., None], 2)[..., 0]
    return {"peak": peak, "place": place.astype(np.int32), "sum": total.cpu().numpy()}


def build_blocks(
    network: Network,
    files: IndexFiles,
    load: Load,
    layers: Sequence[str],
    blocks: Iterable[int],
    progress: bool = True,
) -> None:
    """Compute these blocks and put each on disk as soon as it is complete.

    Parameters
    ----------
    load : image id -> uint8 RGB (H, W, 3); raises SceneLensError or OSError where the image cannot be read.
    blocks : numbers of the blocks to compute, none of them finished.
    progress : show a bar on stderr, and say before the long part about how long it will take.

    Raises
    ------
    SceneLensError : the disk is full or refuses; finished blocks are kept.
    """
    numbers = list(blocks)
    n_images = sum(len(files.rows(number)) for number in numbers)
    with tqdm(total=n_images, unit=" images", desc=f"index of {network.name}", disable=not progress) as bar:
        pace = Pace(
            bar, "You can interrupt it: finished blocks are kept, and the next call goes on from there."
        )
        batches = _batches(network, files, load, numbers)
        with Writer(files) as writer:
            for number, members in groupby(batches, key=lambda batch: batch.block):
                began = time.perf_counter()
                values, note = compute_block(network, files, layers, number, members, pace)
                writer.put(number, values, note | {"seconds": round(time.perf_counter() - began, 3)})


class Writer:
    """Writes one block while the next is computed: waiting for the disk then costs no time."""

    def __init__(self, files: IndexFiles) -> None:
        self.files = files
        self.pool = ThreadPoolExecutor(1)
        self.pending: Future[None] | None = None

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *error: Any) -> None:
        with self.pool:
            if error[0] is None:
                self.wait()

    def put(self, number: int, values: dict[str, np.ndarray], note: dict[str, Any]) -> None:
        """Write a block as soon as the one before it is written."""
        self.wait()
        self.pending = self.pool.submit(self.files.write_block, number, values, note)

    def wait(self) -> None:
        """Return when the latest block is on disk; SceneLensError where the disk refused it."""
        if self.pending is not None:
            pending, self.pending = self.pending, None
            with disk_errors(self.files.folder, self._kept):
                pending.result()

    def _kept(self) -> str:
        return f"The {len(self.files.finished())} finished of {self.files.n_blocks} blocks are kept."


def compute_block(
    network: Network,
    files: IndexFiles,
    layers: Sequence[str],
    number: int,
    batches: Iterable[Batch],
    advance: Callable[[int], Any],
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """One block's rows of every array, and the note about the images that could not be read."""
    values = files.empty_block(number)
    skipped: list[tuple[str, str]] = []
    for batch in batches:
        skipped += batch.skipped
        if batch.inputs is not None:
            with record(network, layers, keep=lambda _, value: summarise(value)) as found, torch.no_grad():
                network.module(batch.inputs.to(_device(network)))
            for layer in layers:
                for kind, numbers in found[layer].items():
                    values[f"{layer}/{kind}"][batch.rows] = numbers
        advance(batch.size)
    return values, {"skipped": skipped}


def _device(network: Network) -> torch.device:
    weights = next(network.module.parameters(), None)
    return torch.device("cpu") if weights is None else weights.device


def _batches(network: Network, files: IndexFiles, load: Load, numbers: Sequence[int]) -> Iterator[Batch]:
    """The batches of these blocks in order, decoded a little ahead of their use."""
    size = files.inputs["blocks"][1]
    jobs = (
        (number, rows[start : start + size])
        for number in numbers
        for rows in [files.rows(number)]
        for start in range(0, len(rows), size)
    )
    # one torch thread each: a second team of them would only get in the way of the forward pass
    pool = ThreadPoolExecutor(DECODERS, initializer=torch.set_num_threads, initargs=(1,))
    pending: deque[Future[Batch]] = deque()
    try:
        for number, rows in jobs:
            pending.append(pool.submit(_read_batch, network, files, load, number, rows))
            if len(pending) > AHEAD:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _read_batch(network: Network, files: IndexFiles, load: Load, number: int, rows: range) -> Batch:
    batch = Batch(number, len(rows))
    images = []
    for row in rows:
        try:
            images.append(load(files.images[row]))
            batch.rows.append(row - number * files.block)
        except (SceneLensError, OSError) as error:
            batch.skipped.append((files.images[row], str(error)))
    if images:
        batch.inputs = network.prepare(images)
    return batch

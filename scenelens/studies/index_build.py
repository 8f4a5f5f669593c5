"""Building an index: images pass through the network block by block, and only summaries are stored.

Memory does not grow with the number of images. A few batches are decoded ahead, each layer's activations are
reduced to peak, position and sum during the forward pass, and a block's rows go to disk when the block is
full. A block is always cut into the same batches, so a build that was killed and started again computes
exactly the same bits.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch

from scenelens.errors import SceneLensError
from scenelens.labels import LayerMaps
from scenelens.networks import Network, record
from scenelens.progress import Announcer, run_ahead
from scenelens.studies.image_source import _ImageSource
from scenelens.studies.index_files import _IndexFiles

_Load = Callable[[str], np.ndarray]


@dataclass
class _Batch:
    """Some images of one block, ready for the network.

    Attributes
    ----------
    block : int
        Number of the block.
    size : int
        How many images the batch stands for, unreadable ones included.
    rows : list of int
        Rows within the block of the images that could be read.
    inputs : torch.Tensor or None
        (len(rows), 3, H, W), float; None where no image could be read.
    skipped : list of tuple of str
        (image id, reason) of the others.
    """

    block: int
    size: int
    rows: list[int] = field(default_factory=list)
    inputs: torch.Tensor | None = None
    skipped: list[tuple[str, str]] = field(default_factory=list)


def _summarise(activation: torch.Tensor) -> dict[str, np.ndarray]:
    """Peak, position and sum of every unit's map, for each image.

    Parameters
    ----------
    activation : torch.Tensor
        (N, units, h, w), any float type, on any device; or (N, units).

    Returns
    -------
    dict of str to numpy.ndarray
        For maps: 'peak' (N, units), float32; 'place' (N, units), int32, the flat index row * w + col, the
        first one where several positions share the peak; 'sum' (N, units), float32, summed in float32. For
        (N, units) or (N, units, 1, 1): 'value' alone.

    Examples
    --------
    >>> found = _summarise(torch.tensor([[[[0.0, 2.0], [1.0, 2.0]]]]))
    >>> [float(found["peak"][0, 0]), int(found["place"][0, 0]), float(found["sum"][0, 0])]
    [2.0, 1, 5.0]
    """
    values = activation.detach().float()
    maps = values.flatten(2) if activation.ndim > 2 else values[..., None]
    if maps.shape[2] == 1:
        return {"value": maps[..., 0].cpu().numpy().copy()}
    total = maps.sum(2)
    if maps.is_cuda:
        peak, place = (found.cpu().numpy() for found in maps.max(2))
    else:  # numpy's argmax is vectorised: it takes a third of the time of torch's on the CPU
        on_cpu = maps.cpu().numpy()
        place = on_cpu.argmax(2)
        peak = np.take_along_axis(on_cpu, place[..., None], 2)[..., 0]
    return {"peak": peak, "place": place.astype(np.int32), "sum": total.cpu().numpy()}


def _build_blocks(
    network: Network,
    files: _IndexFiles,
    load: _Load,
    layers: Sequence[str],
    blocks: Iterable[int],
    paths: Mapping[str, Path],
    progress: bool = True,
) -> None:
    """Compute some blocks, and write each to disk as soon as it is complete.

    Parameters
    ----------
    network : Network
        The network.
    files : _IndexFiles
        The index's folder, locked by this process.
    load : callable
        From an image's id to uint8 RGB, (H, W, 3). It raises SceneLensError or OSError where the image cannot
        be read.
    layers : sequence of str
        Names of the index's layers.
    blocks : iterable of int
        Numbers of the blocks to compute, none of them finished.
    paths : mapping of str to pathlib.Path
        The images' files, by id: their maps are kept while layers' maps are kept.
    progress : bool, optional
        Whether to show a progress bar on stderr, and to say early about how long the rest will take.

    Raises
    ------
    SceneLensError
        If the disk is full, or if an image changed meanwhile; finished blocks stay valid.
    """
    numbers = list(blocks)
    n_images = sum(len(files.rows(number)) for number in numbers)
    announcer = Announcer(progress)
    with announcer.bar(n_images, f"index of {network.name}") as bar:
        pace = announcer.pace(
            bar, "You can interrupt it: finished blocks are kept, and the next call goes on from there."
        )
        batches = _batches(network, files, load, numbers, paths)
        with _Writer(files) as writer:
            for number, members in groupby(batches, key=lambda batch: batch.block):
                began = time.perf_counter()
                try:
                    values, note = _compute_block(network, files, layers, number, members, pace, paths)
                except _ImageSource.ChangedError as error:
                    writer.wait()
                    raise SceneLensError(
                        f"The image {error} changed while the index was built. Finished blocks are kept; run "
                        "the same line again when the images stay as they are."
                    ) from None
                writer.put(number, values, note | {"seconds": round(time.perf_counter() - began, 3)})


class _Writer:
    """Writes one block while the next is computed, so that waiting for the disk costs no time."""

    def __init__(self, files: _IndexFiles) -> None:
        self.files = files
        self.pool = ThreadPoolExecutor(1)
        self.pending: Future[None] | None = None

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, *error: Any) -> None:
        with self.pool:
            if error[0] is None:
                self.wait()

    def put(self, number: int, values: dict[str, np.ndarray], note: dict[str, Any]) -> None:
        """Write a block as soon as the one before it is written."""
        # One block at most waits in memory, and a full disk stops the build at the next block.
        self.wait()
        self.pending = self.pool.submit(self.files.write_block, number, values, note)

    def wait(self) -> None:
        """Return when the latest block is on disk; raise SceneLensError if it could not be written."""
        if self.pending is not None:
            pending, self.pending = self.pending, None
            with _IndexFiles.disk_errors(self.files.folder, self._kept):
                pending.result()

    def _kept(self) -> str:
        return f"The {len(self.files.finished())} finished of {self.files.n_blocks} blocks are kept."


def _compute_block(
    network: Network,
    files: _IndexFiles,
    layers: Sequence[str],
    number: int,
    batches: Iterable[_Batch],
    advance: Callable[[int], Any],
    paths: Mapping[str, Path],
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """One block's rows of every array, and the note about the images that could not be read."""
    values, kept = files.empty_block(number), LayerMaps.kept(network)
    skipped: list[tuple[str, str]] = []
    for batch in batches:
        skipped += batch.skipped
        if batch.inputs is not None:
            start = number * files.block
            images = [paths[files.images[start + row]] for row in batch.rows]

            def keep(layer: str, value: torch.Tensor, images: list[Path] = images) -> dict[str, np.ndarray]:
                if kept is not None:
                    kept.add(layer, value, images)
                return _summarise(value)

            with record(network, layers, keep=keep) as found, torch.no_grad():
                network.module(batch.inputs.to(_device(network)))
            for layer in layers:
                for kind, numbers in found[layer].items():
                    values[f"{layer}/{kind}"][batch.rows] = numbers
        advance(batch.size)
    return values, {"skipped": skipped}


def _device(network: Network) -> torch.device:
    weights = next(network.module.parameters(), None)
    return torch.device("cpu") if weights is None else weights.device


def _batches(
    network: Network, files: _IndexFiles, load: _Load, numbers: Sequence[int], paths: Mapping[str, Path]
) -> Iterator[_Batch]:
    """The batches of these blocks in order, decoded a little before they are used."""
    size = files.inputs["blocks"][1]
    # A batch never spans two blocks: a block's numbers then do not depend on which blocks were there before.
    jobs = (
        (number, rows[start : start + size])
        for number in numbers
        for rows in [files.rows(number)]
        for start in range(0, len(rows), size)
    )
    return run_ahead(lambda job: _read_batch(network, files, load, paths, *job), jobs)


def _read_batch(
    network: Network, files: _IndexFiles, load: _Load, paths: Mapping[str, Path], number: int, rows: range
) -> _Batch:
    batch, kept = _Batch(number, len(rows)), LayerMaps.kept(network)
    images = []
    for row in rows:
        name = files.images[row]
        try:
            if kept is not None:
                images.append(kept.frame(paths[name], functools.partial(load, name))[0])
            else:
                images.append(load(name))
            batch.rows.append(row - number * files.block)
        except (SceneLensError, OSError) as error:
            batch.skipped.append((files.images[row], str(error)))
    if images:
        batch.inputs = network.prepare(images, framed=kept is not None)
    return batch

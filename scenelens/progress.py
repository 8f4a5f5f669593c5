"""Layers' maps of many images, read ahead; and the thresholds that few of their responses exceed.

The maps of the first images are kept until they are asked for again, as far as they fit in memory, so that
what needs a threshold before it can count need not run the network twice.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import torch
from tqdm import tqdm

from scenelens.errors import SceneLensError

#: MERGED DOC: Building an index: images stream through the network, a block of them at a time, and only summaries stay.
#
# Memory does not grow with the number of images: a few batches are decoded ahead, each layer's activations are
# reduced to peak, place and sum while the forward pass runs, and a block's rows go to disk when the block is
# full. A block is always cut into the same batches, so a run that was killed and started again computes the
# very same bits.
#
#: MERGED DOC: The index on disk: Zarr arrays in blocks of images, each block with a marker once it is safely there.
#
#     <folder>/inputs.json        what the index depends on (its key is the hash of it)
#     <folder>/images.json        [image id, digest of the file] per row of every array
#     <folder>/arrays/            a Zarr 3 group: <layer>/peak, /place, /sum (n_images, units), or <layer>/value
#     <folder>/done/000012.json   block 12 is complete: its images, those that were skipped and why, its seconds
#
# A block is one chunk in every array. Chunks are written here and not through Zarr, for two reasons: each is
# made durable (fsync) and then moved into place, so that a marker never speaks of data that a crash could
# still lose; and it takes a twentieth of the time. Any Zarr 3 reader opens the group: a chunk is the plain
# little-endian bytes of its numbers.
#


BATCH, AHEAD = 32, 2


@dataclass
class Announcer:
    """Bars on stderr, and before long work a line that says how long."""

    progress: bool

    def bar(self, n: int, what: str) -> tqdm:
        """A bar over n images."""
        return tqdm(total=n, desc=what, unit=" images", disable=not self.progress, file=sys.stderr)

    def estimate(self, seconds: float, what: str) -> None:
        """Say how long something will take, where it is long."""
        if self.progress and seconds > 5:
            tqdm.write(f"{what} takes about {seconds:.0f} s.", file=sys.stderr)


def read_ahead(
    load: Callable[[str], Any], images: Sequence[str]
) -> Iterator[tuple[list[str], list[Any], list[tuple[str, str]]]]:
    """Batches of what `load` gives, read ahead in a thread: names, things, (image, reason) of failures."""

    def read(batch: Sequence[str]) -> tuple[list[str], list[Any], list[tuple[str, str]]]:
        names, things, skipped = [], [], []
        for image in batch:
            try:
                things.append(load(image))
                names.append(image)
            except (SceneLensError, OSError) as error:
                skipped.append((image, str(error)))
        return names, things, skipped

    # one torch thread for it, and one reader: numbers are given to concepts in the order of the images
    with ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        waiting: deque[Future] = deque()
        for start in range(0, len(images), BATCH):
            waiting.append(pool.submit(read, images[start : start + BATCH]))
            if len(waiting) > AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


class Pace:
    """Moves the bar, and says once, after a few batches, how long the rest will take (where it is long).

    The first batch does not count: it pays for the start of everything.
    """

    def __init__(self, bar: tqdm) -> None:
        self.bar = bar
        self.updates = 0
        self.start = (0.0, 0)

    def __call__(self, n: int) -> None:
        """Count `n` more images."""
        self.bar.update(n)
        done = self.bar.n if not self.bar.disable else 0
        self.updates += 1
        if self.updates == 1:
            self.start = (time.perf_counter(), done)
        elif self.updates == 4 and done:
            pace = (time.perf_counter() - self.start[0]) / max(done - self.start[1], 1)
            self._announce(self.bar.total - done, pace)

    def _announce(self, n_left: int, pace: float) -> None:
        if n_left * pace > 5:
            say_on_stderr(
                f"{self.bar.desc}: {n_left:,} images to go, about {spoken_time(n_left * pace)}. "
                "You can interrupt it: finished blocks are kept, and the next call goes on from there."
            )


def spoken_time(seconds: float) -> str:
    """A duration as one says it.

    Examples
    --------
    >>> spoken_time(42), spoken_time(200), spoken_time(9000)
    ('40 s', '3 min', '2.5 h')
    """
    if seconds < 100:
        return f"{max(5, round(seconds / 5) * 5)} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def say_on_stderr(text: str) -> None:
    """Print a line beside progress bars without breaking them."""
    from tqdm import tqdm

    tqdm.write(text, file=sys.stderr)

"""Long work: how far it is, how long it takes, and reading images ahead while the network works.

`Announcer` shows progress bars and says beforehand how long something will take; `Pace` moves a bar and says
the same after the first few steps. Both write to stderr, so that what a program prints stays clean.
`run_ahead` is the one thread that prepares things a little before they are needed; `read_ahead` uses it to
load images in batches.

>>> [total for total in run_ahead(sum, [[1, 2], [3, 4]])]
[3, 7]
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from tqdm import tqdm

from scenelens.errors import SceneLensError
from scenelens.sentences import one_line

BATCH = 32  # images that are loaded, and go through a network, together
AHEAD = 2  # jobs that wait, done, for their use
_LONG = 5  # seconds from which on a duration is worth a line

Job = TypeVar("Job")
Result = TypeVar("Result")


def run_ahead(work: Callable[[Job], Result], jobs: Iterable[Job], ahead: int = AHEAD) -> Iterator[Result]:
    """Do jobs in a thread, in order, a few jobs before their results are used.

    Parameters
    ----------
    work : callable
        Does one job. What it raises, the iterator raises when it comes to that job.
    jobs : iterable
        The jobs; they are taken from the iterable as they are started.
    ahead : int, optional
        How many results may wait for their use (default 2). Memory holds as many, and one more.

    Yields
    ------
    object
        What `work` returned, in the order of the jobs.
    """
    # There is one thread, and torch may use one thread within it: more would take the processor from the
    # forward pass that runs at the same time. One thread also keeps the order of `work`'s side effects.
    pool = ThreadPoolExecutor(1, initializer=_use_one_torch_thread)
    waiting: deque[Future[Result]] = deque()
    try:
        for job in jobs:
            waiting.append(pool.submit(work, job))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        # The caller may stop early: jobs that have not begun are dropped.
        pool.shutdown(wait=True, cancel_futures=True)


def _use_one_torch_thread() -> None:
    import torch  # takes a second to import, and who only shows a bar does not need it

    torch.set_num_threads(1)


def read_ahead(
    load: Callable[[str], Any], images: Sequence[str]
) -> Iterator[tuple[list[str], list[Any], list[tuple[str, str]]]]:
    """Load images in batches of `BATCH`, in a thread, a little before they are used.

    Parameters
    ----------
    load : callable
        Loads one image, given its id. An image for which it raises a SceneLensError or an OSError is skipped.
    images : sequence of str
        The images' ids.

    Yields
    ------
    names : list of str
        The images of the batch that could be loaded.
    loaded : list
        What `load` returned for them.
    skipped : list of tuple
        (image id, reason) of the others.
    """
    batches = (images[start : start + BATCH] for start in range(0, len(images), BATCH))
    return run_ahead(partial(_load_batch, load), batches)


def _load_batch(
    load: Callable[[str], Any], images: Sequence[str]
) -> tuple[list[str], list[Any], list[tuple[str, str]]]:
    names, loaded, skipped = [], [], []
    for image in images:
        try:
            loaded.append(load(image))
            names.append(image)
        except (SceneLensError, OSError) as error:
            skipped.append((image, str(error)))
    return names, loaded, skipped


@dataclass
class Announcer:
    """Progress bars on stderr, and a line before long work that says how long it takes.

    Attributes
    ----------
    progress : bool
        False shows and says nothing.
    """

    progress: bool

    def bar(self, n: int, what: str) -> tqdm:
        """Return a progress bar over images.

        Parameters
        ----------
        n : int
            How many images there are.
        what : str
            What is done with them; stands before the bar.

        Returns
        -------
        tqdm.tqdm
            The bar, to be moved by ``update`` or by `pace`.
        """
        return tqdm(total=n, desc=what, unit=" images", disable=not self.progress, file=sys.stderr)

    def pace(self, bar: tqdm, more: str = "") -> Callable[[int], None]:
        """Return what moves a bar and says once how long the rest will take, where it takes over 5 seconds.

        The first step does not count for the estimate, because it includes the start of everything. The line
        comes after the fourth step.

        Parameters
        ----------
        bar : tqdm.tqdm
            The bar to move. Where it is disabled, nothing is said.
        more : str, optional
            Is added to the line, such as what happens when the reader interrupts.

        Returns
        -------
        callable
            To be called with the number of further images.
        """
        return _Pace(bar, more)

    def estimate(self, seconds: float, what: str) -> None:
        """Say how long something will take, where it takes more than 5 seconds.

        Parameters
        ----------
        seconds : float
            The estimated duration.
        what : str
            Begins the sentence, such as ``"Labelling the rest"``.
        """
        if self.progress and seconds > _LONG:
            say_on_stderr(f"{what} takes about {spoken_time(seconds)}.")


class _Pace:
    """What `Announcer.pace` returns."""

    def __init__(self, bar: tqdm, more: str = "") -> None:
        self.bar = bar
        self.more = more
        self._steps = 0
        self._start = (0.0, 0)

    def __call__(self, n: int) -> None:
        self.bar.update(n)
        done = self.bar.n if not self.bar.disable else 0
        self._steps += 1
        if self._steps == 1:
            self._start = (time.perf_counter(), done)
        elif self._steps == 4 and done:
            pace = (time.perf_counter() - self._start[0]) / max(done - self._start[1], 1)
            self._announce(self.bar.total - done, pace)

    def _announce(self, n_left: int, pace: float) -> None:
        if n_left * pace > _LONG:
            text = (
                f"{self.bar.desc}: {n_left:,} images to go, about {spoken_time(n_left * pace)}. {self.more}"
            )
            say_on_stderr(text.rstrip())


def spoken_time(seconds: float) -> str:
    """A duration as one says it, rounded as an estimate deserves: in steps of 5 s, in minutes or in hours.

    Parameters
    ----------
    seconds : float
        The duration.

    Returns
    -------
    str
        The words.

    Examples
    --------
    >>> spoken_time(42), spoken_time(200), spoken_time(9000)
    ('40 s', '3 min', '2.5 h')
    """
    if seconds < 100:
        return f"{max(5, round(seconds / 5) * 5)} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def say_on_stderr(text: str) -> None:
    """Print a line on stderr without breaking the progress bars there.

    Parameters
    ----------
    text : str
        The line. Control characters, which a file's name may hold, never reach the terminal.
    """
    lines = (one_line(line, longest=len(line)) for line in text.split("\n"))
    tqdm.write("\n".join(lines), file=sys.stderr)

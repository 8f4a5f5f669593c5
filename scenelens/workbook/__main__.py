"""``scenelens workbook``: run every notebook and write the workbook's pages."""

from __future__ import annotations

import argparse
import heapq
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tqdm import tqdm

from scenelens import studies, workbook
from scenelens.caches import read_cached
from scenelens.errors import SceneLensError
from scenelens.files import file_name, replace_file
from scenelens.installation import HERE
from scenelens.notebook_files import own_notebooks
from scenelens.processes import cores, ended_by_sigterm
from scenelens.progress import spoken_time
from scenelens.workbook.glossary import GLOSSARY_PAGE
from scenelens.workbook.kernels import _NotebookKernel
from scenelens.workbook.page_links import SEARCH_PAGE

_ABOUT = "Run every notebook of the workbook, and write each as a page."
_DEFAULT_STUDY = "sceneworld"
_TIMES = "times.json"
_SECONDS_EACH = 90  # a notebook may not take more on two cores
_AT_ONCE = 2  # notebooks; each holds its images and networks in memory, about 1 GB
#: Seconds that the workbook's notebooks take on SceneWorld and two cores: for the order and the outlook of a
#: first run.
_USUAL = {
    "00_start_here": 2.3,
    "02_two_networks": 9.3,
    "03_1_minimal_images": 26.5,
    "03_2_receptive_fields": 5.5,
    "03_3_unit_semantics": 11.5,
    "04_1_emergent_objects": 9.1,
    "04_2_localization": 5.1,
    "05_what_makes_them_emerge": 25.0,
    "06_verdict": 9.0,
}
_SHOWN = 0.2  # seconds: --times shows the cells that took longer


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        The words of the command line; those of the process by default.

    Returns
    -------
    int
        The exit status: 0; 1 if a notebook has a problem; 2 if nothing could be run.
    """
    options = _parser().parse_args(arguments)
    try:
        paths = _find_notebooks(options.notebooks or [own_notebooks()])
        jobs = min(options.jobs, len(paths))
        # Before this process imports torch and nbformat, which it does at the first name of `studies` and
        # `workbook`: so the two import at the same time.
        _prepare_kernels(jobs)
        study = studies.StudyFile.read(studies.StudyFile.find(options.study))
        # Asked here, because nobody can be asked in a notebook.
        studies.StudyTrust(study).require(options.trust)
        folder = options.out or _pages(paths[0].parent, study.name)
        _check_folder(folder, paths, chosen=options.out is not None)
        os.environ["SCENELENS_STUDY"] = str(
            study.path
        )  # kernels inherit it, so sl.open_study() opens this study
        with ended_by_sigterm():
            usual = _USUAL if study.name == _DEFAULT_STUDY else {}
            runs, seconds = _run_all(paths, folder, options.timeout, jobs, usual)
    except SceneLensError as error:
        print(f"workbook: {error}", file=sys.stderr)
        return 2
    index = workbook.write_pages(runs, folder, study.title, _microscope(study.name))
    if options.times:
        _print_cells(runs)
    return _report(runs, seconds, index)


def _pages(notebooks: Path, study: str) -> Path:
    """The folder for the pages of a study: in a checkout below build/, else beside the notebooks."""
    where, name = (HERE.build, "workbook") if HERE.is_checkout else (notebooks, "pages")
    return where / (name if study == _DEFAULT_STUDY else f"{name}-{file_name(study)}")


def _microscope(study: str) -> Path:
    """The folder in which ``scenelens microscope`` writes the units of a study."""
    return HERE.build / ("microscope" if study == _DEFAULT_STUDY else f"microscope-{file_name(study)}")


def _check_folder(folder: Path, paths: Sequence[Path], chosen: bool) -> None:
    """Raise if the pages would replace a file that this program did not write.

    These are the notebooks themselves, and, in a folder that was `chosen`, files of the same names. A folder
    of an earlier run has the list of its times.

    Raises
    ------
    SceneLensError
        If there is such a file; the sentence names it.

    Examples
    --------
    >>> _check_folder(Path("notebooks"), [Path("notebooks/00_start_here.ipynb")], chosen=True)
    Traceback (most recent call last):
    ...
    scenelens.errors.SceneLensError: the pages would replace notebooks/00_start_here.ipynb; ...
    """
    names = [name for path in paths for name in (path.name, f"{path.stem}.html")] + [
        "index.html",
        GLOSSARY_PAGE,
        SEARCH_PAGE,
        _TIMES,
    ]
    there = [folder / name for name in names if (folder / name).exists()]
    if not chosen or _last_times(folder) is not None:
        there = [one for one in there if any(one.samefile(path) for path in paths)]
    if there:
        raise SceneLensError(f"the pages would replace {there[0]}; choose another --out.")
    if _last_times(folder) is None:  # so that an interrupted run is known as one
        replace_file(folder / _TIMES, b'{"notebooks": {}}\n')


def _last_times(folder: Path) -> dict[str, float] | None:
    """Seconds per notebook in the last run, None in a folder of another kind."""
    found = read_cached(folder / _TIMES, lambda content: json.loads(content)["notebooks"], aside=False)
    return found if isinstance(found, dict) else None


def _find_notebooks(places: Sequence[Path]) -> list[Path]:
    """The notebooks that `places` name, files or folders, in the order of their names.

    Raises
    ------
    SceneLensError
        If there is no such place, or a folder has no notebooks.

    Examples
    --------
    >>> _find_notebooks([Path("no_such_folder")])
    Traceback (most recent call last):
    ...
    scenelens.errors.SceneLensError: there is no notebook or folder no_such_folder.
    """
    found: list[Path] = []
    for place in places:
        if not place.exists():
            raise SceneLensError(f"there is no notebook or folder {place}.")
        inside = sorted(place.glob("*.ipynb")) if place.is_dir() else [place]
        if not inside:
            raise SceneLensError(f"the folder {place} holds no notebook (*.ipynb).")
        found += inside
    return found


def _run_all(
    paths: Sequence[Path], folder: Path, timeout: float, jobs: int, usual: Mapping[str, float]
) -> tuple[list[workbook.Run], float]:
    """Run the notebooks, `jobs` at a time, print how long each took, and write ``times.json``.

    Returns
    -------
    list of Run
        In the order of `paths`.
    float
        Seconds until all were done.
    """
    some = f"{len(paths)} notebook{'s' * (len(paths) != 1)}"
    print(f"Running {some}; {_estimate(paths, folder, jobs, usual)}.", flush=True)
    started, done = time.perf_counter(), {}
    with _running(_longest_first(paths, folder), timeout, jobs) as waiting:
        for one in tqdm(
            as_completed(waiting), total=len(paths), desc="notebooks", unit="notebook", disable=None
        ):
            path, run = waiting[one], one.result()
            # Written at once, so that an interrupted run leaves the notebooks that are done.
            replace_file(folder / path.name, run.file())
            slow = f" (more than {_SECONDS_EACH} s)" if run.seconds > _SECONDS_EACH else ""
            tqdm.write(f"  {run.name:<32} {run.seconds:6.1f} s{slow}{'  FAILED' * bool(run.problems)}")
            done[path] = run
    runs, elapsed = [done[path] for path in paths], time.perf_counter() - started
    times = {run.name: round(run.seconds, 1) for run in runs}
    total = round(sum(run.seconds for run in runs), 1)
    found = {"notebooks": times, "total": total, "elapsed": round(elapsed, 1)}
    replace_file(folder / _TIMES, (json.dumps(found, indent=1) + "\n").encode())
    return runs, elapsed


@contextmanager
def _running(paths: Sequence[Path], timeout: float, jobs: int) -> Iterator[dict[Future[workbook.Run], Path]]:
    """Notebooks that run in `jobs` threads, in this order. Leaving the block by an error ends all of them."""
    with ThreadPoolExecutor(jobs) as pool:
        waiting = {pool.submit(workbook.Run.of, path, timeout): path for path in paths}
        try:
            yield waiting
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            while not all(one.done() for one in waiting):
                _NotebookKernel.kill_all()
                time.sleep(0.1)
            raise


def _prepare_kernels(jobs: int) -> None:
    """Begin the imports of kernels, of which `jobs` will run at a time."""
    # Kernels inherit these. With more threads than cores, they would wait for each other.
    threads = str(max(1, cores() // jobs))
    for library in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ.setdefault(library, threads)
    _NotebookKernel.prepare()


def _longest_first(paths: Sequence[Path], folder: Path) -> list[Path]:
    """The notebooks in the order in which they are done soonest, by their times in the last run.

    Those without a time come first, the larger file before the smaller one.

    Examples
    --------
    >>> paths = [Path(f"{name}.ipynb") for name in ("00_start_here", "03_1_minimal_images", "my_own")]
    >>> [path.stem for path in _longest_first(paths, Path("no_such_folder"))]
    ['my_own', '03_1_minimal_images', '00_start_here']
    """
    last = _USUAL | (_last_times(folder) or {})
    size = {path: path.stat().st_size if path.exists() else 0 for path in paths}
    return sorted(paths, key=lambda path: (path.stem in last, -last.get(path.stem, 0), -size[path]))


def _estimate(paths: Sequence[Path], folder: Path, jobs: int, usual: Mapping[str, float]) -> str:
    """How long the run will take: as long as the last one in `folder`, or by the times of single notebooks.

    A notebook's time is that of the last run, or else the usual one at the pace of the others in that run.
    Of a notebook that has neither, only the time allowed is known.

    Examples
    --------
    >>> new = Path("no_such_folder")
    >>> _estimate([Path("03_1_minimal_images.ipynb"), Path("06_verdict.ipynb")], new, 2, _USUAL)
    'about 25 s once the networks and images are in place'
    >>> _estimate([Path("a.ipynb"), Path("b.ipynb"), Path("c.ipynb")], new, 2, _USUAL)
    'at most about 3 min once the networks and images are in place'
    """
    found: Any = read_cached(folder / _TIMES, json.loads, aside=False)
    last, names = _last_times(folder) or {}, [path.stem for path in paths]
    if set(last) == set(names) and isinstance(found.get("elapsed"), float):
        return f"last time this took {found['elapsed']:.0f} s"
    both = usual.keys() & last.keys()
    pace = sum(last[name] for name in both) / sum(usual[name] for name in both) if both else 1.0
    known = {name: pace * seconds for name, seconds in usual.items()} | last
    ends = [0.0] * jobs  # of the notebooks that run at the same time
    for path in _longest_first(paths, folder):
        heapq.heapreplace(ends, ends[0] + known.get(path.stem, _SECONDS_EACH))
    most = "" if known.keys() >= set(names) else "at most "
    return f"{most}about {spoken_time(max(ends))} once the networks and images are in place"


def _print_cells(runs: Sequence[workbook.Run]) -> None:
    """Print which cells of the notebooks took long."""
    print("\nSeconds of cells:")
    for run in runs:
        for number, seconds, line in run.cell_seconds():
            if seconds > _SHOWN:
                print(f"  {run.name:<24} cell {number:>2} {seconds:6.1f} s  {line[:60]}")


def _report(runs: Sequence[workbook.Run], seconds: float, index: Path) -> int:
    """Print the total time, the problems of all runs, and where the pages are; return the exit status."""
    failed = [run for run in runs if run.problems]
    print(f"  {'all':<32} {seconds:6.1f} s")
    for run in failed:
        for problem in run.problems:
            print(f"workbook: {run.name}: {problem}", file=sys.stderr)
    print(f"The workbook is in {index.resolve()}")
    return 1 if failed else 0


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scenelens workbook", description=_ABOUT)
    parser.add_argument("notebooks", nargs="*", type=Path, help="files or folders (default: the workbook)")
    parser.add_argument(
        "--out", type=Path, help="folder for the pages (default: build/workbook[-STUDY], or pages[-STUDY])"
    )
    parser.add_argument("--study", help="a name in data/studies, or the path of a study.toml")
    parser.add_argument("--trust", action="store_true", help="the study's own code may run, this time")
    parser.add_argument(
        "--jobs",
        type=_positive,
        default=min(_AT_ONCE, cores()),
        help="notebooks that run at the same time (default: %(default)s)",
    )
    parser.add_argument("--times", action="store_true", help="also print how long the slow cells took")
    parser.add_argument(
        "--timeout", type=float, default=600, help="seconds a cell may take (default: %(default)s)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())

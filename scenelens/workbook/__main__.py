"""``scenelens workbook``: run every notebook and write the workbook's pages."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import nbformat
from tqdm import tqdm

from scenelens.caches import read_cached
from scenelens.errors import SceneLensError
from scenelens.files import file_name, replace_file
from scenelens.installation import HERE
from scenelens.notebook_files import _own_notebooks
from scenelens.studies import StudyFile, StudyTrust
from scenelens.workbook.pages import write_pages
from scenelens.workbook.running import Run

_ABOUT = "Run every notebook of the workbook, and write each as a page."
_DEFAULT_STUDY = "sceneworld"
_TIMES = "times.json"
_SECONDS_EACH = 90  # a notebook may not take more on two cores


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
        paths = _find_notebooks(options.notebooks or [_own_notebooks()])
        study = StudyFile.read(StudyFile.find(options.study))
        # Asked here, because nobody can be asked in a notebook.
        StudyTrust(study).require(options.trust)
        folder = options.out or _pages(paths[0].parent, study.name)
        _check_folder(folder, paths, chosen=options.out is not None)
        os.environ["SCENELENS_STUDY"] = str(
            study.path
        )  # kernels inherit it, so sl.open_study() opens this study
        runs = _run_all(paths, folder, options.timeout)
    except SceneLensError as error:
        print(f"workbook: {error}", file=sys.stderr)
        return 2
    index = write_pages(runs, folder, study.title)
    return _report(runs, index)


def _pages(notebooks: Path, study: str) -> Path:
    """The folder for the pages of a study: in a checkout below build/, else beside the notebooks."""
    where, name = (HERE.build, "workbook") if HERE.is_checkout else (notebooks, "pages")
    return where / (name if study == _DEFAULT_STUDY else f"{name}-{file_name(study)}")


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
    names = [name for path in paths for name in (path.name, f"{path.stem}.html")] + ["index.html", _TIMES]
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


def _run_all(paths: Sequence[Path], folder: Path, timeout: float) -> list[Run]:
    """Run each notebook, write the executed copies and ``times.json`` into `folder`, and print the times."""
    print(f"Running {len(paths)} notebook{'s' * (len(paths) != 1)}; {_estimate(paths, folder)}.", flush=True)
    runs = []
    for path in tqdm(paths, desc="notebooks", unit="notebook", disable=None):
        run = Run.of(path, timeout)
        # Written at once, so that an interrupted run leaves the notebooks that are done.
        replace_file(folder / path.name, nbformat.writes(run.notebook).encode())
        slow = f" (more than {_SECONDS_EACH} s)" if run.seconds > _SECONDS_EACH else ""
        tqdm.write(f"  {run.name:<32} {run.seconds:6.1f} s{slow}{'  FAILED' * bool(run.problems)}")
        runs.append(run)
    times = {run.name: round(run.seconds, 1) for run in runs}
    total = round(sum(run.seconds for run in runs), 1)
    replace_file(
        folder / _TIMES, (json.dumps({"notebooks": times, "total": total}, indent=1) + "\n").encode()
    )
    return runs


def _estimate(paths: Sequence[Path], folder: Path) -> str:
    """How long the run will take: as long as the last one in `folder`, or at most the time allowed.

    Examples
    --------
    >>> _estimate([Path("a.ipynb"), Path("b.ipynb")], Path("no_such_folder"))
    'at most about 3 minutes once the networks and images are in place'
    """
    try:
        last = _last_times(folder) or {}
        return f"last time this took {sum(last[path.stem] for path in paths):.0f} s"
    except (KeyError, TypeError):
        minutes = len(paths) * _SECONDS_EACH / 60
        return f"at most about {minutes:.0f} minutes once the networks and images are in place"


def _report(runs: Sequence[Run], index: Path) -> int:
    """Print the total time, the problems of all runs, and where the pages are; return the exit status."""
    failed = [run for run in runs if run.problems]
    print(f"  {'all':<32} {sum(run.seconds for run in runs):6.1f} s")
    for run in failed:
        for problem in run.problems:
            print(f"workbook: {run.name}: {problem}", file=sys.stderr)
    print(f"The workbook is in {index.resolve()}")
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scenelens workbook", description=_ABOUT)
    parser.add_argument("notebooks", nargs="*", type=Path, help="files or folders (default: the workbook)")
    parser.add_argument(
        "--out", type=Path, help="folder for the pages (default: build/workbook[-STUDY], or pages[-STUDY])"
    )
    parser.add_argument("--study", help="a name in data/studies, or the path of a study.toml")
    parser.add_argument("--trust", action="store_true", help="the study's own code may run, this time")
    parser.add_argument(
        "--timeout", type=float, default=600, help="seconds a cell may take (default: %(default)s)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())

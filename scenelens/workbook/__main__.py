"""``python -m scenelens.workbook notebooks``: run every notebook and write the workbook's pages."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import nbformat
from tqdm import tqdm

from scenelens.errors import SceneLensError
from scenelens.files import replace_file
from scenelens.studies import find_study, read_study_file
from scenelens.workbook.pages import write_pages
from scenelens.workbook.running import Run, run_notebook

DEFAULT_STUDY = "sceneworld"
SECONDS_EACH = 90  # what a notebook may take at most on two cores


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status, 1 where a notebook has a problem."""
    asked = _parser().parse_args(arguments)
    try:
        paths = find_notebooks(asked.notebooks)
        study, name = choose_study(asked.study)
        folder = asked.out or Path("build", "workbook" if name == DEFAULT_STUDY else f"workbook-{name}")
        os.environ["SCENELENS_STUDY"] = study
        runs = run_all(paths, folder, asked.timeout)
    except SceneLensError as error:
        print(f"workbook: {error}", file=sys.stderr)
        return 2
    index = write_pages(runs, folder, name)
    return report(runs, index)


def find_notebooks(places: Sequence[Path]) -> list[Path]:
    """Return the notebooks named by `places`, files or folders, in the order of their names.

    Raises
    ------
    SceneLensError
        Where there is no such place, or a folder without notebooks.

    Examples
    --------
    >>> find_notebooks([Path("no_such_folder")])
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


def choose_study(given: str | None) -> tuple[str, str]:
    """Return the absolute path of a study's file, and the study's short name, for a name, a path or None.

    Raises
    ------
    SceneLensError
        Where there is no such study, or its file is not as it should be: before any notebook runs.

    Examples
    --------
    >>> choose_study("sceneworld")[1]
    'sceneworld'
    """
    file = read_study_file(find_study(given))
    return str(file.path), file.name


def run_all(paths: Sequence[Path], folder: Path, timeout: float) -> list[Run]:
    """Run each notebook, keep the executed copies and ``times.json`` in `folder`, say how it goes."""
    print(f"Running {len(paths)} notebook{'s' * (len(paths) != 1)}; {estimate(paths, folder)}.", flush=True)
    runs = []
    for path in tqdm(paths, desc="notebooks", unit="notebook", disable=None):
        run = run_notebook(path, timeout)
        replace_file(folder / path.name, nbformat.writes(run.notebook).encode())
        slow = f" (more than {SECONDS_EACH} s)" if run.seconds > SECONDS_EACH else ""
        tqdm.write(f"  {run.name:<32} {run.seconds:6.1f} s{slow}{'  FAILED' * bool(run.problems)}")
        runs.append(run)
    times = {run.name: round(run.seconds, 1) for run in runs}
    total = round(sum(run.seconds for run in runs), 1)
    replace_file(
        folder / "times.json", (json.dumps({"notebooks": times, "total": total}, indent=1) + "\n").encode()
    )
    return runs


def estimate(paths: Sequence[Path], folder: Path) -> str:
    """Say how long the run may take: as long as the last one in `folder`, or the most that it may.

    Examples
    --------
    >>> estimate([Path("a.ipynb"), Path("b.ipynb")], Path("no_such_folder"))
    'at most about 3 minutes once the networks and images are in place'
    """
    try:
        last = json.loads((folder / "times.json").read_text(encoding="utf-8"))["notebooks"]
        return f"last time this took {sum(last[path.stem] for path in paths):.0f} s"
    except (OSError, ValueError, KeyError):
        minutes = len(paths) * SECONDS_EACH / 60
        return f"at most about {minutes:.0f} minutes once the networks and images are in place"


def report(runs: Sequence[Run], index: Path) -> int:
    """Print the total, the problems of all runs, and where the pages are; return the exit status."""
    failed = [run for run in runs if run.problems]
    print(f"  {'all':<32} {sum(run.seconds for run in runs):6.1f} s")
    for run in failed:
        for problem in run.problems:
            print(f"workbook: {run.name}: {problem}", file=sys.stderr)
    print(f"The workbook is in {index.resolve()}")
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scenelens.workbook", description=__doc__)
    parser.add_argument(
        "notebooks", nargs="*", type=Path, default=[Path("notebooks")], help="files or folders"
    )
    parser.add_argument("--out", type=Path, help="folder for the pages (default: build/workbook[-STUDY])")
    parser.add_argument("--study", help="a name in data/studies, or the path of a study.toml")
    parser.add_argument(
        "--timeout", type=float, default=600, help="seconds a cell may take (default: %(default)s)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())

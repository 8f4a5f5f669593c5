"""The command ``scenelens microscope``: states size and time, then writes the pages."""

from __future__ import annotations

import argparse
import shlex
import time
from collections.abc import Sequence
from pathlib import Path

from scenelens.microscope.folder import write_microscope
from scenelens.studies import StudyTrust, open_study

_ABOUT = (
    "Write a page for every unit of a study's networks. The folder opens from disk, without a server. What "
    "is there is not made again, and a run that was stopped goes on."
)


def _main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status 0.

    Parameters
    ----------
    arguments : sequence of str, optional
        The words of the command line; those of the process by default.

    Returns
    -------
    int
        0.

    Raises
    ------
    SceneLensError
        If the study cannot be opened, a word is wrong, or a file cannot be written.
    """
    options = _parser().parse_args(arguments)
    study = open_study(options.study)
    StudyTrust(study.file).require(options.trust)
    begun = time.perf_counter()
    page = write_microscope(
        study,
        options.out,
        layers=options.layers,
        networks=options.networks,
        top=options.top,
        pixels=options.pixels,
        command=shlex.join(["scenelens", "microscope", *(arguments or ())]),
    )
    size = sum(path.stat().st_size for path in page.parent.rglob("*") if path.is_file())
    print(f"{page}: {size / 1e6:.1f} MB, {time.perf_counter() - begun:.0f} s")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scenelens microscope", description=_ABOUT, allow_abbrev=False)
    parser.add_argument("--study", help="a name in data/studies, or the path of a study.toml")
    parser.add_argument("--trust", action="store_true", help="the study's own code may run, this time")
    parser.add_argument(
        "--layers", nargs="+", metavar="LAYER", help="default: each network's main layers, such as pool5"
    )
    parser.add_argument("--networks", nargs="+", metavar="NETWORK", help="default: all of the study")
    parser.add_argument("--out", type=Path, help="the folder (default: microscope/ in build/)")
    parser.add_argument("--top", type=int, default=24, help="top images of a unit, 12 to 60 (default 24)")
    parser.add_argument("--pixels", type=int, default=240, help="longer side of the images (default 240)")
    return parser

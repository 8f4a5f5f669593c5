"""Long work before the notebooks: ``scenelens prepare``, ``atlas``, ``retention`` and ``trust``.

Three kinds of work take minutes or hours, and several notebooks use their results. So they are done in
advance on the command line, and may be stopped and continued. ``prepare`` makes what notebooks share: the
images, each network's activation index, the labels, the calibration of the localizers, and what shuffled
annotations leave of the detectors. ``atlas`` measures the empirical receptive fields of all units (section
3.2 of the paper). ``retention`` searches for the minimal images of all scene categories (section 3.1).
``trust`` is short: it allows the Python code of a study to run.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable, Sequence

from scenelens.emergence import measure_emergence
from scenelens.errors import SceneLensError
from scenelens.installation import HERE
from scenelens.localization import open_localizers
from scenelens.minimal_images import (
    category_retention,
    choose_categories,
    describe_retention,
    ship_retention,
)
from scenelens.progress import say_on_stderr
from scenelens.receptive_fields import N_IMAGES, Atlas, open_atlas
from scenelens.studies import Study, StudyTrust, open_study

_SHOWN = {"study": "prepare"}  # a command's name on the command line, where it is another


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        The words of the command line; those of the process by default.

    Returns
    -------
    int
        The exit status: 0; 2 if the study cannot be opened or prepared. The reason is then printed on stderr.
    """
    options = _parser().parse_args(arguments)
    try:
        study = open_study(options.study)
        if options.run is not _trust:
            StudyTrust(study.file).require(options.trust)
        options.run(study, options)
    except SceneLensError as error:
        print(f"{options.name}: {error}", file=sys.stderr)
        return 2
    return 0


def _prepare_study(study: Study, options: argparse.Namespace) -> None:
    """Make what the notebooks share, so that the first one does not seem slow.

    These are the images, each network's activation index, the receptive field of one unit of each layer and,
    where images are annotated, the table of objects, the labels of units, what shuffled annotations leave of
    the detectors, and the calibration of the localizers.
    """
    study.prepare()
    with study.maps_kept():  # all of this needs the same forward passes
        for name in study.networks:
            study.index(name)
        if study.annotations is not None:
            study.annotations.objects()
            with contextlib.suppress(
                SceneLensError
            ):  # too few annotations: the notebooks say so, and continue
                study.labels_of_networks(study.networks)
                open_localizers(study)
            with contextlib.suppress(SceneLensError):  # the same; looks only where a world names them
                measure_emergence(study).looks()
    # Table 2 needs a unit of each layer. In a large network that takes minutes, longer than a cell may run.
    with contextlib.suppress(SceneLensError):  # no layer with a map: the notebook says so
        open_atlas(study).grow(1, seconds=60)


def _prepare_atlas(study: Study, options: argparse.Namespace) -> None:
    """Measure the receptive fields of the units in random order, and print the table of their sizes.

    In a checkout, the fields of a study of the package are written next to its data; otherwise they stay in
    the cache of the study.
    """
    atlas = open_atlas(study, options.images, default=N_IMAGES)
    _announce(atlas, options.units)
    try:
        atlas.grow(options.units, None if options.minutes is None else 60 * options.minutes, sure=0)
    except KeyboardInterrupt:
        say_on_stderr("stopped; finished units are stored, and the next run continues after them.")
    print(atlas.table().to_string(index=False))
    if study.shipped_folder is None or not HERE.writes_data:
        print(f"stored in {study.cache / 'atlas'}")
        return
    paths = atlas.ship()
    size = sum(path.stat().st_size for path in paths)
    print(f"{len(paths)} files, {size / 1e6:.1f} MB, in {study.shipped_folder}")


def _announce(atlas: Atlas, n: int | None) -> None:
    """Say in advance about how long the work will take, measured on one image per layer."""
    seconds = 0.0
    for _, name, layer in atlas.layers():
        part = atlas.parts[name]
        cached = part.cached(layer)
        missing = [int(unit) for unit in part.order(layer)[:n] if int(unit) not in cached]
        seconds += part.predict(layer, missing)
    if seconds:
        say_on_stderr(f"All fields that are missing will take about {seconds / 60:.0f} minutes.")


def _prepare_retention(study: Study, options: argparse.Namespace) -> None:
    """Search for the minimal images of every category that the scene network knows, and store the results.

    In a checkout, the results of a study of the package are written next to its data; otherwise they stay in
    the cache of the study.
    """
    path = ship_retention(study) if HERE.writes_data else None
    if path is not None:
        print(path)
        return
    for category in choose_categories(study, n=None):
        print(describe_retention(category_retention(study, category)))


def _trust(study: Study, options: argparse.Namespace) -> None:
    """Allow the Python files that the study's factories name to run, as they are now, and remember it.

    Read them first: they run with all your rights.
    """
    for digest, path in StudyTrust(study.file).remember().items():
        print(f"Allowed to run, until it changes: {path} (sha256 {digest})")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scenelens", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="study | atlas | retention | trust")

    def add(name: str, run: Callable[..., None]) -> argparse.ArgumentParser:
        text = (run.__doc__ or "").partition("\n")[0]
        command = commands.add_parser(
            name, help=text, description=text, prog=f"scenelens {_SHOWN.get(name, name)}"
        )
        command.add_argument("--study", help="a name in data/studies, or the path of a study.toml")
        if run is not _trust:
            command.add_argument(
                "--trust", action="store_true", help="the study's own code may run, this time"
            )
        command.set_defaults(run=run, name=_SHOWN.get(name, name))
        return command

    add("study", _prepare_study)
    add("retention", _prepare_retention)
    add("trust", _trust)
    atlas = add("atlas", _prepare_atlas)
    atlas.add_argument(
        "--images",
        type=int,
        help=f"top images per unit, K in the paper (default: as in the existing atlas, or {N_IMAGES})",
    )
    atlas.add_argument("--units", type=int, help="units per layer, chosen at random (default: all)")
    atlas.add_argument("--minutes", type=float, help="begin no new unit after this time (default: no limit)")
    return parser


if __name__ == "__main__":
    sys.exit(main())

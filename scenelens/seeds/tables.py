"""The small tables of several trainings, as they come with the package: written by `scenelens seeds`.

The weights of all these networks would be large, and nobody needs them: what is compared are a few numbers of
each. One JSON file next to the tables says where they come from: recipe, command, rendered world, hash of
each network's weights, versions and dates.
"""

from __future__ import annotations

import functools
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from scenelens.errors import CannotAnswerError
from scenelens.files import csv_file, read_text, replace_file
from scenelens.installation import HERE

#: Table -> its columns. Empty cells are values that could not be measured.
COLUMNS = {
    "networks": [
        *["network", "seed", "held_out", "held_out_right", "images", "right", "layer", "units", "detectors"],
        *[
            "by_category",
            "objects",
            "mean_iou",
            "ap",
            "ap_chance",
            "ap_objects",
            "ap_images",
            "boxes",
            "boxes_right",
        ],
        *["deep_boxes", "deep_boxes_right", "r_frequency", "r_informativeness", "r_objects"],
    ],
    "layers": [
        *["network", "seed", "depth", "layer", "object_centric", "top", "chance", "units", "detectors"],
    ],
    "fields": ["network", "seed", "depth", "layer", "theoretical", "mean", "sd", "n", "units"],
    "objects": ["network", "seed", "object", "units"],
    "seen": [
        *["network", "seed", "seen", "held_out", "held_out_right", "images", "right", "layer", "units"],
        *[
            "detectors",
            "by_category",
            "objects",
            "mean_iou",
            "ap",
            "ap_chance",
            "ap_objects",
            "ap_images",
            "boxes",
        ],
        *["boxes_right", "deep_boxes", "deep_boxes_right"],
    ],
}
#: Says where the tables come from.
ABOUT_FILE = "about.json"
_DECIMALS = 4


@dataclass(frozen=True)
class SeedTables:
    """What was measured of several trainings of SceneWorld's networks. Made by `read_seeds`.

    Attributes
    ----------
    networks : pandas.DataFrame
        One row for each network, by ``network`` ('scene', 'object', 'untrained') and ``seed``: held-out
        images of the training's own test and ``held_out_right``; ``images`` of the workbook of the network's
        kind and ``right``; of the deepest ``layer`` with a map its ``units``, the ``detectors`` of
        ``objects`` on scenes, how many there would be ``by_category`` (with annotations of another scene of
        the same category), and ``mean_iou`` (of each unit's best concept); mean ``ap`` of the objects' best
        units, ``ap_chance``, ``ap_objects``, ``ap_images``; ``boxes`` and ``boxes_right`` of three layers,
        ``deep_boxes`` and ``deep_boxes_right`` of the deepest alone; ``r_frequency`` and
        ``r_informativeness`` over ``r_objects`` objects.
    layers : pandas.DataFrame
        One row for each network and layer: share ``object_centric`` of the ``top`` strongest images,
        ``chance``; ``units`` and ``detectors`` on all images, empty for a layer without a map.
    fields : pandas.DataFrame
        One row for each trained network and layer: ``theoretical`` size, ``mean`` and ``sd`` of the sizes of
        ``n`` of its ``units``, in pixels.
    objects : pandas.DataFrame
        One row for each network and object with a detector in the deepest layer: ``units``.
    seen : pandas.DataFrame
        As `networks`, for one network of a kind after ``seen`` pictures; empty where that was not measured.
    about : dict
        Where the tables come from.
    """

    networks: pd.DataFrame
    layers: pd.DataFrame
    fields: pd.DataFrame
    objects: pd.DataFrame
    seen: pd.DataFrame
    about: dict[str, Any]


def read_seeds(folder: str | Path | None = None) -> SeedTables:
    """Read the tables of several trainings.

    Parameters
    ----------
    folder : str or pathlib.Path, optional
        The folder that ``scenelens seeds`` wrote (default: the tables that come with the package).

    Returns
    -------
    SeedTables
        The tables.

    Raises
    ------
    CannotAnswerError
        If a table is missing or damaged.

    Examples
    --------
    >>> read_seeds("no such folder")
    Traceback (most recent call last):
    ...
    scenelens.errors.CannotAnswerError: how much networks of several trainings differ is not known here: ...
    """
    return _read(Path(folder) if folder is not None else _shipped_folder())


def _shipped_folder() -> Path:
    """The folder of the tables that come with the package.

    Returns
    -------
    pathlib.Path
        data/sceneworld/seeds.
    """
    return HERE.data / "sceneworld" / "seeds"


@functools.cache
def _read(folder: Path) -> SeedTables:
    try:
        tables, about = read_measured(folder, COLUMNS)
    except (OSError, ValueError, KeyError) as error:
        raise CannotAnswerError(
            f"how much networks of several trainings differ is not known here: {folder} has no complete "
            f"tables ({error}). {HERE.call('seeds')} trains and measures the networks, which takes hours."
        ) from None
    return SeedTables(**tables, about=about)


def read_measured(
    folder: Path, columns: Mapping[str, list[str]]
) -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    """Read tables of measured networks, and the file that says where they come from.

    Parameters
    ----------
    folder : pathlib.Path
        Where the files are.
    columns : mapping of str to list of str
        Table -> the columns that it must have.

    Returns
    -------
    tables : dict of str to pandas.DataFrame
        The tables, with these columns.
    about : dict
        Where they come from.

    Raises
    ------
    OSError, ValueError, KeyError
        If a file is missing or damaged, or a table lacks a column.
    """
    about = json.loads(read_text(folder / ABOUT_FILE))
    return {name: _table(folder / f"{name}.csv", wanted) for name, wanted in columns.items()}, about


def _table(path: Path, columns: list[str]) -> pd.DataFrame:
    table = pd.read_csv(io.StringIO(read_text(path)))
    missing = [name for name in columns if name not in table]
    if missing:
        raise ValueError(f"{path.name} has no column {missing[0]!r}")
    return table[columns]


def _write_seeds(rows: dict[str, list[dict[str, Any]]], about: dict[str, Any], folder: Path) -> list[Path]:
    """Write the tables, and the file that says where they come from.

    Parameters
    ----------
    rows : dict of str to list of dict
        The rows of each table of `COLUMNS`; a table that is not given is left as it is, or begun empty.
    about : dict
        Where the tables come from, plain JSON.
    folder : pathlib.Path
        Where the files go.

    Returns
    -------
    list of pathlib.Path
        The files written.
    """
    paths = [
        folder / f"{name}.csv" for name in COLUMNS if name in rows or not (folder / f"{name}.csv").exists()
    ]
    for path in paths:
        columns = COLUMNS[path.stem]
        table = pd.DataFrame(rows.get(path.stem, []), columns=columns).round(_DECIMALS)
        replace_file(path, csv_file(_whole_numbers(table)))
    replace_file(folder / ABOUT_FILE, (json.dumps(about, indent=1) + "\n").encode())
    _read.cache_clear()
    return [*paths, folder / ABOUT_FILE]


def _whole_numbers(table: pd.DataFrame) -> pd.DataFrame:
    """Columns of whole numbers as such, also where a cell is empty: 12 and not 12.0."""
    for name in table.select_dtypes("number"):
        known = table[name].dropna()
        if len(known) and (known == known.round()).all() and name not in ("mean", "sd"):
            table[name] = table[name].astype("Int64")
    return table

"""The tables of retrained networks, as they come with the package: written by `scenelens interventions`.

The weights do not come with the package, but what was measured of each network, and one JSON file that says
where the numbers come from: recipe, edits, rendered world, hash of each network's weights, rules and dates.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from scenelens.errors import CannotAnswerError
from scenelens.files import csv_file, replace_file
from scenelens.installation import HERE
from scenelens.seeds import ABOUT_FILE, read_measured

_IDENTITY = ["run", "kind", "task", "seed", "object", "edits"]
#: Table -> its columns. Empty cells are values that do not apply, or could not be measured.
COLUMNS = {
    "networks": [
        *_IDENTITY,
        *["classes", "held_out", "held_out_right", "layer", "units", "detectors", "objects", "by_category"],
        *["mean_iou", "ap", "ap_chance", "ap_objects"],
    ],
    "objects": ["run", "object", "units", "ap", "ap_chance", "images"],
    "edits": ["run", "kind", "object", "edits", "expected", "units", "ap", "ap_chance"],
}
_DECIMALS = 4
_WHOLE = ("seed", "classes", "held_out", "held_out_right", "ap_objects", "images", "expected")


@dataclass(frozen=True)
class RetrainingTables:
    """What was measured of networks trained in edited worlds and for other tasks. Made by `read_retraining`.

    Attributes
    ----------
    networks : pandas.DataFrame
        One row for each network: ``run`` (its name), ``kind`` ('unchanged', 'diagnosticity', 'frequency',
        'cue', 'task'), ``task``, ``seed``, ``object`` (the edited one) and ``edits`` of its world (JSON); the
        number of ``classes`` of its task, ``held_out`` images of its own world and ``held_out_right``; of the
        deepest ``layer`` with a map, on scenes of the unchanged world: its ``units``, the ``detectors`` of
        ``objects``, how many there would be ``by_category`` (with annotations of another scene of the same
        category), and ``mean_iou`` (of each unit's best concept); mean ``ap`` of the best units of
        ``ap_objects`` objects, and ``ap_chance``.
    objects : pandas.DataFrame
        One row for each network and object: ``units`` that detect it, ``ap`` of its best unit, ``ap_chance``
        (share of the test images that show it), ``images`` (their number). Empty where too few test images
        show it.
    edits : pandas.DataFrame
        One row for each edit of one object: ``units``, ``ap`` and ``ap_chance`` of this object in the network
        of the edited world. ``expected`` is 1 where the paper's finding would give more, -1 where less.
        `edit_effects` compares them with the networks of the unchanged world.
    about : dict
        Where the tables come from.
    """

    networks: pd.DataFrame
    objects: pd.DataFrame
    edits: pd.DataFrame
    about: dict[str, Any]


def read_retraining(folder: str | Path | None = None) -> RetrainingTables:
    """Read the tables of retrained networks.

    Parameters
    ----------
    folder : str or pathlib.Path, optional
        The folder that ``scenelens interventions`` wrote (default: the tables that come with the package).

    Returns
    -------
    RetrainingTables
        The tables.

    Raises
    ------
    CannotAnswerError
        If a table is missing or damaged.

    Examples
    --------
    >>> read_retraining("no such folder")
    Traceback (most recent call last):
    ...
    scenelens.errors.CannotAnswerError: what edited worlds change is not known here: ...
    """
    return _read(Path(folder) if folder is not None else _shipped_folder())


def _shipped_folder() -> Path:
    """The folder of the tables that come with the package.

    Returns
    -------
    pathlib.Path
        data/sceneworld/retraining.
    """
    return HERE.data / "sceneworld" / "retraining"


@functools.cache
def _read(folder: Path) -> RetrainingTables:
    if not (folder / ABOUT_FILE).exists():
        raise CannotAnswerError(
            "what edited worlds change is not known here: no network of such a world has been measured. "
            f"{HERE.call('interventions')} trains and measures the networks, which takes hours."
        )
    try:
        tables, about = read_measured(folder, COLUMNS)
    except (OSError, ValueError, KeyError) as error:
        raise CannotAnswerError(
            f"what edited worlds change is not known here: {folder} has no complete tables ({error}). "
            f"{HERE.call('interventions')} trains and measures the networks, which takes hours."
        ) from None
    return RetrainingTables(**{name: _with_texts(one) for name, one in tables.items()}, about=about)


def _with_texts(table: pd.DataFrame) -> pd.DataFrame:
    """The table with '' for texts that do not apply, which a CSV file cannot tell from missing numbers."""
    return table.assign(
        **{name: table[name].astype(object).fillna("") for name in ("object", "edits") if name in table}
    )


def _write_retraining(
    rows: dict[str, list[dict[str, Any]]], about: dict[str, Any], folder: Path
) -> list[Path]:
    """Write the tables, and the file that says where they come from.

    Parameters
    ----------
    rows : dict of str to list of dict
        The rows of the tables ``"networks"`` and ``"objects"``, and ``"expected"``: what is expected of each
        edit. The table of edits is made of them.
    about : dict
        Where the tables come from, plain JSON.
    folder : pathlib.Path
        Where the files go.

    Returns
    -------
    list of pathlib.Path
        The files written.
    """
    tables = {name: pd.DataFrame(rows[name], columns=COLUMNS[name]) for name in ("networks", "objects")}
    expected = {row["run"]: row["expected"] for row in rows["expected"]}
    tables["edits"] = _edited_objects(tables["networks"], tables["objects"], expected)
    for name, table in tables.items():
        whole = {column: "Int64" for column in _WHOLE if column in table}
        replace_file(folder / f"{name}.csv", csv_file(table.astype(whole).round(_DECIMALS)))
    replace_file(folder / ABOUT_FILE, (json.dumps(about, indent=1) + "\n").encode())
    _read.cache_clear()
    return [*(folder / f"{name}.csv" for name in tables), folder / ABOUT_FILE]


def _edited_objects(networks: pd.DataFrame, objects: pd.DataFrame, expected: dict[str, int]) -> pd.DataFrame:
    """Look up each edited object in the network of its edited world.

    Parameters
    ----------
    networks, objects : pandas.DataFrame
        As in `RetrainingTables`.
    expected : dict of str to int
        Run -> 1, 0 or -1.

    Returns
    -------
    pandas.DataFrame
        As in `RetrainingTables`.
    """
    values = objects.set_index(["run", "object"])
    rows = []
    for run in networks[networks.object != ""].itertuples():
        row = {"run": run.run, "kind": run.kind, "object": run.object, "edits": run.edits}
        name = run.object.replace("_", " ")  # as annotations have it
        found = {measure: _value(values, run.run, name, measure) for measure in ("units", "ap", "ap_chance")}
        rows.append(row | {"expected": expected[run.run]} | found)
    return pd.DataFrame(rows, columns=COLUMNS["edits"])


def _value(values: pd.DataFrame, run: str, name: str, measure: str) -> float:
    """A cell of the objects; an object without a row has no unit, and no AP."""
    if (run, name) in values.index:
        return float(values.loc[(run, name), measure])
    return 0.0 if measure == "units" else float("nan")

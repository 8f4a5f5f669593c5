"""Published labels of the paper's own units: the released answers of people, and Network Dissection's.

Both name units of the same three Caffe networks, so the answers of people can be compared with measurements.
Neither comes with this package.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scenelens.errors import SceneLensError
from scenelens.labels.matlab import _read_mat
from scenelens.labels.table import CATEGORIES, TYPES, _concept_type, check_labels

#: Which network of a study each network with published labels is.
ROLES = {"places205-alexnet": "scene", "places365-alexnet": "scene", "imagenet-alexnet": "object"}

#: The sources of labels about the paper's own networks.
PUBLISHED = frozenset({"released answers", "Network Dissection"})

_MOST_UNITS = 10**9
_WORKERS = 3  # answers per unit
_IMAGES = 57  # images judged per unit: of the 60 shown, three were catch trials
_FIELDS = ("description", "type", "precision")


def read_amt(path: str | Path, network: str | None = None) -> pd.DataFrame:
    """Read the paper's released answers: three workers' description, type and precision for every unit.

    Parameters
    ----------
    path : str or pathlib.Path
        unitAnnotation_places205-alexnet.mat or unitAnnotation_imagenet-alexnet.mat, as released.
    network : str, optional
        The network's name in the table (default: what follows "unitAnnotation_" in the file's name).

    Returns
    -------
    pandas.DataFrame
        With the columns `labels.COLUMNS`: five layers (pool1, pool2, conv3, conv4, pool5), units from 0,
        annotators 'worker 1' to 'worker 3', n_images 57, source 'released answers', when ''. A worker's name
        is a place in the file's row and not one person: who answered was not released.

    Raises
    ------
    SceneLensError
        If the file is missing, is not a .mat file, or has another layout; the sentence says what was found.

    Notes
    -----
    Section 3.3. `layerAverageCount` in the same file has the shares of these types.

    Examples
    --------
    >>> read_amt("nowhere.mat")
    Traceback (most recent call last):
    ...
    scenelens.errors.SceneLensError: there is no file nowhere.mat ...
    """
    path = Path(path)
    tables: Any = _mat(path).get("layerAnnotation")
    if getattr(tables, "ndim", 0) != 2 or tables.shape[1] != 2 or tables.dtype != object:
        raise SceneLensError(_other_layout(path))
    name = network or path.stem.removeprefix("unitAnnotation_")
    rows = []
    for table, layer in tables:
        if (
            getattr(table, "ndim", 0) != 2
            or table.shape[1] != _WORKERS * len(_FIELDS)
            or _cell(layer) is None
        ):
            raise SceneLensError(
                f"{path}: a layer's table has shape {getattr(table, 'shape', None)}, not (units, 9)."
            )
        rows += _answers(path, name, str(_cell(layer)), table)
    table = pd.DataFrame(rows).assign(n_images=_IMAGES, source="released answers", when="")
    return _checked(path, table)


def _checked(path: Path, table: pd.DataFrame) -> pd.DataFrame:
    try:
        return check_labels(table)
    except SceneLensError as error:
        raise SceneLensError(f"{path}: {error}") from error


def _mat(path: Path) -> dict:
    if not path.is_file():
        raise SceneLensError(
            f"there is no file {path} (the answers are in github.com/zhoubolei/cnnvisualizer)."
        )
    try:
        return _read_mat(path.read_bytes())
    except (OSError, ValueError) as error:
        raise SceneLensError(f"{path} is not a readable MATLAB 5 file ({error}); fetch it again.") from None


def _other_layout(path: Path) -> str:
    found = {name: getattr(value, "shape", "") for name, value in _mat(path).items() if name[0] != "_"}
    listed = ", ".join(f"{name} {shape}" for name, shape in found.items()) or "nothing"
    return f"{path} is laid out differently: expected layerAnnotation, cells (layers, 2); found {listed}."


def _answers(path: Path, network: str, layer: str, table) -> list[dict]:
    rows = []
    for unit, cells in enumerate(table):
        for worker in range(_WORKERS):
            concept, code, precision = (_cell(cell) for cell in cells[3 * worker : 3 * worker + 3])
            if code not in range(1, len(TYPES) + 1):
                raise SceneLensError(
                    f"{path}: {layer}:{unit} has type {code!r}; types are 1 to {len(TYPES)}."
                )
            concept = str(concept if concept is not None else "").strip()
            if not concept:
                raise SceneLensError(f"{path}: {layer}:{unit} has an answer without a word.")
            row = {"network": network, "layer": layer, "unit": unit, "annotator": f"worker {worker + 1}"}
            rows.append(row | {"concept": concept, "type": TYPES[int(code) - 1], "precision": precision})
    return rows


def _cell(cell):
    """The one value in a MATLAB cell; None if it is empty or has several."""
    return cell.item() if getattr(cell, "size", 0) == 1 else None


def read_netdissect(
    path: str | Path, network: str | None = None, layer: str = "conv5", best_only: bool = True
) -> pd.DataFrame:
    """Read Network Dissection's published labels of the paper's networks.

    Parameters
    ----------
    path : str or pathlib.Path
        caffe_reference_places205.csv, ..._places365.csv or ..._imagenet.csv, as published.
    network : str, optional
        The network's name in the table (default: the name that `read_amt` gives the same network, such as
        'places205-alexnet').
    layer : str, optional
        The layer's name in the table (default 'conv5', the layer that was dissected). Its channels are
        pool5's, so 'pool5' makes the labels comparable with the released answers.
    best_only : bool, optional
        True (default) returns the concept of the highest IoU, False the best of each of the six categories.

    Returns
    -------
    pandas.DataFrame
        The columns `labels.COLUMNS`, and ``iou``, ``coverage`` (share of the active area that lies on the
        concept), ``category``. Annotator and source are 'Network Dissection'. Precision is NaN: it means the
        share of images that a person finds fitting, which was not measured. Units count from 0; the file
        counts from 1. Names lose the file's endings ('street-s' is 'street').

    Raises
    ------
    SceneLensError
        If the file is missing or has another layout.

    Examples
    --------
    >>> read_netdissect("nowhere.csv")
    Traceback (most recent call last):
    ...
    scenelens.errors.SceneLensError: there is no file nowhere.csv ...
    """
    path = Path(path)
    table = _csv(path)
    rows = [row for _, unit in table.iterrows() for row in _dissected(unit, best_only)]
    name = network or f"{path.stem.removeprefix('caffe_reference_')}-alexnet"
    who = {"annotator": "Network Dissection", "source": "Network Dissection", "when": "2017"}
    found = pd.DataFrame(rows).assign(network=name, layer=layer, **who)
    return _checked(path, found.sort_values(["unit", "iou"], ascending=[True, False]))


def _csv(path: Path) -> pd.DataFrame:
    try:
        table = pd.read_csv(path)
    except FileNotFoundError:
        raise SceneLensError(
            f"there is no file {path} (the labels are in github.com/CSAILVision/NetDissect, folder plot)."
        ) from None
    except (ValueError, UnicodeDecodeError) as error:
        raise SceneLensError(f"{path} is not a readable table ({error}); fetch it again.") from None
    fields = ("label", "activation", "intersect", "iou")
    missing = [f"{kind}-{field}" for kind in CATEGORIES for field in fields if f"{kind}-{field}" not in table]
    missing += [name for name in ("unit", "category") if name not in table]
    if missing:
        raise SceneLensError(
            f"{path} is laid out differently: it lacks the columns {', '.join(missing[:4])} ..."
        )
    if table.empty:
        raise SceneLensError(f"{path} has no unit; fetch the file again.")
    return _with_numbers(path, table)


def _with_numbers(path: Path, table: pd.DataFrame) -> pd.DataFrame:
    """The table, its measures as floats, where every unit has a number and a category."""
    measures = [f"{kind}-{field}" for kind in CATEGORIES for field in ("activation", "intersect", "iou")]
    numbers = table[["unit", *measures]].map(_as_float)
    whole = numbers.unit.between(1, _MOST_UNITS) & (numbers.unit % 1 == 0)
    wrong = ~(whole & table["category"].isin(CATEGORIES) & np.isfinite(numbers).all(axis=1))
    if wrong.any():
        raise SceneLensError(
            f"{path}: row {int(np.flatnonzero(wrong)[0]) + 1} of the table has no unit, category or measure "
            "where one should be; fetch the file again."
        )
    return table.assign(**numbers)


def _as_float(cell: Any) -> float:
    try:
        return float(cell)
    except (TypeError, ValueError, OverflowError):  # a text, nothing, or more digits than a float has
        return float("nan")


def _dissected(unit: pd.Series, best_only: bool) -> list[dict]:
    kinds = [unit["category"]] if best_only else list(CATEGORIES)
    rows = []
    for kind in kinds:
        concept = str(unit[f"{kind}-label"]).removesuffix("-s" if kind == "scene" else "-c")
        active = float(unit[f"{kind}-activation"])
        measured = {
            "iou": float(unit[f"{kind}-iou"]),
            "coverage": float(unit[f"{kind}-intersect"]) / active if active else float("nan"),
        }
        label = {"concept": concept, "type": _concept_type(kind, concept), "category": kind}
        rows.append({"unit": int(unit["unit"]) - 1, **label, **measured})
    return rows

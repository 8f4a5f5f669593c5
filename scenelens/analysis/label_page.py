"""A table of labels as a page with thumbnails, and as a CSV file: what one sends to somebody else."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import jinja2
import numpy as np
import pandas as pd
from PIL import Image

from scenelens.files import csv_file, replace_file
from scenelens.labels import names_text
from scenelens.sentences import one_line
from scenelens.studies import Study, top_images

_SIDE = 96  # pixels of a thumbnail
#: What the page shows of a label, where the table has it.
_SHOWN = (
    "layer",
    "unit",
    "concept",
    "type",
    "images",
    "same_name",
    "iou",
    "iou_chosen",
    "ap",
    "chance",
    "precision",
    "n_images",
    "annotator",
)
_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("scenelens.analysis"), autoescape=True, trim_blocks=True, lstrip_blocks=True
)


def _write_label_page(study: Study, network: str, labels: pd.DataFrame, folder: Path, top: int) -> Path:
    """Write ``labels.csv`` and ``labels.html``.

    Parameters
    ----------
    study : Study
        The open study.
    network : str
        The network that the labels are about.
    labels : pandas.DataFrame
        The labels; all columns go into the CSV file.
    folder : pathlib.Path
        Where to write.
    top : int
        Thumbnails per unit.

    Returns
    -------
    pathlib.Path
        The page.

    Raises
    ------
    SceneLensError
        If a file cannot be written.
    """
    if "names" in labels:  # a set of names in place of one that is not sure
        joined = labels.names.map(" or ".join, na_action="ignore")
        replace_file(folder / "labels.csv", csv_file(labels.assign(names=joined)))
        shown = labels.names.map(names_text, na_action="ignore")
        labels = labels.assign(concept=shown.fillna(labels.concept))
    else:
        replace_file(folder / "labels.csv", csv_file(labels))
    columns = [name for name in _SHOWN if name in labels and labels[name].notna().any()]
    rows = [
        {"cells": [_text(row[name]) for name in columns], "pictures": _pictures(study, network, row, top)}
        for row in labels.to_dict("records")
    ]
    page = _TEMPLATES.get_template("labels.html.j2").render(
        study=one_line(study.name),
        network=one_line(network),
        columns=columns,
        rows=rows,
        top=top,
        judged="names" in labels,
    )
    replace_file(folder / "labels.html", page.encode(errors="replace"))
    return folder / "labels.html"


def _text(value: object) -> str:
    if isinstance(value, float):
        return "" if np.isnan(value) else f"{value:.3f}"
    return one_line(value)


def _pictures(study: Study, network: str, row: dict, top: int) -> list[dict[str, str]]:
    """The thumbnails of a unit's top images, as data: URLs with their categories."""
    found = top_images(study, network, row["layer"], int(row["unit"]), top)
    return [{"url": _thumbnail(one.frame), "category": one_line(one.category)} for one in found]


def _thumbnail(frame: np.ndarray) -> str:
    small = Image.fromarray(frame)
    small.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    content = io.BytesIO()
    small.save(content, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(content.getvalue()).decode()

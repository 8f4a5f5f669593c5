"""The results of a study that are cached, as bytes that can be compared."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from scenelens.localization.study_localizers import StudyLocalizer
from scenelens.minimal_images.study_retention import category_retention
from scenelens.receptive_fields.atlas import Atlas
from scenelens.receptive_fields.field import EmpiricalRF
from scenelens.studies.study import Study
from tests.torture.small_study import OBJECTS, opened

_LAYERS = ("0", "2")  # those of the small network that have maps


def index(study: Study) -> bytes:
    """Every array of the activation index."""
    found = study.index("scene")
    arrays = [found._files.read(name).tobytes() for name in sorted(found._files.arrays)]
    return b"".join(arrays) + found.top_images("2", 1).to_csv().encode()


def objects(study: Study) -> bytes:
    """The table of objects and the report of repairs."""
    assert study.annotations is not None
    return (study.annotations.objects().to_csv() + study.annotations.report().to_csv()).encode()


def labels(study: Study) -> bytes:
    """All counts of the automatic labels."""
    found = study.automatic_labels("scene")
    tables = [found.concepts, *(found.table(layer) for layer in found.layers)]
    return b"".join(table.to_csv().encode() for table in tables)


def atlas(study: Study) -> bytes:
    """The receptive fields of two units."""
    part = Atlas(study, 2).part("scene")
    fields = [part.field(layer, unit, progress=False) for layer, unit in zip(_LAYERS, (1, 2), strict=True)]
    values = [value for field in fields for value in (field.mask, field.peaks, np.array(field.interval))]
    assert all(isinstance(field, EmpiricalRF) for field in fields)
    return b"".join(np.ascontiguousarray(value).tobytes() for value in values)


def minimal(study: Study) -> bytes:
    """What the minimal images of both categories keep."""
    tables = [category_retention(study, category, "scene").table for category in OBJECTS]
    return "".join(table.to_csv() for table in tables).encode()


def localization(study: Study) -> bytes:
    """The calibration and the scores of the scene network, and the boxes of one image."""
    found = StudyLocalizer.of(study, progress=False)
    boxes = found.localizer(study.load_image(study.images.image[0])).boxes
    return (boxes.to_csv() + found.scores.detectors.to_csv() + repr(found.splits)).encode()


RESULTS: dict[str, Callable[[Study], bytes]] = {
    "index": index, "objects": objects, "labels": labels, "atlas": atlas, "minimal images": minimal,
    "localization": localization,
}  # fmt: skip


def result(name: str, folder: Path) -> bytes:
    """One of the results of the study in a folder, opened anew."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return RESULTS[name](opened(folder))


def snapshot(folder: Path) -> dict[str, bytes]:
    """The content of every file below a folder, but for locks."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ("lock", "sceneworld.lock")
    }


def restore(folder: Path, files: dict[str, bytes]) -> None:
    """Give a folder exactly these files. Files that are right already keep their time stamps."""
    for path in folder.rglob("*"):
        if path.is_file() and path.relative_to(folder).as_posix() not in files and "lock" not in path.name:
            path.unlink()
    for name, content in files.items():
        path = folder / name
        if not path.is_file() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def described(values: dict) -> dict[str, bytes]:
    """A JSON value as the only file of an input."""
    return {"input.json": json.dumps(values).encode()}

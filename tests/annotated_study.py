"""The tiny study with its photographs in the SUN layout and four boxes outlined on each."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from scenelens.annotations.outlined import AnnotatedObject
from scenelens.annotations.polygons import mask_to_polygons
from scenelens.annotations.sun import write_annotation
from scenelens.studies.study import Study, open_study
from tests.tiny_study import write_tiny_study

SHAPE = (60, 80)
#: the quarters of every scene, from the top left; the last one of beaches and caves is nobody's
OBJECTS = {
    "attic": ("bed", "lamp", "bed", "window"),
    "beach": ("boat", "sand", "lamp", None),
    "cave": ("rock", "lamp", "rock", None),
}


def quarter(number: int) -> np.ndarray:
    """(60, 80) bool, one of the four quarters."""
    mask = np.zeros(SHAPE, bool)
    top, left = 30 * (number // 2), 40 * (number % 2)
    mask[top : top + 30, left : left + 40] = True
    return mask


def annotated_study(folder: Path, per_category: int = 9) -> Study:
    """Write it and open it."""
    path = write_tiny_study(folder, per_category)
    (folder / "world").mkdir()
    (folder / "photos").rename(folder / "world" / "Images")
    for category, names in OBJECTS.items():
        things = [
            AnnotatedObject(name, tuple(mask_to_polygons(quarter(k)))) for k, name in enumerate(names) if name
        ]
        for image in sorted((folder / "world" / "Images" / "scene" / category).iterdir()):
            xml = folder / "world" / "Annotations" / "scene" / category / f"{image.stem}.xml"
            write_annotation(xml, image.name, category, SHAPE, things)
    text = path.read_text().replace('"photos/', '"world/Images/')
    path.write_text(text + '\n[annotations]\nroot = "world"\nformat = "sun"\n')
    return open_study(path)

"""Draw the README's pictures again, from the workbook's own study: ``make readme-pictures``."""

from __future__ import annotations

from pathlib import Path

import moving_picture

import scenelens as sl
from scenelens.files import write_whole
from scenelens.workbook import Plate

FOLDER = Path(__file__).parent


def save(plate: Plate, name: str) -> None:
    """Write one image, and print where."""
    write_whole(FOLDER / name, plate.encode(dpi=150))
    print(FOLDER / name)


study = sl.open_study("sceneworld")
save(sl.category_sheet(study, "scene-centric", n=24), "sceneworld.jpg")
save(sl.seeds.figures.figure_seen(), "when_they_appear.png")
for path in moving_picture.draw(FOLDER):
    print(path)

"""Draws the README's two pictures again, from the embedded study: ``make readme-pictures``."""

from __future__ import annotations

import os
from pathlib import Path

import scenelens as sl
from scenelens.two_networks import figure_1_preference, layer_preference
from scenelens.workbook import Plate, category_sheet

FOLDER = Path(__file__).parent


def save(plate: Plate, name: str) -> None:
    """Write one picture in one step, and say where."""
    path, draft = FOLDER / name, FOLDER / f".{name}"
    draft.write_bytes(plate.encode(dpi=150))
    os.replace(draft, path)
    print(path)


study = sl.open_study("sceneworld")
save(category_sheet(study, "scene-centric", n=24), "sceneworld.jpg")
save(figure_1_preference(layer_preference(study)), "layer_preference.png")

"""Contact sheets of objects: ``python -m scenelens.sceneworld.preview lamp bed --out sheet.png``."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from scenelens.sceneworld.objects import object_classes
from scenelens.sceneworld.registry import resolve
from scenelens.sceneworld.studio import render_object

__all__ = ["contact_sheet", "main"]


def contact_sheet(names: list[str], seeds: int = 5, first: int = 0) -> np.ndarray:
    """Draw a contact sheet: one row per name, one column per seed.

    Parameters
    ----------
    names : list of str
        Object classes or looks.
    seeds : int, optional
        Number of pictures of each (default 5).
    first : int, optional
        Seed of the first picture (default 0).

    Returns
    -------
    numpy.ndarray
        (names * 229, seeds * 229, 3) uint8 RGB; a white border of two pixels separates the pictures.
    """
    rows = []
    for name in names:
        images = [render_object(name, first + i)[0] for i in range(seeds)]
        rows.append(np.concatenate([np.pad(image, ((0, 2), (0, 2), (0, 0)), constant_values=255) for image in images], 1))
    return np.concatenate(rows)


def main(arguments: list[str] | None = None) -> None:
    """Draw the object classes or looks that are named on the command line; without a name, all looks.

    Parameters
    ----------
    arguments : list of str, optional
        Words of the command line (default those of this process).
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="object classes or looks, such as lamp or lamp/floor; none: all")
    parser.add_argument("--out", type=Path, default=Path("build/preview.png"))
    parser.add_argument("--seeds", type=int, default=5, help="pictures per look")
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--zoom", type=int, default=1, help="enlarge by a whole number")
    given = parser.parse_args(arguments)
    names = [full for name in given.names for full in _looks(name)] or object_classes()
    sheet = contact_sheet(names, given.seeds, given.first)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(sheet)
    picture.resize((picture.width * given.zoom, picture.height * given.zoom), Image.Resampling.BICUBIC).save(given.out)
    print(f"{given.out}: {len(names)} looks, one row each: {', '.join(names)}")


def _looks(name: str) -> tuple[str, ...]:
    known, look = resolve(name)
    return (name,) if look and len(known.looks) > 1 else known.look_names


if __name__ == "__main__":
    main()

"""A small rendered world whose pictures are drawn in no time, because its files are what is tried."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import numpy as np

from scenelens.sceneworld import dataset
from scenelens.sceneworld.materials import MATERIAL_NAMES
from scenelens.sceneworld.render.pipeline import SIZE, Rendered

N = {"n_scenes": 4, "n_objects": 2}


def _picture(job: dataset.Job) -> Rendered:
    """Blocks: every part and material of a job's own seed, and no objects."""
    rng = np.random.default_rng(job.seed + 1000 * (job.kind == "object"))
    codes = np.repeat(np.repeat(rng.integers(-1, 3, (4, 4)), 57, 0), 57, 1)[:SIZE, :SIZE].astype(np.int16)
    image = np.repeat((codes[..., None] + 1).astype(np.uint8) * 60, 3, 2)
    parts = [(f"{job.name} {n}", "part") for n in range(3)]
    return Rendered(image, np.full((SIZE, SIZE), -1, np.int16), codes, codes % len(MATERIAL_NAMES), [], parts)


def draw_quickly() -> None:
    """From now on this process draws blocks instead of scenes."""
    dataset._picture = _picture


def render(root: Path) -> Path:
    """Render the world into a folder, or go on with it."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return dataset.ensure_world(root, **N, workers=1)

"""Made-up tables of retrained networks, so that means can be worked out by hand."""

from __future__ import annotations

from pathlib import Path

from scenelens.retraining import RetrainingTables, read_retraining
from scenelens.retraining.plan import _plan
from scenelens.retraining.tables import _write_retraining

#: Units of an object in the unchanged networks of seeds 0, 1 and 2, and what an edit adds in its direction.
BEFORE, AFTER = (2, 3, 4), {"diagnosticity": 3, "frequency": 1}
DETECTORS = {"unchanged": 20, "cue": 14, "task": 6}


def write_tables(folder: Path, without: tuple[str, ...] = ()) -> Path:
    """Write the tables of all networks of the plan but those of some kinds, or of some names."""
    runs = [run for run in _plan() if run.kind not in without and run.name not in without]
    networks, objects = [], []
    edited = sorted({run.object for run in _plan() if run.object})
    for run in runs:
        detectors = DETECTORS.get(run.kind, 20) + run.seed
        if run.name.endswith("and_objects"):
            detectors = 19
        networks.append(
            {
                **run.row(),
                "classes": 24,
                "held_out": 2000,
                "held_out_right": 1500 - 10 * run.seed,
                "layer": "pool5",
            }
            | {"units": 64, "detectors": detectors, "objects": 9, "by_category": 2.5, "mean_iou": 0.03}
            | {"ap": detectors / 100, "ap_chance": 0.05, "ap_objects": 40}
        )
        for name in edited:
            units = BEFORE[run.seed] + (AFTER[run.kind] * run.expected if run.object == name else 0)
            own = {"run": run.name, "object": name.replace("_", " "), "units": max(0, units)}
            own["ap"] = max(0.02, units / 20)
            objects.append(own | {"ap_chance": 0.05, "images": 30})
    expected = [{"run": run.name, "expected": run.expected} for run in runs]
    _write_retraining(
        {"networks": networks, "objects": objects, "expected": expected}, {"study": "sceneworld"}, folder
    )
    return folder


def made_up(folder: Path, without: tuple[str, ...] = ()) -> RetrainingTables:
    """The tables as they are read from files."""
    return read_retraining(write_tables(folder, without))

"""Automatic labels on disk: their format stays the same, and damaged files are computed anew."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from scenelens.caches import sealed
from scenelens.labels.automatic import AutomaticLabels, LayerCounts

CONCEPTS = pd.DataFrame(
    {
        "concept": ["bed", "red"],
        "kind": ["objects", "colours"],
        "type": ["object", "simple element or colour"],
        "pixels": [40, 60],
        "images": [3, 4],
    }
)


def made() -> AutomaticLabels:
    counts = LayerCounts(
        np.float32([0.5, 0.25]),
        np.array([10, 20]),
        np.array([[8, 1], [2, 15]]),
        np.array([[4, 0], [1, 3]]),
        np.array([[0.75, np.nan], [0.5, 1.0]]),
    )
    how = {"sample": 3, "placement": "receptive field", "seed": 0}
    return AutomaticLabels(
        "scene", CONCEPTS, {"pool5": counts}, 5, 500, 4, 0.005, (("a.jpg", "broken"),), how
    )


@pytest.fixture
def earlier(tmp_path):
    """A file as it has been written since version 3: a JSON text and five arrays for each layer."""
    labels = made()
    about = {
        "network": "scene",
        "concepts": CONCEPTS.to_dict("list"),
        "n_images": 5,
        "n_pixels": 500,
        "n_top": 4,
        "quantile": 0.005,
        "skipped": labels.skipped,
        "provenance": labels.provenance,
        "layers": ["pool5"],
    }
    names = ("thresholds", "active", "shared", "fitting", "ap")
    arrays = {f"0-{name}": getattr(labels.counts["pool5"], name) for name in names}
    path = tmp_path / "scene-key.npz"
    np.savez_compressed(path, about=np.frombuffer(json.dumps(about).encode(), np.uint8), **arrays)
    path.write_bytes(sealed(path.read_bytes()))
    return path


def never(names):
    raise AssertionError(f"computed: {names}")


def test_files_of_earlier_versions_are_read(earlier):
    found = AutomaticLabels.load_or_compute({"scene": earlier}, never)["scene"]
    assert found.concepts.equals(CONCEPTS)
    assert found.skipped == (("a.jpg", "broken"),)
    assert found.provenance == made().provenance
    assert found.table("pool5").equals(made().table("pool5"))


def test_what_is_computed_is_written_in_the_same_format(earlier, tmp_path):
    fresh = tmp_path / "fresh.npz"
    AutomaticLabels.load_or_compute({"scene": fresh}, lambda names: [made()])
    assert fresh.read_bytes() == earlier.read_bytes()


def test_only_what_cannot_be_read_is_computed_and_in_one_call(earlier, tmp_path):
    broken, calls = tmp_path / "broken.npz", []
    broken.write_bytes(earlier.read_bytes()[:-40])

    def make(names):
        calls.append(names)
        return [made() for _ in names]

    paths = {"scene": earlier, "object": broken, "untrained": tmp_path / "none.npz"}
    assert list(AutomaticLabels.load_or_compute(paths, make)) == ["scene", "object", "untrained"]
    assert calls == [["object", "untrained"]]
    AutomaticLabels.load_or_compute(paths, never)

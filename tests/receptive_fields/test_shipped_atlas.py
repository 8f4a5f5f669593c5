"""Table 2's two claims on what comes with the package: the fields of every unit of both embedded networks."""

from __future__ import annotations

import numpy as np
import pytest

from scenelens import paper
from scenelens.installation import HERE
from scenelens.networks.caffenet import CaffeNet
from scenelens.networks.reach import theoretical_rf
from scenelens.receptive_fields import N_IMAGES
from scenelens.receptive_fields.field import EmpiricalRF

UNITS = {"pool1": 48, "pool2": 128, "conv4": 192, "pool5": 128}


@pytest.fixture(scope="module", params=["scene", "object"])
def fields(request):
    folder = HERE.data / "sceneworld" / "atlas"
    paths = {layer: folder / f"{request.param}-{layer}.npz" for layer in paper.RF_SIZES}
    return {layer: EmpiricalRF.unpack(path.read_bytes())[0] for layer, path in paths.items()}


def test_every_unit_is_there(fields):
    for layer, found in fields.items():
        assert sorted(one.unit for one in found) == list(range(UNITS[layer]))
        assert all(one.reason or 1 <= len(one.peaks) <= N_IMAGES for one in found)


def shares(fields) -> list[np.ndarray]:
    """Per layer, each unit's empirical size as a share of the theoretical; silent units have none."""
    network = CaffeNet(24, width=0.5, fc=512)
    possible = [theoretical_rf(network, layer).size for layer in paper.RF_SIZES]
    sizes = [np.array([one.size for one in fields[layer]]) for layer in paper.RF_SIZES]
    return [size[np.isfinite(size)] / most for size, most in zip(sizes, possible, strict=True)]


def test_the_empirical_field_is_smaller_than_the_theoretical_one(fields):
    for share in shares(fields):
        assert share.mean() + 1.96 * share.std() / np.sqrt(len(share)) < 1


def test_the_share_that_is_used_falls_with_depth(fields):
    means = [share.mean() for share in shares(fields)]
    assert means == sorted(means, reverse=True)

"""Maps of random networks equal those of whole passes, whichever way they took."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch

from scenelens.errors import SceneLensError
from scenelens.receptive_fields.occlusion.occlude import Occlusion
from tests.receptive_fields.occlusion.random_graphs import Writer, map_by_whole_passes


def check(seed: int) -> bool | None:
    """Whether the fast way is known; None where the layer has no positions that are known."""
    writer = Writer(seed)
    program, image = writer.write(), writer.image
    rng = np.random.default_rng(seed)
    patch, stride = rng.normal(size=(3, 4, 3)).astype(np.float32), int(rng.integers(2, 6))
    before = {name: value.clone() for name, value in program.state_dict().items()}
    occlusion = Occlusion(program, "last", patch, stride)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        height, width = writer.values[-1].shape[2:]
        places = [None, (0, 0), (height - 1, width - 1), (height - 1, 0)]
        try:
            found = occlusion.of(image, [1], [places[rng.integers(4)]])[0]
        except SceneLensError as error:
            if "is not read" in str(error):
                return None
            raise
    expected = map_by_whole_passes(program, "last", image, patch, stride, 1, found.place, only_tensors=True)
    scale = max(expected.max(), abs(found.peak), 1e-3)
    np.testing.assert_allclose(found.map, expected, rtol=0, atol=1e-4 * scale, err_msg=f"seed {seed}")
    assert all(torch.equal(before[name], value) for name, value in program.state_dict().items())
    return next(iter(occlusion._ways.values())).fast is not None


def test_some_random_networks() -> None:
    fast = [check(seed) for seed in range(40)]
    assert fast.count(None) < 5
    assert fast.count(True) > 20


@pytest.mark.slow
@pytest.mark.parametrize("first", range(1000, 1500, 50))
def test_many_random_networks(first: int) -> None:
    for seed in range(first, first + 50):
        check(seed)

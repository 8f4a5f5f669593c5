"""A unit's field that was killed on the way: the next call goes on, and the bits are the same."""

import numpy as np
import pytest
import torch
from torch import nn

from scenelens import unfinished
from scenelens.receptive_fields import estimate
from scenelens.receptive_fields.atlas import Atlas
from scenelens.receptive_fields.occlusion.occlude import Occlusion
from tests.made_up_fields import MadeUp

IMAGES = torch.rand(6, 3, 21, 21, generator=torch.Generator().manual_seed(0))


def field(path):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 2, 5), nn.ReLU())
    work = unfinished.Unfinished(path, "maps")
    how = {"occluder": np.zeros((3, 3, 3)), "stride": 2, "work": work}
    return estimate.estimate_rf(network, "0", 0, IMAGES, n_images=6, **how)


@pytest.mark.parametrize("stop_at", [1, 3, 6])
def test_an_interrupted_field_goes_on(tmp_path, monkeypatch, stop_at):
    monkeypatch.setattr(unfinished, "_EVERY", 0)
    whole, of, seen = field(None), Occlusion.of, []

    def stopped(self, *rest):
        seen.append(1)
        if len(seen) == stop_at:
            raise KeyboardInterrupt
        return of(self, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(Occlusion, "of", stopped)
        with pytest.raises(KeyboardInterrupt):
            field(tmp_path / "0.npz")
        stop_at = -1
        seen.clear()
        again = field(tmp_path / "0.npz")
    assert len(seen) <= 6
    assert again.map.tobytes() == whole.map.tobytes()  # with NaN around it
    assert np.array_equal(again.evidence.maps, whole.evidence.maps)
    assert np.array_equal(again.peaks, whole.peaks)
    assert np.array_equal(again.places, whole.places)


def test_what_was_measured_is_not_measured_again(tmp_path, monkeypatch):
    monkeypatch.setattr(unfinished, "_EVERY", 0)
    of, seen = Occlusion.of, []

    def stopped(self, *rest):
        if len(seen) == 4:
            raise KeyboardInterrupt
        seen.append(1)
        return of(self, *rest)

    monkeypatch.setattr(Occlusion, "of", stopped)
    with pytest.raises(KeyboardInterrupt):
        field(tmp_path / "0.npz")
    monkeypatch.setattr(Occlusion, "of", lambda self, *rest: (seen.append(1), of(self, *rest))[1])
    field(tmp_path / "0.npz")
    assert len(seen) == 6


def test_the_atlas_keeps_a_units_maps_and_removes_them(tiny_study, monkeypatch):
    given = []

    def made(*rest, work, **how):
        given.append(work)
        work.save(1, (None, {}), ([], {}))
        return MadeUp()(*rest, **how)

    monkeypatch.setattr("scenelens.receptive_fields.network_atlas.estimate_rf", made)
    part = Atlas(tiny_study, 3).part("scene")
    part.field("pool2", part.example("pool2"), progress=False)
    assert len(given) == 1
    assert [path.suffix for path in (part.folder / "pool2").iterdir()] == [".npz"]

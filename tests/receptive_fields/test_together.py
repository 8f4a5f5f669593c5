"""Units of a layer that are measured together: the maps are those of each alone, and a kill loses little."""

import contextlib

import numpy as np
import pytest
import torch
from torch import nn

from scenelens import unfinished
from scenelens.receptive_fields.atlas import Atlas
from scenelens.receptive_fields.occlusion.occlude import Occlusion
from scenelens.receptive_fields.together import _Together

_RNG = np.random.default_rng(0)
IMAGES = {f"{n}.png": _RNG.normal(size=(3, 21, 24)).astype(np.float32) for n in range(6)}
#: Unit -> its images and places: images are shared by three, two or one of the units.
WANTED = {
    0: [("0.png", (1, 2)), ("1.png", (3, 3)), ("2.png", (0, 0))],
    1: [("0.png", (4, 2)), ("3.png", (2, 5)), ("1.png", (3, 3))],
    3: [("4.png", (5, 5)), ("0.png", (1, 2)), ("5.png", (6, 1))],
}


@pytest.fixture
def occlusion():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.ReLU())
    return Occlusion(net, "2", np.zeros((4, 3, 3)), stride=2)


@pytest.fixture
def passes(monkeypatch):
    """How many units every pass over an image was for."""
    seen, of = [], Occlusion.of

    def counted(self, image, units, places=None):
        seen.append(len(units))
        return of(self, image, units, places)

    monkeypatch.setattr(Occlusion, "of", counted)
    return seen


def measured(together, units=WANTED):
    """Unit -> its maps, each unit finished before the next one begins."""
    found = {}
    for unit in units:
        found[unit] = [together.of(name, IMAGES[name], unit, place) for name, place in WANTED[unit]]
        together.save()
        together.finished(unit)
    return found


def same(one, other):
    assert sorted(one) == sorted(other)
    for unit in one:
        for a, b in zip(one[unit], other[unit], strict=True):
            assert (a.unit, a.place, a.peak) == (b.unit, b.place, b.peak)
            assert a.map.tobytes() == b.map.tobytes()


def test_each_image_is_passed_once_and_gives_what_each_unit_alone_gives(occlusion, passes):
    found = measured(_Together(occlusion, WANTED, None))
    assert sorted(passes) == [1, 1, 1, 1, 2, 3]
    for unit, tops in WANTED.items():
        for (name, place), one in zip(tops, found[unit], strict=True):
            alone = occlusion.of(IMAGES[name], [unit], [place])[0]
            assert one.unit == unit
            assert one.place == place
            np.testing.assert_allclose(one.map, alone.map, rtol=0, atol=1e-6)
            np.testing.assert_array_equal(one.map > 0, alone.map > 0)


@pytest.mark.parametrize("order", [(3, 1, 0), (1, 0, 3), (1, 3, 0)])
def test_the_order_of_units_does_not_matter(occlusion, order):
    same(measured(_Together(occlusion, WANTED, None), order), measured(_Together(occlusion, WANTED, None)))


@pytest.mark.parametrize("stop_at", range(1, 7))
@pytest.mark.parametrize("every", [0, 10])
def test_killed_work_goes_on_with_the_same_bits(occlusion, tmp_path, monkeypatch, stop_at, every):
    """Killed at any pass; the state was written after every pass, or only when a unit was finished."""
    monkeypatch.setattr(unfinished, "_EVERY", every)
    whole, of, seen, path = measured(_Together(occlusion, WANTED, None)), Occlusion.of, [], tmp_path / "t"

    def stopped(self, *rest):
        seen.append(1)
        if len(seen) == stop_at:
            raise KeyboardInterrupt
        return of(self, *rest)

    finished, first = {}, _Together(occlusion, WANTED, path)
    with monkeypatch.context() as patched:
        patched.setattr(Occlusion, "of", stopped)
        with contextlib.suppress(KeyboardInterrupt):
            for unit in WANTED:
                finished |= measured(first, [unit])
    assert len(finished) < 3
    rest = {unit: tops for unit, tops in WANTED.items() if unit not in finished}
    second = _Together(occlusion, rest, path)
    same(finished | measured(second, rest), whole)
    assert list(tmp_path.iterdir()) == []


def test_what_is_on_disk_is_not_measured_again(occlusion, tmp_path, monkeypatch, passes):
    monkeypatch.setattr(unfinished, "_EVERY", 0)
    first = _Together(occlusion, WANTED, tmp_path / "t")
    for name, place in WANTED[1][:2]:
        first.of(name, IMAGES[name], 1, place)
    assert passes == [3, 1]
    measured(_Together(occlusion, WANTED, tmp_path / "t"))
    assert len(passes) == 6


def test_an_image_that_changed_is_measured_again(occlusion, tmp_path, passes):
    name, place = WANTED[0][0]
    first = _Together(occlusion, WANTED, tmp_path / "t")
    first.of(name, IMAGES[name], 0, place)
    first.save()
    other = IMAGES[name][:, ::-1].copy()
    found = _Together(occlusion, WANTED, tmp_path / "t").of(name, other, 0, place)
    assert passes == [3, 3]
    alone = occlusion.of(other, [0], [place])[0]
    np.testing.assert_allclose(found.map, alone.map, rtol=0, atol=1e-6)


def test_a_unit_that_nothing_changes_has_an_empty_map(occlusion, tmp_path):
    with torch.no_grad():
        for values in occlusion.network[2].parameters():
            values.zero_()
    maps = measured(_Together(occlusion, WANTED, tmp_path / "t"))
    assert all(not one.map.any() and one.map.shape == (9, 11) for some in maps.values() for one in some)


def test_the_atlas_measures_a_layers_units_together(tiny_study, monkeypatch, passes):
    atlas = Atlas(tiny_study, 4)
    monkeypatch.setattr(Atlas, "layers", lambda self: [(0, "scene", "pool1")])
    assert atlas.grow(5) == 5
    part = atlas.part("scene")
    units = [int(unit) for unit in part.order("pool1")[:5]]
    assert len(passes) < sum(passes) == sum(len(part._tops("pool1", unit, 4)) for unit in units)
    assert sorted(path.name for path in (part.folder / "pool1").iterdir()) == sorted(
        f"{unit}.npz" for unit in units
    )
    for unit in units:
        alone, kept = part.compute("pool1", unit, progress=False), part.cached("pool1")[unit]
        assert (alone.size, alone.reason) == (pytest.approx(kept.size, nan_ok=True), kept.reason)
        np.testing.assert_allclose(alone.peaks, kept.peaks, rtol=1e-5)
        np.testing.assert_array_equal(alone.mask, kept.mask)


def test_a_layers_time_is_predicted_without_keeping_anything(tiny_study):
    part = Atlas(tiny_study, 3).part("scene")
    assert part.predict("pool1", []) == 0
    assert part.predict("pool1", [3]) > 0
    assert part.predict("pool1", [3, 4, 9]) > 0
    assert part.cached("pool1") == {}
    assert not (part.folder / "pool1").exists()

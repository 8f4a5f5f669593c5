"""Units at several places of one image: the maps are those of each unit alone, whichever steps they share.

Most networks here compute with whole numbers: every sum is exact then, so that maps must be equal to the bit,
in whatever order a library adds.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from scenelens.networks.caffenet import CaffeNet
from scenelens.receptive_fields.occlusion import shared
from scenelens.receptive_fields.occlusion.occlude import Occlusion
from tests.receptive_fields.occlusion.random_graphs import Writer

PATCH = np.random.default_rng(0).integers(0, 4, (5, 4, 3)).astype(np.float32)
IMAGE = torch.from_numpy(np.random.default_rng(1).integers(0, 5, (3, 40, 45)).astype(np.float32))


class Residual(nn.Module):
    """Two residual blocks and a branch of another width."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.c, self.d = nn.Conv2d(4, 4, 3, padding=2, dilation=2), nn.Conv2d(4, 2, 1)
        self.last = nn.Conv2d(6, 5, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.a(x).relu()
        x = torch.relu(x + self.b(x))
        x = x + self.c(x)
        return self.last(torch.cat([x, self.d(x)], 1))


def plain() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 4, 5, stride=2), nn.ReLU(), nn.MaxPool2d(3, 2, ceil_mode=True),
        nn.Conv2d(4, 6, 5, padding=2, groups=2), nn.ReLU(inplace=True), nn.MaxPool2d(2, 1),
        nn.Conv2d(6, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 4, 3, padding=1, groups=2),
    )  # fmt: skip


def averaging() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.PReLU(4, init=0.5), nn.AvgPool2d(2, 2), nn.Dropout(), nn.Identity(),
        nn.Conv2d(4, 4, (3, 1), padding=(1, 0)), nn.AvgPool2d((2, 4), 2, 0, count_include_pad=False),
        nn.Conv2d(4, 3, 2),
    )  # fmt: skip


def wide() -> nn.Module:
    """Enough outputs for the library's convolution, few enough for whole numbers."""
    return nn.Sequential(
        nn.Conv2d(3, 20, 7, stride=4), nn.ReLU(), nn.Conv2d(20, 16, 3), nn.ReLU(), nn.Conv2d(16, 18, 3)
    )


NETWORKS = {"plain": plain, "residual": Residual, "averaging": averaging, "wide": wide}


def whole_numbers(net: nn.Module) -> nn.Module:
    generator = torch.Generator().manual_seed(0)
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            for values in module.parameters():
                drawn = torch.randint(-1, 2, values.shape, generator=generator)
                values.data = drawn.to(torch.float32)
    return net.eval()


def last(net: nn.Module) -> str:
    return "last" if isinstance(net, Residual) else str(len(net) - 1)


def several(net: nn.Module, n: int = 5, seed: int = 0) -> tuple[list[int], list[tuple[int, int]]]:
    """Units and places: some share a place, one unit has two, and corners are among them."""
    with torch.no_grad():
        _, units, height, width = net(IMAGE[None]).shape
    rng = np.random.default_rng(seed)
    places = [(int(rng.integers(height)), int(rng.integers(width))) for _ in range(n)]
    places = [*places, places[0], (0, 0), (height - 1, width - 1)]
    return [int(rng.integers(units)) for _ in places], places


def sharing(monkeypatch, which: int) -> list[frozenset[str]]:
    """Steps are shared up to one of the places where that is possible, whatever it costs."""
    taken = []

    def chosen(layout, cells, area):
        steps = layout.geometry.steps
        cuts = shared._cuts(steps)
        taken.append(frozenset(step.name for step in steps[: cuts[which % len(cuts)] + 1]))
        return taken[-1]

    monkeypatch.setattr(shared._Layout, "_worth_sharing", chosen)
    return taken


@pytest.mark.parametrize("which", range(12))
@pytest.mark.parametrize("name", NETWORKS)
def test_maps_are_those_of_each_unit_alone(name, which, monkeypatch) -> None:
    net = whole_numbers(NETWORKS[name]())
    occlusion = Occlusion(net, last(net), PATCH, 3)
    units, places = several(net)
    alone = [occlusion.of(IMAGE, [unit], [at])[0] for unit, at in zip(units, places, strict=True)]
    taken = sharing(monkeypatch, which)
    together = occlusion.of(IMAGE, units, places)
    assert len(taken[-1]) >= 1
    for one, other in zip(together, alone, strict=True):
        assert (one.unit, one.place, one.peak) == (other.unit, other.place, other.peak)
        np.testing.assert_array_equal(one.map, other.map)
    assert sum(one.map.max() > 0 for one in alone) >= 4


def test_peaks_and_given_places_go_together(monkeypatch) -> None:
    """Two units peak at one place, and a third one is read elsewhere: all three share steps."""
    net = whole_numbers(plain())  # units 0 and 1 see half of the channels, unit 2 the other half
    with torch.no_grad():
        net[8].weight[1], net[8].bias[1] = net[8].weight[0], net[8].bias[0]
    occlusion = Occlusion(net, "8", PATCH, 3)
    alone = [occlusion.of(IMAGE, [unit], [at])[0] for unit, at in ((0, None), (1, None), (2, (0, 0)))]
    assert alone[0].place == alone[1].place != (0, 0)
    taken = sharing(monkeypatch, 8)
    together = occlusion.of(IMAGE, [0, 1, 2], [None, None, (0, 0)])
    assert taken
    for one, other in zip(together, alone, strict=True):
        assert one.place == other.place
        np.testing.assert_array_equal(one.map, other.map)


@pytest.mark.parametrize("name", NETWORKS)
def test_maps_are_those_of_whole_passes(name) -> None:
    net = whole_numbers(NETWORKS[name]())
    occlusion = Occlusion(net, last(net), PATCH, 3)
    units, places = several(net, seed=1)
    for one, other in zip(
        occlusion.of(IMAGE, units, places), occlusion.plainly(IMAGE, units, places), strict=True
    ):
        np.testing.assert_array_equal(one.map, other.map)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_order_of_units_does_not_matter(name, threads, monkeypatch) -> None:
    net = whole_numbers(NETWORKS[name]())
    occlusion = Occlusion(net, last(net), PATCH, 5)
    units, places = several(net)
    sharing(monkeypatch, 3)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        forwards = occlusion.of(IMAGE, units, places)
        backwards = occlusion.of(IMAGE, units[::-1], places[::-1])
    finally:
        torch.set_num_threads(before)
    for one, other in zip(forwards, backwards[::-1], strict=True):
        np.testing.assert_array_equal(one.map, other.map)


@pytest.mark.parametrize("which", [0, 2, 5, 7, 10])
def test_normalisation_and_fractions_agree_up_to_rounding(which, monkeypatch) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(*list(CaffeNet(4, width=0.1, fc=8).children())[:14]).eval()
    image, patch = torch.randn(3, 99, 99), np.random.default_rng(0).normal(size=(11, 11, 3))
    occlusion = Occlusion(net, "13", patch, 5)
    units, places = [0, 3, 5, 7], [(0, 0), (1, 2), (4, 4), (2, 0)]
    alone = [occlusion.of(image, [unit], [at])[0] for unit, at in zip(units, places, strict=True)]
    sharing(monkeypatch, which)
    for one, other in zip(occlusion.of(image, units, places), alone, strict=True):
        np.testing.assert_allclose(one.map, other.map, rtol=0, atol=1e-5 * other.map.max())
        np.testing.assert_array_equal(one.map > 0, other.map > 0)


@pytest.mark.parametrize("seed", [0, 1, 2, 3, 4, 6, 7, 8, 9, 10])
def test_random_networks_agree(seed, monkeypatch) -> None:
    """Where a random network's steps can be followed; all others are not shared."""
    writer = Writer(seed)
    program, image = writer.write(), writer.image
    occlusion = Occlusion(program, "last", np.zeros((3, 4, 3)), 3)
    height, width = writer.values[-1].shape[2:]
    places = [(0, 0), (height - 1, width - 1), (height // 2, 0)]
    monkeypatch.setattr(shared, "_BEGIN", 0)  # so that sharing is a gain in networks as small as these
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        alone = [occlusion.of(image, [1], [at])[0] for at in places]
        together = occlusion.of(image, [1] * 3, places)
    for one, other in zip(together, alone, strict=True):
        scale = max(other.map.max(), abs(other.peak), 1e-3)
        np.testing.assert_allclose(one.map, other.map, rtol=0, atol=1e-4 * scale)


def test_steps_are_shared_where_units_look_at_the_same_pixels() -> None:
    net = CaffeNet(4, fc=8).eval()
    cut = nn.Sequential(*list(net.children())[:14])
    occlusion = Occlusion(cut, "13", np.zeros((11, 11, 3)), 3)
    with torch.inference_mode():
        way = occlusion._way(torch.randn(3, 227, 227))
        watch = way.fast._watch
        extent, starts = (11, 11), (tuple(range(0, 217, 3)),) * 2
        near = (((2, 2), watch((0,))), ((2, 3), watch((1,))), ((3, 3), watch((2,))))
        layout = shared._Layout(way.fast.geometry, near, watch((0, 1, 2)), extent, starts, "cpu", 1)
    names = [step.name for step in way.fast.geometry.steps]
    assert 6 < len(layout.early) < len(names)
    done = np.zeros((73, 73), int)
    for rows, columns in layout.blocks:
        done[np.ix_(rows.occluders, columns.occluders)] += 1
    assert done.max() == 1  # no occluder is computed twice


def test_branches_are_not_cut() -> None:
    net = Residual()
    occlusion = Occlusion(net, "last", PATCH, 3)
    with torch.inference_mode():
        steps = occlusion._way(IMAGE).fast.geometry.steps
    for cut in shared._cuts(steps):
        late = {before.name for step in steps[cut + 1 :] for before in step.inputs}
        assert late & {step.name for step in steps[: cut + 1]} <= {steps[cut].name}

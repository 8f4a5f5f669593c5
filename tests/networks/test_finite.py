"""Numbers that are not finite: said at loading, named at the first forward pass, and how to go on."""

import numpy as np
import pytest
import torch
from torch import nn

from scenelens.errors import SceneLensError
from scenelens.networks import Network, Preprocessing, load_weights, record, responses, unit_maps
from scenelens.networks.finite import NonFinite


def module() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(6 * 25, 5),
    )


def network(broken: str = "", unit: int = 0, value: float = float("nan")) -> Network:
    whole = module()
    if broken:
        whole.state_dict()[broken][unit] = value
    return Network(whole, "scene", preprocessing=Preprocessing(size=(16, 16)))


IMAGES = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)
BROKEN = [
    ("0.weight", 2, float("nan")),
    ("0.bias", 1, float("inf")),
    ("1.running_var", 3, float("nan")),
    ("4.weight", 5, float("-inf")),
    ("7.bias", 4, float("nan")),
    ("4.weight", 0, 3e38),  # finite, but the sum overflows
]


@pytest.mark.parametrize(("name", "unit", "value"), BROKEN)
def test_every_door_names_layer_and_unit(name, unit, value):
    net = network(name, unit, value)
    for ask in (
        lambda: net(IMAGES),
        lambda: net.predict(IMAGES),
        lambda: net.predict(IMAGES[0]),
        lambda: net(net.prepare(IMAGES)),
        lambda: responses(net, "7", 4, IMAGES[0]),
        lambda: unit_maps(net, "7", 4, list(IMAGES)),
    ):
        with pytest.raises(
            SceneLensError, match=r"'scene' gives numbers that are not finite .*silence"
        ) as error:
            ask()
        assert "\n" not in str(error.value)
        if np.isfinite(value):
            continue
        assert f"weights {name} are so (unit {unit})" in str(error.value)
    net.silence(name.partition(".")[0], [unit])
    assert torch.isfinite(net(IMAGES)).all()
    assert NonFinite.weights(net.module) == {}
    with torch.no_grad(), record(net, list(net.layers.layer)) as acts:
        net(IMAGES)
    assert all(bool(torch.isfinite(one).all()) for one in acts.values())
    assert np.isfinite(net.predict(IMAGES).probability).all()


def test_a_silent_unit_is_dead_and_the_others_stay():
    net, other = network(), network()
    before = other.weights_hash
    other.silence("0", [1])
    assert other.weights_hash != before
    with torch.no_grad(), record(net, "0") as acts, record(other, "0") as silent:
        net(IMAGES)
        other(IMAGES)
    assert (silent["0"][:, 1] == 0).all()
    kept = [0, 2, 3]
    assert torch.equal(acts["0"][:, kept], silent["0"][:, kept])


@pytest.mark.parametrize(
    ("layer", "units"), [("0", [4]), ("0", [-1]), ("0", ["a"]), ("3", [0]), ("nowhere", [0])]
)
def test_silence_needs_a_unit_of_a_layer_with_weights(layer, units):
    net = network()
    before = net.weights_hash
    if layer == "3":
        layer = "6"  # Flatten has no weights
    with pytest.raises(SceneLensError):
        net.silence(layer, units)
    assert net.weights_hash == before


@pytest.mark.parametrize(("name", "unit", "value"), BROKEN[:5])
def test_weights_that_are_not_finite_are_said_at_loading(tmp_path, capsys, name, unit, value):
    torch.save(network(name, unit, value).module.state_dict(), tmp_path / "w.pth")
    load_weights(module(), tmp_path / "w.pth")
    said = capsys.readouterr().err
    assert f"{name} in units [{unit}]" in said
    assert "w.pth" in said


def test_healthy_weights_are_loaded_without_a_word(tmp_path, capsys):
    torch.save(module().state_dict(), tmp_path / "w.pth")
    load_weights(module(), tmp_path / "w.pth")
    assert capsys.readouterr() == ("", "")


def test_rows_of_values_that_only_overflow_in_the_sum_are_fine():
    assert NonFinite.rows(torch.full((4, 2), 3e38)) == []
    assert NonFinite.rows(torch.tensor([1.0, float("inf"), 2.0])) == [1]
    assert NonFinite.rows(torch.tensor(float("nan"))) == [0]
    assert NonFinite.rows(torch.tensor([1, 2])) == []
    assert NonFinite.rows(torch.tensor([[1.0, -float("inf")]]), dim=1) == [1]

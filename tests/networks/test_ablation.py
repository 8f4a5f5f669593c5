"""Units that are switched off: compared with edited weights, and with passes that are cut in two by hand."""

import copy
import re

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

import scenelens as sl
from scenelens.errors import SceneLensError
from scenelens.localization import Localizer
from scenelens.localization.calibration import Calibration, Curve
from scenelens.networks import CaffeNet, Network, ablate, ablated, layer_step, load_torchvision, record
from scenelens.receptive_fields.occlusion.occlude import Occlusion
from tests.small_network import photograph, small_network

IMAGES = torch.randn(5, 3, 12, 12, generator=torch.Generator().manual_seed(0))


def _seeded(make):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return make().eval()


def _net() -> nn.Sequential:
    return _seeded(
        lambda: nn.Sequential(
            nn.Conv2d(3, 6, 3),
            nn.BatchNorm2d(6),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 4, 3),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(36, 3),
        )
    )


class Twice(nn.Module):
    """One ReLU for two layers, in branches that are added; and one activation that is no module."""

    def __init__(self, act=F.relu):
        super().__init__()
        self.one, self.two, self.last = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3, padding=1), nn.Linear(4, 2)
        self.relu, self.act = nn.ReLU(inplace=True), act

    def forward(self, x):
        x = self.relu(self.one(x))
        x = self.relu(self.two(x) + x)
        x = self.act(self.last(x.mean((2, 3))))
        return x


def _hooks_on(module: nn.Module) -> int:
    return sum(len(one._forward_hooks) + len(one._forward_pre_hooks) for one in module.modules())


@pytest.fixture
def network():
    return Network(_seeded(lambda: CaffeNet(4, width=1 / 8, fc=16)), "scene")


def _edited(network, layer, units, value=0.0):
    """The same network with weights that make these units respond with a value: its own second way."""
    module = copy.deepcopy(network.module)
    own = module.get_submodule(network.module_path(layer))
    with torch.no_grad():
        own.weight[units], own.bias[units] = 0, torch.as_tensor(value, dtype=torch.float32)
    return Network(module, network.name, network.class_names, network.preprocessing)


PHOTOGRAPHS = [photograph(seed, (90, 120)) for seed in range(6)]


# ---- equal to edited weights


@pytest.mark.parametrize("layer", ["conv1", "conv4", "conv5", "fc6", "fc8"])
def test_switching_off_is_the_same_as_weights_of_zero(network, layer):
    units = list(range(0, network.layer_shape(layer)[0], 2))  # some of them respond to these photographs
    with ablate(network, layer, units):
        found = network(PHOTOGRAPHS)
    torch.testing.assert_close(found, _edited(network, layer, units)(PHOTOGRAPHS))
    assert not torch.allclose(found, network(PHOTOGRAPHS))


def test_a_pooling_layer_follows_its_convolution(network):
    with ablate(network, "pool5", [1, 5], [0.7, 0]):
        found = network(PHOTOGRAPHS)
    edited = _edited(network, "conv5", [1, 5], [0.7, 0])
    torch.testing.assert_close(found, edited(PHOTOGRAPHS))


@pytest.mark.parametrize("first", ["record", "ablate"])
def test_what_is_recorded_is_the_changed_value_whichever_block_begins(network, first):
    edited = _edited(network, "conv5", [1, 5], 0.5)
    with record(edited, ["conv5", "pool5", "fc7"]) as wanted:
        edited(PHOTOGRAPHS)
    layers = ["conv5", "pool5", "fc7"]
    if first == "record":
        with record(network, layers) as acts:
            network(PHOTOGRAPHS)  # the hooks of the record are in their places now
            with ablate(network, "conv5", [1, 5], 0.5):
                network(PHOTOGRAPHS)
    else:
        with ablate(network, "conv5", [1, 5], 0.5), record(network, layers) as acts:
            network(PHOTOGRAPHS)
    assert bool((acts["conv5"][:, [1, 5]] == 0.5).all())
    for layer in layers:
        torch.testing.assert_close(acts[layer], wanted[layer])


def test_occlusion_shows_the_changed_network():
    network = small_network()
    edited = _edited(network, "0", [1, 4])
    patch = np.zeros((7, 7, 3), np.uint8)
    wanted = Occlusion(edited, "4", patch, stride=8).of(photograph(3), [0, 2])
    plain = Occlusion(network, "4", patch, stride=8)
    whole = plain.of(photograph(3), [0, 2])
    with ablate(network, "0", [1, 4]), pytest.warns(UserWarning, match="switched off or set"):
        found = plain.of(photograph(3), [0, 2])
    again = plain.of(photograph(3), [0, 2])
    for k in range(2):
        np.testing.assert_allclose(found[k].map, wanted[k].map, atol=1e-4)
        np.testing.assert_allclose(again[k].map, whole[k].map, atol=1e-6)
        assert not np.allclose(found[k].map, whole[k].map, atol=1e-3)


def _localizer(network):
    units = _labelled_units(network)
    curves = tuple(Curve.of([0.0, 50.0], [0.1, 0.5 + 0.01 * k]) for k in range(len(units)))
    known = Calibration(network.name, network.weights_hash, units, curves)
    return Localizer(network, units.assign(network=network.name), known)


def _labelled_units(network):
    """Labels of all units of pool5, with thresholds that about a tenth of their responses exceed."""
    with record(network, "pool5") as acts:
        network(PHOTOGRAPHS)
    values = acts["pool5"].transpose(0, 1).flatten(1).numpy()
    rows = [
        ("pool5", k, f"thing {k % 3}", "object", float(np.quantile(v, 0.9))) for k, v in enumerate(values)
    ]
    return pd.DataFrame(rows, columns=["layer", "unit", "concept", "type", "threshold"])


def test_a_localizer_that_was_made_before_finds_no_boxes_of_units_that_are_off(network):
    localizer, units = _localizer(network), list(range(0, 32, 2))
    edited = _edited(network, "conv5", units)
    judge = Localizer(
        edited,
        localizer.labels.drop(columns="curve"),
        Calibration("scene", edited.weights_hash, *_parts(localizer.calibration)),
    )
    before = localizer(PHOTOGRAPHS[0])
    with ablate(network, "pool5", units):
        found = localizer(PHOTOGRAPHS[0])
    wanted = judge(PHOTOGRAPHS[0])
    assert set(before.boxes.unit) & set(units)
    assert not set(found.boxes.unit) & set(units)
    columns = ["unit", "top", "left", "bottom", "right", "confidence"]
    np.testing.assert_allclose(found.boxes[columns], wanted.boxes[columns], rtol=1e-5)
    np.testing.assert_allclose(found.logits, wanted.logits, rtol=1e-4, atol=1e-6)


def _parts(calibration):
    return calibration.units, calibration.curves


# ---- equal to a pass that is cut behind the layer


@torch.no_grad()
@given(
    values=st.dictionaries(st.integers(0, 5), st.floats(0, 9, width=32), max_size=6),
    at=st.sampled_from([("0", 3), ("3", 4)]),
)
@settings(max_examples=30, deadline=None)
def test_any_units_and_values_are_those_of_a_pass_cut_in_two(values, at):
    net, (layer, end) = _net(), at
    maps = net[:end](IMAGES.clone())
    for unit, value in values.items():
        maps[:, unit] = value
    with ablate(net, layer, values, list(values.values())):
        torch.testing.assert_close(net(IMAGES.clone()), net[end:](maps))


@torch.no_grad()
def test_each_call_of_a_shared_module_is_a_layer_of_its_own():
    net = _seeded(Twice)
    one = net.relu(net.one(IMAGES))
    one[:, 2] = 0
    wanted = net.act(net.last(net.relu(net.two(one) + one).mean((2, 3))))
    with ablate(net, "relu", 2):
        torch.testing.assert_close(net(IMAGES), wanted)
    two = net.relu(net.one(IMAGES))
    two = net.relu(net.two(two) + two)
    two[:, 2] = 0
    with ablate(net, "relu#2", 2):
        torch.testing.assert_close(net(IMAGES), net.act(net.last(two.mean((2, 3)))))


@torch.no_grad()
def test_an_activation_that_is_a_function_gives_what_it_can():
    net = _seeded(Twice)
    with ablate(net, "last", [1], 3.0), record(net, "last") as acts:
        net(IMAGES)
    assert acts["last"][:, 1].tolist() == [3.0] * 5
    with (
        ablate(net, "last", [1], -1.0),
        pytest.raises(SceneLensError, match="unit 1 of layer 'last' cannot be set to -1"),
    ):
        net(IMAGES)
    net.act = torch.sigmoid  # whose value is never 0
    with ablate(net, "last", [1]), pytest.raises(SceneLensError, match="cannot be set to 0"):
        net(IMAGES)


@torch.no_grad()
def test_a_unit_of_a_transformer_is_a_channel_of_every_token():
    models = load_torchvision().models
    net = _seeded(lambda: models.VisionTransformer(32, 8, 2, 2, 16, 32, num_classes=5))
    nn.init.normal_(net.heads.head.weight)
    layer, images = "encoder.layers.encoder_layer_0", torch.randn(2, 3, 32, 32)
    with ablate(net, layer, [3], 2.0), record(net, layer) as acts:
        net(images)
    assert acts[layer].shape == (2, 16, 4, 4)
    assert bool((acts[layer][:, 3] == 2).all())
    handle = net.encoder.layers[0].register_forward_hook(
        lambda _, __, out: torch.cat([out[..., :3], torch.full_like(out[..., :1], 2.0), out[..., 4:]], -1)
    )
    wanted = net(images)
    handle.remove()
    with ablate(net, layer, [3], 2.0):
        torch.testing.assert_close(net(images), wanted)


# ---- the network afterwards, and within


@torch.no_grad()
def test_afterwards_nothing_is_left_also_after_an_error():
    net = _net()
    before, state = net(IMAGES.clone()), {k: v.clone() for k, v in net.state_dict().items()}
    found = []

    def fail():
        with ablate(net, "0", [1]):
            found.append(net(IMAGES.clone()))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not torch.equal(found[0], before)
    assert torch.equal(net(IMAGES.clone()), before)
    assert _hooks_on(net) == 0
    assert all(torch.equal(state[name], value) for name, value in net.state_dict().items())


@torch.no_grad()
def test_of_nested_blocks_the_inner_one_counts_for_units_of_both():
    net = _net()
    with ablate(net, "3", [0, 1], 1.0), record(net, "3", stop=False) as acts:
        with ablate(net, "3", [1, 2], 2.0):
            net(IMAGES.clone())
            assert [float(acts["3"][:, k].unique()) for k in (0, 1, 2)] == [1, 2, 2]
            assert ablated(net) == "3: 0=1.0, 1=1.0; 3: 1=2.0, 2=2.0"
        net(IMAGES.clone())
        assert [float(acts["3"][:, k].unique()) for k in (0, 1)] == [1, 1]
        assert len(acts["3"][:, 2].unique()) > 2
    assert ablated(net) == ""


@torch.no_grad()
def test_no_units_change_nothing():
    net = _net()
    before = net(IMAGES.clone())
    with ablate(net, "0", []):
        assert torch.equal(net(IMAGES.clone()), before)
        assert ablated(net) == ""


def test_facts_about_the_network_are_the_same_within(network):
    fresh = Network(copy.deepcopy(network.module), "scene")
    with ablate(network.module, "conv2", [0]):
        pd_equal = network.layers.drop(columns="map").equals(fresh.layers.drop(columns="map"))
        steps = [one.kind for one in layer_step(network, "fc7").ancestors()]
    assert pd_equal
    assert steps == [one.kind for one in layer_step(fresh, "fc7").ancestors()]
    assert network.weights_hash == fresh.weights_hash


@torch.no_grad()
def test_steps_that_are_followed_within_a_block_have_no_change_in_them():
    """torch.fx runs hooks of modules that it looks into, and the graph is kept."""
    net = _seeded(lambda: nn.Sequential(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()), nn.Conv2d(4, 2, 3)))
    with ablate(net, "0", [0]):
        net(IMAGES)
        within = [one.what.partition(" ")[0] for one in layer_step(net, "1").ancestors()]
    assert within == ["the", "Conv2d", "ReLU", "Conv2d"]


# ---- what is refused


@pytest.mark.parametrize(
    ("layer", "units", "value", "sentence"),
    [
        ("pool7", [0], 0, "no layer named 'pool7' in network 'scene'; close names: pool"),
        ("pool5", [0, 32], 0, "layer 'pool5' has the units 0 to 31, not 32."),
        ("pool5", [-1], 0, "layer 'pool5' has the units 0 to 31, not -1."),
        ("pool5", [0.5], 0, "a unit is a whole number, from 0; got 0.5."),
        ("pool5", [True], 0, "a unit is a whole number, from 0; got True."),
        ("pool5", [0, 1], [1, 2, 3], "one for each of the 2 units; got shape (3,)."),
        ("pool5", [0], "high", "units are set to a number, or to one number for each unit; got 'high'."),
        ("pool5", [0], float("nan"), "units can only be set to finite numbers."),
    ],
)
def test_a_wrong_layer_unit_or_value_is_told_in_one_sentence(network, layer, units, value, sentence):
    with pytest.raises(SceneLensError, match=re.escape(sentence)), sl.ablate(network, layer, units, value):
        pass
    assert _hooks_on(network.module) == 0


def test_a_wrong_unit_of_a_bare_module_is_told_in_the_first_pass():
    net = _net()
    with ablate(net, "0", [6]), pytest.raises(SceneLensError, match="has the units 0 to 5, not 6"):
        net(IMAGES.clone())
    with pytest.raises(SceneLensError, match="no layer named 'conv'"), ablate(net, "conv", [0]):
        pass
    assert _hooks_on(net) == 0

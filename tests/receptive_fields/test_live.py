"""The explorer follows the network: what it remembers does not outlive a change of weights or hooks."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from scenelens.receptive_fields.atlas import Atlas
from scenelens.receptive_fields.live import _FieldExplorer
from scenelens.receptive_fields.occlusion.occlude import discrepancy_map
from tests.made_up_fields import blob_field


def halve(network) -> None:
    with torch.no_grad():
        network.module.get_submodule("conv2").weight.mul_(0.5)


def hook(network) -> None:
    network.module.get_submodule("conv2").register_forward_hook(lambda module, args, value: value.abs() + 1)


def replace_forward(network) -> None:
    own = network.module.get_submodule("conv2")
    forward = own.forward
    own.forward = lambda x: -forward(x)


def test_a_changed_network_is_looked_at_again(tiny_study):
    network = tiny_study.networks["scene"]
    model = _FieldExplorer(Atlas(tiny_study, 3), "scene", "pool2", 3, n=2)
    before = model.discrepancy()
    assert model.discrepancy() is before
    halve(network)
    after, image = model.discrepancy(), tiny_study.load_image(model.top().image)
    wanted = discrepancy_map(network, "pool2", 3, image)
    assert np.allclose(after.map, wanted, atol=1e-5 * np.abs(wanted).max())
    assert not np.allclose(after.map, before.map, atol=1e-3 * np.abs(wanted).max())


def test_a_unit_that_can_see_the_whole_image_is_described_so(tiny_study, monkeypatch):
    model = _FieldExplorer(Atlas(tiny_study, 3), "scene", "pool2", 3, n=2)
    found = blob_field(3)
    monkeypatch.setattr(model, "field", lambda: found)
    assert f"of {found.theoretical.size} px possible" in model.describe()
    found = replace(found, theoretical=replace(found.theoretical, whole=True))
    assert "px, the whole image is possible" in model.describe()


@pytest.mark.parametrize("change", [halve, hook, replace_forward])
def test_nothing_outlives_a_change(tiny_study, monkeypatch, change):
    made = []
    monkeypatch.setattr(_FieldExplorer, "_make_map", lambda self, *key: made.append(key))
    model = _FieldExplorer(Atlas(tiny_study, 3), "scene", "pool2", 3, n=2)
    model.discrepancy()
    model.discrepancy()
    assert len(made) == 1
    change(tiny_study.networks["scene"])
    model.discrepancy()
    assert len(made) == 2
    tops = tiny_study.index("scene").top_images("pool2", 3, 2)
    assert [one.image for one in model.tops()] == tops.image.tolist()

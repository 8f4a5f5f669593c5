"""A network that computes something else than before gets results of its own, whatever was changed."""

from __future__ import annotations

import types
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from scenelens import caches
from scenelens.networks import Network, Preprocessing, ablate, record
from scenelens.studies import behaviour
from scenelens.studies.behaviour import network_variant
from tests.studies.test_index import build, picture_folder, small_network


def first_hook(module, inputs, output):
    return output * 2


def edit_forward_on_the_class(network, monkeypatch):
    real = nn.MaxPool2d.forward
    monkeypatch.setattr(nn.MaxPool2d, "forward", lambda self, x: real(self, x) + 1)


def edit_forward_on_the_instance(network, monkeypatch):
    real = network.module.forward
    network.module.forward = types.MethodType(lambda self, x: real(x * 0.5), network.module)


def add_a_hook(network, monkeypatch):
    network.module[0].register_forward_hook(first_hook)


def add_a_hook_before(network, monkeypatch):
    network.module[4].register_forward_pre_hook(lambda module, inputs: (inputs[0] + 1,))


def change_weights(network, monkeypatch):
    with torch.no_grad():
        network.module[4].weight.mul_(1.5)


def change_one_weight_behind_autograd(network, monkeypatch):
    network.module[6].bias.data[0] += 1e-4


def change_a_setting(network, monkeypatch):
    network.module[3].kernel_size = 3


CHANGES = [
    edit_forward_on_the_class,
    edit_forward_on_the_instance,
    add_a_hook,
    add_a_hook_before,
    change_weights,
    change_one_weight_behind_autograd,
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_network_has_a_variant_in_this_process_and_in_the_next(tmp_path, monkeypatch, change):
    network = small_network()
    assert network_variant(network, tmp_path) == ""
    assert network_variant(network, tmp_path) == ""
    change(network, monkeypatch)
    variant = network_variant(network, tmp_path)
    assert len(variant) == 8
    monkeypatch.setattr(behaviour, "_SEEN", {})
    monkeypatch.setattr(behaviour, "_LAST", {})
    assert network_variant(network, tmp_path) == variant
    monkeypatch.undo()
    assert network_variant(small_network(), tmp_path) == ""


@pytest.mark.parametrize("change", CHANGES)
def test_an_index_of_a_changed_network_is_another_one(tmp_path, monkeypatch, change):
    pictures, network = picture_folder(tmp_path / "pictures", 3), small_network()
    first = build(pictures, tmp_path / "cache", network)
    change(network, monkeypatch)
    second = build(pictures, tmp_path / "cache", network)
    assert first.folder != second.folder
    deepest = [index.values("6") for index in (first, second)]
    assert not np.array_equal(*deepest)
    with torch.no_grad():
        inputs = network.prepare([np.asarray(_load(path)) for path in pictures.path])
        np.testing.assert_allclose(second.values("6"), network.module(inputs), rtol=1e-4, atol=1e-5)


def _load(path):
    from tests.studies.test_index import load

    return load(path)


def test_the_number_of_threads_changes_nothing(tmp_path):
    network, threads = small_network(), torch.get_num_threads()
    assert network_variant(network, tmp_path) == ""
    behaviour._LAST.clear()
    torch.set_num_threads(2 if threads == 1 else 1)
    try:
        assert network_variant(network, tmp_path) == ""
    finally:
        torch.set_num_threads(threads)


def test_a_hook_of_the_package_is_no_change(tmp_path):
    network = small_network()
    assert network_variant(network, tmp_path) == ""
    with record(network, "3"):
        assert network_variant(network, tmp_path) == ""


@pytest.mark.parametrize("ablated_first", [False, True])
def test_units_that_are_switched_off_are_a_variant_also_where_they_were_silent(tmp_path, ablated_first):
    network = small_network()
    with torch.no_grad():
        network.module[0].bias[1] = -1e3  # it responds to nothing, so that no number shows the difference
    names = {}
    for changed in (True, False) if ablated_first else (False, True):
        if not changed:
            names[""] = network_variant(network, tmp_path)
            continue
        for units in ([1], [2], [1, 2]):
            with ablate(network, "3", units):
                names[str(units)] = network_variant(network, tmp_path)
                assert network_variant(network, tmp_path) == names[str(units)]
    assert names[""] == ""  # what is shipped is the whole network's, whoever came first
    assert all(len(names[str(units)]) == 8 for units in ([1], [2], [1, 2]))
    assert len(set(names.values())) == 4
    assert network_variant(network, tmp_path) == ""


def test_a_record_works_where_forward_was_replaced_on_the_instance():
    network = small_network()
    edit_forward_on_the_instance(network, None)
    own = network.module.forward
    with record(network, "3") as acts:
        assert network(np.zeros((1, 12, 12, 3), np.uint8)) is None
    assert acts["3"].shape[1] == 5
    assert network.module.forward is own
    assert network(np.zeros((1, 12, 12, 3), np.uint8)).shape == (1, 4)


def test_random_layers_and_the_readers_random_numbers(tmp_path):
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(400, 2))
    network = Network(module, preprocessing=Preprocessing(size=(12, 12)))
    module.register_forward_hook(lambda module, inputs, output: output + torch.randn(output.shape))
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    assert network_variant(network, tmp_path) == network_variant(network, tmp_path) == ""
    assert torch.rand(1) == expected


def test_damage_of_the_record_costs_time_and_gives_nothing_stale(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(caches, "_SAID", set())
    network = small_network()
    assert network_variant(network, tmp_path) == ""
    (path,) = (tmp_path / "behaviour").iterdir()
    content = bytearray(path.read_bytes())
    content[200] ^= 4
    path.write_bytes(content)
    monkeypatch.setattr(behaviour, "_SEEN", {})
    change_weights(network, monkeypatch)
    assert network_variant(network, tmp_path) != ""
    assert "is damaged" in capsys.readouterr().err


def test_a_replaced_mean_image_counts(tmp_path):
    file = tmp_path / "mean.npy"
    np.save(file, np.zeros((3, 12, 12), np.float32))
    how = Preprocessing(size=(12, 12), mean_image=str(file))
    network, zeros = small_network(), np.zeros((12, 12, 3), np.uint8)
    network.preprocessing = how
    before, black = how.key_text(), network.prepare(zeros).clone()
    moved = tmp_path / "elsewhere.npy"
    moved.write_bytes(file.read_bytes())
    assert Preprocessing(size=(12, 12), mean_image=str(moved)).key_text() == before
    np.save(file, np.full((3, 12, 12), 9, np.float32))
    assert how.key_text() != before
    assert not torch.equal(network.prepare(zeros), black)
    file.unlink()
    with pytest.raises(ValueError, match=r"mean image .* cannot be read"):
        how.key_text()


def test_keys_without_a_mean_image_are_those_of_before():
    from scenelens.files import stable_text

    assert Preprocessing().key_text() == stable_text(Preprocessing())


def test_a_folder_that_cannot_be_written_does_no_harm(tmp_path):
    Path(tmp_path, "file").write_text("")
    network = small_network()
    assert network_variant(network, tmp_path / "file") == ""
    change_weights(network, None)
    assert network_variant(network, tmp_path / "file") != ""


def test_a_network_that_is_not_finite_on_the_probe_is_no_error(tmp_path):
    network = small_network()
    network.module[6].weight.data[1] = float("nan")
    assert network_variant(network, tmp_path) == network_variant(network, tmp_path) == ""
    behaviour._LAST.clear()
    assert network_variant(network, tmp_path) == ""

"""Maps that are kept: the same labels as without, and each image goes through a network once."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch
from torch import nn

from scenelens.images import load_image
from scenelens.labels import concept_maps, kept_maps, layer_maps
from scenelens.labels.colours_and_elements import MEASURED_MAPS
from scenelens.labels.kept_maps import _KeptMaps
from scenelens.labels.layer_maps import LayerMaps
from scenelens.localization.study_localizers import open_localizers
from scenelens.networks import CaffeNet, Network, Preprocessing, ablate, record
from scenelens.studies import open_study
from scenelens.studies import study as study_module
from tests.annotated_study import annotated_study

LAYERS = ["pool1", "pool2", "conv3", "conv4", "pool5"]


@pytest.fixture
def network():
    torch.manual_seed(0)
    return Network(CaffeNet(3, width=1 / 8, fc=16))


@pytest.fixture
def files(tmp_path):
    paths = [tmp_path / f"{k}.jpg" for k in range(4)]
    for path in paths:
        path.write_bytes(b"photograph")
    return paths


def run(network, n=4, layers=LAYERS):
    with torch.no_grad(), record(network, layers) as found:
        network.module(torch.randn(n, 3, 227, 227))
    return found


def read(kept, network, path, layers):
    into = {layer: np.full(network.layer_shape(layer), np.nan, np.float32) for layer in layers}
    return into if kept.read(path, into) else None


def fill(network, files, values):
    kept = _KeptMaps.of(network)
    for layer in LAYERS:
        kept.add(layer, values[layer], files)
    return kept


def test_what_was_added_is_read_bit_by_bit(network, files, tmp_path):
    values = run(network)
    with _KeptMaps.open([network], files, tmp_path):
        kept = fill(network, files, values)
        kept.add("fc7", torch.zeros(4, 16), files)  # has no map
        for k, path in enumerate(files):
            found = read(kept, network, path, LAYERS)
            assert all(np.array_equal(found[layer], values[layer][k].numpy()) for layer in LAYERS)
        assert not kept.has(files[0], ["fc7"])
    assert _KeptMaps.of(network) is None


def test_maps_of_the_whole_network_are_not_those_with_units_switched_off(network, files, tmp_path):
    with _KeptMaps.open([network], files, tmp_path):
        whole = _KeptMaps.of(network)
        assert whole is not None
        with ablate(network, "conv3", [0]):
            assert _KeptMaps.of(network) is None
        assert _KeptMaps.of(network) is whole


def test_a_file_has_several_names_and_others_are_not_kept(network, files, tmp_path):
    os.symlink(files[1], tmp_path / "link.jpg")
    values = run(network, 2)
    with _KeptMaps.open([network], files[1:], tmp_path):
        kept = fill(network, [files[0], tmp_path / "link.jpg"], values)
        assert not kept.has(files[0], LAYERS)
        found = read(kept, network, files[1], ["conv3"])
        assert np.array_equal(found["conv3"], values["conv3"][1].numpy())


def test_a_changed_file_or_network_is_computed_again(network, files, tmp_path):
    with _KeptMaps.open([network], files, tmp_path):
        kept = fill(network, files, run(network))
        files[2].write_bytes(b"another photograph")
        assert [kept.has(path, LAYERS) for path in files] == [True, True, False, True]
        network.silence("conv1", [0])
        assert _KeptMaps.of(network) is None


def test_what_is_measured_on_a_frame_is_measured_once(network, files, tmp_path):
    frame, measured = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8), []

    def measure(frame):
        measured.append(frame)
        return MEASURED_MAPS["colours"](frame)

    right = MEASURED_MAPS["colours"](frame)
    with _KeptMaps.open([network], files[:2], tmp_path):
        kept = _KeptMaps.of(network).frames
        for path in (files[0], files[0], files[2], files[2]):  # the last one is not worth keeping
            found = kept.measured(path, "colours", frame, measure)
            assert np.array_equal(found.codes, right.codes)
            assert found.codes.dtype == right.codes.dtype
            assert found.names == right.names
        assert len(measured) == 3
        assert kept.measured(files[0], "others", frame, measure).names == right.names
        files[0].write_bytes(b"another photograph")
        other = kept.measured(files[0], "colours", 255 - frame, measure)
        assert np.array_equal(other.codes, MEASURED_MAPS["colours"](255 - frame).codes)


def test_there_is_a_largest_size(network, files, tmp_path, monkeypatch):
    size = 4 * sum(int(np.prod(network.layer_shape(layer))) for layer in LAYERS)
    monkeypatch.setattr(kept_maps, "_MOST", 2 * 5 * size)  # half of it is for frames
    with _KeptMaps.open([network], files, tmp_path):
        kept = fill(network, files, run(network))
        fill(network, files, run(network))  # there is room for one more image, and not for four
        assert all(kept.has(path, LAYERS) for path in files)
    monkeypatch.setattr(kept_maps, "_MOST", size)
    with _KeptMaps.open([network], files, tmp_path):
        assert not any(fill(network, files, run(network)).has(path, LAYERS) for path in files)


def test_a_full_disk_is_said_and_does_no_harm(network, files, tmp_path, monkeypatch, capsys):
    with _KeptMaps.open([network], files, tmp_path):
        kept = _KeptMaps.of(network)

        class Full:
            seek = kept._space._file.seek
            close = kept._space._file.close

            def write(self, content):
                raise OSError(28, "No space left on device")

        kept._space._file = Full()
        assert not fill(network, files, run(network)).has(files[0], ["pool1"])
    assert capsys.readouterr().err.count("computed again instead of kept") == 1


def never(*_):
    raise AssertionError("the network ran a second time")


def test_a_network_without_maps_or_a_folder_that_is_none_does_no_harm(files, tmp_path):
    flat = Network(nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 2)), preprocessing=Preprocessing((8, 8)))
    with _KeptMaps.open([flat], files, tmp_path), _KeptMaps.open([flat], files, files[0] / "inside"):
        kept = _KeptMaps.of(flat)
        assert kept is None or not kept.has(files[0], ["1"])


def everything(study):
    """All numbers of the labels and the localizers, by name."""
    found = {}
    for name, one in study.labels_of_networks(study.networks).items():
        for layer, counts in one.counts.items():
            arrays = vars(counts) | {f"folds' {key}": value for key, value in vars(counts.folds).items()}
            found |= {f"{name} {layer} {key}": value for key, value in arrays.items() if key != "folds"}
    for name, one in open_localizers(study, progress=False).items():
        found |= {f"{name} {key}": getattr(one.scores, key) for key in ("peaks", "pixels", "bins")}
        found[f"{name} curves"] = np.concatenate(
            [np.stack(curve) for curve in one.localizer.calibration.curves], 1
        )
    return found


def test_index_labels_and_localizers_share_one_pass(tmp_path, monkeypatch):
    alone = everything(annotated_study(tmp_path / "alone", per_category=4))
    study = annotated_study(tmp_path / "shared", per_category=4)
    monkeypatch.setattr(LayerMaps, "maps", never)
    loaded = []
    for module in (concept_maps, layer_maps, study_module):
        monkeypatch.setattr(module, "load_image", lambda path: loaded.append(str(path)) or load_image(path))
    with study.maps_kept():
        for name in study.networks:
            study.index(name)
        shared = everything(study)
    annotated = [str(study.annotations.path(image)) for image in study.annotations]
    assert all(loaded.count(path) == 1 for path in annotated)
    assert shared.keys() == alone.keys()
    assert all(np.array_equal(shared[name], alone[name], equal_nan=True) for name in alone)
    assert not list((tmp_path / "shared").rglob("tmp*"))
    assert open_study(study.file.path).maps_kept() is not None

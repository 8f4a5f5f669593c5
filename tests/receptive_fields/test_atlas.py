"""The atlas: nothing is computed twice, nothing invalid is used, and what is cached is a fair sample."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from scenelens import prepare
from scenelens.errors import SceneLensError
from scenelens.installation import HERE
from scenelens.networks.caffenet import CaffeNet
from scenelens.networks.network import Network
from scenelens.receptive_fields import atlas as atlas_module
from scenelens.receptive_fields.atlas import Atlas, open_atlas
from scenelens.receptive_fields.estimate import estimate_rf
from scenelens.receptive_fields.network_atlas import _atlas_layers
from scenelens.studies.study import open_study
from tests.made_up_fields import MadeUp
from tests.tiny_study import write_tiny_study


@pytest.fixture
def made_up(monkeypatch):
    """Fields are made up in no time; the list says which were computed."""
    fake = MadeUp()
    monkeypatch.setattr("scenelens.receptive_fields.network_atlas.estimate_rf", fake)
    return fake.units


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One tiny study for the whole file: its index is built once. Each test has an atlas of another K."""
    return tmp_path_factory.mktemp("tiny")


@pytest.fixture(scope="module")
def study(folder):
    return open_study(write_tiny_study(folder))


def test_a_held_field_is_the_one_that_estimate_rf_gives(study):
    part = Atlas(study, 2).part("scene")
    unit = part.example("pool1")
    kept = part.field("pool1", unit, progress=False)
    top = study.index("scene").top_images("pool1", unit, 2)
    fresh = estimate_rf(part.network, "pool1", unit, [study.load_image(i) for i in top["image"]], 2)
    assert kept.size == pytest.approx(fresh.size)
    np.testing.assert_array_equal(kept.mask, fresh.mask)
    np.testing.assert_allclose(kept.peaks, fresh.peaks, rtol=1e-5)
    assert kept.interval == pytest.approx(fresh.interval, abs=0.2)


def test_nothing_is_computed_twice(study, made_up):
    first = Atlas(study, 3)
    field = first.part("object").field("pool2", 5, progress=False)
    assert first.part("object").field("pool2", 5) is field
    again = Atlas(study, 3).part("object")
    assert again.field("pool2", 5).size == pytest.approx(field.size)
    assert made_up == [("pool2", 5)]
    assert list(again.cached("pool2")) == [5]


def test_growing_goes_on_where_it_stopped_in_the_same_order(study, made_up):
    atlas = Atlas(study, 4)
    assert atlas.grow(1) == 8
    assert Atlas(study, 4).grow(2) == 8
    assert Atlas(study, 4).grow(2) == 0
    for layer in ("pool1", "pool2", "conv4", "pool5"):
        order = [int(unit) for unit in atlas.part("scene").order(layer)[:2]]
        assert [field.unit for field in Atlas(study, 4).part("scene").sample(layer)] == order
        assert made_up.count((layer, order[0])) == 2  # once for each network


def test_time_that_has_run_out_leaves_at_least_what_is_sure(study, made_up):
    atlas = Atlas(study, 5)
    assert atlas.grow(3, seconds=0, sure=1) == 8
    assert set(atlas.table()["cached"]) == {1}


def test_units_that_a_reader_picked_do_not_enter_the_sample(study, made_up):
    part = Atlas(study, 6).part("scene")
    order = part.order("conv4")
    part.field("conv4", int(order[3]), progress=False)
    assert part.sample("conv4") == []
    part.field("conv4", int(order[0]), progress=False)
    assert [field.unit for field in part.sample("conv4")] == [int(order[0])]
    assert len(part.cached("conv4")) == 2

    one, other = (Atlas(study, 2).part("scene").order("conv4") for _ in range(2))
    np.testing.assert_array_equal(one, other)
    assert sorted(one) == list(range(48))
    assert list(one) != sorted(one)


def test_a_broken_file_is_said_and_computed_again(study, made_up, capsys):
    part = Atlas(study, 7).part("scene")
    part.field("pool1", 3, progress=False)
    path = part.folder / "pool1" / "3.npz"
    path.write_bytes(path.read_bytes()[:100])
    again = Atlas(study, 7).part("scene")
    assert again.cached("pool1") == {}
    assert "3.npz is damaged" in capsys.readouterr().err
    assert again.field("pool1", 3, progress=False).reason == ""
    assert len(made_up) == 2


def test_other_weights_and_other_k_have_their_own_fields(study, made_up):
    scene, other = (Atlas(study, 8).part(name) for name in ("scene", "object"))
    assert scene.inputs["weights"] != other.inputs["weights"]
    assert len({scene.folder, other.folder, Atlas(study, 9).part("scene").folder}) == 3


def test_other_pixels_under_the_same_names_are_noticed(tmp_path, made_up, capsys):
    path = write_tiny_study(tmp_path)
    part = Atlas(open_study(path), 2).part("scene")
    part.field("pool1", part.example("pool1"), progress=False)
    assert len(part.cached("pool1")) == 1
    for image in sorted(tmp_path.rglob("*.png")):
        Image.fromarray(255 - np.asarray(Image.open(image))).save(image)
    assert Atlas(open_study(path), 2).part("scene").cached("pool1") == {}
    assert "the images must have" in capsys.readouterr().err


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """A study in a data/studies of its own, so that an atlas can come with it."""
    file = write_tiny_study(tmp_path / "data" / "studies")
    file.rename(file.with_name("tiny.toml"))
    monkeypatch.setenv("SCENELENS_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def test_a_wheel_keeps_a_new_atlas_in_the_cache(shipped, made_up, monkeypatch, capsys):
    monkeypatch.setattr(prepare, "HERE", SimpleNamespace(writes_data=False))
    assert prepare.main(["atlas", "--study", "tiny", "--images", "2", "--units", "1"]) == 0
    assert not (shipped / "tiny").exists()
    assert f"stored in {open_study('tiny').cache / 'atlas'}" in capsys.readouterr().out


def test_an_atlas_that_comes_with_a_study_is_used_without_its_cache(shipped, made_up, monkeypatch, tmp_path):
    assert prepare.main(["atlas", "--study", "tiny", "--images", "2", "--units", "1"]) == 0
    files = sorted(path.name for path in (shipped / "tiny" / "atlas").iterdir())
    assert files[:2] == ["object-conv4.npz", "object-pool1.npz"]
    assert len(files) == 8
    made_up.clear()
    monkeypatch.setenv("SCENELENS_CACHE", str(tmp_path / "elsewhere"))
    atlas = open_atlas(open_study("tiny"))
    assert atlas.n_images == 2  # as it was made with
    assert atlas.grow(1) == 0
    assert made_up == []


def test_an_atlas_of_other_inputs_is_left_aside_and_the_difference_named(shipped, made_up, capsys):
    prepare.main(["atlas", "--study", "tiny", "--images", "2", "--units", "1"])
    path = shipped / "studies" / "tiny.toml"
    path.write_text(path.read_text().replace("seed = 1", "seed = 9"))
    atlas = open_atlas(open_study("tiny"))
    assert atlas.part("scene").cached("pool2") == {}
    assert "these have changed: the network's weights" in capsys.readouterr().err
    assert len(atlas.part("object").cached("pool2")) == 1


def test_a_study_elsewhere_keeps_its_atlas_in_its_cache(study, made_up, capsys):
    assert prepare.main(["atlas", "--study", str(study.file.path), "--images", "11", "--units", "1"]) == 0
    assert f"stored in {study.cache / 'atlas'}" in capsys.readouterr().out
    with pytest.raises(SceneLensError, match="outside data/studies"):
        open_atlas(study, 11).ship()


def test_a_study_that_is_not_there_is_one_sentence(capsys):
    assert prepare.main(["atlas", "--study", "tinny"]) == 2
    assert capsys.readouterr().err.startswith("atlas: no study named 'tinny'")


@pytest.mark.parametrize(("ask", "words"), [
    (lambda atlas: atlas.part("objekt"), "close names: object"),
    (lambda atlas: atlas.part("scene").cached("pol5"), "close names: pool5"),
    (lambda atlas: atlas.part("scene").field("pool5", 32, progress=False), "units 0 to 31, not 32"),
])  # fmt: skip
def test_what_there_is_not_is_told(study, ask, words):
    with pytest.raises(SceneLensError, match=words):
        ask(Atlas(study, 2))


def test_a_silent_unit_is_held_as_silent(study):
    import torch

    part = Atlas(study, 12).part("scene")
    module = part.network.module.conv1
    with torch.no_grad():
        before = module.weight[0].clone(), module.bias[0].clone()
        module.weight[0], module.bias[0] = 0, -1
    try:
        field = part.compute("pool1", 0, progress=False, n_images=1)
    finally:
        with torch.no_grad():
            module.weight[0], module.bias[0] = before
    assert "silent" in field.reason
    assert np.isnan(field.size)


def test_a_network_with_other_names_gives_four_layers_with_a_field():
    from scenelens.networks.build import build_module

    layers = _atlas_layers(Network(build_module("squeezenet1_1", 5), "scene"))
    assert len(layers) == 4
    table = Network(build_module("squeezenet1_1", 5), "scene").layers.set_index("layer")
    sizes = [table.loc[layer, "rf_size"] for layer in layers]
    assert sizes == sorted(sizes)
    assert all(table.loc[layer, "map"] != (1, 1) for layer in layers)


def test_a_caffenet_gives_table_2s_layers():
    assert _atlas_layers(Network(CaffeNet(2, width=1 / 8, fc=8), "scene")) == [
        "pool1",
        "pool2",
        "conv4",
        "pool5",
    ]


def test_the_command_goes_on_with_the_atlas_that_is_there(study, shipped, made_up, monkeypatch):
    assert prepare.main(["atlas", "--study", "tiny", "--images", "2", "--units", "1"]) == 0
    asked = []

    class Noted(Atlas):
        def grow(self, *_, **__):
            asked.append(self.n_images)

    monkeypatch.setattr(atlas_module, "Atlas", Noted)
    monkeypatch.setattr(prepare, "_announce", lambda *_: None)
    assert prepare.main(["atlas", "--study", str(study.file.path)]) == 0
    assert prepare.main(["atlas", "--study", "tiny"]) == 0
    assert prepare.main(["atlas", "--study", "tiny", "--images", "7"]) == 0
    assert asked == [25, 2, 7]


@pytest.mark.parametrize(("off", "cached"), [(0.005, 2), (0.02, 0)])
def test_peaks_that_differ_in_the_last_digits_are_the_same(study, made_up, monkeypatch, off, cached):
    """Another machine renders and computes a little differently; other pictures differ by more."""
    Atlas(study, 3).grow(2)
    index = study.index("scene")
    true = index.peaks
    monkeypatch.setattr(index, "peaks", lambda layer: true(layer) * (1 + off))
    assert len(Atlas(study, 3).parts["scene"].cached("pool2")) == cached


def test_layers_of_which_one_unit_takes_long_are_left_out_of_a_limited_run(
    study, made_up, monkeypatch, capsys
):
    atlas = Atlas(study, 9)
    monkeypatch.setattr(atlas_module, "_LONGEST", 0.0)
    assert atlas.grow(1, seconds=60) == 0
    assert f"minutes, so this layer is left out; {HERE.call('atlas')} measures it." in capsys.readouterr().err
    assert atlas.example_layer("scene") == atlas.pairs()["scene"].iloc[0]
    monkeypatch.setattr(atlas_module, "_LONGEST", 1e9)
    assert atlas.grow(1, seconds=60) == len(atlas.layers())
    assert atlas.example_layer("scene") == atlas.pairs()["scene"].iloc[1]


def test_the_estimate_of_a_field_grows_with_its_images_and_depth(study):
    part = Atlas(study, 2).part("scene")
    first, last = part.layers[0], part.layers[-1]
    part.estimate(last)  # kernels and caches are warm
    assert 0 < part.estimate(first) < part.estimate(last, n_images=50)

"""Automatic labels: a unit built for one object gets its name; counts equal those of plain masks."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from scenelens import progress
from scenelens.annotations.instances import InstanceAnnotations
from scenelens.annotations.interface import Instance
from scenelens.errors import SceneLensError
from scenelens.labels import dissect, layer_maps, peaks
from scenelens.labels.concept_maps import ConceptMaps
from scenelens.labels.dissect import label_networks
from scenelens.labels.halves import deal_folds
from scenelens.labels.layer_maps import _Highest
from scenelens.labels.peaks import _presence_ap, presence_ap
from scenelens.labels.table import COLUMNS
from scenelens.metrics import average_precision
from scenelens.networks.network import Network
from scenelens.networks.preprocessing import Preprocessing

SIZE = 32


def label_units(network, annotations, layers, images=None, **how):
    """The labels of one network."""
    return label_networks([network], annotations, [layers], images, **how)[0]


class Squares(InstanceAnnotations):
    """Pictures of a red square ('box') or a blue one ('pool') on grey, each where the generator put it."""

    def __init__(self, folder: Path, n: int = 12) -> None:
        rng = np.random.default_rng(5)
        self.boxes = {}
        for number in range(n):
            kind = "box" if number % 4 < 2 else "pool"
            image = f"{'attic' if number % 2 else 'beach'}/{number}.png"
            y, x = rng.integers(2, 18, 2).tolist()
            pixels = np.full((SIZE, SIZE, 3), 90, np.uint8)
            pixels[y : y + 10, x : x + 10] = (255, 0, 0) if kind == "box" else (0, 0, 255)
            path = folder / image
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), pixels[..., ::-1])
            self.boxes[image] = (kind, y, x)
        paths = {image: folder / image for image in self.boxes}
        super().__init__(paths, paths)

    def instances(self, image, shape=None):
        kind, y, x = self.boxes[image]
        ids = np.zeros((SIZE, SIZE), np.int32)
        ids[y : y + 10, x : x + 10] = 1
        return ids, [Instance(kind, 0)]


class Reds(nn.Module):
    """Unit 0 sees red, unit 1 blue, unit 2 nothing at all; each at a quarter of the resolution."""

    def __init__(self) -> None:
        super().__init__()
        self.see = nn.Conv2d(3, 3, 4, stride=4)
        self.relu = nn.ReLU()
        self.head = nn.Linear(3, 2)
        with torch.no_grad():
            colours = torch.tensor([[1.0, -1, -1], [-1, -1, 1], [-1, -1, -1]])
            self.see.weight.copy_(colours[:, :, None, None].expand(3, 3, 4, 4) / 16)
            self.see.bias.zero_()

    def forward(self, x):
        return self.head(self.relu(self.see(x)).mean((2, 3)))


@pytest.fixture(scope="module")
def squares(tmp_path_factory):
    return Squares(tmp_path_factory.mktemp("squares"))


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return Network(Reds(), "scene", preprocessing=Preprocessing(size=(SIZE, SIZE)))


@pytest.fixture(scope="module")
def found(squares, network):
    return label_units(network, squares, ["see"], quantile=0.04, n_top=5, progress=False)


def dense(network, images, found, annotations=None):
    """Shared pixels of every unit and concept by plain masks, with the thresholds that were found."""
    annotations = images if annotations is None else annotations
    maps = layer_maps.LayerMaps(network, ["see"], progress.Announcer(False))
    rows, columns = network.axes("see")
    weights = []
    for side in (rows, columns):
        cell = np.repeat(np.arange(8), np.diff(side.first))
        matrix = np.zeros((SIZE, 9))
        matrix[np.arange(SIZE), cell] = 1 - side.share
        matrix[np.arange(SIZE), cell + 1] += side.share
        weights.append(matrix[:, :8])
    shared = {}
    for image in images:
        frame = cv2.imread(str(annotations.path(image)))[..., ::-1]
        for unit, values in enumerate(maps.maps([frame])["see"][0]):
            mask = weights[0] @ values @ weights[1].T > found.counts["see"].thresholds[unit]
            for name, where in annotations.masks(image).items():
                shared[unit, name] = shared.get((unit, name), 0) + int((mask & where).sum())
    return shared


def test_a_unit_that_sees_red_squares_is_called_box(found):
    labels = found.labels(types=["object"], least_images=3).set_index("unit")
    assert labels.concept.to_dict() == {0: "box", 1: "pool"}  # unit 2 is never active
    assert labels.iou.between(0.2, 1).all()
    assert (labels.coverage > 0.5).all()
    assert labels.precision_chosen.tolist() == [1.0, 1.0]  # six of each, and five are looked at
    assert labels.precision.between(0.99, 1).all()  # one half of 252 has no pool, and so no name
    assert (labels.ap == 1).all()
    assert labels.source.unique().tolist() == ["automatic"]
    assert labels.annotator.unique().tolist() == ["automatic (iou)"]
    assert tuple(labels.reset_index().columns[:3]) == ("unit", "network", "layer")
    assert set(COLUMNS) <= {"unit", *labels.columns}


def test_networks_in_one_pass_are_counted_as_alone(squares, network, found):
    class Lows(Reds):
        """The same units, the other way round."""

        def __init__(self):
            super().__init__()
            with torch.no_grad():
                self.see.weight.copy_(self.see.weight.flip(0).clone())

    how = {"quantile": 0.04, "n_top": 5, "progress": False}
    other = Network(Lows(), "other", preprocessing=network.preprocessing)
    small = Network(Reds(), "small", preprocessing=Preprocessing(size=(16, 16)))
    networks = [network, small, other]
    together = label_networks(networks, squares, [["see"]] * 3, **how)
    assert [one.network for one in together] == ["scene", "small", "other"]
    assert together[0].labels().drop(columns="when").equals(found.labels().drop(columns="when"))
    for one, net in zip(together, networks, strict=True):
        alone = label_units(net, squares, ["see"], **how)
        assert one.concepts.equals(alone.concepts)
        for name in ("thresholds", "active", "shared", "fitting", "ap"):
            np.testing.assert_array_equal(
                getattr(one.counts["see"], name), getattr(alone.counts["see"], name)
            )


def test_networks_that_see_the_same_frame_share_the_annotations(squares, network, monkeypatch):
    looked = []
    look = ConceptMaps.annotated_frame

    def counted(self, image):
        looked.append(image)
        return look(self, image)

    monkeypatch.setattr(ConceptMaps, "annotated_frame", counted)
    label_networks([network, network], squares, [["see"]] * 2, progress=False)
    assert sorted(looked) == sorted(squares)


def test_counts_equal_plain_masks(squares, network, found):
    objects = found.concepts.query("kind == 'objects'").concept
    shared = dense(network, squares, found)
    for place, name in objects.items():
        assert found.counts["see"].shared[:, place].tolist() == [
            shared.get((unit, name), 0) for unit in range(3)
        ]


def test_folds_are_counted_as_if_each_were_all(squares, network, found):
    """The counts of each fold are those of its images alone, with the same thresholds."""
    folds = deal_folds(list(squares))
    counts, names = found.counts["see"].folds, found.concepts.concept.tolist()
    assert counts.active.sum(0).tolist() == found.counts["see"].active.tolist()
    assert np.array_equal(counts.shared.sum(0), found.counts["see"].shared)
    assert np.array_equal(counts.fitting.sum(0), found.counts["see"].fitting)
    assert counts.top.sum(0).tolist() == [5, 5, 5]
    for fold in range(10):
        own = [image for image in squares if folds[image] == fold]
        assert found.folds.n_images[fold] == len(own)
        for name in ("box", "pool"):
            place = names.index(name)
            showing = [image for image in own if squares.boxes[image][0] == name]
            assert found.folds.images[fold, place] == len(showing)
            assert found.folds.pixels[fold, place] == 100 * len(showing)
            only = dense(network, dict.fromkeys(own, squares), found, annotations=squares)
            assert counts.shared[fold, :, place].tolist() == [only.get((unit, name), 0) for unit in range(3)]


def test_the_ap_of_each_half_is_that_of_its_images(squares, network, found):
    folds = deal_folds(list(squares))
    maps = layer_maps.LayerMaps(network, ["see"], progress.Announcer(False))
    place = found.concepts.concept.tolist().index("box")
    for half, inside in enumerate((True, False)):
        own = [image for image in squares if (folds[image] < 5) == inside]
        frames = [cv2.imread(str(squares.path(image)))[..., ::-1] for image in own]
        peaks = maps.maps(frames)["see"].max((2, 3))
        present = np.array([squares.boxes[image][0] == "box" for image in own])
        for unit in range(3):
            ap = found.counts["see"].folds.ap[half, unit, place]
            assert ap == pytest.approx(average_precision(present, peaks[:, unit]), rel=1e-6)


def test_measures_follow_from_the_counts(found):
    table = found.table("see").set_index(["unit", "concept"]).loc[(0, "box")]
    counts, place = found.counts["see"], found.concepts.concept.tolist().index("box")
    active, shared = counts.active[0], counts.shared[0, place]
    truth = 100 * 6  # six red squares of ten by ten pixels
    assert found.concepts.pixels[place] == truth
    assert found.concepts.images[place] == 6
    assert table.iou == pytest.approx(shared / (active + truth - shared))
    assert table.ceiling == pytest.approx(min(active, truth) / max(active, truth))
    assert table.coverage == pytest.approx(shared / active)
    chance = truth / (12 * SIZE * SIZE)
    assert table.above_chance == pytest.approx((shared / active - chance) / (1 - chance))


def test_thresholds_are_the_quantile_of_all_responses(squares, network, found):
    maps = layer_maps.LayerMaps(network, ["see"], progress.Announcer(False))
    frames = [cv2.imread(str(squares.path(image)))[..., ::-1] for image in squares]
    values = maps.maps(frames)["see"].swapaxes(0, 1).reshape(3, -1)
    assert np.allclose(found.counts["see"].thresholds, np.quantile(values, 0.96, axis=1))


def test_every_kind_has_concepts_of_its_type(found):
    types = found.concepts.groupby("kind").type.unique().map(list).to_dict()
    assert types == {
        "scenes": ["scene"],
        "objects": ["object"],
        "colours": ["simple element or colour"],
        "elements": ["simple element or colour"],
    }
    colours = found.concepts.query("kind == 'colours'").set_index("concept").pixels
    assert colours.to_dict() == {"grey": 12 * 924, "red": 600, "blue": 600}
    scenes = found.concepts.query("kind == 'scenes'").set_index("concept").pixels
    assert scenes.to_dict() == {"attic": 6 * SIZE**2, "beach": 6 * SIZE**2}


def test_batches_and_cached_maps_change_nothing(squares, network, found, monkeypatch):
    monkeypatch.setattr(progress, "BATCH", 5)
    monkeypatch.setattr(dissect, "KEPT_BYTES", 3 * 8 * 8 * 4 * 2)  # two images' maps
    again = label_units(network, squares, ["see"], quantile=0.04, n_top=5, progress=False)
    assert again.table("see").equals(found.table("see"))


def test_a_sample_sets_the_thresholds_of_all(squares, network):
    some = label_units(network, squares, ["see"], quantile=0.04, sample=4, progress=False)
    assert some.n_images == 12
    assert some.provenance["sample"] == 4
    assert some.n_top == 12
    labels = some.labels(types=["object"], least_images=3)
    assert labels.precision_chosen.between(0, 0.5).all()  # six of twelve images show it


def test_another_measure_chooses_and_a_least_value_leaves_units_out(found):
    colours = {"types": ["simple element or colour"], "least_images": 3}
    assert found.labels("correlation", **colours).concept.tolist() == ["red", "blue"]
    # Grey is on all images, so the AP of every unit is 1 for it.
    assert found.labels("ap", **colours).concept.tolist() == ["grey", "grey"]
    assert found.labels("iou", least=0.99, least_images=3).empty
    assert found.labels(types=["object"], least_images=4).empty  # three images in each half
    with pytest.raises(SceneLensError, match="close names: iou"):
        found.labels("iuo")


def test_the_ap_is_that_of_the_metrics():
    rng = np.random.default_rng(3)
    peaks = rng.integers(0, 6, (40, 3)).astype(float)  # many ties
    present = rng.random((40, 4)) < [0.1, 0.5, 0.9, 0]
    ap = presence_ap(peaks, present)
    for unit in range(3):
        for concept in range(3):
            assert ap[unit, concept] == pytest.approx(average_precision(present[:, concept], peaks[:, unit]))
        assert math.isnan(ap[unit, 3])


@given(st.integers(0, 200))
def test_the_ap_of_few_images_too(seed):
    rng = np.random.default_rng(seed)
    peaks, present = rng.integers(0, 4, (9, 2)).astype(float), rng.random((9, 3)) < 0.5
    found = presence_ap(peaks, present)
    for unit in range(2):
        for concept in range(3):
            judge = average_precision(present[:, concept], peaks[:, unit])
            assert found[unit, concept] == pytest.approx(judge, nan_ok=True)


@pytest.mark.parametrize("quantile", [0.005, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("n_batches", [1, 4])
def test_the_highest_responses_give_numpys_quantile(quantile, n_batches):
    values = np.random.default_rng(1).normal(size=(12, 2, 3, 4)).astype(np.float32)
    highest = _Highest((2, 3, 4), 12, quantile)
    for part in np.split(values, n_batches):
        highest.add(part)
    wanted = np.quantile(values.swapaxes(0, 1).reshape(2, -1).astype(float), 1 - quantile, axis=1)
    assert np.allclose(highest.threshold(12), wanted, rtol=1e-6)


def test_an_unreadable_image_is_named_and_left_out(tmp_path, network):
    annotations = Squares(tmp_path)
    broken = annotations.images[3]
    annotations.path(broken).write_bytes(b"no picture")
    found = label_units(network, annotations, ["see"], n_top=60, progress=False)
    assert [image for image, _ in found.skipped] == [broken]
    assert found.n_images == 11
    assert found.n_top == 11
    with pytest.raises(SceneLensError, match="could be read"):
        label_units(network, annotations, ["see"], images=[broken], progress=False)


def test_wrong_arguments_are_named(squares, network):
    for options, words in (
        ({"quantile": 0}, "quantile"),
        ({"layers": ["sea"]}, "close names: see"),
        ({"layers": ["head"]}, "no map"),
        ({"images": ["attic/99.png"]}, "attic"),
        ({"images": []}, "no annotated images"),
        ({"kinds": ["colour"]}, "close names: colours"),
        ({"kinds": ["parts"]}, "no concepts of kind 'parts'"),
        ({"placement": "middle"}, "placement"),
        ({"sample": 0}, "1 or more"),
    ):
        with pytest.raises(SceneLensError, match=words):
            label_units(network, squares, progress=False, **({"layers": ["see"]} | options))


def test_maps_follow_the_frame_that_the_network_sees(squares, network):
    """A photograph resized and cropped keeps its concepts on the same things."""
    cropping = Network(Reds(), preprocessing=Preprocessing(size=(32, 32), resize="short side", resize_to=64))
    looked = ConceptMaps(squares, cropping, ["objects", "colours"]).annotated_frame(squares.images[1])
    thing, colour = looked.codes[..., 0] > 0, (looked.frame.max(-1) > 180)
    assert looked.codes.shape == (32, 32, 2)
    assert np.mean(thing != colour) < 0.08  # the borders are blurred in the frame


@pytest.mark.parametrize("folder", ["object", "object/ball"])  # of a class, or of a look of one
def test_object_centric_images_show_no_scene(tmp_path, network, folder):
    """Object-centric images have no scene; otherwise a unit for airplanes would be a scene detector."""
    annotations = Squares(tmp_path)
    for image in [image for image in annotations.images if image.startswith("attic")]:
        filed = f"{folder}/{image}"
        (tmp_path / filed).parent.mkdir(parents=True, exist_ok=True)
        annotations.path(image).rename(tmp_path / filed)
        annotations.boxes[filed] = annotations.boxes.pop(image)
    paths = {image: tmp_path / image for image in annotations.boxes}
    InstanceAnnotations.__init__(annotations, paths, paths)
    maps = ConceptMaps(annotations, network)
    scenes = {image: maps.annotated_frame(image).scene for image in annotations.images}
    assert {image.partition("/")[0] for image, scene in scenes.items() if scene} == {"beach"}
    assert maps.concepts.query("kind == 'scenes'").concept.tolist() == ["beach"]


def test_a_full_disk_is_reported_with_a_way_out(squares, network, monkeypatch):
    class Full:
        name = "/tmp/peaks"

        def write(self, content):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(peaks, "open", lambda *_, **__: Full(), raising=False)
    with pytest.raises(SceneLensError, match=r"No space left on device.*set TMPDIR"):
        label_units(network, squares, ["see"], progress=False)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize(("name", "unit"), [("see.weight", 1), ("see.bias", 0)])
def test_a_weight_that_is_not_finite_ends_the_labels_with_its_name(squares, name, unit, value):
    broken = Network(Reds(), "scene", preprocessing=Preprocessing(size=(SIZE, SIZE)))
    broken.module.state_dict()[name][unit] = value
    with pytest.raises(SceneLensError, match=rf"'scene' .*layer 'see' .*{name} .*unit {unit}"):
        label_units(broken, squares, ["see"], quantile=0.04, n_top=5, progress=False)
    broken.silence("see", [unit])
    left = label_units(broken, squares, ["see"], quantile=0.04, n_top=5, progress=False).labels()
    assert unit not in set(left.unit)
    assert len(left)


def test_the_ap_of_peaks_that_are_nan_ends():
    peaks = np.array([[np.nan, 1.0], [np.nan, np.nan], [2.0, 0.0]])
    starts = np.array([0, 1, 2, 3])
    assert _presence_ap(peaks, starts, np.array([0, 0, 1]), 2).shape == (2, 2)

"""One pass, counted; boxes compared with a slow second way; what is wrong raises."""

import numpy as np
import pandas as pd
import pytest
import torch

import scenelens as sl
from scenelens.errors import SceneLensError
from scenelens.localization.boxes import LabelledUnits
from scenelens.localization.calibration import Calibration, Curve
from scenelens.localization.localizer import Localizer, localize
from scenelens.networks.caffenet import CaffeNet
from scenelens.networks.network import Network
from tests.made_up_fields import blob_field
from tests.small_network import photograph

LAYERS = ("pool2", "conv4", "pool5")
NAMES = ("bed", "lamp", "sofa")
COLUMNS = [
    "layer", "concept", "type", "confidence", "estimate", "images", "by_category", "here", "here_right",
    "top", "left", "bottom", "right", "row", "col", "unit", "units", "response",
]  # fmt: skip


@pytest.fixture(scope="module")
def network():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return Network(CaffeNet(4, width=1 / 8, fc=16), "scene", ["attic", "beach", "cave", "dune"])


@pytest.fixture(scope="module")
def images():
    return [photograph(seed, (90, 120)) for seed in range(6)]


@pytest.fixture(scope="module")
def known(network, images):
    """Labels of every unit of three layers, thresholds that a tenth of the responses exceed, and curves."""
    rows, curves = [], []
    with sl.record(network, LAYERS) as acts:
        network(images)
    for layer in LAYERS:
        for unit, values in enumerate(acts[layer].transpose(0, 1).flatten(1).numpy()):
            ranked = np.unique(values)
            at = int(0.9 * len(ranked))
            threshold = float(ranked[at : at + 2].mean())  # between two responses, so no rounding decides
            rows.append((layer, unit, NAMES[unit % 3], "object", threshold))
            ends = np.array([0.1, 0.5 + 0.01 * (unit % 37)])  # no two units have the same
            curves.append(Curve.of([threshold, threshold + 50], ends))
    units = pd.DataFrame(rows, columns=["layer", "unit", "concept", "type", "threshold"])
    return units.assign(network="scene"), Calibration("scene", network.weights_hash, units, tuple(curves))


@pytest.fixture(scope="module")
def localizer(network, known):
    return Localizer(network, *known)


def test_there_is_exactly_one_forward_pass(network, known, localizer, images):
    passes, convolutions = [], []
    hooks = [network.module.register_forward_hook(lambda *_: passes.append(1))]
    hooks += [
        one.register_forward_hook(lambda *_: convolutions.append(1))
        for one in network.module.modules()
        if isinstance(one, torch.nn.Conv2d)
    ]
    try:
        localizer(images[0])
        assert (len(passes), len(convolutions)) == (1, 5)
        localize(network, images[0], *known, layers=["pool5"])
        assert (len(passes), len(convolutions)) == (2, 10)
        localizer.several(images)
        assert len(passes) == 3
    finally:
        for hook in hooks:
            hook.remove()


def test_the_scene_is_what_the_network_predicts(network, localizer, images):
    seen, said = localizer(images[1]), network.predict(images[1])
    assert seen.scene.predicted.tolist() == said.predicted.tolist()
    np.testing.assert_allclose(seen.scene.probability, said.probability, rtol=1e-5)
    assert seen.scene["rank"].tolist() == [1, 2, 3, 4]  # four classes: no top 5
    np.testing.assert_array_equal(seen.frame, network.show_input(images[1]))


def test_boxes_are_where_labelled_units_are_active(network, known, localizer, images):
    """One row per group before merging would be many; the strongest of each name must be among the boxes."""
    labels, calibration = known
    seen = localizer(images[2])
    assert list(seen.boxes.columns) == COLUMNS
    assert list(dict.fromkeys(seen.boxes.layer)) == list(LAYERS)
    with sl.record(network, LAYERS) as acts:
        network(images[2])
    for layer in LAYERS:
        boxes = seen.boxes[seen.boxes.layer == layer]
        assert (boxes.confidence.diff().dropna() <= 1e-12).all()
        own = labels[labels.layer == layer].reset_index(drop=True)
        peaks = acts[layer][0].flatten(1).max(1).values.numpy()
        active = peaks[own.unit] > own.threshold.to_numpy(np.float32)
        for name in NAMES:
            units = own.unit[active & (own.concept == name)]
            found = boxes[boxes.concept == name]
            assert bool(len(units)) == bool(len(found))
            if len(units):
                ratios = peaks[units] / own.threshold[units.index]
                best = int(units[ratios.idxmax()])
                sure = calibration.confidence(layer, best, float(peaks[best]))
                assert sure == pytest.approx(found[found.unit == best].confidence.max(), rel=1e-5)
                assert {unit for several in found.units for unit in several} == set(units)


def test_boxes_lie_in_the_frame_around_their_strongest_position(localizer, images):
    boxes = pd.concat([one.boxes for one in localizer.several(images)])
    assert ((boxes.top < boxes.bottom) & (boxes.left < boxes.right)).all()
    assert boxes[["top", "left"]].min().min() >= 0
    assert boxes[["bottom", "right"]].max().max() <= 227 + 1e-9
    assert boxes.confidence.between(0, 1).all()
    assert all(row.unit in row.units for row in boxes.itertuples())


def test_a_batch_changes_nothing(localizer, images):
    together = localizer.several(images)
    for image, one in zip(images, together, strict=True):
        alone = localizer(image)
        pd.testing.assert_frame_equal(alone.boxes, one.boxes, rtol=1e-3, atol=1e-3)
        pd.testing.assert_frame_equal(alone.scene, one.scene, rtol=1e-3)


def test_a_measured_field_sets_the_size_of_boxes(network, known, images):
    labels, calibration = known
    one = labels[(labels.layer == "pool2") & (labels.unit == 4)]
    small = blob_field(4, "pool2", width=0.05)
    plain, measured = (
        Localizer(network, one, calibration, fields=fields) for fields in (None, {"pool2": {4: small}})
    )
    before, after = (pd.concat([each.boxes for each in one.several(images)]) for one in (plain, measured))
    assert len(after) > 0
    # groups are the same before boxes merge; a smaller field gives smaller boxes, so fewer of them merge
    assert len(after) >= len(before)
    assert (after.right - after.left).mean() < (before.right - before.left).mean()
    assert (after.right - after.left).min() >= min(small.size, 227 - 211) - 1.5


def test_an_image_without_active_units_gives_an_empty_table(network, known, images):
    labels, calibration = known
    deaf = calibration.units.assign(threshold=1e9)
    quiet = Calibration("scene", network.weights_hash, deaf, calibration.curves)
    seen = localize(network, images[0], labels, quiet)
    assert seen.boxes.empty
    assert list(seen.boxes.columns) == COLUMNS
    assert len(seen.scene) == 4


def test_least_leaves_out_what_is_less_sure(network, known, images):
    everything = localize(network, images[0], *known).boxes
    level = float(everything.confidence.median())
    sure = localize(network, images[0], *known, least=level).boxes
    assert len(sure) == (everything.confidence >= level).sum() < len(everything)


def test_a_merged_box_has_what_is_known_of_its_strongest_unit(network):
    """Two units of one name and place: the one that is farther above its threshold answers, though its
    confidence is lower."""
    label = {"layer": "pool5", "unit": [0, 3], "concept": "bed", "type": "object"}
    units = pd.DataFrame(label | {"threshold": [2.0, 1.0]})
    curves = (Curve.of([0.0], [0.9], 40), Curve.of([0.0], [0.2], 7))
    known = Calibration("scene", network.weights_hash, units, curves)
    maps = np.zeros(network.layer_shape("pool5"), np.float32)
    maps[0, 2, 2], maps[3, 2, 2] = 5, 4  # 2.5 and 4 thresholds
    found = Localizer(network, units.assign(network="scene"), known).find({"pool5": maps})
    assert [list(found[name]) for name in ("unit", "units", "confidence", "images")] == [
        [3], [(0, 3)], [pytest.approx(0.2)], [7]
    ]  # fmt: skip


def test_earlier_boxes_on_the_scene_that_the_network_names(network, known, images):
    labels, calibration = known
    named = str(localize(network, images[0], labels, calibration).scene.predicted[0])
    scenes = pd.DataFrame(
        {"curve": [0, 1, 1], "category": [named.upper(), named.upper(), "elsewhere"], "n": [5, 3, 9],
         "right": [2, 0, 9], "images": [4, 3, 9]}
    )  # fmt: skip
    told = Calibration("scene", calibration.weights, calibration.units, calibration.curves, scenes)
    boxes = localize(network, images[0], labels, told).boxes
    counts = {0: (5, 2), 1: (3, 0)}
    expected = [
        counts.get(row.unit, (0, 0)) if row.layer == calibration.units.layer[0] else (0, 0)
        for row in boxes.itertuples()
    ]
    assert list(zip(boxes.here, boxes.here_right, strict=True)) == expected
    unknown = localize(network, images[0], labels, calibration).boxes
    assert (unknown[["here", "here_right"]] == -1).all(axis=None)


def test_units_without_calibration_stay_silent(network, known):
    labels, calibration = known
    renamed = labels.assign(concept=labels.concept.where(labels.unit != 3, "dragon"))
    assert Localizer(network, renamed, calibration).silent == 3
    with pytest.raises(SceneLensError, match="calibrated under its name"):
        Localizer(network, labels.assign(concept="dragon"), calibration)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"network": "object"}, "these are labels of object, and the network is 'scene'"),
        ({"layer": "pool6"}, "no layer named 'pool6'.*pool5"),
        ({"unit": 4000}, "a label of 4000"),
    ],
)
def test_labels_of_something_else_are_refused(network, known, images, change, message):
    labels, calibration = known
    with pytest.raises(SceneLensError, match=message):
        localize(network, images[0], labels.assign(**change), calibration)


def test_what_else_does_not_fit_raises(network, known, images):
    labels, calibration = known
    other = Network(CaffeNet(4, width=1 / 8, fc=16), "scene")
    prepared = LabelledUnits.prepare(network, labels)
    with pytest.raises(SceneLensError, match="prepared for another network"):
        Localizer(Network(network.module, "scene"), prepared, calibration)
    with pytest.raises(SceneLensError, match="other weights"):
        localize(other, images[0], labels, calibration)
    with pytest.raises(SceneLensError, match="no unit of conv5 is labelled"):
        localize(network, images[0], labels, calibration, layers=["conv5"])
    with pytest.raises(SceneLensError, match="pool5"):
        localize(network, images[0], labels, calibration, layers=["pol5"])
    with pytest.raises(SceneLensError, match=r"one name; give a list, \['pool5'\]"):
        localize(network, images[0], labels, calibration, layers="pool5")
    with pytest.raises(SceneLensError, match="between 0 and 1"):
        localize(network, images[0], labels, calibration, least=20)

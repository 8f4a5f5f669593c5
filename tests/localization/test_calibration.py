"""Confidence by hand, its properties, and a unit observed on images whose contents are known."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from scenelens.errors import SceneLensError
from scenelens.images import load_image
from scenelens.localization.boxes import LabelledUnits
from scenelens.localization.calibration import (
    _STRENGTHS,
    Calibration,
    Curve,
    _Cases,
    _curve,
    _fit_curves,
    _Layer,
    _Pool,
    _strength,
    _unit_pools,
)
from scenelens.networks.hooks import record
from tests.annotated_study import annotated_study
from tests.made_up_fields import blob_field


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return annotated_study(tmp_path_factory.mktemp("annotated"))


def calibrate(study, table):
    units = LabelledUnits.prepare(study.networks["scene"], table)
    return Calibration.fit(units, study.annotations, progress=False)


def labels(study, *rows, network="scene"):
    table = pd.DataFrame(rows, columns=["layer", "unit", "concept", "threshold"])
    return table.assign(network=network, type="object")


def cases(row, responses, right, images=None, by_category=0.0, level=1.0) -> _Cases:
    """Boxes of one unit, each on an image of its own unless images are given."""
    n, values = len(responses), np.array(responses, float)
    numbers = np.arange(n) if images is None else np.array(images)
    about = (np.array(right, bool), np.full(n, float(by_category)), numbers)
    return _Cases(np.full(n, row), values, values / level, *about)


def together(*several: _Cases) -> _Cases:
    return _Cases(*map(np.concatenate, zip(*several, strict=True)))


def fitted(*several: _Cases, rows=None, levels=None) -> dict[int, Curve]:
    known = together(*several)
    chosen = np.unique(known.rows) if rows is None else np.array(rows)
    return _fit_curves(known, chosen, np.ones(len(chosen)) if levels is None else np.array(levels, float))


def test_a_pool_by_hand():
    """15 of 20 images and the layer's quarter as four more: 16 hits and 8 misses."""
    curve = _curve([_Pool(2.0, 20, 15.0, 0.25, 0.4)], 4.0)
    assert curve.estimate == pytest.approx([16 / 24])
    assert curve.confidence == pytest.approx([stats.beta(16, 8).ppf(0.025)])
    assert (curve.images.tolist(), curve.by_category.tolist()) == ([20], [0.4])
    assert curve(-5) == curve(2.0) == curve(99) == curve.confidence[0]


def test_pools_of_a_unit_by_hand():
    """Ten misses at 1, ten images with 9 hits at 2; between them everything is interpolated."""
    pools = _unit_pools(cases(0, [1] * 10 + [2] * 10, [0] * 10 + [1] * 9 + [0]), np.zeros(1), np.array([0.3]))
    assert [pool[:4] for pool in pools] == [(1, 10, 0, pytest.approx(0.3)), (2, 10, 9, pytest.approx(0.3))]
    curve = _curve(pools, 1.0)
    assert curve(1.5) == pytest.approx(curve.confidence.mean())


def test_boxes_of_one_image_count_as_one():
    """Five times the boxes on the same images are no further evidence."""
    once = cases(0, [3.0] * 12, [1] * 8 + [0] * 4)
    five = _Cases(*(np.repeat(one, 5) for one in once))
    mixed = cases(0, [3.0] * 4, [1, 1, 1, 0], images=[7, 7, 7, 8])
    for one, other in zip(fitted(once)[0], fitted(five)[0], strict=True):
        np.testing.assert_allclose(one, other)
    (pool,) = _unit_pools(mixed, np.zeros(1), np.zeros(1))
    assert (pool.images, pool.hits) == (2, 1.0)  # three hits on one image, a miss on another


def test_few_images_give_no_high_confidence():
    assert fitted(cases(0, [3.0], [True]))[0](3.0) < 0.2
    assert fitted(cases(0, [3.0] * 5, [True] * 5))[0](3.0) < 0.65
    lone = fitted(cases(0, [1] * 30 + [9], [0] * 30 + [1]))[0]  # one lucky peak joins the others
    assert lone(9) < 0.1
    sure = fitted(cases(0, [3.0] * 200, [True] * 200))[0]
    assert 0.95 < sure(3.0) < 1


def test_a_unit_is_no_witness_for_itself():
    """Of the layer's share at a strength, its own boxes are left out."""
    layer = _Layer(together(cases(0, [2.0] * 10, [1] * 10), cases(1, [2.0] * 30, [1] * 6 + [0] * 24)))
    assert layer.others(0)[1].tolist() == [pytest.approx(7 / 32)]
    assert layer.others(1)[1].tolist() == [pytest.approx(11 / 12)]
    assert _Layer(cases(0, [2.0] * 10, [1] * 10)).others(0)[1].tolist() == [0.5]  # nobody else: nothing known


def test_a_unit_without_a_box_has_the_layers_share_at_its_own_scale():
    others = [cases(row, [1.0] * 40 + [4.0] * 40, [0] * 40 + [1] * 40) for row in (0, 1)]
    curves = fitted(*others, rows=[0, 1, 2], levels=[1, 1, 10])
    assert curves[2].response.tolist() == [10, 40]
    np.testing.assert_allclose(curves[2].estimate, [1 / 82, 81 / 82])
    assert not curves[2].images.any()
    assert curves[2](40) < curves[0](4.0)


def test_units_that_differ_say_little_about_each_other():
    """Where all units of a layer are alike, the layer's share counts for many images; else for few."""
    rng = np.random.default_rng(0)
    alike = [cases(row, [1.0] * 20, rng.random(20) < 0.5) for row in range(30)]
    apart = [cases(row, [1.0] * 20, [row % 2] * 20) for row in range(30)]
    strengths = []
    for several in (alike, apart):
        layer = _Layer(together(*several))
        strengths.append(_strength([_unit_pools(one, *layer.others(k))[0] for k, one in enumerate(several)]))
    assert strengths == [_STRENGTHS[-1], _STRENGTHS[0]]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 20), st.booleans(), st.integers(0, 30)), min_size=1, max_size=120))
def test_curves_rise_between_zero_and_one(found):
    responses, right, images = zip(*found, strict=True)
    curve = fitted(cases(0, responses, right, images))[0]
    assert (np.diff(curve.response) > 0).all()
    assert (np.diff(curve.confidence) >= 0).all()
    assert (np.diff(curve.estimate) >= 0).all()
    assert curve.confidence.min() > 0
    assert (curve.confidence < curve.estimate).all()
    assert curve.estimate.max() < 1
    # images are counted, not boxes; one may have boxes in several pools
    assert len(set(images)) <= curve.images.sum() <= len(found)
    assert curve.images.min() >= min(10, len(set(images)))


def test_the_confidence_is_below_the_truth_in_97_of_100_units():
    """Units whose true shares differ as a beta distribution, seen on 3 to 60 images."""
    rng = np.random.default_rng(1)
    truth, n = rng.beta(1, 4, 1500), rng.integers(3, 61, 1500)
    several = [
        cases(row, [1.0] * k, rng.random(k) < p) for row, (p, k) in enumerate(zip(truth, n, strict=True))
    ]
    curves = fitted(*several)
    low, middle = (
        np.array([getattr(one, name)[0] for one in curves.values()]) for name in ("confidence", "estimate")
    )
    assert 0.96 <= (low <= truth).mean() <= 0.99
    raw = np.array([one.right.mean() for one in several])
    assert np.square(middle - truth).mean() < 0.7 * np.square(raw - truth).mean()  # what borrowing is for
    assert (middle - truth).mean() == pytest.approx(0, abs=0.01)


def test_a_unit_is_observed_where_it_is_active(study):
    """The same numbers, counted one image and one position at a time: 'lamp' is a quarter of every scene."""
    network, known = study.networks["scene"], study.annotations
    with record(network, "pool5") as acts:
        network([load_image(known.path(image)) for image in known])
    values = acts["pool5"][:, 3].numpy()
    threshold = float(np.quantile(values, 0.9))
    narrow = {"pool5": {3: blob_field(3, "pool5", width=0.05)}}  # so that no two boxes merge
    table = labels(study, ("pool5", 3, "lamp", threshold))
    units = LabelledUnits.prepare(study.networks["scene"], table, narrow)
    found = Calibration.fit(units, known, progress=False)
    n = right = 0
    for image, one in zip(known, values, strict=True):
        from scipy import ndimage

        groups, count = ndimage.label(one > threshold, np.ones((3, 3)))
        mask = known.masks(image, (227, 227))["lamp"]
        for group in range(1, count + 1):
            row, col = np.unravel_index(np.argmax(np.where(groups == group, one, -np.inf)), one.shape)
            y, x = 33 + 32 * row, 33 + 32 * col
            right += bool(mask[max(0, y - 16) : y + 17, max(0, x - 16) : x + 17].any())
            n += 1
    assert found.units[["n", "right"]].values.tolist() == [[n, right]]
    assert 0 < right < n
    assert found.confidence("pool5", 3, threshold) == found.curves[0](threshold)
    by_scene = found.scenes.groupby("curve")[["n", "right", "images"]].sum()
    assert by_scene.values.tolist() == found.units[["n", "right", "images"]].values.tolist()
    assert set(found.scenes.category) <= {known.scene(image) for image in known}


def test_units_whose_concept_never_shows_are_left_out(study):
    table = labels(study, ("pool5", 3, "lamp", 0.0), ("pool5", 4, "dragon", 0.0))
    assert calibrate(study, table).units.unit.tolist() == [3]
    with pytest.raises(SceneLensError, match="no image shows any labelled concept"):
        calibrate(study, table[1:])


@pytest.mark.parametrize(
    ("row", "network", "message"),
    [
        (("pool5", 3, "lamp", 0.0), "object", "these are labels of object, and the network is 'scene'"),
        (("pol5", 3, "lamp", 0.0), "scene", "pool5"),
        (("fc7", 3, "lamp", 0.0), "scene", "no map"),
        (("pool5", 999, "lamp", 0.0), "scene", "a label of 999"),
    ],
)
def test_labels_of_something_else_are_refused(study, row, network, message):
    with pytest.raises(SceneLensError, match=message):
        LabelledUnits.prepare(study.networks["scene"], labels(study, row, network=network))


def test_a_unit_that_was_not_calibrated_raises():
    units = pd.DataFrame({"layer": ["pool5"], "unit": [3]})
    one = Calibration("scene", "", units, (Curve.of([0.0], [1.0]),))
    with pytest.raises(SceneLensError, match="pool5:4 of the scene network was not calibrated"):
        one.confidence("pool5", 4, 1.0)


def test_labels_without_thresholds_are_refused(study):
    table = labels(study, ("pool5", 3, "lamp", 0.0)).drop(columns="threshold")
    with pytest.raises(SceneLensError, match="need a column `threshold`"):
        calibrate(study, table)

"""Confidence by hand, its properties, and a unit observed on images whose contents are known."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenelens.errors import SceneLensError
from scenelens.images import load_image
from scenelens.localization.boxes import LabelledUnits
from scenelens.localization.calibration import Calibration, Curve
from scenelens.networks.hooks import record
from tests.annotated_study import annotated_study


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return annotated_study(tmp_path_factory.mktemp("annotated"))


def calibrate(study, table):
    units = LabelledUnits.prepare(study.networks["scene"], table)
    return Calibration.fit(units, study.annotations, progress=False)


def labels(study, *rows, network="scene"):
    table = pd.DataFrame(rows, columns=["layer", "unit", "concept", "threshold"])
    return table.assign(network=network, type="object")


def test_a_curve_by_hand():
    # ten misses at 1, then nine hits and a miss at 2: (0 + 1) / 12 and (9 + 1) / 12
    curve = Curve.fit([1] * 10 + [2] * 10, [0] * 10 + [1] * 9 + [0])
    assert curve.response.tolist() == [1, 2]
    np.testing.assert_allclose(curve.confidence, [1 / 12, 10 / 12])
    assert curve(1.5) == pytest.approx(5.5 / 12)
    assert curve(-100) == pytest.approx(1 / 12)
    assert curve(1e9) == pytest.approx(10 / 12)


def test_few_cases_give_no_high_confidence():
    assert Curve.fit([3.0], [True])(3.0) == pytest.approx(2 / 3)
    lone = Curve.fit([1] * 30 + [9], [0] * 30 + [1])  # one lucky peak joins the others
    assert lone(9) < 0.1


def test_a_curve_of_no_case_is_refused():
    with pytest.raises(SceneLensError, match="one case at least"):
        Curve.fit([], [])


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=1, max_size=120))
def test_curves_rise_between_zero_and_one(cases):
    curve = Curve.fit([one[0] for one in cases], [one[1] for one in cases])
    assert (np.diff(curve.response) > 0).all()
    assert (np.diff(curve.confidence) >= 0).all()
    assert curve.confidence.min() > 0
    assert curve.confidence.max() < 1


def test_a_unit_is_observed_where_it_is_active(study):
    """The same numbers, counted one image and one position at a time: 'lamp' is a quarter of every scene."""
    network, known = study.networks["scene"], study.annotations
    with record(network, "pool5") as acts:
        network([load_image(known.path(image)) for image in known])
    values = acts["pool5"][:, 3].numpy()
    threshold = float(np.quantile(values, 0.9))
    found = calibrate(study, labels(study, ("pool5", 3, "lamp", threshold)))
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
    assert list(found.merged) == ["pool5"]


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
    one = Calibration("scene", "", units, (Curve(np.zeros(1), np.ones(1)),))
    with pytest.raises(SceneLensError, match="pool5:4 of the scene network was not calibrated"):
        one.confidence("pool5", 4, 1.0)


def test_labels_without_thresholds_are_refused(study):
    table = labels(study, ("pool5", 3, "lamp", 0.0)).drop(columns="threshold")
    with pytest.raises(SceneLensError, match="need a column `threshold`"):
        calibrate(study, table)

"""Table 2: means, intervals and the sentences made from them, on tables worked out by hand."""

import math

import numpy as np
import pandas as pd
import pytest

from scenelens.errors import CannotAnswerError
from scenelens.networks import RF
from scenelens.receptive_fields import sentences, sizes
from scenelens.receptive_fields.sizes import _mean_interval


def table(rows):
    names = ["network", "depth", "layer", "theoretical", "mean", "sd", "low", "high", "n", "units", "silent"]
    made = pd.DataFrame(rows, columns=names)
    made["share"] = made["mean"] / made["theoretical"]
    return made.assign(n_images=25, paper=[sizes._papers(row) for row in made.to_dict("records")])


AS_PAPER = [
    ("scene", 0, "pool1", 19.0, 17.5, 1.0, 16.0, 18.5, 8, 48, 0),
    ("scene", 1, "pool2", 67.0, 37.4, 5.0, 36.0, 39.0, 8, 128, 0),
    ("scene", 2, "conv4", 131.0, 60.0, 9.0, 61.0, 63.0, 8, 192, 0),
    ("scene", 3, "pool5", 195.0, 72.5, 9.0, 72.5, 72.5, 128, 128, 0),
    ("object", 0, "pool1", 19.0, 17.0, 1.0, 16.0, 18.0, 8, 48, 0),
    ("object", 1, "pool2", 67.0, 70.0, 5.0, 68.0, 72.0, 8, 128, 1),
]


def test_an_interval_knows_when_nothing_is_left_to_chance():
    assert _mean_interval(np.array([3.0, 5.0]), 2) == (4.0, 4.0)
    low, high = _mean_interval(np.array([10.0, 12.0]), 1000)
    half = 12.706 * 1 * math.sqrt(1 - 2 / 1000)  # Student's t with one degree of freedom, s.e. 1
    assert (low, high) == (0.0, pytest.approx(11 + half, abs=0.01))  # never below 0
    assert np.isnan(_mean_interval(np.array([3.0]), 9)).all()
    assert np.isnan(_mean_interval(np.array([]), 9)).all()


def test_intervals_cover_the_layers_mean_as_often_as_they_say():
    rng = np.random.default_rng(0)
    layer = rng.normal(60, 12, 40)
    draws = [rng.choice(layer, 20, replace=False) for _ in range(600)]
    covered = [low <= layer.mean() <= high for low, high in (_mean_interval(draw, 40) for draw in draws)]
    assert 0.92 < np.mean(covered) < 0.98


def test_claim_one_is_read_off_the_interval():
    verdicts = sentences._smaller_than_theory(table(AS_PAPER))
    assert list(verdicts) == ["yes"] * 5 + ["no"]
    one = table([("scene", 0, "pool1", 19.0, 17.5, 1.0, math.nan, math.nan, 1, 48, 0)])
    assert list(sentences._smaller_than_theory(one)) == ["open"]


def test_claim_two_looks_at_every_step_and_at_the_ends():
    found = sentences._falls_with_depth(table(AS_PAPER)).set_index("network")
    assert found.loc["scene", "falls"]
    assert found.loc["scene", "ends"] == "falls"
    assert not found.loc["object", "falls"]
    assert found.loc["object", "ends"] == "rises"


def test_the_sentences_report_either_way():
    text = sentences.describe_table_2(table(AS_PAPER))
    assert "In 5 of 6 rows; larger than the theoretical size in pool2 (object network)." in text
    assert "in the scene network it falls at every step (92%, 56%, 46%, 37%)" in text
    assert "in the object network it does not fall at every step (89%, 104%)" in text
    assert "against the paper" in text
    assert "pool1, scene network: 17.5 ± 1.0 px (mean ± s.d., 8 of 48 units, theoretical 19)" in text
    assert "the paper: 17.8 px, inside our interval for the mean." in text
    assert "60.0 px, outside our interval for the mean, 61.0 to 63.0 px." in text
    assert "all 128 units" in text
    assert "the paper: 72.0 px, 0.5 px less than here." in text
    assert "1 units measured respond to no image" in text


def test_a_field_below_the_occluders_size_is_said_to_be_the_occluders():
    text = sentences.describe_table_2(
        table([("scene", 0, "conv1", 3.0, 10.6, 1.0, 10.0, 11.2, 8, 64, 0), *AS_PAPER[1:]])
    )
    assert "In conv1 (scene network) the theoretical size is less than the occluder's 11 px" in text
    assert "the occluder's" not in sentences.describe_table_2(table(AS_PAPER))


def test_the_papers_two_networks_stand_beside_ours():
    text = sentences.describe_table_2(table(AS_PAPER))
    assert "pool1, object network: 17.0 ± 1.0 px" in text
    assert "the paper: 17.9 px, inside our interval for the mean." in text
    assert "the paper: 36.7 px, outside our interval for the mean, 68.0 to 72.0 px." in text
    said = (
        "that both have here: 37.4 px in the scene network (pool2) and 70.0 px in the object network (pool2)."
    )
    assert f"{said} The paper: 37.4 and 36.7 px." in text
    assert "Do the networks differ" not in sentences.describe_table_2(table(AS_PAPER[:4]))


@pytest.mark.parametrize(("mean", "said"), [(10.1, True), (10.9, True), (11.0, False), (17.5, False)])
def test_a_mean_below_the_occluders_size_is_said(mean, said):
    text = sentences.describe_table_2(
        table([("scene", 0, "pool1", 19.0, mean, 1.0, 9.0, 12.0, 8, 48, 0), *AS_PAPER[1:]])
    )
    assert ("In pool1 (scene network) the mean is below the occluder's 11 px" in text) == said


def test_all_smaller_is_said_in_one_sentence():
    assert "Yes: in every layer the mean lies below" in sentences.describe_table_2(table(AS_PAPER[:4]))


def test_the_papers_numbers_stand_only_beside_the_papers_geometry():
    rows = table([("scene", 0, "pool1", 20.0, 17.5, 1.0, 16.0, 18.0, 8, 48, 0)])
    assert rows["paper"].isna().all()
    text = sentences.describe_table_2(rows)
    assert "The paper found 17.8 / 37.4 / 60.0 / 72.0 px at pool1, pool2, conv4, pool5." in text


class Part:
    """Stands in for a network's atlas: the sizes given, the units counted."""

    def __init__(self, sizes, units, whole=False):
        self.sizes, self._units, self.reach = sizes, units, RF(67, 8, 17, whole)

    def units(self, layer):
        return self._units

    def sample(self, layer):
        return [
            type("F", (), {"theoretical": self.reach,
                           "row": {"unit": k, "n_images": 25, "size": size, "low": size, "high": size,
                                   "theoretical": 67.0, "share": size / 67, "peak": 1.0,
                                   "reason": "" if size == size else "silent"}})
            for k, size in enumerate(self.sizes)
        ]  # fmt: skip


class Stand:
    """Stands in for an atlas of one layer."""

    n_images = 25

    def __init__(self, scene, other, units=3):
        self.parts = {"scene": Part(scene, units), "object": Part(other, units)}

    def part(self, network):
        return self.parts[network]

    def layers(self):
        return [(0, "scene", "pool2"), (0, "object", "pool2")]

    def table(self):
        rows = [(name, 0, "pool2", part._units, len(part.sizes)) for name, part in self.parts.items()]
        return pd.DataFrame(rows, columns=["network", "depth", "layer", "units", "cached"])


def test_the_table_is_worked_out_from_the_sizes():
    rows = sizes.table_2(Stand([30.0, 40.0], [50.0, math.nan, 54.0]))
    scene, other = rows.to_dict("records")
    assert (scene["mean"], scene["n"], scene["units"], scene["silent"], scene["paper"]) == (
        35.0,
        2,
        3,
        0,
        37.4,
    )
    assert scene["sd"] == pytest.approx(7.0711, abs=1e-4)
    assert scene["share"] == pytest.approx(35 / 67)
    assert (other["mean"], other["n"], other["silent"]) == (52.0, 2, 1)
    assert (other["low"], other["high"]) == (52.0, 52.0)  # the third has no field: all that have one are in
    assert other["paper"] == 36.7  # the paper's object network
    assert all(math.isnan(sizes._papers(row)) for row in rows.assign(network="third").to_dict("records"))


def test_where_units_can_see_the_whole_image_words_say_so():
    stand = Stand([30.0, 40.0], [50.0, 54.0])
    assert "whole" not in sizes.table_2(stand)
    assert "whole image" not in sentences.describe_table_2(sizes.table_2(stand))
    stand.parts["object"] = Part([50.0, 54.0], 3, whole=True)
    rows = sizes.table_2(stand)
    assert rows["whole"].tolist() == [False, True]
    text = sentences.describe_table_2(rows)
    assert "In pool2 (object network) a unit can see the whole image from every position" in text


def test_a_layer_without_a_measured_unit_is_left_out_and_said():
    found = sizes.field_sizes(Stand([], [1.0]))
    assert found.network.tolist() == ["object"]
    assert sizes.table_2(Stand([], [1.0])).network.tolist() == ["object"]
    assert sentences.describe_table_2(sizes.table_2(Stand([], [1.0])))
    assert "Layers with 0 are left out below" in sentences.describe_atlas(Stand([], [1.0]))
    assert "left out" not in sentences.describe_atlas(Stand([1.0], [1.0] * 3))


def test_an_empty_atlas_tells_the_way_out():
    with pytest.raises(CannotAnswerError, match=r"no receptive field is there yet: call atlas\.grow"):
        sizes.field_sizes(Stand([], []))


def test_the_atlas_says_how_much_it_holds():
    assert sentences.describe_atlas(Stand([1.0] * 3, [1.0] * 3)) == (
        "The atlas is complete: **6 receptive fields**, each averaged over its 25 top images."
    )
    text = sentences.describe_atlas(Stand([1.0], [1.0] * 3))
    assert "**4 of 6 receptive fields**" in text
    assert "scene network pool2 1 of 3; object network pool2 3 of 3" in text

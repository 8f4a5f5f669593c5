"""Table 2: means, intervals and the sentences made from them, on tables worked out by hand."""

import math

import pandas as pd
import pytest

from scenelens.errors import CannotAnswerError
from scenelens.networks import RF
from scenelens.receptive_fields import sentences, sizes
from scenelens.receptive_fields.field import EmpiricalRF
from tests.made_up_fields import blob_field


def table(rows):
    names = ["network", "depth", "layer", "theoretical", "mean", "sd", "low", "high", "n", "units", "silent"]
    made = pd.DataFrame(rows, columns=names)
    made["share"] = made["mean"] / made["theoretical"]
    papers = [sizes._papers(row) for row in made.to_dict("records")]
    return made.assign(n_images=25, cut=0.5, below=0, paper=papers)


AS_PAPER = [
    ("scene", 0, "pool1", 19.0, 17.5, 1.0, 16.0, 18.5, 8, 48, 0),
    ("scene", 1, "pool2", 67.0, 37.4, 5.0, 36.0, 39.0, 8, 128, 0),
    ("scene", 2, "conv4", 131.0, 60.0, 9.0, 61.0, 63.0, 8, 192, 0),
    ("scene", 3, "pool5", 195.0, 72.5, 9.0, 72.5, 72.5, 128, 128, 0),
    ("object", 0, "pool1", 19.0, 17.0, 1.0, 16.0, 18.0, 8, 48, 0),
    ("object", 1, "pool2", 67.0, 70.0, 5.0, 68.0, 72.0, 8, 128, 1),
]


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


@pytest.mark.parametrize(("low", "ends"), [(56.0, "falls"), (45.0, "open"), (math.nan, "unknown")])
def test_the_ends_are_compared_by_the_interval_of_their_difference(low, ends):
    """Shares of 90 and 70%: intervals that meet at 84% leave a difference of 4.8 points or more."""
    rows = [("scene", 0, "pool1", 100.0, 90.0, 5.0, 84.0, 96.0, 8, 48, 0),
            ("scene", 1, "pool5", 100.0, 70.0, 9.0, low, 140.0 - low, 8, 128, 0)]  # fmt: skip
    made = table(rows)
    assert sentences._falls_with_depth(made).loc[0, "ends"] == ends
    text = sentences._describe_falls(made)
    assert ("the interval of their difference leaves out 0" in text) == (ends == "falls")
    assert ("no difference is shown" in text) == (ends == "open")


def test_the_sentences_report_either_way():
    text = sentences.describe_table_2(table(AS_PAPER))
    assert "In 5 of 6 rows; larger than the theoretical size in pool2 (object network)." in text
    assert "in the scene network it falls at every step (92%, 56%, 46%, 37%)" in text
    assert "in the object network it does not fall at every step (89%, 104%)" in text
    assert "against the paper" in text
    about = "(mean ± s.d., 8 of 48 units, K = 25 images, theoretical 19)"
    assert f"pool1, scene network: 17.5 ± 1.0 px {about}" in text
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
    assert "In the paper: pool1 17.8 and 17.9, pool2 37.4 and 36.7 px" in text
    assert "Do the networks differ" not in sentences.describe_table_2(table(AS_PAPER[:4]))


def test_the_networks_are_compared_layer_by_layer_with_an_interval_of_the_difference():
    text = sentences.describe_table_2(table(AS_PAPER))
    # pool1: 17.0 - 17.5; down hypot(1, 1), up hypot(1, 1.5). pool2: 70.0 - 37.4; hypot(2, 1.6), hypot(2, 1.4)
    assert "pool1: no difference is shown between the object network and the scene network" in text
    assert "(17.0 against 17.5 px, n = 8 each; 95% interval of the difference −1.91 to 1.30 px)" in text
    assert "pool2: the object network is 32.6 px larger than the scene network" in text
    assert "95% interval of the difference 30.0 to 35.0 px)" in text
    assert "The object network's is the larger one in 1 of 2" in text
    assert "the largest difference is 32.6 px, at pool2" in text
    assert "the object network's is larger in 1 of 2, and no two differ by more than 0.7 px" in text


WHOLE = [
    ("scene", 0, "pool1", 19.0, 10.1, 1.5, 10.1, 10.1, 48, 48, 0),
    ("object", 0, "pool1", 19.0, 10.4, 1.4, 10.4, 10.4, 47, 48, 1),
    ("scene", 1, "pool5", 195.0, 37.5, 7.7, 37.5, 37.5, 128, 128, 0),
    ("object", 1, "pool5", 195.0, 42.8, 8.7, 42.8, 42.8, 128, 128, 0),
]


def test_a_layer_of_which_all_units_were_measured_has_no_interval():
    text = sentences.describe_table_2(table(WHOLE))
    assert "Yes: in every layer the mean lies below the theoretical size." in text
    assert "pool5 37.5 and 42.8 px. The object network's is the larger one in 2 of 2" in text
    assert "the deepest layer's share lies below the first's" in text
    assert "All units were measured, so these means have no interval" in text
    assert "interval of the difference" not in text
    assert "interval" in sentences.describe_table_2(table(AS_PAPER))


def test_what_differs_from_the_paper_is_said_first():
    first = sentences.describe_table_2(table(WHOLE)).split("\n")[0]
    assert "smaller than the paper's in 4 of 4 rows" in first
    assert "farthest from it at pool5 (scene network), with 34.5 px less" in first
    assert "The paper does not say from which share of the maximum on" in first


def test_the_units_below_the_occluders_size_are_counted():
    rows = table(WHOLE).assign(below=[36, 33, 0, 0])
    text = sentences.describe_table_2(rows)
    assert "36 of 48 in pool1 (scene network), 33 of 47 in pool1 (object network)." in text
    assert "Below what can be measured" not in sentences.describe_table_2(table(WHOLE))


def test_units_below_the_occluders_size_are_those_under_eleven_pixels():
    rows = sizes.table_2(Stand([10.99, 11.0, 5.0], [30.0, math.nan, 12.0]))
    assert rows["below"].tolist() == [2, 0]


def test_all_smaller_is_said_in_one_sentence():
    assert "Yes: in every layer the mean lies below" in sentences.describe_table_2(table(AS_PAPER[:4]))


# ---- the share of the maximum at which a field ends


CUTS = [0.1, 0.25, 0.5]


def by_cut(sizes_at):
    """A table of one network and several cuts: {layer: (depth, theoretical, sizes)}."""
    rows = [
        table([("scene", depth, layer, most, size, 1.0, size, size, 8, 8, 0)]).assign(cut=cut)
        for layer, (depth, most, sizes_) in sizes_at.items()
        for cut, size in zip(CUTS, sizes_, strict=True)
    ]
    return pd.concat(rows, ignore_index=True)


OURS = {"pool1": (0, 19.0, (19.2, 14.8, 10.1)), "pool5": (1, 195.0, (94.3, 64.7, 37.5))}


def test_the_size_is_that_of_the_region_above_the_cut():
    """A round hill exp(-r²/2s²) is at least c high on an area of 2 pi s² ln(1/c)."""
    field = blob_field(theoretical=RF(131, 16, 17))
    for cut in (0.1, 0.25, 0.4):
        side = 0.12 * 131 * math.sqrt(2 * math.pi * math.log(1 / cut))
        assert field.side(cut) == pytest.approx(side, rel=0.02)
    assert field.side(0.5) == field.size
    assert math.isnan(blob_field(places=[], peaks=[]).side(0.25))


@pytest.mark.parametrize("reach", [19, 67, 195])
def test_a_stored_field_has_nearly_the_same_sizes_as_the_one_measured(reach):
    field = blob_field(theoretical=RF(reach, 16, 17))
    kept = EmpiricalRF.unpack(EmpiricalRF.pack([field]))[0][0]
    again = EmpiricalRF.unpack(EmpiricalRF.pack([kept]))[0][0]
    for cut in (0.1, 0.2, 0.3, 0.4):
        assert kept.side(cut) == pytest.approx(field.side(cut), abs=0.6)
        assert again.side(cut) == pytest.approx(field.side(cut), abs=0.6)


class Hill:
    """Stands in for a field whose size at a cut is known."""

    theoretical, reason = RF(67, 8, 17), ""

    def __init__(self, unit):
        self.row = {
            "unit": unit, "n_images": 25, "size": 20.0 + unit, "low": 1.0, "high": 2.0, "theoretical": 67.0,
            "share": 0.5, "peak": 1.0, "reason": "",
        }  # fmt: skip

    def side(self, cut):
        return (20.0 + self.row["unit"]) * 0.5 / cut


def test_the_table_has_the_rows_of_each_cut(monkeypatch):
    stand = Stand([0, 0], [0])
    monkeypatch.setattr(Part, "sample", lambda self, layer: [Hill(k) for k in range(len(self.sizes))])
    rows = sizes.table_2(stand, cut=[0.25, 0.5])
    assert rows[["network", "cut", "mean"]].to_numpy().tolist() == [
        ["scene", 0.25, 41.0], ["object", 0.25, 40.0], ["scene", 0.5, 20.5], ["object", 0.5, 20.0],
    ]  # fmt: skip
    found = sizes.field_sizes(stand, cut=0.25)
    assert found["share"].tolist() == [40 / 67, 42 / 67, 40 / 67]
    assert found["low"].isna().all()
    assert sizes.field_sizes(stand)["low"].tolist() == [1.0, 1.0, 1.0]


def test_the_cut_at_which_the_paper_would_be_reached_is_said():
    text = sentences.describe_table_2(by_cut(OURS))
    assert "at half of the maximum 10.1, 37.5; at a quarter 14.8, 64.7; at a tenth 19.2, 94.3." in text
    # pool1: 17.8 lies (19.2 - 17.8) / (19.2 - 14.8) of the way from 10% to 25%; pool5: 7.3 of 27.2 before 25%
    assert "with the cut at pool1 15%, pool5 21% of the maximum" in text
    assert "Of the cuts tried, 25% comes closest in all layers: 14.8 (paper 17.8), 64.7 (paper 72.0)" in text
    assert "most of the difference from the paper can come from the cut alone" in text


def test_where_no_cut_gives_the_papers_sizes_that_is_said():
    small = {"pool1": (0, 19.0, (9.0, 8.0, 7.0)), "pool5": (1, 195.0, (94.3, 64.7, 37.5))}
    text = sentences.describe_table_2(by_cut(small))
    assert "pool1 at none of these, pool5 21%" in text
    assert "the cut alone does not explain the difference from the paper" in text


def test_the_claims_are_counted_over_the_cuts():
    text = sentences.describe_table_2(by_cut(OURS))
    assert "of 3 cuts, the mean lies below the theoretical size in every layer at 2" in text
    assert "falls at every step of depth in every network at 3." in text
    assert "(here in pool1 (scene network), at low cuts)" in text
    assert "up to 5 px outside" in text
    rising = {"pool1": (0, 19.0, (9.0, 8.0, 2.0)), "pool5": (1, 195.0, (50.0, 40.0, 37.5))}
    text = sentences.describe_table_2(by_cut(rising))
    assert "in every layer at 3, and" in text
    assert "in every network at 2." in text
    assert "widened by the occluder" not in text


def test_another_architecture_has_cuts_without_the_papers_sizes():
    text = sentences.describe_table_2(by_cut(OURS).assign(paper=math.nan))
    assert "The paper's sizes would be reached" not in text
    assert "The two claims" in text


def test_a_layer_without_a_field_has_no_size_at_any_cut():
    silent = by_cut(OURS).assign(paper=math.nan)
    silent.loc[silent["layer"] == "pool1", "mean"] = math.nan
    text = sentences.describe_table_2(silent)
    assert "mean side in px (pool5): at half of the maximum 37.5; at a quarter 64.7; at a tenth 94.3." in text
    assert "nan" not in text
    assert "mean side in px" not in sentences.describe_table_2(silent.assign(mean=math.nan))


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

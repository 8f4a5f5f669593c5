"""An analyst's calls, on a small annotated study and against values computed in a second way."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.metrics import average_precision_score

import scenelens as sl
from scenelens.errors import CannotAnswerError
from scenelens.labels import names_text
from tests.annotated_study import OBJECTS, annotated_study
from tests.hostile_names import hostile_study
from tests.tiny_study import write_tiny_study


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return annotated_study(tmp_path_factory.mktemp("analysis"), per_category=10)


@pytest.fixture(scope="module")
def units(study):
    return sl.UnitAnalysis(study, "scene")


# ---- units that detect an object


def test_the_best_units_are_judged_on_the_other_half(study, units):
    table = units.best_units("bed", "pool5", n=4, seed=3)
    assert table.n.unique().tolist() == [15]
    assert table.images.unique().tolist() == [5]
    assert table.chance.unique() == pytest.approx(5 / 15)
    assert (table.low <= table.ap + 1e-9).all()
    assert (table.ap <= table.high + 1e-9).all()
    assert table.ap_chosen.is_monotonic_decreasing
    # The same by hand: peaks by whole passes, AP by scikit-learn, over all splits' second halves.
    present, chosen, judged = units._annotated.halves("bed", seed=3)
    assert not set(chosen) & set(judged)
    assert len(chosen) + len(judged) == 30
    network, layer = study.networks["scene"], "pool5"
    images = [study.annotations.path(one) for one in units._annotated.images]
    with sl.record(network, layer) as acts:
        network([np.asarray(Image.open(path).convert("RGB")) for path in images])
    peaks = acts[layer].amax((2, 3)).numpy()
    for row in table.itertuples():
        for rows, value in ((judged, row.ap), (chosen, row.ap_chosen)):
            assert value == pytest.approx(average_precision_score(present[rows], peaks[rows, row.unit]))


def test_no_other_unit_does_better_on_the_first_half(units):
    table = units.best_units("rock", "conv4", n=500)
    assert len(table) == units.study.layer_row("scene", "conv4")["units"]
    assert table.ap_chosen.iloc[0] == table.ap_chosen.max()


def test_names_are_folded_and_unknown_ones_are_named(units):
    assert units.best_units("Beds", "pool5", n=1).unit[0] == units.best_units("bed", "pool5", n=1).unit[0]
    with pytest.raises(sl.SceneLensError, match=r"no annotated image shows 'lampp'; close names: lamp"):
        units.best_units("lampp")


def test_an_object_on_every_image_cannot_be_judged(units):
    # Lamps are on all attics, beaches and caves.
    everywhere = set.intersection(*({name for name in names if name} for names in OBJECTS.values()))
    assert everywhere == {"lamp"}
    with pytest.raises(CannotAnswerError, match="0 of the 30 annotated images do not show 'lamp'"):
        units.best_units("lamp")


def test_without_annotations_the_reason_is_said(tmp_path):
    units = sl.UnitAnalysis(sl.open_study(write_tiny_study(tmp_path)), "object")
    for call in (
        lambda: units.best_units("bed"),
        lambda: units.top_annotated("pool5", 0),
        lambda: units.write_labels(tmp_path / "out"),
    ):
        with pytest.raises(CannotAnswerError, match="no annotations"):
            call()
    assert not (tmp_path / "out").exists()
    assert len(units.pure_units(top=4)) > 0


def test_images_that_are_annotated_but_not_listed_get_an_index_of_their_own(tmp_path):
    study = annotated_study(tmp_path, per_category=4)
    listed = sl.UnitAnalysis(study, "scene").top_annotated("pool5", 3, n=6)
    text = study.file.path.read_text().replace('path = "world/Images/scene"', 'path = "other"')
    (tmp_path / "other" / "attic").mkdir(parents=True)
    Image.new("RGB", (80, 60), "red").save(tmp_path / "other" / "attic" / "0.png")
    study.file.path.write_text(text)
    apart = sl.UnitAnalysis(sl.open_study(study.file.path), "scene").top_annotated("pool5", 3, n=6)
    pd.testing.assert_frame_equal(listed, apart)


def test_two_vocabularies_judge_an_object_where_it_could_be_named(tmp_path):
    study = annotated_study(tmp_path, per_category=4)
    colours = tmp_path / "colours"
    (colours / "images").mkdir(parents=True)
    (colours / "labels").mkdir()
    for k in range(6):
        Image.new("RGB", (80, 60), (40 * k, 90, 30)).save(colours / "images" / f"{k}.png")
        Image.new("RGB", (80, 60), (255, 0, 0)).save(colours / "labels" / f"{k}.png")
    text = study.file.path.read_text().replace("[annotations]", "[[annotations]]")
    text += '\n[[annotations]]\nroot = "colours"\nformat = "colour-mask"\n'
    study.file.path.write_text(text + "[annotations.colours]\nfence = [255, 0, 0]\n")
    units = sl.UnitAnalysis(sl.open_study(study.file.path), "scene")
    assert len(units._annotated.images) == 18
    present, known = units._annotated.presence("bed")
    assert present.sum() == 4
    assert known.sum() == 12
    assert units.best_units("bed", n=1).n[0] == 6


# ---- purity, similarity, top images


def test_pure_units_count_the_categories_of_their_top_images(study, units):
    table = units.pure_units("pool5", n=200, top=8)
    index, categories = study.index("scene"), study.images.set_index("image").category
    for row in table.itertuples():
        names = categories.loc[index.top_images("pool5", row.unit, 8).image]
        assert row.share == names.value_counts().max() / 8
        assert row.n == 8
        assert (names == row.category).mean() == row.share
        assert row.chance == (categories == row.category).mean()
        assert row.low < row.share <= row.high
    assert table.share.is_monotonic_decreasing
    assert table.unit.is_unique


def test_similar_units_correlate_over_the_images(study, units):
    table = units.similar_units("pool5", 2, n=3)
    assert table.network.tolist() == ["scene"] * 3 + ["object"] * 3
    assert not ((table.network == "scene") & (table.layer == "pool5") & (table.unit == 2)).any()
    own = study.index("scene").peaks("pool5")[:, 2]
    for row in table.itertuples():
        other = study.index(row.network).peaks(row.layer)[:, row.unit]
        assert row.r == pytest.approx(np.corrcoef(own, other)[0, 1], abs=1e-6)
        assert row.n == len(own)
    within = units.similar_units("pool5", 2, n=1, networks=["scene"])
    assert within.r[0] == table.r[0]
    assert len(within) == 1


def test_a_silent_unit_is_like_nothing(tmp_path):
    study = annotated_study(tmp_path, per_category=3)
    study = sl.open_study(_silenced(study.file.path))
    units = sl.UnitAnalysis(study, "scene")
    with pytest.raises(sl.SceneLensError, match="pool5:1 responds equally to all images"):
        units.similar_units("pool5", 1)
    assert not ((table := units.similar_units("pool5", 0, n=99)).unit.eq(1) & table.layer.eq("pool5")
                & table.network.eq("scene")).any()  # fmt: skip
    assert 1 not in units.pure_units("pool5", n=99, top=3).unit.tolist()


def _silenced(path):
    path.write_text(path.read_text().replace("seed = 1", "seed = 1\nsilence = { conv5 = [1] }"))
    return path


def test_top_annotated_images_name_their_objects(study, units):
    table = units.top_annotated("pool5", 5, n=7)
    assert table["rank"].tolist() == list(range(7))
    assert table.peak.is_monotonic_decreasing
    for row in table.itertuples():
        assert row.objects.split(", ") == sorted({name for name in OBJECTS[row.scene] if name})


# ---- class maps and overlays


def test_the_map_of_a_class_is_that_of_its_unit(study, units):
    image, network = study.images.image[0], study.networks["scene"]
    options = {"stride": 40, "occluder": np.zeros((60, 60, 3), np.uint8)}
    photograph = study.load_image(image)
    wanted = sl.discrepancy_map(network, "fc8", 2, photograph, **options)
    np.testing.assert_array_equal(units.class_map(image, "cave", **options), wanted)
    np.testing.assert_array_equal(units.class_map(image, 2, **options), wanted)
    predicted = network.classes.index(network.predict(photograph, 1).predicted[0])
    best = sl.discrepancy_map(network, "fc8", predicted, photograph, **options)
    np.testing.assert_array_equal(units.class_map(image, **options), best)


def test_a_class_is_named_or_numbered(study, units):
    image = study.images.image[0]
    with pytest.raises(sl.SceneLensError, match="no class 'cavern'; close names: cave"):
        units.class_map(image, "cavern")
    with pytest.raises(sl.SceneLensError, match="the classes 0 to 2, not 3"):
        units.class_map(image, 3)
    with pytest.raises(sl.SceneLensError, match="no image 'nowhere'"):
        units.class_map("nowhere")


@pytest.mark.parametrize(
    ("ending", "begins"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml"), ("jpg", b"\xff\xd8")]
)
def test_an_overlay_is_written_in_the_format_of_its_ending(units, tmp_path, ending, begins):
    path = units.write_overlay(tmp_path / f"new/unit.{ending}", "pool5", 3)
    assert path.read_bytes().startswith(begins)


def test_an_overlay_needs_a_map_and_a_known_ending(units, tmp_path):
    with pytest.raises(sl.SceneLensError, match="fc7 have no map"):
        units.overlay("fc7", 0)
    with pytest.raises(sl.SceneLensError, match=r"unit\.tiff should end in \.png"):
        units.write_overlay(tmp_path / "unit.tiff", "pool5", 3)
    with pytest.raises(sl.SceneLensError, match=r"pool5 of the scene network has units 0 to \d+, not 999"):
        units.overlay("pool5", 999)
    assert not list(tmp_path.iterdir())


# ---- the page of labels


def test_the_page_and_the_table_hold_every_label(study, units, tmp_path):
    labels = study.automatic_labels("scene").labels()
    page = units.write_labels(tmp_path / "labels", layers=["pool5"], top=2)
    table = pd.read_csv(page.with_name("labels.csv"))
    own = labels[labels.layer == "pool5"]
    assert table.unit.tolist() == own.unit.tolist()
    assert table.concept.tolist() == own.concept.tolist()
    assert table.names.tolist() == [" or ".join(names) for names in own.names]
    text = page.read_text()
    assert text.count("data:image/jpeg;base64,") == 2 * len(own)
    assert text.count("<th>chance</th>") == text.count("<th>ap</th>") == 1
    assert "of images that did not choose the name" in text
    several = own[own.names.map(len) > 1]
    assert len(several)
    assert f"<td>{names_text(several.names.iloc[0])}</td>" in text
    assert "http:" not in text
    assert "https:" not in text
    assert "default-src 'none'" in text
    with pytest.raises(sl.SceneLensError, match="no label of the scene network"):
        units.write_labels(tmp_path / "none", layers=["conv9"])


def test_names_that_are_markup_stay_text(tmp_path):
    units = sl.UnitAnalysis(hostile_study(tmp_path, per_category=10), "scene")
    page = units.write_labels(tmp_path / "labels", layers=["pool5"], top=1)
    assert "<img src=x" not in page.read_text()
    assert "<script>" not in page.read_text()
    for line in page.with_name("labels.csv").read_text().splitlines():
        assert not line.startswith(("=", "+", "@"))


def test_an_unknown_network_is_named(study):
    with pytest.raises(sl.SceneLensError, match="no network 'scenes'; close names: scene"):
        sl.UnitAnalysis(study, "scenes")

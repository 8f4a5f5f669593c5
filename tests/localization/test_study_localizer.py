"""Three hands of images, what is kept of them, and what section 4.2 says of a tiny study."""

import numpy as np
import pandas as pd
import pytest

from scenelens.errors import SceneLensError
from scenelens.exercises import check
from scenelens.images import load_image
from scenelens.localization import sentences, tables
from scenelens.localization import study_localizer as module
from scenelens.localization.calibration import calibrate
from scenelens.localization.localizer import Localization, localize
from scenelens.localization.study_localizer import (
    deal,
    detectors,
    names_of_units,
    reading_layers,
    study_localizer,
    with_thresholds,
)
from scenelens.studies.study import open_study
from tests.annotated_study import annotated_study
from tests.small_network import small_network
from tests.tiny_study import write_tiny_study


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return annotated_study(tmp_path_factory.mktemp("annotated"), 16)


@pytest.fixture(scope="module")
def found(study):
    return tables.localizers(study)


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    return open_study(write_tiny_study(tmp_path_factory.mktemp("bare")))


def test_no_image_is_in_two_hands(study):
    hands = deal(study)
    assert {name: len(images) for name, images in hands.items()} == {
        "choose": 24,
        "calibrate": 12,
        "judge": 12,
    }
    assert len({image for images in hands.values() for image in images}) == 48
    assert all(image.startswith("scene/") for images in hands.values() for image in images)
    assert deal(study) == hands
    assert deal(study, seed=1) != hands


def test_object_centric_images_are_not_dealt(study, monkeypatch):
    lone = study.images.assign(source="object-centric")
    monkeypatch.setattr(study, "images", lone, raising=False)
    with pytest.raises(SceneLensError, match="0 annotated scenes are too few"):
        deal(study)


def test_the_papers_layers_are_read_where_there_are(study):
    assert reading_layers(study.networks["scene"]) == ["pool2", "conv4", "pool5"]
    assert reading_layers(small_network()) == ["2"]


def test_units_are_named_on_the_first_hand_only(found):
    one = found["scene"]
    assert one.chosen.n_images == len(one.hands["choose"])
    labels = names_of_units(one.chosen)
    best = labels.groupby("layer").iou.transform("max")
    assert ((labels.iou > 0.04) | (labels.iou == best)).all()
    assert set(labels.layer) == {"pool2", "conv4", "pool5"}
    row = labels.iloc[0]
    assert row.threshold == pytest.approx(float(one.chosen.counts[row.layer].thresholds[row.unit]))
    assert one.scores.images == tuple(one.hands["judge"])


def test_what_people_call_a_unit_can_be_localized_too(study, found):
    one = found["scene"]
    row = {"network": "scene", "layer": "conv4", "unit": 5, "annotator": "Ada", "concept": "lamp"}
    people = pd.DataFrame([row | {"type": "object"}, row | {"type": "object", "layer": "conv1"}])
    labels = with_thresholds(people, one.chosen)
    assert labels.layer.tolist() == ["conv4"]
    known, net = study.annotations, study.networks["scene"]
    calibration = calibrate(net, known, labels, known.images, progress=False)
    picture = load_image(known.path(known.images[0]))
    boxes = localize(net, picture, labels, calibration).boxes
    assert set(boxes.concept) <= {"lamp"}
    assert calibration.units.threshold.tolist() == [float(one.chosen.counts["conv4"].thresholds[5])]


def test_detectors_are_the_layers_best(found):
    chosen = found["scene"].chosen
    values = np.nan_to_num(chosen.measures("pool5")["iou"])
    names = chosen.concepts.concept
    made = detectors(chosen)
    best = [one for one in made if one.how == "best unit"]
    assert [one.concept for one in best] == names[chosen.concepts.kind == "objects"].tolist()
    for one in best:
        assert one.units == (int(values[:, names.tolist().index(one.concept)].argmax()),)
    single = {one.units[0]: one.concept for one in made if one.how == "unit"}
    for one in made:
        if one.how == "union":
            assert sorted(one.units) == sorted(unit for unit, name in single.items() if name == one.concept)


def test_what_is_kept_is_what_was_measured(study, found, monkeypatch):
    monkeypatch.setitem(module._OPEN, study, {})
    monkeypatch.setattr(module, "label_networks", None)
    monkeypatch.setattr(module, "judge", None)
    again, one = study_localizer(study, "scene"), found["scene"]
    assert again is not one
    np.testing.assert_array_equal(again.scores.bins, one.scores.bins)
    np.testing.assert_array_equal(again.scores.peaks, one.scores.peaks)
    pd.testing.assert_frame_equal(again.scores.boxes, one.scores.boxes)
    pd.testing.assert_frame_equal(again.scores.detectors, one.scores.detectors)
    picture = load_image(study.annotations.path(one.hands["judge"][0]))
    pd.testing.assert_frame_equal(again.localizer(picture).boxes, one.localizer(picture).boxes)


def test_a_broken_file_is_made_again(study, found, monkeypatch):
    monkeypatch.setitem(module._OPEN, study, {})
    folder = study.cache / "localization"
    path = next(path for path in folder.glob("object-*.npz") if not path.stem.endswith("names"))
    path.write_bytes(path.read_bytes()[:100])
    assert len(study_localizer(study, "object", progress=False).scores) == len(found["object"].scores)


def test_every_sentence_has_its_numbers(study, found):
    said = [
        sentences.describe_splits(study, found),
        sentences.describe_calibration(found),
        sentences.describe_networks(found),
        sentences.describe_differences(study, found),
        sentences.describe_union(found["scene"]),
        sentences.describe_paper_comparison(found["scene"]),
        sentences.describe_picture(found["scene"].localizer(tables.example(study, found))),
    ]
    assert "48 annotated scenes" in said[0]
    for text in said:
        assert text
        assert "nan" not in text
    assert "**1 forward pass** gave" in sentences.describe_passes(
        found["scene"].localizer, tables.example(study, found)
    )


def test_the_example_has_confident_boxes_at_the_deepest_layer(study, found, monkeypatch):
    """Of two pictures with a confident box on the last layer the surer one; boxes of other layers, and weak
    ones, do not count for that."""
    one = found["scene"]
    deepest, other = one.localizer.layers[-1], one.localizer.layers[0]
    told = {2: (other, 0.99), 3: (deepest, 0.5), 4: (deepest, 0.9), 5: (deepest, 0.25)}

    def several(pictures):
        seen = []
        for k, picture in enumerate(pictures):
            layer, confidence = told.get(k, (other, 0.25))
            boxes = {"layer": [layer], "concept": ["lamp"], "confidence": [confidence]}
            seen.append(Localization(picture, np.zeros(1), pd.array(["nowhere"], dtype="str"), boxes))
        return seen

    monkeypatch.setattr(one.localizer, "several", several)
    expected = load_image(study.annotations.path(one.hands["judge"][4]))
    np.testing.assert_array_equal(tables.example(study, found), expected)


def test_tables_say_what_single_numbers_say(found):
    table = tables.compare_networks(found).set_index("network")
    objects = tables.objects_table(found["object"], intervals=False)
    assert table.ap["object"] == pytest.approx(objects.ap.mean())
    assert table.objects["object"] == len(objects)
    assert ((objects.images >= 5) & (objects.n - objects.images >= 5)).all()
    apart = tables.differences(found)
    both = tables.objects_table(found["scene"], intervals=False).merge(objects, on="concept")
    row = apart[apart.measure == "ap"].iloc[0]
    assert (row.than, row.n) == ("object", len(both))
    assert row.difference == pytest.approx((both.ap_x - both.ap_y).mean())


def test_two_equal_networks_have_no_difference_and_the_reason_is_told(study, found):
    same = {"scene": found["scene"], "object": found["scene"]}
    text = sentences.describe_differences(study, same)
    assert "neither clearly more nor less" in text
    assert "No advantage of the scene network" in text
    assert "3 kinds of scene" in text


def test_a_difference_without_an_interval_is_said_in_words(study, found, monkeypatch):
    columns = ["measure", "than", "difference", "low", "high", "n"]
    table = pd.DataFrame([("ap", "object", 0.1, np.nan, np.nan, 1)], columns=columns)
    monkeypatch.setattr(sentences, "differences", lambda found: table)
    text = sentences.describe_differences(study, found)
    assert "too few objects are in both" in text
    assert "nan" not in text


def test_a_study_without_annotations_says_so(bare):
    assert tables.localizers(bare) == {}
    assert "no annotations" in sentences.describe_splits(bare, {})
    assert tables.example(bare, {}).shape == (60, 80, 3)
    assert tables.compare_networks({}).empty
    assert "nothing to compare" in sentences.describe_differences(bare, {})
    assert sentences.describe_calibration({})
    module.prepare_localizers(bare)
    with pytest.raises(SceneLensError, match="no annotations"):
        study_localizer(bare, "scene")
    assert not check("04_2.4", bare, "bed").right


def test_exercises_tell_right_from_wrong(study, found):
    best = tables.objects_table(found["scene"], intervals=False).sort_values("ap").concept.tolist()
    right = {"04_2.1": 1 / 3, "04_2.2": 10, "04_2.3": "recall", "04_2.4": best[-1]}
    wrong = {"04_2.1": 0.25, "04_2.2": 40, "04_2.3": "precision", "04_2.4": best[0]}
    for exercise, answer in right.items():
        assert check(exercise, study, answer).right, exercise
        assert not check(exercise, study, wrong[exercise]).right, exercise

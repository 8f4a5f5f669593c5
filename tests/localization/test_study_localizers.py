"""Three sets of images, what is cached of them, and what section 4.2 says of a tiny study."""

import numpy as np
import pandas as pd
import pytest

from scenelens.errors import SceneLensError
from scenelens.exercises import check
from scenelens.images import load_image
from scenelens.localization import figures, sentences, tables
from scenelens.localization import study_localizers as module
from scenelens.localization.boxes import LabelledUnits
from scenelens.localization.calibration import Calibration
from scenelens.localization.localizer import Localization, localize
from scenelens.localization.study_localizers import (
    StudyLocalizer,
    _detectors,
    _layers,
    _name_units,
    _split_images,
    open_localizers,
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
    return open_localizers(study)


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    return open_study(write_tiny_study(tmp_path_factory.mktemp("bare")))


def test_no_image_is_in_two_sets(study):
    splits = _split_images(study)
    sizes = {name: len(images) for name, images in splits.items()}
    assert sizes == {"selection": 24, "calibration": 12, "test": 12}
    assert len({image for images in splits.values() for image in images}) == 48
    assert all(image.startswith("scene/") for images in splits.values() for image in images)
    assert _split_images(study) == splits
    assert _split_images(study, seed=1) != splits


def test_object_centric_images_are_in_no_set(study, monkeypatch):
    lone = study.images.assign(source="object-centric")
    monkeypatch.setattr(study, "images", lone, raising=False)
    with pytest.raises(SceneLensError, match="0 annotated scenes are too few"):
        _split_images(study)


def test_the_papers_layers_are_taken_where_the_network_has_them(study):
    assert _layers(study.networks["scene"]) == ["pool2", "conv4", "pool5"]
    assert _layers(small_network()) == ["2"]


def test_units_are_named_on_the_selection_set_only(found):
    one = found["scene"]
    assert one.automatic.n_images == len(one.splits["selection"])
    labels = _name_units(one.automatic)
    best = labels.groupby("layer").iou.transform("max")
    assert ((labels.iou > 0.04) | (labels.iou == best)).all()
    assert set(labels.layer) == {"pool2", "conv4", "pool5"}
    row = labels.iloc[0]
    assert row.threshold == pytest.approx(float(one.automatic.counts[row.layer].thresholds[row.unit]))
    assert one.scores.images == tuple(one.splits["test"])


def test_what_people_call_a_unit_can_be_localized_too(study, found):
    one = found["scene"]
    row = {"network": "scene", "layer": "conv4", "unit": 5, "annotator": "Ada", "concept": "lamp"}
    people = pd.DataFrame([row | {"type": "object"}, row | {"type": "object", "layer": "conv1"}])
    labels = one.with_thresholds(people)
    assert labels.layer.tolist() == ["conv4"]
    known, net = study.annotations, study.networks["scene"]
    units = LabelledUnits.prepare(net, labels)
    calibration = Calibration.fit(units, known, progress=False)
    picture = load_image(known.path(known.images[0]))
    boxes = localize(net, picture, labels, calibration).boxes
    assert set(boxes.concept) <= {"lamp"}
    assert calibration.units.threshold.tolist() == [float(one.automatic.counts["conv4"].thresholds[5])]


def test_detectors_are_the_layers_best(found):
    automatic = found["scene"].automatic
    values = np.nan_to_num(automatic.measures("pool5")["iou"])
    names = automatic.concepts.concept
    made = _detectors(automatic)
    best = [one for one in made if one.how == "best unit"]
    assert [one.concept for one in best] == names[automatic.concepts.kind == "objects"].tolist()
    for one in best:
        assert one.units == (int(values[:, names.tolist().index(one.concept)].argmax()),)
    single = {one.units[0]: one.concept for one in made if one.how == "unit"}
    for one in made:
        if one.how == "union":
            assert sorted(one.units) == sorted(unit for unit, name in single.items() if name == one.concept)


def test_what_is_cached_is_what_was_measured(study, found, monkeypatch):
    monkeypatch.setitem(module._OPEN, study, {})
    monkeypatch.setattr(module, "label_networks", None)
    monkeypatch.setattr(module.DetectorScores, "measure", None)
    again, one = StudyLocalizer.of(study, "scene"), found["scene"]
    assert again is not one
    np.testing.assert_array_equal(again.scores.bins, one.scores.bins)
    np.testing.assert_array_equal(again.scores.peaks, one.scores.peaks)
    pd.testing.assert_frame_equal(again.scores.boxes, one.scores.boxes)
    pd.testing.assert_frame_equal(again.scores.detectors, one.scores.detectors)
    picture = load_image(study.annotations.path(one.splits["test"][0]))
    pd.testing.assert_frame_equal(again.localizer(picture).boxes, one.localizer(picture).boxes)


def test_a_broken_file_is_made_again(study, found, monkeypatch):
    monkeypatch.setitem(module._OPEN, study, {})
    folder = study.cache / "localization"
    path = next(path for path in folder.glob("object-*.npz") if not path.stem.endswith("names"))
    path.write_bytes(path.read_bytes()[:100])
    assert len(StudyLocalizer.of(study, "object", progress=False).scores) == len(found["object"].scores)


def test_every_sentence_has_its_numbers(study, found):
    said = [
        sentences.describe_splits(study, found),
        sentences.describe_calibration(found),
        sentences.describe_networks(found),
        sentences.describe_differences(study, found),
        sentences.describe_union(found["scene"]),
        sentences.describe_paper_comparison(found["scene"]),
    ]
    assert "48 annotated scenes" in said[0]
    for text in said:
        assert text
        assert "nan" not in text
    image = tables.example_image(study, found["scene"])
    assert "**1 forward pass** gave" in sentences.describe_passes(found["scene"], image)


def test_the_example_has_confident_boxes_at_the_deepest_layer(study, found, monkeypatch):
    """Of two images with a confident box on the last layer the surer one; boxes of other layers, and weak
    ones, do not count for that."""
    one = found["scene"]
    deepest, other = one.localizer.layers[-1], one.localizer.layers[0]
    confidences = {2: (other, 0.99), 3: (deepest, 0.5), 4: (deepest, 0.9), 5: (deepest, 0.25)}

    def several(photographs):
        seen = []
        for k, photograph in enumerate(photographs):
            layer, confidence = confidences.get(k, (other, 0.25))
            boxes = {"layer": [layer], "concept": ["lamp"], "confidence": [confidence]}
            seen.append(Localization(photograph, np.zeros(1), pd.array(["nowhere"], dtype="str"), boxes))
        return seen

    monkeypatch.setattr(one.localizer, "several", several)
    expected = load_image(study.annotations.path(one.splits["test"][4]))
    np.testing.assert_array_equal(tables.example_image(study, found["scene"]), expected)


def test_tables_say_what_single_numbers_say(found):
    table = tables.compare_networks(found).set_index("network")
    objects = found["object"].objects(intervals=False)
    assert table.ap["object"] == pytest.approx(objects.ap.mean())
    assert table.objects["object"] == len(objects)
    assert ((objects.images >= 5) & (objects.n - objects.images >= 5)).all()
    apart = sentences._network_differences(found)
    both = found["scene"].objects(intervals=False).merge(objects, on="concept")
    row = apart[apart.measure == "ap"].iloc[0]
    assert (row.than, row.n) == ("object", len(both))
    assert row.difference == pytest.approx((both.ap_x - both.ap_y).mean())


def test_two_equal_networks_have_no_difference_and_the_limits_are_named(study, found):
    same = {"scene": found["scene"], "object": found["scene"]}
    text = sentences.describe_differences(study, same)
    assert "neither clearly more nor less" in text
    assert "No advantage of the scene network" in text
    assert "3 kinds of scene" in text


def test_a_difference_without_an_interval_is_said_in_words(study, found, monkeypatch):
    columns = ["measure", "than", "difference", "low", "high", "n"]
    table = pd.DataFrame([("ap", "object", 0.1, np.nan, np.nan, 1)], columns=columns)
    monkeypatch.setattr(sentences, "_network_differences", lambda found: table)
    text = sentences.describe_differences(study, found)
    assert "too few objects in common" in text
    assert "nan" not in text


def test_a_study_without_annotations_says_so(bare):
    assert open_localizers(bare) == {}
    assert "no annotations" in sentences.describe_splits(bare, {})
    assert tables.example_image(bare, None).shape == (60, 80, 3)
    assert tables.compare_networks({}).empty
    assert "nothing to compare" in sentences.describe_differences(bare, {})
    assert sentences.describe_calibration({})
    for nothing in (
        sentences.describe_passes(None, np.zeros((9, 9, 3), np.uint8)),
        sentences.describe_union(None),
        sentences.describe_paper_comparison(None),
        tables.compare_with_paper(None, decimals=3),
        tables.scene_table(tables.find_objects(None, np.zeros((9, 9, 3), np.uint8))),
        tables.box_table(None),
        figures.figure_10_reading(None),
        figures.figure_11a_segmentations(tables.best_cases(bare, None)),
        figures.figure_11bc_precision({}),
        figures.reliability_figure({}),
    ):
        assert nothing is tables.NO_ANNOTATIONS
    with pytest.raises(SceneLensError, match="no annotations"):
        StudyLocalizer.of(bare, "scene")
    assert not check("04_2.4", bare, "bed").right


def test_exercises_tell_right_from_wrong(study, found):
    best = found["scene"].objects(intervals=False).sort_values("ap").concept.tolist()
    right = {"04_2.1": 1 / 3, "04_2.2": 10, "04_2.3": "recall", "04_2.4": best[-1]}
    wrong = {"04_2.1": 0.25, "04_2.2": 40, "04_2.3": "precision", "04_2.4": best[0]}
    for exercise, answer in right.items():
        assert check(exercise, study, answer).right, exercise
        assert not check(exercise, study, wrong[exercise]).right, exercise

"""Three sets of images, what is cached of them, and what section 4.2 says of a tiny study."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from scenelens.errors import CannotAnswerError
from scenelens.exercises import check
from scenelens.images import load_image
from scenelens.intervals import wilson_interval
from scenelens.localization import examples, figures, sentences, tables
from scenelens.localization import study_localizers as module
from scenelens.localization.boxes import LabelledUnits
from scenelens.localization.calibration import Calibration
from scenelens.localization.localizer import localize
from scenelens.localization.scores import DetectorScores
from scenelens.localization.study_localizers import (
    StudyLocalizer,
    _detectors,
    _layers,
    _name_units,
    _named_units,
    _split_images,
    open_localizers,
)
from scenelens.localization.truth import ImageConcepts
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
    with pytest.raises(CannotAnswerError, match="0 annotated images of scenes cannot be split"):
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
    chosen = examples.example_images(study, found["scene"])
    passes = sentences.describe_passes(found["scene"], chosen["right"].image)
    assert "**1 forward pass** gave" in passes
    n, wrong = len(found["scene"].scores.boxes), 1 - found["scene"].scores.boxes.right.mean()
    assert f"On 12 test images {100 * wrong:.0f}% of {n:,}" in passes
    for how in chosen:
        assert "of the first 12 calibration images" in sentences.describe_examples(chosen, how)


def test_examples_are_calibration_images_and_say_which_boxes_are_right(study, found):
    one = found["scene"]
    pictures = [load_image(study.annotations.path(image)) for image in one.splits["calibration"]]
    for example in examples.example_images(study, one).values():
        (k,) = [k for k, picture in enumerate(pictures) if np.array_equal(picture, example.image)]
        assert 0 <= example.holding <= example.n == len(pictures)
        concepts = next(
            ImageConcepts.read(one.localizer.network, study.annotations, [one.splits["calibration"][k]])
        )
        boxes = one(example.image).boxes
        expected = [
            concepts[1].contains(row.concept, "", one.units.layers[row.layer].cell_around(row.row, row.col))
            for row in boxes.itertuples()
        ]
        assert example.right.tolist() == expected


def shown(*boxes):
    return pd.DataFrame(boxes, columns=["confidence", "is_right"]).astype({"is_right": "boolean"})


def test_the_rules_of_examples():
    good, mixed, bad, nothing = (
        shown((0.5, True), (0.3, True)), shown((0.9, True), (0.3, False)), shown((0.4, False)), shown()
    )  # fmt: skip
    assert [examples._success(one, True)[0] for one in (good, mixed, bad, nothing)] == [
        True,
        False,
        False,
        False,
    ]
    assert not examples._success(good, False)[0]  # the scene was not recognised
    assert examples._success(good, True) > examples._success(shown((0.6, True)), True)
    assert examples._success(mixed, True) > examples._success(bad, True)  # the nearest, where none is good
    assert [examples._failure(one) for one in (good, mixed, bad, nothing)] == [
        (False, 0), (True, 0.3), (True, 0.4), (False, 0)
    ]  # fmt: skip


def test_tables_say_what_single_numbers_say(found):
    table = tables.compare_networks(found).set_index("network")
    objects = found["object"].objects(intervals=False)
    assert table.ap["object"] == pytest.approx(objects.ap.mean())
    assert table.objects["object"] == len(objects)
    assert ((objects.images >= 5) & (objects.n - objects.images >= 5)).all()
    apart = sentences._network_differences(found, "scene")
    both = found["scene"].objects(intervals=False).merge(objects, on="concept")
    row = apart[apart.measure == "ap"].iloc[0]
    assert (row.than, row.n) == ("object", len(both))
    assert row.difference == pytest.approx((both.ap_x - both.ap_y).mean())


def test_two_equal_networks_have_no_difference_and_the_limits_are_named(study, found, monkeypatch):
    monkeypatch.setattr(sentences, "_FEWEST_OBJECTS", 2)
    same = {"scene": found["scene"], "object": found["scene"]}
    text = sentences.describe_differences(study, same)
    assert "are about equal" in text
    assert "No advantage of the scene network" in text
    assert "3 kinds of scene" in text


@pytest.mark.parametrize(("n", "decides"), [(1, False), (5, False), (6, True), (40, True)])
def test_a_handful_of_objects_decides_nothing(study, found, monkeypatch, n, decides):
    """Six of six objects lie on one side by chance in 2 of 64 cases, five of five in 2 of 32: 6% and more."""
    columns = ["measure", "than", "difference", "low", "high", "n", "median", "higher"]
    low, high = (np.nan, np.nan) if n == 1 else (0.05, 0.2)
    table = pd.DataFrame([("ap", "object", 0.1, low, high, n, 0.05, n // 2)], columns=columns)
    monkeypatch.setattr(sentences, "_network_differences", lambda found, of: table)
    text = sentences.describe_differences(study, found)
    assert ("points higher than" in text) == decides
    assert (f"median +5.0; more for {n // 2} of {n} objects" in text) == decides
    assert ("from which nothing follows" in text) == (not decides)
    assert ("No advantage" in text) == (not decides)
    assert "nan" not in text


@pytest.mark.parametrize(("ours", "said"), [
    ((0.1, 0.2, 0.9), "Of 3 objects that the paper shows too, our AP is lower for 2 (bed 10%, paper 50%, "
     "chance 20%; sofa 20%, paper 50%, chance 20%) and higher for 1 (stove 90%, paper 50%, chance 20%);"),
    ((0.9, 0.9, 0.9), "our AP is lower for 0 and higher for 3 (bed"),
    ((0.5, 0.5, 0.4), "lower for 1 (stove 40%, paper 50%, chance 20%) and higher for 0;"),
])  # fmt: skip
def test_lower_scores_than_the_papers_are_counted_first(found, monkeypatch, ours, said):
    table = pd.DataFrame({"concept": ["bed", "sofa", "stove"], "images": 20, "n": 100, "ap": ours})
    table = table.assign(ap_paper=0.5, chance=0.2, ap_low=table.ap - 0.05, ap_high=table.ap + 0.05)
    monkeypatch.setattr(sentences, "compare_with_paper", lambda localizer: table)
    assert said in sentences.describe_paper_comparison(found["scene"])


def boxes_of(*rows):
    """Boxes of (image, layer, concept, confidence, by_category, here_right, right, elsewhere)."""
    names = ["image", "layer", "concept", "confidence", "by_category", "here_right", "right", "elsewhere"]
    table = pd.DataFrame(rows, columns=names)
    return table.assign(estimate=table.confidence + 0.1, here=table.here_right.clip(-1, 0) + 4)


BOXES = boxes_of(
    (0, "pool5", "bookcase", 0.6, 0.7, 5, True, 0.9), (0, "pool5", "bookcase", 0.9, 0.7, 5, True, 0.9),
    (1, "pool5", "bed", 0.8, 0.1, 0, False, 0.0), (1, "pool5", "bed", 0.1, 0.0, 2, False, 0.2),
    (2, "conv4", "sky", 0.3, 0.2, 3, True, 0.5),
)  # fmt: skip


def holding(boxes):
    return SimpleNamespace(
        scores=SimpleNamespace(boxes=boxes, images=tuple("abc")),
        localizer=SimpleNamespace(layers=["conv4", "pool5"]),
    )


def test_right_boxes_stand_beside_what_the_category_gives():
    text = sentences.describe_calibration({"scene": holding(BOXES)})
    assert text.startswith("- scene network: of 5 boxes 60% are right;")
    assert "Of 3 boxes with a confidence of 50% or more, on 2 images, 67% are right (95% interval" in text
    assert "they name 2 concepts, most often bookcase (2)." in text
    assert "another image of the same category 60% of these would be right too" in text
    assert "For 1 of the 3 the calibration images show no evidence beyond that." in text
    assert "20% or more, 1 are by units that were never right" in text
    assert "0% of these are right, and 100% of the other 3." in text
    weak = sentences.describe_calibration({"scene": holding(BOXES[3:])})
    assert "No box has a confidence of 50% or more. With the annotations of another image" in weak
    assert "of the same category 35% of all would be right." in weak
    alone = BOXES.assign(elsewhere=np.nan, here=-1, here_right=-1)
    said = sentences.describe_calibration({"scene": holding(alone)})
    assert "is not known: no two of these images are known to share one." in said
    assert "never right" not in said
    assert "nan" not in said
    nothing = sentences.describe_calibration({"scene": holding(BOXES[:0])})
    assert nothing == "- scene network: no box on the test images."


def test_boxes_are_counted_by_all_the_deepest_layer_and_the_confident(found):
    table = tables.compare_boxes({"scene": holding(BOXES)})
    assert table.which.tolist() == ["all", "at pool5", "confidence 50% or more"]
    assert table[["boxes", "images", "concepts"]].values.tolist() == [[5, 3, 3], [4, 2, 2], [3, 2, 2]]
    assert table.right.tolist() == pytest.approx([3 / 5, 1 / 2, 2 / 3])
    assert table.elsewhere.tolist() == pytest.approx([0.5, 0.5, 0.6])
    assert ((table.low <= table.right) & (table.right <= table.high)).all()
    assert tables.compare_boxes({"scene": holding(BOXES[:0])}).right.isna().all()
    real = tables.compare_boxes(found)
    assert real.groupby("network").boxes.max().to_dict() == {
        k: len(one.scores.boxes) for k, one in found.items()
    }


def test_the_interval_of_right_boxes_is_over_images():
    """Ten boxes of one image are one case; many images with a box each are as many cases."""
    one = pd.DataFrame({"image": 0, "right": [True] * 5 + [False] * 5})
    low, high = tables._share_interval(one)
    assert (low, high) == pytest.approx(wilson_interval(0.5, 1))
    same = pd.DataFrame(
        {"image": np.repeat(np.arange(40), 10), "right": np.repeat(np.arange(40) % 2 == 0, 10)}
    )
    apart = same.assign(image=np.arange(400))
    wide, narrow = (high - low for low, high in map(tables._share_interval, (same, apart)))
    assert wide == pytest.approx(narrow * np.sqrt(10), rel=0.2)
    assert tables._share_interval(same[same.right]) == pytest.approx(wilson_interval(20, 20))


def test_a_study_without_annotations_says_so(bare):
    for ask in (open_localizers, StudyLocalizer.of, lambda study: StudyLocalizer.of(study, "object")):
        with pytest.raises(CannotAnswerError, match=r"no annotations.*\[annotations\] table"):
            ask(bare)
    assert not check("04_2.4", bare, "bed").right
    assert "no annotations" in check("04_2.4", bare, "bed")


@pytest.mark.parametrize("per_category", [1, 2, 3])
def test_few_annotated_images(tmp_path, per_category):
    """Three scenes cannot be split into three sets with two of them for the names. Six can: three images
    give one unit a name, and the only calibration image does not show it. Of nine, no object is on five test
    images and missing from five."""
    small = annotated_study(tmp_path, per_category)
    if per_category == 1:
        with pytest.raises(CannotAnswerError, match=r"3 annotated images.*at least 4 .* and 37 before"):
            open_localizers(small)
        return
    if per_category == 2:
        with pytest.raises(CannotAnswerError, match=r"no image shows any labelled concept.*annotate more"):
            open_localizers(small)
        assert "annotate more" in check("04_2.4", small, "bed")
        return
    localizers = open_localizers(small)
    one = localizers["scene"]
    for ask in (
        lambda: tables.compare_networks(localizers),
        lambda: sentences.describe_networks(localizers),
        lambda: sentences.describe_differences(small, localizers),
        lambda: figures.figure_11bc_precision(localizers),
        lambda: tables.best_cases(small, one),
    ):
        with pytest.raises(CannotAnswerError, match=r"more than 3 images.*so 37 of one set"):
            ask()
    assert "37 of one set" in check("04_2.4", small, "bed")
    assert not check("04_2.4", small, "bed").right
    assert "nan" not in sentences.describe_calibration(localizers)


def test_how_many_annotated_images_are_enough(study, monkeypatch):
    """From 37 on a quarter, rounded up, is ten images or more; of 36 it is nine."""
    for n in range(37, 200):
        monkeypatch.setattr(type(study), "scene_images", lambda self, n=n: [str(k) for k in range(n)])
        assert len(_split_images(study)["test"]) >= 10
    monkeypatch.setattr(type(study), "scene_images", lambda self: [str(k) for k in range(36)])
    assert len(_split_images(study)["test"]) == 9


def test_one_network_has_nothing_to_be_compared_with(study, found):
    alone = {"scene": found["scene"]}
    with pytest.raises(CannotAnswerError, match=r"one network only, scene.*\[networks\.<name>\]"):
        sentences.describe_differences(study, alone)
    assert tables.compare_networks(alone).network.tolist() == ["scene"]
    assert figures.figure_11bc_precision({"object": found["object"]}).caption


def test_annotations_that_name_nothing(found):
    labels = found["scene"].automatic
    bare = replace(labels, concepts=labels.concepts.assign(kind="materials"))
    with pytest.raises(CannotAnswerError, match="name no object on the 24 images"):
        _named_units(bare)
    dead = {layer: replace(one, active=0 * one.active) for layer, one in labels.counts.items()}
    with pytest.raises(CannotAnswerError, match="no unit of the scene network is active"):
        _named_units(replace(labels, counts=dead))


# ---- objects that only some annotators know


def scored(found, present: dict[str, str], seed: int = 0) -> StudyLocalizer:
    """Detectors of some objects, with 1 for an image that shows it, 0 for one that does not, and - for one
    whose annotators do not know it. Peaks are random, the same for all networks of one seed."""
    truth = np.array([[{"1": 1, "0": 0, "-": -1}[c] for c in row] for row in present.values()]).T
    rng = np.random.default_rng(seed)
    rows = [
        (name, "objects", how, "pool5", (k,))
        for k, name in enumerate(present)
        for how in ("best unit", "unit")
    ]
    twice = np.repeat(truth, 2, axis=1)
    pixels = np.stack(
        [np.minimum(twice, 1) * 2, np.where(twice < 0, -1, 5), np.where(twice > 0, 4, twice)], 2
    )
    scores = DetectorScores(
        pd.DataFrame(rows, columns=["concept", "kind", "how", "layer", "units"]),
        tuple(str(k) for k in range(len(truth))),
        np.repeat(rng.random(truth.shape), 2, axis=1),
        pixels,
        np.ones((len(rows), 2, 4), int),
        found["scene"].scores.boxes,
    )
    return replace(found["scene"], scores=scores)


TWO_SETS = {
    "door": "1" * 6 + "0" * 8 + "-" * 20,  # judged on 14 images
    "fence": "-" * 14 + "1" * 9 + "0" * 11,  # on 20
    "sky": "1" * 30 + "0" * 4,  # on nearly all: missing from four only
    "bed": "1" * 34,  # on all
}


def test_n_is_that_of_each_object(study, found):
    one = scored(found, TWO_SETS)
    table = one.objects(intervals=False).set_index("concept")
    assert table.n.to_dict() == {"door": 14, "fence": 20}
    text = sentences.describe_networks({"scene": one})
    assert "over 2 objects and 14 to 20 images" in text
    cases = one.scores.table(concepts=["door", "fence"]).assign(
        network="scene", frame=[np.zeros((9, 9, 3), np.uint8)] * 2, mask=[np.ones((9, 9), bool)] * 2
    )
    plate = figures.figure_11a_segmentations(cases)
    assert "the test images whose annotators know the object (14 to 20)" in plate.caption
    assert {"chance 43%, n = 14", "chance 45%, n = 20"} <= {text.get_text() for text in plate.texts}
    same = figures.figure_11a_segmentations(cases.assign(n=14))
    assert "both over 14 test images" in same.caption
    assert "(14 to 20)" in figures.figure_11bc_precision({"scene": one}).caption


def test_networks_are_compared_over_the_same_objects(study, found):
    """The second network's frame cuts the fence off."""
    one, other = (
        scored(found, TWO_SETS),
        scored(found, TWO_SETS | {"fence": "-" * 14 + "1" * 3 + "0" * 17}, 1),
    )
    table = tables.compare_networks({"scene": one, "object": other}).set_index("network")
    assert table.objects.tolist() == [1, 1]
    door = [each.objects(intervals=False).set_index("concept").ap["door"] for each in (one, other)]
    assert table.ap.tolist() == pytest.approx(door)
    text = sentences.describe_networks({"scene": one, "object": other})
    assert "nan" not in text
    assert "AP" in text
    assert "mean AP" not in text
    assert "over 1 object and 14 images" in text
    nothing = {"scene": one, "object": scored(found, {"bed": "1" * 34})}
    with pytest.raises(CannotAnswerError, match="missing from 5"):
        tables.compare_networks(nothing)


def test_an_object_on_every_image_is_not_our_success(found):
    """Its AP is 1 whatever a unit does."""
    one = scored(found, TWO_SETS)
    table = tables.compare_with_paper(one).set_index("concept")
    assert table.loc["bed", ["n", "images", "ap", "chance"]].tolist() == [34, 34, 1.0, 1.0]
    text = sentences.describe_paper_comparison(one)
    assert "chance would decide" in text
    assert "Not counted: bed (on 34 of 34)" in text
    some = scored(found, TWO_SETS | {"bed": "1" * 29 + "0" * 5, "mountain": "1" * 30 + "0" * 4})
    text = sentences.describe_paper_comparison(some)
    assert "Of 1 object that the paper shows too" in text
    assert "Not counted: mountain (on 30 of 34)" in text
    with pytest.raises(CannotAnswerError, match="none of the objects of the paper's Figure 11a"):
        tables.compare_with_paper(scored(found, {"door": "10" * 10}))


def test_exercises_tell_right_from_wrong(study, found):
    best = found["scene"].objects(intervals=False).sort_values("ap").concept.tolist()
    right = {"04_2.1": 1 / 3, "04_2.2": 10, "04_2.3": "recall", "04_2.4": best[-1]}
    wrong = {"04_2.1": 0.25, "04_2.2": 40, "04_2.3": "precision", "04_2.4": best[0]}
    for exercise, answer in right.items():
        assert check(exercise, study, answer).right, exercise
        assert not check(exercise, study, wrong[exercise]).right, exercise


@pytest.mark.parametrize("lost", ["object", "scene"])
def test_a_network_that_cannot_be_calibrated(study, found, monkeypatch, lost):
    """The object network is left out, and said to be; without the main network nothing is left."""
    monkeypatch.setitem(module._OPEN, study, {})
    whole = module._study_localizer

    def sometimes(study, name, *rest):
        if name == lost:
            raise CannotAnswerError("no image shows any labelled concept")
        return whole(study, name, *rest)

    monkeypatch.setattr(module, "_study_localizer", sometimes)
    with pytest.raises(CannotAnswerError, match="no image shows"):
        StudyLocalizer.of(study, lost)
    if lost == "scene":
        with pytest.raises(CannotAnswerError, match="no image shows"):
            open_localizers(study)
        return
    localizers = open_localizers(study)
    assert list(localizers) == ["scene"]
    assert "- object network: left out" in sentences.describe_splits(study, localizers)
    assert "left out" not in sentences.describe_splits(study, found)

"""The widget without a browser: the model, its words, and how view and model follow each other."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

import scenelens as sl
from scenelens.errors import CannotAnswerError, SceneLensError
from scenelens.images import load_image
from scenelens.localization import widget
from scenelens.localization.examples import _judged
from scenelens.localization.image_reader import _image_paths, _ImageReader
from scenelens.localization.study_localizers import StudyLocalizer
from scenelens.localization.truth import ImageConcepts
from scenelens.localization.widget import _SCORES, _SIDE, _TILE, _unit_page, localize_image
from scenelens.studies.ranking import top_images
from scenelens.studies.study import open_study
from tests.annotated_study import annotated_study
from tests.minimal_images.test_widget import uploaded
from tests.small_network import photograph
from tests.tiny_study import write_tiny_study


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return annotated_study(tmp_path_factory.mktemp("annotated"), 16)


@pytest.fixture
def view(study):
    made = localize_image(study)
    made.least.value = 0.0
    yield made
    made.close()


def shown(image) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(image.value)))


def names(view) -> list[str]:
    return [button.description for button in view.buttons if button.layout.display != "none"]


def with_boxes(view) -> _ImageReader:
    """The model, moved to an image that has boxes at its layer."""
    model = view.model
    for image in model.paths:
        model.choose(image=image)
        if len(model.boxes()):
            return model
    raise AssertionError("no image of the study has a box")


def test_it_begins_with_a_calibration_image_whose_boxes_are_right(study, view):
    model, opened = view.model, StudyLocalizer.of(study, "scene")
    names = {study.annotations.path(image): image for image in opened.splits["calibration"]}
    assert model.paths[model.image] in names
    # The rule by hand, over all of these images.
    good = []
    for path, name in names.items():
        seen = opened(load_image(path))
        boxes = seen.boxes[(seen.boxes.layer == seen.layers[-1]) & (seen.boxes.confidence >= 0.2)]
        known = dict(ImageConcepts.read(study.networks["scene"], study.annotations, [name]))[name]
        right = _judged(opened, seen.boxes, known)[boxes.index]
        if right.any() and right.dropna().all() and not seen.doubtful[boxes.index[right.notna()]].any():
            good.append(path)
    if good:
        assert model.paths[model.image] == good[0]
    assert (model.network, model.layer) == ("scene", model.layers()[-1])
    assert shown(view.picture).shape == (_SIDE, _SIDE + _SCORES, 3)
    best = model.seen.scene.iloc[0]
    assert f"{best.predicted} ({100 * best.probability:.0f}%)" in view.status.value
    assert view.folder.value == model.image.rpartition("/")[0]


def test_buttons_are_the_boxes_and_show_the_unit(study, view):
    model = with_boxes(view)
    boxes = model.seen.best_boxes(model.layer, 8, 0.0)
    concepts = boxes.concept + np.where(boxes.here_right == 0, "?", "")
    assert names(view) == [
        f"{k + 1} {concept} {100 * row.confidence:.0f}% · {row.images}"
        for k, (concept, row) in enumerate(zip(concepts, boxes.itertuples(), strict=True))
    ]
    assert view.unit.layout.display == "none"
    before = view.picture.value
    view.buttons[0].click()
    assert model.box == 0
    assert view.picture.value != before
    assert f"{model.layer}:{boxes.unit.iloc[0]}" in view.status.value
    picture = shown(view.unit)
    assert view.unit.layout.display == ""
    assert picture.shape[0] == _TILE + 24
    assert picture.std() > 10
    view.buttons[0].click()
    assert model.box == -1
    assert view.unit.layout.display == "none"


def test_the_threshold_takes_boxes_away(view):
    model = with_boxes(view)
    n = len(names(view))
    view.buttons[0].click()
    view.least.value = 1.0
    assert names(view) == []
    assert model.box == -1
    assert "0 of" in view.status.value
    view.least.value = 0.0
    assert len(names(view)) == n


def test_controls_and_model_follow_each_other(study, view):
    model = view.model
    view.layer.value = "pool2"
    assert model.layer == "pool2"
    view.network.value = "object"
    assert (model.network, model.layer) == ("object", "pool2")
    view.folder.value = next(name for name in view.folders if name.endswith("object/ball"))
    assert model.image.endswith("object/ball/0.png")
    view.number.value = 3
    assert model.image == view.folders[view.folder.value][2]
    assert view.number.max == 16
    model.choose(network="scene", image=next(iter(model.paths)))
    assert view.network.value == "scene"
    assert view.number.value == 1


def test_the_classes_are_those_of_the_network(view):
    view.network.value = "object"
    assert set(view.model.seen.scene.predicted) == {"apple", "ball"}


def test_a_readers_photograph(view):
    content = io.BytesIO()
    Image.fromarray(photograph(9, (60, 90))).save(content, "PNG")
    view.upload.value = uploaded("mine.png", content.getvalue())
    assert view.model.image == "mine.png"
    assert (view.folder.label, view.number.value, view.number.max) == ("my photos", 1, 1)
    assert view.upload.value == ()  # the button counts no file that was looked at
    assert "mine.png" in view.status.value
    np.testing.assert_array_equal(
        view.model.seen.frame, view.model.study.networks["scene"].show_input(photograph(9, (60, 90)))
    )
    view.folder.value = next(iter(view.folders))
    assert view.model.image in view.model.paths
    view.folder.value = "my photos/"  # there is a way back
    assert view.model.image == "mine.png"


def test_another_photograph_of_the_same_name_is_another_one(view):
    for seed in (1, 2):
        content = io.BytesIO()
        Image.fromarray(photograph(seed, (60, 90))).save(content, "PNG")
        view.upload.value = uploaded("mine.png", content.getvalue())
    assert (view.model.image, view.number.value, view.number.max) == ("mine.png (2)", 2, 2)
    np.testing.assert_array_equal(view.model.uploads["mine.png"], photograph(1, (60, 90)))
    view.tools.buttons["undo"].click()
    assert view.model.image == "mine.png"


def listed(view) -> list[str]:
    return [image for _, image in view.finder.controls["found"].options][1:]


def test_an_image_is_found_by_its_category_and_by_what_is_annotated_on_it(study, view):
    find, paths = view.finder.controls, list(view.model.paths)
    find["find"].value = "Ball"
    assert listed(view) == [image for image in paths if "object/ball" in image]
    find["find"].value = "window"  # on the quarter of every attic, and nowhere else
    assert listed(view) == [image for image in paths if "scene/attic" in image]
    assert find["found"].options[1][0].endswith("· window 25%")
    find["found"].value = listed(view)[3]
    assert view.model.image == listed(view)[3]
    assert view.folder.value == view.model.image.rpartition("/")[0]
    view.number.value = 1
    assert find["found"].value == listed(view)[0]  # what is shown is marked


def test_images_are_listed_by_their_purpose_and_by_the_size_of_the_object(study, view):
    find, opened = view.finder.controls, StudyLocalizer.of(study, "scene")
    paths = {str(study.annotations.path(name)): name for name in opened.splits["test"]}
    find["show"].value = "test"
    assert {paths[str(view.model.paths[image])] for image in listed(view)} == set(paths.values())
    find["show"].value, find["find"].value = "all", "bed"
    find["order"].value = "size of the object"
    found = listed(view)
    assert all("attic" in image for image in found)
    assert find["found"].options[1][0].endswith("· bed 50%")  # two quarters of each attic
    find["find"].value, find["order"].value = "", "name"
    names = [image.rpartition("/")[2] for image in listed(view)]
    assert names == sorted(names)
    assert len(names) == len(view.model.paths)


def test_the_readers_own_photographs_are_listed_by_themselves(view):
    find = view.finder.controls
    find["show"].value = "my photos"
    assert listed(view) == []
    content = io.BytesIO()
    Image.fromarray(photograph(9, (60, 90))).save(content, "PNG")
    view.upload.value = uploaded("mine.png", content.getvalue())
    assert listed(view) == ["mine.png"]
    assert find["found"].value == "mine.png"


def test_a_unit_from_another_widget_is_looked_at_where_the_image_has_its_box(study, view):
    model = with_boxes(view)
    unit = int(model.boxes().unit[0])
    browser = sl.browse_units(study)
    browser._view_count = view._view_count = 1  # as Jupyter counts
    without = next(k for k in range(1, browser.model.units()) if k not in set(model.boxes().unit))
    shown = model.image
    browser.model.choose(unit=without)
    assert (model.image, model.unit()) == (shown, None)
    assert view.shared.description == f"Show pool5:{without} of scene"
    browser.model.choose(unit=unit)
    assert (model.image, model.unit()) == (shown, unit)
    assert view.shared.layout.display == "none"
    browser.model.choose(unit=without)
    assert (model.image, model.unit()) == (shown, unit)  # its own box is not taken from the reader
    view.shared.click()
    assert model.unit() == without or "no box of" in view.status.value
    browser.close()


def test_a_unit_is_shown_on_an_image_that_has_its_box(study, view):
    model = with_boxes(view)
    unit, home = int(model.boxes().unit[0]), model.image
    tops = [top.image for top in top_images(study, "scene", model.layer, unit, 6)]
    assert model.go_to_unit("scene", model.layer, unit)
    assert (model.image, model.unit()) == (home, unit)  # this image has one
    model.choose(image=next(image for image in model.paths if "object/" in image), network="object")
    if model.go_to_unit("scene", "pool5", unit):
        assert (model.network, model.unit()) == ("scene", unit)
    else:
        assert model.image == tops[0]
    model.least = 1.0
    if not len(model.boxes()):
        assert not model.go_to_unit("scene", "pool5", unit)
        assert model.box == -1
    with pytest.raises(SceneLensError, match="not at conv1: choose a unit of these"):
        model.go_to_unit("scene", "conv1", 3)


def test_undo_brings_the_box_back(view):
    model = with_boxes(view)
    view.buttons[0].click()
    view.least.value = 1.0
    assert model.box == -1
    view.tools.buttons["undo"].click()
    assert (model.box, view.least.value) == (0, 0.0)
    assert view.unit.layout.display == ""


def test_code_and_table_are_of_what_is_shown(study, view):
    model = with_boxes(view)
    view.buttons[0].click()
    lines = model.code().splitlines()
    scope = {"sl": sl, "study": study}
    exec("\n".join(lines[:-1]), scope)
    assert scope["view"].model.state() == model.state()
    assert model.table().concept.tolist() == model.boxes().concept.tolist()
    assert set(model.table().image) == {model.image}


def test_a_file_that_is_no_image_raises_and_changes_nothing(view):
    before = view.model.image
    with pytest.raises(SceneLensError, match=r"the image notes\.txt is unreadable"):
        view.upload.value = uploaded("notes.txt", b"no image")
    assert view.status.failed
    assert view.upload.value == ()
    assert view.model.image == before


def test_a_measured_field_is_shown(study, view, monkeypatch):
    from tests.made_up_fields import blob_field

    model = with_boxes(view)
    unit = int(model.boxes().unit[0])
    model.box = 0
    plain = _unit_page(model)
    fields = StudyLocalizer.of(study, "scene").units.fields
    monkeypatch.setitem(fields, model.layer, {unit: blob_field(unit, model.layer)})
    field = _unit_page(model)
    assert (plain[:_TILE, :_TILE] != field[:_TILE, :_TILE]).any()
    np.testing.assert_array_equal(plain[:, _TILE + 8 :], field[:, _TILE + 8 :])


def test_an_unknown_image_or_network_raises(study, tmp_path):
    with pytest.raises(SceneLensError, match="no image 'attic'"):
        _ImageReader(study, image="attic")
    with pytest.raises(SceneLensError, match=r"no network named 'seen'.*scene"):
        _ImageReader(study, "seen")
    bare = open_study(write_tiny_study(tmp_path))
    for show in (localize_image, _ImageReader):
        with pytest.raises(CannotAnswerError, match="no annotations"):
            show(bare)


def test_every_image_of_a_study_can_be_chosen_once(study):
    paths = _image_paths(study)
    assert len(paths) == len(set(paths.values())) == len(study.images)
    assert widget._by_folder(paths)["object/ball"][0] == "object/ball/0.png"


def test_what_was_seen_is_looked_at_again_where_the_photograph_or_the_network_has_changed(tmp_path):
    study = annotated_study(tmp_path, 4)
    model = _ImageReader(study, "scene")
    before = model.seen
    assert model.seen is before
    path = model.paths[model.image]
    path.write_bytes(model.paths[next(one for one in model.paths if one != model.image)].read_bytes())
    replaced = model.seen
    assert not replaced.scene.probability.equals(before.scene.probability)
    with torch.no_grad():
        study.networks["scene"].module.get_submodule("fc8").weight.mul_(3)
    assert not model.seen.scene.probability.equals(replaced.scene.probability)

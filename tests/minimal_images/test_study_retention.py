"""What scenes keep, for a whole study: examples, the network with a head, the paper, shipped results."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from scenelens import paper
from scenelens.errors import CannotAnswerError, SceneLensError
from scenelens.exercises import check
from scenelens.minimal_images import examples, figures, sentences, study_retention
from scenelens.minimal_images.retention_search import Retention, _ImageRetention
from scenelens.studies.study import open_study
from tests.annotated_study import annotated_study
from tests.minimal_images.test_search import check_same
from tests.tiny_study import write_tiny_study


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return annotated_study(tmp_path_factory.mktemp("annotated"))


@pytest.fixture(scope="module")
def favourite(study):
    """The class that the random scene network gives to most images."""
    network = study.networks["scene"]
    seen = network.predict([study.load_image(image) for image in study.images.image[:27]], top=1)
    return seen.predicted.mode()[0]


def test_categories_are_the_papers_or_the_most_frequent(study, monkeypatch):
    assert sorted(examples.choose_categories(study)) == ["attic", "beach", "cave"]
    assert len(examples.choose_categories(study, n=2)) == 2
    monkeypatch.setitem(paper.RETENTION, "cave", {"rock": 0.5})
    assert examples.choose_categories(study) == ["cave", "attic", "beach"]
    assert examples.choose_categories(study, n=None) == ["cave", "attic", "beach"]


def test_an_example_is_one_that_is_recognised(study, favourite):
    one = examples.example_scene(study, favourite)
    assert study.networks["scene"].predict(one.photograph, top=1).predicted[0] == favourite
    assert {"lamp"} < set(one.regions.names)
    with pytest.raises(SceneLensError, match="close names: attic"):
        examples.example_scene(study, "atic")


def test_both_ways_of_cutting(study, favourite):
    (by_objects, first), (by_regions, second) = examples.by_objects_and_regions(study, favourite)
    assert "objects" in by_objects
    assert "edges" in by_regions
    assert len(first.kept) == 4
    assert len(second.kept) > 4


def test_both_ways_are_cached_and_the_network_does_not_run_again(study, favourite, tmp_path, monkeypatch):
    """Bit for bit; a damaged file is made again."""
    monkeypatch.setattr(study, "cache", tmp_path)
    first = examples.by_objects_and_regions(study, favourite)
    network = study.networks["scene"]
    with monkeypatch.context() as patch:
        patch.setattr(type(network), "__call__", lambda *_: pytest.fail("the network ran"))
        second = examples.by_objects_and_regions(study, favourite)
    assert [words for words, _ in second] == [words for words, _ in first]
    for (_, one), (_, two) in zip(first, second, strict=True):
        check_same(one, two)
    files = {path: path.read_bytes() for path in (tmp_path / "minimal").glob("*.json")}
    assert sum(map(len, files.values())) < 20_000
    for path in files:
        path.write_text('{"predicted": 17')
    for (_, one), (_, two) in zip(first, examples.by_objects_and_regions(study, favourite), strict=True):
        check_same(one, two)
    assert {path: path.read_bytes() for path in files} == files


def test_a_study_without_annotations_still_has_examples(tmp_path):
    bare = open_study(write_tiny_study(tmp_path))
    assert examples.choose_categories(bare, n=None) == ["attic", "beach", "cave"]
    assert examples.example_scene(bare, "cave").regions is None
    assert [words for words, _ in examples.by_objects_and_regions(bare, "cave")] == [
        "cut by edges and regions"
    ]
    with pytest.raises(CannotAnswerError, match="no annotations"):
        study_retention.compare_retention(bare, ["cave"])
    with pytest.raises(SceneLensError, match="add an \\[annotations\\] table"):
        study_retention.category_retention(bare, "cave")


def test_the_head_is_a_linear_layer_on_the_others_features(study):
    probe = study_retention._scene_probe(study, "object")
    assert probe.classes == ["attic", "beach", "cave"]
    assert probe.module.trained_on == 27
    images = [study.load_image(image) for image in study.images.image[:27]]
    frames = np.stack([probe.show_input(one) for one in images])
    logits = probe(frames, framed=True).numpy()
    values = study.index("object").values(probe.module.layer)[:27]
    by_objects = (
        values @ probe.module.head.weight.detach().numpy().T + probe.module.head.bias.detach().numpy()
    )
    np.testing.assert_allclose(logits, by_objects, rtol=1e-3, atol=1e-4)


def test_the_head_never_saw_what_it_is_judged_by(study):
    one, all_nine = ([study_retention.category_retention(study, "attic", n=n)] for n in (1, 9))
    probe = study_retention._network_with_head(study, one)
    assert probe is not None
    assert probe.module.trained_on == 26
    assert study_retention._network_with_head(study, all_nine) is None  # no attic is left to learn from


def test_too_few_scenes_for_a_head(tmp_path):
    with pytest.raises(SceneLensError, match="no two scene categories of 8 images"):
        study_retention._scene_probe(open_study(write_tiny_study(tmp_path)))


def test_comparing_and_reading(study, favourite):
    found = study_retention.compare_retention(study, [favourite], n=1)
    assert [one.category for one in found["scene"]] == [favourite]
    assert found["object"][0].target == favourite
    text = sentences.describe_retention(found)
    assert text.count(f"**{favourite}**") == 2
    assert "with a head for scenes" in text


def test_a_table_with_the_papers_shares(monkeypatch):
    monkeypatch.setitem(paper.RETENTION, "attic", {"lamp": 0.25, "stairs": 1.0})
    one = _ImageRetention("a", "", ("bed", "lamp"), (0.5, 0.5), (True, False), (True, True))
    found = Retention("attic", "attic", (one,) * 5 + (_ImageRetention("b", "not classified"),), {})
    table = found.compare_with_paper().set_index("object")
    assert table.index.tolist() == ["bed", "lamp"]
    assert (table.paper["lamp"], np.isnan(table.paper["bed"])) == (0.25, True)
    assert found.compare_with_paper(least=6).empty  # also what the paper names has to be in enough images
    assert found.compare_with_paper(n=1).object.tolist() == ["bed", "lamp"]  # the paper names the lamp
    text = sentences.describe_retention(found)
    assert "5 of 6 annotated images" in text
    assert "lamp 0%" in text
    assert "(the paper: 25%)" in text
    assert "6 annotated images were classified correctly" in text
    few = Retention("cave", "cave", (one,), {})
    assert "1 of 1 annotated images was classified correctly" in sentences.describe_retention(few)
    assert "No object is in 5 of them, so none is counted." in sentences.describe_retention(few)
    assert "2 objects in fewer than 5 images are left out." in sentences.describe_retention(few)


def counted(category, *objects):
    """A category's counts: each object given as (name, images it is on, images that keep it)."""
    images = []
    for k in range(max(n for _, n, _ in objects)):
        names = [name for name, n, _ in objects if k < n]
        kept = tuple(k < n_kept for _, n, n_kept in objects if k < n)
        images.append(
            _ImageRetention(str(k), "", tuple(names), (0.1,) * len(kept), kept, (True,) * len(kept))
        )
    return Retention(category, category, tuple(images), {})


def test_what_the_paper_names_is_said_even_where_little_is_kept(monkeypatch):
    quoted = {"carousel": 0.75, "tent": 0.9, "ride": 0.64, "roller coaster": 0.5}
    monkeypatch.setitem(paper.RETENTION, "fair", quoted)
    kept = [
        ("tent", 8, 8),
        ("wheel", 8, 7),
        ("booth", 8, 6),
        ("tree", 8, 5),
        ("carousel", 8, 2),
        ("ride", 3, 3),
    ]
    found = counted("fair", *kept)
    text = sentences.describe_retention(found)
    differs, others = text.split("8 of 8 annotated images were classified correctly.")
    assert differs.startswith("**fair**: not as in the paper: carousel 25% (95% interval 7–59%, n = 8)")
    assert differs.endswith("(the paper: 75%). ")
    assert "tent" not in differs
    assert "Kept most often besides: tent 100%" in others
    assert "(the paper: 90%)" in others
    assert "tree" not in text
    assert "carousel" not in others
    assert "1 object in fewer than 5 images is left out, the paper's ride among them." in others
    assert text.endswith(" Not annotated on these images: the paper's roller coaster.")


def test_what_the_paper_names_and_agrees_with_is_said_after_the_most_kept(monkeypatch):
    monkeypatch.setitem(paper.RETENTION, "fair", {"tree": 0.6})
    found = counted("fair", ("tent", 8, 8), ("wheel", 8, 7), ("booth", 8, 6), ("tree", 8, 5))
    first, others = sentences.describe_retention(found).split("The paper names as well: ")
    assert "not as in the paper" not in first
    assert "tree" not in first
    assert "tree 62%" in others


def test_a_network_that_the_paper_did_not_try_is_not_compared_with_it(monkeypatch):
    monkeypatch.setitem(paper.RETENTION, "fair", {"carousel": 0.75})
    one = counted("fair", ("carousel", 8, 0))
    text = sentences.describe_retention({"scene": [one], "object": [one]})
    scene, other = text.split("The object network, with a head for scenes (the paper did not try one):")
    assert "not as in the paper: carousel 0%" in scene
    assert "not as in the paper" not in other
    assert "75%" not in other
    assert text.startswith("Segments are removed until another class is more probable.")
    assert text.endswith("another training of the same kind, from another start, could differ by more.")


def emptied(rule="class"):
    """Three recognised images: one keeps nothing by class; the empty picture is twice a bath, once a bed."""
    images = [
        _ImageRetention(str(k), "", ("tub", "wall"), (0.3, 0.7), kept, (True, True), (True, False), said)
        for k, (kept, said) in enumerate(
            [((False, False), "bath"), ((True, False), "bath"), ((True, False), "bed")]
        )
    ]
    return Retention("bath", "bath", (*images, _ImageRetention("x", "not classified as bath")), {}, rule)


def test_what_the_network_says_of_the_empty_picture_is_part_of_the_text():
    text = sentences.describe_retention(emptied())
    assert text.endswith(
        " 1 of these images keeps nothing at all. Of the empty picture, with every segment removed, the "
        "network says bath in 2 of 3 images."
    )
    other = sentences.describe_retention(replace(emptied(), target="bed"))
    assert "the network says bed in 1 of 3 images; most often it says bath (2)." in other
    half = sentences.describe_retention(emptied("half"))
    assert "keeps nothing" not in half
    assert "random order" not in half
    assert "random order" in text


def test_the_table_of_empty_pictures_by_hand():
    many = replace(emptied(), per_image=emptied().per_image * 3)
    row = study_retention._empty_row("scene", many)
    assert row == {
        "network": "scene", "category": "bath", "n": 9, "same": 6, "called": "bath", "called_n": 6,
        "nothing": 3, "kept": "tub", "share": 6 / 9, "half": "tub", "half_share": 1.0,
    }  # fmt: skip
    few = study_retention._empty_row("scene", emptied())
    assert (few["kept"], few["half"]) == ("", "")  # three images are too few
    old = tuple(replace(one, half=(), empty="") for one in many.per_image)
    row = study_retention._empty_row("scene", replace(many, per_image=old))
    assert (row["kept"], row["half"], row["called"]) == ("tub", "", "")


def test_empty_pictures_in_words():
    rows = [
        ("scene", "bathroom", 27, 26, "bathroom", 26, 26, "bathtub", 0.04, "bathtub", 0.9),
        ("scene", "street", 25, 0, "bathroom", 20, 0, "sky", 0.8, "car", 0.7),
        ("scene", "beach", 20, 0, "farm", 20, 0, "sand", 0.9, "sand", 1.0),
        ("object", "street", 0, 0, "", 0, 0, "", np.nan, "", np.nan),
    ]
    names = ["network", "category", "n", "same", "called", "called_n", "nothing"]
    names += ["kept", "share", "half", "half_share"]
    text = sentences.describe_empty(pd.DataFrame(rows, columns=names))
    assert "72 recognised images of 3 categories: 26 are still recognised when everything is removed" in text
    assert "bathroom in 2 of 3 (by 46 of their 52 images), farm in 1 of 3 (by 20 of their 20 images)." in text
    assert "nothing is kept (scene network): bathroom 26 of 27." in text
    assert "another one in 1 of 3 categories that were searched by both rules: street (sky 80%" in text
    assert "object network**" not in text
    none = pd.DataFrame(rows[3:], columns=names)
    assert sentences.describe_empty(none).startswith("No annotated image was classified correctly")


def test_the_categories_of_empty_pictures(study, monkeypatch, favourite):
    monkeypatch.setattr(study_retention, "choose_categories", lambda _, n=4: [favourite])
    table = study_retention.empty_pictures(study, n=9)
    assert table.loc[0, ["network", "category"]].tolist() == ["scene", favourite]
    found = study_retention.category_retention(study, favourite, n=9)
    assert table["n"][0] == len(found.counted) > 0
    assert sentences.describe_empty(table)


def test_the_baseline_in_the_text_is_the_random_choice_of_as_many_segments():
    """Two of three segments are kept, removal in random order keeps all: chance is two thirds, not 100%."""
    one = _ImageRetention("a", "", ("tent", "wheel", ""), (0.1, 0.2, 0.7), (True, False, True), (True,) * 3)
    text = sentences.describe_retention(Retention("fair", "fair", (one,) * 5, {}))
    assert "tent 100% (95% interval 57–100%, n = 5), by a random choice 67%" in text
    assert "keeps 80% of the pixels on average; a random choice of as many segments, 67%." in text


def test_almost_all_pixels_are_not_all():
    one = _ImageRetention("a", "", ("tent", "wheel"), (0.0016, 0.9984), (False, True), (True,) * 2)
    text = sentences.describe_retention(Retention("fair", "fair", (one,) * 5, {}))
    assert "keeps 99.8% of the pixels on average; a random choice of as many segments, 50%." in text


def test_what_is_shipped_is_taken_where_the_segments_are_the_same(study, favourite, tmp_path, monkeypatch):
    path = tmp_path / "retention.json"
    monkeypatch.setattr(study_retention, "_shipped_file", lambda _: path)
    monkeypatch.setattr(study_retention, "choose_categories", lambda _, n=4: [favourite])
    assert study_retention.ship_retention(study, n=9) == path
    live = study_retention.category_retention(study, favourite, n=9)
    monkeypatch.setattr(study, "cache", tmp_path / "empty")

    def never(*_):
        raise AssertionError("searched again")

    with monkeypatch.context() as patch:
        patch.setattr("scenelens.minimal_images.retention_search._RetentionSearch._search", never)
        again = study_retention.category_retention(study, favourite, n=9).table
    pd.testing.assert_frame_equal(again, live.table, atol=1e-4)
    assert live.counted
    stored = json.loads(path.read_text())
    for rows in stored.values():
        for row in rows:
            row["names"][0] = "another"
    path.write_text(json.dumps(stored) + " ")
    with monkeypatch.context() as patch:
        patch.setattr("scenelens.minimal_images.retention_search._RetentionSearch._search", never)
        with pytest.raises(AssertionError, match="searched again"):
            study_retention.category_retention(study, favourite, n=9)
    path.write_text("broken")
    again = study_retention.category_retention(study, favourite, n=9).table
    pd.testing.assert_frame_equal(again, live.table, atol=1e-4)


def test_nothing_ships_with_a_readers_study(study, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(study_retention, "category_retention", lambda *_: pytest.fail("searched"))
        assert study_retention.ship_retention(study) is None


def test_every_exercise_has_a_right_answer_and_a_wrong_one(study, favourite, monkeypatch):
    monkeypatch.setattr("scenelens.minimal_images.exercises.choose_categories", lambda _, n=4: [favourite])
    table = study_retention.category_retention(study, favourite).table
    often = table[table.n >= 5].object
    right = {"03_1.1": 27, "03_1.2": often.iloc[0], "03_1.3": "it stops early", "03_1.4": "one colour"}
    wrong = {"03_1.1": 10, "03_1.2": often.iloc[-1], "03_1.3": "it is wiser", "03_1.4": "black"}
    for exercise, answer in right.items():
        assert check(exercise, study, answer).right, exercise
        assert not check(exercise, study, wrong[exercise]).right, exercise


def test_scene_photographs_are_used_where_annotations_name_no_scene(tmp_path):
    """Two kinds: masks in one flat folder, and outlines in folders that no class is called like."""
    path = write_tiny_study(tmp_path)
    masks = tmp_path / "masks"
    for place in ("images", "labels"):
        (masks / place).mkdir(parents=True)
        Image.new("RGB", (80, 60), (9, 9, 9)).save(masks / place / "a.png")
    table = '[annotations]\nroot = "masks"\nformat = "colour-mask"\n[annotations.colours]\nlamp = [9, 9, 9]\n'
    path.write_text(path.read_text() + table)
    study = open_study(path)
    assert examples.choose_categories(study, n=None) == ["attic", "beach", "cave"]
    example = examples.example_scene(study, "cave")
    assert example.regions is None
    assert list(example.cuts()) == ["edges and regions"]
    with pytest.raises(CannotAnswerError, match="no annotation of this study names a scene"):
        study_retention.compare_retention(study, ["cave"])
    for folder in ("attic", "beach", "cave"):
        (tmp_path / "photos" / "scene" / folder).rename(tmp_path / "photos" / "scene" / f"{folder} 1")
    with pytest.raises(CannotAnswerError, match="no photograph of the study shows what its scene network"):
        examples.choose_categories(open_study(path))


def test_a_photograph_that_is_listed_and_annotated_is_cut_by_its_objects(study):
    image = study.images["image"].iloc[0]
    assert examples._regions(study, image).names == examples._regions(study, study.annotated(image)).names


def test_no_other_network_is_compared_where_there_is_none(study, monkeypatch, favourite):
    counted = study_retention.category_retention(study, favourite)
    said = sentences.describe_retention({"scene": [counted]})
    assert "No object network is compared" in said
    assert "The scene network:" in said
    assert "orange" not in figures.retention_bars({"scene": [counted]}).caption


def test_annotated_scenes_that_the_network_does_not_know(study):
    with pytest.raises(CannotAnswerError, match="the object network knows none of the scenes"):
        study_retention.category_retention(study, "apple", "object")
    with pytest.raises(SceneLensError, match="close names: attic"):  # a typing error is one
        study_retention.category_retention(study, "atic")

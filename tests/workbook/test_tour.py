import shutil
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from scenelens import sceneworld
from scenelens.errors import CannotAnswerError
from scenelens.studies.study import open_study
from scenelens.workbook import tiles, tour
from tests.tiny_study import write_tiny_study


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """One tiny study for the whole file: its index is built once."""
    return open_study(write_tiny_study(tmp_path_factory.mktemp("tiny")))


class Annotated:
    """A stand-in for a study whose annotations are known by hand; nobody knows what z shows."""

    def truth_table(self):
        return None

    def scene_categories(self):
        return {"a": "bedroom", "b": "bedroom", "c": "street", "d": "street"}

    class annotations:
        @staticmethod
        def objects():
            rows = [
                ("a", "bed"), ("a", "bed"), ("a", "person"), ("b", "bed"),
                ("c", "person"), ("d", "person"), ("d", "car"), ("z", "car"), ("o", "car"),
            ]  # fmt: skip
            return pd.DataFrame(rows, columns=["image", "object"])


def test_presence_is_the_share_of_a_categorys_images():
    table = tour.object_presence(Annotated())
    assert list(table.index) == ["person", "bed", "car"]  # by mean presence: 3/4, 1/2, 1/4
    assert table.loc["bed"].to_dict() == {"bedroom": 1.0, "street": 0.0}
    assert table.loc["person"].to_dict() == {"bedroom": 0.5, "street": 1.0}
    assert table.loc["car"].to_dict() == {"bedroom": 0.0, "street": 0.5}
    assert list(tour.object_presence(Annotated(), at_most=1).index) == ["person"]


def test_presence_in_sentences():
    table = tour.object_presence(Annotated())
    table.attrs.clear()  # exact shares
    text = tour.describe_presence(table)
    assert "The most frequent object is **person**, in 75% of the images of an average category." in text
    assert "most about a scene is **bed**: in 100% of the images of bedroom, 50% on average" in text


def _counted(n: dict[str, int], **shares: list[float]) -> pd.DataFrame:
    table = pd.DataFrame(shares, index=list(n)).T
    table.attrs["annotated images"] = n
    return table


@pytest.mark.parametrize("n", [{"sky": 1, "kitchen": 2}, {"a": 1, "b": 1}, {"a": 2, "b": 2, "c": 1}])
def test_few_annotated_images_do_not_say_what_tells_scenes_apart(n):
    others = [0.0] * (len(n) - 1)
    text = tour.describe_presence(_counted(n, cloud=[1.0, *others], table=[*others, 1.0]))
    assert "The most frequent objects are **cloud** and **table**, each in" in text
    assert f"(of {sum(n.values())} annotated images in all)" in text
    assert "Too few images are annotated to say which object" in text
    assert "tells most about a scene is" not in text


def test_the_object_that_tells_most_is_one_whose_intervals_leave_a_gap():
    # All images of the sky show a vase, which is more than 80%, and they are one.
    n = {"sky": 1, "kitchen": 40, "office": 40}
    text = tour.describe_presence(_counted(n, vase=[1.0, 0, 0], stove=[0, 0.8, 0], wall=[1.0, 1.0, 1.0]))
    assert "The most frequent object is **wall**, in 100%" in text
    assert "(of 81 annotated images in all)" in text
    assert "most about a scene is **stove**: in 80% of the images of kitchen (n = 40), 27% on average" in text


def test_counts_of_images_come_with_the_shares():
    assert tour.object_presence(Annotated(), at_most=1).attrs["annotated images"] == {
        "bedroom": 2,
        "street": 2,
    }


def test_sceneworlds_presence_is_the_table_it_was_drawn_from():
    from scenelens.sceneworld.truth import scene_categories, scene_contents

    study = SimpleNamespace(truth_table=sceneworld.truth_table)
    table = tour.object_presence(study, at_most=1000)
    assert list(table.columns) == scene_categories()
    for scene in scene_categories():
        plain = {name: chance.presence for name, chance in scene_contents(scene).items() if "/" not in name}
        looks = {name.partition("/")[0] for name in scene_contents(scene) if "/" in name}
        for name in plain.keys() - looks:
            assert table.loc[name, scene] == pytest.approx(plain[name])
    assert ((table >= 0) & (table <= 1)).all(axis=None)


def test_nothing_is_said_about_differences_that_are_not_there():
    one = tour.describe_presence(pd.DataFrame({"bedroom": [1.0, 0.5]}, index=["bed", "lamp"]))
    assert "in 100% of the images of bedroom. There is one category only" in one
    equal = tour.describe_presence(pd.DataFrame({"bedroom": [0.5], "street": [0.5]}, index=["lamp"]))
    assert "none tells them apart" in equal


def test_a_study_without_annotations_says_so(study):
    with pytest.raises(CannotAnswerError, match="has no annotations: add an"):
        tour.object_presence(study)


def test_annotated_photographs_are_known_by_their_files(tmp_path):
    """Listed under other ids, and annotated in a format that names no scene: the folders name it."""
    path = write_tiny_study(tmp_path, per_category=2)
    photos = tmp_path / "photos" / "scene"
    masks = tmp_path / "masks"
    for number, picture in enumerate(sorted(photos.rglob("*.png"))):
        masks.joinpath("labels").mkdir(parents=True, exist_ok=True)
        masks.joinpath("images").mkdir(parents=True, exist_ok=True)
        masks.joinpath("images", f"{number}.png").symlink_to(picture)
        mask = np.zeros((60, 80, 3), np.uint8)
        mask[:30] = 200 if number % 2 else 100
        Image.fromarray(mask).save(masks / "labels" / f"{number}.png")
    colours = "[annotations.colours]\nlamp = [200, 200, 200]\nbed = [100, 100, 100]\n"
    table = '[annotations]\nroot = "masks"\nformat = "colour-mask"\n'
    path.write_text(path.read_text() + table + colours)
    table = tour.object_presence(open_study(path))
    assert table.loc["lamp"].to_dict() == {"attic": 0.5, "beach": 0.5, "cave": 0.5}


def test_the_study_in_a_few_lines(study):
    text = tour.describe_study(study)
    assert text.startswith("**tiny**: 20 images.")
    assert "- 12 scene-centric images in 3 categories." in text
    assert "- The object network: 11 layers, 227 × 227 pixels, 2 classes." in text
    assert "not annotated" in text


def test_results_of_earlier_runs_are_mentioned(tiny_study):
    assert "Nothing has been computed yet" in tour.describe_study(tiny_study)
    tiny_study.index("scene")
    assert "Stored by an earlier run and used again: the index of the scene network" in tour.describe_study(
        tiny_study
    )


def test_tidiness_compared_with_a_plain_loop(study):
    shares = tour.tidiness(study, "scene", "pool5", n=4)
    index = study.index("scene")
    category = study.images.set_index("image")["category"]
    for unit in (0, 7, 31):
        top = index.top_images("pool5", unit, 4)
        expected = category[top["image"]].value_counts().max() / 4 if top["peak"].max() > 0 else 0
        assert shares[unit] == pytest.approx(expected)


@pytest.mark.parametrize("active", [1, 3, 4, 5])
def test_images_in_the_order_of_the_list_are_no_top_images(study, monkeypatch, active):
    """A unit that is active in fewer than n images has no n top images, whatever their categories."""
    peaks = np.zeros_like(study.index("scene").peaks("pool5"))
    peaks[-active:, 3] = np.arange(active) + 1.0  # images of objects, which come last in the list
    monkeypatch.setattr(type(study.index("scene")), "peaks", lambda self, layer: peaks)
    shares = tour.tidiness(study, "scene", "pool5", n=4)
    assert (shares.drop(3) == 0).all()
    assert (shares[3] > 0) == (active >= 4)


def test_the_tidiest_unit_is_in_the_deepest_layer_with_a_map(study):
    layer, unit = tour.tidiest_unit(study, "object")
    assert layer == "pool5"
    shares = tour.tidiness(study, "object", layer)
    assert shares[unit] == shares.max()
    assert unit == int(np.flatnonzero(shares == shares.max())[0])


@pytest.mark.parametrize("in_scenes", [False, True])
def test_categories_of_one_image_each_are_none_to_agree_on(tmp_path, in_scenes):
    path = write_tiny_study(tmp_path, per_category=2)
    for picture in sorted((tmp_path / "photos").rglob("*.png")):
        if picture.parent.parent.name == "object" or not in_scenes:
            folder = picture.with_suffix("")
            folder.mkdir()
            picture.rename(folder / picture.name)
    study = open_study(path)
    layer, unit = tour.tidiest_unit(study)
    if in_scenes:  # the scenes' categories have two images each
        assert unit == tour.tidiness(study, "scene", layer).idxmax()
        return
    with pytest.raises(CannotAnswerError, match="a single image of each"):
        tour.tidiness(study, "scene", layer)
    peaks = study.index("scene").peaks(layer)
    assert peaks[:, unit].max() == peaks.max()


def test_random_weights_are_said_where_a_name_promises_training(tmp_path):
    path = write_tiny_study(tmp_path, per_category=1)
    keys = 'architecture = "caffenet"\nwidth = 0.125\nfc = 16\nclasses = 3\nseed = 4\n'
    path.write_text(path.read_text().replace("[[images]]", f"[networks.untrained]\n{keys}\n[[images]]", 1))
    text = tour.describe_study(open_study(path))
    for seed, name in ((1, "scene"), (2, "object")):
        (line,) = (one for one in text.splitlines() if one.startswith(f"- The {name} network's files: "))
        assert f"weights: random (seed {seed}), so it has learnt nothing" in line
    assert "(seed 4)" not in text  # the control's name says it
    assert "untrained network (a network with random weights, " in text


def test_a_network_alone_is_not_said_to_be_trained(tmp_path):
    path = write_tiny_study(tmp_path, per_category=1)
    scene = path.read_text()[: path.read_text().index("[networks.object]")]
    path.write_text(scene + path.read_text()[path.read_text().index("[[images]]") :])
    study = open_study(path)
    text = tour.describe_study(study)
    assert "Nothing is compared with the scene network: a comparison needs a second network" in text
    assert "No other trained" not in text
    with pytest.raises(CannotAnswerError, match="no network 'object'"):
        study.networks.other  # noqa: B018


@pytest.mark.parametrize("nested", [False, True])
def test_without_categories_no_unit_is_said_to_agree_on_one(tmp_path, nested):
    path = write_tiny_study(tmp_path, per_category=2)
    for place in ("scene", "object"):
        folder = tmp_path / "photos" / place
        for number, picture in enumerate(sorted(folder.rglob("*.png"))):
            picture.rename(folder / f"{number}.png")
    if nested:  # one category is none to agree on, either
        shutil.rmtree(tmp_path / "photos" / "object")
        text = path.read_text().replace('"photos/scene"', '"photos"')
        start, end = text.rindex("[[images]]"), text.index("[cache]")
        path.write_text(text[:start] + text[end:])
    study = open_study(path)
    with pytest.raises(CannotAnswerError, match="fewer than two"):
        tour.tidiness(study, "scene", "pool5")
    layer, unit = tour.tidiest_unit(study)
    peaks = study.index("scene").peaks(layer)
    assert peaks[:, unit].max() == peaks.max()
    if not nested:
        assert set(study.images["category"]) == {""}
        assert "without categories" in tour.describe_study(study)
        assert "no categories" in tiles.category_sheet(study, "scene-centric").caption

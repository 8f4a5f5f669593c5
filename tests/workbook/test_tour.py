from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from scenelens import sceneworld
from scenelens.studies.study import open_study
from scenelens.workbook import tour
from tests.tiny_study import write_tiny_study


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """One tiny study for the whole file: its index is built once."""
    return open_study(write_tiny_study(tmp_path_factory.mktemp("tiny")))


class Annotated:
    """A stand-in for a study whose annotations are known by hand."""

    images = pd.DataFrame(
        {
            "image": ["a", "b", "c", "d", "o"],
            "category": ["bedroom", "bedroom", "street", "street", "car"],
            "source": ["scene-centric"] * 4 + ["object-centric"],
        }
    )
    file = SimpleNamespace(data={})

    def truth_table(self):
        return None

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
    text = tour.describe_presence(tour.object_presence(Annotated()))
    assert "The most frequent object is **person**, in 75%" in text
    assert "most about a scene is **bed**: in 100% of the images of bedroom, 50% on average" in text


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


def test_a_study_without_annotations_says_so(study):
    presence = tour.object_presence(study)
    assert presence.empty
    assert "no annotations" in tour.describe_presence(presence)


def test_the_study_in_a_few_lines(study):
    text = tour.describe_study(study)
    assert text.startswith("**Study tiny**, 20 images.")
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


def test_the_tidiest_unit_is_in_the_deepest_layer_with_a_map(study):
    layer, unit = tour.tidiest_unit(study, "object")
    assert layer == "pool5"
    shares = tour.tidiness(study, "object", layer)
    assert shares[unit] == shares.max()
    assert unit == int(np.flatnonzero(shares == shares.max())[0])

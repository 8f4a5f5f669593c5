"""Objects by images, read from annotations on disk."""

import pandas as pd
import pytest

from scenelens.emergence.presence import ObjectPresence
from scenelens.emergence.study_emergence import _seen
from scenelens.errors import CannotAnswerError, SceneLensError
from scenelens.studies.study import open_study
from tests.annotated_study import annotated_study
from tests.tiny_study import write_tiny_study


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return annotated_study(tmp_path_factory.mktemp("annotated"), per_category=2)


def test_objects_are_counted_by_image(study):
    seen = ObjectPresence.of(study.annotations)
    assert seen.objects == ("bed", "boat", "lamp", "rock", "sand", "window")
    attic = seen.images.index("scene/attic/0.png")
    assert seen.categories[attic] == "attic"
    assert seen.instances[attic].tolist() == [2, 0, 1, 0, 0, 1]
    assert seen.area[attic].tolist() == pytest.approx([0.5, 0, 0.25, 0, 0, 0.25], abs=0.02)
    assert seen.present.sum() == 2 * (3 + 3 + 2)


def test_a_readers_folding_and_a_selection(study):
    seen = ObjectPresence.of(study.annotations, ["scene/attic/1.png"], lambda name: "thing")
    assert (seen.objects, seen.instances.tolist(), seen.images) == (("thing",), [[4]], ("scene/attic/1.png",))


def test_a_presence_passes_through(study):
    seen = ObjectPresence.of(study.annotations)
    assert ObjectPresence.of(seen) is seen


def test_scene_images_leave_out_what_the_study_calls_object_centric(study):
    assert study.scene_images() == study.annotations.images
    images = study.images.copy()
    images.loc[images.image.str.contains("attic"), "source"] = "object-centric"
    study.__dict__["images"], kept = images, study.images
    try:
        assert {image.split("/")[1] for image in study.scene_images()} == {"beach", "cave"}
    finally:
        study.__dict__["images"] = kept


def test_bad_input(study, tmp_path):
    with pytest.raises(SceneLensError, match=r"no annotated image 'scene/attic/9\.png'; close names"):
        ObjectPresence.of(study.annotations, ["scene/attic/9.png"])
    with pytest.raises(CannotAnswerError, match="no annotated image shows a scene"):
        ObjectPresence.of(study.annotations, [])
    with pytest.raises(CannotAnswerError, match=r"no annotations.*an \[annotations\] table"):
        open_study(write_tiny_study(tmp_path)).scene_images()


def test_which_annotators_name_an_object(study):
    """The second set names cars and, under another spelling, lamps; the first one neither names cars."""
    one = study.annotations

    class Streets:
        images = ["a.png", "b.png"]

        def objects(self):
            rows = [("a.png", "car", 0.2), ("a.png", "lamps", 0.1)]
            return pd.DataFrame(rows, columns=["image", "object", "share"])

        def scene(self, image):
            return ""

    class Both(Streets):
        sets = {"rooms": one, "streets": Streets()}
        images = [f"{name}/{image}" for name, each in sets.items() for image in each.images]

        def objects(self):
            tables = [each.objects().assign(image=lambda table, n=name: f"{n}/" + table.image)
                      for name, each in self.sets.items()]  # fmt: skip
            return pd.concat(tables, ignore_index=True)

    seen = ObjectPresence.of(Both())
    street = [image.startswith("streets/") for image in seen.images]
    judged = dict(zip(seen.objects, seen.judged.T.tolist(), strict=True))
    assert judged["car"] == street
    assert judged["lamp"] == [True] * len(street)
    assert judged["bed"] == [not there for there in street]
    assert ObjectPresence.of(one).judged.all()


def test_scenes_may_be_named_by_the_list_of_images(study, monkeypatch):
    """The annotations know no scene; the folders of the same photographs do."""
    monkeypatch.setattr(type(study.annotations), "scene", lambda self, image: "")
    assert set(_seen(study).categories) == {"attic", "beach", "cave"}
    monkeypatch.setattr(study, "images", study.images.assign(category=""), raising=False)
    assert set(_seen(study).categories) == {""}

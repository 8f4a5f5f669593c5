"""Where labels come from, and what is said where there are none."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest

from scenelens.errors import CannotAnswerError, SceneLensError
from scenelens.installation import HERE
from scenelens.studies.study import open_study
from scenelens.unit_semantics import sources
from scenelens.unit_semantics.sources import automatic_set, dissected_labels, people_set, released_answers
from tests.annotated_study import annotated_study
from tests.made_up_labels import made_up_answers
from tests.tiny_study import write_tiny_study


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return annotated_study(tmp_path_factory.mktemp("annotated"), per_category=10)


def test_released_answers_are_named_by_their_networks_roles():
    found = released_answers()
    assert found.networks == ["scene", "object"]
    assert found.layers("scene") == ["pool1", "pool2", "conv3", "conv4", "pool5"]
    assert found.units["object", "conv3"] == 384
    assert found.deepest("scene") == "pool5"
    assert len(found.of("scene")) == 3 * 256
    assert "8,256 labels of 2,752 units, by 3 annotators" in found.describe()


def test_published_labels_come_with_the_package():
    assert len(released_answers().labels) == 8256
    own = dissected_labels()
    assert len(own.labels) == 512
    assert own.labels.network.unique().tolist() == ["scene", "object"]
    assert (own.measure, own.least) == ("iou", 0.04)


def test_a_folder_without_the_files_or_with_others_is_named(tmp_path):
    with pytest.raises(SceneLensError, match=r"holds no unitAnnotation_\*\.mat"):
        released_answers(tmp_path)
    with pytest.raises(SceneLensError, match="there is no file"):
        dissected_labels(tmp_path)
    file = HERE.published / "unit_annotation" / "unitAnnotation_imagenet-alexnet.mat"
    shutil.copy(file, tmp_path / "unitAnnotation_vgg.mat")
    with pytest.raises(SceneLensError, match=r"the network 'vgg' is not known"):
        released_answers(tmp_path)


def test_automatic_labels_of_both_networks(study):
    found = automatic_set(study)
    assert found.networks == ["scene", "object"]
    assert set(found.labels.source) == {"automatic"}
    assert found.layers("scene") == study.automatic_labels("scene").layers
    assert found.units["scene", "pool5"] == study.networks["scene"].layer_shape("pool5")[0]
    assert (found.measure, found.least) == ("iou", 0.04)
    assert "computed without people" in found.describe()
    assert automatic_set(study, "f1").least == pytest.approx(2 * 0.04 / 1.04)  # F1 of an IoU of 0.04
    assert automatic_set(study, "ap").least == 0.5
    assert automatic_set(study, "ap", 0.3).least == 0.3
    with pytest.raises(SceneLensError, match="close names: correlation"):
        automatic_set(study, "corelation")
    with pytest.raises(SceneLensError, match="precision may not choose a label"):
        automatic_set(study, "precision")


def test_a_concept_that_hardly_any_image_shows_cannot_win(study):
    found = study.automatic_labels("scene")
    assert "each on at least 10 of 30 annotated images; none of these types:" in automatic_set(study).note
    common = found.concepts.images >= 30
    assert 0 < common.sum() < len(common)
    labels = found.shown_often(30).labels("iou")
    assert set(labels.concept) <= set(found.concepts.concept[common])
    assert not set(found.labels("iou").concept) <= set(labels.concept)
    assert found.shown_often(31).labels("iou").empty


def test_a_study_without_annotations_says_so(tiny_study):
    found = automatic_set(tiny_study)
    assert not found
    with pytest.raises(CannotAnswerError, match=r"no annotations.*\[annotations\] table"):
        found.describe()


def test_where_no_half_is_left_no_unit_has_a_name(study, monkeypatch):
    """A name needs five images that choose it and five that judge it: on nine images no concept has them."""
    labels = {name: study.automatic_labels(name) for name in ("scene", "object")}
    rare = {name: one.concepts.assign(images=9) for name, one in labels.items()}
    labels = {name: replace(one, concepts=rare[name]) for name, one in labels.items()}
    monkeypatch.setattr(type(study), "automatic_labels", lambda self, name: labels[name])
    with pytest.raises(CannotAnswerError, match="no concept is on 10 of the 30 annotated images"):
        automatic_set(study).need()


def test_a_layer_without_a_name_is_said_to_have_none(study):
    found = automatic_set(study)
    few = replace(found, labels=found.labels[found.labels.layer != "pool5"])
    with pytest.raises(CannotAnswerError, match="no unit of pool5 of the scene network has a label"):
        few.of("scene", "pool5")


def test_units_without_any_label(study, monkeypatch):
    one = study.automatic_labels("scene")
    dead = {
        layer: replace(counts, active=np.zeros_like(counts.active)) for layer, counts in one.counts.items()
    }
    rare = replace(one, concepts=one.concepts.assign(images=0))
    for labels, said in (
        (replace(one, counts=dead), "no unit is active"),
        (rare, "no concept is on 10 of the 30"),
    ):
        monkeypatch.setattr(type(study), "automatic_labels", lambda self, name, labels=labels: labels)
        found = automatic_set(study, networks=["scene"])
        assert not found
        with pytest.raises(CannotAnswerError, match=said):
            found.describe()


def test_a_network_of_another_name_is_labelled_and_answered(tmp_path):
    path = write_tiny_study(tmp_path)
    text = path.read_text()
    second = text[text.index("[networks.object]") : text.index("[[images]]")]
    path.write_text(text.replace(second, "").replace("networks.scene", "networks.mine"))
    mine = open_study(path)
    mine.answers.add(network="mine", layer="pool5", unit=1, annotator="Ada", concept="lamp", type="object")
    assert people_set(mine).networks == ["mine"]
    assert automatic_set(mine).missing


def test_peoples_answers_of_a_study(study):
    nobody = people_set(study)
    assert not nobody
    with pytest.raises(CannotAnswerError, match="there are no answers yet"):
        nobody.describe()
    assert not study.answers.path.exists()
    store = study.answers
    for network, layer in (("scene", "pool5"), ("scene", "conv3"), ("elsewhere", "pool5")):
        store.add(network=network, layer=layer, unit=1, annotator="Ada", concept="lamp", type="object")
    found = people_set(study)
    assert found.layers("scene") == ["conv3", "pool5"]  # in the network's order, not that of answering
    assert len(found.labels) == 2


def test_labels_that_do_not_exist_raise():
    labels = made_up_answers()
    with pytest.raises(SceneLensError, match="no labels of conv9 of a scene network"):
        labels.of("scene", "conv9")
    with pytest.raises(SceneLensError, match="no labels of any layer of a third network"):
        labels.of("third")
    assert sources.LabelSet("none").networks == []

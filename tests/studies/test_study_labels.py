"""A study's labels: computed once, cached, computed again after a change, joined with people's answers."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from scenelens.errors import SceneLensError
from scenelens.labels import dissect
from scenelens.studies import study as study_module
from scenelens.studies.study import open_study
from tests.annotated_study import annotated_study
from tests.tiny_study import write_tiny_study


@pytest.fixture
def study(tmp_path):
    return annotated_study(tmp_path, per_category=4)


def never(*_, **__):
    raise AssertionError("labelled again")


def test_labels_are_computed_once_and_cached(study, monkeypatch):
    first = study.automatic_labels("scene")
    assert {"bed", "lamp", "sand"} <= set(first.concepts.concept)
    monkeypatch.setattr(study_module, "label_networks", never)
    again = open_study(study.file.path).automatic_labels("scene")
    assert again.layers == first.layers
    assert again.concepts.equals(first.concepts)
    assert again.provenance == first.provenance
    for layer in first.layers:
        for name in ("thresholds", "active", "shared", "fitting", "ap"):
            np.testing.assert_array_equal(
                getattr(again.counts[layer], name), getattr(first.counts[layer], name)
            )
    with pytest.raises(AssertionError, match="labelled again"):
        study.automatic_labels("object")


def test_several_networks_are_labelled_in_one_pass(study, monkeypatch):
    alone = {name: study.automatic_labels(name) for name in ("scene", "object")}
    for path in (study.cache / "labels").glob("*.npz"):
        path.unlink()
    passes = []
    label_networks = dissect.label_networks

    def watched(networks, annotations, **how):
        passes.append([network.name for network in networks])
        return label_networks(networks, annotations, progress=False, **how)

    monkeypatch.setattr(study_module, "label_networks", watched)
    together = study.labels_of_networks(["scene", "object"])
    assert passes == [["scene", "object"]]
    for name, one in alone.items():
        assert together[name].labels().drop(columns="when").equals(one.labels().drop(columns="when"))
    study.labels_of_networks(["object", "scene"])
    assert len(passes) == 1


def test_a_changed_image_or_annotation_is_labelled_again(study, monkeypatch):
    study.automatic_labels("scene")
    monkeypatch.setattr(study_module, "label_networks", never)
    xml = study.file.path.parent / "world" / "Annotations" / "scene" / "attic" / "0.xml"
    before = xml.read_text()
    assert "bed" in before
    xml.write_text(before.replace("bed", "cot"))
    with pytest.raises(AssertionError, match="labelled again"):
        open_study(study.file.path).automatic_labels("scene")
    xml.write_text(before)
    open_study(study.file.path).automatic_labels("scene")
    Image.new("RGB", (80, 60), "red").save(study.annotations.path(study.annotations.images[0]))
    with pytest.raises(AssertionError, match="labelled again"):
        open_study(study.file.path).automatic_labels("scene")


def test_a_damaged_file_is_labelled_again(study, monkeypatch):
    study.automatic_labels("scene")
    (path,) = (study.cache / "labels").glob("*.npz")
    path.write_bytes(path.read_bytes()[:500])
    monkeypatch.setattr(study_module, "label_networks", never)
    with pytest.raises(AssertionError, match="labelled again"):
        open_study(study.file.path).automatic_labels("scene")


def test_all_labels_of_a_study(study):
    answer = {"layer": "pool5", "unit": 3, "annotator": "Ada", "concept": "a lamp", "type": "object"}
    study.answers.add(network="scene", precision=0.9, n_images=57, **answer)
    labels = study.labels
    assert set(labels.source) == {"automatic", "people"}
    assert set(labels.network) == {"scene", "object"}
    mine = labels[labels.source == "people"]
    assert mine[["annotator", "concept", "unit"]].to_numpy().tolist() == [["Ada", "a lamp", 3]]
    best = labels[(labels.source == "automatic") & (labels.layer == "pool5") & (labels.network == "scene")]
    measured = study.automatic_labels("scene").measures("pool5")["iou"]
    often = (study.automatic_labels("scene").concepts.images >= 10).to_numpy()
    np.testing.assert_allclose(best.iou_chosen, np.nanmax(measured[best.unit][:, often], 1))


def test_where_answers_are_kept(study, tmp_path):
    assert study.answers.path == tmp_path / "answers" / "tiny.db"
    study.file.path.write_text(study.file.path.read_text() + '\n[labels]\nstore = "mine/labels.db"\n')
    assert open_study(study.file.path).answers.path == tmp_path / "mine" / "labels.db"
    embedded = open_study("sceneworld").answers.path
    assert embedded.name == "sceneworld.db"
    assert embedded.parent.name == "answers"


def test_without_annotations(tmp_path):
    bare = open_study(write_tiny_study(tmp_path))
    with pytest.raises(SceneLensError, match=r"add an \[annotations\] table to study\.toml"):
        bare.automatic_labels()
    assert len(bare.labels) == 0

"""Frames and label maps that several networks share: the same as drawn anew, and drawn once."""

import numpy as np
import pytest

from scenelens.labels import ConceptMaps
from scenelens.localization.shared_frames import _SharedFrames
from tests.annotated_study import annotated_study


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return annotated_study(tmp_path_factory.mktemp("annotated"), 2)


@pytest.fixture
def drawn(monkeypatch):
    """The images whose label maps are drawn."""
    images, whole = [], ConceptMaps.annotated_frame

    def annotated_frame(self, image):
        images.append(image)
        return whole(self, image)

    monkeypatch.setattr(ConceptMaps, "annotated_frame", annotated_frame)
    return images


def test_a_second_network_gets_the_same_frames_without_drawing(study, drawn):
    shared, known = _SharedFrames(study.annotations), study.annotations.images
    first, second = (
        [shared.frame(study.networks[name], image) for image in known] for name in ("scene", "object")
    )
    assert drawn == list(known)
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.frame, other.frame)
        np.testing.assert_array_equal(one.codes, other.codes)
        assert one.shown.places.dtype == other.shown.places.dtype
    assert shared.concepts(study.networks["scene"]) is shared.concepts(study.networks["object"])


def test_without_room_everything_is_drawn_again(study, drawn):
    shared, image = _SharedFrames(study.annotations, room=0), study.annotations.images[0]
    for name in ("scene", "object"):
        shared.frame(study.networks[name], image)
    assert drawn == [image, image]


def test_a_file_that_changed_is_drawn_again(study, drawn):
    shared, image = _SharedFrames(study.annotations), study.annotations.images[0]
    for stamps in ({"a": (1,)}, {"a": (1,)}, {"a": (2,)}):
        shared.expect(stamps)
        shared.frame(study.networks["scene"], image)
    assert drawn == [image, image]

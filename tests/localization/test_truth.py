"""What annotated images show, which words their annotators use, and the maps that go with them."""

import numpy as np
import pytest

from scenelens.annotations.joined import JoinedAnnotations
from scenelens.images import load_image
from scenelens.localization.truth import ImageConcepts, _Vocabularies
from scenelens.networks.hooks import record
from tests.annotated_study import annotated_study


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return annotated_study(tmp_path_factory.mktemp("annotated"), 3)


@pytest.fixture(scope="module")
def seen(study):
    network, known = study.networks["scene"], study.annotations
    found = {}
    for names, each, maps in ImageConcepts.batches(network, known, ["pool5"], known.images, progress=False):
        found |= {name: (each[k], maps["pool5"][k]) for k, name in enumerate(names)}
    return found


def test_every_image_comes_with_its_own_maps(study, seen):
    network, known = study.networks["scene"], study.annotations
    assert list(seen) == known.images
    image = known.images[4]
    with record(network, "pool5") as acts:
        network(load_image(known.path(image)))
    np.testing.assert_allclose(seen[image][1], acts["pool5"][0].numpy(), rtol=1e-3, atol=1e-4)


def test_concepts_are_where_they_were_outlined(study, seen):
    attic = next(image for image in seen if "attic" in image)
    one, masks = seen[attic][0], study.annotations.masks(attic, (227, 227))
    for name in ("bed", "lamp", "window"):
        np.testing.assert_array_equal(one.mask(name, "objects"), masks[name])
    assert one.contains("Bed")
    assert not one.contains("boat")
    assert not one.mask("boat").any()
    assert one.contains("lamp", "objects", (slice(0, 50), slice(150, 200)))  # the quarter at the top right
    assert not one.contains("lamp", "objects", (slice(150, 200), slice(150, 200)))
    assert not one.contains("lamp", "parts")


def test_one_set_has_every_word(seen):
    assert next(iter(seen.values()))[0].in_vocabulary("dragon")


def test_of_several_sets_each_has_the_words_that_it_ever_uses(study, tmp_path):
    beach = annotated_study(tmp_path, 1)
    # A file that cannot be read has no words, and does not stop the others.
    beach.annotations.sources[beach.annotations.images[-1]].write_text("<annotation")
    joined = JoinedAnnotations({"world": study.annotations, "small": beach.annotations})
    words = _Vocabularies(joined)
    named = words.of(f"world/{study.annotations.images[0]}")
    assert named == {"bed", "lamp", "window", "boat", "sand", "rock"}
    for _, each, _ in ImageConcepts.batches(
        study.networks["scene"], joined, ["pool5"], joined.images[:2], progress=False
    ):
        assert each[0].in_vocabulary("Lamp")
        assert not each[0].in_vocabulary("dragon")


def test_names_are_plain():
    assert ImageConcepts.plain_name(" Roller_Coaster ") == "roller coaster"

"""What the category alone would give, counted again box by box on full-size masks; and cells of a grid."""

import numpy as np
import pandas as pd
import pytest

from scenelens.localization.boxes import LabelledUnits
from scenelens.localization.category_null import _CategoryNull
from scenelens.localization.truth import ImageConcepts
from tests.annotated_study import annotated_study

CONCEPTS = ("lamp", "bed", "rock", "dragon")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return annotated_study(tmp_path_factory.mktemp("annotated"), 3)


@pytest.fixture(scope="module")
def units(study):
    rows = [(layer, unit, name) for layer in ("conv4", "pool5") for unit, name in enumerate(CONCEPTS)]
    table = pd.DataFrame(rows, columns=["layer", "unit", "concept"])
    return LabelledUnits.prepare(study.networks["scene"], table.assign(type="object", network="scene"))


@pytest.fixture(scope="module")
def concepts(study):
    known = study.annotations
    return dict(ImageConcepts.read(study.networks["scene"], known, known.images))


def test_a_concept_shows_in_a_cell_if_a_pixel_of_it_does(units, concepts):
    for one in list(concepts.values())[:4]:
        for layer in units.layers.values():
            found = one.in_cells([(name, "") for name in CONCEPTS], *layer.cells)
            for k, name in enumerate(CONCEPTS):
                for row, col in np.ndindex(*found.shape[1:]):
                    assert found[k, row, col] == one.contains(name, "", layer.cell(row, col))
            assert found.any()
            assert not found[CONCEPTS.index("dragon")].any()


def counted(study, units, concepts) -> _CategoryNull:
    null = _CategoryNull(units)
    for image, one in concepts.items():
        null.add(study.annotations.scene(image), one)
    return null


def test_shares_are_those_on_the_other_images_of_the_category(study, units, concepts):
    null, rng = counted(study, units, concepts), np.random.default_rng(0)
    images = rng.choice(list(concepts), 60)
    rows = rng.integers(0, len(units.table), 60)
    layers = [units.layers[name] for name in units.table.layer.to_numpy()[rows]]
    places = np.array([[rng.integers(0, len(edges)) for edges in layer.cells] for layer in layers])
    names = units.table.concept.to_numpy()[rows]

    def right(image, k):
        return concepts[image].contains(names[k], "", layers[k].cell(*places[k]))

    scenes = {image: study.annotations.scene(image) for image in concepts}
    own = np.array([right(image, k) for k, image in enumerate(images)])
    expected = [
        np.mean([right(one, k) for one in concepts if scenes[one] == scenes[image] and one != image])
        for k, image in enumerate(images)
    ]
    found = null.shares(np.array([scenes[image] for image in images]), rows, places, own)
    np.testing.assert_allclose(found, expected)
    assert 0 < np.mean(expected) < 1


def test_a_lone_image_and_an_unknown_category_say_nothing(study, units, concepts):
    null = _CategoryNull(units)
    image = next(iter(concepts))
    null.add("attic", concepts[image])
    null.add("", concepts[image])
    about = (np.zeros(2, np.int64), np.zeros((2, 2), np.int64), np.zeros(2, bool))
    assert np.isnan(null.shares(np.array(["attic", ""]), *about)).all()


def test_counts_can_be_kept_and_taken_over(study, units, concepts):
    null, again = counted(study, units, concepts), _CategoryNull(units)
    again.restore(*null.state())
    rows, places = np.arange(len(units.table)), np.ones((len(units.table), 2), np.int64)
    about = (np.full(len(rows), "attic"), rows, places, np.zeros(len(rows), bool))
    np.testing.assert_array_equal(again.shares(*about), null.shares(*about))
    again.add("attic", next(iter(concepts.values())))  # its arrays are its own
    assert again.state()[1]["known 0"][0] != null.state()[1]["known 0"][0]

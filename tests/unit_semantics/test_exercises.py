import pytest

from scenelens.exercises import check
from scenelens.labels.table import TYPES
from scenelens.studies.study import open_study
from tests.annotated_study import annotated_study
from tests.tiny_study import write_tiny_study


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return annotated_study(tmp_path_factory.mktemp("annotated"), per_category=10)


def test_every_exercise_has_a_right_answer_and_a_wrong_one(study):
    """The right answers, each worked out in another way than its check does."""
    labels = study.automatic_labels("scene").labels()
    counts = labels[labels.layer == "pool5"].type.value_counts()
    most = next(kind for kind in TYPES if counts.get(kind, 0) == counts.max())
    right = {"03_3.1": 45 / 57, "03_3.2": 2, "03_3.3": 0.025, "03_3.4": most}
    rare = next(kind for kind in TYPES if counts.get(kind, 0) < counts.iloc[0])
    wrong = {"03_3.1": 48 / 60, "03_3.2": 4, "03_3.3": 0.04, "03_3.4": rare}
    for exercise, answer in right.items():
        assert check(exercise, study, answer).right, exercise
        assert not check(exercise, study, wrong[exercise]).right, exercise


def test_without_annotations_the_last_one_says_so(tmp_path):
    bare = open_study(write_tiny_study(tmp_path))
    verdict = check("03_3.4", bare, "object")
    assert not verdict.right
    assert "no annotations" in verdict

"""The exercises of notebook 04.1, each right answer worked out in another way than its check does."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from scenelens.exercises import check
from scenelens.studies.study import open_study
from tests.annotated_study import annotated_study
from tests.tiny_study import write_tiny_study


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return annotated_study(tmp_path_factory.mktemp("exercises"), per_category=2)


def test_every_exercise_has_a_right_answer_and_a_wrong_one(study):
    kitchen, stove = np.arange(40) < 10, np.isin(np.arange(40), [0, 1, 2, 3, 4, 5, 20, 21])
    coin = np.random.default_rng(0).random((2, 200_000))
    right = {
        "04_1.1": average_precision_score(kitchen, stove),
        "04_1.2": "lamp",  # one on each of the study's six images
        "04_1.3": "it looks better than it is",
        "04_1.4": round(average_precision_score(coin[0] < 0.6, coin[1]), 2),
    }
    wrong = {"04_1.1": 0.75, "04_1.2": "bed", "04_1.3": "nothing changes", "04_1.4": 0.5}
    for exercise, answer in right.items():
        assert check(exercise, study, answer).right, exercise
        assert not check(exercise, study, wrong[exercise]).right, exercise


def test_a_study_that_cannot_say(tmp_path):
    verdict = check("04_1.2", open_study(write_tiny_study(tmp_path)), "lamp")
    assert not verdict.right
    assert "This study cannot say" in verdict

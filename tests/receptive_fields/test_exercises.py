import numpy as np
import pytest

from scenelens.exercises import check
from scenelens.receptive_fields.atlas import _LIVE_IMAGES, Atlas
from scenelens.receptive_fields.sizes import field_sizes
from scenelens.studies.study import open_study
from tests.made_up_fields import MadeUp
from tests.tiny_study import write_tiny_study


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    made = open_study(write_tiny_study(tmp_path_factory.mktemp("tiny")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("scenelens.receptive_fields.network_atlas.estimate_rf", MadeUp())
        Atlas(made, _LIVE_IMAGES).grow(2)
    return made


def test_every_exercise_has_a_right_answer_and_a_wrong_one(study):
    """The right answers, each worked out in another way than its check does."""
    sizes = field_sizes(Atlas(study, _LIVE_IMAGES))
    shares = sizes[sizes["network"] == "object"].groupby("layer")["share"].mean()
    size = 1
    for kernel, stride in [(3, 2), (5, 1), (3, 2), (11, 4)]:  # pool2, conv2, pool1, conv1
        size = (size - 1) * stride + kernel
    right = {
        "03_2.1": size,
        "03_2.2": len(np.arange(0, 227 - 21 + 1, 5)) ** 2,
        "03_2.3": "grows or stays",
        "03_2.4": shares.idxmin(),
    }
    wrong = {"03_2.1": 19, "03_2.2": 5329, "03_2.3": "shrinks or stays", "03_2.4": shares.idxmax()}
    for exercise, answer in right.items():
        assert check(exercise, study, answer).right, exercise
        assert not check(exercise, study, wrong[exercise]).right, exercise

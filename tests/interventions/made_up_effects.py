"""Effects that were made up, of three categories and five units, so that means can be worked out by hand."""

from types import SimpleNamespace

import numpy as np
import pandas as pd

from scenelens.interventions import AblationEffects

CLASSES = ["attic", "beach", "cave"]
#: whose units, k, units -> the class that each of the six images is named; two images of each class
RUNS = [
    ("single", False, -1, 1, 0, (0,), [1, 0, 1, 1, 2, 2]),
    ("single", False, -1, 1, 1, (1,), [0, 0, 1, 1, 2, 2]),
    ("single", False, -1, 1, 2, (2,), [0, 0, 2, 1, 2, 2]),
    ("single", False, -1, 1, 3, (3,), [0, 0, 1, 1, 0, 1]),
    ("single", False, -1, 1, 4, (4,), [0, 0, 1, 1, 2, 2]),
    ("label", False, 0, 1, 0, (0,), [1, 0, 1, 1, 2, 2]),
    ("label", False, 1, 1, 0, (2,), [0, 0, 2, 1, 2, 1]),
    ("label", False, 2, 1, 0, (3,), [0, 0, 1, 1, 0, 1]),
    ("label", False, 0, 2, 0, (0, 1), [1, 2, 1, 0, 2, 2]),
    ("random", False, -1, 1, 0, (4,), [0, 0, 1, 1, 2, 2]),
    ("random", False, -1, 1, 1, (1,), [1, 0, 1, 1, 2, 2]),
    ("random", False, -1, 2, 0, (1, 4), [0, 0, 1, 1, 2, 2]),
    ("random", False, -1, 2, 1, (1, 2), [1, 0, 1, 1, 2, 2]),
    ("label", True, 0, 1, 0, (0,), [0, 0, 0, 0, 0, 2]),
    ("label", True, 1, 1, 0, (2,), [0, 1, 1, 1, 2, 2]),
    ("label", True, 2, 1, 0, (3,), [0, 0, 1, 1, 2, 2]),
    ("random", True, -1, 1, 0, (4,), [0, 0, 1, 1, 0, 2]),
    ("random", True, -1, 1, 1, (1,), [0, 0, 1, 1, 2, 2]),
]


class _Answers:
    """People who named one unit."""

    def labels(self):
        return pd.DataFrame(
            {
                "network": "scene", "layer": "pool5", "unit": [0], "annotator": ["Ada"], "concept": ["bed"],
                "type": ["object"], "precision": [0.8], "source": ["people"], "when": ["2020-01-01"],
                "n_images": [60],
            }
        )  # fmt: skip


def made_up_effects(labelled: bool = True, network: str = "scene") -> AblationEffects:
    """All that `ablation_effects` gives."""
    images = pd.DataFrame(
        {"image": list("abcdef"), "category": np.repeat(CLASSES, 2), "class": [0, 0, 1, 1, 2, 2]}
    )
    runs = pd.DataFrame([one[:5] for one in RUNS], columns=["way", "on", "class", "k", "draw"])
    named_of = np.array([one[6] for one in RUNS], np.int32)
    if not labelled:
        runs["way"] = runs.way.replace("label", "effect")
    # An image that is named wrongly has a log-probability that is lower by two.
    logp = np.full(6, -0.5, np.float32)
    logp_of = np.where(named_of == images["class"].to_numpy(), -0.5, -2.5).astype(np.float32)
    ranks = pd.DataFrame(
        {
            "class": [0, 0, 1, 2], "rank": [1, 2, 1, 1], "unit": [0, 1, 2, 3],
            "object": ["bed", "lamp", "boat", "rock"], "score": [0.2, 0.1, 0.3, 0.1],
        }
    )  # fmt: skip
    names = pd.DataFrame(
        {
            "unit": [0, 1, 2, 3], "object": ["bed", "lamp", "boat", "rock"], "iou_chosen": 0.1,
            "iou": [0.05, 0.01, 0.04, 0.2], "ap": [0.5, 0.2, 0.4, 0.9],
        }
    )  # fmt: skip
    study = SimpleNamespace(answers=_Answers(), name="made up")
    return AblationEffects(
        study, network, "pool5", 5, images, 6, CLASSES, logp, np.array([0, 0, 1, 1, 2, 0]),
        runs, [one[5] for one in RUNS], logp_of, named_of,
        {"label": ranks if labelled else ranks[:0], "effect": ranks if not labelled else ranks[:0]},
        names if labelled else names[:0], np.ones(5, np.float32),
        "" if labelled else "no image is annotated, so no unit has a name",
    )  # fmt: skip

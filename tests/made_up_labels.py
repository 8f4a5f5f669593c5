"""Label sets made by hand, for tests of what is drawn and said of them."""

from __future__ import annotations

import itertools

import pandas as pd

from scenelens.labels.table import TYPES
from scenelens.unit_semantics.sources import LabelSet

LAYERS = ("pool1", "conv3", "pool5")


def made_up_answers(n_units: int = 6, layers: tuple[str, ...] = LAYERS, **common) -> LabelSet:
    """Three answers about each unit of both networks; types and precisions go round."""
    rows = [
        {
            "network": network,
            "layer": layer,
            "unit": unit,
            "annotator": f"worker {who + 1}",
            "concept": ("lamp", "a red lamp", "wall")[(unit + who) % 3],
            "type": TYPES[(unit + who * (depth + 1) + (network == "object")) % 6],
            "precision": ((3 * unit + 5 * who + 7 * depth) % 11) / 10,
            "n_images": 57,
            "source": "people",
        }
        for network in ("scene", "object")
        for depth, layer in enumerate(layers)
        for unit, who in itertools.product(range(n_units), range(3))
    ]
    labels = pd.DataFrame(rows).assign(when="", **common)
    units = {(network, layer): n_units for network in ("scene", "object") for layer in layers}
    return LabelSet("made-up answers", labels, units)

"""A scene classifier on top of a network that was never trained on scenes.

The object network has no class for scenes, so it has no minimal image of a bedroom. With a linear last layer
it has: the layer is trained on photographs of scenes, over features that stay as they are. The objects that
this network keeps of a bedroom can then be compared with those that the scene network keeps.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from scenelens.errors import SceneLensError
from scenelens.networks import Network, record
from scenelens.studies import Study
from scenelens.two_networks import MIN_IMAGES, layer_features, layer_pairs

# Inverse strength of the penalty on the weights. Small, because the features are standardised: each may add
# to the sum as much as any other.
_PENALTY = 0.01


class _Probe(nn.Module):
    """A network up to one layer, and a linear layer on that layer's response (a map counts by its mean)."""

    def __init__(self, network: Network, layer: str, head: nn.Linear, trained_on: int) -> None:
        super().__init__()
        self.body, self.head = network.module, head
        self.network = network  # no submodule: its weights are registered once, as those of `body`
        self.layer, self.trained_on = layer, trained_on

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (N, classes) of prepared images (N, 3, H, W)."""
        with record(self.network, [self.layer]) as acts:
            self.network(x)
        values = acts[self.layer]
        return self.head(values.flatten(2).mean(2) if values.ndim == 4 else values)


def scene_probe(study: Study, network: str = "object", without: list[str] | None = None) -> Network:
    """Give a network a linear last layer for the scene categories of a study.

    Parameters
    ----------
    study : Study
        The open study.
    network : str, optional
        The network whose features are used: those of its deepest layer that section 2 compares.
    without : list of str, optional
        Ids in ``study.images`` that the layer must not be trained on, because it will be tested on them.

    Returns
    -------
    Network
        A network whose classes are the categories with at least 8 scene-centric images.
        ``.module.trained_on`` is the number of images that its last layer was trained on.

    Raises
    ------
    SceneLensError
        If the study has fewer than two such categories.

    Notes
    -----
    Multinomial logistic regression on standardised features. Unlike a linear SVM it gives probabilities,
    which the search for a minimal image needs.
    """
    images = _training_images(study, set(without or []))
    layer = str(layer_pairs(study).iloc[-1][network])
    features = layer_features(study, network, layer)[images.index]
    readable = ~np.isnan(features).any(axis=1)
    head, classes = _head(features[readable], images["category"].to_numpy()[readable])
    base = study.networks[network]
    module = _Probe(base, layer, head, int(readable.sum())).eval()
    return Network(module, f"{network}, with a head for scenes", classes, base.preprocessing)


def _training_images(study: Study, without: set[str]) -> pd.DataFrame:
    images = study.images.reset_index(drop=True)
    images = images[(images["source"] == "scene-centric") & ~images["image"].isin(without)]
    images = images[images.groupby("category")["image"].transform("size") >= MIN_IMAGES]
    if images["category"].nunique() < 2:
        raise SceneLensError(
            f"study {study.name!r} has no two scene categories of {MIN_IMAGES} images to train a head on."
        )
    return images


def _head(features: np.ndarray, categories: np.ndarray) -> tuple[nn.Linear, list[str]]:
    """Return the linear layer, and its classes."""
    from sklearn.linear_model import LogisticRegression  # takes a second to import; few need it

    mean, deviation = features.mean(0), features.std(0)
    deviation[deviation == 0] = 1
    model = LogisticRegression(C=_PENALTY, max_iter=200).fit((features - mean) / deviation, categories)
    weight, bias = model.coef_, model.intercept_
    if len(weight) == 1:  # for two classes there is one row of weights: the difference of the two logits
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    # Standardising is linear too, so it is folded into the layer: the network then takes features as they
    # are.
    folded = weight / deviation
    head = nn.Linear(features.shape[1], len(model.classes_))
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(folded))
        head.bias.copy_(torch.from_numpy(bias - folded @ mean))
    return head, [str(name) for name in model.classes_]

"""A scene classifier on top of a network that was never asked about scenes.

The object network names no scene, so it has no minimal image of a bedroom. Give it a linear last layer,
trained on photographs of scenes over features that stay as they are, and it does: what it then keeps of a
bedroom can be set beside what the scene network keeps.
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

PENALTY = 0.01  # inverse strength; features are standardised, so small is right


class Probe(nn.Module):
    """A network up to one layer, and a linear layer on that layer's response (a map counts by its mean).

    Parameters
    ----------
    network, layer : whose features. head : from its units to classes.
    """

    def __init__(self, network: Network, layer: str, head: nn.Linear) -> None:
        super().__init__()
        self.body, self.head = network.module, head
        self.layer, self.__dict__["network"] = layer, network  # a Network is no module

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, classes) of prepared images (N, 3, H, W)."""
        with record(self.network, [self.layer]) as acts:
            self.network(x)
        values = acts[self.layer]
        return self.head(values.flatten(2).mean(2) if values.ndim == 4 else values)


def scene_probe(study: Study, network: str = "object", without: list[str] | None = None) -> Network:
    """A network with a linear last layer for the study's scene categories.

    Parameters
    ----------
    network : whose features; they are those of its deepest layer compared in section 2.
    without : ids in `study.images` that it must not be trained on, because it will be judged by them.

    Returns
    -------
    Network, of the classes that the study has at least 8 scene-centric images of; `.module.trained_on` says
    on how many images its head was trained.

    Raises
    ------
    SceneLensError : fewer than two such categories.

    Notes
    -----
    Multinomial logistic regression on standardised features: unlike an SVM it gives the probabilities that
    the search for a minimal image goes by.
    """
    images = _training_images(study, set(without or []))
    layer = str(layer_pairs(study).iloc[-1][network])
    features = layer_features(study, network, layer)[images.index]
    read = ~np.isnan(features).any(axis=1)
    head, classes = _head(features[read], images["category"].to_numpy()[read])
    base = study.networks[network]
    module = Probe(base, layer, head).eval()
    module.trained_on = int(read.sum())  # type: ignore[assignment]
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


def _head(features: np.ndarray, labels: np.ndarray) -> tuple[nn.Linear, list[str]]:
    """The linear layer, with the standardisation folded into it, and its classes."""
    from sklearn.linear_model import LogisticRegression

    mean, deviation = features.mean(0), features.std(0)
    deviation[deviation == 0] = 1
    model = LogisticRegression(C=PENALTY, max_iter=200).fit((features - mean) / deviation, labels)
    weight, bias = model.coef_, model.intercept_
    if len(weight) == 1:  # two classes: one row of weights says both
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    head = nn.Linear(features.shape[1], len(model.classes_))
    folded = weight / deviation
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(folded))
        head.bias.copy_(torch.from_numpy(bias - folded @ mean))
    return head, [str(name) for name in model.classes_]

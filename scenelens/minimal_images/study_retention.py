"""Which objects scenes keep, for a whole study: its categories, and both of its networks.

`scenelens.retention` counts for one network and one category. Here it is called with a study's networks,
images and cache. A study in data/studies may come with results, which are used instead of searching again.

The object network has no class for scenes, so it has no minimal image of a bedroom. With a linear last layer
it has: the layer is trained on photographs of scenes, over features that stay as they are. The objects that
this network keeps of a bedroom can then be compared with those that the scene network keeps.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from scenelens.annotations import Annotations
from scenelens.caches import read_cached, sealed
from scenelens.errors import CannotAnswerError, SceneLensError
from scenelens.files import digest, replace_file
from scenelens.minimal_images.examples import choose_categories
from scenelens.minimal_images.retention_search import Retention, _ImageRetention, retention
from scenelens.networks import Network, record
from scenelens.studies import Study, network_variant
from scenelens.two_networks import MIN_IMAGES, layer_features, layer_pairs

_N_IMAGES = 30  # of a category
# Inverse strength of the penalty on the weights. Small, because the features are standardised: each may add
# to the sum as much as any other.
_PENALTY = 0.01
_PROBED = "object"  # the network that gets a linear last layer for scenes, to be compared


def compare_retention(
    study: Study, categories: list[str], n: int = _N_IMAGES, rule: str = "class"
) -> dict[str, list[Retention]]:
    """Count which objects the scene network keeps, and the object network with a linear layer for scenes.

    Parameters
    ----------
    study : Study
        The open study.
    categories : list of str
        Scene categories of the annotations that the scene network knows.
    n : int, optional
        How many images of each category are used, spread evenly.
    rule : {'class', 'half'}, optional
        When a search ends; see `minimal_image`.

    Returns
    -------
    dict of str to list of Retention
        Network name to one entry per category. 'object' is missing where the study has no such network, or
        too few other photographs of scenes to train the linear layer on.

    Raises
    ------
    CannotAnswerError
        If the study has no annotated photographs of scenes.
    SceneLensError
        If the scene network knows no such category.
    """
    main = study.networks.main
    found = {main: [category_retention(study, category, main, n, rule) for category in categories]}
    probe = _network_with_head(study, found[main])
    if probe is not None:
        found[_PROBED] = [category_retention(study, category, probe, n, rule) for category in categories]
    return found


def category_retention(
    study: Study,
    category: str,
    network: str | Network | None = None,
    n: int = _N_IMAGES,
    rule: str = "class",
    progress: bool = True,
) -> Retention:
    """Count which objects the minimal images of one scene category keep.

    Parameters
    ----------
    study : Study
        The open study.
    category : str
        One of the annotations' scene categories, which is also a class of the network.
    network : str or Network, optional
        One of the study's networks by name, or another network; by default the scene network, or else the
        first trained one.
    n : int, optional
        How many images are used, spread evenly.
    rule : {'class', 'half'}, optional
        When a search ends; see `minimal_image`.
    progress : bool, optional
        Whether a bar is shown where several images are searched (default True).

    Returns
    -------
    Retention
        The counts. Searches are cached with the study. They are taken from the file that comes with the study
        where an image is still cut into the same segments.

    Raises
    ------
    CannotAnswerError
        If the study has no annotated photographs of scenes.
    SceneLensError
        If no annotated image shows the category, or if the network has no such class.
    """
    network = network or study.networks.main
    net = study.networks[network] if isinstance(network, str) else network
    annotations = _annotated_scenes(study, net)
    folder = study.cache / "minimal"
    # What comes with a study was searched with the network as it was when it came.
    known = {} if network_variant(net, folder) else _shipped(study).get(_shipped_key(net, category), {})
    return retention(
        net, annotations, category, n_images=n, cache=folder, known=known, progress=progress, rule=rule
    )


def empty_pictures(study: Study, n: int = _N_IMAGES) -> pd.DataFrame:
    """Return what the networks say to a picture of which nothing is left, by scene category.

    Parameters
    ----------
    study : Study
        The open study.
    n : int, optional
        How many images of each category are used, spread evenly.

    Returns
    -------
    pandas.DataFrame
        One row per network and category: ``network``, ``category``, ``n`` (recognised images), ``same`` (of
        these, images whose empty picture is still called by the category), ``called`` (what the empty picture
        is called most often) and ``called_n`` (by how many images), ``nothing`` (images whose minimal image
        keeps no segment), ``kept`` and ``share`` (the object kept most often, and how often, 0..1), ``half``
        and ``half_share`` (the same where a search ends once the score falls below half). Objects in fewer
        than five images do not count. The categories are those of `choose_categories`, and for the scene
        network all whose searches come with the study.

    Raises
    ------
    CannotAnswerError
        If the study has no annotated photographs of scenes.
    """
    found = compare_retention(study, choose_categories(study), n)
    main = study.networks.main
    counted = {one.category for one in found[main]}
    more = [name for name in choose_categories(study, n=None) if name not in counted]
    at_hand = [name for name in more if _shipped_key(study.networks[main], name) in _shipped(study)]
    found[main] += [category_retention(study, name, main, n) for name in at_hand]
    return pd.DataFrame([_empty_row(name, one) for name, retentions in found.items() for one in retentions])


def _empty_row(network: str, found: Retention) -> dict[str, Any]:
    images = found.images[found.images["reason"] == ""]
    called = images["empty"][images["empty"] != ""].value_counts()
    row = {
        "network": network,
        "category": found.category,
        "n": len(images),
        "same": int((images["empty"] == found.target).sum()),
        "called": called.index[0] if len(called) else "",
        "called_n": int(called.iloc[0]) if len(called) else 0,
        "nothing": int((images["kept"] == 0).sum()),
    }
    for rule, name, share in (("class", "kept", "share"), ("half", "half", "half_share")):
        known = all(one.kept(rule) for one in found.counted)  # earlier versions searched by one rule only
        table = replace(found, rule=rule).compare_with_paper(n=1) if known else pd.DataFrame()
        table = table[table["share"] > 0] if len(table) else table
        row[name] = str(table["object"].iloc[0]) if len(table) else ""
        row[share] = float(table["share"].iloc[0]) if len(table) else np.nan
    return row


def _annotated_scenes(study: Study, network: Network) -> Annotations:
    """Return the annotations, if they name scenes that the network knows."""
    annotations = study.need_annotations()
    scenes = {annotations.scene(image) for image in annotations.images} - {""}
    if not scenes:
        raise CannotAnswerError(
            "which objects a scene keeps is counted on photographs whose scene and objects are annotated, "
            "and no annotation of this study names a scene: the formats 'sun' and 'ade20k' can."
        )
    if not any(network.class_names.find(scene) for scene in scenes):
        raise CannotAnswerError(
            "which objects a scene keeps is counted on annotated photographs of a class of the network, and "
            f"the {network.name} network knows none of the scenes that are annotated here."
        )
    return annotations


def _network_with_head(study: Study, counted: list[Retention]) -> Network | None:
    """Return the object network with a linear layer for the counted categories, or None.

    The layer is never trained on the counted images. It would recognise more of them than of other images,
    and the comparison with the scene network would not be fair.
    """
    if study.annotations is None or _PROBED not in study.networks or study.networks.main == _PROBED:
        return None
    ids = study.images_of(one.image for each in counted for one in each.per_image)
    try:
        probe = _scene_probe(study, _PROBED, without=ids)
    except SceneLensError:  # too few other images
        return None
    return probe if {one.category for one in counted} <= set(probe.classes) else None


def ship_retention(study: Study, n: int = _N_IMAGES) -> Path | None:
    """Search all categories that the scene network knows, and write the results next to the study's data.

    For the categories of `choose_categories` the object network with a linear layer is searched too. Each
    search serves both rules. A run that is stopped goes on where it stopped: searches are cached one by one.

    Parameters
    ----------
    study : Study
        The open study.
    n : int, optional
        How many images of each category are used.

    Returns
    -------
    Path or None
        The file. None, and no search, for a study outside data/studies: it has only its cache.

    Raises
    ------
    SceneLensError
        If the study has no annotations.
    """
    path = _shipped_file(study)
    if path is None:
        return None
    scene = [(study.networks["scene"], category) for category in choose_categories(study, n=None)]
    chosen = choose_categories(study)
    probe = _network_with_head(study, [category_retention(study, category, n=n) for category in chosen])
    runs = scene + [(probe, category) for category in chosen if probe is not None]
    content = {
        _shipped_key(network, category): [
            _rounded(one) for one in category_retention(study, category, network, n).counted
        ]
        for network, category in runs
    }
    # One line per network and category, sorted, so that a change shows as a short difference in git.
    lines = ",\n".join(
        f"{json.dumps(key)}: {json.dumps(rows, separators=(',', ':'))}"
        for key, rows in sorted(content.items())
    )
    replace_file(path, sealed(("{\n" + lines + "\n}\n").encode()))
    return path


def _shipped_file(study: Study) -> Path | None:
    """Return the file with the results that come with a study in data/studies; it need not exist."""
    folder = study.shipped_folder
    return None if folder is None else folder.parent / "retention.json"


def _rounded(one: _ImageRetention) -> dict[str, Any]:
    flags = {rule: list(map(int, getattr(one, rule))) for rule in ("greedy", "random", "half")}
    return asdict(one) | flags | {"shares": [round(share, 5) for share in one.shares]}


def _shipped(study: Study) -> Mapping[str, dict[str, _ImageRetention]]:
    path = _shipped_file(study)
    return _read_shipped(path, path.stat().st_mtime_ns) if path and path.exists() else {}


@functools.lru_cache(maxsize=2)
def _read_shipped(path: Path, changed: int) -> dict[str, dict[str, _ImageRetention]]:
    """Return the results by key and image; none where the file is damaged. `changed` renews the memory."""

    def unpack(content: bytes) -> dict[str, dict[str, _ImageRetention]]:
        return {
            key: {one.image: one for one in map(_ImageRetention.from_json, rows)}
            for key, rows in json.loads(content).items()
        }

    return read_cached(path, unpack, aside=False, checksum=True) or {}


def _shipped_key(network: Network, category: str) -> str:
    """Return the key of a network and a category in the file that comes with a study."""
    module: Any = network.module
    base = getattr(module, "network", network)
    # The last digits of a trained linear layer differ between machines. So a network with such a layer is
    # named by what the layer was made from, and not by its weights.
    head = f"+head on {module.layer}, {module.trained_on} images" if base is not network else ""
    how = digest(network.preprocessing.key_text())[:8]
    return f"{base.weights_hash[:16]}-{how}{head}: {category}"


# ---- the object network with a linear layer for scenes


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


def _scene_probe(study: Study, network: str = "object", without: list[str] | None = None) -> Network:
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
    wanted = (images["source"] == "scene-centric") & (images["category"] != "")
    images = images[wanted & ~images["image"].isin(without)]
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

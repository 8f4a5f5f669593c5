"""The tables of section 2: the layers, each network's accuracy, and which images each layer prefers.

Every function takes an open study or a network and returns a table with one row per case. The numbers come
from the activation index of the study: no network runs here once its index is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from scenelens import paper
from scenelens.errors import SceneLensError, close_names
from scenelens.intervals import difference_interval, middle, wilson_interval
from scenelens.networks import Network
from scenelens.paper import CONTROL, PAIR, SOURCES
from scenelens.studies import Study


def compare_with_table_1(network: Network) -> pd.DataFrame:
    """Return the layers of a network, compared with the paper's Table 1.

    Parameters
    ----------
    network : Network
        The network.

    Returns
    -------
    pandas.DataFrame
        One row per layer: ``layer``, ``units``, ``map`` (rows, columns). For a network with all the paper's
        layers also ``paper_units`` and ``paper_map``, missing for fc8, which the paper's table leaves out.
    """
    ours = network.layers[["layer", "units", "map"]].copy()
    theirs = pd.DataFrame(paper.TABLE_1, columns=["layer", "paper_units", "paper_map"])
    if not set(theirs["layer"]) <= set(ours["layer"]):
        return ours
    table = ours.merge(theirs, on="layer", how="left")
    table["paper_units"] = table["paper_units"].astype("Int64")  # whole numbers that may be missing
    return table


def layer_pairs(
    study: Study, layers: list[str] | None = None, networks: Sequence[str] | None = None
) -> pd.DataFrame:
    """Return which layers of the networks are compared, from the earliest to the deepest.

    Parameters
    ----------
    study : Study
        The open study.
    layers : list of str, optional
        Names of layers that all networks have. By default each network's own main layers are paired by depth.
    networks : sequence of str, optional
        The networks, by name; by default all trained ones, `StudyNetworks.compared`.

    Returns
    -------
    pandas.DataFrame
        ``depth`` (int, from 0), and one column per network with the name of its layer.

    Raises
    ------
    SceneLensError
        If a network lacks a layer.
    """
    networks = study.networks.compared if networks is None else networks
    if layers is not None:
        for name in networks:
            _check_layers(study.networks[name], name, layers)
        return pd.DataFrame({"depth": range(len(layers)), **dict.fromkeys(networks, layers)})
    lists = {name: list(study.networks[name].main_layers()) for name in networks}
    # Where one network has more main layers, as many of them are taken as the other has, evenly spread; first
    # and last layers are always compared.
    count = min(len(names) for names in lists.values())
    table = pd.DataFrame({"depth": range(count)})
    for name, names in lists.items():
        table[name] = [names[i] for i in np.linspace(0, len(names) - 1, count).round().astype(int)]
    return table


def _lasting_gap(table: pd.DataFrame) -> int | None:
    """The depth from which on the object network's share is the higher one, to the deepest layer.

    ``table`` is that of `layer_preference`; a share is higher where the interval of the difference lies above
    0. None where that is not so in the deepest layer.
    """
    gap = (table[table["network"] == "object"].sort_values("depth")["difference_low"] > 0).to_numpy()
    lasting = [depth for depth in range(len(gap)) if gap[depth:].all()]
    return lasting[0] if lasting else None


def strongest_images(study: Study, n: int = 3, layers: list[str] | None = None) -> pd.DataFrame:
    """Return the images with the largest response, summed over a layer's units and positions (Figure 1).

    Parameters
    ----------
    study : Study
        The open study.
    n : int, optional
        How many images per layer.
    layers : list of str, optional
        The layers; see `layer_pairs`.

    Returns
    -------
    pandas.DataFrame
        ``network``, ``depth``, ``layer``, ``rank`` (0 is the strongest), ``image``, ``score``, ``source``,
        ``category``. Ties keep the order of the study's images. Images that could not be read are left out.

    Raises
    ------
    SceneLensError
        If a layer is missing.
    """
    about = study.images.set_index("image")
    rows, networks = [], study.networks.compared
    for pair in layer_pairs(study, layers, networks).to_dict("records"):
        for network in networks:
            top = study.index(network).layer_top_images(pair[network], n)
            rows.append(top.assign(network=network, depth=pair["depth"], layer=pair[network]))
    table = pd.concat(rows, ignore_index=True).join(about[["source", "category"]], on="image")
    return table[["network", "depth", "layer", "rank", "image", "score", "source", "category"]]


def layer_preference(
    study: Study, n: int = paper.PREFERENCE_TOP, layers: list[str] | None = None
) -> pd.DataFrame:
    """Return the share of object-centric images among the `n` strongest of each layer (section 2).

    An untrained network is measured too, where the study has one.

    Parameters
    ----------
    study : Study
        The open study.
    n : int, optional
        How many images per layer count (default: 100, as in the paper).
    layers : list of str, optional
        The layers; see `layer_pairs`.

    Returns
    -------
    pandas.DataFrame
        ``network``, ``depth``, ``layer``, ``share`` with its 95% Wilson interval ``low`` and ``high``
        (fractions, 0..1), ``n`` (at most all images), ``images`` (how many were ranked), ``chance`` (the
        share among these), ``paper`` (its value for a layer of the same name, else NaN). In the rows of the
        object network, where there is a scene network too: ``difference`` (its share minus that of the scene
        network) with a 95% interval ``difference_low`` and ``difference_high``, ``shared`` (how many images
        are among the `n` strongest of both) and ``shared_by_chance`` (how many would be if both were drawn at
        random); else NaN. A layer that responds equally to all images prefers nothing: its share is NaN, and
        a further column ``note`` says so.

    Raises
    ------
    CannotAnswerError
        If the study has no scene-centric images, or no object-centric ones.
    SceneLensError
        If a layer is missing.

    Notes
    -----
    The strongest images are not a random draw from all. But given the score of the next strongest image, the
    `n` above it are a random draw from all images, of these kinds and in this mixture, that score higher. So
    Wilson's interval is that of the share of object-centric images among all such images.

    The two lists of a layer share images, so their difference has an interval of its own: the images of each
    kind are drawn anew 2,000 times, both lists are made from the same draw, and the middle 95% of the
    differences are taken. Where a share is 0 or 1 all draws agree and say nothing; there it is Newcombe's
    interval, which takes the lists as independent, and so is rather too wide.
    """
    for source in SOURCES.values():
        study.images_from(source)  # raises where there are none: nothing can be preferred then
    rows, networks = [], study.networks.compared
    if CONTROL in study.networks and CONTROL not in networks:
        networks = [*networks, CONTROL]
    for pair in layer_pairs(study, layers, networks).to_dict("records"):
        for network in networks:
            layer, index = pair[network], study.index(network)
            found = index.layer_preference(layer, n).set_index("source")
            row = {"network": network, "depth": pair["depth"], **found.loc["object-centric"].to_dict()}
            row["images"] = len(study.images) - len(index.skipped)
            rows.append(row | {"paper": paper.PREFERENCE.get((network, layer), np.nan)})
        found = {row["network"]: row for row in rows[-len(networks) :]}
        if set(PAIR) <= set(found):
            found["object"] |= _difference(study, found, n)
    table = pd.DataFrame(rows)
    return table.reindex(columns=[*_PREFERENCE, *(["note"] if "note" in table else [])])


_PREFERENCE = [
    "network",
    "depth",
    "layer",
    "share",
    "low",
    "high",
    "n",
    "images",
    "chance",
    "paper",
    "difference",
    "difference_low",
    "difference_high",
    "shared",
    "shared_by_chance",
]


def _difference(study: Study, rows: dict[str, dict[str, Any]], n: int) -> dict[str, float]:
    """How the two networks' lists of the strongest images differ in one layer, and what they share."""
    one, other = (rows[name]["share"] for name in ("object", "scene"))
    if np.isnan(one) or np.isnan(other):
        return {}
    scores = np.array([study.index(name).layer_scores(rows[name]["layer"]) for name in ("object", "scene")])
    known = ~np.isnan(scores).any(axis=0)
    scores, of_objects = scores[:, known], (study.images["source"] == SOURCES["object"]).to_numpy()[known]
    n = min(n, scores.shape[1])
    lists = np.argsort(-scores, axis=1, kind="stable")[:, :n]
    if {one, other} & {0.0, 1.0}:
        low, high = difference_interval(one * n, n, other * n, n)
    else:
        low, high = _difference_interval_of_lists(scores, of_objects, n)
    return {
        "difference": one - other,
        "difference_low": low,
        "difference_high": high,
        "shared": len(np.intersect1d(*lists)),
        "shared_by_chance": n * n / scores.shape[1],
    }


def _difference_interval_of_lists(
    scores: np.ndarray, of_objects: np.ndarray, n: int, seed: int = 0, n_resamples: int = 2000
) -> tuple[float, float]:
    """The 95% interval of the difference of two lists' shares of object-centric images.

    ``scores`` is (2, n_images), ``of_objects`` (n_images,) bool; see the notes of `layer_preference`.
    """
    rng = np.random.default_rng(seed)
    # The n strongest of a resample lie among the first 2 n + 50 of all images, all but surely.
    orders = np.argsort(-scores, axis=1, kind="stable")[:, : 2 * n + 50]
    near = np.unique(orders)
    times = np.zeros((n_resamples, len(near)), int)
    for kind in (True, False):
        mine, total = of_objects[near] == kind, int((of_objects == kind).sum())
        if total:
            chances = np.full(mine.sum() + 1, 1 / total)
            chances[-1] = max(0.0, 1 - chances[:-1].sum())  # the images that are not near
            times[:, mine] = rng.multinomial(total, chances, size=n_resamples)[:, :-1]
    shares = []
    for order in orders:
        drawn = times[:, np.searchsorted(near, order)]
        taken = np.clip(n - (drawn.cumsum(axis=1) - drawn), 0, drawn)  # the first n of the draw
        shares.append((taken @ of_objects[order]) / taken.sum(axis=1))
    return middle(shares[0] - shares[1])


def own_accuracy(study: Study) -> pd.DataFrame:
    """Return the top-1 accuracy of each network on the study's images of its own kind.

    Only images of categories that the network has a class for count.

    Parameters
    ----------
    study : Study
        The open study; all its trained networks are tested.

    Returns
    -------
    pandas.DataFrame
        ``network``, ``classes`` (of the network), ``categories`` (of the study that it has a class for),
        ``n``, ``share`` with its 95% Wilson interval ``low`` and ``high``. A network without a class for any
        of the study's categories has n 0 and missing values. ``images``: how many there are of its kind.
        ``unknown`` lists the categories that it has no class for, and ``shared`` has those whose name several
        classes share -> these classes; neither count.

    Raises
    ------
    SceneLensError
        If a network has more or fewer outputs than class names.
    """
    return pd.DataFrame([_accuracy_row(study, name) for name in study.networks.compared])


def _accuracy_row(study: Study, network: str) -> dict[str, Any]:
    names = study.networks[network].class_names
    images = study.images.set_index("image")
    if network in SOURCES:  # another network may be of either kind: its classes say which images count
        images = images[images["source"] == SOURCES[network]]
    # A folder is named "great_white_shark", a class "great white shark, white shark".
    found = {category: names.find(category) for category in images["category"].unique()}
    meant = {category: numbers[0] for category, numbers in found.items() if len(numbers) == 1}
    wanted = images["category"].map(meant).dropna()
    predicted = _predicted_classes(study, network).reindex(wanted.index).dropna()
    right, n = int((predicted == wanted.loc[predicted.index]).sum()), len(predicted)
    low, high = wilson_interval(right, n) if n else (np.nan, np.nan)
    counts = {"network": network, "classes": len(names), "categories": wanted.nunique(), "n": n}
    return {
        **counts,
        "images": len(images),
        "share": right / n if n else np.nan,
        "low": low,
        "high": high,
        "unknown": [category for category, numbers in found.items() if category and not numbers],
        "shared": {
            category: [names[one] for one in numbers]
            for category, numbers in found.items()
            if len(numbers) > 1
        },
    }


def _predicted_classes(study: Study, network: str) -> pd.Series:
    """Return the number of the class that a network predicts for each image, by image id.

    The index of the output layer holds the scores of all classes already, so the network does not run.
    """
    net = study.networks[network]
    output = net.layers.iloc[-1]
    if int(output["units"]) != len(net.classes):
        raise SceneLensError(
            f"the {network} network ends in {output['units']} units but has {len(net.classes)} class names."
        )
    values = layer_features(study, network, str(output["layer"]))
    readable = ~np.isnan(values).any(axis=1)
    return pd.Series(values[readable].argmax(axis=1), index=pd.Index(study.images["image"])[readable])


def layer_features(study: Study, network: str, layer: str) -> np.ndarray:
    """Return a layer's response to each image as one vector.

    Parameters
    ----------
    study : Study
        The open study.
    network : str
        One of its networks, by name.
    layer : str
        One of the network's layers.

    Returns
    -------
    numpy.ndarray
        float32 (n_images, units), in the order of ``study.images``: the values of a fully connected layer, or
        the mean of each unit's map. NaN for images that could not be read.
    """
    index = study.index(network)
    table = study.networks[network].layers
    shape = tuple(table.loc[table["layer"] == layer, "map"].iloc[0])
    return np.asarray(index.values(layer) if shape == (1, 1) else index.sums(layer) / (shape[0] * shape[1]))


def _check_layers(network: Network, name: str, layers: list[str]) -> None:
    known = list(network.layers["layer"])
    for layer in layers:
        if layer not in known:
            near = close_names(layer, known)
            raise SceneLensError(f"the {name} network has no layer {layer!r}; {near}. See network.layers.")

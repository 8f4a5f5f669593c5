"""Section 2 of the paper: one architecture, two diets. What do the scene and the object network prefer?

Every function takes an open study and gives a tidy table; `read_...` turns a table into sentences. All of it
comes from the activation index: nothing here runs a network.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from scenelens import paper
from scenelens.errors import SceneLensError, close_names
from scenelens.intervals import wilson_interval
from scenelens.networks import Network, same_class
from scenelens.paper import PAIR
from scenelens.studies import Study

CONTROL = "untrained"  # the same architecture before it has seen any image, where a study has one
SOURCES = {"scene": "scene-centric", "object": "object-centric"}  # what each network was made for


def table_1(network: Network) -> pd.DataFrame:
    """Table 1: the layers of a live network beside the paper's.

    Returns
    -------
    DataFrame, one row per layer: layer, units, map (rows, columns); for a network with all the paper's layers
    also paper_units and paper_map, missing for fc8, which the paper's table leaves out.
    """
    ours = network.layers[["layer", "units", "map"]].copy()
    theirs = paper.table_1().rename(columns={"units": "paper_units", "map": "paper_map"})
    if not set(theirs["layer"]) <= set(ours["layer"]):
        return ours
    table = ours.merge(theirs, on="layer", how="left")
    table["paper_units"] = table["paper_units"].astype("Int64")
    return table


def layer_pairs(
    study: Study, layers: list[str] | None = None, networks: Sequence[str] = PAIR
) -> pd.DataFrame:
    """Which layers of the networks are compared, from the earliest (depth 0) to the deepest.

    Parameters
    ----------
    layers : layer names that all networks have; None takes each network's own main layers, paired by depth.

    Returns
    -------
    DataFrame: depth (int), and per network a column of layer names.

    Raises
    ------
    SceneLensError : a network of the study is missing, or lacks a layer.
    """
    _both(study)
    if layers is not None:
        for name in networks:
            _known_layers(study.networks[name], name, layers)
        return pd.DataFrame({"depth": range(len(layers)), **dict.fromkeys(networks, layers)})
    lists = {name: list(study.networks[name].main_layers()) for name in networks}
    count = min(len(names) for names in lists.values())
    table = pd.DataFrame({"depth": range(count)})
    for name, names in lists.items():
        table[name] = [names[i] for i in np.linspace(0, len(names) - 1, count).round().astype(int)]
    return table


def strongest_images(study: Study, n: int = 3, layers: list[str] | None = None) -> pd.DataFrame:
    """The images with the largest response summed over a layer's units and positions (Figure 1).

    Returns
    -------
    DataFrame: network, depth, layer, rank (0 is the strongest), image, score, source, category. Ties keep the
    order of the study's images; images that could not be read have no score and never appear.
    """
    about = study.images.set_index("image")
    rows = []
    for pair in layer_pairs(study, layers).to_dict("records"):
        for network in PAIR:
            top = study.index(network).layer_top_images(pair[network], n)
            rows.append(top.assign(network=network, depth=pair["depth"], layer=pair[network]))
    table = pd.concat(rows, ignore_index=True).join(about[["source", "category"]], on="image")
    return table[["network", "depth", "layer", "rank", "image", "score", "source", "category"]]


def layer_preference(
    study: Study, n: int = paper.PREFERENCE_TOP, layers: list[str] | None = None
) -> pd.DataFrame:
    """Share of object-centric images among the `n` strongest of each layer of both networks (section 2).

    A study's untrained control, where it has one, is measured beside the two.

    Returns
    -------
    DataFrame: network, depth, layer, share, low, high (95% Wilson interval; fractions in 0..1), n (fewer than
    asked for in a small study), images (how many were ranked), chance (the share among these), paper (its
    value for a layer of the same name, else NaN).
    """
    rows = []
    networks = [*PAIR, CONTROL] if CONTROL in study.networks else PAIR
    for pair in layer_pairs(study, layers, networks).to_dict("records"):
        for network in networks:
            layer, index = pair[network], study.index(network)
            found = index.layer_preference(layer, n).set_index("source")
            if "object-centric" not in found.index or len(found) < 2:
                raise SceneLensError(
                    f"study {study.name!r} has images of one source only; this asks for two."
                )
            row = {"network": network, "depth": pair["depth"], **found.loc["object-centric"].to_dict()}
            row["images"] = len(study.images) - len(index.skipped)
            rows.append(row | {"paper": paper.PREFERENCE.get((network, layer), np.nan)})
    names = ["network", "depth", "layer", "share", "low", "high", "n", "images", "chance", "paper"]
    return pd.DataFrame(rows)[names]


def own_accuracy(study: Study) -> pd.DataFrame:
    """Top-1 accuracy of each network on the study's images of its own kind, as far as it has their classes.

    Returns
    -------
    DataFrame: network, classes (of the network), categories (of the study it has a class for), n, share, low,
    high. A network whose classes are not among the study's categories has n 0 and missing values.
    """
    _both(study)
    return pd.DataFrame([_accuracy_row(study, name) for name in PAIR])


def predicted_classes(study: Study, network: str) -> pd.Series:
    """The class each image is given by a network, from the index of its output layer; by image id."""
    net = study.networks[network]
    output = net.layers.iloc[-1]
    if int(output["units"]) != len(net.classes):
        raise SceneLensError(
            f"the {network} network ends in {output['units']} units but has {len(net.classes)} class names."
        )
    values = layer_features(study, network, str(output["layer"]))
    readable = ~np.isnan(values).any(axis=1)
    names = np.asarray(net.classes, dtype=object)[values[readable].argmax(axis=1)]
    return pd.Series(names, index=pd.Index(study.images["image"])[readable])


def _accuracy_row(study: Study, network: str) -> dict[str, Any]:
    classes = study.networks[network].classes
    images = study.images[study.images["source"] == SOURCES[network]].set_index("image")
    match = {c: next((k for k in classes if same_class(c, k)), None) for c in images["category"].unique()}
    wanted = images["category"].map(match).dropna()
    given = predicted_classes(study, network).reindex(wanted.index).dropna()
    right, n = int((given == wanted.loc[given.index]).sum()), len(given)
    low, high = wilson_interval(right, n) if n else (np.nan, np.nan)
    counts = {"network": network, "classes": len(classes), "categories": wanted.nunique(), "n": n}
    return {**counts, "share": right / n if n else np.nan, "low": low, "high": high}


def layer_features(study: Study, network: str, layer: str) -> np.ndarray:
    """A layer's response to each image as one vector: fully connected values, else each unit's mean.

    Returns
    -------
    float32 (n_images, units) in the order of study.images; NaN for images that could not be read.
    """
    index = study.index(network)
    table = study.networks[network].layers
    shape = tuple(table.loc[table["layer"] == layer, "map"].iloc[0])
    return np.asarray(index.values(layer) if shape == (1, 1) else index.sums(layer) / (shape[0] * shape[1]))


def _both(study: Study) -> None:
    missing = [name for name in PAIR if name not in study.networks]
    if missing:
        raise SceneLensError(
            f"study {study.name!r} has no network named {missing[0]!r}; section 2 compares two, "
            "[networks.scene] and [networks.object] in its study.toml."
        )


def _known_layers(network: Network, name: str, layers: list[str]) -> None:
    known = list(network.layers["layer"])
    for layer in layers:
        if layer not in known:
            near = close_names(layer, known)
            raise SceneLensError(f"the {name} network has no layer {layer!r}; {near}. See network.layers.")

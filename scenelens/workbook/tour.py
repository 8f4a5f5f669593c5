"""A first view of a study: its images and networks, the objects in its scenes, and one unit to start with.

Notebook 00 is made from these functions. `describe_*` return sentences, the others tables and names.
"""

from __future__ import annotations

import glob

import numpy as np
import pandas as pd

from scenelens.files import file_name
from scenelens.metrics import all_equal
from scenelens.networks import Network
from scenelens.sentences import Sentences, named, percent, words
from scenelens.studies import Study


def describe_study(study: Study) -> Sentences:
    """Describe a study in a few lines: its images by source, its networks, its annotations, its cache.

    Parameters
    ----------
    study : Study
        The open study. Its networks are loaded, to count their layers.

    Returns
    -------
    Sentences
        A title and a list.
    """
    counts = study.images.groupby("source", sort=False)
    lines = [f"**Study {named(study.name)}**, {len(study.images):,} images."]
    for source, images in counts:
        lines.append(f"{len(images):,} {named(source)} images in {images['category'].nunique()} categories.")
    for name, network in study.networks.items():
        height, width = network.input_size
        size = f"{width} × {height} pixels, {len(network.classes):,} classes"
        lines.append(f"The {named(name)} network: {len(network.layers)} layers, {size}.")
    lines.append("Objects are annotated." if study.annotations is not None else "Objects are not annotated.")
    lines.append(_describe_cached(study))
    return Sentences(lines[0] + "\n\n" + "\n".join(f"- {line}" for line in lines[1:]))


def _describe_cached(study: Study) -> str:
    """Whether results of earlier runs will be used; an index is a folder named after its network."""
    index = study.cache / "index"
    cached = [
        named(name)
        for name in study.networks
        if any(index.glob(f"{glob.escape(file_name(name))}-*/inputs.json"))
    ]
    if not cached:
        return "Nothing has been computed yet. Results are stored on disk, and used again the next time."
    names = ", ".join(cached[:-1]) + (" and " if cached[1:] else "") + cached[-1]
    plural = "s" if cached[1:] else ""
    return f"Stored by an earlier run and used again: the index of the {names} network{plural}."


def object_presence(study: Study, at_most: int = 56) -> pd.DataFrame:
    """How often each object is found in each category of scene.

    For SceneWorld this is the table that the scenes were drawn from, so it is exact. For any other study it
    is counted in the annotations of its scene-centric images.

    Parameters
    ----------
    study : Study
        The open study.
    at_most : int, optional
        The largest number of objects (default 56, as many rows as fit on a page).

    Returns
    -------
    pandas.DataFrame
        Shares in 0..1: one row per object, the most frequent ones and those first; one column per category of
        scene. Empty for a study without annotations.
    """
    truth = study.truth_table()
    if truth is not None:
        shares = _true_presence(truth)
    elif study.annotations is None:
        return pd.DataFrame()
    else:
        shares = _counted_presence(study.annotations.objects(), study.images)
    order = shares.mean(axis=1).sort_values(ascending=False, kind="stable").index
    return shares.loc[order[:at_most]]


def _true_presence(table: pd.DataFrame) -> pd.DataFrame:
    """The world's table by object: present in any of its appearances, which are drawn independently."""
    # Independent draws: the chance that none of the appearances is there is the product of their absences.
    absent = (1 - table["presence"]).groupby([table["object"], table["scene"]]).prod()
    shares = (1 - absent).unstack(fill_value=0.0)
    return shares[list(dict.fromkeys(table["scene"]))]


def _counted_presence(objects: pd.DataFrame, images: pd.DataFrame) -> pd.DataFrame:
    """The share of a category's annotated scene-centric images that show the object at least once."""
    # An image without any annotated object does not count: it may not have been annotated at all.
    found = objects.drop_duplicates(["image", "object"])
    scenes = images[images["source"] == "scene-centric"].set_index("image")["category"]
    found = found.assign(category=scenes.reindex(found["image"]).to_numpy()).dropna(subset=["category"])
    counts = pd.crosstab(found["object"], found["category"])
    annotated = found.drop_duplicates("image").groupby("category").size()
    return counts / annotated.reindex(counts.columns)


def describe_presence(presence: pd.DataFrame) -> Sentences:
    """Say which object is found everywhere, and which one tells most about the scene.

    Parameters
    ----------
    presence : pandas.DataFrame
        Shares in 0..1, one row per object, one column per category: see `object_presence`.

    Returns
    -------
    Sentences
        Two sentences; for an empty table, one that says there are no annotations.
    """
    if presence.empty:
        return Sentences("This study's images have no annotations, so it is not known which object is where.")
    mean = presence.mean(axis=1)
    common = mean.idxmax()
    lift = presence.max(axis=1) - mean  # high where one category has what the others lack
    rare = lift.idxmax()
    names = [named(words(one)) for one in (common, rare, presence.loc[rare].idxmax())]
    return Sentences(
        f"The most frequent object is **{names[0]}**, in {percent(mean[common])} of the images of an average "
        f"category. The one that tells most about a scene is **{names[1]}**: in "
        f"{percent(presence.loc[rare].max())} of the images of {names[2]}, {percent(mean[rare])} on average."
    )


def deepest_map_layer(network: Network) -> str:
    """The deepest of a network's main layers whose units have a map, so that a peak has a position.

    Parameters
    ----------
    network : Network
        The network.

    Returns
    -------
    str
        The layer's name; the deepest main layer if none has a map.
    """
    maps = network.layers.set_index("layer")["map"]
    main = list(network.main_layers())
    return next((layer for layer in reversed(main) if tuple(maps[layer]) != (1, 1)), main[-1])


def tidiness(study: Study, network: str, layer: str, n: int = 12) -> pd.Series:
    """How well the top images of each unit agree: the share that belongs to their most frequent category.

    Parameters
    ----------
    study : Study
        The open study.
    network : str
        A name in `Study.networks`.
    layer : str
        A layer of that network.
    n : int, optional
        How many top images count (default 12).

    Returns
    -------
    pandas.Series
        Fractions by unit; 0 for a unit that responds to no image.

    Raises
    ------
    SceneLensError
        If there is no such network or layer.
    """
    # Skipped images come last. A unit that is never active, or equally active in all images, has no top
    # images, and counts as 0.
    stored = study.index(network).peaks(layer)
    peaks = np.nan_to_num(stored, nan=-np.inf)
    codes, _ = pd.factorize(study.images["category"])
    shares = np.zeros(peaks.shape[1])
    for unit in np.flatnonzero(peaks.max(axis=0) > 0):
        if all_equal(stored[:, unit]):
            continue
        top = np.argsort(-peaks[:, unit], kind="stable")[:n]
        shares[unit] = np.bincount(codes[top]).max() / len(top)
    return pd.Series(shares, index=pd.RangeIndex(len(shares), name="unit"), name="tidiness")


def tidiest_unit(study: Study, network: str = "scene") -> tuple[str, int]:
    """The unit whose top images agree best on a category, of the deepest layer with a map.

    It is chosen as a clear example, so it is not typical. Of ties, the first unit is taken.

    Parameters
    ----------
    study : Study
        The open study.
    network : str, optional
        A name in `Study.networks` (default 'scene').

    Returns
    -------
    layer : str
        The layer's name.
    unit : int
        The unit, from 0.

    Raises
    ------
    SceneLensError
        If there is no such network.
    """
    layer = deepest_map_layer(study.networks[network])
    return layer, int(tidiness(study, network, layer).idxmax())

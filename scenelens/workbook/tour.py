"""A first view of a study: its images and networks, the objects in its scenes, and one unit to start with.

Notebook 00 is made from these functions. `describe_*` return sentences, the others tables and names.
"""

from __future__ import annotations

import glob
from collections.abc import Mapping

import numpy as np
import pandas as pd

from scenelens.errors import CannotAnswerError
from scenelens.files import file_name
from scenelens.intervals import wilson_interval
from scenelens.metrics import all_equal
from scenelens.networks import Network
from scenelens.paper import CONTROL, PAIR
from scenelens.sentences import Sentences, named, percent, words
from scenelens.studies import Study

_ANNOTATED = "annotated images"  # the key of a table's attrs


def describe_study(study: Study) -> Sentences:
    """Describe a study in a few lines: its title, images by source, networks, annotations and cache.

    Parameters
    ----------
    study : Study
        The open study. Its networks are loaded, to count their layers.

    Returns
    -------
    Sentences
        A title and a list.
    """
    name = f"study {named(study.name)}, " if study.title != study.name else ""
    lines = [f"**{named(study.title)}**: {name}{_count(len(study.images), 'image')}."]
    for source, images in study.images.groupby("source", sort=False):
        kinds = images.loc[images["category"] != "", "category"].nunique()
        where = f"in {_count(kinds, 'category', 'categories')}" if kinds else "without categories"
        lines.append(f"{_count(len(images), f'{source} image')} {where}.{_describe_splits(images['split'])}")
    for name, network in study.networks.items():
        height, width = network.input_size
        size = f"{width} × {height} pixels, {_count(len(network.classes), 'class', 'classes')}"
        what = f" ({study.networks.control_text()})" if name == CONTROL and len(study.networks) > 1 else ""
        lines.append(f"The {named(name)} network{what}: {_count(len(network.layers), 'layer')}, {size}.")
        if network.notes:
            lines.append(_describe_reading(name, network))
    if len(study.networks.compared) < 2:
        lines.append(_describe_alone(study))
    lines.append("Objects are annotated." if study.annotations is not None else "Objects are not annotated.")
    lines.append(_describe_cached(study))
    return Sentences(lines[0] + "\n\n" + "\n".join(f"- {line}" for line in lines[1:]))


def _count(n: int, one: str, many: str = "") -> str:
    """A number of things in words.

    >>> _count(1, "image"), _count(1200, "category", "categories")
    ('1 image', '1,200 categories')
    """
    return f"{n:,} {one if n == 1 else many or f'{one}s'}"


def _describe_reading(name: str, network: Network) -> str:
    """How a network's files were understood, where that was not obvious."""
    ends = f"its classes go from {named(network.classes[0])} to {named(network.classes[-1])}"
    return f"The {named(name)} network's files: {'; '.join(map(named, network.notes))}; {ends}."


def _describe_splits(splits: pd.Series) -> str:
    """How many images are of each split, where there are several."""
    counts = splits.value_counts(sort=False)
    if len(counts) < 2:
        return ""
    parts = ", ".join(f"{named(split)}: {n:,}" for split, n in counts.items())
    return f" By split ({parts}); a network has perhaps been trained on some of them."


def _describe_alone(study: Study) -> str:
    """That there is nothing to compare a study's only network with, and how to change that."""
    has = study.networks.main
    other = next(name for name in PAIR if name != has)
    return (
        f"Nothing is compared with the {named(has)} network: a comparison needs a second network, trained on "
        f"{other}s. Add a table [networks.{other}] to {study.file.path.name}."
    )


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
        scene. Where they were counted, ``attrs["annotated images"]`` is a dict from each category to how
        many images they were counted in.

    Raises
    ------
    CannotAnswerError
        If the study has no annotations, or the scene of no annotated photograph is known.
    """
    truth = study.truth_table()
    if truth is None:
        shares = _counted_presence(study)
    else:
        shares = _true_presence(truth)
    order = shares.mean(axis=1).sort_values(ascending=False, kind="stable").index
    return shares.loc[order[:at_most]]


def _true_presence(table: pd.DataFrame) -> pd.DataFrame:
    """The world's table by object: present in any of its appearances, which are drawn independently."""
    # Independent draws: the chance that none of the appearances is there is the product of their absences.
    absent = (1 - table["presence"]).groupby([table["object"], table["scene"]]).prod()
    shares = (1 - absent).unstack(fill_value=0.0)
    return shares[list(dict.fromkeys(table["scene"]))]


def _counted_presence(study: Study) -> pd.DataFrame:
    """The share of a category's annotated photographs that show the object at least once."""
    scenes, annotations = study.scene_categories(), study.annotations
    assert annotations is not None
    # An image without any annotated object does not count: it may not have been annotated at all.
    found = annotations.objects().drop_duplicates(["image", "object"])
    found = found.assign(category=found["image"].map(scenes)).dropna(subset=["category"])
    counts = pd.crosstab(found["object"], found["category"])
    annotated = found.drop_duplicates("image").groupby("category").size()
    shares = counts / annotated.reindex(counts.columns)
    shares.attrs[_ANNOTATED] = {category: int(annotated[category]) for category in counts.columns}
    return shares


def describe_presence(presence: pd.DataFrame) -> Sentences:
    """Say which object is found everywhere, and which one tells most about the scene.

    Parameters
    ----------
    presence : pandas.DataFrame
        Shares in 0..1, one row per object, one column per category: see `object_presence`. Where its
        ``attrs`` have no counts of images, the shares are taken for exact.

    Returns
    -------
    Sentences
        Two sentences; the second one says so where no object tells the categories apart, and where so few
        images are annotated that nobody can know.
    """
    return Sentences(f"{_most_frequent(presence)} {_most_telling(presence)}")


def _most_frequent(presence: pd.DataFrame) -> str:
    mean, images = presence.mean(axis=1), presence.attrs.get(_ANNOTATED)
    # Of three images, many objects are in one; naming the first of them would say that it is special.
    first = [named(words(one)) for one in mean.index[mean == mean.max()]]
    where = "an average category" if presence.shape[1] > 1 else named(words(presence.columns[0]))
    counted = "" if images is None else f" (of {_count(sum(images.values()), 'annotated image')} in all)"
    share = f"in {percent(mean.max())} of the images of {where}{counted}."
    if len(first) == 1:
        return f"The most frequent object is **{first[0]}**, {share}"
    others = f" and {len(first) - 2} more" if first[2:] else ""
    joined = f"**{first[0]}**, **{first[1]}**{others}" if others else f"**{first[0]}** and **{first[1]}**"
    return f"The most frequent objects are {joined}, each {share}"


def _most_telling(presence: pd.DataFrame) -> str:
    if presence.shape[1] < 2:
        return "There is one category only, so no object can tell scenes apart."
    lift = presence.max(axis=1) - presence.mean(axis=1)  # high where one category has what the others lack
    if lift.max() <= 0:
        return "Every object is equally frequent in all categories: none tells them apart."
    images = presence.attrs.get(_ANNOTATED)
    if images is not None:  # an object in the only image of a category is no match for one in 40 of 50
        lift = pd.Series({one: _surely_more(presence.loc[one], images) for one in presence.index})
    rare = lift.idxmax()
    if lift[rare] <= 0:
        return (
            "Too few images are annotated to say which object tells most about a scene: for no object does "
            "the 95% interval of its share in its most frequent category lie wholly above that in all others."
        )
    most = presence.loc[rare].idxmax()
    count = "" if images is None else f" (n = {images[most]:,})"
    return (
        f"The one that tells most about a scene is **{named(words(rare))}**: in "
        f"{percent(presence.loc[rare].max())} of the images of {named(words(most))}{count}, "
        f"{percent(presence.loc[rare].mean())} on average."
    )


def _surely_more(shares: pd.Series, images: Mapping[str, int]) -> float:
    """How far an object's interval in its most frequent category lies above that in all others together.

    Stricter than an interval of the difference, because the object is chosen among many.
    """
    most, n = shares.idxmax(), pd.Series(images)
    shown = (shares * n).round().astype(int)
    _, rest = wilson_interval(int(shown.drop(most).sum()), int(n.drop(most).sum()))
    return wilson_interval(int(shown[most]), int(n[most]))[0] - rest


def deepest_map_layer(network: Network) -> str:
    """The deepest of a network's layers whose units have a map, so that a peak has a position.

    Parameters
    ----------
    network : Network
        The network.

    Returns
    -------
    str
        The layer's name; the deepest main layer if none has a map.
    """
    return network.deepest_map()


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
        Fractions by unit; 0 for a unit without top images: it responds to no image, or its n-th highest peak
        is that of other images, too.

    Raises
    ------
    SceneLensError
        If there is no such network or layer.
    CannotAnswerError
        If no two of the study's images can agree: they have fewer than two categories, or each category has
        a single image.
    """
    # Skipped images come last. A unit that is never active, or equally active in all images, has no top
    # images, and counts as 0. So does one that is active in fewer than n: the list's order fills its top.
    stored = study.index(network).peaks(layer)
    peaks = np.nan_to_num(stored, nan=-np.inf)
    categories = study.images["category"]
    counts = categories[categories != ""].value_counts()
    if len(counts) < 2 or counts.max() < 2:
        few = "fewer than two" if len(counts) < 2 else "a single image of each"
        raise CannotAnswerError(
            "whether a unit's top images agree on a category cannot be said, because the study's images have "
            f"{few}: put several images of each category into a folder of its own."
        )
    codes, _ = pd.factorize(categories)
    shares = np.zeros(peaks.shape[1])
    for unit in np.flatnonzero(peaks.max(axis=0) > 0):
        if all_equal(stored[:, unit]):
            continue
        order = np.argsort(-peaks[:, unit], kind="stable")
        top, edge = order[:n], peaks[order[n - 1 : n + 1], unit]
        if len(edge) == 2 and np.isfinite(edge[1]) and edge[0] == edge[1]:
            continue
        named_codes = codes[top][categories.iloc[top].to_numpy() != ""]
        shares[unit] = np.bincount(named_codes, minlength=1).max() / len(top)
    return pd.Series(shares, index=pd.RangeIndex(len(shares), name="unit"), name="tidiness")


def tidiest_unit(study: Study, network: str | None = None) -> tuple[str, int]:
    """The unit whose top images agree best on a category, of the deepest layer with a map.

    It is chosen as a clear example, so it is not typical. Of ties, the first unit is taken. Where the images
    have no categories to agree on (none, or one image of each), it is the unit with the highest peak of all.

    Parameters
    ----------
    study : Study
        The open study.
    network : str, optional
        A name in `Study.networks`; by default the scene network, or else the first trained one.

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
    network = network or study.networks.main
    layer = deepest_map_layer(study.networks[network])
    try:
        return layer, int(tidiness(study, network, layer).idxmax())
    except CannotAnswerError:
        return layer, int(np.nan_to_num(study.index(network).peaks(layer), nan=-np.inf).max(axis=0).argmax())

"""Scenes to begin with: the categories a study can show, and one recognised photograph of each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from scenelens import paper
from scenelens.caches import cached
from scenelens.errors import SceneLensError, close_names
from scenelens.files import cache_key, digest
from scenelens.images import load_image
from scenelens.minimal_images.regions import Regions
from scenelens.minimal_images.search import MinimalImage, minimal_image
from scenelens.minimal_images.segmentation import regions_from_annotation
from scenelens.networks import Network
from scenelens.studies import Study, network_inputs, variant_parts


def choose_categories(study: Study, n: int = 4) -> list[str]:
    """Return scene categories to begin with: the paper's four, then the most frequent others.

    Only categories that the study's images show and its scene network knows are chosen. Where a study has
    annotated images, only those count.

    Parameters
    ----------
    study : Study
        The open study.
    n : int, optional
        How many categories at most.

    Returns
    -------
    list of str
        The categories.

    Raises
    ------
    SceneLensError
        If no image shows a scene that the network knows.
    """
    scenes = _scenes(study)
    counts = scenes[scenes.isin(study.networks["scene"].classes)].value_counts()
    if counts.empty:
        raise SceneLensError(
            f"no image of study {study.name!r} shows a scene that its scene network knows; "
            "name the folders of images as the network names its classes."
        )
    known = [category for category in paper.RETENTION if category in counts]
    return [*known, *(category for category in counts.index if category not in known)][:n]


def known_categories(study: Study) -> list[str]:
    """Return all scene categories that the study's images show and its scene network knows.

    Parameters
    ----------
    study : Study
        The open study.

    Returns
    -------
    list of str
        The categories, sorted.
    """
    classes = set(study.networks["scene"].classes)
    return sorted(set(_scenes(study)) & classes)


def _scenes(study: Study) -> pd.Series:
    """Return the scene of each annotated image, or of each scene-centric one if none is annotated."""
    if study.annotations is None:
        images = study.images
        return images[images["source"] == "scene-centric"]["category"]
    return pd.Series([study.annotations.scene(image) for image in study.annotations.images], dtype=str)


@dataclass(frozen=True)
class _ExampleScene:
    """One photograph of a scene; see `example_scene`."""

    path: Path
    photograph: np.ndarray
    category: str
    regions: Regions | None


def example_scene(study: Study, category: str) -> _ExampleScene:
    """Return the first image of a category that the scene network recognises.

    Where it recognises none of them, the very first image is returned. The network's answers are cached.

    Parameters
    ----------
    study : Study
        The open study.
    category : str
        A scene category of the study's images.

    Returns
    -------
    object
        With the attributes ``path`` (Path), ``photograph`` (uint8 RGB (h, w, 3)), ``category`` (str) and
        ``regions`` (the `Regions` of its outlined objects; None where the study has no annotations).

    Raises
    ------
    SceneLensError
        If no image shows such a category (close names are given).
    """
    network, first = study.networks["scene"], None
    for image, path in _photographs(study, category):
        photograph = load_image(path)
        first = first or (image, path, photograph)
        if _predicted(network, photograph, study.cache / "minimal") == category:
            first = image, path, photograph
            break
    if first is None:
        raise SceneLensError(f"no image shows a {category!r}; {close_names(category, set(_scenes(study)))}.")
    image, path, photograph = first
    annotations = study.annotations
    regions = None if annotations is None else regions_from_annotation(annotations, image)
    return _ExampleScene(path, photograph, category, regions)


def _photographs(study: Study, category: str) -> list[tuple[str, Path]]:
    if study.annotations is None:
        images = study.images[study.images["category"] == category]
        return list(zip(images.image, images.path, strict=True))
    known = study.annotations
    return [(image, known.path(image)) for image in known.images if known.scene(image) == category]


def _predicted(network: Network, photograph: np.ndarray, folder: Path) -> str:
    """Return the class that the network predicts for a photograph, from the cache where it is there."""
    frame = network.show_input(photograph)
    # The frame counts, and not the photograph: it is all that the network sees.
    parts = [network_inputs(network), frame.shape, digest(frame.tobytes()), *variant_parts(network, folder)]
    key = cache_key(parts, digits=24)

    def run() -> int:
        return network.classes.index(network.predict(photograph, top=1)["predicted"][0])

    def unpack(content: bytes) -> int:
        number = json.loads(content)["predicted"]
        if not isinstance(number, int) or not 0 <= number < len(network.classes):
            raise ValueError("not the number of a class")
        return number

    path = folder / f"predicted-{key}.json"
    number = cached(path, run, lambda number: json.dumps({"predicted": number}).encode(), unpack)
    return network.classes[number]


def by_objects_and_regions(study: Study, category: str) -> list[tuple[str, MinimalImage]]:
    """Return the minimal images of a category's example, cut in both of the paper's ways.

    The photograph is cut by its outlined objects, where there are any, and by edges and regions. The searches
    are cached with the study, so that the second call does not run the network.

    Parameters
    ----------
    study : Study
        The open study.
    category : str
        A scene category of the study's images.

    Returns
    -------
    list of tuple
        (how the image was cut, in words; its `MinimalImage`), as `figures.figure_2_pairs` takes them.

    Raises
    ------
    SceneLensError
        If no image shows such a category.
    """
    example, network = example_scene(study, category), study.networks["scene"]
    ways = {"cut by objects": example.regions, "cut by edges and regions": None}
    if example.regions is None:
        del ways["cut by objects"]
    cache = study.cache / "minimal"
    return [
        (way, minimal_image(network, example.photograph, regions, category, cache=cache))
        for way, regions in ways.items()
    ]

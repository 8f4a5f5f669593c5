"""Images to begin with: which scenes a study can be asked about, and one recognised example of each."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from scenelens import paper
from scenelens.errors import SceneLensError, close_names
from scenelens.files import digest, replace_file
from scenelens.images import load_image
from scenelens.minimal_images.regions import Regions
from scenelens.minimal_images.search import MinimalImage, minimal_image
from scenelens.minimal_images.segmentation import regions_from_annotation
from scenelens.networks import Network
from scenelens.studies import Study, network_inputs


def choose_categories(study: Study, n: int = 4) -> list[str]:
    """The paper's four scene categories where the study's images and scene network have them, then the most
    frequent of the others that both have; `n` at most. Annotated images are asked for where there are any.

    Raises
    ------
    SceneLensError : no image shows a scene that the network knows.
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
    """All scene categories that the study's images show and its scene network knows, sorted."""
    classes = set(study.networks["scene"].classes)
    return sorted(set(_scenes(study)) & classes)


def _scenes(study: Study) -> pd.Series:
    """The scene category of each annotated image, or of each scene-centric one where none is annotated."""
    if study.annotations is None:
        images = study.images
        return images[images["source"] == "scene-centric"]["category"]
    return pd.Series([study.annotations.scene(image) for image in study.annotations.images], dtype=str)


@dataclass(frozen=True)
class Example:
    """One photograph of a scene: its path, the photograph (uint8 RGB), its category, and its `Regions` where
    people have outlined objects on it, else None."""

    path: Path
    photograph: np.ndarray
    category: str
    regions: Regions | None


def example(study: Study, category: str) -> Example:
    """The first image of a category that the scene network recognises; the very first where it knows none.
    What the network takes an image for is kept in the study's cache.

    Raises
    ------
    SceneLensError : no image of such a category (close names are given).
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
    outlined = study.annotations
    regions = None if outlined is None else regions_from_annotation(outlined, image)
    return Example(path, photograph, category, regions)


def _predicted(network: Network, photograph: np.ndarray, folder: Path) -> str:
    """The class that the network gives a photograph, as it was kept, or asked and kept then."""
    frame = network.show_input(photograph)
    about = [network_inputs(network), frame.shape, hashlib.sha256(frame.tobytes()).hexdigest()]
    path = folder / f"predicted-{digest(json.dumps(about))[:24]}.json"
    try:
        number = json.loads(path.read_text())["predicted"]
        if isinstance(number, int) and 0 <= number < len(network.classes):
            return network.classes[number]
    except (OSError, ValueError, TypeError, KeyError):
        pass  # the network is asked
    found = network.predict(photograph, top=1)["predicted"][0]
    replace_file(path, json.dumps({"predicted": network.classes.index(found)}).encode())
    return found


def _photographs(study: Study, category: str) -> list[tuple[str, Path]]:
    if study.annotations is None:
        images = study.images[study.images["category"] == category]
        return list(zip(images.image, images.path, strict=True))
    known = study.annotations
    return [(image, known.path(image)) for image in known.images if known.scene(image) == category]


def both_ways(study: Study, category: str) -> list[tuple[str, MinimalImage]]:
    """A category's example, simplified by its outlined objects (where there are any) and by edges and
    regions. The searches are kept in the study's cache, and the second call does not ask the network."""
    one, network = example(study, category), study.networks["scene"]
    ways = {"cut by objects": one.regions, "cut by edges and regions": None}
    if one.regions is None:
        del ways["cut by objects"]
    cache = study.cache / "minimal"
    return [
        (words, minimal_image(network, one.photograph, how, category, cache=cache))
        for words, how in ways.items()
    ]

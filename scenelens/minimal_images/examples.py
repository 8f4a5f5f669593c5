"""Scenes to begin with: the categories a study can show, and one recognised photograph of each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from scenelens import paper
from scenelens.caches import cached
from scenelens.errors import CannotAnswerError, SceneLensError, close_names
from scenelens.files import cache_key, digest
from scenelens.images import load_image
from scenelens.minimal_images.cut_image import CutImage
from scenelens.minimal_images.regions import Regions
from scenelens.minimal_images.search import MinimalImage, minimal_image
from scenelens.minimal_images.segmentation import regions_from_annotation
from scenelens.networks import Network
from scenelens.studies import Study, network_inputs, variant_parts


def choose_categories(study: Study, n: int | None = 4) -> list[str]:
    """Return scene categories to begin with: the paper's four, then the most frequent others.

    Only categories that the study's photographs show and its scene network (or its first trained one) knows
    are chosen. Where annotated
    photographs show such scenes, only those count.

    Parameters
    ----------
    study : Study
        The open study.
    n : int, optional
        How many categories at most (default 4); None for all.

    Returns
    -------
    list of str
        The categories.

    Raises
    ------
    CannotAnswerError
        If no photograph shows a scene that the network knows.
    """
    counts = _scenes(study)["category"].value_counts()
    known = [category for category in paper.RETENTION if category in counts]
    return [*known, *(category for category in counts.index if category not in known)][:n]


def _scenes(study: Study) -> pd.DataFrame:
    """Return the photographs of scenes that the main network knows: ``image``, ``path``, ``category``.

    They are the annotated ones, with their ids in the annotations. Where none of these has the name of such a
    scene, they are the study's scene-centric images, or else all of them.
    """
    annotations, names = study.annotations, study.networks[study.networks.main].class_names
    known = [] if annotations is None else list(annotations.images)
    listed = study.images
    tables = [
        pd.DataFrame(
            {
                "image": known,
                "path": [annotations.path(image) for image in known] if annotations else [],
                "category": [annotations.scene(image) for image in known] if annotations else [],
            }
        ),
        listed.loc[listed["source"] == "scene-centric", ["image", "path", "category"]],
        listed[["image", "path", "category"]],
    ]
    for table in tables:
        # A name that several classes share does not say which of them is meant.
        meant = [one for one in table["category"].unique() if one and len(names.find(one)) == 1]
        if meant:
            return table[table["category"].isin(meant)]
    raise CannotAnswerError(
        f"no photograph of the study shows what its {study.networks.main} network knows: give the folders of "
        f"photographs the names of its classes, such as {names[0]!r}."
    )


@dataclass(frozen=True)
class _ExampleScene:
    """One photograph of a scene; see `example_scene`."""

    network: Network
    path: Path
    photograph: np.ndarray
    category: str
    regions: Regions | None

    def cuts(self) -> dict[str, CutImage]:
        """Return the photograph cut by its outlined objects, if it has any, and by regions and edges."""
        ways = {"objects": self.regions, "edges and regions": None}
        if self.regions is None:
            del ways["objects"]
        return {
            way: CutImage(self.network, self.photograph, regions, self.category)
            for way, regions in ways.items()
        }


def example_scene(study: Study, category: str) -> _ExampleScene:
    """Return the first image of a category that the scene network recognises (or the first trained one).

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
        With the attributes ``network`` (the `Network`), ``path`` (Path), ``photograph`` (uint8 RGB (h, w,
        3)), ``category`` (str) and ``regions`` (the `Regions` of its outlined objects; None where it is not
        annotated). ``cuts()`` returns it as `CutImage`, by way of cutting: "objects", if it is annotated, and
        "edges and regions".

    Raises
    ------
    SceneLensError
        If no image shows such a category (close names are given).
    CannotAnswerError
        If no photograph shows a scene that the network knows.
    """
    network, first, scenes = study.networks[study.networks.main], None, _scenes(study)
    shown = scenes[scenes["category"] == category]
    if shown.empty:
        if len(network.class_names.find(category)) > 1:
            CutImage.class_number(network, category)  # raises, and names the classes
        raise SceneLensError(f"no image shows a {category!r}; {close_names(category, set(scenes.category))}.")
    wanted = CutImage.class_number(network, category)
    for image, path in zip(shown["image"], shown["path"], strict=True):
        photograph = load_image(path)
        first = first or (image, path, photograph)
        if _predicted(network, photograph, study.cache / "minimal") == wanted:
            first = image, path, photograph
            break
    assert first is not None
    image, path, photograph = first
    return _ExampleScene(network, path, photograph, category, _regions(study, image))


def _regions(study: Study, image: str) -> Regions | None:
    """The outlined objects of a photograph, by its id in the annotations or in the study."""
    known = study.annotations
    if known is None:
        return None
    name = image if image in set(known.images) else study.annotated(image)
    return regions_from_annotation(known, name) if name else None


def _predicted(network: Network, photograph: np.ndarray, folder: Path) -> int:
    """Return the number of the predicted class of a photograph, from the cache where it is there."""
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
    return cached(path, run, lambda number: json.dumps({"predicted": number}).encode(), unpack)


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
    example = example_scene(study, category)
    ways = {"cut by objects": example.regions, "cut by edges and regions": None}
    if example.regions is None:
        del ways["cut by objects"]
    cache = study.cache / "minimal"
    return [
        (way, minimal_image(example.network, example.photograph, regions, category, cache=cache))
        for way, regions in ways.items()
    ]

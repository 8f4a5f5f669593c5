"""A study: two networks, the images they look at, what is known about these, and where results are kept.

One file, study.toml, says it all; ``open_study`` reads it. Networks load and images are listed when first
used, so opening a study costs nothing. A reader's own study needs about fifteen lines::

    [networks.scene]
    architecture = "resnet18"                  # 'caffenet', a torchvision name; or factory = "my.py:build"
    weights = "resnet18_places365.pth.tar"     # .safetensors, .pth, .caffemodel
    classes = "categories_places365.txt"
    preprocessing = "imagenet"                 # or 'caffe', or a table [networks.scene.preprocessing]

    [[images]]
    path = "photos/scenes"                     # one folder per category
    source = "scene-centric"

    [cache]
    path = "build/cache"

A factory is a Python function of the reader's own; naming it in a study means trusting that file as code.
"""

from __future__ import annotations

import importlib
import os
import platform
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scenelens.annotation_sets import JoinedAnnotations, open_sets
from scenelens.errors import SceneLensError, close_names
from scenelens.images import category_of, find_images, load_image, spread
from scenelens.study_file import StudyFile, find_study, read_study_file
from scenelens.study_networks import StudyNetworks

if TYPE_CHECKING:
    from scenelens.annotations import Annotations
    from scenelens.automatic_labels import AutomaticLabels
    from scenelens.index import ActivationIndex
    from scenelens.label_store import LabelStore


def _sceneworld(root: Path, **numbers: int) -> None:
    importlib.import_module("scenelens.sceneworld.dataset").ensure_world(root, **numbers)


#: Kind of generator -> what fills the root with images at first use, and does nothing when they are there.
GENERATORS: dict[str, Callable[..., None]] = {"sceneworld": _sceneworld}


def open_study(name_or_path: str | Path | None = None) -> Study:
    """Open a study by its name in data/studies or by the path of its study.toml.

    Parameters
    ----------
    name_or_path : a name ("sceneworld"), a .toml file, or a folder that holds a study.toml. Without it the
        environment variable SCENELENS_STUDY decides, and without that "sceneworld", the embedded study.

    Raises
    ------
    SceneLensError : no such study, an unknown key, a missing file.

    Examples
    --------
    >>> open_study("sceenworld")
    Traceback (most recent call last):
    ...
    scenelens.errors.SceneLensError: no study named 'sceenworld'; close names: sceneworld. A path ...
    """
    file = read_study_file(find_study(name_or_path))
    _check_files(file)
    return Study(file)


class Study:
    """Networks, images and annotations under one name; get one from `open_study`.

    Attributes
    ----------
    name : the study's name.
    file : the checked study.toml.
    networks : read-only mapping 'scene', 'object', perhaps 'untrained' -> Network, loaded when first asked
    for. cache : folder for everything that can be computed again; SCENELENS_CACHE, where set, takes its
    place.
    """

    def __init__(self, file: StudyFile) -> None:
        self.file, self.name = file, file.name
        self.networks = StudyNetworks(file)
        self.cache = self._cache_folder()
        self._indexes: dict[str, ActivationIndex] = {}
        self._automatic: dict[str, AutomaticLabels] = {}

    def __repr__(self) -> str:
        return f"Study({self.name!r}, networks: {', '.join(self.networks)})"

    def _cache_folder(self) -> Path:
        if os.environ.get("SCENELENS_CACHE"):
            return Path(os.environ["SCENELENS_CACHE"]).expanduser() / self.name
        given = self.file.data.get("cache", {}).get("path")
        return self.file.resolve(given if given else f"build/cache/{self.name}")

    def prepare(self) -> None:
        """Make what the study's generator makes, if it is not there: a world is rendered at first use."""
        made = dict(self.file.data.get("generator", {}))
        if made:
            kind = made.pop("kind")
            if kind not in GENERATORS:
                raise self.file.error(
                    "generator", f"kind = {kind!r} is unknown; {close_names(kind, GENERATORS)}."
                )
            GENERATORS[kind](self.file.resolve(made.pop("root")), **made)

    @cached_property
    def images(self) -> pd.DataFrame:
        """One row per image, sorted within each folder: image (id, a relative path), path, source, category,
        split."""
        self.prepare()
        entries = self.file.data["images"]
        folders = [self.file.resolve(entry["path"]) for entry in entries]
        tables = [_listed(entry, folder) for entry, folder in zip(entries, folders, strict=True)]
        table = pd.concat(tables, ignore_index=True)
        base = Path(os.path.commonpath(folders))
        table.insert(0, "image", [path.relative_to(base).as_posix() for path in table.path])
        if table.image.duplicated().any():
            twice = table.image[table.image.duplicated()].iloc[0]
            raise self.file.error("images", f"the image {twice} is listed twice; make the folders disjoint.")
        return table

    @cached_property
    def _paths(self) -> dict[str, Path]:
        return dict(zip(self.images.image, self.images.path, strict=True))

    def load_image(self, image: str) -> np.ndarray:
        """One image by its id in `images`, uint8 RGB (H, W, 3), as large as its file."""
        if image not in self._paths:
            raise SceneLensError(
                f"study {self.name!r} has no image {image!r}; {close_names(image, self._paths)}."
            )
        return load_image(self._paths[image])

    def check_images(self) -> pd.DataFrame:
        """Read every image once and report those that cannot be read: DataFrame of image, problem."""
        from tqdm.auto import tqdm

        problems = []
        for image in tqdm(self.images.image, desc="checking images", unit="image", disable=None):
            try:
                self.load_image(image)
            except SceneLensError as error:
                problems.append((image, str(error)))
        return pd.DataFrame(problems, columns=["image", "problem"])

    @cached_property
    def annotation_sets(self) -> dict[str, Annotations]:
        """Name -> what is known about one folder of images, in the order of the study's file."""
        if self.file.annotations:
            self.prepare()
        return open_sets(self.file, self.cache / "annotations")

    @cached_property
    def annotations(self) -> Annotations | None:
        """What is known about the images; several sets are joined (`JoinedAnnotations`), without any it is
        None."""
        sets = self.annotation_sets
        if len(sets) > 1:
            return JoinedAnnotations(sets)
        return next(iter(sets.values()), None)

    def index(self, network: str = "scene") -> ActivationIndex:
        """The activation index of one of the networks over all images: opened, or built first (and said
        so)."""
        if network not in self._indexes:
            from scenelens.index import ActivationIndex

            net = self.networks[network]
            self._indexes[network] = ActivationIndex.build(
                net, self.images, self.cache / "index", load=self.load_image
            )
        return self._indexes[network]

    def automatic_labels(self, network: str = "scene") -> AutomaticLabels:
        """Every unit of one network beside every annotated concept; see
        `scenelens.study_labels.automatic_labels`."""
        if network not in self._automatic:
            from scenelens.study_labels import automatic_labels

            self._automatic[network] = automatic_labels(self, network)
        return self._automatic[network]

    @property
    def answers(self) -> LabelStore:
        """Where people's answers about its units are kept; see `scenelens.study_labels.label_store`."""
        from scenelens.study_labels import label_store

        return label_store(self)

    @property
    def labels(self) -> pd.DataFrame:
        """All labels of the study's units, automatic ones and people's: see
        `scenelens.study_labels.study_labels`."""
        from scenelens.study_labels import study_labels

        return study_labels(self)

    def provenance(self, **more: Any) -> dict[str, Any]:
        """Where a result comes from, to be kept beside it: study, weights, number of images, versions, and
        `more`."""
        hashes = {name: network.weights_hash for name, network in self.networks.items()}
        versions = {
            name: importlib.import_module(name).__version__ for name in ("scenelens", "torch", "numpy")
        }
        versions["python"] = platform.python_version()
        return {
            "study": self.name,
            "weights": hashes,
            "n_images": len(self.images),
            "versions": versions,
            **more,
        }


def _check_files(file: StudyFile) -> None:
    """Miss a file now, not after an hour's work. What a generator will make may be missing."""
    for name, table in file.data["networks"].items():
        section, how = f"networks.{name}", table.get("preprocessing")
        given = [table.get("weights"), table.get("factory", "").rpartition(":")[0] or None]
        given += [table["classes"]] if str(table.get("classes")).endswith((".txt", ".json", ".csv")) else []
        given += [how.get("mean_image")] if isinstance(how, dict) else []
        for path in filter(None, given):
            file.existing(section, path)
    if "generator" not in file.data:
        for entry in file.data["images"]:
            file.existing("images", entry["path"])
        for entry in file.annotations:
            file.existing("annotations", entry["root"])


def _listed(entry: dict, folder: Path) -> pd.DataFrame:
    """The rows of one [[images]] table, without ids."""
    by, names = entry.get("category", "folder"), entry.get("categories", {})
    paths = find_images(folder)
    if "limit" in entry:
        paths = spread(paths, folder, by, entry["limit"])
    categories = [category_of(path, folder, by) for path in paths]
    return pd.DataFrame(
        {
            "path": paths,
            "source": entry["source"],
            "category": [names.get(one, one) for one in categories],
            "split": entry.get("split", "test"),
        }
    )

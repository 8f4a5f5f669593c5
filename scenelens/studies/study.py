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

import hashlib
import importlib
import json
import os
import platform
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scenelens.annotations import Annotations, JoinedAnnotations
from scenelens.errors import SceneLensError, close_names
from scenelens.files import data_folder, stable_text
from scenelens.images import category_of, find_images, load_image, spread
from scenelens.labels import (
    LABELS_VERSION,
    AutomaticLabels,
    LabelStore,
    file_digests,
    label_networks,
    load_or_compute,
    merge,
)
from scenelens.networks import Network
from scenelens.studies.annotation_sets import open_sets
from scenelens.studies.index import ActivationIndex
from scenelens.studies.networks import StudyNetworks
from scenelens.studies.study_file import StudyFile, find_study, read_study_file

#: MERGED DOC: All labels of a study's units: automatic ones, computed once and kept, and those that people gave.
#
# People's answers are not results that can be computed again, so they lie outside of the cache: where the
# study's [labels] table says, or else in the folder answers/ beside the package's own studies, or beside the
# reader's study.toml.
#
#: MERGED DOC: One network's part of the atlas: the fields of its units that are held, and when they count as true.
#
# A field depends on weights, preprocessing, images, and the way it was estimated. All of it goes into the key
# under which the field is kept; that the images' pixels are the same, too, shows in the unit's peaks.
#
#: MERGED DOC: Which objects are on which images: the one table that frequency and informativeness are both read from.


#: Kind of generator -> the module that offers ``ensure_world(root, **numbers)``, which fills the root with images
#: at first use and does nothing when they are there, and ``truth_table()``. Imported only when a study names it.
GENERATORS = {"sceneworld": "scenelens.sceneworld"}


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
            importlib.import_module(GENERATORS[kind]).ensure_world(
                self.file.resolve(made.pop("root")), **made
            )

    def truth_table(self) -> pd.DataFrame | None:
        """The table that a generated world draws its scenes from; None for photographs.

        Returns
        -------
        pandas.DataFrame or None
            One row per scene category and look of an object, with its ``presence`` in 0..1.
        """
        kind = self.file.data.get("generator", {}).get("kind")
        return importlib.import_module(GENERATORS[kind]).truth_table() if kind in GENERATORS else None

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
            from scenelens.studies.index import ActivationIndex

            net = self.networks[network]
            self._indexes[network] = ActivationIndex.build(
                net, self.images, self.cache / "index", load=self.load_image
            )
        return self._indexes[network]

    def automatic_labels(self, network: str = "scene") -> AutomaticLabels:
        """Every unit of one network beside every annotated concept; see
        `scenelens.studies.study.automatic_labels`."""
        if network not in self._automatic:
            pass

            self._automatic[network] = automatic_labels(self, network)
        return self._automatic[network]

    @property
    def answers(self) -> LabelStore:
        """Where people's answers about its units are kept; see `scenelens.studies.study.label_store`."""
        pass

        return label_store(self)

    @property
    def labels(self) -> pd.DataFrame:
        """All labels of the study's units, automatic ones and people's: see
        `scenelens.studies.study.study_labels`."""
        pass

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


def automatic_labels(study: Study, network: str = "scene") -> AutomaticLabels:
    """Every unit of a network's main layers beside every annotated concept, over all annotated images.

    Returns
    -------
    AutomaticLabels : from the study's cache where nothing has changed since, else computed now, with a bar.

    Raises
    ------
    SceneLensError : no such network, or the study has no annotations.
    """
    return labels_of_networks(study, [network])[network]


def labels_of_networks(study: Study, networks: Iterable[str]) -> dict[str, AutomaticLabels]:
    """`automatic_labels` of several networks, in one pass over the annotations where none is kept yet."""
    known = study.annotations
    if known is None:
        raise SceneLensError(
            f"study {study.name!r} has no annotations, and so nothing to label units by: add an "
            f"[annotations] table to {study.file.path.name}."
        )
    nets = {name: study.networks[name] for name in networks}
    digests, folder = file_digests(known), study.cache / "labels"
    paths = {name: folder / f"{name}-{_key(net, known, digests)}.npz" for name, net in nets.items()}
    return load_or_compute(paths, lambda names: label_networks([nets[name] for name in names], known))


def label_store(study: Study) -> LabelStore:
    """Where people's answers about the study's units are kept."""
    given = study.file.data.get("labels", {}).get("store")
    if given:
        return LabelStore(study.file.resolve(given))
    inside = study.file.path.resolve().parent == data_folder().resolve() / "studies"
    folder = data_folder().resolve().parent if inside else study.file.path.parent
    return LabelStore(folder / "answers" / f"{study.name}.db")


def study_labels(study: Study, by: str = "iou", least: float = 0.0) -> pd.DataFrame:
    """All labels: each unit's best concept by automatic labelling (where there are annotations), and people's
    answers that stand.

    Parameters
    ----------
    by, least : which measure decides, and what a unit's best has to exceed; see `AutomaticLabels.labels`.

    Returns
    -------
    DataFrame in the schema of `labels.COLUMNS`, with the measures behind automatic rows at its end.
    """
    tables = [label_store(study).labels()]
    if study.annotations is not None:
        tables += [study.automatic_labels(name).labels(by, least) for name in study.networks]
    return merge(*tables)


def _key(network: Network, annotations: Annotations, digests: bytes) -> str:
    """Names everything that the labels depend on: weights, preprocessing, photographs, annotations, rules."""
    parts = [LABELS_VERSION, network.weights_hash, stable_text(network.preprocessing), annotations.images]
    return hashlib.sha256(json.dumps(parts).encode() + digests).hexdigest()[:20]


def shipped_folder(study: Study) -> Path | None:
    """Where an atlas that comes with the study lies; None for a study outside data/studies."""
    data = data_folder().resolve()
    inside = study.file.path.resolve().parent == data / "studies"
    return data / study.name / "atlas" if inside else None


def scene_images(study: Study) -> list[str]:
    """The annotated images that show scenes: all but those the study lists as object-centric.

    Raises
    ------
    SceneLensError : the study has no annotations.
    """
    if study.annotations is None:
        raise SceneLensError(
            f"study {study.name!r} has no annotations, so its objects cannot be counted: add an "
            f"[annotations] table to {study.file.path.name}."
        )
    table = study.images
    close_ups = {path.resolve() for path in table.path[table["source"] == "object-centric"]}
    known = study.annotations
    return [image for image in known.images if known.path(image).resolve() not in close_ups]

"""A study: two networks, the images they are run on, what is annotated in these, and a folder for results.

One file, study.toml, describes all of it; `open_study` reads that file. Opening is cheap: a network is loaded
and the images are listed when they are first used. A study of your own needs about fifteen lines::

    [networks.scene]
    architecture = "resnet18"                  # 'caffenet', torchvision's, 'timm:...'; or factory = "my.py:f"
    weights = "resnet18_places365.pth.tar"     # .safetensors, .pth, .caffemodel
    classes = "categories_places365.txt"
    preprocessing = "imagenet"                 # or 'caffe', or a table [networks.scene.preprocessing]

    [[images]]
    path = "photos/scenes"                     # one folder per category
    source = "scene-centric"

    [cache]
    path = "build/cache"

A factory is a Python function in the study's folder or in an installed package. Opening a study runs no code.
When a network with a factory is first used, you are asked whether its file may run; see `trust`.

Everything that can be computed again lies in the study's cache. People's answers about units cannot be
computed again, so they are stored elsewhere: see `Study.answers`.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import platform
from collections.abc import Iterable
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scenelens import sceneworld
from scenelens.annotations import ANNOTATION_FORMATS, Annotations, JoinedAnnotations
from scenelens.cells import answer_in_cells
from scenelens.errors import CannotAnswerError, SceneLensError, close_names
from scenelens.files import cache_key, file_name
from scenelens.image_folders import real_paths
from scenelens.images import load_image
from scenelens.installation import HERE
from scenelens.labels import (
    LABELS_VERSION,
    AutomaticLabels,
    LabelStore,
    LayerMaps,
    label_networks,
    merge,
)
from scenelens.networks import Network
from scenelens.shown_tables import show_tables
from scenelens.studies.behaviour import network_variant, variant_parts
from scenelens.studies.image_lists import _ids, _listed
from scenelens.studies.index import ActivationIndex
from scenelens.studies.networks import StudyNetworks
from scenelens.studies.study_file import StudyFile
from scenelens.studies.trust import StudyTrust

#: Kind of generator -> what makes its images. It offers ``ensure_world(root, **numbers)``, which fills the
#: folder `root` with images unless they are there already, ``truth_table()``, and ``read_world(edits)``: a
#: world that has a table too, and that ``ensure_world`` takes as `world`. This entry is the only place where
#: a study knows SceneWorld, so that another generated world needs one more entry and nothing else. The
#: renderer behind the name is loaded when one of the functions is called, not here.
GENERATORS: dict[str, Any] = {"sceneworld": sceneworld}


def open_study(name_or_path: str | Path | None = None) -> Study:
    """Open a study by its name in data/studies or by the path of its study.toml.

    Parameters
    ----------
    name_or_path : str or pathlib.Path, optional
        A name ("sceneworld"), a .toml file, or a folder with a study.toml. By default the environment
        variable SCENELENS_STUDY decides; if that is not set, "sceneworld", the embedded study, is opened.

    Returns
    -------
    Study
        The open study. No network is loaded and no image is read yet.

    Raises
    ------
    SceneLensError
        If there is no such study, the file has an unknown key, or a file that it names is missing.

    Notes
    -----
    From here on the running notebook shows data frames in the form of `scenelens.shown_tables`: words for
    headings, rounded numbers. The data frames keep all their digits; ``print(table)`` shows raw values. Where
    the study cannot answer a cell's question, the cell says so, and the rest of the notebook goes on.

    Examples
    --------
    >>> open_study("sceenworld")
    Traceback (most recent call last):
    ...
    scenelens.errors.SceneLensError: no study named 'sceenworld'; close names: sceneworld. A path ...
    """
    file = StudyFile.read(StudyFile.find(name_or_path))
    file.check_paths()
    StudyTrust(file).files()
    answer_in_cells()
    show_tables()
    # JupyterLab takes what stands between two dollar signs for a formula, also where pandas shows a table.
    pd.set_option("display.html.use_mathjax", False, "styler.html.mathjax", False)
    return Study(file)


class Study:
    """Networks, images and annotations under one name; get one from `open_study`.

    Parameters
    ----------
    file : StudyFile
        The checked study.toml.

    Attributes
    ----------
    name : str
        The study's name.
    title : str
        What pages call it: ``title`` in the file, or else its name.
    file : StudyFile
        The checked study.toml.
    networks : StudyNetworks
        Read-only mapping from 'scene', 'object', perhaps 'untrained' to a `Network`. A network is loaded when
        it is first used.
    cache : pathlib.Path
        Folder for everything that can be computed again. The environment variable SCENELENS_CACHE replaces
        the folder that the file names; where the file names none, SCENELENS_HOME has it.
    """

    def __init__(self, file: StudyFile) -> None:
        self.file, self.name = file, file.name
        self.title = file.title
        self.networks = StudyNetworks(file)
        self.cache = self._cache_folder()
        # By the network's name and variant: a network that was changed in place gets other results.
        self._indexes: dict[tuple[str, str], ActivationIndex] = {}
        self._automatic: dict[tuple[str, str], AutomaticLabels] = {}

    def __repr__(self) -> str:
        return f"Study({self.name!r}, networks: {', '.join(self.networks)})"

    def _cache_folder(self) -> Path:
        if os.environ.get("SCENELENS_CACHE"):
            return Path(os.environ["SCENELENS_CACHE"]).expanduser() / file_name(self.name)
        given = self.file.data.get("cache", {}).get("path")
        if given:
            return self.file.resolve(given)
        if os.environ.get("SCENELENS_HOME"):
            return HERE.build / "cache" / file_name(self.name)
        return self.file.resolve(f"build/cache/{file_name(self.name)}")

    # ---- images and annotations

    def prepare(self) -> None:
        """Make the images that the study's generator makes, unless they are there.

        A study of photographs has no generator, and nothing is done.

        Raises
        ------
        SceneLensError
            If the file names an unknown kind of generator, or edits that its world does not take.
        """
        made = dict(self.file.data.get("generator", {}))
        if made:
            kind = made.pop("kind")
            if kind not in GENERATORS:
                close = close_names(kind, GENERATORS)
                raise self.file.error("generator", f"kind = {kind!r} is unknown; {close}.")
            if made.pop("edits", None):
                made["world"] = self._edited_world()
            GENERATORS[kind].ensure_world(self.file.resolve(made.pop("root")), **made)

    def _edited_world(self) -> Any:
        """The generator's world with the edits of the file."""
        made = self.file.data["generator"]
        try:
            return GENERATORS[made["kind"]].read_world(made["edits"])
        except SceneLensError as error:
            raise self.file.error("generator", str(error), "edits") from None

    def truth_table(self) -> pd.DataFrame | None:
        """The table that a generated world draws its scenes from.

        Returns
        -------
        pandas.DataFrame or None
            One row per scene category and appearance of an object, with its ``presence`` in 0..1. None for a
            study of photographs.
        """
        made = self.file.data.get("generator", {})
        if made.get("kind") not in GENERATORS:
            return None
        return (
            self._edited_world().truth_table()
            if made.get("edits")
            else GENERATORS[made["kind"]].truth_table()
        )

    @cached_property
    def images(self) -> pd.DataFrame:
        """All images of the study, sorted within each folder.

        Returns
        -------
        pandas.DataFrame
            One row per image: ``image`` (its id, a relative path), ``path`` (pathlib.Path), ``source``
            ('scene-centric' or 'object-centric'), ``category`` ('' for an image that lies in no folder of a
            category) and ``split``.
        """
        self.prepare()
        entries = self.file.data["images"]
        folders = [self.file.resolve(entry["path"]) for entry in entries]
        tables = [_listed(entry, folder) for entry, folder in zip(entries, folders, strict=True)]
        table = pd.concat(tables, ignore_index=True)
        table.insert(0, "image", _ids(table.path, folders))
        if table.image.duplicated().any():
            twice = table.image[table.image.duplicated()].iloc[0]
            raise self.file.error("images", f"the image {twice} is listed twice; make the folders disjoint.")
        return table

    def images_from(self, source: str) -> pd.DataFrame:
        """The images of one source.

        Parameters
        ----------
        source : str
            'scene-centric' or 'object-centric'.

        Returns
        -------
        pandas.DataFrame
            Their rows of `images`.

        Raises
        ------
        CannotAnswerError
            If the study has none.
        """
        found = self.images[self.images["source"] == source]
        if found.empty:
            raise CannotAnswerError(
                f"the study has no {source} images: add an [[images]] table with source = {source!r} to "
                f"{self.file.path.name}."
            )
        return found

    @cached_property
    def _paths(self) -> dict[str, Path]:
        return dict(zip(self.images.image, self.images.path, strict=True))

    def load_image(self, image: str) -> np.ndarray:
        """Read one image.

        Parameters
        ----------
        image : str
            The image's id in `images`.

        Returns
        -------
        numpy.ndarray
            uint8 RGB, (H, W, 3), as large as its file.

        Raises
        ------
        SceneLensError
            If the study has no such image, or its file cannot be read.
        """
        if image not in self._paths:
            close = close_names(image, self._paths)
            raise SceneLensError(f"study {self.name!r} has no image {image!r}; {close}.")
        return load_image(self._paths[image])

    @cached_property
    def annotation_sets(self) -> dict[str, Annotations]:
        """The annotated folders of the study by name, in the order of its file.

        Returns
        -------
        dict of str to Annotations
            By the set's ``name``, or else the name of its folder. Empty for a study without annotations.

        Raises
        ------
        SceneLensError
            If a format is unknown (close names are given), a folder is missing or has no annotations, or two
            sets have the same name.
        """
        if self.file.annotation_tables():
            self.prepare()
        file, opened = self.file, dict[str, Annotations]()
        for section, entry in file.annotation_tables():
            folder = file.existing(section, entry["root"], "root")
            name = entry.get("name") or Path(entry["root"]).name.lstrip(".") or folder.name
            file.check_name(section, name)
            if name in opened:
                raise file.error(section, f"two sets are called {name!r}; give each its own name.")
            kind = ANNOTATION_FORMATS.named(entry["format"], folder)
            opened[name] = kind.open(folder, self.cache / "annotations", **file.given(section, entry))
        return opened

    @cached_property
    def annotations(self) -> Annotations | None:
        """The annotations of the images; several sets are joined into one.

        Returns
        -------
        Annotations or None
            A `JoinedAnnotations` where there are several sets; None for a study without annotations.
        """
        sets = self.annotation_sets
        if len(sets) > 1:
            return JoinedAnnotations(sets)
        return next(iter(sets.values()), None)

    def need_annotations(self) -> Annotations:
        """The annotations, for a question that cannot be answered without them.

        Returns
        -------
        Annotations
            `annotations`.

        Raises
        ------
        CannotAnswerError
            If the study has none.
        """
        if self.annotations is None:
            raise self._unannotated()
        return self.annotations

    def annotated(self, image: str) -> str:
        """The id under which the annotations know an image: the two lists may name one file differently.

        Parameters
        ----------
        image : str
            The image's id in `images`.

        Returns
        -------
        str
            Its id in `annotations`; '' for an image that is not annotated.
        """
        return self._annotated.get(image, "")

    @cached_property
    def _annotated(self) -> dict[str, str]:
        known = self.annotations
        if known is None:
            return {}
        files = {file: image for image, file in self._annotated_files.items()}
        found = {image: files.get(file, "") for image, file in self._files.items()}
        return {image: name for image, name in found.items() if name}

    def images_of(self, annotated: Iterable[str]) -> list[str]:
        """The images that are the same files as some annotated images.

        Parameters
        ----------
        annotated : iterable of str
            Ids in `annotations`.

        Returns
        -------
        list of str
            Ids in `images`, in their order.
        """
        wanted = {self._annotated_files[image] for image in annotated}
        return [image for image, file in self._files.items() if file in wanted]

    # Annotations name their images in their own way. So the two lists are compared by the files they mean.

    @cached_property
    def _files(self) -> dict[str, str]:
        """The file of each image, with all links followed."""
        return dict(zip(self._paths, real_paths(self._paths.values()), strict=True))

    @cached_property
    def _annotated_files(self) -> dict[str, str]:
        """The same for each annotated image."""
        known = self.need_annotations()
        return dict(zip(known.images, real_paths(map(known.path, known.images)), strict=True))

    # ---- results that are computed once

    def maps_kept(self) -> AbstractContextManager[None]:
        """Keep layers' maps of annotated images during a ``with`` block.

        The index, the labels and the localizers of a network then share one forward pass over each image.

        Returns
        -------
        context manager
            See `LayerMaps.keep`. Nothing is kept in a study without annotations.
        """
        known = self.annotations
        if known is None:
            return contextlib.nullcontext()
        paths = [known.path(image) for image in known.images]
        return LayerMaps.keep([self.networks[name] for name in self.networks], paths, self.cache)

    def index(self, network: str = "scene") -> ActivationIndex:
        """The activation index of one network over all images.

        Parameters
        ----------
        network : str, optional
            A name in `networks`.

        Returns
        -------
        ActivationIndex
            Opened from the cache. Where it is missing it is built first, with a progress bar.

        Raises
        ------
        SceneLensError
            If there is no such network, or the disk is full.
        """
        net, folder = self.networks[network], self.cache / "index"
        key = (network, network_variant(net, folder))
        if key not in self._indexes:
            self._indexes[key] = ActivationIndex.build(net, self.images, folder, load=self.load_image)
        return self._indexes[key]

    def index_name(self, network: str = "scene") -> str:
        """The name of the folder of a network's index; it changes with any image, and with the network.

        Parameters
        ----------
        network : str, optional
            A name in `networks`.

        Returns
        -------
        str
            The name. The index itself is not built.

        Raises
        ------
        SceneLensError
            If there is no such network.
        """
        net = self.networks[network]
        return ActivationIndex.folder_name(net, self.images, self.cache / "index", self.load_image)

    def automatic_labels(self, network: str = "scene") -> AutomaticLabels:
        """How well each unit of a network's main layers matches each annotated concept, over all images.

        Parameters
        ----------
        network : str, optional
            A name in `networks`.

        Returns
        -------
        AutomaticLabels
            From the study's cache where nothing has changed since; otherwise computed now, with a progress
            bar.

        Raises
        ------
        SceneLensError
            If there is no such network, or the study has no annotations.
        """
        key = (network, network_variant(self.networks[network], self.cache / "labels"))
        if key not in self._automatic:
            self._automatic[key] = self.labels_of_networks([network])[network]
        return self._automatic[key]

    def labels_of_networks(self, networks: Iterable[str]) -> dict[str, AutomaticLabels]:
        """The `automatic_labels` of several networks; what is not cached is computed in one pass.

        Reading the annotations costs about as much as a forward pass, so labelling two networks together is
        faster than one after the other.

        Parameters
        ----------
        networks : iterable of str
            Names in `Study.networks`.

        Returns
        -------
        dict of str to AutomaticLabels
            By network.

        Raises
        ------
        SceneLensError
            If there is no such network, or the study has no annotations.
        """
        known = self.annotations
        if known is None:
            raise self._unannotated()
        nets = {name: self.networks[name] for name in networks}
        paths = {name: self._labels_path(net, name, known) for name, net in nets.items()}

        def make(names: list[str]) -> list[AutomaticLabels]:
            kept = [paths[name] for name in names]
            return label_networks([nets[name] for name in names], known, keep_at=kept)

        return AutomaticLabels.load_or_compute(paths, make)

    def _labels_path(self, network: Network, name: str, annotations: Annotations) -> Path:
        folder = self.cache / "labels"

        def named(digests: bytes) -> Path:
            key = _labels_key(network, annotations, digests, folder)
            return folder / f"{file_name(name)}-{key}.npz"

        return AutomaticLabels.cache_path(annotations, named)

    @property
    def answers(self) -> LabelStore:
        """Where people's answers about the study's units are stored.

        Answers cannot be computed again, so they lie outside the cache: in the file that the study's [labels]
        table names; otherwise in a folder answers/, next to the study.toml. For a study of the package that
        is the folder answers/ of a checkout, or else one of the user's (see `scenelens.installation`).

        Returns
        -------
        LabelStore
            Opened anew at each use; no file is made before the first answer.
        """
        given = self.file.data.get("labels", {}).get("store")
        if given:
            return LabelStore(self.file.resolve(given))
        folder = HERE.answers if self._is_shipped else self.file.path.parent / "answers"
        return LabelStore(folder / f"{file_name(self.name)}.db")

    @property
    def labels(self) -> pd.DataFrame:
        """All labels of the study's units: automatic ones by IoU, where there are annotations, and people's.

        Returns
        -------
        pandas.DataFrame
            In the schema of `scenelens.labels.COLUMNS`; automatic rows have their measures at the end.
        """
        tables = [self.answers.labels()]
        if self.annotations is not None:
            tables += [self.automatic_labels(name).labels() for name in self.networks]
        return merge(*tables)

    def known_labels(self) -> pd.DataFrame:
        """The part of `labels` that is there already: people's answers, and automatic labels that are cached.

        Returns
        -------
        pandas.DataFrame
            As `labels`; nothing is computed.
        """
        tables, known = [self.answers.labels()], self.annotations
        if known is not None:
            paths = {name: self._labels_path(self.networks[name], name, known) for name in self.networks}
            tables += [found.labels() for found in AutomaticLabels.cached(paths).values()]
        return merge(*tables)

    def provenance(self, **more: Any) -> dict[str, Any]:
        """What a result depends on, to be stored with it.

        Parameters
        ----------
        **more : object
            Further entries, such as a seed. They must be plain JSON values if the record is written as JSON.

        Returns
        -------
        dict
            ``study``, ``weights`` (hash by network), ``n_images``, ``versions`` (of scenelens, torch, numpy
            and Python), and `more`.
        """
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

    @property
    def _is_shipped(self) -> bool:
        """Whether the study comes with the package: its file lies in data/studies."""
        return self.file.path.resolve().parent == HERE.data.resolve() / "studies"

    @property
    def shipped_folder(self) -> Path | None:
        """data/<name>/atlas, the results that come with a study of the package; None for other studies."""
        return HERE.data.resolve() / file_name(self.name) / "atlas" if self._is_shipped else None

    def layer_row(self, network: str, layer: str, unit: int | None = None) -> dict[str, Any]:
        """One row of a network's table of layers.

        Parameters
        ----------
        network : str
            A name in `networks`.
        layer : str
            A layer of that network.
        unit : int, optional
            A unit that the layer must have.

        Returns
        -------
        dict
            The row of `Network.layers`, by column.

        Raises
        ------
        SceneLensError
            If there is no such network or layer (close names are given), or no such unit.
        """
        table = self.networks[network].layers
        rows = table[table["layer"] == layer]
        if rows.empty:
            close = close_names(layer, list(table["layer"]))
            raise SceneLensError(
                f"the {network} network has no layer {layer!r}; {close}. See network.layers."
            )
        row = rows.iloc[0].to_dict()
        if unit is not None and not 0 <= unit < row["units"]:
            raise SceneLensError(
                f"{layer} of the {network} network has units 0 to {row['units'] - 1}, not {unit}."
            )
        return row

    def scene_categories(self) -> dict[str, str]:
        """Which scene each annotated photograph of a scene shows.

        Returns
        -------
        dict of str to str
            By the annotations' id: the category that the annotation names, or else the category under which
            the study lists the same file. Photographs without either are left out.

        Raises
        ------
        CannotAnswerError
            If the study has no annotations, or no category is known for any of them.
        """
        images = self.scene_images()
        categories = dict(zip(self.images["image"], self.images["category"], strict=True))
        listed = {name: categories[image] for image, name in self._annotated.items()}
        known = self.annotations
        assert known is not None
        found = {image: known.scene(image) or listed.get(image, "") for image in images}
        found = {image: category for image, category in found.items() if category}
        if not found:
            raise CannotAnswerError(
                "it is not known which scene an annotated photograph shows: put the photographs of each "
                "scene into a folder of its name, among the [[images]] or in the annotations."
            )
        return found

    def _unannotated(self) -> CannotAnswerError:
        return CannotAnswerError(
            "it is not known where which object is, because the study has no annotations: add an "
            f"[annotations] table to {self.file.path.name}."
        )

    def scene_images(self) -> list[str]:
        """The annotated images that show scenes: all but those that the study lists as object-centric.

        Returns
        -------
        list of str
            Ids of the annotations' images, in their order.

        Raises
        ------
        SceneLensError
            If the study has no annotations.
        """
        files = self._annotated_files  # raises where there are no annotations
        table = self.images  # the study may have no object-centric images
        close_ups = {self._files[image] for image in table.image[table["source"] == "object-centric"]}
        return [image for image, file in files.items() if file not in close_ups]


def _labels_key(network: Network, annotations: Annotations, digests: bytes, folder: Path) -> str:
    """A hash of all that labels depend on: weights, preprocessing, images, annotations, and the rules."""
    parts = [LABELS_VERSION, network.weights_hash, network.preprocessing.key_text(), annotations.images]
    return cache_key([*parts, *variant_parts(network, folder)], 20, digests)

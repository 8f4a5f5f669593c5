"""All labels of a study's units: automatic ones, computed once and kept, and those that people gave.

People's answers are not results that can be computed again, so they lie outside of the cache: where the
study's [labels] table says, or else in the folder answers/ beside the package's own studies, or beside the
reader's study.toml.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

import pandas as pd

from scenelens.annotations import Annotations
from scenelens.automatic_labels import AutomaticLabels
from scenelens.errors import SceneLensError
from scenelens.index_key import stable_text
from scenelens.kept_labels import LABELS_VERSION, file_digests, kept_or_made
from scenelens.label_store import LabelStore
from scenelens.label_units import label_networks
from scenelens.labels import merge
from scenelens.study_file import data_folder

if TYPE_CHECKING:
    from scenelens.networks import Network
    from scenelens.studies import Study


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
    return kept_or_made(paths, lambda names: label_networks([nets[name] for name in names], known))


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

"""All labels of a study's units: automatic ones, computed once and kept, and those that people gave.

People's answers are not results that can be computed again, so they lie outside of the cache: where the
study's [labels] table says, or else in the folder answers/ beside the package's own studies, or beside the
reader's study.toml.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scenelens.annotations import Annotations
from scenelens.automatic_labels import AutomaticLabels, LayerCounts
from scenelens.errors import SceneLensError
from scenelens.files import replace_file
from scenelens.index_key import stable_text
from scenelens.label_store import LabelStore
from scenelens.label_units import label_units
from scenelens.labels import merge
from scenelens.study_file import data_folder

if TYPE_CHECKING:
    from scenelens.studies import Study

VERSION = 2  # of what is kept: raise it when a rule of labelling changes its numbers
_COUNTS = ("thresholds", "active", "shared", "fitting", "ap")


def automatic_labels(study: Study, network: str = "scene") -> AutomaticLabels:
    """Every unit of a network's main layers beside every annotated concept, over all annotated images.

    Returns
    -------
    AutomaticLabels : from the study's cache where nothing has changed since, else computed now, with a bar.

    Raises
    ------
    SceneLensError : no such network, or the study has no annotations.
    """
    if study.annotations is None:
        raise SceneLensError(
            f"study {study.name!r} has no annotations, and so nothing to label units by: add an "
            f"[annotations] table to {study.file.path.name}."
        )
    net = study.networks[network]
    path = study.cache / "labels" / f"{network}-{_key(net, study.annotations)}.npz"
    found = _read(path)
    if found is None:
        found = label_units(net, study.annotations)
        replace_file(path, _packed(found))
    return found


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


def _key(network: Any, annotations: Annotations) -> str:
    """Names everything that the labels depend on: weights, preprocessing, photographs, annotations, rules."""
    digest = hashlib.sha256()
    parts = [VERSION, network.weights_hash, stable_text(network.preprocessing), annotations.images]
    digest.update(json.dumps(parts).encode())
    for path in _files(annotations):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:20]


def _files(annotations: Annotations) -> Iterable[Path]:
    """The photographs, and the files that their annotations are read from, where the format says which."""
    yield from (annotations.path(image) for image in annotations.images)
    for one in getattr(annotations, "sets", {"": annotations}).values():
        sources = getattr(one, "_sources", {})
        yield from (sources[image] for image in one.images if image in sources)


def _packed(labels: AutomaticLabels) -> bytes:
    about = {
        "network": labels.network,
        "concepts": labels.concepts.to_dict("list"),
        "n_images": labels.n_images,
        "n_pixels": labels.n_pixels,
        "n_top": labels.n_top,
        "quantile": labels.quantile,
        "skipped": labels.skipped,
        "provenance": labels.provenance,
        "layers": labels.layers,
    }
    arrays = {
        f"{k}-{name}": getattr(one, name) for k, one in enumerate(labels.counts.values()) for name in _COUNTS
    }
    target = io.BytesIO()
    np.savez_compressed(target, about=np.frombuffer(json.dumps(about).encode(), np.uint8), **arrays)
    return target.getvalue()


def _read(path: Path) -> AutomaticLabels | None:
    """The labels as they were kept; None where there are none that can be read."""
    try:
        with np.load(path, allow_pickle=False) as file:
            about = json.loads(file["about"].tobytes())
            layers = about.pop("layers")
            counts = {
                layer: LayerCounts(*(file[f"{k}-{name}"] for name in _COUNTS))
                for k, layer in enumerate(layers)
            }
        about["concepts"] = pd.DataFrame(about["concepts"])
        about["skipped"] = tuple(tuple(one) for one in about["skipped"])
        return AutomaticLabels(counts=counts, **about)
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        return None

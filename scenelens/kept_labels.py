"""Automatic labels on disk: how they are packed, and what they depend on."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd

from scenelens.annotations import Annotations
from scenelens.automatic_labels import AutomaticLabels, LayerCounts
from scenelens.files import replace_file

LABELS_VERSION = 3  # of what is kept: raise it when a rule of labelling changes its numbers
_COUNTS = ("thresholds", "active", "shared", "fitting", "ap")


def kept_or_made(
    paths: Mapping[str, Path], make: Callable[[list[str]], list[AutomaticLabels]]
) -> dict[str, AutomaticLabels]:
    """The labels in some files, by name; where none can be read, those that `make` gives for these names, and
    from then on they are kept."""
    kept = {name: _read(path) for name, path in paths.items()}
    found = {name: one for name, one in kept.items() if one is not None}
    missing = [name for name in paths if name not in found]
    for name, one in zip(missing, make(missing) if missing else (), strict=True):
        replace_file(paths[name], _packed(one))
        found[name] = one
    return found


def file_digests(annotations: Annotations) -> bytes:
    """SHA-256, 32 bytes a file, of the photographs and of what is annotated in them; read once for every set
    of annotations that is opened."""
    if annotations not in _DIGESTS:
        digests = (hashlib.sha256(path.read_bytes()).digest() for path in _files(annotations))
        _DIGESTS[annotations] = b"".join(digests)
    return _DIGESTS[annotations]


_DIGESTS: WeakKeyDictionary[Annotations, bytes] = WeakKeyDictionary()


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

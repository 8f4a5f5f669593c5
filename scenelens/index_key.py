"""What an index depends on: if one of these changes, the numbers in it are no longer true.

The key of an index is a hash over the network's weights and architecture, its preprocessing, the pixels of
every image in their order, the layers asked for, and the versions of the libraries that computed it. Images
count by what is in the files, not by their time stamps, so a copied folder, another checkout or a second
machine arrives at the same key; the digests are remembered beside the index by (size, time stamp), so that
an unchanged folder is not read twice.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from scenelens.files import write_whole

#: Raise it when the meaning of what is stored changes.
FORMAT = 1
#: Libraries that decode, resize or compute.
LIBRARIES = ("torch", "numpy", "pillow")

#: How each part of the key is spoken of when it changed.
SPOKEN = {
    "format": "the index's own format",
    "architecture": "the network's architecture",
    "weights": "the network's weights",
    "preprocessing": "the preprocessing",
    "images": "the images",
    "n_images": "the number of images",
    "layers": "the layers",
    "blocks": "the block or batch size",
    "versions": "the library versions",
}


def index_inputs(
    network: Any, digests: Sequence[tuple[str, str]], layers: Sequence[str], block: int, batch: int
) -> dict[str, Any]:
    """Everything an index of `network` over these images depends on, as plain JSON values.

    Parameters
    ----------
    network : a Network: .module, .weights_hash, .preprocessing and .input_size are read.
    digests : (image id, content digest) per image, in the index's order.
    layers : names of the layers, in order.
    block, batch : images per block on disk and per forward pass; a batch's make-up may change the last bit.
    """
    return {
        "format": FORMAT,
        **network_inputs(network),
        "images": digest_text(json.dumps([list(pair) for pair in digests])),
        "n_images": len(digests),
        "layers": list(layers),
        "blocks": [block, batch],
        "versions": {name: importlib.metadata.version(name) for name in LIBRARIES},
    }


def network_inputs(network: Any) -> dict[str, str]:
    """What any answer of a network depends on, beside the picture: architecture, weights, preprocessing."""
    return {
        "architecture": digest_text(repr(network.module)),
        "weights": str(network.weights_hash),
        "preprocessing": digest_text(_preprocessing_text(network)),
    }


def _preprocessing_text(network: Any) -> str:
    """The preprocessing, its mean image by content: not where the file lies but what it holds."""
    how = network.preprocessing
    mean_image = getattr(how, "mean_image", None)
    if mean_image is None:
        return stable_text((how, tuple(network.input_size)))
    content = hashlib.sha256(Path(mean_image).read_bytes()).hexdigest()
    return stable_text((replace(how, mean_image=None), content, tuple(network.input_size)))


def index_key(inputs: Mapping[str, Any]) -> str:
    """The key, 16 hexadecimal digits.

    Examples
    --------
    >>> index_key({"weights": "a"}) == index_key({"weights": "a"}) != index_key({"weights": "b"})
    True
    """
    return digest_text(json.dumps(inputs, sort_keys=True))[:16]


def changed_parts(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Which parts of the key differ, in words.

    Examples
    --------
    >>> changed_parts({"weights": "a", "n_images": 3}, {"weights": "b", "n_images": 4})
    ["the network's weights", 'the number of images (3, now 4)']
    >>> changed_parts({"versions": {"torch": "2.12"}}, {"versions": {"torch": "2.13"}})
    ['the library versions (torch 2.12, now 2.13)']
    """
    parts = []
    for name, words in SPOKEN.items():
        before, now = old.get(name), new.get(name)
        if before == now:
            continue
        if name == "n_images":
            words += f" ({before}, now {now})"
        elif name == "versions" and isinstance(before, dict) and isinstance(now, dict):
            moved = [f"{lib} {before.get(lib)}, now {now[lib]}" for lib in now if now[lib] != before.get(lib)]
            words += f" ({'; '.join(moved)})"
        parts.append(words)
    return parts


def digest_text(text: str) -> str:
    """SHA-256 of a text, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def stable_text(value: Any) -> str:
    """A text that is equal exactly where two values are equal; arrays count in full (their repr leaves
    numbers out).

    Examples
    --------
    >>> long = np.zeros(5000)
    >>> other = long.copy()
    >>> other[2500] = 1
    >>> repr(long) == repr(other), stable_text(long) == stable_text(other)
    (True, False)
    """
    if is_dataclass(value) and not isinstance(value, type):
        pairs = [(one.name, getattr(value, one.name)) for one in fields(value)]
        return f"{type(value).__name__}{stable_text(pairs)}"
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key!r}:{stable_text(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(stable_text(one) for one in value) + "]"
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray):
        raw = np.ascontiguousarray(value)
        return f"array({raw.dtype},{raw.shape},{hashlib.sha256(raw.tobytes()).hexdigest()})"
    return repr(value)


def image_digests(ids: Iterable[str], paths: Iterable[str | Path], memory: Path) -> list[tuple[str, str]]:
    """(image id, SHA-256 of the file) for every image; a missing file counts as 'missing'.

    Parameters
    ----------
    ids, paths : one id and one file per image.
    memory : a JSON file where digests are remembered by (size, time of the last change in ns).
    """
    known = _remembered(memory)
    fresh: dict[str, list[Any]] = {}
    digests = []
    for image, path in zip(ids, paths, strict=True):
        name = str(Path(path).absolute())
        fresh[name] = _stamped_digest(name, known.get(name))
        digests.append((str(image), fresh[name][2]))
    if any(known.get(name) != entry for name, entry in fresh.items()):
        write_whole(memory, json.dumps(known | fresh).encode())
    return digests


def _remembered(memory: Path) -> dict[str, list[Any]]:
    try:
        known = json.loads(memory.read_text())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _stamped_digest(name: str, known: list[Any] | None) -> list[Any]:
    try:
        stat = os.stat(name)
        if known and known[:2] == [stat.st_size, stat.st_mtime_ns]:
            return known
        with open(name, "rb") as file:
            return [stat.st_size, stat.st_mtime_ns, hashlib.file_digest(file, "sha256").hexdigest()]
    except OSError:
        return [0, 0, "missing"]

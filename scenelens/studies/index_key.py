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
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from scenelens.files import digest, stable_text

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
        "images": digest(json.dumps([list(pair) for pair in digests])),
        "n_images": len(digests),
        "layers": list(layers),
        "blocks": [block, batch],
        "versions": {name: importlib.metadata.version(name) for name in LIBRARIES},
    }


def network_inputs(network: Any) -> dict[str, str]:
    """What any answer of a network depends on, beside the picture: architecture, weights, preprocessing."""
    return {
        "architecture": digest(repr(network.module)),
        "weights": str(network.weights_hash),
        "preprocessing": digest(_preprocessing_text(network)),
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
    return digest(json.dumps(inputs, sort_keys=True))[:16]


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

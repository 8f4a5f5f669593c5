"""What an index depends on: if one of these inputs changes, the numbers in the index are no longer valid.

The key of an index is a hash over the network's weights and architecture, its preprocessing, the pixels of
every image in their order, the names of the layers, and the versions of the libraries that compute. Images
count by the content of their files and not by their time stamps, so a copied folder, another checkout or a
second machine has the same key. The digests are cached next to the index by (size, time stamp), so that an
unchanged folder is not read twice.
"""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from scenelens.files import digest, stable_text
from scenelens.networks import Network

#: Increase it when the meaning of what is stored changes.
_FORMAT = 1
#: Libraries that decode, resize or compute: another version may change the last bits.
_LIBRARIES = ("torch", "numpy", "pillow")


def _index_inputs(
    network: Network, digests: Sequence[tuple[str, str]], layers: Sequence[str], block: int, batch: int
) -> dict[str, Any]:
    """Everything that an index of a network over some images depends on, as plain JSON values.

    Parameters
    ----------
    network : Network
        The network; its module, weights, preprocessing and input size count.
    digests : sequence of tuple of str
        (image id, digest of its file) per image, in the index's order.
    layers : sequence of str
        Names of the layers, in order.
    block : int
        Images per block on disk.
    batch : int
        Images per forward pass. Which images share a batch may change the last bit of a number.

    Returns
    -------
    dict
        Its `scenelens.files.cache_key` names the index.
    """
    return {
        "format": _FORMAT,
        **network_inputs(network),
        "images": digest(json.dumps([list(pair) for pair in digests])),
        "n_images": len(digests),
        "layers": list(layers),
        "blocks": [block, batch],
        "versions": {name: importlib.metadata.version(name) for name in _LIBRARIES},
    }


def network_inputs(network: Network) -> dict[str, str]:
    """What every answer of a network depends on, except the image.

    Parameters
    ----------
    network : Network
        The network.

    Returns
    -------
    dict of str to str
        Digests of its ``architecture``, ``weights`` and ``preprocessing``.
    """
    return {
        "architecture": digest(repr(network.module)),
        "weights": str(network.weights_hash),
        "preprocessing": digest(_preprocessing_text(network)),
    }


def _preprocessing_text(network: Network) -> str:
    """The preprocessing as text. A mean image counts by its content, not by where its file lies."""
    how = network.preprocessing
    if how.mean_image is None:
        return stable_text((how, tuple(network.input_size)))
    return stable_text((replace(how, mean_image=None), how.mean_digest, tuple(network.input_size)))

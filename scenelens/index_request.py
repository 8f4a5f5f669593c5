"""What is asked of an index before anything is computed: layers, images, sizes, and the folder for it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from scenelens.errors import SceneLensError, close_names
from scenelens.index_files import IndexFiles
from scenelens.index_key import changed_parts, index_key

if TYPE_CHECKING:
    from scenelens.networks import Network


def known_layers(network: Network, layers: Iterable[str] | None) -> list[str]:
    """The layers to index: those asked for, or all of the network's."""
    known = list(network.layers["layer"])
    chosen = known if layers is None else list(layers)
    for layer in chosen:
        if layer not in known:
            raise SceneLensError(
                f"no layer named {layer!r}; {close_names(layer, known)}. See network.layers."
            )
    if not chosen:
        raise SceneLensError("an index needs at least one layer; see network.layers.")
    return chosen


def check_request(images: pd.DataFrame, batch: int, block: int, shard: tuple[int, int]) -> None:
    """Refuse an empty table, repeated ids, and sizes or shards that make no sense."""
    if not len(images):
        raise SceneLensError("an index needs at least one image; the table of images is empty.")
    repeated = images["image"][images["image"].duplicated()]
    if len(repeated):
        raise SceneLensError(
            f"image ids must be unique; {repeated.iloc[0]!r} stands in the table more than once."
        )
    if not 1 <= batch <= block:
        raise SceneLensError(f"batch_size must lie between 1 and block_size ({block}), not {batch}.")
    if not 0 <= shard[0] < shard[1]:
        raise SceneLensError(f"shard is (part, parts) with 0 <= part < parts, not {shard}.")


def open_files(
    cache: Path, network: Network, inputs: dict[str, Any], digests: Sequence[Any], layers: list[str], say: Any
) -> IndexFiles:
    """The folder for these inputs; where it is new and others of this network are there, say what changed."""
    folder = cache / f"{network.name}-{index_key(inputs)}"
    earlier = max(
        cache.glob(f"{network.name}-*/inputs.json"), key=lambda path: path.stat().st_mtime_ns, default=None
    )
    if not folder.exists() and earlier is not None:
        parts = changed_parts(json.loads(earlier.read_text()), inputs)
        say(
            f"The index of {network.name} is built anew: {', '.join(parts)} changed. "
            f"The old one stays in {earlier.parent}."
        )
    shapes = {name: network.layer_shape(name) for name in layers}
    return IndexFiles.create(folder, inputs, digests, shapes)

"""What scenes keep, for a whole study: the categories to ask about, both networks, and the paper beside them.

`survival.retention` answers for one network and one category; here are a study's answers, with the searches
that are kept in its cache or come with it.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from scenelens.annotations import Annotations
from scenelens.errors import SceneLensError
from scenelens.files import replace_file, stable_text
from scenelens.minimal_images.examples import choose_categories, known_categories
from scenelens.minimal_images.probe import scene_probe
from scenelens.minimal_images.retention_search import Retention, Survival, images_of, retention, survival_from
from scenelens.networks import Network
from scenelens.sentences import share_text, words
from scenelens.studies import Study, shipped_folder

N_IMAGES = 30  # of a category
PROBE = "object"  # the network that gets a head for scenes, to be compared


def compare(study: Study, categories: list[str], n: int = N_IMAGES) -> dict[str, list[Retention]]:
    """What the scene network keeps of each category, and the object network with a head for scenes where one
    can be trained: network name to retentions. Empty where the study has no annotations."""
    if study.annotations is None:
        return {}
    found = {"scene": [keeps(study, category, "scene", n) for category in categories]}
    probe = headed(study, categories, n)
    if probe is not None:
        found[PROBE] = [keeps(study, category, probe, n) for category in categories]
    return found


def annotated(study: Study) -> Annotations:
    """The study's annotations; a SceneLensError where it has none."""
    if study.annotations is None:
        where = study.file.path.name
        raise SceneLensError(
            f"study {study.name!r} has no annotations: add an [annotations] table to {where}."
        )
    return study.annotations


def keeps(study: Study, category: str, network: str | Network = "scene", n: int = N_IMAGES) -> Retention:
    """Which objects the minimal images of a scene category keep.

    Parameters
    ----------
    category : one of the annotations' scene categories, which is also a class of the network.
    network : one of the study's by name, or another Network, such as `headed(study)`.
    n : how many images to look at, spread evenly.

    Returns
    -------
    Retention. Searches are kept in the study's cache, and taken from the file that comes with the study where
    their image is still cut into the same segments.
    """
    net = study.networks[network] if isinstance(network, str) else network
    known = _shipped(study).get(_key(net, category), {})
    cache = study.cache / "minimal"
    return retention(net, annotated(study), category, n_images=n, cache=cache, known=known)


def headed(study: Study, categories: list[str], n: int = N_IMAGES) -> Network | None:
    """The object network with a head for scenes, never trained on the images it will be judged by; None where
    the study has too few photographs of scenes, or none of these categories."""
    known = annotated(study)
    judged = {known.path(image).resolve() for name in categories for image in images_of(known, name, n)}
    table = study.images
    ids = [image for image, path in zip(table.image, table.path, strict=True) if path.resolve() in judged]
    try:
        probe = scene_probe(study, PROBE, without=ids)
    except SceneLensError:
        return None
    return probe if set(categories) <= set(probe.classes) else None


def _object(row: Any) -> str:
    quoted = "" if np.isnan(row.paper) else f" (the paper: {row.paper:.0%})"
    name = words(row.object)
    return f"{name} {share_text(row.share, row.low, row.high, row.n)}, at random {row.random:.0%}{quoted}"


def _key(network: Network, category: str) -> str:
    """Names a network and a category. A head's last digits differ between machines, so a probe counts by what
    it was made from."""
    module: Any = network.module
    base = getattr(module, "network", network)
    head = f"+head on {module.layer}, {module.trained_on} images" if base is not network else ""
    how = hashlib.sha256(stable_text(network.preprocessing).encode()).hexdigest()[:8]
    return f"{base.weights_hash[:16]}-{how}{head}: {category}"


def shipped_file(study: Study) -> Path | None:
    """Where the searches that come with a study lie; None for a study outside data/studies."""
    folder = shipped_folder(study)
    return None if folder is None else folder.parent / "retention.json"


@functools.lru_cache(maxsize=2)
def _read_shipped(path: Path, changed: int) -> dict[str, dict[str, Survival]]:
    found: dict[str, dict[str, Survival]] = {}
    try:
        for key, survivals in json.loads(path.read_text()).items():
            rows = [survival_from(one) for one in survivals]
            found[key] = {one.image: one for one in rows}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}  # the searches are done again
    return found


def _shipped(study: Study) -> Mapping[str, dict[str, Survival]]:
    path = shipped_file(study)
    return _read_shipped(path, path.stat().st_mtime_ns) if path and path.exists() else {}


def ship(study: Study, n: int = N_IMAGES) -> Path:
    """Search through `n` images of every category that the scene network knows, and of the paper's with the
    headed network too; write what was found beside the study's own data.

    Raises
    ------
    SceneLensError : the study lies outside data/studies, or has no annotations.
    """
    path = shipped_file(study)
    if path is None:
        raise SceneLensError(
            f"study {study.name!r} lies outside data/studies; its searches stay in {study.cache}."
        )
    scene, asked = study.networks["scene"], choose_categories(study)
    probe = headed(study, asked, n)
    runs = [(scene, category) for category in known_categories(study)]
    runs += [(probe, category) for category in asked if probe is not None]
    content = {
        _key(network, category): [_rounded(one) for one in keeps(study, category, network, n).counted]
        for network, category in runs
    }
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(rows)}" for key, rows in sorted(content.items()))
    replace_file(path, ("{\n" + lines + "\n}\n").encode())
    return path


def _rounded(one: Survival) -> dict[str, Any]:
    return asdict(one) | {"shares": [round(share, 5) for share in one.shares]}

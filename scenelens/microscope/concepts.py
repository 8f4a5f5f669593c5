"""How frequent each annotated object is, and for how many scene categories it is the best sign."""

from __future__ import annotations

import contextlib
from typing import Any

from scenelens.emergence import ObjectPresence, informative_objects, object_frequency
from scenelens.errors import SceneLensError
from scenelens.microscope.shards import _rounded
from scenelens.sentences import one_line
from scenelens.studies import Study

_RESAMPLES = 200  # of the bootstrap; the page shows no interval of these


def _concept_rows(study: Study) -> dict[str, dict[str, Any]]:
    """What is known of the annotated objects.

    Parameters
    ----------
    study : Study
        The open study.

    Returns
    -------
    dict of str to dict
        By the object's name: ``instances``, ``images``, ``share`` (of the images whose annotators name it),
        ``area``, and ``categories``, those whose best sign it is: [category, average precision on images that
        did not choose, chance]. Empty for a study without annotations of scenes.
    """
    if study.annotations is None:
        return {}
    try:
        seen = ObjectPresence.of(study.annotations, study.scene_images())
    except SceneLensError:
        return {}
    found: dict[str, dict[str, Any]] = {}
    for one in object_frequency(seen).to_dict("records"):
        numbers = {name: int(one[name]) for name in ("instances", "images")}
        shares = {name: _rounded(one[name], 3) for name in ("share", "area")}
        found[one_line(one["object"])] = {**numbers, **shares, "categories": []}
    with contextlib.suppress(SceneLensError):  # no image has a category
        for one in informative_objects(seen, n_resamples=_RESAMPLES).counted.to_dict("records"):
            row = [one_line(one["category"]), _rounded(one["ap"], 3), _rounded(one["base"], 3)]
            found[one_line(one["object"])]["categories"].append(row)
    return found

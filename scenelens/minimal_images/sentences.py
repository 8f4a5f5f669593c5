"""Which objects scenes keep, in sentences: each network's counts, compared with the paper's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from scenelens.minimal_images.retention_search import Retention
from scenelens.sentences import Sentences, named, share_text, words


def describe_retention(found: Retention | Mapping[str, list[Retention]]) -> Sentences:
    """Describe which objects minimal images keep most often, compared with removal in random order.

    Parameters
    ----------
    found : Retention or mapping of str to list of Retention
        One category's counts, as `category_retention` returns them; or those of several networks, as
        `compare_retention` returns them.

    Returns
    -------
    Sentences
        One paragraph; for several networks a list per network.
    """
    if isinstance(found, Retention):
        return Sentences(_describe_category(found))
    parts = []
    for name, retentions in found.items():
        probed = name != next(iter(found))
        head = f"The {named(name)} network" + (", with a head for scenes" if probed else "")
        parts += [f"{head}:", *(f"- {_describe_category(one)}" for one in retentions), ""]
    if len(found) < 2:
        parts.append(
            "No object network is compared: that takes one, and 8 other photographs of each of these scenes "
            "to train a linear layer on."
        )
    return Sentences("\n".join(parts))


def _describe_category(found: Retention) -> str:
    images, counted = found.images, len(found.counted)
    name = named(words(found.category))
    if not counted:
        return f"**{name}**: none of {len(images)} annotated images was classified correctly."
    used = images[images.reason == ""]
    text = (
        f"**{name}**: {counted} of {len(images)} annotated images {'was' if counted == 1 else 'were'} "
        "classified correctly. A minimal image "
        f"keeps {used.kept_share.mean():.0%} of the pixels on average; removed in random order, "
        f"{used.random_share.mean():.0%}. "
    )
    objects = [_describe_object(row) for row in found.compare_with_paper().head(3).itertuples()]
    if not objects:
        return text + "No object is in enough of them to be counted."
    return text + "Kept most often: " + "; ".join(objects) + "."


def _describe_object(row: Any) -> str:
    quoted = "" if np.isnan(row.paper) else f" (the paper: {row.paper:.0%})"
    share = share_text(row.share, row.low, row.high, row.n)
    return f"{named(words(row.object))} {share}, at random {row.random:.0%}{quoted}"

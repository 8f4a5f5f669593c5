"""Which objects scenes keep, in sentences: each network's counts, compared with the paper's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from scenelens import paper
from scenelens.annotations import normalise_name
from scenelens.minimal_images.retention_search import Retention
from scenelens.sentences import Sentences, named, share_text, words

_NONE = "No object is in enough of them to be counted."
_LEAST = 4  # images from which on an object counts, as in the figure and in the exercise


def describe_retention(found: Retention | Mapping[str, list[Retention]]) -> Sentences:
    """Describe which objects minimal images keep most often, compared with a random choice of segments.

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
    table = found.compare_with_paper(least=_LEAST)
    first = table[table.n >= _LEAST].head(3)
    objects = [_describe_object(row) for row in first.itertuples()]
    text += f"Kept most often: {'; '.join(objects)}." if objects else _NONE
    others = table[table.paper.notna() & ~table.index.isin(first.index)]
    others = [_describe_object(row) for row in others.itertuples()]
    text += f" The paper names as well: {'; '.join(others)}." if others else ""
    known = {normalise_name(name)[0] for name in found.table.object}
    missing = [named(name) for name in paper.RETENTION.get(found.category, {}) if name not in known]
    return text + (f" Not annotated on these images: the paper's {', '.join(missing)}." if missing else "")


def _describe_object(row: Any) -> str:
    quoted = "" if np.isnan(row.paper) else f" (the paper: {row.paper:.0%})"
    if row.n < _LEAST:
        return f"{named(words(row.object))} in {row.kept} of {row.n} images{quoted}"
    share = share_text(row.share, row.low, row.high, row.n)
    return f"{named(words(row.object))} {share}, by a random choice {row.by_chance:.0%}{quoted}"

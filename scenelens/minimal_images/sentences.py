"""What scenes keep, for a whole study: the categories to ask about, both networks, and the paper beside them.

`survival.retention` answers for one network and one category; here are a study's answers, with the searches
that are kept in its cache or come with it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from scenelens import paper
from scenelens.annotations import normalise_name
from scenelens.minimal_images.retention_search import Retention
from scenelens.minimal_images.study_retention import PROBE, _object
from scenelens.sentences import Sentences, words


def beside_paper(found: Retention, least: int = 4, n: int = 8) -> pd.DataFrame:
    """The table's first `n` objects that are in at least `least` images, and those the paper names; with the
    column paper (0..1, NaN where the paper has no number)."""
    quoted = paper.RETENTION.get(found.category, {})
    table = found.table.assign(paper=[quoted.get(normalise_name(o)[0], np.nan) for o in found.table.object])
    often = table[(table.n >= least) & (table.paper.isna() | (table.n > 0))].head(n)
    return table[table.index.isin(often.index) | table.paper.notna()].reset_index(drop=True)


def describe_keeps(found: Retention) -> Sentences:
    """What a retention says in a few words: the objects most often kept, against removal at random."""
    images, counted = found.images, len(found.counted)
    name = words(found.category)
    if not counted:
        return Sentences(f"**{name}**: none of {len(images)} annotated images was classified correctly.")
    done = images[images.reason == ""]
    text = (
        f"**{name}**: {counted} of {len(images)} annotated images were classified correctly. A minimal image "
        f"keeps {done.kept_share.mean():.0%} of the pixels on average; removed in random order, "
        f"{done.random_share.mean():.0%}. "
    )
    objects = [_object(row) for row in _first(found)]
    if not objects:
        return Sentences(text + "No object is in enough of them to be counted.")
    return Sentences(text + "Kept most often: " + "; ".join(objects) + ".")


def describe_all_keeps(found: dict[str, list[Retention]]) -> Sentences:
    """What `compare` found, network by network; a sentence where there was nothing to count."""
    if not found:
        return Sentences("This study has no annotations: nobody can say which object a segment belongs to.")
    parts = []
    for name, retentions in found.items():
        head = "The scene network" if name != PROBE else "The object network, with a head for scenes"
        parts += [f"{head}:", *(f"- {describe_keeps(one)}" for one in retentions), ""]
    if PROBE not in found:
        parts.append(
            "The object network cannot be asked: the study has too few other images of these scenes."
        )
    return Sentences("\n".join(parts))


def _first(found: Retention) -> list[Any]:
    table = beside_paper(found)
    return list(table.head(3).itertuples())

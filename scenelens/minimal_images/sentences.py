"""Which objects scenes keep, in sentences: each network's counts, compared with the paper's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from scenelens import paper
from scenelens.annotations import normalise_name
from scenelens.minimal_images.retention_search import LEAST, Retention
from scenelens.sentences import Sentences, named, networks_text, percent, share_text, words

_NONE = f"No object is in {LEAST} of them, so none is counted."
_RULES = {
    "class": "Segments are removed until another class is more probable.",
    "half": "Segments are removed until the score falls below half of what it is for the whole image.",
}


def describe_retention(found: Retention | Mapping[str, list[Retention]]) -> Sentences:
    """Describe which objects minimal images keep most often, what differs from the paper first.

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
    parts = [*dict.fromkeys(_RULES[one.rule] for retentions in found.values() for one in retentions), ""]
    for name, retentions in found.items():
        probed = name != next(iter(found))
        head = f"The {named(name)} network" + (
            ", with a head for scenes (the paper did not try one)" if probed else ""
        )
        parts += [f"{head}:", *(f"- {_describe_category(one, not probed)}" for one in retentions), ""]
    if len(found) < 2:
        parts.append(
            "No object network is compared: that takes one, and 8 other photographs of each of these scenes "
            "to train a linear layer on."
        )
    return Sentences("\n".join([*parts, networks_text(found)]).strip())


def _describe_category(found: Retention, quoted: bool = True) -> str:
    images, counted = found.images, len(found.counted)
    name = f"**{named(words(found.category))}**"
    if not counted:
        return f"{name}: none of {len(images)} annotated images was classified correctly."
    table = found.compare_with_paper(n=len(found.table))
    if not quoted:
        table = table.assign(paper=np.nan)
    outside = table[(table.paper < table.low) | (table.paper > table.high)]
    text = f"{name}: "
    if len(outside):
        text += f"not as in the paper: {_described(outside)}. "
    text += (
        f"{counted} of {len(images)} annotated images {'was' if counted == 1 else 'were'} "
        f"classified correctly. {_describe_pixels(found)} "
    )
    first = table[~table.index.isin(outside.index)].head(3)
    text += f"Kept most often{' besides' * (len(outside) > 0)}: {_described(first)}." if len(first) else ""
    text += _NONE if table.empty else ""
    others = table[table.paper.notna() & ~table.index.isin([*first.index, *outside.index])]
    text += f" The paper names as well: {_described(others)}." if len(others) else ""
    return text + _describe_left_out(found, quoted) + _describe_nothing(found)


def _describe_pixels(found: Retention) -> str:
    """How much of an image is left, and how much a random choice of as many segments would leave."""
    used = found.images[found.images.reason == ""]
    kept, by_chance = percent(used.kept_share.mean()), percent(used.by_chance.mean())
    text = f"A minimal image keeps {kept} of the pixels on average; a random choice of as many segments, "
    text += by_chance
    if found.rule != "class":
        return f"{text}."
    return f"{text}. (Removal in random order stops sooner, and keeps {percent(used.random_share.mean())}.)"


def _describe_left_out(found: Retention, quoted: bool) -> str:
    """What is not counted: objects in too few images, and the paper's objects that are not annotated."""
    rare = found.table[found.table.n < LEAST]
    known = {normalise_name(name)[0]: name for name in found.table.object}
    theirs = paper.RETENTION.get(found.category, {}) if quoted else {}
    text = ""
    if len(rare):
        one = len(rare) == 1
        text += f" {len(rare)} object{'' if one else 's'} in fewer than {LEAST} images "
        text += f"{'is' if one else 'are'} left out"
        few = [named(words(name)) for name in theirs if known.get(name) in set(rare.object)]
        text += f", the paper's {', '.join(few)} among them." if few else "."
    missing = [named(name) for name in theirs if name not in known]
    return text + (f" Not annotated on these images: the paper's {', '.join(missing)}." if missing else "")


def _describe_nothing(found: Retention) -> str:
    """What the network says when everything is removed, and how many images keep nothing."""
    used = found.images[found.images.reason == ""]
    nothing = int((used.kept == 0).sum())
    text = f" {nothing} of these images keep{'s' * (nothing == 1)} nothing at all." if nothing else ""
    called = used["empty"][used["empty"] != ""].value_counts()
    if called.empty:
        return text
    same = int((used["empty"] == found.target).sum())
    most = f"; most often it says {named(words(called.index[0]))} ({called.iloc[0]})"
    return (
        f"{text} Of the empty picture, with every segment removed, the network says "
        f"{named(words(found.target))} in {same} of {called.sum()} images"
        f"{most if called.index[0] != found.target else ''}."
    )


def _described(rows: pd.DataFrame) -> str:
    return "; ".join(_describe_object(row) for row in rows.itertuples())


def _describe_object(row: Any) -> str:
    theirs = "" if np.isnan(row.paper) else f" (the paper: {percent(row.paper)})"
    share = share_text(row.share, row.low, row.high, row.n)
    return f"{named(words(row.object))} {share}, by a random choice {percent(row.by_chance)}{theirs}"


def describe_empty(table: pd.DataFrame) -> Sentences:
    """Describe what the networks say to an empty picture, and where the rule of stopping decides the result.

    Parameters
    ----------
    table : pandas.DataFrame
        Of `empty_pictures`.

    Returns
    -------
    Sentences
        A list with some entries per network.
    """
    lines = []
    for network, rows in table[table["n"] > 0].groupby("network", sort=False):
        lines.append(_describe_empty_network(str(network), rows))
        emptied = rows[rows["nothing"] > 0].sort_values("nothing", ascending=False)
        if len(emptied):
            counts = [
                f"{named(words(row.category))} {row.nothing} of {row.n}"
                for row in emptied.head(5).itertuples()
            ]
            lines.append(
                f"Images of which nothing is kept ({named(network)} network): {', '.join(counts)}"
                f"{_and_more(len(emptied) - 5)}. For these the search says nothing about objects."
            )
        lines += _describe_rules(str(network), rows)
    if not lines:
        return Sentences("No annotated image was classified correctly, so no empty picture was looked at.")
    limit = networks_text(table["network"].unique())
    return Sentences("\n".join(f"- {line}" for line in [*lines, *([limit] if limit else [])]))


def _describe_empty_network(network: str, rows: pd.DataFrame) -> str:
    known = rows[rows["called_n"] > 0]
    n, same = int(known["n"].sum()), int(known["same"].sum())
    text = f"**{named(network)} network**, {n:,} recognised images of {len(known)} "
    text += f"categor{'y' if len(known) == 1 else 'ies'}: "
    text += f"{same:,} are still recognised when everything is removed"
    often = known.groupby("called")[["n", "called_n"]].agg(["size", "sum"])
    often = often.sort_values(("n", "size"), ascending=False, kind="stable")
    if often.empty:
        return f"{text}."
    says = ", ".join(
        f"{named(words(name))} in {row['n', 'size']} of {len(known)} (by {row['called_n', 'sum']} of their "
        f"{row['n', 'sum']} images)"
        for name, row in often.head(3).iterrows()
    )
    return (
        f"{text}. What the empty picture is called most often, by category: {says}. An image of such a "
        "category needs nothing; an image of another must keep what tells it from them."
    )


def _describe_rules(network: str, rows: pd.DataFrame) -> list[str]:
    """In which categories the object kept most often depends on when the search ends."""
    both = rows[(rows["kept"] != "") & (rows["half"] != "")]
    if both.empty:
        return []
    changed = both[both["kept"] != both["half"]]
    text = (
        f"Where removal ends once the score is below half ({named(network)} network), the object kept most "
        f"often is another one in {len(changed)} of {len(both)} categories that were searched by both rules"
    )
    parts = [
        f"{named(words(row.category))} ({named(words(row.kept))} {percent(row.share)}, then "
        f"{named(words(row.half))} {percent(row.half_share)})"
        for row in changed.head(8).itertuples()
    ]
    return [f"{text}{': ' * bool(parts)}{', '.join(parts)}{_and_more(len(changed) - 8)}."]


def _and_more(n: int) -> str:
    return f" and {n} more" if n > 0 else ""

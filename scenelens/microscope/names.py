"""The labels of a layer's units, from every source: automatic ones, and people's answers."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import pandas as pd

from scenelens.errors import SceneLensError
from scenelens.intervals import wilson_interval
from scenelens.labels import current, merge, names_text
from scenelens.microscope.shards import _rounded
from scenelens.sentences import one_line
from scenelens.studies import Study

#: The measures that choose an automatic label here, the first of which gives a unit its name in tables.
_MEASURES = ("iou", "ap")


def _all_labels(study: Study, networks: Sequence[str]) -> pd.DataFrame:
    """The labels of some networks: by IoU, by average precision, and by people.

    Parameters
    ----------
    study : Study
        The open study. Without annotations only people's answers are there.
    networks : sequence of str
        Names in `Study.networks`.

    Returns
    -------
    pandas.DataFrame
        In the schema of `scenelens.labels.COLUMNS`, automatic rows with their measures; the column ``by``
        names the measure that chose a label, '' for people's.
    """
    answers = study.answers.labels()
    tables = [current(answers[answers.network.isin(list(networks))])]
    if study.annotations is not None:
        with contextlib.suppress(SceneLensError):  # too few annotations: only people name units
            for one in study.labels_of_networks(networks).values():
                tables += [one.labels(by=by) for by in _MEASURES]
    found = merge(*tables)
    return found.assign(by=found.annotator.str.extract(r"^automatic \((\w+)\)$")[0].fillna(""))


def _thresholds(study: Study, network: str, layer: str) -> list[float] | None:
    """The response that each unit of a layer exceeds where it is active, or None where none was measured."""
    if study.annotations is None:
        return None
    with contextlib.suppress(SceneLensError):
        counts = study.automatic_labels(network).counts
        return counts[layer].thresholds.tolist() if layer in counts else None
    return None


def _label_rows(labels: pd.DataFrame) -> list[dict[str, Any]]:
    """A unit's labels, as the page shows them; automatic ones first.

    Parameters
    ----------
    labels : pandas.DataFrame
        Rows of `_all_labels`, of one unit.

    Returns
    -------
    list of dict
        ``by`` ('iou', 'ap' or ''), ``who``, ``concept``, ``type``, ``precision`` with its 95% Wilson interval
        ``low`` and ``high`` and its ``n``; and of automatic labels ``score`` (of the measure that chose, on
        images that did not), ``chosen`` (on all images), ``same_name`` and ``names``.
    """
    rows = []
    for one in labels.sort_values("by", key=lambda by: by.map(_order), kind="stable").to_dict("records"):
        row = {
            "by": one["by"],
            "who": one_line(one["annotator"]),
            "concept": one_line(one["concept"]),
            "type": one_line(one["type"]),
            **_precision(one),
        }
        if one["by"]:
            row["score"] = _rounded(one[one["by"]])
            row["chosen"] = _rounded(one.get(f"{one['by']}_chosen", float("nan")))
            row["same_name"] = _rounded(one["same_name"])
            row["names"] = names_text([one_line(name) for name in one["names"]])
            row["images"] = int(one["images"])
            row["chance"] = _rounded(one["chance"]) if one["by"] == "ap" else None
        rows.append(row)
    return rows


def _order(by: str) -> int:
    return _MEASURES.index(by) if by in _MEASURES else len(_MEASURES)


def _precision(label: dict[str, Any]) -> dict[str, Any]:
    """The share of top images that fit a label, with its interval; nothing where it is not known."""
    share, n = label["precision"], label["n_images"]
    if pd.isna(share) or pd.isna(n) or n < 1:
        return {}
    low, high = wilson_interval(float(share) * n, int(n))
    return {"precision": _rounded(share), "low": _rounded(low), "high": _rounded(high), "n": int(n)}


def _disagree(labels: pd.DataFrame) -> bool:
    """Whether two sources of a unit's labels have no name in common.

    Parameters
    ----------
    labels : pandas.DataFrame
        Rows of `_all_labels`, of one unit. An automatic label stands for all of its ``names``.

    Returns
    -------
    bool
        False for a single source.

    Examples
    --------
    >>> both = {"by": ["iou", ""], "concept": ["bed", "Sofa"], "names": [("bed", "sofa"), None]}
    >>> named = pd.DataFrame(both)
    >>> _disagree(named), _disagree(named.assign(names=[("bed",), None]))
    (False, True)
    """
    rows = labels.to_dict("records")
    sets = [set(one["names"]) if one["by"] and one["names"] else {one["concept"]} for one in rows]
    folded = [{str(name).casefold().strip() for name in names} for names in sets]
    return any(not one & other for k, one in enumerate(folded) for other in folded[:k])

"""What units are called, from every source, in one tidy table: people's answers, the paper's, automatic ones.

A row is one answer: one annotator names one unit, gives the name's semantic type, and says for what share of
the unit's strongest images it fits. Three answers about a unit need not agree. What a unit "is" then depends
on the rule that makes one answer of several, so the rule is an argument (`unit_types`) and never hidden.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from scenelens.errors import SceneLensError, close_names
from scenelens.labels.rules import RULES, UNIT, Rule, select_answers

#: MERGED DOC: Published labels of the paper's own units: the released answers of people, and Network Dissection's.
#
# Both name units of the same three Caffe networks, so that what people saw and what was measured stand side by
# side (`labels.side_by_side`). Neither is shipped with this package.
#


#: The six types that workers chose from, in the order (1 to 6) of the released answers.
TYPES = (
    "scene",
    "object",
    "region or surface",
    "object part",
    "texture or material",
    "simple element or colour",
)

#: The paper's names of its six groups (section 3.3, Figure 6), from simple to complex, and our types.
GROUPS = {
    "simple elements and colours": "simple element or colour",
    "textures and materials": "texture or material",
    "regions and surfaces": "region or surface",
    "object parts": "object part",
    "objects": "object",
    "scenes": "scene",
}

#: Levels of meaning for Figure 7. The paper shows low, mid and high without listing their types; this is how
#: the package reads it: two types a level, in the order of the groups.
LEVELS = {
    "simple element or colour": "low",
    "texture or material": "low",
    "region or surface": "mid",
    "object part": "mid",
    "object": "high",
    "scene": "high",
}

COLUMNS = (
    *("network", "layer", "unit", "annotator", "concept", "type"),
    *("precision", "n_images", "source", "when"),
)


def check_labels(labels: pd.DataFrame) -> pd.DataFrame:
    """A table of answers, checked and in the schema's order; further columns (iou, ap ...) stay at its end.

    Parameters
    ----------
    labels : DataFrame with the columns network, layer, concept, type (str), unit (int, from 0); annotator,
        source, when (str, ISO 8601 in UTC, empty where unknown), precision (0..1, NaN where nobody judged)
        and n_images (of how many images it is a share, 0 where unknown) may be missing.

    Raises
    ------
    SceneLensError : a missing column, an empty concept, a type there is not, a precision outside 0..1, a unit
        that is no number from 0 on; the first bad row is named.

    Examples
    --------
    >>> table = pd.DataFrame([("scene", "pool5", 17, "bed", "object")],
    ...                      columns=["network", "layer", "unit", "concept", "type"])
    >>> check_labels(table).columns.tolist() == list(COLUMNS)
    True
    """
    missing = [name for name in (*UNIT, "concept", "type") if name not in labels]
    if missing:
        raise SceneLensError(f"a table of labels needs the columns {', '.join(missing)}; see labels.COLUMNS.")
    unknown = {"annotator": "", "precision": math.nan, "n_images": 0, "source": "", "when": ""}
    table = labels.assign(**{name: value for name, value in unknown.items() if name not in labels})
    table = table.fillna({name: value for name, value in unknown.items() if name != "precision"})
    _check_rows(table)
    table = table.astype({"unit": int, "n_images": int, "precision": float})
    return table[[*COLUMNS, *(name for name in table if name not in COLUMNS)]].reset_index(drop=True)


def _check_rows(table: pd.DataFrame) -> None:
    units, shares = (pd.to_numeric(table[name], errors="coerce") for name in ("unit", "precision"))
    judged = table.precision.notna()
    empty = table.concept.isna() | (table.concept.astype(str).str.strip() == "")
    for bad, what in (
        (~((units >= 0) & (units % 1 == 0)), "a unit is a whole number from 0 on"),
        (~table.type.isin(TYPES), "a type is one of six"),
        (judged & ~shares.between(0, 1), "a precision is a share, 0..1"),
        (empty, "a concept is at least a word"),
    ):
        if bad.any():
            row = table[bad].iloc[0]
            hint = f" ({close_names(row.type, TYPES)})" if "type" in what else ""
            raise SceneLensError(
                f"{what}{hint}; {row.network} {row.layer}:{row.unit} has unit {row.unit!r}, concept "
                f"{row.concept!r}, type {row.type!r}, precision {row.precision!r}."
            )


def merge(*tables: pd.DataFrame) -> pd.DataFrame:
    """Several tables as one; a row that is in two of them stays once.

    Every answer stays, also an annotator's earlier ones: `current` picks those that stand.

    Examples
    --------
    >>> one = pd.DataFrame([("scene", "pool5", 17, "bed", "object")],
    ...                    columns=["network", "layer", "unit", "concept", "type"])
    >>> len(merge(one, one))
    1
    """
    if not tables:
        return check_labels(pd.DataFrame(columns=COLUMNS))
    filled = [check_labels(table) for table in tables]
    joined = pd.concat([table for table in filled if len(table)] or filled[:1], ignore_index=True)
    return joined.drop_duplicates(ignore_index=True)


def current(labels: pd.DataFrame) -> pd.DataFrame:
    """The answers that stand: of one annotator's several about a unit the latest, by `when`, then by order.

    Examples
    --------
    >>> row = ("scene", "pool5", 17, "Ada", "object")
    >>> twice = pd.DataFrame([(*row, "bed", "2026-01-02"), (*row, "sofa", "2026-01-01")],
    ...     columns=["network", "layer", "unit", "annotator", "type", "concept", "when"])
    >>> current(twice).concept.tolist()
    ['bed']
    """
    table = check_labels(labels)
    ordered = table.sort_values("when", kind="stable").drop_duplicates(
        [*UNIT, "annotator", "source"], keep="last"
    )
    return ordered.sort_index().reset_index(drop=True)


# --------------------------------------------------------------------------- one meaning from several answers


def unit_types(labels: pd.DataFrame, rule: str | Rule = "majority", threshold: float = 0.75) -> pd.DataFrame:
    """What each unit means, once a rule has made one answer of several (Figures 7 and 8).

    Parameters
    ----------
    labels : answers; of an annotator's several about one unit the latest counts.
    rule : 'any', 'majority', 'unanimous', 'most precise', or a function of (a unit's answers, threshold) that
        returns the rows that speak for the unit.
    threshold : the precision wanted; the paper counts units of at least 0.75.

    Returns
    -------
    DataFrame : network, layer, unit, type, level, concept (the commonest of that type, else the most
    precise), precision. One row per unit and type: none for a unit the rule leaves out, several with 'any'.

    Raises
    ------
    SceneLensError : a rule there is not, a threshold outside 0..1.

    Notes
    -----
    Section 3.3. The headline depends on the rule: with the released answers for pool5, 'any' gives 103 object
    units for the scene network and 75 for the object network, 'majority' 59 and 30.

    Examples
    --------
    >>> answers = pd.DataFrame({"network": "scene", "layer": "pool5", "unit": 17, "annotator": list("abc"),
    ...     "concept": ["bed", "bed", "bedroom"], "type": ["object", "object", "scene"],
    ...     "precision": [0.7, 0.8, 0.9]})
    >>> unit_types(answers, "majority")[["type", "concept", "precision"]].round(2).values.tolist()
    [['object', 'bed', 0.8]]
    >>> unit_types(answers, "any").type.tolist()
    ['scene', 'object']
    """
    choose = RULES.get(rule) if isinstance(rule, str) else rule
    if choose is None:
        raise SceneLensError(f"no rule named {rule!r}; {close_names(rule, RULES)}, or pass a function.")
    if not 0 <= threshold <= 1:
        raise SceneLensError(f"threshold={threshold}: a precision is a share, 0..1.")
    chosen = select_answers(current(labels), choose, threshold)
    groups = chosen.groupby([*UNIT, "type"], sort=False).precision.max().reset_index()
    table = groups.merge(_common_concepts(chosen), on=[*UNIT, "type"], how="left")
    return table.assign(level=table.type.map(LEVELS))[[*UNIT, "type", "level", "concept", "precision"]]


def _common_concepts(answers: pd.DataFrame) -> pd.DataFrame:
    """`common_concept` of each unit's answers of one type: network, layer, unit, type, concept."""
    key = [*UNIT, "type", "concept"]
    names = answers.assign(concept=_plain(answers.concept), precision=answers.precision.fillna(0))
    found = names.groupby(key, sort=False).precision.agg(["size", "max"]).reset_index()
    found = found.sort_values(["size", "max"], ascending=False, kind="stable")
    return found.drop_duplicates([*UNIT, "type"])[key]


def _plain(concepts: pd.Series) -> pd.Series:
    return concepts.astype(str).str.strip().str.lower()


def common_concept(answers: pd.DataFrame) -> str:
    """The concept most answers share, whatever their capitals; of equally common ones the most precise.

    >>> common_concept(pd.DataFrame({"concept": ["Bed", "sofa", "bed "], "precision": [0.1, 0.9, 0.2]}))
    'bed'
    """
    found = answers.precision.fillna(0).groupby(_plain(answers.concept), sort=False).agg(["size", "max"])
    return str(found.sort_values(["size", "max"], ascending=False, kind="stable").index[0])


def type_counts(labels: pd.DataFrame, share: bool = False) -> pd.DataFrame:
    """How many answers each type got, with no filter on precision (the released `layerAverageCount`).

    Parameters
    ----------
    share : of all the answers for the layer, instead of their number.

    Returns
    -------
    DataFrame : one row per network and layer (the index, in the table's order), one column per type.

    Examples
    --------
    >>> table = pd.DataFrame([("scene", "pool5", 1, "bed", "object"), ("scene", "pool5", 2, "sky", "scene")],
    ...                      columns=["network", "layer", "unit", "concept", "type"])
    >>> type_counts(table, share=True)["object"].tolist()
    [0.5]
    """
    table = check_labels(labels)
    counts = table.groupby(["network", "layer", "type"], sort=False).size().unstack(fill_value=0)
    counts = counts.reindex(columns=pd.Index(TYPES, name="type"), fill_value=0)
    counts = counts.reindex(pd.MultiIndex.from_frame(table[["network", "layer"]].drop_duplicates()))
    return counts.div(counts.sum(axis=1), axis=0) if share else counts


def mean_precision(labels: pd.DataFrame) -> pd.DataFrame:
    """Mean precision of a layer's answers, with the standard error over its units (Figure 7a).

    Returns
    -------
    DataFrame : network, layer, n_units, precision, standard_error (NaN for a single unit).

    Examples
    --------
    >>> table = pd.DataFrame({"network": "scene", "layer": "pool5", "unit": [1, 2], "concept": "bed",
    ...                       "type": "object", "precision": [0.5, 1.0]})
    >>> mean_precision(table).precision.tolist()
    [0.75]
    """
    per_unit = current(labels).groupby(UNIT, sort=False).precision.mean().reset_index()
    found = per_unit.groupby(["network", "layer"], sort=False).precision
    table = found.agg(n_units="count", precision="mean", standard_error="sem")
    return table.reset_index()


def side_by_side(*tables: pd.DataFrame) -> pd.DataFrame:
    """The same units' labels from several sources, one row per unit and one concept per annotator.

    Returns
    -------
    DataFrame, index network, layer, unit; columns (source, annotator); values "concept (type)", empty where
    a source says nothing. Only units that every table knows.

    Examples
    --------
    >>> row = {"network": "scene", "layer": "pool5", "unit": 1, "concept": "bed", "type": "object"}
    >>> side_by_side(pd.DataFrame([row | {"source": "A"}]), pd.DataFrame([row | {"source": "B"}])).shape
    (1, 2)
    """
    checked = [current(table) for table in tables]
    known = [set(zip(*(table[name] for name in UNIT), strict=True)) for table in checked]
    whole = merge(*checked)
    shared = [key in set.intersection(*known) for key in zip(*(whole[name] for name in UNIT), strict=True)]
    told = whole.assign(label=whole.concept + " (" + whole.type + ")")[np.array(shared, dtype=bool)]
    return told.pivot(index=UNIT, columns=["source", "annotator"], values="label").fillna("")


#: Network Dissection's categories as this package's types. Its objects hold surfaces too (see `SURFACES`).
CATEGORIES = {
    "scene": "scene",
    "object": "object",
    "part": "object part",
    "material": "texture or material",
    "texture": "texture or material",
    "color": "simple element or colour",
}

#: Objects in name that workers would call a region or surface: what has no shape of its own.
SURFACES = frozenset(
    (
        *("sky", "sea", "water", "river", "lake", "pond", "ocean", "grass", "field"),
        *("lawn", "ground", "earth", "land", "sand", "snow", "dirt", "soil", "mud", "road"),
        *("street", "sidewalk", "pavement", "path", "floor", "wall", "ceiling", "mountain", "hill"),
        *("cloud", "clouds", "ice", "plain", "desert", "beach", "waves", "skyline", "forest"),
        *("meadow", "backdrop"),
    )
)


def concept_type(kind: str, concept: str) -> str:
    """The semantic type of an annotated concept.

    Parameters
    ----------
    kind : Network Dissection's category; 'color' stands for simple elements too.
    concept : its name; an 'object' without a shape of its own (`SURFACES`) is a region or surface.

    Examples
    --------
    >>> concept_type("object", "sky"), concept_type("part", "wheel")
    ('region or surface', 'object part')
    """
    if kind not in CATEGORIES:
        raise SceneLensError(f"no kind of concept {kind!r}; there are {', '.join(CATEGORIES)}.")
    return "region or surface" if kind == "object" and concept in SURFACES else CATEGORIES[kind]

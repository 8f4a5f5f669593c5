"""The table of labels: what units are called, by people, by the paper's workers, and automatically.

A row is one answer: one annotator names one unit, gives the name's semantic type, and says for what share of
the unit's strongest images the name fits. Several answers about a unit need not agree. The meaning of a unit
then depends on the rule that makes one answer of several, so the rule is an argument of `unit_types`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from scenelens.errors import SceneLensError, close_names
from scenelens.labels.rules import RULES, UNIT, Rule

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

#: Levels of meaning for Figure 7. One version of the paper's text lists simple elements and colours as low,
#: materials, textures and shapes as mid, objects and scenes as high. Its released answers have surfaces and
#: parts instead of shapes, and these are counted as mid here.
LEVELS = {
    "simple element or colour": "low",
    "texture or material": "mid",
    "region or surface": "mid",
    "object part": "mid",
    "object": "high",
    "scene": "high",
}

#: The columns of a table of labels.
COLUMNS = (
    "network",
    "layer",
    "unit",
    "annotator",
    "concept",
    "type",
    "precision",
    "n_images",
    "source",
    "when",
)


#: Network Dissection's categories as types of this package. Its objects include surfaces.
CATEGORIES = {
    "scene": "scene",
    "object": "object",
    "part": "object part",
    "material": "texture or material",
    "texture": "texture or material",
    "color": "simple element or colour",
}

# Network Dissection calls these objects. They have no shape of their own, so workers would call them a region
# or surface.
_SURFACES = frozenset(
    (
        "backdrop",
        "beach",
        "ceiling",
        "cloud",
        "clouds",
        "desert",
        "dirt",
        "earth",
        "field",
        "floor",
        "forest",
        "grass",
        "ground",
        "hill",
        "ice",
        "lake",
        "land",
        "lawn",
        "meadow",
        "mountain",
        "mud",
        "ocean",
        "path",
        "pavement",
        "plain",
        "pond",
        "river",
        "road",
        "sand",
        "sea",
        "sidewalk",
        "sky",
        "skyline",
        "snow",
        "soil",
        "street",
        "wall",
        "water",
        "waves",
    )
)


def check_labels(labels: pd.DataFrame) -> pd.DataFrame:
    """Check a table of answers, fill what may be missing, and put the columns in their order.

    Parameters
    ----------
    labels : pandas.DataFrame
        It needs ``network``, ``layer``, ``concept``, ``type`` (str) and ``unit`` (int, from 0). These may be
        missing: ``annotator``, ``source`` (str), ``when`` (str, ISO 8601 in UTC, '' if unknown),
        ``precision`` (float, 0..1, NaN if no person judged it) and ``n_images`` (int, of how many images the
        precision is a share, 0 if unknown).

    Returns
    -------
    pandas.DataFrame
        The columns `COLUMNS`, then further ones such as ``iou``; the index counts from 0.

    Raises
    ------
    SceneLensError
        If a column is missing, a concept is empty, a type is unknown, a precision is outside 0..1, or a unit
        is not a whole number from 0 on. The first bad row is named.

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
    """Join several tables of answers.

    Every answer stays, also an annotator's earlier ones; `current` selects the latest.

    Parameters
    ----------
    *tables : pandas.DataFrame
        Tables of answers; see `check_labels`.

    Returns
    -------
    pandas.DataFrame
        All rows; equal rows occur once.

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
    """Select the latest answer of each annotator and source about each unit.

    Parameters
    ----------
    labels : pandas.DataFrame
        Answers; see `check_labels`. A history of answers (`LabelStore.history`) also has ``written``, the
        order of writing.

    Returns
    -------
    pandas.DataFrame
        The rows that were written last; where that order is not known, those with the latest ``when``. Of
        ties the last row.

    Examples
    --------
    >>> row = ("scene", "pool5", 17, "Ada", "object")
    >>> twice = pd.DataFrame([(*row, "bed", "2026-01-02"), (*row, "sofa", "2026-01-01")],
    ...     columns=["network", "layer", "unit", "annotator", "type", "concept", "when"])
    >>> current(twice).concept.tolist()
    ['bed']
    """
    table = check_labels(labels)
    # A clock may have been set back between an answer and its correction: `when` is only the second choice.
    time = table.written.fillna(table.when) if "written" in table else table.when
    ordered = table.loc[time.sort_values(kind="stable").index].drop_duplicates(
        [*UNIT, "annotator", "source"], keep="last"
    )
    return ordered.sort_index().reset_index(drop=True)


def unit_types(labels: pd.DataFrame, rule: str | Rule = "majority", threshold: float = 0.75) -> pd.DataFrame:
    """The meaning of each unit, after a rule has made one answer of several (Figures 7 and 8).

    Parameters
    ----------
    labels : pandas.DataFrame
        Answers; see `check_labels`. Of an annotator's several answers about one unit the latest counts.
    rule : str or callable, optional
        'any', 'majority' (default), 'unanimous' or 'most precise'; or a function of (the answers about one
        unit, threshold) that returns the rows that count.
    threshold : float, optional
        The wanted precision, 0..1 (default 0.75, as in the paper).

    Returns
    -------
    pandas.DataFrame
        One row per unit and type: ``network``, ``layer``, ``unit``, ``type``, ``level``, ``concept`` (the
        commonest one of that type; of ties the most precise), ``precision``. A unit that the rule leaves out
        has no row; with 'any' a unit may have several.

    Raises
    ------
    SceneLensError
        If the rule is unknown or the threshold is outside 0..1.

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
    chosen = _selected(current(labels), choose, threshold)
    groups = chosen.groupby([*UNIT, "type"], sort=False).precision.max().reset_index()
    table = groups.merge(_common_concepts(chosen), on=[*UNIT, "type"], how="left")
    return table.assign(level=table.type.map(LEVELS))[[*UNIT, "type", "level", "concept", "precision"]]


def _common_concepts(answers: pd.DataFrame) -> pd.DataFrame:
    """The commonest concept of each unit's answers of one type: network, layer, unit, type, concept.

    Upper and lower case do not matter. Of ties the concept with the most precise answer counts.
    """
    key = [*UNIT, "type", "concept"]
    names = answers.assign(
        concept=answers.concept.astype(str).str.strip().str.lower(), precision=answers.precision.fillna(0)
    )
    found = names.groupby(key, sort=False).precision.agg(["size", "max"]).reset_index()
    found = found.sort_values(["size", "max"], ascending=False, kind="stable")
    return found.drop_duplicates([*UNIT, "type"])[key]


def names_text(names: Sequence[str], most: int = 3) -> str:
    """A set of names that a unit may have, as one text.

    Parameters
    ----------
    names : sequence of str
        The names, the likeliest first; see `AutomaticLabels.labels`.
    most : int, optional
        How many of them are said at most (default 3).

    Returns
    -------
    str
        The names, and how many others there are.

    Examples
    --------
    >>> names_text(["bed"]), names_text(["bed", "sofa"]), names_text(["bed", "sofa", "rug", "wall"], 2)
    ('bed', 'bed or sofa', 'bed, sofa or 2 others')
    """
    shown = list(names[:most])
    left = len(names) - len(shown)
    last = f"{left} other{'s' * (left > 1)}" if left else (shown.pop() if len(shown) > 1 else "")
    return ", ".join(shown) + (f" or {last}" if last else "")


def _concept_type(kind: str, concept: str) -> str:
    """The semantic type of an annotated concept.

    Parameters
    ----------
    kind : str
        Network Dissection's category, one of `CATEGORIES`; 'color' stands for simple elements too.
    concept : str
        Its name. An 'object' without a shape of its own, such as the sky, is a region or surface.

    Returns
    -------
    str
        One of `TYPES`.

    Raises
    ------
    SceneLensError
        If there is no such kind.

    Examples
    --------
    >>> _concept_type("object", "sky"), _concept_type("part", "wheel")
    ('region or surface', 'object part')
    """
    if kind not in CATEGORIES:
        raise SceneLensError(f"no kind of concept {kind!r}; the kinds are {', '.join(CATEGORIES)}.")
    return "region or surface" if kind == "object" and concept in _SURFACES else CATEGORIES[kind]


def _selected(answers: pd.DataFrame, rule: Rule, threshold: float) -> pd.DataFrame:
    """Select the answers that count by a rule.

    Parameters
    ----------
    answers : pandas.DataFrame
        Answers with the columns `UNIT`, ``type`` and ``precision``.
    rule : callable
        One of `RULES`, or a function of (the answers about one unit, threshold).
    threshold : float
        The wanted precision, 0..1.

    Returns
    -------
    pandas.DataFrame
        Rows of `answers`, unit after unit in the order of `answers`.

    Examples
    --------
    >>> answers = pd.DataFrame({"network": "scene", "layer": "pool5", "unit": 1, "concept": ["bed", "red"],
    ...                         "type": ["object", "simple element or colour"], "precision": [0.9, 0.4]})
    >>> _selected(answers, RULES["any"], 0.75).concept.tolist()
    ['bed']
    """
    if answers.empty:
        return answers
    if any(rule is one for one in RULES.values()):
        chosen = rule(answers, threshold)
    else:  # a reader's own rule sees one unit at a time, so it need not know about groups
        chosen = pd.concat([rule(rows, threshold) for _, rows in answers.groupby(UNIT, sort=False)])
    # A rule may sort the answers; the units come back in their order, and the sorting stays within each.
    place = answers.groupby(UNIT, sort=False).ngroup()
    return chosen.loc[place.reindex(chosen.index).sort_values(kind="stable").index]

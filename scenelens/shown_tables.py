"""One form for the tables of notebooks and pages: words for headings, sensible digits, nothing raw.

pandas shows ten digits of what is known to two, NaN, tuples and the names of columns. `open_study` asks the
running notebook to show every data frame in the form made here, and pages show what the notebook shows. Only
what is seen changes. The data frame keeps all its digits, so a reader computes with the measured numbers.

To see raw values, print the table (``print(table)``), or use pandas' own view (``table.style``). This line
gives all data frames of a notebook their raw view again::

    get_ipython().display_formatter.formatters["text/html"].pop(pandas.DataFrame)

- Headings are words. A column of numbers has as many digits as its largest number needs.
- A column with the name of a share, such as ``accuracy`` or ``half_share``, is shown in per cent where all of
  its values lie in 0..1.
- ``share``, ``low``, ``high`` share a cell, and so do ``ap``, ``ap_low``, ``ap_high``: an estimate with its
  interval. Where low and high equal it, all there is was counted, and the number stands alone.
- What a scene, a class, an object or a concept is called stands in words, without underscores.
- What is missing is a dash, explained below the table. A pair of whole numbers is the size of a map, such as
  "13 × 13".
- A function may name the units of the columns it returns, in ``table.attrs["units"]``: "share" for per cent,
  "points" for a difference of shares, or any other unit, which stands in the heading.

Text in a table is text, whatever a name from outside holds.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd

from scenelens.sentences import interval, one_line, percent, words

#: The class of the element around a table, by which a page finds it.
TABLE_CLASS = "scenelens-table"
#: Words in the name of a column that holds shares.
_SHARES = {
    *("share", "chance", "probability", "confidence", "accuracy", "presence", "precision"),
    *("ap", "jaccard"),
}
#: First or last words in the name of a column that holds names of things.
_NAMES = {"called", "category", "class", "concept", "kept", "object", "predicted", "scene"}
_WORDS = {"ap": "AP", "iou": "IoU", "sd": "s.d."}
_HEADINGS = {"rf_size": "field size", "rf_stride": "field stride", "rf_start": "field start"}
_UNITS = {"rf_size": "px", "rf_stride": "px", "rf_start": "px"}
_MISSING, _MORE = "–", "…"
_LONG = 40  # characters of a cell that needs a wide column
_MOST_DIGITS = 3  # behind the point, of values below 1
# JupyterLab's own rule stands all cells right; the class written twice outweighs it. Its colours are kept, as
# they are dark where the page is.
_STYLE = " ".join(
    f".{TABLE_CLASS}.{TABLE_CLASS} {what}"
    for what in (
        "table :is(th, td) { text-align: left; vertical-align: top; }",
        "table .number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }",
        "table tbody th { font-weight: normal; }",
        "table .long { min-width: 14em; }",  # on a phone the table scrolls, and its rows stay low
        ".note { font-size: 90%; }",
    )
)


def show_tables() -> None:
    """Let the running notebook show data frames in this form; elsewhere nothing happens.

    A form that the reader chose for data frames stays, and so do subclasses of them, which have their own.
    """
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if shell is not None:
        formatter = shell.display_formatter.formatters["text/html"]
        if formatter.for_type(pd.DataFrame) is None:
            formatter.for_type(pd.DataFrame, table_html)


@dataclass
class _Column:
    """One column as it is shown.

    Attributes
    ----------
    heading : list of str
        One line for each level of the columns' names.
    cells : list of str
        What stands in each row.
    number : bool
        Whether they are numbers, which stand right.
    index : bool
        Whether they are headings of their rows.
    """

    heading: list[str]
    cells: list[str]
    number: bool = False
    index: bool = False


def table_html(frame: pd.DataFrame) -> str | None:
    """Write a data frame as HTML.

    Parameters
    ----------
    frame : pandas.DataFrame
        The table; its ``attrs["units"]`` may name units. A subclass is written as it would write itself.

    Returns
    -------
    str or None
        HTML in which all text is text; None where pandas is told to write none.

    Examples
    --------
    >>> made = table_html(pd.DataFrame({"layer_name": ["<b>"], "mean": [10.065965]}))
    >>> print(made.partition("<tbody>")[2])
    <tr><td>&lt;b&gt;</td><td class="number">10.1</td></tr></tbody></table></div>
    """
    if type(frame) is not pd.DataFrame or not pd.get_option("display.notebook_repr_html"):
        return frame._repr_html_()
    shown, gap = _excerpt(frame)
    columns = [*_index_columns(shown), *_value_columns(shown)]
    most = pd.get_option("display.max_columns") or len(columns)
    if len(columns) > most:
        half, more = max(1, most // 2), _Column([_MORE] * frame.columns.nlevels, [_MORE] * len(shown))
        columns = [*columns[:half], more, *columns[-half:]]
    notes = []
    if gap is not None:
        notes.append(f"The first {gap} and the last {len(shown) - gap} of {len(frame):,} rows.")
    if frame.empty:
        notes.append("There is no row.")
    if any(cell == _MISSING for column in columns for cell in column.cells):
        notes.append(f"{_MISSING} stands where nothing was measured, or nothing applies.")
    note = f'<p class="note">{escape(" ".join(notes))}</p>' if notes else ""
    # JupyterLab takes what stands between two dollar signs for a formula, but not in these classes.
    table = f'<table class="tex2jax_ignore mathjax_ignore">{_head(columns)}{_body(columns, gap)}</table>'
    return f'<div class="{TABLE_CLASS}"><style>{_STYLE}</style>{table}{note}</div>'


def _excerpt(frame: pd.DataFrame) -> tuple[pd.DataFrame, int | None]:
    """As many rows as pandas would show, and after which of them others are left out."""
    most = pd.get_option("display.max_rows")
    if not most or len(frame) <= most:
        return frame, None
    half = max(1, min(pd.get_option("display.min_rows") or most, most) // 2)
    return pd.concat([frame.iloc[:half], frame.iloc[-half:]]), half


# ---- columns


def _index_columns(frame: pd.DataFrame) -> list[_Column]:
    """The columns of the index; none where it only counts rows."""
    index, deep = frame.index, frame.columns.nlevels
    counts = index.nlevels == 1 and index.name is None and pd.api.types.is_integer_dtype(index.dtype)
    if counts and frame.shape[1] > 1:
        return []
    columns = []
    for level, name in enumerate(index.names):
        cells = [_text(value, str(name or "")) for value in index.get_level_values(level)]
        corner = [_heading(one) if one is not None else "" for one in frame.columns.names]
        if name is not None:
            corner[-1] = _heading(name)
        columns.append(_Column(corner if level == 0 else ["" for _ in range(deep - 1)] + corner[-1:], cells))
        columns[-1].index = True
    return columns


def _value_columns(frame: pd.DataFrame) -> list[_Column]:
    units = {**_UNITS, **frame.attrs.get("units", {})}
    joined = _intervals(frame)
    ends = {place for pair in joined.values() for place in pair}
    columns = []
    for place, label in enumerate(frame.columns):
        if place in ends:
            continue
        levels = label if isinstance(label, tuple) and frame.columns.nlevels > 1 else (label,)
        values = frame.iloc[:, place]
        unit = units.get(label if isinstance(label, str) else "") or _unit_by_name(levels[-1], values)
        column = _Column([_heading(one) for one in levels], *_texts(values, str(levels[-1]), unit))
        if unit not in ("", "share"):
            column.heading[-1] += f" ({unit})"
        if place in joined:
            _join_interval(column, values, frame.iloc[:, list(joined[place])], unit)
        columns.append(column)
    return columns


def _unit_by_name(label: object, values: pd.Series) -> str:
    """ "share" for fractions in 0..1 under a name such as ``half_share``; else ''.

    >>> _unit_by_name("half_share", pd.Series([0.5])), _unit_by_name("share", pd.Series([7.5]))
    ('share', '')
    """
    named = not _SHARES.isdisjoint(str(label).lower().split("_"))
    if not named or not pd.api.types.is_float_dtype(values.dtype):
        return ""
    return "share" if values.dropna().between(0, 1).all() else ""


def _intervals(frame: pd.DataFrame) -> dict[int, tuple[int, int]]:
    """The place of each estimate -> the places of the two ends of its interval.

    >>> _intervals(pd.DataFrame({"mean": [2.0], "sd": [9.0], "low": [1.0], "high": [3.0]}))
    {0: (2, 3)}
    """
    names = [str(name) for name in frame.columns]
    if frame.columns.nlevels > 1 or len(set(names)) < len(names):
        return {}
    numbers = [pd.api.types.is_numeric_dtype(dtype) for dtype in frame.dtypes]
    found = {}
    for low, name in enumerate(names[:-1]):
        stem = name.removesuffix("low")
        if stem == name or (stem and not stem.endswith("_")) or names[low + 1] != f"{stem}high":
            continue
        before = (
            [names.index(stem[:-1])] if stem[:-1] in names else list(range(low))[::-1] if not stem else []
        )
        inside = (k for k in before if numbers[k] and _lies_between(frame, k, low))
        if numbers[low] and numbers[low + 1] and (place := next(inside, None)) is not None:
            found[place] = (low, low + 1)
    return found


def _lies_between(frame: pd.DataFrame, place: int, low: int) -> bool:
    """Whether the values of a column lie within the interval of each row that has one."""
    known = frame.iloc[:, [place, low, low + 1]].dropna().to_numpy(float)
    return bool(len(known) and ((known[:, 1] <= known[:, 0]) & (known[:, 0] <= known[:, 2])).all())


def _join_interval(column: _Column, values: pd.Series, both: pd.DataFrame, unit: str) -> None:
    """Write the interval of each number, whose two ends `both` has, behind it; none where it has no width."""
    form, before = _form(_floats(values, unit)), list(column.cells)
    for k, ends in enumerate(both.itertuples(index=False, name=None)):
        if column.cells[k] == _MISSING or any(_is_missing(end) for end in ends) or ends[0] == ends[1]:
            continue
        if unit == "share":
            said = interval(*ends)
        else:
            said = ", ".join(_number(end, form) for end in _floats(ends, unit))
        column.cells[k] += f" [{said}]"
    if column.cells != before:
        column.heading[-1] += " [low, high]"


# ---- cells


def _texts(values: pd.Series, name: str, unit: str) -> tuple[list[str], bool]:
    """What stands in each cell of a column, and whether they are numbers."""
    known = [value for value in values if not _is_missing(value)]
    if known and all(isinstance(one, Real) and not isinstance(one, bool | np.bool_) for one in known):
        if unit == "share":
            return [_MISSING if _is_missing(one) else percent(float(one)) for one in values], True
        form = _form(_floats(known, unit))
        return [_number(one, form) for one in _floats(values, unit)], True
    return [_text(value, name) for value in values], False


def _floats(values: Iterable[Any], unit: str) -> list[Any]:
    """The numbers in their unit: whole ones as int, others as float, missing ones as NaN."""
    scale = 100 if unit == "points" else 1
    numbers = (math.nan if _is_missing(one) else one for one in values)
    return [scale * (int(one) if isinstance(one, Integral) else float(one)) for one in numbers]


def _is_missing(value: object) -> bool:
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value)


def _form(values: Sequence[float]) -> str:
    """How Python is to format the numbers of a column: with as many digits as it needs.

    >>> [_form(one) for one in ([10.065965, 9.5], [0.25, 0.5], [4.0, 12.0], [0.12345], [0.00012345])]
    ['.1f', '.2f', '.0f', '.3f', '.5f']
    >>> _form([12345, 7]), _form([7, 8]), _form([12345.6789, 7]), _form([1e-12])
    (',d', 'd', ',.0f', '.2g')
    """
    sizes = [abs(value) for value in values if math.isfinite(value)]
    most, commas = max(sizes, default=0.0), "," * any(size >= 10_000 for size in sizes)
    if all(isinstance(size, int) for size in sizes):
        return f"{commas}d"
    given = max(len(f"{size:.6f}".partition(".")[2].rstrip("0")) for size in sizes)
    if not most or (given <= _MOST_DIGITS and most >= 10**-_MOST_DIGITS):
        return f"{commas}.{given}f"
    if most >= 1:
        return f"{commas}.{0 if most >= 1000 else 1 if most >= 10 else 2}f"
    digits = _MOST_DIGITS if most >= 0.005 else 1 - math.floor(math.log10(most))
    return f".{digits}f" if digits < 10 else ".2g"


def _number(value: float, form: str) -> str:
    """One number in this form; one that rounds to 0 has no sign.

    >>> [_number(one, ".3f") for one in (-0.0004, 0.0004, 0.5, math.nan)], _number(-12345.6, ",.0f")
    (['0.000', '<0.001', '0.500', '–'], '−12,346')
    """
    if _is_missing(value):
        return _MISSING
    if not math.isfinite(value):
        return "−∞" if value < 0 else "∞"
    shown = format(value, form)
    if form.endswith("f") and not shown.strip("-0."):
        return f"<{shown[:-1]}1" if value > 0 and "." in shown else shown.lstrip("-")
    return shown.replace("-", "−")  # as wide as a digit


def _text(value: Any, name: str) -> str:
    """A value that is no number: words for yes and no, sides for a pair, a list without brackets.

    >>> [_text(one, "map") for one in (math.nan, np.True_, (55, 55), (0.1, 0.25), ["bed", "sofa"], "a_b", "")]
    ['–', 'yes', '55 × 55', '0.1 to 0.25', 'bed, sofa', 'a_b', '']
    >>> _text((8, 11), "units"), _text(np.zeros((5, 7, 3)), "frame"), _text("art_gallery", "category")
    ('8, 11', 'an array of 5 × 7 × 3', 'art gallery')
    """
    if _is_missing(value):
        return _MISSING
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, np.ndarray) and value.ndim > 1:
        return f"an array of {' × '.join(map(str, value.shape))}"
    if isinstance(value, tuple | list | set | frozenset | np.ndarray):
        return _members(list(value), name)
    if isinstance(value, Real) and not isinstance(value, Integral):
        return _number(float(value), _form([float(value)]))
    named = not _NAMES.isdisjoint((name.partition("_")[0], name.rpartition("_")[2]))
    return words(value) if named else one_line(value)


def _members(values: list[Any], name: str) -> str:
    """The members of a list; two whole numbers are sides, but two units are no sides."""
    parts = [_text(one, "") for one in values]
    if len(values) == 2 and "units" not in name:
        if all(isinstance(one, Integral) and not isinstance(one, bool) for one in values):
            return " × ".join(parts)
        if all(isinstance(one, Real) and not isinstance(one, bool) for one in values):
            return " to ".join(parts)
    return one_line(", ".join(parts))


def _heading(label: Hashable) -> str:
    """The name of a column in words.

    >>> _heading("ap_paper"), _heading("rf_size"), _heading(7)
    ('AP paper', 'field size', '7')
    """
    named = _HEADINGS.get(label) if isinstance(label, str) else None
    return named or " ".join(_WORDS.get(word, word) for word in one_line(label).replace("_", " ").split())


# ---- HTML


def _head(columns: list[_Column]) -> str:
    rows = []
    for level in range(len(columns[0].heading) if columns else 0):
        cells = []
        for key, group in groupby(columns, key=lambda one: _above(one, level)):
            run = list(group)
            last = level == len(run[0].heading) - 1
            for one, wide in [(run[0], len(run))] if not last else [(each, 1) for each in run]:
                right = ' class="number"' if one.number and wide == 1 else ""
                span = f' colspan="{wide}"' if wide > 1 else ""
                text = escape(key[-1])
                # An empty cell is no heading of anything: a screen reader would say it all the same.
                cells.append(f'<th scope="col"{span}{right}>{text}</th>' if text else f"<td{span}></td>")
        rows.append(f"<tr>{''.join(cells)}</tr>")
    return f"<thead>{''.join(rows)}</thead>" if rows else ""


def _above(column: _Column, level: int) -> tuple[str, ...]:
    return tuple(column.heading[: level + 1])


def _body(columns: list[_Column], gap: int | None) -> str:
    index = [column for column in columns if column.index]
    spans = [_spans(index[: k + 1], gap) if k < len(index) - 1 else None for k in range(len(index))]
    lines = []
    for row in range(len(columns[0].cells) if columns else 0):
        if row == gap:
            lines.append(f"<tr>{f'<td>{_MORE}</td>' * len(columns)}</tr>")
        cells = [
            _row_heading(one.cells[row], over[row] if over else 1)
            for one, over in zip(index, spans, strict=True)
        ]
        for column in columns[len(index) :]:
            text = column.cells[row]
            kind = ' class="number"' if column.number else ' class="long"' if len(text) > _LONG else ""
            cells.append(f"<td{kind}>{escape(text)}</td>")
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return f"<tbody>{''.join(lines)}</tbody>"


def _spans(index: list[_Column], gap: int | None) -> list[int]:
    """Over how many rows the last of these headings goes in each row; 0 where the one above reaches down."""
    rows = range(len(index[0].cells))
    keys = [(gap is not None and row >= gap, *(one.cells[row] for one in index)) for row in rows]
    lengths = [len(list(group)) for _, group in groupby(keys)]
    return [here for length in lengths for here in [length] + [0] * (length - 1)]


def _row_heading(text: str, rows: int) -> str:
    if not rows:
        return ""
    about = f'scope="rowgroup" rowspan="{rows}"' if rows > 1 else 'scope="row"'
    return f"<th {about}>{escape(text)}</th>"

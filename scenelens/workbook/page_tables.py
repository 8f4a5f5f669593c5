"""One form for all tables of the pages: words for headings, the same digits in a column, nothing raw.

A notebook's table comes as the HTML that pandas made of it. Some show six digits of what is known to two,
others NaN, tuples, or the numbers of rows. Here each is read and written again: a name is text whatever it
holds, numbers stand right under their heading with as many digits as they need, what is missing is a dash.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import escape
from html.parser import HTMLParser

_NUMBER = re.compile(r"[-+−]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d*)?(?:e[-+]?\d+)?%?", re.IGNORECASE)
_TUPLE = re.compile(r"\((?:np\.\w+\()?(-?\d+(?:\.\d+)?)\)?, (?:np\.\w+\()?(-?\d+(?:\.\d+)?)\)?\)")
_MISSING = {"nan", "none", "<na>", "nat", "–", ""}
_YES_NO = {"True": "yes", "False": "no"}
#: What a table may hold; one with anything else is left as it is.
_PLAIN = {
    "table",
    "caption",
    "colgroup",
    "col",
    "thead",
    "tbody",
    "tfoot",
    "tr",
    "th",
    "td",
    "style",
    "div",
    "p",
    "br",
}
_MOST_DIGITS = 3  # behind the point, of values below 1


@dataclass
class _Cell:
    """One cell: what stands in it, and over how many columns and rows."""

    text: str = ""
    head: bool = False
    columns: int = 1
    rows: int = 1


@dataclass
class _Table:
    """A table that was read: rows of headings, rows of values, and a line below it."""

    head: list[list[_Cell]] = field(default_factory=list)
    body: list[list[_Cell]] = field(default_factory=list)
    note: str = ""


class _Reader(HTMLParser):
    """Reads the one table of a piece of HTML; `plain` is False where it holds more than a table."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found, self.plain, self.tables, self.css = _Table(), True, 0, ""
        self._in = ""
        self._cell: _Cell | None = None
        self._styled = False
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.plain &= tag in _PLAIN
        self.tables += tag == "table"
        if tag in ("thead", "tbody", "p", "caption"):
            self._in = tag
        elif tag == "style":
            self._styled = True
        elif tag == "tr":
            self._rows().append([])
        elif tag in ("th", "td") and self._rows():
            self._cell = _Cell("", tag == "th", _span(given.get("colspan")), _span(given.get("rowspan")))
            self._rows()[-1].append(self._cell)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("th", "td"):
            self._cell = None
        elif tag == "style":
            self._styled = False
        elif tag in ("p", "caption"):
            self._in = ""

    def handle_data(self, data: str) -> None:
        if self._styled:
            self.css += data
        elif self._cell is not None:
            self._cell.text += data
        elif self._in in ("p", "caption"):
            self.found.note += data

    def _rows(self) -> list[list[_Cell]]:
        return self.found.head if self._in == "thead" else self.found.body


def _span(text: str | None) -> int:
    return int(text) if text and text.isdigit() and 0 < int(text) < 1000 else 1


def table(html: str) -> str | None:
    """Write a table of pandas in the form of the pages.

    Parameters
    ----------
    html : str
        What a notebook shows: the HTML of a data frame or of its ``.style``.

    Returns
    -------
    str or None
        One ``<table>``; None where the HTML holds anything else, or a table with colours of its own.

    Examples
    --------
    >>> table("<table><thead><tr><th></th><th>mean_size</th></tr></thead>"
    ...       "<tbody><tr><th>conv1</th><td>10.065965</td></tr></tbody></table>")  # doctest: +ELLIPSIS
    '<table><thead><tr><td></td><th scope="col" class="number">mean size</th></tr></thead>...10.1</td>...'
    """
    reader = _Reader(html)
    # pandas' own rules for data frames name .dataframe; other rules are somebody's colours.
    coloured = any("{" in rule and ".dataframe" not in rule for rule in reader.css.split("}"))
    found = reader.found
    if not reader.plain or reader.tables != 1 or coloured or not found.body:
        return None
    _merge_names(found)
    _drop_row_numbers(found)
    numbers = _format_columns(found)
    note = f'<p class="note">{escape(" ".join(found.note.split()))}</p>' if found.note.strip() else ""
    return f"<table>{_head(found, numbers)}{_body_rows(found, numbers)}</table>{note}"


def _merge_names(found: _Table) -> None:
    """Put the index's names, for which pandas opens another row, into the row of the columns' names."""
    if len(found.head) < 2:
        return
    names, above = found.head[-1], found.head[-2]
    if len(names) != len(above) or any(cell.columns > 1 for cell in above):
        return
    if all(not a.text.strip() or not b.text.strip() for a, b in zip(above, names, strict=True)):
        for one, other in zip(above, names, strict=True):
            one.text = one.text.strip() or other.text
        found.head.pop()


def _drop_row_numbers(found: _Table) -> None:
    """Leave out an index without a name that only counts rows."""
    heads = [row[0] for row in (*found.head, *found.body) if row]
    index = [row[0] for row in found.body if row and row[0].head]
    named = any(row and row[0].text.strip() for row in found.head)
    several = all(len(row) > 2 for row in found.body)
    one_wide = all(cell.columns == 1 and cell.rows == 1 for cell in heads)
    counted = all(cell.text.strip().isdigit() for cell in index)
    alone = not any(row[1].head for row in found.body if len(row) > 1)
    if index and len(index) == len(found.body) and not named and several and one_wide and counted and alone:
        for row in (*found.head, *found.body):
            row.pop(0)


def _format_columns(found: _Table) -> set[int]:
    """Give the values of each column one form; return the columns of numbers."""
    width = max(len(row) for row in found.body)
    if any(len(row) != width or any(cell.columns > 1 or cell.rows > 1 for cell in row) for row in found.body):
        for row in found.body:  # cells over several rows: no columns to count
            for cell in row:
                cell.text = _plain_value(cell.text)
        return set()
    numbers = set()
    for place in range(width):
        cells = [row[place] for row in found.body]
        values = [cell.text.strip() for cell in cells]
        known = [one for one in values if one.casefold() not in _MISSING and one != "..."]
        is_number = bool(known) and all(_NUMBER.fullmatch(one) for one in known) and not cells[0].head
        if is_number:
            numbers.add(place)
        digits = _digits(known) if is_number else None
        if (
            known
            and all(one.startswith("(") for one in known)
            and (_heading(found, place) == "units" or not all(_TUPLE.fullmatch(one) for one in known))
        ):  # a list in each cell; where all are pairs they are sides, but two units are no sides
            values = [_members(one) for one in values]
        for cell, value in zip(cells, values, strict=True):
            cell.text = _plain_value(value) if digits is None else _rounded(value, digits)
            if is_number:
                cell.text = cell.text.replace("-", "−")  # as wide as a digit
    return numbers


def _heading(found: _Table, place: int) -> str:
    """The name of a column; '' where there is none."""
    return found.head[-1][place].text.strip() if found.head and place < len(found.head[-1]) else ""


def _members(text: str) -> str:
    """The names in a tuple; pandas may have cut off its end.

    >>> _members("(bed, sofa)"), _members("(bed,)"), _members("(a long name, and..."), _members("–")
    ('bed, sofa', 'bed', 'a long name, and…', '–')
    """
    if text.endswith("..."):
        return text.removeprefix("(").removesuffix("...").rstrip(", ") + "…"
    return text.removeprefix("(").removesuffix(")").rstrip(",")


def _digits(values: list[str]) -> int | None:
    """How many digits behind the point a column needs; None where its values stay as they are.

    >>> [_digits(one) for one in (["10.065965", "9.5"], ["0.25", "0.5"], ["4.0", "12.0"], ["4", "12"])]
    [1, 2, 0, None]
    """
    if any("%" in one or "e" in one.lower() for one in values):
        return None
    fractions = [one.partition(".")[2] for one in values if "." in one]
    if not fractions:
        return None
    if not any(part.strip("0") for part in fractions):
        return 0
    most = max(abs(_value(one)) for one in values)
    enough = 0 if most >= 1000 else (1 if most >= 10 else (2 if most >= 1 else _MOST_DIGITS))
    given = max(len(part.rstrip("0")) for part in fractions)
    return given if given <= _MOST_DIGITS else enough


def _value(text: str) -> float:
    return float(text.replace(",", "").replace("−", "-"))


def _rounded(text: str, digits: int) -> str:
    """One number with these digits; one that rounds to 0 has no sign.

    >>> _rounded("-0.0004", 3), _rounded("1234.5", 0), _rounded("nan", 2)
    ('0.000', '1,234', '–')
    """
    if not _NUMBER.fullmatch(text):
        return _plain_value(text)
    shown = f"{_value(text):,.{digits}f}"
    return shown.lstrip("-") if not shown.strip("-0.,") else shown


def _plain_value(text: str) -> str:
    """A value that is no number: a dash where it is missing, words for yes and no, sides for a pair.

    >>> [_plain_value(one) for one in ("NaN", "True", "(55, 55)", "(0.1, 0.25)", "bed_room")]
    ['–', 'yes', '55 × 55', '0.1 to 0.25', 'bed_room']
    """
    text = text.strip()
    if text.casefold() in _MISSING:
        return "–"
    if text == "...":
        return "…"
    pair = _TUPLE.fullmatch(text)
    if pair:
        return f"{pair[1]} to {pair[2]}" if "." in text else f"{pair[1]} × {pair[2]}"
    return _YES_NO.get(text, text)


def _head(found: _Table, numbers: set[int]) -> str:
    rows = []
    for row in found.head:
        cells, place = [], 0
        for cell in row:
            right = ' class="number"' if place in numbers and cell.columns == 1 else ""
            span = f' colspan="{cell.columns}"' if cell.columns > 1 else ""
            words = escape(" ".join(cell.text.replace("_", " ").split()))
            # An empty cell is no heading of anything: a screen reader would say it all the same.
            cells.append(f'<th scope="col"{span}{right}>{words}</th>' if words else f"<td{span}></td>")
            place += cell.columns
        rows.append(f"<tr>{''.join(cells)}</tr>")
    return f"<thead>{''.join(rows)}</thead>" if rows else ""


def _body_rows(found: _Table, numbers: set[int]) -> str:
    rows = []
    for row in found.body:
        cells = []
        for place, cell in enumerate(row):
            span = "".join(
                f' {name}="{n}"' for name, n in (("colspan", cell.columns), ("rowspan", cell.rows)) if n > 1
            )
            if cell.head:
                scope = "rowgroup" if cell.rows > 1 else "row"
                cells.append(f'<th scope="{scope}"{span}>{escape(cell.text)}</th>')
            else:
                right = ' class="number"' if place in numbers else ""
                cells.append(f"<td{span}{right}>{escape(cell.text)}</td>")
        rows.append(f"<tr>{''.join(cells)}</tr>")
    return f"<tbody>{''.join(rows)}</tbody>"

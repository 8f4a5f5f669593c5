"""Lists of class names as people store them: lines with or without numbers, CSV, JSON, and Python text.

Numbers decide the order of the classes. They must be complete, from 0 or from 1: a list in which one is
missing, or is there twice, would give every class behind it a wrong name, so it is refused.
"""

from __future__ import annotations

import ast
import csv
import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from scenelens.errors import SceneLensError
from scenelens.files import read_text

_MOST_TEXT = 20_000_000  # characters; ImageNet's 22,000 classes with all their synonyms are 2 million
_LISTS = ("classes", "id2label", "class_to_idx", "label2id", "categories", "labels", "names")
_NAME_COLUMNS = {"name", "class", "class name", "label", "category", "label name", "category name", "words"}
_HEADER_WORDS = _NAME_COLUMNS | {
    "id", "index", "idx", "number", "no", "class id", "class index", "label id", "wnid", "synset", "target",
}  # fmt: skip
_WNID = r"n\d{8}"
# One line: ImageNet's number and the class's number in any order, the name, and perhaps a number behind it.
_ID = rf"(?:({_WNID})(?:[\s,;:_]+|$))?"
_BETWEEN = r"\s*[-=]>\s*|\s*[→⇒]\s*|\s*[,;:=|，：]\s*|\s+[-–]\s+"  # what stands between number and name
_BEFORE = re.compile(
    rf"{_ID}(?:[(\[]?(\d{{1,9}})(?:\s*[)\]、．]\s*|{_BETWEEN}|\.(?=[^\W\d])|\.?\s+))?{_ID}(.*)"
)
_BEHIND = re.compile(rf"(.*?)(?:{_BETWEEN}|\s+|\s*([(\[]))(\d{{1,9}})(?(2)[)\]])")


class _List(NamedTuple):
    """What was read: names in order, ImageNet's numbers, the model card, and how it was understood."""

    names: list[str]
    wnids: list[str]
    card: dict[str, Any]
    note: str


class _Row(NamedTuple):
    """One class as it stands in a file."""

    name: str
    number: int | None = None
    wnid: str = ""


def _read_list(path: Path) -> _List:
    try:
        text = read_text(path)
    except (OSError, ValueError) as error:
        raise SceneLensError(f"the class names {path} cannot be read: {error}.") from error
    if len(text) > _MOST_TEXT:
        raise SceneLensError(
            f"the class names {path} cannot be read: the file is too long for a list of names."
        )
    other = re.match(r"\s*<(?:!doctype|html|\?xml)|version https://git-lfs", text, re.IGNORECASE)
    if other or "\0" in text:
        what = "a pointer of git LFS" if other and "lfs" in other[0] else "a web page" if other else "no text"
        raise SceneLensError(f"{path} is {what}, and no list of class names: download the list itself.")
    card: dict[str, Any] = {}
    ending = path.suffix.lower()
    if ending in (".json", ".py") or re.match(r"\s*(?:\w+\s*=\s*)?[{\[](?!\s*\d+\s*\])", text):
        read = {".json": _from_json, ".py": _from_assignment}.get(ending, _from_literal)
        data = read(text, path)
        card = data if isinstance(data, dict) and "classes" in data else {}
        rows = _rows_of_data(data, path)
    else:
        rows = _rows_of_lines(text, path)
    if not rows:
        raise SceneLensError(f"{path} has no class names: write one per line.")
    return _in_order(rows, card, path)


def _in_order(rows: list[_Row], card: dict[str, Any], path: Path) -> _List:
    numbers, note = [row.number for row in rows if row.number is not None], ""
    if numbers:
        first = _first_number(numbers, len(rows), path)
        if numbers != list(range(first, first + len(rows))) or first:
            note = f"the numbers of the classes, from {first}, decide their order"
        rows = sorted(rows, key=lambda row: row.number or 0)
    names = [re.sub(r"""^(["'])(.*)\1$""", r"\2", row.name.strip()).strip() for row in rows]
    nameless = next((n for n, name in enumerate(names) if not name), None)
    if nameless is not None:
        raise SceneLensError(f"{path} has no name for class {nameless}; write one.")
    wnids = [row.wnid for row in rows]
    return _List(names, wnids if all(wnids) else [], card, note)


def _first_number(numbers: Sequence[int], n: int, path: Path) -> int:
    """0 or 1, where the numbers are complete."""
    first = min(numbers)
    if first in (0, 1) and sorted(numbers) == list(range(first, first + n)):
        return first
    twice = min((one for one, times in Counter(numbers).items() if times > 1), default=None)
    missing = min(set(range(min(first, 1), min(first, 1) + n)) - set(numbers), default=None)
    what = f"{twice} stands twice" if twice is not None else f"{missing} is missing"
    raise SceneLensError(
        f"{path} numbers its {n} classes with gaps or twice: {what}. Each of 0 ... {n - 1}, or of 1 ... {n}, "
        "must be there once."
    )


# ---- lines


def _rows_of_lines(text: str, path: Path) -> list[_Row]:
    lines = [line.strip() for line in text.split("\n")]
    lines = [line for line in lines if line and not line.startswith(("#", "//"))]
    if any(re.fullmatch(r"(\w+\s*)?[{}]", line) for line in lines):
        raise SceneLensError(f"{path} is a label map with braces; write one name per line.")
    lines = _without_markup(lines, path)
    table = _table(lines, path)
    if table:
        return table
    if path.suffix.lower() in (".csv", ".tsv") and lines and lines[0].strip("\"'").lower() in _NAME_COLUMNS:
        lines = lines[1:]  # a table of one column, with its title
    if len(lines) > 1 and len(words := re.split(r"[,;|\t]|\s+", lines[0].lower())) > 1:
        lines = lines[1:] if set(words) - {""} <= _HEADER_WORDS else lines
    ways = [[_behind(line) for line in lines], [_before(line) for line in lines]]
    numbered = [rows for rows in ways if rows and _are_numbered(rows)]
    for rows in numbered:
        if sorted(row.number or 0 for row in rows) in (list(range(len(rows))), list(range(1, len(rows) + 1))):
            return rows
    if not numbered:
        _refuse_half_numbered(lines, ways, path)
    return numbered[0] if numbered else [_plain(line) for line in lines]


def _without_markup(lines: list[str], path: Path) -> list[str]:
    """The lines of a list in YAML or Markdown, or of a table in Markdown, without what marks them so."""
    if len(lines) > 1 and re.fullmatch(r"[A-Za-z_]\w*:", lines[0]):  # the key of the list in YAML
        lines = lines[1:]
    if path.suffix.lower() in (".yaml", ".yml"):
        key = next((line for line in lines if re.match(r"[A-Za-z_]\w*:(\s|$)", line)), None)
        if key:
            raise SceneLensError(
                f"{path} has more than a list of names ({key[:60]!r}); write one name per line."
            )
    lines = [line for line in lines if not re.fullmatch(r"[|:\s-]*-{3}[|:\s-]*", line)]
    for mark in ("- ", "* ", "• ", "|"):
        if lines and all(line.startswith(mark) for line in lines):
            lines = [line.removeprefix(mark).removesuffix(mark.strip()).strip() for line in lines]
    return lines


def _are_numbered(rows: Sequence[_Row]) -> bool:
    """Whether all rows have a number that is no part of the name, as the years of cars are.

    Such numbers are larger than any class's, or the names are the same without them.
    """
    numbers = [row.number for row in rows if row.number is not None]
    differ = len(rows) == 1 or len({row.name for row in rows}) > 1
    return (
        len(numbers) == len(rows) and min(numbers) <= len(rows) and differ and all(row.name for row in rows)
    )


def _before(line: str) -> _Row:
    """With the number before the name; or without any."""
    match = _BEFORE.fullmatch(line)
    if match is None or match[2] is None:
        return _plain(line)
    wnid = match[1] or match[3] or ""
    return _Row(match[4].strip() or wnid, int(match[2]), wnid)


def _behind(line: str) -> _Row:
    match = _BEHIND.fullmatch(line)
    return _plain(match[1])._replace(number=int(match[3])) if match else _plain(line)


def _plain(line: str) -> _Row:
    match = re.match(rf"({_WNID})(?:[\s,;:_]+|$)", line)
    return _Row(line[match.end() :].strip() or match[1], wnid=match[1]) if match else _Row(line)


def _refuse_half_numbered(lines: list[str], ways: list[list[_Row]], path: Path) -> None:
    for rows in ways:
        without = [line for line, row in zip(lines, rows, strict=True) if row.number is None]
        numbers = {row.number for row in rows if row.number is not None and row.number <= len(lines)}
        if 0 < len(without) < len(lines) / 2 and len(numbers) == len(lines) - len(without) > 1:
            raise SceneLensError(
                f"{path} numbers its classes, but not that of the line {without[0][:60]!r}; number all of "
                "them or none."
            )


# ---- columns


def _table(lines: list[str], path: Path) -> list[_Row]:
    """The rows of a CSV file; empty where the lines are no table of at least two columns."""
    for mark in (",", ";", "\t"):
        table = [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=mark)]
        if len(table) > 1 and len(table[0]) > 1 and len({len(row) for row in table}) == 1:
            header = [re.sub(r"[\s_-]+", " ", cell.lower()) for cell in table[0]]
            has_header = bool(set(header) & _HEADER_WORDS) and not any(map(_is_number, header))
            columns = list(zip(*table[1 if has_header else 0 :], strict=True))
            named = header if has_header else [""] * len(columns)
            if has_header or any(all(map(_is_number, column)) for column in columns):
                return _rows_of_columns(columns, named, path)
    return []


def _rows_of_columns(columns: list[tuple[str, ...]], header: list[str], path: Path) -> list[_Row]:
    def those(fits: Callable[[str], bool]) -> list[int]:
        return [n for n, column in enumerate(columns) if all(fits(cell) for cell in column)]

    numbers, wnids = those(_is_number), those(lambda cell: bool(re.fullmatch(_WNID, cell)))
    rest = [n for n in range(len(columns)) if n not in numbers and n not in wnids]
    names = [n for n in rest if header[n] in _NAME_COLUMNS] if len(rest) > 1 else rest or wnids
    if len(names) != 1 or len(numbers) > 1:
        raise SceneLensError(
            f"{path} has {len(columns)} columns, of which several could be the "
            f"{'number' if len(numbers) > 1 else 'name'} of a class; keep one of numbers and one of names."
        )
    n = len(columns[0])
    order = [int(cell) for cell in columns[numbers[0]]] if numbers else [None] * n
    ids = columns[wnids[0]] if wnids else ("",) * n
    return [_Row(*row) for row in zip(columns[names[0]], order, ids, strict=True)]


# ---- JSON and Python text


def _from_json(text: str, path: Path) -> Any:
    def pairs(given: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(given)) < len(given):
            keys = [key for key, _ in given]
            raise SceneLensError(
                f"{path}: the key {next(key for key in keys if keys.count(key) > 1)!r} stands twice."
            )
        return dict(given)

    try:
        return json.loads(text, object_pairs_hook=pairs)
    except (json.JSONDecodeError, RecursionError) as error:
        raise SceneLensError(
            f"{path} is not a JSON file ({error}); repair it, or write one name per line in a .txt file."
        ) from error


def _from_assignment(text: str, path: Path) -> Any:
    """The only list or dict that a Python file writes down; the file is not run."""
    try:
        nodes = ast.parse(text).body
    except (ValueError, SyntaxError, RecursionError, MemoryError) as error:
        raise SceneLensError(f"{path} is not Python; write one name per line, in a .txt file.") from error
    values = [
        node.value for node in nodes if isinstance(node, ast.Assign | ast.AnnAssign | ast.Expr) and node.value
    ]
    found = [one for one in values if isinstance(one, ast.Dict | ast.List | ast.Tuple)]
    if len(found) != 1:
        raise SceneLensError(
            f"{path} has {len(found)} lists or dicts; write the names alone, one per line, in a .txt file."
        )
    return _from_literal(ast.get_source_segment(text, found[0]) or "", path)


def _from_literal(text: str, path: Path) -> Any:
    """A list or a dict in Python's way of writing, of numbers and texts alone; nothing is run."""
    text = re.sub(r"^\s*\w+\s*=\s*", "", text).strip()
    try:
        tree = ast.parse(text, mode="eval").body
        data = ast.literal_eval(tree)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError) as error:
        raise SceneLensError(
            f"{path} begins like a list of names in Python or JSON, but is none ({type(error).__name__}); "
            "write one name per line."
        ) from error
    if isinstance(tree, ast.Dict) and len(tree.keys) != len(data):
        raise SceneLensError(f"{path}: a number or a name of its classes stands twice.")
    return data


def _rows_of_data(data: Any, path: Path) -> list[_Row]:
    key = next(
        (one for one in _LISTS if isinstance(data, dict) and isinstance(data.get(one), dict | list)), ""
    )
    data = data[key] if key else data
    if isinstance(data, dict) and data and all(_is_number(one) for one in data):
        return [_named(name, path)._replace(number=int(number)) for number, name in data.items()]
    if isinstance(data, dict) and data and all(_is_number(one) for one in data.values()):
        return [_named(name, path)._replace(number=int(number)) for name, number in data.items()]
    if isinstance(data, list | tuple):
        return [_named(one, path) for one in data]
    raise SceneLensError(f"{path} has no class names: expected a list, numbered names, or a key 'classes'.")


def _is_number(value: Any) -> bool:
    if isinstance(value, int):
        return not isinstance(value, bool)
    return isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value) is not None


def _named(one: Any, path: Path) -> _Row:
    """One class: a name; ImageNet's number and a name; or a dict with a name, and perhaps a number."""
    if isinstance(one, dict):
        number, name = one.get("id"), one.get("name", one.get("label"))
        if isinstance(name, str):
            return _plain(name)._replace(number=int(str(number)) if _is_number(number) else None)
    if isinstance(one, list | tuple) and one and all(isinstance(part, str) for part in one):
        wnid = next((part for part in one if re.fullmatch(_WNID, part)), "")
        return _Row(one[-1], wnid=wnid)
    if isinstance(one, str) or _is_number(one):
        return _plain(str(one))
    raise SceneLensError(f"{path} has a class that is no name: {str(one)[:60]!r}; write a text.")

"""TOML as people write it: read in the encodings that editors write, with errors that say the way out.

Python's own reader names a line and a column, and a rule of TOML. What a person did is nearly always one of a
few things: curly quotes, a path with backslashes, a key that stands twice, a text without quotes.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from pathlib import Path
from typing import Any

from scenelens.errors import SceneLensError
from scenelens.files import read_text

_LARGEST_FILE = 10_000_000  # bytes; no study.toml comes near it
_MOST_LINES = 500  # finding a key's line parses a file line by line; larger files go without
_CURLY = "“”„‟‘’‚‛«»″′"


def _read_toml(path: Path) -> tuple[str, dict[str, Any]]:
    """The text of a TOML file, and its tables."""
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise ValueError(f"it is larger than {_LARGEST_FILE / 1e6:.0f} MB")
        text = read_text(path)
    except (OSError, ValueError) as error:
        raise SceneLensError(f"the study {path} cannot be read: {_shown(error)}.") from error
    try:
        return text, tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SceneLensError(f"the study {path} cannot be read: {_explained(text, str(error))}") from error
    except ValueError as error:  # such as a date that no calendar has
        raise SceneLensError(f"the study {path} cannot be read: {_shown(error)}.") from error
    except RecursionError:
        raise SceneLensError(f"the study {path} cannot be read: its lists are too deep.") from None


def _shown(value: object) -> str:
    """A value for a sentence, the middle of a long one left out."""
    text = str(value)
    return text if len(text) <= 200 else f"{text[:150]} ... {text[-40:]}"


def _explained(text: str, said: str) -> str:
    """What tomllib said, as a sentence that names the line and the way out."""
    lines = text.split("\n")
    place = re.search(r"\(at line (\d+), column (\d+)\)", said)
    number, column = (int(place[1]), int(place[2])) if place else (len(lines), 0)
    line = lines[number - 1] if number <= len(lines) else ""
    rule = re.sub(r" \(at .*\)$", "", said)
    way_out = _way_out(line, column, rule)
    return f"line {number}, {_shown(repr(line.strip()))}: {way_out} ({_shown(rule)})."


def _way_out(line: str, column: int, rule: str) -> str:
    here = line[column - 1] if 0 < column <= len(line) else ""
    path = re.search(r'"([^"]*\\[^"]*)"?', line)
    if path and re.search(r"Unescaped|hex value|Illegal character|Unterminated", rule):
        fitting = path[1].rstrip("\\") + ("\\" if path[1].endswith("\\") and path[1].count("\\") == 1 else "")
        return (
            "in double quotes a backslash begins a special character; write the path in single quotes, "
            f"'{fitting}', or with / in place of \\"
        )
    if "Cannot declare" in rule or "Cannot overwrite" in rule or "Cannot mutate" in rule:
        return _stands_twice(line)
    if "Illegal" in rule and line.rstrip()[-1:] in _CURLY:
        here = line.rstrip()[-1:]
    if here in _CURLY and here:
        return f"it has curly quotes ({here}), as word processors write them; write straight ones, \" or '"
    if here and not here.isascii():
        name = unicodedata.name(here, f"U+{ord(here):04X}")
        return f"the character {here!r} ({name}) cannot stand here; delete it and write it again"
    value = line.partition("=")[2].strip()
    if value in ("True", "False", "None"):
        return f"write {value.lower()} without capitals" if value != "None" else "leave the key out"
    if "after a key" in rule:
        return (
            "write key = value, and a key in quotes if it has other characters than letters, digits, - and _"
        )
    if rule == "Invalid value":
        return f"put a text into quotes, as in {line.partition('=')[0].strip() or 'key'} = 'text'"
    if re.search(r"Illegal|Unterminated|Unclosed|Expected", rule):
        return "close its quotes and brackets, and write one key a line"
    return "write [tables], and lines of key = value"


def _stands_twice(line: str) -> str:
    table = re.match(r"\s*\[+\s*([^\]]+?)\s*\]+", line)
    if table is None:
        return f"the key {line.partition('=')[0].strip()!r} stands twice in its table; delete one of them"
    if table[1] in ("images", "annotations"):
        return f"write [[{table[1]}]], with two pairs of brackets, for each of several tables"
    return f"the table [{table[1]}] stands twice; put the two together, or give this one another name"


def _line_of(text: str, place: tuple[str | int, ...]) -> int | None:
    """The line in which a table or a key begins; None where it cannot be told.

    The lines are parsed in steps. Where the table or the key first appears, it began behind the last place at
    which the lines above were whole.
    """
    lines = text.split("\n")
    if not place or len(lines) > _MOST_LINES:
        return None
    whole = 0
    for number in range(1, len(lines) + 1):
        try:
            tables: Any = tomllib.loads("\n".join(lines[:number]) + "\n")
        except (ValueError, RecursionError):
            continue
        try:
            for step in place:
                tables = tables[step]
        except (KeyError, IndexError, TypeError):
            whole = number
            continue
        return whole + 1
    return None

"""Ways of damaging bytes, texts, JSON, TOML and files, for the bench and for the fuzz tests of the rooms."""

from __future__ import annotations

import copy
import functools
import json
import math
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

#: What is put into texts: numbers that no kernel takes, other types, and halves of quotes, tags and letters.
SNIPPETS = [b"1e19", b"null", b"[]", b"{}", b"-1e308", b"NaN", b'"', b"<", b"\\ud800", b"Infinity", b"\xff"]
#: Bytes that mean something in a protobuf message: ends of numbers, kinds of fields, small lengths.
PROTOBUF = (0, 1, 8, 58, 127, 128, 255)


def edited_text(text: bytes, rng: random.Random) -> bytes:
    """A few bytes changed, removed or doubled, a number made odd, or the end cut off."""
    data = bytearray(text)
    for _ in range(rng.randint(1, 6)):
        data = data or bytearray(b" ")
        at, how = rng.randrange(len(data)), rng.randrange(5)
        if how == 0:
            data[at] = rng.randrange(256)
        elif how == 1:
            del data[at : at + rng.randint(1, 30)]
        elif how == 2:
            data[at:at] = data[at : at + rng.randint(1, 60)]
        elif how == 3:
            data[at:at] = rng.choice(SNIPPETS)
        else:
            data = data[:at] or bytearray(b" ")
    return bytes(data)


def scattered(
    data: bytes, rng: random.Random, most: int = 5, values: Sequence[int] = range(256), within: int = 0,
    cut: float = 0.3,
) -> bytes:  # fmt: skip
    """Up to `most` bytes changed, the first `within` bytes only where that is given; sometimes the end is
    cut off."""
    changed = bytearray(data)
    reach = min(len(data), within or len(data))
    for _ in range(rng.randint(1, most) if reach else 0):
        changed[rng.randrange(reach)] = rng.choice(values)
    return bytes(changed[: rng.randrange(len(changed) + 1)] if rng.random() < cut else changed)


#: What happens to a file on a disk. Each changes at least one byte.
DAMAGE = ("bit", "byte", "cut", "zeros", "swap", "longer", "empty")


def damaged(data: bytes, rng: random.Random, how: str | None = None) -> bytes:
    """A file's content after one accident of a disk, one of `DAMAGE`."""
    how, changed = how or rng.choice(DAMAGE), bytearray(data)
    at = rng.randrange(max(1, len(data)))
    if not data or how == "longer":
        return data + rng.randbytes(rng.randint(1, 40))
    if how == "bit":
        changed[at] ^= 1 << rng.randrange(8)
    elif how == "byte":
        changed[at] ^= rng.randint(1, 255)
    elif how == "zeros":
        changed[at : at + 512] = bytes(len(changed[at : at + 512]))
    elif how == "swap":
        changed[at:] = changed[at:][::-1]
    return b"" if how == "empty" else bytes(changed[:at]) if how == "cut" else bytes(changed)


def flip(path: Path, at: int) -> None:
    """Flip one bit of a file."""
    content = bytearray(path.read_bytes())
    content[at % len(content)] ^= 1 << (at % 8)
    path.write_bytes(content)


# ---- values in tables of JSON and TOML

#: Values that hardly any place can use.
NASTY = [-99999, 0, 2**64, math.nan, math.inf, 1e300, True, [], [1], [[1], "a"], {}, {"a": 1}, "", "..", "\0",
         "~nobody", "x" * 300, "\u202e", 10**400]  # fmt: skip


def places(table: Any, path: tuple = ()) -> Iterator[tuple]:
    """The path of each table and each value in it."""
    yield path
    pairs = table.items() if isinstance(table, dict) else enumerate(table) if isinstance(table, list) else ()
    for key, value in pairs:
        yield from places(value, (*path, key))


def replaced(table: Any, place: tuple, value: Any) -> Any:
    """A copy of a table in which one place has another value."""
    new = copy.deepcopy(table)
    inner = functools.reduce(lambda one, key: one[key], place[:-1], new)
    inner[place[-1]] = value
    return new


def misplaced(table: Any, rng: random.Random, values: Sequence[Any] = ()) -> Any:
    """A copy in which one or a few values are other ones, sometimes those of another place."""
    for _ in range(rng.randint(1, 3)):
        known = [place for place in places(table) if place]
        if not known:
            break
        place, other = rng.choice(known), rng.choice(known)
        there = functools.reduce(lambda one, key: one[key], other, table)
        table = replaced(table, place, copy.deepcopy(rng.choice([*NASTY, *values, None, there])))
    return table


def toml(value: Any) -> str:
    """A value as TOML; None is a value that TOML does not have."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value) if isinstance(value, str | bool | None) else str(value)


def toml_file(table: dict[str, Any]) -> bytes:
    """A whole TOML file of one line for each key; halves of characters are replaced."""
    text = "\n".join(f"{json.dumps(key)} = {toml(value)}" for key, value in table.items())
    return text.encode(errors="replace")

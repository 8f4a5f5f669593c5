"""The data of the pages as plain scripts, and whether a script that exists is still valid.

A page that was opened from disk may load a script, but may not fetch a file. So each piece of data is a
script with one call, whose argument is JSON. Its first line has the key of all that it depends on.

>>> print(_script("1f", {"name": "</script>"}).decode())
// scenelens 1f
scenelens_add({"name":"\\u003c/script>"});
<BLANKLINE>
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from scenelens.files import replace_file

_MARK = b"// scenelens "
_END = b"});\n"


def _script(key: str, value: dict[str, Any]) -> bytes:
    """A value as a script, in ASCII: no character of a name is anything but part of a text.

    Parameters
    ----------
    key : str
        The key of all that the value depends on.
    value : dict
        What JSON can express; NumPy's numbers become JSON's, and NaN is refused.

    Returns
    -------
    bytes
        The file.
    """
    text = json.dumps(value, separators=(",", ":"), allow_nan=False, default=lambda number: number.item())
    # "<" never begins a tag, should somebody put the script into a page.
    return _MARK + key.encode() + b"\nscenelens_add(" + text.replace("<", "\\u003c").encode() + b");\n"


def _write_script(path: Path, key: str, value: dict[str, Any]) -> None:
    replace_file(path, _script(key, value))


def _is_valid(path: Path, key: str) -> bool:
    """Whether a script is there, whole, and of this key."""
    try:
        with path.open("rb") as file:
            first = file.readline(200)
            file.seek(-len(_END), 2)
            return first == _MARK + key.encode() + b"\n" and file.read() == _END
    except OSError:
        return False


def _rounded(value: float, digits: int = 4) -> float | None:
    """A number with a few digits, as JSON knows numbers; None for NaN and infinities.

    >>> _rounded(3.14159265), _rounded(float("nan")), _rounded(12.0)
    (3.142, None, 12)
    """
    if not np.isfinite(value):
        return None
    short = float(f"{value:.{digits}g}")
    return int(short) if short == int(short) else short

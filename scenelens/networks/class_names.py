"""The class names of a network, read from any of the usual kinds of files."""

from __future__ import annotations

import json
import re
from pathlib import Path

from scenelens.errors import SceneLensError

_WNID = re.compile(r"^n\d{8}[\s_]+")


def read_class_names(path: str | Path) -> list[str]:
    """Read class names in the order of the network's outputs.

    Parameters
    ----------
    path : str or Path
        A text file with one class per line (plain, Places' ``/a/abbey 0``, or ImageNet's ``n01440764 tench,
        Tinca tinca``); or a JSON file with a list, a dict from number to name or to [wnid, name], or a model
        card with a key ``classes``.

    Returns
    -------
    list of str
        The names: those of Places without their letter (``abbey``, ``bow_window/indoor``), those of ImageNet
        without their number.

    Raises
    ------
    SceneLensError
        If the file is missing or empty, or if it leaves out numbers of classes.

    Examples
    --------
    >>> import tempfile; file = Path(tempfile.mkdtemp()) / "classes.txt"
    >>> _ = file.write_text("/a/abbey 0\\n/b/bow_window/indoor 1\\n")
    >>> read_class_names(file)
    ['abbey', 'bow_window/indoor']
    """
    path = Path(path)
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SceneLensError(f"the class names {path} cannot be read: {error}.") from error
    names = _from_json(text, path) if path.suffix == ".json" else _from_lines(text, path)
    if not names:
        raise SceneLensError(f"{path} has no class names: write one per line.")
    return names


def _from_lines(text: str, path: Path) -> list[str]:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    numbered = [re.fullmatch(r"(.+?)\s+(\d+)", line) for line in lines]
    if lines and all(numbered):
        by_number = {int(match[2]): match[1] for match in numbered if match}
        return [_short(name) for name in _in_order(by_number, len(lines), path)]
    return [_short(line) for line in lines]


def _from_json(text: str, path: Path) -> list[str]:
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise SceneLensError(f"{path} is not a JSON file: {error}.") from error
    if isinstance(data, dict) and "classes" in data:
        data = data["classes"]
    if isinstance(data, dict) and all(str(key).isdigit() for key in data):
        data = _in_order({int(key): value for key, value in data.items()}, len(data), path)
    if not isinstance(data, list):
        raise SceneLensError(
            f"{path} has no class names: expected a list, numbered names, or a key 'classes'."
        )
    return [_short(str(one[-1] if isinstance(one, list) else one)) for one in data]


def _in_order(by_number: dict, n: int, path: Path) -> list:
    if sorted(by_number) != list(range(n)):
        raise SceneLensError(
            f"{path} numbers its classes with gaps or twice; expected each of 0 ... {n - 1} once."
        )
    return [by_number[number] for number in range(n)]


def _short(name: str) -> str:
    """A name without ImageNet's number and without Places' letter."""
    return re.sub(r"^/\w/", "", _WNID.sub("", name.strip()))


def same_class(category: str, class_name: str) -> bool:
    """Return whether a category and a class name mean the same.

    Case, punctuation and underscores do not count. ImageNet's class names list synonyms, separated by
    commas: any of them counts.

    Parameters
    ----------
    category : str
        The category of an image, from its folder or its file's name.
    class_name : str
        The class name of a network.

    Returns
    -------
    bool
        Whether they mean the same.

    Examples
    --------
    >>> same_class("great_white_shark", "great white shark, white shark"), same_class("campus", "canyon")
    (True, False)
    """
    wanted = _words(category)
    return wanted == _words(class_name) or any(wanted == _words(one) for one in class_name.split(","))


def _words(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", " ", _short(name).lower()).strip()

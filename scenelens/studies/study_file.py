"""study.toml: read and checked key by key, so that a typing error is not a wrong result."""

from __future__ import annotations

import math
import os
import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from scenelens.errors import SceneLensError, close_names
from scenelens.files import data_folder

_SOURCES = ("scene-centric", "object-centric")
_CATEGORIES = ("folder", "file name")
_LARGEST_FILE = 10_000_000  # bytes; no study.toml comes near it
_LONGEST_NAME = 100  # bytes; file systems allow 255, and a key and an ending are added


class _Kind(NamedTuple):
    """What a value of a key may be.

    Attributes
    ----------
    types : tuple of type
        Its types. True and False are never meant, although Python counts them as int.
    rule : str
        What is expected, as the end of a sentence.
    check : callable, optional
        Takes a value of one of the types; False if it is not allowed.
    """

    types: tuple[type, ...]
    rule: str
    check: Callable[[Any], bool] = lambda value: True

    def allows(self, value: Any) -> bool:
        return isinstance(value, self.types) and not isinstance(value, bool) and self.check(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < math.inf


def _whole(low: int, high: int) -> _Kind:
    return _Kind((int,), f"int, {low:,} to {high:,}", lambda value: low <= value <= high)


def _is_side(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 10_000


def _is_sides(value: Any) -> bool:
    return len(value) == 2 and all(map(_is_side, value)) if isinstance(value, list) else _is_side(value)


def _is_texts(value: Any) -> bool:
    return all(isinstance(one, str) for one in value.values())


def _is_name(value: str) -> bool:
    """Whether a text is a name: no way to another place, nothing invisible, not hidden, not long.

    A slash alone makes no path, as in "day/night"; `file_name` replaces it where the name is that of a file.

    >>> [_is_name(one) for one in ("scene", "day/night", "../../x", "/x", "a/../b", "C:x", "", ".")]
    [True, True, False, False, False, False, False, False]
    """
    return (
        0 < len(value.encode(errors="replace")) <= _LONGEST_NAME
        and value.isprintable()
        and value == value.strip()
        and not re.match(r"[./\\~]|.:", value)
        and not {".", ".."} & {piece.strip() for piece in re.split(r"[/\\]", value)}
    )


def _are_classes(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and all(isinstance(one, str | int) and not isinstance(one, bool) for one in value)
    return 1 <= value <= 100_000 if isinstance(value, int) else _is_path(value)


def _are_units(value: Any) -> bool:
    return all(
        isinstance(units, list) and all(isinstance(one, int) and not isinstance(one, bool) for one in units)
        for units in value.values()
    )


def _is_path(value: str) -> bool:
    return bool(value) and "\0" not in value


_NAME = _Kind(
    (str,),
    "str, a name and not a path: one line that does not begin with . / or ~ and has no .. between slashes, "
    f"at most {_LONGEST_NAME} bytes",
    _is_name,
)
_TEXT, _TABLE, _TABLES = _Kind((str,), "str"), _Kind((dict,), "dict"), _Kind((list,), "list of tables")
_PATH = _Kind((str,), "str, a path", _is_path)
_SIDES = _Kind((int, list), "int or [height, width], 1 to 10,000", _is_sides)
_THREE = _Kind(
    (list,), "list of three numbers", lambda value: len(value) == 3 and all(map(_is_number, value))
)
_RENAMES = _Kind((dict,), "dict from str to str", _is_texts)
_MANY = 1_000_000
_COUNT = _whole(0, _MANY)

#: Section -> key -> what its value may be. The star is any name.
_SCHEMA: dict[str, dict[str, _Kind]] = {
    "": {
        "name": _NAME,
        "title": _TEXT,
        "networks": _TABLE,
        "images": _TABLES,
        "annotations": _Kind((dict, list), "dict or list"),
        "generator": _TABLE,
        "cache": _TABLE,
        "labels": _TABLE,
    },
    "networks.*": {
        "architecture": _TEXT,
        "factory": _PATH,
        "weights": _PATH,
        "classes": _Kind((str, list, int), "str, list of names, or int from 1 to 100,000", _are_classes),
        "seed": _whole(-(2**63), 2**63 - 1),  # what torch takes
        "width": _Kind((int, float), "int or float, above 0 and at most 8", lambda value: 0 < value <= 8),
        "fc": _whole(1, 65_536),
        "rename": _RENAMES,
        "silence": _Kind((dict,), "dict from a layer to its units, such as {conv2 = [7]}", _are_units),
        "preprocessing": _Kind((str, dict), "str or dict"),
    },
    "networks.*.preprocessing": {
        "size": _SIDES,
        "resize": _TEXT,
        "resize_to": _SIDES,
        "channels": _TEXT,
        "white": _Kind((int, float), "int or float, above 0", lambda value: _is_number(value) and value > 0),
        "mean": _THREE,
        "mean_image": _PATH,
        "std": _THREE,
    },
    "images": {
        "path": _PATH,
        "source": _TEXT,
        "split": _TEXT,
        "limit": _Kind((int,), "int"),
        "category": _TEXT,
        "categories": _RENAMES,
    },
    "annotations": {"name": _NAME, "root": _PATH, "format": _TEXT, "colours": _TABLE},
    "generator": {"kind": _TEXT, "root": _PATH, "n_scenes": _COUNT, "n_objects": _COUNT},
    "cache": {"path": _PATH},
    "labels": {"store": _PATH},
}
#: Section -> the keys that must be there.
_REQUIRED: dict[str, tuple[str, ...]] = {
    "": ("networks", "images"),
    "images": ("path", "source"),
    "annotations": ("root", "format"),
    "generator": ("kind", "root"),
    "cache": ("path",),
    "labels": ("store",),
}


def _study_names() -> list[str]:
    """The studies that come with the package: the files in data/studies."""
    return sorted(path.stem for path in (data_folder() / "studies").glob("*.toml"))


def _at_home(path: Path) -> Path:
    """The path with ``~`` as the home folder; as it is where there is no such user."""
    try:
        return path.expanduser()
    except RuntimeError:
        return path


def _is_kind(test: Callable[[], bool]) -> bool:
    """Whether a path is a folder or a file; a name that the system refuses (too long, say) is neither."""
    try:
        return test()
    except (OSError, ValueError):
        return False


@dataclass(frozen=True)
class StudyFile:
    """A checked study.toml. Paths in it are relative to its folder.

    Attributes
    ----------
    path : pathlib.Path
        The file.
    data : dict
        Its tables, as plain dicts.
    """

    path: Path
    data: dict[str, Any]

    @property
    def name(self) -> str:
        """The study's name.

        Returns
        -------
        str
            The key ``name``; by default the name of the file, or of the folder of a study.toml.
        """
        if "name" in self.data:
            return self.data["name"]
        return self.path.parent.name if self.path.stem == "study" else self.path.stem

    @property
    def annotations(self) -> list[dict[str, Any]]:
        """The [annotations] table, or the [[annotations]] tables.

        Returns
        -------
        list of dict
            Empty for a study without annotations.
        """
        given = self.data.get("annotations", [])
        return [given] if isinstance(given, dict) else given

    def resolve(self, path: str) -> Path:
        """A path in the file as an absolute path.

        Parameters
        ----------
        path : str
            A path, relative to the file's folder or absolute; ``~`` is the home folder.

        Returns
        -------
        pathlib.Path
            The absolute path; it need not exist.

        Raises
        ------
        SceneLensError
            If the system takes no such path.
        """
        try:
            return (self.path.parent / _at_home(Path(path))).resolve()
        except (OSError, ValueError, RuntimeError) as error:
            raise self.error("", f"{_shown(path)} is no path ({error}).") from error

    def error(self, section: str, text: str) -> SceneLensError:
        """An error that names the file and the section; the caller raises it.

        Parameters
        ----------
        section : str
            The section, without brackets; '' for the top of the file.
        text : str
            What is wrong, as a sentence.

        Returns
        -------
        SceneLensError
            The error.
        """
        return SceneLensError(f"{self.path}{f', [{section}]' if section else ''}: {text}")

    def existing(self, section: str, given: str) -> Path:
        """A path in the file as an absolute path, which must exist.

        Parameters
        ----------
        section : str
            The section that names the path, for the message.
        given : str
            The path, relative to the file's folder or absolute.

        Returns
        -------
        pathlib.Path
            The absolute path.

        Raises
        ------
        SceneLensError
            If there is no such file or folder.
        """
        path = self.resolve(given)
        if not _is_kind(path.exists):
            hint = " `make train` makes it." if "sceneworld" in path.parts else ""
            raise self.error(section, f"{_shown(given)} does not exist ({_shown(path)}).{hint}")
        return path

    def check_name(self, section: str, name: str) -> None:
        """Raise unless a name that is not the value of a key ``name`` can be part of a file's name.

        Parameters
        ----------
        section : str
            The section in which something has the name.
        name : str
            The name, from a table's title or a folder.

        Raises
        ------
        SceneLensError
            If it is a path, hidden, invisible or too long.
        """
        if not _is_name(name):
            kind = section or "study"
            raise self.error(
                section, f"the name {_shown(repr(name))} ({kind}) is not allowed; expected {_NAME.rule}."
            )

    @classmethod
    def read(cls, path: Path) -> StudyFile:
        """Read and check a study.toml.

        Parameters
        ----------
        path : pathlib.Path
            The file.

        Returns
        -------
        StudyFile
            Its tables. Files and folders that they name are not looked for yet.

        Raises
        ------
        SceneLensError
            If the file is not TOML, has an unknown key (close names are given) or a value of the wrong
            type, or lacks a key.

        Examples
        --------
        >>> import tempfile; file = Path(tempfile.mkdtemp()) / "study.toml"
        >>> _ = file.write_text("nmae = 'x'")
        >>> StudyFile.read(file)
        Traceback (most recent call last):
        ...
        scenelens.errors.SceneLensError: ...study.toml: unknown key 'nmae'; close names: name, images.
        """
        data = _read_toml(path)
        file = cls(path, data)
        _check(file, "", data, "")
        if not _is_name(file.name):
            raise file.error(
                "", f"the file's place gives no name for the study ({file.name!r}): add name = '...'."
            )
        for name, table in data["networks"].items():
            file.check_name("networks", name)
            _check_network(file, f"networks.{name}", table)
        for number, entry in enumerate(data["images"], start=1):
            _check_images(file, f"images, number {number}", entry)
        for entry in file.annotations:
            _check(file, "annotations", entry, "annotations")
        for section in ("generator", "cache", "labels"):
            if section in data:
                _check(file, section, data[section], section)
        if not data["images"] or not data["networks"]:
            raise file.error("", "a study needs at least one network and one [[images]] table.")
        return file

    @staticmethod
    def find(name_or_path: str | Path | None) -> Path:
        """The study.toml that a name or a path means.

        Parameters
        ----------
        name_or_path : str, pathlib.Path or None
            A name in data/studies, a .toml file, or a folder with a study.toml. None means the environment
            variable SCENELENS_STUDY, or "sceneworld" where that is not set.

        Returns
        -------
        pathlib.Path
            The file.

        Raises
        ------
        SceneLensError
            If there is no such study (close names are given) or no such file.
        """
        given = str(name_or_path or os.environ.get("SCENELENS_STUDY") or "sceneworld")
        path = _at_home(Path(given))
        if path.suffix == ".toml" or os.sep in given:
            path = path / "study.toml" if _is_kind(path.is_dir) else path
            if not _is_kind(path.is_file):
                raise SceneLensError(f"there is no study file {path}; give the path of a study.toml.")
            return path.resolve()
        if given not in _study_names():
            raise SceneLensError(
                f"no study named {given!r}; {close_names(given, _study_names())}. "
                "A path to a study.toml works too."
            )
        return data_folder() / "studies" / f"{given}.toml"


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise ValueError(f"it is larger than {_LARGEST_FILE / 1e6:.0f} MB")
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:  # a file that is no UTF-8 or no TOML is a ValueError
        raise SceneLensError(f"the study {path} cannot be read: {_shown(error)}.") from error
    except RecursionError:
        raise SceneLensError(f"the study {path} cannot be read: its lists are too deep.") from None


def _shown(value: object) -> str:
    """A value for a sentence, the middle of a long one left out."""
    text = str(value)
    return text if len(text) <= 200 else f"{text[:150]} ... {text[-40:]}"


def _check(file: StudyFile, section: str, table: Any, schema: str) -> None:
    if not isinstance(table, dict):
        raise file.error(section, "expected a table of keys and values.")
    allowed = _SCHEMA[schema]
    for key, value in table.items():
        if key not in allowed:
            raise file.error(
                section, f"unknown key {_shown(repr(key))}; {close_names(_shown(key), allowed)}."
            )
        if not allowed[key].allows(value):
            right = isinstance(value, allowed[key].types) and not isinstance(value, bool)
            wrong = "is not allowed" if right else "is of the wrong type"
            raise file.error(section, f"{key} = {_shown(repr(value))} {wrong}; expected {allowed[key].rule}.")
    for key in _REQUIRED.get(schema, ()):
        if key not in table:
            raise file.error(section, f"the key {key!r} is missing.")


def _check_network(file: StudyFile, section: str, table: Any) -> None:
    _check(file, section, table, "networks.*")
    if ("architecture" in table) == ("factory" in table):
        raise file.error(section, "give either an architecture or a factory.")
    if "architecture" in table and "classes" not in table:
        raise file.error(section, "the key 'classes' is missing: a file, a list, 'imagenet', or a number.")
    if "architecture" in table and ("weights" in table) == ("seed" in table):
        raise file.error(section, "give either weights, or a seed for an untrained network.")
    if isinstance(table.get("preprocessing"), dict):
        _check(file, f"{section}.preprocessing", table["preprocessing"], "networks.*.preprocessing")


def _check_images(file: StudyFile, section: str, entry: Any) -> None:
    _check(file, section, entry, "images")
    for key, allowed in (("source", _SOURCES), ("category", _CATEGORIES)):
        if key in entry and entry[key] not in allowed:
            raise file.error(
                section,
                f"{key} = {_shown(repr(entry[key]))} is unknown; {close_names(_shown(entry[key]), allowed)}.",
            )
    if entry.get("limit", 1) < 1:
        raise file.error(section, f"limit = {entry['limit']} leaves no image; give 1 or more.")

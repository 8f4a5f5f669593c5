"""study.toml: read and checked key by key, so that a typing error is not a wrong result."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scenelens.annotations import ANNOTATION_FORMATS
from scenelens.errors import SceneLensError, close_names
from scenelens.installation import HERE
from scenelens.studies.schema import STUDY_SCHEMA
from scenelens.studies.toml_text import _line_of, _read_toml, _shown

_BUILD = "{build}/"  # begins the paths of a study of the package, wherever that is installed


def _study_names() -> list[str]:
    """The studies that come with the package: the files in data/studies."""
    return sorted(path.stem for path in (HERE.data / "studies").glob("*.toml"))


def _placed(path: str) -> Path:
    """The path with ``{build}`` at its beginning as the installation's folder for what can be made again."""
    return HERE.build / path[len(_BUILD) :] if path.startswith(_BUILD) else _at_home(Path(path))


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
    text : str, optional
        What is written in the file; errors find their line in it.
    """

    path: Path
    data: dict[str, Any]
    text: str = field(default="", repr=False, compare=False)

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
    def title(self) -> str:
        """What pages call the study.

        Returns
        -------
        str
            The key ``title``; by default the name.
        """
        return self.data.get("title") or self.name

    def annotation_tables(self) -> list[tuple[str, dict[str, Any]]]:
        """The [annotations] table, or the [[annotations]] tables.

        Returns
        -------
        list of tuple
            (section for errors, table) each; empty for a study without annotations.
        """
        given = self.data.get("annotations", [])
        if isinstance(given, dict):
            return [("annotations", given)]
        return [(f"annotations, number {n}", entry) for n, entry in enumerate(given, start=1)]

    def given(self, section: str, entry: dict[str, Any]) -> dict[str, Any]:
        """What an [annotations] table says besides name, root and format.

        Parameters
        ----------
        section : str
            The table's section, for errors.
        entry : dict
            The table.

        Returns
        -------
        dict
            By key, with paths as absolute ones.

        Raises
        ------
        SceneLensError
            If a path does not exist.
        """
        given = {key: value for key, value in entry.items() if key not in ("name", "root", "format")}
        paths = {key: value for key, value in given.items() if isinstance(value, str)}
        return given | {key: self.existing(section, value, key) for key, value in paths.items()}

    def resolve(self, path: str) -> Path:
        """A path in the file as an absolute path.

        Parameters
        ----------
        path : str
            A path, relative to the file's folder or absolute; ``~`` is the home folder, ``{build}`` the
            folder in which the package keeps what it makes.

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
            return (self.path.parent / _placed(path)).resolve()
        except (OSError, ValueError, RuntimeError) as error:
            raise self.error("", f"{_shown(path)} is no path ({error}).") from error

    def error(self, section: str, text: str, key: str = "") -> SceneLensError:
        """An error that names the file, the line and the section; the caller raises it.

        Parameters
        ----------
        section : str
            The section, without brackets; '' for the top of the file.
        text : str
            What is wrong, as a sentence.
        key : str, optional
            The key that it is about; by default the whole section.

        Returns
        -------
        SceneLensError
            The error.
        """
        line = _line_of(self.text, (*_place(section), *([key] if key else [])))
        where = f", line {line}" if line else ""
        return SceneLensError(f"{self.path}{where}{f', [{section}]' if section else ''}: {text}")

    def existing(self, section: str, given: str, key: str = "", folder: bool = False) -> Path:
        """A path in the file as an absolute path, which must exist.

        Parameters
        ----------
        section : str
            The section that names the path, for the message.
        given : str
            The path, relative to the file's folder or absolute.
        key : str, optional
            The key that names it, for the message.
        folder : bool, optional
            It must be a folder.

        Returns
        -------
        pathlib.Path
            The absolute path.

        Raises
        ------
        SceneLensError
            If there is no such file or folder; names like it are given.
        """
        path = self.resolve(given)
        if not _is_kind(path.exists):
            raise self.error(section, f"{_shown(given)} does not exist; {_nearest(path, given)}.", key)
        if folder and not _is_kind(path.is_dir):
            raise self.error(section, f"{_shown(given)} is no folder; name the folder that it lies in.", key)
        return path

    def check_paths(self) -> None:
        """Raise if a file that the study names is missing: now, and not after an hour's work.

        Images and annotations that a generator will make may be missing.

        Raises
        ------
        SceneLensError
            If one is missing, or a format of annotations is unknown or lacks a key.
        """
        for name, table in self.data["networks"].items():
            section, how = f"networks.{name}", table.get("preprocessing")
            for key in ("weights", "classes"):
                if isinstance(table.get(key), str) and table[key] != "imagenet":
                    self.existing(section, table[key], key)
            if isinstance(how, dict) and "mean_image" in how:
                self.existing(f"{section}.preprocessing", how["mean_image"], "mean_image")
        made = "generator" in self.data
        for number, entry in enumerate(() if made else self.data["images"], start=1):
            self.existing(f"images, number {number}", entry["path"], "path", folder=True)
        for section, entry in self.annotation_tables():
            if not made:
                self.existing(section, entry["root"], "root", folder=True)
                self.given(section, entry)
            try:
                ANNOTATION_FORMATS.named(entry["format"], self.resolve(entry["root"])).check_keys(entry)
            except SceneLensError as error:
                raise self.error(section, str(error), "format") from None

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
        rule = STUDY_SCHEMA[""].keys["name"].rule
        if not rule.allows(name):
            kind = section or "study"
            raise self.error(
                section, f"the name {_shown(repr(name))} ({kind}) is not allowed; expected {rule.words}."
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
        scenelens.errors.SceneLensError: ...study.toml, line 1: unknown key 'nmae'; close names: name, images.
        """
        text, data = _read_toml(path)
        file = cls(path, data, text)
        _check_brackets(file)
        _check(file, "", data, "")
        if not STUDY_SCHEMA[""].keys["name"].rule.allows(file.name):
            raise file.error(
                "", f"the file's place gives no name for the study ({file.name!r}): add name = '...'."
            )
        for name, table in data["networks"].items():
            file.check_name("networks", name)
            _check_network(file, f"networks.{name}", table)
        for number, entry in enumerate(data["images"], start=1):
            _check(file, f"images, number {number}", entry, "images")
        for section, entry in file.annotation_tables():
            _check(file, section, entry, "annotations")
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
        if path.suffix == ".toml" or any(one in given for one in (os.sep, os.altsep) if one):
            path = path / "study.toml" if _is_kind(path.is_dir) else path
            if not _is_kind(path.is_file):
                raise SceneLensError(f"there is no study file {path}; give the path of a study.toml.")
            return path.resolve()
        if given not in _study_names():
            raise SceneLensError(
                f"no study named {given!r}; {close_names(given, _study_names())}. "
                "A path to a study.toml works too."
            )
        return HERE.data / "studies" / f"{given}.toml"


def _place(section: str) -> tuple[str | int, ...]:
    """Where a section stands in the tables, from its name in a message."""
    if section.startswith("networks."):
        name = section.removeprefix("networks.")
        inner = name.endswith(".preprocessing")
        return ("networks", name.removesuffix(".preprocessing"), *(["preprocessing"] if inner else []))
    many = re.fullmatch(r"(images|annotations), number (\d+)", section)
    return (many[1], int(many[2]) - 1) if many else (section,) if section else ()


def _nearest(path: Path, given: str) -> str:
    """What is there in place of a path that is missing."""
    if "sceneworld" in path.parts:
        return f"`{HERE.call('train')}` makes {_shown(path)}"
    if "\\" in given and os.sep == "/":
        return f"write / in place of \\, as in {given.replace(chr(92), '/')!r}"
    for folder in path.parents:
        if _is_kind(folder.is_dir):
            missing = path.relative_to(folder).parts[0]
            try:
                names = sorted(one.name for one in folder.iterdir() if not one.name.startswith("."))
                near = close_names(missing, names).replace("allowed:", "it has")
            except OSError:
                near = "it cannot be listed"
            return f"{_shown(folder)} has no {_shown(repr(missing))}; {near}"
    return f"there is no {_shown(path)}"


def _check_brackets(file: StudyFile) -> None:
    """Raise where a table is written [so] and should be [[so]], or the other way round."""
    data = file.data
    if isinstance(data.get("images"), dict):
        raise file.error("images", "write [[images]], with two pairs of brackets, once for each folder.")
    for section in ("networks", "cache", "labels", "generator"):
        if isinstance(data.get(section), list):
            header = "[networks.scene]" if section == "networks" else f"[{section}]"
            raise file.error(section, f"write {header}, with one pair of brackets.")
    networks = data.get("networks")
    for name, table in networks.items() if isinstance(networks, dict) else ():
        if isinstance(table, list):
            raise file.error(f"networks.{name}", f"write [networks.{name}], with one pair of brackets.")
        if not isinstance(table, dict) and name in STUDY_SCHEMA["networks.*"].keys:
            raise file.error(
                "networks", f"the network has no name; write [networks.scene] above {name!r}.", name
            )


def _check(file: StudyFile, section: str, table: Any, schema: str) -> None:
    if not isinstance(table, dict):
        raise file.error(section, "expected a table of keys and values.")
    allowed = STUDY_SCHEMA[schema].keys
    for key, value in table.items():
        if key not in allowed:
            raise file.error(section, f"unknown key {_shown(repr(key))}; {_where_key(key, schema)}.", key)
        if not allowed[key].rule.allows(value):
            raise file.error(section, f"{key} = {_shown(repr(value))} {_wrong(key, value, schema)}.", key)
    for key in (key for key in allowed if allowed[key].required and key not in table):
        header = {"networks": "a table [networks.scene]", "images": "a table [[images]]"}.get(key)
        line = header or f"{key} = {allowed[key].example}"
        raise file.error(section, f"the key {key!r} is missing; write {line}.")


def _where_key(key: str, schema: str) -> str:
    """The keys that are most like an unknown one, or the tables that it belongs to."""
    others = [one.header or "the top of the file" for one in STUDY_SCHEMA.values() if key in one.keys]
    if others:
        return f"it belongs to {' or '.join(others)}"
    return close_names(_shown(key), STUDY_SCHEMA[schema].keys)


def _wrong(key: str, value: Any, schema: str) -> str:
    """Why a value is not allowed, and what is."""
    rule = STUDY_SCHEMA[schema].keys[key].rule
    if isinstance(value, bool) or not isinstance(value, rule.types):
        number = isinstance(value, str) and re.fullmatch(r"\s*[-+]?[\d.]+\s*", value)
        quoted = ", without quotes" if number and not isinstance("", rule.types) else ""
        return f"is of the wrong type; expected {rule.words}{quoted}"
    if isinstance(value, str) and rule.choices:
        return f"is unknown; {close_names(_shown(value), rule.choices)}"
    if isinstance(value, str) and key != "name" and re.search(r"[\x07-\x0d]", value):
        return (
            "is not allowed; in double quotes a backslash and a letter are one character: write the path in "
            "single quotes, or with / in place of \\"
        )
    return f"is not allowed; expected {rule.words}"


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

"""study.toml: read and checked key by key, so that a typing error is not a wrong result."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scenelens.errors import SceneLensError, close_names
from scenelens.files import data_folder

_SOURCES = ("scene-centric", "object-centric")
_NUMBER, _NUMBERS = (int, float), (list,)

#: Section -> key -> the types that its value may have. The star is any name.
_SCHEMA: dict[str, dict[str, tuple[type, ...]]] = {
    "": {
        "name": (str,),
        "title": (str,),
        "networks": (dict,),
        "images": (list,),
        "annotations": (dict, list),
        "generator": (dict,),
        "cache": (dict,),
        "labels": (dict,),
    },
    "networks.*": {
        "architecture": (str,),
        "factory": (str,),
        "weights": (str,),
        "classes": (str, list, int),
        "seed": (int,),
        "width": _NUMBER,
        "fc": (int,),
        "rename": (dict,),
        "preprocessing": (str, dict),
    },
    "networks.*.preprocessing": {
        "size": (int, list),
        "resize": (str,),
        "resize_to": (int, list),
        "channels": (str,),
        "white": _NUMBER,
        "mean": _NUMBERS,
        "mean_image": (str,),
        "std": _NUMBERS,
    },
    "images": {
        "path": (str,),
        "source": (str,),
        "split": (str,),
        "limit": (int,),
        "category": (str,),
        "categories": (dict,),
    },
    "annotations": {"name": (str,), "root": (str,), "format": (str,), "colours": (dict,)},
    "generator": {"kind": (str,), "root": (str,), "n_scenes": (int,), "n_objects": (int,)},
    "cache": {"path": (str,)},
    "labels": {"store": (str,)},
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
        fallback = self.path.parent.name if self.path.stem == "study" else self.path.stem
        return self.data.get("name", fallback)

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
        """
        return (self.path.parent / Path(path).expanduser()).resolve()

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
        if not path.exists():
            hint = " `make train` makes it." if "sceneworld" in path.parts else ""
            raise self.error(section, f"{given} does not exist ({path}).{hint}")
        return path

    @classmethod
    def read(cls, name_or_path: str | Path | None) -> StudyFile:
        """Read and check the study.toml that a name or a path means.

        Parameters
        ----------
        name_or_path : str, pathlib.Path or None
            A name in data/studies, a .toml file, or a folder with a study.toml. None means the environment
            variable SCENELENS_STUDY, or "sceneworld" where that is not set.

        Returns
        -------
        StudyFile
            Its tables. Files and folders that they name are not looked for yet.

        Raises
        ------
        SceneLensError
            If there is no such study or file (close names are given); if the file is not TOML, has an unknown
            key (close names are given) or a value of the wrong type, or lacks a key.

        Examples
        --------
        >>> import tempfile; file = Path(tempfile.mkdtemp()) / "study.toml"
        >>> _ = file.write_text("nmae = 'x'")
        >>> StudyFile.read(file)
        Traceback (most recent call last):
        ...
        scenelens.errors.SceneLensError: ...study.toml: unknown key 'nmae'; close names: name, images.
        """
        path = _find_study(name_or_path)
        try:
            data = tomllib.loads(path.read_text("utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise SceneLensError(f"the study {path} cannot be read: {error}.") from error
        file = cls(path, data)
        _check(file, "", data, "")
        for name, table in data["networks"].items():
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


def _find_study(name_or_path: str | Path | None) -> Path:
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
    path = Path(given).expanduser()
    if path.suffix == ".toml" or os.sep in given:
        path = path / "study.toml" if path.is_dir() else path
        if not path.is_file():
            raise SceneLensError(f"there is no study file {path}; give the path of a study.toml.")
        return path.resolve()
    if given not in _study_names():
        raise SceneLensError(
            f"no study named {given!r}; {close_names(given, _study_names())}. "
            "A path to a study.toml works too."
        )
    return data_folder() / "studies" / f"{given}.toml"


def _check(file: StudyFile, section: str, table: Any, schema: str) -> None:
    if not isinstance(table, dict):
        raise file.error(section, "expected a table of keys and values.")
    allowed = _SCHEMA[schema]
    for key, value in table.items():
        if key not in allowed:
            raise file.error(section, f"unknown key {key!r}; {close_names(key, allowed)}.")
        # True is an int for Python, and never what is meant here.
        if not isinstance(value, allowed[key]) or isinstance(value, bool):
            names = " or ".join(kind.__name__ for kind in allowed[key])
            raise file.error(section, f"{key} = {value!r} is of the wrong type; expected {names}.")
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
    for key, allowed in (("source", _SOURCES), ("category", ("folder", "file name"))):
        if key in entry and entry[key] not in allowed:
            raise file.error(
                section, f"{key} = {entry[key]!r} is unknown; {close_names(entry[key], allowed)}."
            )
    if entry.get("limit", 1) < 1:
        raise file.error(section, f"limit = {entry['limit']} leaves no image; give 1 or more.")

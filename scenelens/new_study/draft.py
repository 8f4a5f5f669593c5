"""What a new study consists of, and its study.toml as text with comments."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from scenelens.errors import SceneLensError
from scenelens.installation import HERE
from scenelens.networks import Preprocessing
from scenelens.sentences import one_line


@dataclass
class _StudyDraft:
    """A study that is being put together.

    Attributes
    ----------
    path : pathlib.Path
        The study.toml that is to be written.
    networks : dict of str to dict
        Name -> the keys of its table: ``architecture`` or ``factory``, ``weights``, ``classes``, ``seed``.
    images : list of tuple
        (folder, source) of photographs.
    by_file_name : set of pathlib.Path
        The folders of `images` in which the name of the file, and not of a folder, is the category.
    annotations : list of tuple
        (folder, format) of annotated sets.
    preprocessing : dict of str to tuple
        Network -> the preparation to write, and the comment that says why.
    """

    path: Path
    networks: dict[str, dict[str, Any]] = field(default_factory=dict)
    images: list[tuple[Path, str]] = field(default_factory=list)
    by_file_name: set[Path] = field(default_factory=set)
    annotations: list[tuple[Path, str]] = field(default_factory=list)
    preprocessing: dict[str, tuple[Preprocessing, str]] = field(default_factory=dict)

    def text(self) -> str:
        """The file.

        Returns
        -------
        str
            TOML with comments. Paths below the file's folder are relative to it, others absolute.
        """
        parts = [_head(one_line(self.path.name)), f"name = {_quoted(self.path.stem)}\n"]
        for name, table in self.networks.items():
            parts.append(self._network(name, table))
        for folder, source in self.images:
            keys, comment = {"path": self._relative(folder), "source": source}, _FOLDERS
            if folder in self.by_file_name:
                keys["category"], comment = "file name", _FILE_NAMES
            parts.append(_table("[[images]]", keys, comment))
        for folder, kind in self.annotations:
            parts.append(self._annotated(folder, kind))
        return "\n".join(parts)

    def _network(self, name: str, table: Mapping[str, Any]) -> str:
        keys = dict(table)
        for key in ("weights", "classes"):
            if isinstance(keys.get(key), Path):
                keys[key] = self._relative(keys[key])
        text = _table(f"[networks.{name}]", keys, self._role(name, table))
        if name in self.preprocessing:
            how, why = self.preprocessing[name]
            text += "\n" + _table(f"[networks.{name}.preprocessing]", _changed(how), _commented(why))
        return text

    def _role(self, name: str, table: Mapping[str, Any]) -> str:
        """What a network is, as a comment; only what is known of it."""
        compared = ", for comparison" if name == "object" and "scene" in self.networks else ""
        if "seed" in table:
            return f"# Random weights, in the place of a network that was trained on {name}s{compared}."
        return f"# The network that was trained on {name}s{compared}."

    def _annotated(self, folder: Path, kind: str) -> str:
        header = "[[annotations]]" if len(self.annotations) > 1 else "[annotations]"
        text = _table(header, {"root": self._relative(folder), "format": kind}, "# What is where.")
        if kind not in _UNNAMED:
            return text
        # The names of classes are in nobody's file but the reader's head; the study works without this set.
        note = _commented(f"{kind} files do not say what is what: name the classes, and take these # away.")
        return note + "".join(f"# {line}\n" for line in [*text.splitlines()[1:], _UNNAMED[kind]])

    def _relative(self, path: Path) -> str:
        # A link keeps its name, as the reader wrote it; only where that leads nowhere the real folders count.
        for real in (os.path.abspath, os.path.realpath):
            full, home = (Path(real(one.expanduser())) for one in (path, self.path.expanduser().parent))
            if full.is_relative_to(home):
                return full.relative_to(home).as_posix()
        return os.path.abspath(path.expanduser())

    def factory(self, name: str) -> str:
        """Check the name of a factory, and make its file relative to the study.

        Parameters
        ----------
        name : str
            ``"file.py:function"`` as given on the command line, or ``"package.module:function"``.

        Returns
        -------
        str
            As a study.toml has it.

        Raises
        ------
        SceneLensError
            If the file is missing.
        """
        file, _, function = name.rpartition(":")
        if not file.endswith(".py"):
            return name
        if not Path(file).expanduser().is_file():
            raise SceneLensError(f"there is no file {file} with a function {function}; check the path.")
        return f"{self._relative(Path(file))}:{function}"


def _head(file: str) -> str:
    return (
        f"# {file}: a study for scenelens.\n"
        f"# {one_line(HERE.call('workbook', study=file), longest=1000)} runs the notebooks on it; "
        "docs/study_toml.md explains every key.\n"
    )


_FOLDERS = "# A folder in it is a category, for example kitchen/1.jpg."
_FILE_NAMES = "# The name of a file is its category, for example n01440764_tench.jpg."
_UNNAMED = {
    "colour-mask": "colours = { sky = [0, 128, 128], door = [128, 128, 0] }",
    "index-mask": 'classes = { 1 = "wall", 2 = "floor" }',
}
_LONGEST = 100  # characters of a line of comment


def _table(header: str, keys: Mapping[str, Any], comment: str = "") -> str:
    comment = comment.rstrip("\n")
    lines = [*([comment] if comment else []), header, *(f"{key} = {_value(keys[key])}" for key in keys)]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, str | os.PathLike):
        return _quoted(str(value))
    return f"[{', '.join(map(_value, value))}]" if isinstance(value, tuple | list) else f"{value!r}"


def _quoted(text: str) -> str:
    """A text as TOML writes it; its basic strings have JSON's escapes."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")


def _changed(how: Preprocessing) -> dict[str, Any]:
    """The keys in which a preparation differs from a table without any key, and its size in any case."""
    usual, found = Preprocessing(), {"size": how.size}
    for one in fields(how):
        value = getattr(how, one.name)
        if value != getattr(usual, one.name):
            found[one.name] = value
    return found


def _commented(text: str) -> str:
    lines, words = [""], text.split()
    for word in words:
        if len(lines[-1]) + len(word) > _LONGEST:
            lines.append("")
        lines[-1] += f" {word}"
    return "".join(f"#{line}\n" for line in lines)

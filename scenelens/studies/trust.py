"""Whether a study's own code may run: only where its reader has said so.

A factory is Python code. Whoever sends a study can write anything into it, so opening a study runs none of
it. The first use of a network with a factory names the file and its SHA-256, and asks. A yes holds for this
content of the file, wherever it lies; a changed file is asked about again. The answer is stored in the
reader's own settings, never in the study. Without a terminal, as in a notebook, nobody can be asked, and the
code does not run: a command then says yes.

The studies that come with the package, those in data/studies and below tests/ of a checkout, are trusted
with it.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from scenelens.caches import read_cached
from scenelens.errors import SceneLensError
from scenelens.files import replace_file
from scenelens.installation import HERE, Installation
from scenelens.networks import Factory
from scenelens.studies.study_file import StudyFile

#: Environment variable with the SHA-256s of files that may run, separated by commas.
_TRUST = "SCENELENS_TRUST"


class StudyTrust:
    """Whether the code of one study may run.

    Parameters
    ----------
    file : StudyFile
        The study's file.
    """

    def __init__(self, file: StudyFile) -> None:
        self.file = file

    @property
    def root(self) -> Path | None:
        """The folder in which a study's own code must lie.

        Returns
        -------
        pathlib.Path or None
            The study's folder; None (anywhere) for a study that comes with the package.
        """
        return None if self._came_along() else self.file.path.resolve().parent

    def _came_along(self) -> bool:
        """Whether a study comes with the package. The variable SCENELENS_DATA has no effect here."""
        own, path = Installation(Path(__file__).resolve().parents[1]), self.file.path.resolve()
        return path.parent == own.root / "data" / "studies" or (
            own.is_checkout and path.is_relative_to(own.root / "tests")
        )

    def files(self) -> list[Path]:
        """The Python files that the factories of a study name. None of them is run.

        Returns
        -------
        list of pathlib.Path
            Each once.

        Raises
        ------
        SceneLensError
            If one is missing, or lies neither in the study's folder nor in an installed package.
        """
        found: list[Path] = []
        for name, table in self.file.data["networks"].items():
            if "factory" in table:
                try:
                    found.append(Factory(table["factory"], self.file.path.parent, self.root).file())
                except SceneLensError as error:
                    raise self.file.error(f"networks.{name}", str(error)) from error
        return list(dict.fromkeys(found))

    def check(self, path: Path, content: bytes) -> None:
        """Raise unless a study's code may run; where there is a terminal, ask.

        Parameters
        ----------
        path : pathlib.Path
            The Python file that would run.
        content : bytes
            Its content. What is trusted is this content; the caller runs it without reading the file again.

        Raises
        ------
        SceneLensError
            If the reader has not said yes. The sentence names the file, its SHA-256 and the command that
            says yes.
        """
        digest = hashlib.sha256(content).hexdigest()
        if self._came_along() or digest in _given() or digest in _remembered() or self._asked(path, digest):
            return
        raise SceneLensError(
            f"the study {self.file.path} wants to run the code of {path} (sha256 {digest}), which you have "
            f"not allowed: read that file, and if you trust it, run: {self._command()}"
        )

    def require(self, trusted: bool = False) -> None:
        """Raise unless all of a study's own code may run; for commands, before they begin long work.

        Parameters
        ----------
        trusted : bool, optional
            The reader has said yes on the command line. The files are named on stderr; they may run, as they
            are now, in this process and in those that it starts (default: the reader is asked where there is
            a terminal).

        Raises
        ------
        SceneLensError
            If a factory's file is missing or lies outside of the study's folder, or may not run.
        """
        files = self.files()
        if trusted:
            given = {_digest(path): path for path in files}
            for digest, path in given.items():
                print(f"Allowed to run: {path} (sha256 {digest})", file=sys.stderr)
            # Kernels inherit the variable. They run a file only while it has this content.
            os.environ[_TRUST] = ",".join(sorted(_given() | set(given)))
        for path in files:
            self.check(path, path.read_bytes())

    def remember(self) -> dict[str, Path]:
        """Allow the code of a study as it is now, for good: store its SHA-256 in the reader's settings.

        Returns
        -------
        dict of str to pathlib.Path
            SHA-256 -> file, for each file that the study's factories name; empty for a study without code.

        Raises
        ------
        SceneLensError
            If a factory's file is missing or lies outside of the study's folder, or the settings cannot be
            written.
        """
        found = {_digest(path): path for path in self.files()}
        if found:
            _remember(found)
        return found

    def _asked(self, path: Path, digest: str) -> bool:
        """Ask on the terminal, and store a yes. False without a terminal, as in a notebook's kernel."""
        if "ipykernel" in sys.modules or not all(one and one.isatty() for one in (sys.stdin, sys.stderr)):
            return False
        print(
            f"The study {self.file.path} wants to run code on this computer, with your rights:\n  {path}\n"
            f"  sha256 {digest}\nRead it first. The same as yes: {self._command()}",
            file=sys.stderr,
        )
        try:
            print("Run it? [y/N] ", end="", file=sys.stderr, flush=True)
            yes = input().strip().lower() in ("y", "yes")
        except (EOFError, KeyboardInterrupt):
            return False
        if yes:
            _remember({digest: path})
        return yes

    def _command(self) -> str:
        return HERE.call("trust", study=self.file.path)


def _given() -> set[str]:
    return set(os.environ.get(_TRUST, "").lower().replace(",", " ").split())


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _settings() -> Path:
    return HERE.settings / "trusted.json"


def _remembered() -> dict[str, Any]:
    found = read_cached(_settings(), json.loads, checksum=False)
    return found if isinstance(found, dict) else {}


def _remember(files: dict[str, Path]) -> None:
    now = time.strftime("%Y-%m-%d")
    new = {digest: {"file": str(path), "since": now} for digest, path in files.items()}
    replace_file(_settings(), (json.dumps(_remembered() | new, indent=1) + "\n").encode(), durable=True)

"""Where the package finds its data, where it keeps what it makes, and how its commands are called.

The package runs from a checkout (a clone of the repository, or an editable installation of one) or from an
installed wheel. A checkout has everything below its own root. A wheel has the data inside the package, where
nothing may be written; what it makes goes to the user's folders of the platform.

==========  ===============  =================================
what        in a checkout    from a wheel
==========  ===============  =================================
data        data/            scenelens/data/
notebooks   notebooks/       scenelens/notebooks/
build       build/           the user's cache folder
answers     answers/         answers/ in the user's data folder
==========  ===============  =================================

The environment variable SCENELENS_HOME names one folder for the last two and for the reader's settings,
below which they are called build/, answers/ and settings/. SCENELENS_DATA names another folder of
data, SCENELENS_CONFIG one of settings.

>>> Installation(Path("no such folder/scenelens")).is_checkout
False
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import platformdirs

_HOME, _DATA = "SCENELENS_HOME", "SCENELENS_DATA"
#: Commands that the Makefile of a checkout offers under the same name.
_MAKE = ("workbook", "lab", "microscope", "train", "seeds", "interventions", "atlas")


@dataclass(frozen=True)
class Installation:
    """One place where the package is installed; the module's `HERE` is that of this process.

    Attributes
    ----------
    package : Path
        The folder with the package's code.
    """

    package: Path

    @property
    def is_checkout(self) -> bool:
        """Whether the package runs from a checkout: a wheel has the data inside the package."""
        return (self.package.parent / "pyproject.toml").is_file() and not (self.package / "data").is_dir()

    @property
    def root(self) -> Path:
        """The folder in which data/ and notebooks/ lie: that of the checkout, or the package of a wheel."""
        return self.package.parent if self.is_checkout else self.package

    @property
    def data(self) -> Path:
        """The folder with studies, small networks and tables: SCENELENS_DATA, or the one that came along."""
        return _given(_DATA) or self.root / "data"

    @property
    def writes_data(self) -> bool:
        """Whether new results of a study that came along may be written next to its data."""
        return bool(_given(_DATA)) or self.is_checkout

    @property
    def notebooks(self) -> Path:
        """The folder with the workbook's notebooks, as they came."""
        return self.root / "notebooks"

    @property
    def build(self) -> Path:
        """The folder for everything that can be made again: renderings, caches, pages."""
        home = self._home
        return home / "build" if home else platformdirs.user_cache_path("scenelens", appauthor=False)

    @property
    def answers(self) -> Path:
        """The folder for people's answers about the studies that come with the package."""
        return (self._home or self._user) / "answers"

    @property
    def published(self) -> Path:
        """The folder with what others have published about the paper's own networks, as it came along."""
        return self.root / "data" / "published"

    @property
    def settings(self) -> Path:
        """The folder for what this reader has allowed."""
        home = _given(_HOME)
        given = _given("SCENELENS_CONFIG") or (home / "settings" if home else None)
        return given or platformdirs.user_config_path("scenelens", appauthor=False)

    def place_compiled_code(self) -> None:
        """Let numba keep what it compiles in `build`, unless a variable of its own names another folder.

        By default it writes next to the source, which cannot be written in many installations of a wheel, or
        into the home folder, which a container may not have. Without either, numba refuses to compile. In a
        checkout nothing changes.
        """
        if not self.is_checkout:
            os.environ.setdefault("NUMBA_CACHE_DIR", str(self.build / "compiled"))

    @property
    def _is_beside_data(self) -> bool:
        return not _given(_HOME) and self.writes_data

    @property
    def _home(self) -> Path | None:
        """The folder that has build/ and answers/, where one folder has both."""
        return _given(_HOME) or (self.data.resolve().parent if self._is_beside_data else None)

    @property
    def _user(self) -> Path:
        return platformdirs.user_data_path("scenelens", appauthor=False)

    def call(self, command: str, *words: str | Path, study: str | Path | None = None) -> str:
        """Return the line that a reader types to run one of the package's commands.

        Parameters
        ----------
        command : str
            The command, such as ``"atlas"``.
        *words : str or Path
            What follows it.
        study : str or Path, optional
            The study it is for (default: none is named).

        Returns
        -------
        str
            ``make atlas`` in a checkout on a machine with make, else ``scenelens atlas``, with the path of
            Python in front where the shell would not find that command. Each word is quoted for a shell.

        Examples
        --------
        >>> HERE.call("caches", "verify", "my study/build")
        "...scenelens caches verify 'my study/build'"
        """
        if command in _MAKE and not words and self.is_checkout and shutil.which("make"):
            return _line("make", command, *([] if study is None else [f"STUDY={study}"]))
        return f"{self._program()} {_line(command, *words, *([] if study is None else ['--study', study]))}"

    def _program(self) -> str:
        own = Path(sys.executable)
        if self.is_checkout and Path(sys.prefix) == self.root / ".venv":
            return f"{own.relative_to(self.root)} -m scenelens"
        found = shutil.which("scenelens")
        if found and Path(found).parent == own.parent:
            return "scenelens"
        return f"{_line(own)} -m scenelens"

    def install(self, extra: str) -> str:
        """Return the line that a reader types to add what an optional part of the package needs.

        Parameters
        ----------
        extra : str
            The name of the extra, such as ``"timm"``.

        Returns
        -------
        str
            A command of pip.

        Examples
        --------
        >>> Installation(Path("lib/scenelens")).install("timm")
        "... -m pip install 'scenelens[timm]'"
        """
        if self.is_checkout:
            own = Path(sys.executable)
            if Path(sys.prefix) == self.root / ".venv":
                own = own.relative_to(self.root)
            return _line(own, "-m", "pip", "install", "-c", "constraints.txt", "-e", f".[{extra}]")
        return _line(sys.executable, "-m", "pip", "install", f"scenelens[{extra}]")


def _given(variable: str) -> Path | None:
    """The folder that an environment variable names, absolute; None where it is not set."""
    value = os.environ.get(variable)
    return Path(value).expanduser().absolute() if value else None


def _line(*words: str | Path) -> str:
    """Words as one line, quoted for the shells of this system."""
    texts = [str(word) for word in words]
    # Double quotes, which cmd.exe and PowerShell both understand.
    return subprocess.list2cmdline(texts) if sys.platform == "win32" else shlex.join(texts)


#: The installation that this process uses.
HERE = Installation(Path(__file__).resolve().parent)

"""People's answers on disk: one SQLite file, which several processes may write at once.

Each answer is on the disk before the next unit is shown. Nothing is ever overwritten: a corrected answer is
one more row, `labels` returns the latest of each annotator, and `history` all of them. Every answer has an
identity, so many people's files can be merged, also twice, and no answer counts twice.

Answers are ordered by the sequence of writing and not by the clock, because a clock may be set back between
an answer and its correction. Within a file the row's number is that sequence. Between files only times can be
compared, so each row also has a time that never decreases within its file (``written``): the clock's, or the
one of the row before where the clock shows less.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from scenelens.errors import SceneLensError
from scenelens.files import csv_file, replace_file
from scenelens.labels.table import COLUMNS, check_labels, current

VERSION = 1  # of the tables: raise it when they change, and let `_prepare` convert older ones
_APPLICATION = 0x5CE1E5  # marks a SQLite file as one of scenelens
_DAMAGED = "it is damaged: choose another file and merge what can be read"
_WAIT = 30.0  # seconds that a write waits for others' writes

_TABLE = """
CREATE TABLE IF NOT EXISTS answers (
    number INTEGER PRIMARY KEY,
    identity TEXT NOT NULL UNIQUE,
    network TEXT NOT NULL, layer TEXT NOT NULL, unit INTEGER NOT NULL, annotator TEXT NOT NULL,
    concept TEXT NOT NULL, type TEXT NOT NULL, precision REAL, n_images INTEGER NOT NULL,
    source TEXT NOT NULL, "when" TEXT NOT NULL, details TEXT NOT NULL, written TEXT NOT NULL DEFAULT ''
)
"""
# Older programs know no `written`: they read such a file all the same, and leave it empty in what they add.
_ADD_WRITTEN = "ALTER TABLE answers ADD COLUMN written TEXT NOT NULL DEFAULT ''"
_FIELDS = ("identity", *COLUMNS, "details")
_WHO = _FIELDS.index("annotator")
_NAMES = ", ".join(f'"{name}"' for name in _FIELDS)
# Only a known identity is skipped. Whatever else is wrong with a row is an error, never a row less.
_INSERT = (
    f"INSERT INTO answers ({_NAMES}, written) VALUES ({', '.join('?' * len(_FIELDS))}, {{written}}) "
    "ON CONFLICT (identity) DO NOTHING"
)
_MERGE = _INSERT.format(written="?")
_ADD = _INSERT.format(written="max(?, (SELECT coalesce(max(written), '') FROM answers))")
_NUMBERS = {"unit": int, "n_images": int, "precision": float}
_UNWRITTEN = "SELECT 1 FROM answers WHERE written = '' LIMIT 1"
_FIRST = "0"  # before all times, where not even the first answer has one
_MOST = 2**63 - 1  # the largest number in SQLite


class LabelStore:
    """The answers of one or many annotators, in a file.

    Each call opens the file and closes it again, so threads, notebooks and people may share it. When `add`
    returns, the answer has reached the disk, and a crash of the process does not lose it.

    Parameters
    ----------
    path : str or pathlib.Path
        The file. It is made, with its folder, when the first answer is written.

    Raises
    ------
    SceneLensError
        If the file is of another kind or of a newer version, or cannot be opened.

    Notes
    -----
    SQLite with a write-ahead log, so that readers and a writer do not wait for each other; two small files
    lie next to it while it is in use. Use a local disk: network drives rarely lock files properly.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = LabelStore(Path(folder, "labels.db"))
    ...     _ = store.add(network="scene", layer="pool5", unit=17, annotator="Ada",
    ...                   concept="bed", type="object", precision=0.9, n_images=57)
    ...     store.labels()[["annotator", "concept", "source"]].values.tolist()
    [['Ada', 'bed', 'people']]
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if self.path.exists():
            with self._open(write=False):
                pass

    def __len__(self) -> int:
        """How many answers there are, earlier ones included."""
        return len(self.history())

    def add(self, details: str | None = "", **answer: Any) -> str:
        """Write one answer to the disk.

        Parameters
        ----------
        details : str, optional
            Text that is stored with it, such as which images were marked (JSON); None is no text.
        **answer : object
            network, layer, unit, annotator, concept, type; optionally precision, n_images, source (default
            'people') and when (default: now, in UTC). See `check_labels`.

        Returns
        -------
        str
            The answer's identity.

        Raises
        ------
        SceneLensError
            If the answer breaks the schema, the disk is full, or the file is read-only or stays locked. Then
            nothing was written, and the call can be repeated.
        """
        now = datetime.now(UTC).isoformat(timespec="microseconds")
        row = _answer_row({"source": "people", "when": now} | answer)
        identity = uuid.uuid4().hex
        self._write(_ADD, [(identity, *row, _text("details", details or ""), now)])
        return identity

    def merge(
        self, *others: str | Path | LabelStore, same: Collection[str] = (), apart: Collection[str] = ()
    ) -> int:
        """Copy the answers of other files into this one, earlier answers included.

        All files are read before anything is written, so a broken file among them changes nothing. Two people
        may have written the same name into the form. Where a name of a file is known already, and no answer
        of it shows that it is the same person's, you are asked: say `same` or `apart`.

        Parameters
        ----------
        *others : str, pathlib.Path or LabelStore
            The other files.
        same : collection of str, optional
            Names that mean one person wherever they stand.
        apart : collection of str, optional
            Names that mean another person in each file. The file's name is added to them, such as "Ada
            (row2)".

        Returns
        -------
        int
            How many answers were new.

        Raises
        ------
        SceneLensError
            If a file is missing or cannot be read, or a name could mean two people.
        """
        rows: list[tuple] = []
        known = {row[0]: row[_WHO] for row in self._rows()}  # the name that each answer has here
        for other in others:
            store = other if isinstance(other, LabelStore) else LabelStore(other)
            if not store.path.exists():
                raise SceneLensError(f"there is no file {store.path} to merge.")
            named = store._rows()
            called = {name: self._called(name, store, named, known, same, apart) for name in _names_in(named)}
            named = [(*row[:_WHO], called[row[_WHO]], *row[_WHO + 1 :]) for row in named]
            known |= {row[0]: row[_WHO] for row in named if row[0] not in known}
            rows += named
        return self._write(_MERGE, sorted(rows, key=_written))

    def _called(
        self,
        name: str,
        store: LabelStore,
        rows: list[tuple],
        known: Mapping[str, str],
        same: Collection[str],
        apart: Collection[str],
    ) -> str:
        """What an annotator of another file is called here."""
        own = [row[0] for row in rows if row[_WHO] == name]
        earlier = {known[identity] for identity in own if identity in known}
        if earlier:  # some of these answers are here already: it is the person who gave them
            return name if name in earlier else min(earlier)
        if name not in known.values() or name in same:
            return name
        new = _other_name(name, store.path.stem, set(known.values()))
        if name not in apart:
            have = sum(one == name for one in known.values())
            raise SceneLensError(
                f"{name!r} has {have} answers here and {len(own)} others in {store.path.name}: one person or "
                f"two? merge(..., same=[{name!r}]) takes them for one, merge(..., apart=[{name!r}]) calls "
                f"the second {new!r}."
            )
        return new

    def _write(self, insert: str, rows: list[tuple]) -> int:
        with self._open(write=True) as database:
            before = database.total_changes
            database.executemany(insert, rows)
            database.commit()
            made = database.total_changes - before
            # The log goes into the file itself as far as readers allow it, so that a copy of the file alone
            # has the answer. A failure changes nothing: the answer is on disk already.
            with contextlib.suppress(sqlite3.Error):
                database.execute("PRAGMA wal_checkpoint(PASSIVE)")
            return made

    def labels(self) -> pd.DataFrame:
        """The latest answer of each annotator about each unit.

        Returns
        -------
        pandas.DataFrame
            With the columns `labels.COLUMNS`.
        """
        history = self.history()
        try:
            return current(history)[list(COLUMNS)]
        except SceneLensError as error:
            raise SceneLensError(f"{self.path}: {_DAMAGED} ({error})") from error

    def history(self) -> pd.DataFrame:
        """All answers ever given, in the order of writing.

        Returns
        -------
        pandas.DataFrame
            With the columns `labels.COLUMNS`, ``identity``, ``details`` and ``written`` (str): a time that
            never decreases within a file, by which `current` orders answers.
        """
        table = pd.DataFrame(self._rows(), columns=[*_FIELDS, "written"]).astype({"precision": float})
        return table[[*COLUMNS, "identity", "details", "written"]]

    def progress(self, annotator: str) -> set[tuple[str, str, int]]:
        """The units that an annotator has answered.

        Parameters
        ----------
        annotator : str
            The annotator's name.

        Returns
        -------
        set of tuple
            (network, layer, unit) of each.
        """
        own = self.history().query("annotator == @annotator")
        return {(str(row.network), str(row.layer), int(row.unit)) for row in own.itertuples()}

    def export_csv(self, path: str | Path, history: bool = False) -> Path:
        """Write the answers as a table (UTF-8, comma-separated).

        Spreadsheets take a text that begins with = + - or @ for a formula, so such texts get a ' in front.

        Parameters
        ----------
        path : str or pathlib.Path
            The CSV file.
        history : bool, optional
            True writes all answers (default: the latest ones, see `labels`).

        Returns
        -------
        pathlib.Path
            The file.

        Raises
        ------
        SceneLensError
            If the file cannot be written, or is a file of answers.
        """
        if _is_database(Path(path)):
            raise SceneLensError(f"{path} is a database, which the table would replace; choose another file.")
        table = self.history() if history else self.labels()
        replace_file(path, csv_file(table))
        return Path(path)

    def _rows(self) -> list[tuple]:
        if not self.path.exists():
            return []
        with self._open(write=False) as database:
            if not database.execute("PRAGMA user_version").fetchone()[0]:
                return []  # its writer was killed before the first answer
            written = "written" if _has_written(database) else "''"
            rows = database.execute(f"SELECT {_NAMES}, {written} FROM answers ORDER BY number").fetchall()
            rows = _complete(rows)
        return sorted(rows, key=_written)  # a stable sort: the number decides between equal times

    @contextlib.contextmanager
    def _open(self, write: bool) -> Iterator[sqlite3.Connection]:
        """The opened file, its version checked. Errors become sentences; a failed write changes nothing."""
        try:
            with contextlib.closing(self._connect(write)) as database:
                self._check_version(database)
                if write:
                    _prepare(database)
                yield database
        except (sqlite3.Error, OSError, UnicodeDecodeError) as error:
            raise SceneLensError(self._sentence(error, write)) from error

    def _connect(self, write: bool) -> sqlite3.Connection:
        if write:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            return sqlite3.connect(self.path, timeout=_WAIT, isolation_level="IMMEDIATE")
        database = sqlite3.connect(f"{self.path.resolve().as_uri()}?mode=ro", timeout=_WAIT, uri=True)
        try:
            database.execute("PRAGMA schema_version").fetchone()
            return database
        except sqlite3.OperationalError:
            # The write-ahead log needs an index file, which cannot be made in a read-only folder. Without
            # the log, SQLite can still read a file that is declared immutable.
            database.close()
            return sqlite3.connect(f"{self.path.resolve().as_uri()}?immutable=1", uri=True)

    def _check_version(self, database: sqlite3.Connection) -> None:
        # One transaction for all three queries: another process may be making the table at this moment.
        database.execute("BEGIN")
        application, version, tables = (
            database.execute(query).fetchone()[0]
            for query in (
                "PRAGMA application_id",
                "PRAGMA user_version",
                "SELECT count(*) FROM sqlite_master",
            )
        )
        database.rollback()
        if application != _APPLICATION and tables:
            raise SceneLensError(f"{self.path} is a database of another program; choose another file.")
        if version > VERSION:
            raise SceneLensError(
                f"{self.path} was written by a newer scenelens (version {version} of its tables; this one "
                f"knows {VERSION}). Update scenelens, or choose another file."
            )

    def _sentence(self, error: Exception, write: bool) -> str:
        if isinstance(error, UnicodeDecodeError):  # SQLite's own message held bytes of the damaged file
            return f"{self.path}: {_DAMAGED}."
        code = getattr(error, "sqlite_errorcode", None)
        primary = -1 if code is None else code & 0xFF  # the lowest byte; the rest says more about the cause
        what = {
            sqlite3.SQLITE_FULL: "the disk is full: free some space",
            sqlite3.SQLITE_READONLY: "it is read-only, or its folder: allow writing, or choose another file",
            sqlite3.SQLITE_CANTOPEN: "it cannot be opened: look at the folder and its rights",
            sqlite3.SQLITE_NOTADB: "it is not a database: choose another file",
            sqlite3.SQLITE_CORRUPT: _DAMAGED,
            sqlite3.SQLITE_BUSY: f"another process has locked it for {_WAIT:.0f} s: close that one",
        }.get(primary, str(error))
        again = " The answer was not written; give it again when the cause is removed." if write else ""
        return f"{self.path}: {what}.{again}"


def _names_in(rows: Iterable[tuple]) -> list[str]:
    """The annotators, in the order of their first answer."""
    return list(dict.fromkeys(row[_WHO] for row in rows))


def _other_name(name: str, file: str, taken: set[str]) -> str:
    """A name that nobody has, made with a file's name.

    >>> _other_name("Ada", "row2", {"Ada"}), _other_name("Ada", "row2", {"Ada", "Ada (row2)"})
    ('Ada (row2)', 'Ada (row2) 2')
    """
    new, number = f"{name} ({file})", 1
    while new in taken:
        number += 1
        new = f"{name} ({file}) {number}"
    return new


def _is_database(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(15) == b"SQLite format 3"
    except OSError:
        return False


def _prepare(database: sqlite3.Connection) -> None:
    """Make the table if it is missing. Commits wait for the disk, so that a power cut loses nothing."""
    _log_ahead(database)
    database.execute("PRAGMA synchronous=FULL")
    if database.execute("PRAGMA user_version").fetchone()[0] < VERSION:
        database.execute("BEGIN IMMEDIATE")
        database.execute(_TABLE)
        database.execute(f"PRAGMA application_id={_APPLICATION}")
        database.execute(f"PRAGMA user_version={VERSION}")
        database.commit()
    if not _has_written(database) or database.execute(_UNWRITTEN).fetchone():
        _add_written(database)


def _has_written(database: sqlite3.Connection) -> bool:
    return any(column[1] == "written" for column in database.execute("PRAGMA table_info(answers)"))


def _add_written(database: sqlite3.Connection) -> None:
    """Fill `written` in the rows of an older program; the answers themselves stay as they are."""
    database.execute("BEGIN IMMEDIATE")
    if not _has_written(database):  # another process may have added it while this one waited
        database.execute(_ADD_WRITTEN)
    rows = database.execute(f"SELECT {_NAMES}, written FROM answers ORDER BY number").fetchall()
    filled = [(row[-1], row[0]) for row in _complete(rows)]
    database.executemany("UPDATE answers SET written = ? WHERE identity = ? AND written = ''", filled)
    database.commit()


def _is_whole(row: tuple) -> bool:
    """Whether a row has the types that every row is written with; SQLite itself does not insist on them."""
    values = dict(zip((*_FIELDS, "written"), row, strict=True))
    precision = values.pop("precision")
    numbers = [values.pop(name) for name in ("unit", "n_images")]
    return (
        all(isinstance(text, str) for text in values.values())
        and all(isinstance(number, int) for number in numbers)
        and (precision is None or isinstance(precision, int | float))
    )


def _complete(rows: Iterable[tuple]) -> list[tuple]:
    """Rows in the order of their numbers, each with a time: where it has none, the latest ``when`` so far."""
    latest, filled = "", []
    for row in rows:
        if not _is_whole(row):
            raise sqlite3.DatabaseError(_DAMAGED)
        written = row[-1] or max(latest, row[_FIELDS.index("when")], _FIRST)
        latest = max(latest, written)
        filled.append((*row[:-1], written))
    return filled


def _written(row: tuple) -> str:
    return row[-1]


def _log_ahead(database: sqlite3.Connection) -> None:
    """Switch to a write-ahead log. At this step alone SQLite does not wait for other processes."""
    deadline = time.monotonic() + _WAIT
    while True:
        try:
            database.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _answer_row(answer: dict[str, Any]) -> list[Any]:
    """An answer's values as SQLite stores them. Whatever would be lost or changed on the way is an error."""
    unknown = sorted(set(answer) - set(COLUMNS))
    if unknown:
        raise SceneLensError(f"an answer has no {unknown[0]!r}; it has {', '.join(COLUMNS)}.")
    for name, value in answer.items():
        (_check_number if name in _NUMBERS else _text)(name, value)
    row = check_labels(pd.DataFrame([answer])).iloc[0]
    for name in ("network", "layer", "annotator"):
        if not (row[name] or "").strip():
            what = "annotator's name" if name == "annotator" else name
            raise SceneLensError(f"an answer needs its {what}.")
    return _sql_values(row)


def _check_number(name: str, value: Any) -> None:
    """Whether it is a number that SQLite stores; the table's own check knows what a precision may be."""
    with contextlib.suppress(TypeError, ValueError):
        number = 0.0 if value is None else float(value)
        if name == "precision" or (0 <= number <= _MOST and number.is_integer()):
            return
    raise SceneLensError(f"an answer's {name} is a whole number from 0 on, and not {value!r}.")


def _text(name: str, value: Any) -> str:
    """A value that must be a text, because anything else would be stored as something else."""
    if not isinstance(value, str | None):
        raise SceneLensError(f"an answer's {name} is a text, and not {type(value).__name__} ({value!r}).")
    try:
        (value or "").encode()
    except UnicodeEncodeError as error:
        raise SceneLensError(f"an answer's {name} has half a character in it: {value!r}.") from error
    return value or ""


def _sql_values(row: Mapping[str, Any] | pd.Series) -> list[Any]:
    """A row's values in the order of the columns, as types that SQLite stores; NaN becomes NULL."""
    values = [_NUMBERS.get(name, str)(row[name]) for name in COLUMNS]
    return [None if value != value else value for value in values]  # only NaN differs from itself
